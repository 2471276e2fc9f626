"""The thesis's counts within a threshold, against a loop over pictures."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import reenactment

IDS = [str(number) for number in range(40)]


@pytest.fixture
def world(rng):
    vectors = rng.normal(size=(40, 6)).astype("float32")
    types = rng.choice(["Shirts", "Ties", None], 40, p=[0.5, 0.4, 0.1])
    frame = pd.DataFrame({catalog.ID: IDS, catalog.ARTICLE: types})
    return FeatureSet(np.array(IDS, object), vectors, "x"), frame


def model(*thresholds):
    return params.ThesisModel(retrieval="x", within=[params.Within(threshold=t, images=3) for t in thresholds])


@pytest.mark.parametrize(
    ("distance", "metric", "thresholds"),
    [("euclidean", "euclidean", (2.5, 3.5)), ("manhattan", "cityblock", (5.0, 8.0)), ("cosine", "cosine", (0.5, -0.2))],
)
def test_counts_are_those_of_a_loop(world, distance, metric, thresholds):
    features, frame = world
    found = reenactment.within(features, frame, model(*thresholds), distance, np.array([3, 17]))
    apart = cdist(features.vectors.astype(float), features.vectors.astype(float), metric)
    expected = []
    for query in (3, 17):
        for threshold in thresholds:
            limit = 1 - threshold if distance == "cosine" else threshold
            near = [item for item in range(40) if item != query and apart[query, item] <= limit]
            known = frame[catalog.ARTICLE].notna()
            right = [
                item for item in near if known[query] and frame[catalog.ARTICLE][item] == frame[catalog.ARTICLE][query]
            ]
            expected.append((IDS[query], threshold, len(near), len(right), 3))
    assert [tuple(row) for row in found.itertuples(index=False)] == expected
    assert found["others"].nunique() > 1


def test_a_count_is_exceptional_outside_the_middle_nine_tenths():
    counts = pd.DataFrame({"threshold": 1.0, "others": range(101), "reported": 96})
    row = reenactment.spread(counts).loc[1.0]
    assert (row["5%"], row["50%"], row["95%"]) == (5, 50, 95)
    assert not row["as others"]
    assert row["with the query"]  # 95 others and the query itself


def test_a_tables_statements_are_the_theses_alone():
    verdicts = pd.DataFrame(
        {"document": ["001", "002", "001"], "place": ["table 1", "table 1", "table 2"], "words": list("abc")}
    ).assign(reported="1", verdict="differs", evidence="0", meaning="m")
    assert reenactment.reported(verdicts, "table 1").index.tolist() == ["a"]
