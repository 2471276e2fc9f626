"""Sibling listings by the size of their group."""

import numpy as np
import pandas as pd
import pytest

from pipeline import paths
from pipeline.evaluation import metrics, siblings


def scores(average, relevant):
    count = len(relevant)
    return pd.DataFrame(
        {
            "query": np.arange(count, dtype=np.int32),
            "copies": 0,
            "size": 50,
            "protocol": "strict",
            "gallery": "test",
            "relevance": "product",
            "relevant": relevant,
            "AP": np.where(np.array(relevant) > 0, average, np.nan),
        }
    )


def test_each_query_counts_in_the_row_of_its_names_listings(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    relevant = [0, 1, 1, 2, 3, 4, 30]
    for name, average in {"one": [9, 0.5, 0.1, 0.4, 0.2, 0.9, 0.7], "two": [9, 1, 1, 0, 0, 0, 0]}.items():
        path = paths.scores("sample", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        scores(average, relevant).to_parquet(path)
    table = siblings.table("sample", ["one", "two"]).set_index("listings")
    assert table.index.tolist() == ["2", "3 to 4", "5 to 9", "20 or more"]
    assert table["queries"].tolist() == [2, 2, 1, 1]
    assert table["one"].tolist() == pytest.approx([0.3, 0.3, 0.9, 0.7])
    assert table["two"].tolist() == [1, 0, 0, 0]
    assert table.loc["2", "chance"] == pytest.approx(metrics.chance_average_precision(np.array([1]), np.array([50]))[0])
