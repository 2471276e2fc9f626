"""The four smaller documents' systems on the drawn sample, each as the experiment that its README line is."""

from typing import get_args

import clones
import nbformat
import numpy as np
import pandas as pd
import pytest
from clones import call, git, stage

from pipeline import params, stages
from pipeline.claims import registry
from pipeline.params.kinds import Way

SYSTEMS = {"s002": "hybrid", "s000": "index_study", "s003": "user_photos", "s004": "recommendation"}
EXPERIMENT = "s002"
# A suite's stages, modules and chapter are what is tested; shorter is what only takes time on 650 drawn products.
SHORTER = {
    "s002": ["hybrids.s002.resamples=200", "hybrids.s002.queries=200"],
    "s000": [
        "index_studies.s000.seconds=0.1",
        "index_studies.s000.components=[null,64]",
        "index_studies.s000.sizes=[200]",
        "index_studies.s000.replicated=3",
        "index_studies.s000.queries=64",
    ],
    "s003": [
        "finetunes.arcface.epochs=1",
        "finetunes.arcface_xbm.epochs=1",
        "finetunes.arcface_product.epochs=1",
        "finetunes.arcface_product_xbm.epochs=1",
        "user_photos.s003.queries=60",
        "user_photos.s003.kinds=[placed,everything]",
        "user_photos.s003.composites={count:6,products:[2,4],learnt:16,epochs:4}",
        "user_photos.s003.resamples=200",
    ],
    "s004": [
        "finetunes.small_cnn.epochs=3",
        "finetunes.mawoneke_cnn.epochs=2",
        "recommendations.s004.trees=20",
        "recommendations.mawoneke.trees=20",
    ],
}

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
    """A suite's name and stage, once it has run: one composed by an experiment, the others by a command.

    The experiment itself makes the first stage only: it has no warm processes, and tests/test_graph.py has a whole one.
    """
    changes = [f"suite={request.param}", *SHORTER.get(request.param, [])]
    if request.param == EXPERIMENT:
        call(
            place, "dvc", "exp", "run", "-n", request.param, *(f"--set-param={change}" for change in changes), "ingest"
        )
    else:
        stage(place, "compose", *changes)
    stage(place, "repro", "--jobs", "2")
    return place, request.param, SYSTEMS[request.param]


def test_a_suite_runs_to_its_report_and_its_chapter_is_linked(suite):
    place, name, stage_name = suite
    study = params.load(place / "params.yaml")
    assert stages.items_of(study, stages.find(stage_name))[0] == name
    index = (place / "outputs/sample/report/index.html").read_text(encoding="utf-8")
    assert f'href="04_{stage_name}/{name}.html"' in index
    notebook = nbformat.read(place / f"outputs/sample/notebooks/04_{stage_name}/{name}.ipynb", as_version=4)
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert not any(output.get("name") == "stderr" for output in shown)


def test_the_cells_that_claims_name_show_a_figure_or_a_table_and_the_report_links_them(suite):
    place, name, stage_name = suite
    named = {
        claim.see for claim in registry.load().values() if (claim.see or "").startswith(f"04_{stage_name}/{name}#")
    }
    notebook = nbformat.read(place / f"outputs/sample/notebooks/04_{stage_name}/{name}.ipynb", as_version=4)
    outputs = {cell.id: cell.get("outputs", []) for cell in notebook.cells}
    index = (place / "outputs/sample/report/index.html").read_text(encoding="utf-8")
    for chapter, _, cell in (see.partition("#") for see in named):
        assert any({"image/png", "text/html"} & output.get("data", {}).keys() for output in outputs[cell]), cell
        assert f'href="{chapter}.html#cell-id={cell}"' in index
    assert bool(named) == (name in ("s000", "s002", "s003", "s004"))


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
        several = pd.read_csv(folder / "composites.csv")
        assert set(several["way"]) == set(get_args(Way))
        assert (several.loc[(several["way"] == "box") & (several["measure"] == "recall"), "value"] == 1).all()
        ranking = np.load(folder / "ranking.npy", allow_pickle=False)
        assert ranking.dtype == np.int32
        placed = table[(table["kind"] == "placed") & (table["relevance"] == "own picture") & (table["crop"] == "box")]
        assert placed["value"].max() > 0.5
    else:
        assert len(pd.read_csv(folder / "confusions.csv")) > 5
        assert len(pd.read_csv(folder / "recommendations.csv")) == 30
