"""The site as it is started: beside a notebook, and for a folder of photos."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pipeline import app
from pipeline.site.questions import SearchError

PAGE = Path(__file__).parents[2] / "docs/site.md"


@pytest.fixture
def last_run(place, study, monkeypatch):
    """The parameters of the run that is served."""
    monkeypatch.setattr(app.params, "load", lambda: study)


def test_the_pages_example_runs_against_a_site_beside_a_notebook(last_run, tmp_path):
    running = app.serve(port=0, encoder="stretched")
    try:
        (tmp_path / "photo.jpg").write_bytes(running.site.picture(running.site.ids[0]))
        example = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
        code = example.replace("http://127.0.0.1:7860", running.address)
        said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert len(said.stdout.splitlines()) == 5
        assert running.site.ids[0] in said.stdout
    finally:
        running.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(running.address)


def test_a_folders_photos_are_matched_and_a_bad_one_is_told(last_run, site, tmp_path, capsys):
    folder, target = tmp_path / "photos", tmp_path / "matches.csv"
    folder.mkdir()
    for name, row in (("a.jpg", 0), ("b, ü.jpg", 1)):
        (folder / name).write_bytes(site.picture(site.ids[row]))
    (folder / "cut.jpg").write_bytes(site.picture(site.ids[2])[:200])
    (folder / "large.jpg").write_bytes(b"\xff" * 10_000_001)
    assert app.main(["--encoder", "padded", "match", str(folder), str(target), "--count", "3"]) == 1
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["a.jpg"] * 3 + ["b, ü.jpg"] * 3 + ["cut.jpg", "large.jpg"]
    assert [rows[0]["id"], rows[3]["id"]] == site.ids[:2]
    assert rows[6]["fault"] and "at most 10,000,000" in rows[7]["fault"]
    assert "2 photos matched, 2 left out" in capsys.readouterr().out
    assert list(tmp_path.glob("*.partial")) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--encoder", "resnet50", "match", "x", "y"], "no features of 'resnet50'"),
        (["match", "nowhere", "y.csv"], "nowhere is no folder"),
        (["match", ".", "y.csv", "--count", "0"], "count"),
        (["match", ".", "y.csv", "--distance", "far"], "distance"),
    ],
)
def test_what_cannot_be_matched_is_said_before_any_work(last_run, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert app.main(arguments) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.glob("*.csv*")) == []


def test_a_study_without_features_has_nothing_to_serve(last_run, place):
    for path in (place / "outputs/sample/features").iterdir():
        path.unlink()
    with pytest.raises(SearchError, match=r"pipeline\.run repro"):
        app.serve(port=0)
