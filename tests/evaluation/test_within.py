"""Counts within thresholds, against every pair of the small catalogue, and the quantiles against their definition."""

import numpy as np
import pytest

from pipeline import params
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import keys, within
from pipeline.retrieval import ranking
from pipeline.retrieval.distances import DISTANCES

BELOW = [0.5, 1.0, 2.5]


def by_loop(vectors, distance, below):
    """How many vectors lie within each threshold of each, pair by pair."""
    counts = []
    for one in vectors:
        apart = [float(DISTANCES[distance](one[None], other[None])[0, 0]) for other in vectors]
        counts.append([sum(value < np.float32(limit) for value in apart) for limit in below])
    return np.array(counts)


@pytest.mark.parametrize("distance", DISTANCES)
def test_what_lies_below_a_threshold_is_counted_pair_by_pair(world, distance):
    features = world[1]
    found = within.counts(features, features, distance, BELOW)
    assert (found == by_loop(features.vectors, distance, BELOW)).all()
    assert found.dtype == np.int32


def test_a_picture_at_the_threshold_itself_is_not_below_it():
    vectors = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]], np.float32)
    features = FeatureSet(np.array(["1", "2", "3"], object), vectors, "e:1")
    assert within.counts(features, features, "euclidean", [1.0, 2.0]).tolist() == [[1, 2], [1, 2], [1, 1]]


def test_nothing_hangs_on_the_chunks(world, monkeypatch):
    features = world[1]
    whole = within.counts(features, features, "manhattan", BELOW)
    monkeypatch.setattr(ranking, "room", lambda gallery, cores: (4, 1))
    assert (within.counts(features, features, "manhattan", BELOW) == whole).all()
    assert within.counts(features.take(np.arange(0)), features, "manhattan", BELOW).shape == (0, 3)


def test_the_middle_holds_nine_pictures_in_ten():
    spread = within.spread(np.array([7] * 4 + [1] * 90 + [3] * 4 + [50] * 2))
    assert (spread["5 %"], spread["median"], spread["95 %"]) == (1, 1, 7)
    assert spread["mean"] == pytest.approx((28 + 90 + 12 + 100) / 100)
    assert within.spread(np.arange(1, 21))["5 %"] == 1  # a count that some picture has
    assert within.spread(np.arange(1, 21))["95 %"] == 19


def test_thresholds_that_claims_give_are_measured_for_retrievals_that_were_run(shop):
    frame, vectors = shop
    retrievals = {"right-manhattan": params.Retrieval(encoder="right", distance="manhattan")}
    wanted = ["within/right-manhattan/6/5 %", "within/right-manhattan/4/95 %", "within/other-cosine/1/5 %", "data/rows"]
    measured = within.measure("sample", retrievals, frame, wanted, seed=0)
    assert measured.table[["retrieval", "threshold"]].values.tolist() == [
        ["right-manhattan", 4],
        ["right-manhattan", 6],
    ]
    counts = by_loop(vectors["right"], "manhattan", [4.0, 6.0])
    for place, limit in enumerate((4, 6)):
        ordered = np.sort(counts[:, place])
        assert measured.values[f"within/right-manhattan/{limit}/median"] == ordered[len(ordered) // 2 - 1]
        assert measured.values[f"within/right-manhattan/{limit}/mean"] == pytest.approx(counts[:, place].mean())
    names = {"retrievals": ["right-manhattan"]}
    assert {keys.fault(key, within.KEYS, names) for key in measured.values} == {""}


def test_what_lies_between_two_thresholds_is_counted_without_the_nearer(shop):
    frame, vectors = shop
    retrievals = {"right-manhattan": params.Retrieval(encoder="right", distance="manhattan")}
    wanted = ["within/right-manhattan/4 to 6/5 %", "within/right-manhattan/6/mean"]
    measured = within.measure("sample", retrievals, frame, wanted, seed=0)
    assert measured.table[["above", "threshold"]].values.tolist() == [[0, 6], [4, 6]]
    nearer, both = by_loop(vectors["right"], "manhattan", [4.0, 6.0]).T
    assert (both > nearer).any()
    assert measured.values["within/right-manhattan/4 to 6/mean"] == pytest.approx((both - nearer).mean())
    assert measured.values["within/right-manhattan/6/mean"] == pytest.approx(both.mean())
    names = {"retrievals": ["right-manhattan"]}
    assert {keys.fault(key, within.KEYS, names) for key in measured.values} == {""}
    assert "no number" in keys.fault("within/right-manhattan/4 to/mean", within.KEYS, names)


def test_a_drawn_part_of_the_pictures_asks_all_of_them(shop, monkeypatch):
    frame, vectors = shop
    monkeypatch.setattr(within, "PICTURES", 5)
    retrievals = {"right-cosine": params.Retrieval(encoder="right", distance="cosine")}
    measured = within.measure("sample", retrievals, frame, ["within/right-cosine/3/mean"], seed=0)
    assert measured.values["within/right-cosine/3/mean"] == len(frame)  # all are below 3


def test_without_such_claims_nothing_is_measured(shop):
    measured = within.measure("sample", {}, shop[0], ["data/rows"], seed=0)
    assert measured.table.empty
    assert measured.values == {}
