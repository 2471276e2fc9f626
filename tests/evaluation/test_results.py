"""What the smaller systems reached: written, read again by key, and asked for where it is missing."""

import numpy as np
import pandas as pd
import pytest

from pipeline import paths
from pipeline.evaluation import results, tables
from pipeline.evaluation.tables import Measured


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)


def test_numbers_and_draws_come_back_by_key():
    table = pd.DataFrame({"x": [1 / 3], "y": ["a"]})
    draws = {"b/mAP": np.arange(5) / 7}
    measured = Measured(table, {"a": 1.0, "b/mAP": 0.25}, draws)
    results.write("sample", "hybrid", "s002", {"weights": table}, measured)
    results.write("sample", "hybrid", "other", {}, Measured(table, {"accuracy": 0.5}))
    again = results.load("sample", "hybrid", ["s002", "other"])
    assert again.values == {"hybrid/s002/a": 1.0, "hybrid/s002/b/mAP": 0.25, "hybrid/other/accuracy": 0.5}
    assert list(again.resampled) == ["hybrid/s002/b/mAP"]
    assert again.resampled["hybrid/s002/b/mAP"] == pytest.approx(draws["b/mAP"])
    assert (paths.system("sample", "hybrid", "s002") / "weights.csv").read_text() == "x,y\n0.333333,a\n"


def test_a_system_that_was_not_run_is_asked_for():
    with pytest.raises(
        tables.TableError, match=r"hybrid.s002.parquet is missing. Make it with: dvc repro -f -s hybrid@s002"
    ):
        results.load("sample", "hybrid", ["s002"])


def test_a_system_without_items_has_no_numbers():
    nothing = results.load("sample", "hybrid", [])
    assert (nothing.values, nothing.resampled) == ({}, {})
