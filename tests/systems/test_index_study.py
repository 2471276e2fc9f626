"""The study of indexes: every row measured in a process of its own, true overlaps, and a fault that costs its row."""

import numpy as np
import pytest

from pipeline import params
from pipeline.evaluation import keys
from pipeline.params.systems import IndexStudy
from pipeline.retrieval import indexes
from pipeline.systems import index_study
from pipeline.systems.keys import KEYS

RUN = IndexStudy(
    encoder="e",
    indexes=["exact", "ball_tree", "ivf"],
    components=[None, 4],
    sizes=[50],
    replicated=2,
    replicated_components=4,
    neighbours=3,
    queries=9,
    batch=4,
    seconds=0.2,
    seed=0,
)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return rng.normal(size=(120, 8)).astype(np.float32), rng.normal(size=(9, 8)).astype(np.float32)


def test_there_is_a_row_per_index_dimension_and_size(vectors):
    measured = index_study.study(*vectors, np.arange(100), RUN)
    table, values = measured.table, measured.values
    places = {(row.components, row.pictures) for row in table.itertuples()}
    assert places == {(8, 50), (8, 120), (4, 50), (4, 120), (4, 240)}
    assert len(table) == 15
    assert (table["fault"] == "").all()
    assert (table[["build s", "single p50 ms", "batch p50 ms"]] > 0).all(axis=None)
    assert (table["single p50 ms"] <= table["single p95 ms"]).all()
    assert (table.loc[table["index"] != "ivf", "overlap"] == 1).all()
    assert (table.loc[table["index"] == "ivf", "overlap"] < 1).any()
    assert values["ball_tree/8/120/overlap"] == values["ball_tree/all/all/overlap"] == 1
    assert "ball_tree/4/240/build s" in values
    assert not any("fault" in key for key in values)
    names = {"index_studies": ["s000"]}
    assert {keys.fault(f"index_study/s000/{key}", KEYS["index_study"], names) for key in values} == {""}


def test_a_notebooks_own_class_of_parameters_will_do(vectors):
    given = {
        **RUN.model_dump(),
        "indexes": ["exact"],
        "components": [None],
        "sizes": [],
        "replicated": 0,
        "data": "sample",
    }
    run = params.from_notebook(IndexStudy, {**given, "name": "x"}, data=str, name=str)
    assert len(index_study.study(*vectors, np.arange(100), run).table) == 1


def test_an_index_without_its_library_costs_its_row_and_no_other(vectors, monkeypatch):
    def missing(*_):
        raise indexes.IndexMissing("annoy is not installed")

    monkeypatch.setattr(index_study, "_measured", lambda kind, *_: missing() if kind == "x" else {"fault": "y"})
    sent = []
    connection = type("Connection", (), {"send": sent.append})()
    monkeypatch.setattr(index_study, "measure", missing)
    index_study._child(connection, "annoy", *vectors, None, RUN)
    assert sent == [{"fault": "annoy is not installed"}]


def test_a_process_that_dies_costs_its_row(vectors, monkeypatch):
    import os

    class Dying:
        def Pipe(self):
            import multiprocessing

            return multiprocessing.get_context("fork").Pipe()

        def Process(self, target, args):
            import multiprocessing

            return multiprocessing.get_context("fork").Process(target=lambda *_: os._exit(7), args=args)

    monkeypatch.setattr(index_study, "CONTEXT", Dying())
    assert index_study._measured("exact", *vectors, None, RUN) == {"fault": "its process ended with 7"}


def test_an_index_has_every_thread_that_there_is(vectors, monkeypatch, capfd):
    """scikit-learn gives a daemon's child one, and says so on stderr."""
    found = index_study._measured("ball_tree", *vectors, np.zeros((9, 3), np.float32), RUN)
    assert found["fault"] == ""
    assert "n_jobs=1" not in capfd.readouterr().err


def test_copies_are_jittered_a_little_and_the_first_not_at_all(vectors):
    unit = vectors[0] / np.linalg.norm(vectors[0], axis=1, keepdims=True)
    grown = index_study.grown(unit, 300, 0)
    assert grown.shape == (300, 8)
    assert grown[:120] == pytest.approx(unit, abs=1e-6)
    near = (grown[120:240] * unit).sum(axis=1)
    assert (near > 0.98).all() and (near < 1 - 1e-6).any()
    assert len(index_study.grown(unit, 30, 0)) == 30
