"""The four smaller documents' systems on the drawn sample, each as the experiment that its README line is."""

import clones
import nbformat
import numpy as np
import pandas as pd
import pytest
from clones import call, git, stage

from pipeline import params, stages
from pipeline.claims import registry

SYSTEMS = {"s000": "index_study", "s002": "hybrid", "s003": "user_photos", "s004": "recommendation"}


pytestmark = pytest.mark.xdist_group("suites")


@pytest.fixture(scope="module")
def place(run_done, tmp_path_factory):
    """A clone with one commit, in which one suite runs after the other; what the sample's run has made is kept."""
    place = clones.make(tmp_path_factory.mktemp("suites"))
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "as it is")
    call(place, "dvc", "cache", "dir", "--local", str(run_done[0] / ".dvc/cache"))
    return place


@pytest.fixture(scope="module", params=SYSTEMS)
def suite(request, place):
    """A suite's name and stage, once it has run: the first as an experiment, the others by the two commands."""
    if request.param == "s000":
        call(place, "dvc", "exp", "run", "-n", request.param, "-S", f"suite={request.param}")
    else:
        stage(place, "compose", f"suite={request.param}")
        stage(place, "repro")
    return place, request.param, SYSTEMS[request.param]


def test_a_suite_runs_to_its_report_and_its_chapter_is_linked(suite):
    place, name, stage_name = suite
    study = params.load(place / "params.yaml")
    assert list(stages.items_of(study, stages.find(stage_name))) == [name]
    index = (place / "outputs/sample/report/index.html").read_text(encoding="utf-8")
    assert f'href="04_{stage_name}/{name}.html"' in index
    notebook = nbformat.read(place / f"outputs/sample/notebooks/04_{stage_name}/{name}.ipynb", as_version=4)
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert not any(output.get("name") == "stderr" for output in shown)


def test_the_cells_that_claims_name_show_a_figure_and_the_report_links_them(suite):
    place, name, stage_name = suite
    named = {
        claim.see for claim in registry.load().values() if (claim.see or "").startswith(f"04_{stage_name}/{name}#")
    }
    notebook = nbformat.read(place / f"outputs/sample/notebooks/04_{stage_name}/{name}.ipynb", as_version=4)
    outputs = {cell.id: cell.get("outputs", []) for cell in notebook.cells}
    index = (place / "outputs/sample/report/index.html").read_text(encoding="utf-8")
    for chapter, _, cell in (see.partition("#") for see in named):
        assert any("image/png" in output.get("data", {}) for output in outputs[cell]), cell
        assert f'href="{chapter}.html#cell-id={cell}"' in index
    assert bool(named) == (name in ("s000", "s002"))


def test_a_suites_numbers_reach_the_evaluation(suite):
    place, name, stage_name = suite
    table = pd.read_csv(place / "outputs/sample/evaluation/measurements.csv")
    found = pd.read_parquet(place / f"outputs/sample/scores/{stage_name}.{name}.parquet")
    assert len(found) > 3
    assert found["key"].str.startswith(f"{stage_name}/{name}/").all()
    plain = found[found["draws"].map(len) == 0]
    assert set(plain["key"]) <= set(table["key"])


def test_a_suite_can_be_published(suite):
    place, name, stage_name = suite
    stage(place, "publish")
    tables = list((place / f"reference/sample/systems/{stage_name}/{name}").glob("*.csv"))
    assert tables
    assert all(len(pd.read_csv(path)) for path in tables)


def test_a_suite_shows_what_it_is_there_for(suite):
    place, name, stage_name = suite
    folder = place / f"outputs/sample/systems/{stage_name}/{name}"
    if name == "s000":
        table = pd.read_csv(folder / "indexes.csv")
        assert {"exact", "ball_tree", "hnsw"} <= set(table["index"])
        assert set(table.loc[table["fault"].notna(), "index"]) <= {"annoy"}
    elif name == "s002":
        table = pd.read_csv(folder / "weights.csv")
        assert set(table["mode"]) == {"own", "typed", "pseudo"}
        assert set(table["circular"]) == {True, False}
    elif name == "s003":
        table = pd.read_csv(folder / "photos.csv")
        assert set(table["crop"]) == {"box", "whole", "cropper"}
        ranking = np.load(folder / "ranking.npy", allow_pickle=False)
        assert ranking.dtype == np.int32
        placed = table[(table["kind"] == "placed") & (table["relevance"] == "own picture") & (table["crop"] == "box")]
        assert placed["value"].max() > 0.5
    else:
        assert len(pd.read_csv(folder / "confusions.csv")) > 5
        assert len(pd.read_csv(folder / "recommendations.csv")) == 30
