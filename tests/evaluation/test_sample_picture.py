"""Which pictures have the thesis's counts: against counts by loop, on vectors that were laid out to have them."""

from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import pytest

from pipeline import params
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import keys, sample_picture
from pipeline.retrieval.distances import DISTANCES


def laid_out():
    """Groups of vectors, far from one another, with 1 to 6 in each and wide or narrow: counts of 1 to 6 occur within
    each threshold."""
    rng, rows = np.random.default_rng(3), []
    for group in range(24):
        for _ in range(rng.integers(1, 7)):
            row = np.zeros(240, np.float32)
            row[group * 10 : group * 10 + 10] = 40 + rng.normal(size=10) * rng.choice([0.1, 2, 4])
            rows.append(row)
    return np.array(rows, np.float32)


VECTORS = laid_out()


@pytest.fixture
def features():
    return FeatureSet(np.array([str(place) for place in range(len(VECTORS))], object), VECTORS.copy(), "e:1")


@cache
def apart(place, distance):
    """One picture's distance to each, pair by pair."""
    return [float(DISTANCES[distance](VECTORS[place][None], other[None])[0, 0]) for other in VECTORS]


def count(place, distance, limit):
    """How many lie below a threshold of one picture, itself among them."""
    return sum(value < np.float32(limit) for value in apart(place, distance))


SMALL = {"euclidean": {6: 2, 9: 3}, "cosine": {0.003: 3}, "manhattan": {15: 2, 24: 3}}
FINAL = {"euclidean": 9, "cosine": 0.003, "manhattan": 24}
SAME, MORE = ("cosine", 0.0005, 0.0008), (("euclidean", 14, 9),)


@pytest.fixture
def small(monkeypatch):
    """Counts and thresholds that a few vectors can have."""
    for name, value in (("REPORTED", SMALL), ("FINAL", FINAL), ("SAME", SAME), ("MORE", MORE)):
        monkeypatch.setattr(sample_picture, name, value)


def by_loop(shift):
    """How many pictures have the counts of `SMALL`, each more by its distance's shift."""
    final = counts = everything = 0
    for place in range(len(VECTORS)):
        wanted = {
            (distance, limit): number + by
            for by, (distance, reported) in zip(shift, SMALL.items(), strict=True)
            for limit, number in reported.items()
        }
        has = {name: count(place, *name) == number for name, number in wanted.items()}
        same = count(place, SAME[0], SAME[1]) == count(place, SAME[0], SAME[2])
        more = all(count(place, d, wide) > count(place, d, narrow) for d, wide, narrow in MORE)
        final += all(has[distance, limit] for distance, limit in FINAL.items())
        counts += all(has.values())
        everything += all(has.values()) and same and more
    return [final, counts, everything]


def test_every_shift_of_the_counts_is_counted_as_a_loop_does(features, small):
    table = sample_picture.fitting(sample_picture.near(features))
    assert len(table) == 27
    expected = {shift: by_loop(shift) for shift in product((-1, 0, 1), repeat=3)}
    found = {tuple(row[list(SMALL)]): row[["final counts", "counts", "all"]].tolist() for _, row in table.iterrows()}
    assert found == expected
    assert sum(final for final, _, _ in expected.values()) > 5  # else nothing was tested
    assert sum(every for _, every, _ in expected.values()) > 0


def test_the_pictures_that_fit_are_named(features, small):
    table = sample_picture.fitting(sample_picture.near(features))
    for _, row in table.iterrows():
        assert len(row["pictures"].split()) == row["counts"]
        for name in row["pictures"].split():
            for by, (distance, reported) in zip(row[list(SMALL)], SMALL.items(), strict=True):
                for limit, number in reported.items():
                    assert count(int(name), distance, limit) == number + by


def test_in_out_and_the_others_are_told_apart():
    rows = [
        {**dict(zip(sample_picture.REPORTED, shift, strict=True)), "final counts": 10, "counts": 4, "all": 1}
        for shift in product((-1, 0, 1), repeat=3)
    ]
    table = pd.DataFrame(rows)
    shifts = table[list(sample_picture.REPORTED)]
    table.loc[(shifts == 0).all(axis=1), ["final counts", "counts", "all"]] = [75, 2, 1]
    table.loc[(shifts == 1).all(axis=1), ["final counts", "counts", "all"]] = [7, 0, 0]
    table.loc[0, "counts"] = 29
    values = sample_picture.summed(table)
    assert (values["final counts, query in"], values["counts, query in"], values["all, query in"]) == (75, 2, 1)
    assert (values["final counts, query out"], values["counts, query out"]) == (7, 0)
    assert values["final counts, other counts"] == 10
    assert values["counts, other counts"] == pytest.approx((24 * 4 + 29) / 25)
    assert set(values) == set(sample_picture.WHAT)


def test_the_thesiss_thresholds_are_asked_for_and_each_ends_with_one_that_it_chose():
    assert sample_picture.asked("euclidean") == [18, 19, 20, 22]
    assert sample_picture.asked("cosine") == [0.15, 0.2, 0.22, 0.25]
    assert sample_picture.asked("manhattan") == [300, 350, 360]
    for distance, final in sample_picture.FINAL.items():
        assert final in sample_picture.REPORTED[distance]


@pytest.mark.parametrize("missing", [None, "manhattan"])
def test_it_takes_all_three_distances_of_one_encoder(shop, missing):
    frame, _ = shop
    retrievals = {
        f"right-{distance}": params.Retrieval(encoder="right", distance=distance)
        for distance in DISTANCES
        if distance != missing
    }
    wanted = ["sample picture/right/counts, query in", "sample picture/absent/all, query out", "data/rows"]
    measured = sample_picture.measure("sample", retrievals, frame, wanted)
    assert len(measured.table) == (0 if missing else 27)
    assert set(measured.values) == (
        set() if missing else {f"sample picture/right/{what}" for what in sample_picture.WHAT}
    )
    assert {keys.fault(key, sample_picture.KEYS, {"encoders": ["right"]}) for key in measured.values} <= {""}
