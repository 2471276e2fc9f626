"""What the smaller systems reached: written, read again by key, and asked for where it is missing."""

import numpy as np
import pandas as pd
import pytest

from pipeline import paths
from pipeline.evaluation import systems, tables


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)


def test_numbers_and_draws_come_back_by_key():
    table = pd.DataFrame({"x": [1 / 3], "y": ["a"]})
    draws = {"b/mAP": np.arange(5) / 7}
    systems.keep("sample", "hybrid", "s002", {"weights": table}, {"a": 1.0, "b/mAP": 0.25}, draws)
    systems.keep("sample", "recommendation", "s004", {}, {"accuracy": 0.5})
    values, resampled = systems.measured("sample", {"hybrid": ["s002"], "recommendation": ["s004"]})
    assert values == {"hybrid/s002/a": 1.0, "hybrid/s002/b/mAP": 0.25, "recommendation/s004/accuracy": 0.5}
    assert list(resampled) == ["hybrid/s002/b/mAP"]
    assert resampled["hybrid/s002/b/mAP"] == pytest.approx(draws["b/mAP"])
    assert (paths.system("sample", "hybrid", "s002") / "weights.csv").read_text() == "x,y\n0.333333,a\n"


def test_a_system_that_was_not_run_is_asked_for():
    with pytest.raises(
        tables.TableError, match=r"hybrid.s002.parquet is missing. Make it with: dvc repro -f -s hybrid@s002"
    ):
        systems.measured("sample", {"hybrid": ["s002"]})
