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


@pytest.fixture
def networks(rng):
    """Types that the first network tells apart and the second does not, and a third with more numbers; 0 and 1 are
    copies."""
    types = np.array(["Shirts", "Ties"] * 20, object)
    frame = pd.DataFrame({catalog.ID: IDS, catalog.ARTICLE: types, catalog.SHA256: ["0", *map(str, range(39))]})
    apart = rng.normal(size=(40, 6)) + 9 * (types == "Ties")[:, None]
    vectors = {"tells": apart, "blind": rng.normal(size=(40, 6)) + 100, "longer": np.pad(apart, ((0, 0), (0, 3)))}
    return {
        name: FeatureSet(np.array(IDS, object), made.astype("float32"), name) for name, made in vectors.items()
    }, frame


def test_case_d_is_that_of_a_loop(networks):
    vectors, frame = networks
    pair = {name: vectors[name] for name in ("tells", "blind")}
    found, queries = reenactment.crossed(pair, frame, np.array([0, 5, 17]), "manhattan"), (0, 5, 17)
    assert found.index.tolist() == [("tells", "tells"), ("tells", "blind"), ("blind", "tells"), ("blind", "blind")]
    first, same = {}, frame[catalog.SHA256].to_numpy()
    for ask, answer in found.index:
        far = cdist(pair[ask].vectors.astype(float), pair[answer].vectors.astype(float), "cityblock")
        order = {query: [item for item in np.argsort(far[query]) if same[item] != same[query]] for query in queries}
        first[ask, answer] = {query: set(items[:10]) for query, items in order.items()}
        nearest = [far[query, order[query][0]] for query in queries]
        np.testing.assert_allclose(found.loc[(ask, answer), "nearest, least"], min(nearest), rtol=1e-5)
        np.testing.assert_allclose(found.loc[(ask, answer), "nearest, median"], np.median(nearest), rtol=1e-5)
    for pair_of, own in [(pair_of, own) for pair_of in first for own in pair]:
        shares = [len(first[pair_of][query] & first[own, own][query]) / 10 for query in queries]
        assert found.loc[pair_of, f"as {own} alone"] == pytest.approx(np.mean(shares))


def test_a_network_that_tells_types_apart_finds_them_and_across_nobody_does(networks):
    vectors, frame = networks
    found = reenactment.crossed({name: vectors[name] for name in ("tells", "blind")}, frame, np.arange(40), "manhattan")
    assert found.loc[("tells", "tells"), "mAP"] == pytest.approx(1.0)
    assert (found.loc[[("tells", "blind"), ("blind", "tells")], "mAP"] < 0.75).all()
    assert (found["random mAP"] - 0.54).abs().max() < 0.02  # 19 or 20 of 39 or 38, and the first ranks weigh more
    assert found.loc[("blind", "tells"), "nearest, least"] > 500


def test_networks_of_other_lengths_are_compared_by_their_own_neighbours_alone(networks):
    vectors, frame = networks
    pair = {name: vectors[name] for name in ("tells", "longer")}
    found = reenactment.crossed(pair, frame, np.arange(40), "manhattan")
    assert found.index.tolist() == [("tells", "tells"), ("longer", "longer")]
    assert found["numbers"].tolist() == [6, 9]
    assert found["as tells alone"].tolist() == [1.0, 1.0]  # the further numbers are all 0
    assert reenactment.crossed({}, frame, np.arange(40), "manhattan").empty
