"""The site as it is started: beside a notebook, and for a folder of photos."""

import csv
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from servers import free_port

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


class Started:
    """The site as the command line starts it, over the last run's place."""

    def __init__(self, place, study, *arguments):
        (place / "study").write_bytes(pickle.dumps(study))
        self.port = free_port()
        code = (
            "import pickle, sys, pathlib; from pipeline import app, paths; "
            f"paths.ROOT = pathlib.Path({str(place)!r}); paths.BUILD = paths.ROOT / 'build'; "
            "app.params.load = lambda: pickle.loads((paths.ROOT / 'study').read_bytes()); "
            "sys.exit(app.main(sys.argv[1:]))"
        )
        self.address = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-c", code, "--port", str(self.port), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def status(self):
        while self.process.poll() is None:
            try:
                return httpx.get(f"{self.address}/api/v1/status", timeout=30).json()
            except httpx.TransportError:
                time.sleep(0.02)
        raise ChildProcessError(self.process.communicate()[1])

    def ends(self, sign):
        self.process.send_signal(sign)
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err


def test_it_answers_while_the_program_is_loaded_and_control_c_ends_it_quietly(place, study):
    started = Started(place, study)
    first = started.status()
    assert first["phase"] == "loading the program"  # TensorFlow alone takes seconds
    assert httpx.get(started.address, timeout=30).text.startswith("<!doctype html>")
    assert httpx.get(f"{started.address}/api/v1/search?text=x", timeout=30).status_code == 503
    while started.status()["phase"] == "loading the program":
        time.sleep(0.1)
    with httpx.Client(base_url=started.address) as client:  # on one connection no answer waits for a confirmation
        times = [client.get("/api/v1/status").elapsed.total_seconds() for _ in range(30)]
    assert min(times[1:]) < 0.03
    code, out, err = started.ends(signal.SIGINT)
    assert (code, "Traceback" in err, started.address in out) == (0, False, True), err


def test_an_encoder_that_is_none_ends_it_with_a_word(place, study):
    started = Started(place, study, "--encoder", "resnet")
    out, err = started.process.communicate(timeout=300)
    assert (started.process.returncode, "no features of 'resnet'" in err) == (1, True), err


def test_a_port_that_is_taken_is_said_before_any_address(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert app.main(["--port", str(taken.getsockname()[1])]) == 1
    said = capsys.readouterr()
    assert said.out == "" and "nothing can listen on 127.0.0.1" in said.err
    for port in ("99999", "-1", "x"):
        with pytest.raises(SystemExit):
            app.main([f"--port={port}"])
    assert "a port is a number from 0 to 65535" in capsys.readouterr().err


def test_as_many_connections_as_the_system_allows_may_be_open():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))
    try:
        app._many_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(
    "reached",
    [["--host", host] for host in ("0.0.0.0", "192.0.2.7", "::", "shop.example")] + [["--name", "shop.example"]],
)
def test_it_is_not_opened_to_strangers_changes_without_a_token(reached, capsys, monkeypatch):
    monkeypatch.delenv("SITE_TOKEN", raising=False)
    monkeypatch.setattr(app, "_listening", lambda *given: pytest.fail("it listens"))
    assert app.main([*reached, "--writable", "--port", "0"]) == 1
    said = capsys.readouterr().err
    assert "SITE_TOKEN" in said and reached[1] in said
    assert app._is_here("127.0.0.1") and app._is_here("::1") and app._is_here("localhost")


def test_a_study_without_features_has_nothing_to_serve(last_run, place):
    for path in (place / "outputs/sample/features").iterdir():
        path.unlink()
    with pytest.raises(SearchError, match=r"pipeline\.run repro"):
        app.serve(port=0)
