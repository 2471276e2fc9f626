"""Thresholds over pairs: counted by a loop, scored by scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support

from pipeline.evaluation import thresholds
from pipeline.evaluation.thresholds import BINS


def pairs(seed, queries=12, gallery=40):
    """Distances that run into each other by label, copies, and labels with blanks."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 30, queries), rng.integers(0, 30, gallery)
    labels = rng.integers(-1, 4, queries).astype(np.int32), rng.integers(-1, 4, gallery).astype(np.int32)
    near = labels[0][:, None] == labels[1]
    distances = rng.beta(2, np.where(near, 5, 3)).astype(np.float32) * np.float32(2)
    return distances, codes, labels


def listed(distances, codes, labels):
    """Every pair that counts, by a loop: its distance, and whether it is right."""
    found = []
    for query in range(distances.shape[0]):
        for item in range(distances.shape[1]):
            if codes[0][query] != codes[1][item]:
                right = labels[0][query] == labels[1][item] and labels[0][query] != -1
                found.append((float(distances[query, item]), bool(right)))
    return np.array([distance for distance, _ in found]), np.array([right for _, right in found])


@pytest.fixture
def counts():
    """A histogram of train pairs and one of test pairs over the train pairs' range, and the test pairs."""
    train, test = pairs(0), pairs(1)
    top = float(train[0].max())
    every, right = thresholds.histogram(*train, top)
    test_every, test_right = thresholds.histogram(*test, top)
    frame = pd.DataFrame(
        {
            "distance": thresholds.steps(top),
            "train": every,
            "train_right": right,
            "test": test_every,
            "test_right": test_right,
        }
    )
    return frame, listed(*train), listed(*test)


@pytest.mark.parametrize("seed", range(5))
def test_the_histogram_equals_a_loop_over_pairs(seed):
    distances, codes, labels = pairs(seed)
    top = float(distances.max()) * 0.8  # some pairs lie beyond it
    every, right = thresholds.histogram(distances, codes, labels, top)
    values, rights = listed(distances, codes, labels)
    edges, slow, slow_right = thresholds.steps(top), [0] * BINS, [0] * BINS
    for value, is_right in zip(values, rights, strict=True):
        place = min(sum(edge <= value for edge in edges), BINS - 1)
        slow[place] += 1
        slow_right[place] += int(is_right)
    assert every.tolist() == slow
    assert right.tolist() == slow_right


def test_the_histogram_equals_numpys():
    distances, codes, labels = pairs(3)
    values, rights = listed(distances, codes, labels)
    every, right = thresholds.histogram(distances, codes, labels, 2.0)
    assert (every == np.histogram(values, BINS, (0, 2))[0]).all()
    assert (right == np.histogram(values[rights], BINS, (0, 2))[0]).all()


def test_a_query_and_its_copies_are_no_pairs():
    distances = np.zeros((2, 3), np.float32)
    labels = np.zeros(2, np.int32), np.zeros(3, np.int32)
    every, right = thresholds.histogram(distances, (np.array([0, 1]), np.array([0, 0, 1])), labels, 1.0)
    assert (every.sum(), right.sum()) == (3, 3)
    assert every[0] == 3


def test_a_blank_label_is_right_with_nothing():
    blank = np.full(2, -1, np.int32)
    every, right = thresholds.histogram(np.ones((2, 2), np.float32), (np.arange(2), np.arange(2)), (blank, blank), 2.0)
    assert (every.sum(), right.sum()) == (2, 0)


@pytest.mark.xfail(strict=True, reason="distance · (steps / top) may round below a step that distance / step reaches")
def test_a_distance_on_a_step_does_not_lie_below_it():
    for top in range(1, 200):
        distance = np.float32(top / 2)
        one = np.array([0]), np.array([1])
        every, _ = thresholds.histogram(np.full((1, 1), distance), one, (one[0].astype("i4"), one[0].astype("i4")), top)
        assert every[thresholds.steps(top) <= distance].sum() == 0, top


def test_steps_end_at_the_top_and_are_known_to_half_a_thousandth_of_cosine():
    steps = thresholds.steps(2.0)
    assert steps[-1] == 2.0
    assert np.diff(steps).max() <= 0.0005


def test_identical_vectors_do_not_divide_by_zero():
    one = np.array([0]), np.array([1])
    every, right = thresholds.histogram(np.zeros((1, 1), "f4"), one, (np.zeros(1, "i4"), np.zeros(1, "i4")), 0.0)
    assert (every[0], right[0]) == (1, 1)
    assert np.isfinite(thresholds.steps(0.0)).all()


@pytest.mark.parametrize("part", ["train", "test"])
def test_the_curve_equals_scikit_learn_at_every_hundredth_step(counts, part):
    frame, *both = counts
    values, rights = both[part == "test"]
    curve = thresholds.curve(frame, part)
    for place in range(30, BINS - 1, 100):
        row = curve.iloc[place]
        matched = values < row["threshold"]
        assert row["matches"] == matched.sum()
        if matched.any():
            expected = precision_recall_fscore_support(rights, matched, average="binary", zero_division=0.0)[:3]
            assert row[["precision", "recall", "F1"]].tolist() == pytest.approx(expected, abs=1e-12)
        else:
            assert np.isnan(row["precision"])
            assert (row["recall"], row["F1"]) == (0, 0)


def test_without_right_pairs_nothing_is_recalled(counts):
    frame, *_ = counts
    curve = thresholds.curve(frame.assign(test_right=0), "test")
    assert (curve["recall"] == 0).all()
    assert (curve["F1"] == 0).all()


def test_the_best_threshold_has_the_largest_f1_on_train_and_is_judged_on_test(counts):
    frame, (values, rights), (test_values, test_rights) = counts
    found = thresholds.best(frame)
    assert found.index.tolist() == ["train", "test"]
    assert found.loc["train", "threshold"] == found.loc["test", "threshold"]
    f1 = []
    for edge in frame["distance"].iloc[:-1:8]:
        hit, missed = rights[values < edge].sum(), rights[values >= edge].sum()
        f1.append(2 * hit / (hit + (values < edge).sum() + missed) if hit else 0)
    assert found.loc["train", "F1"] == thresholds.curve(frame, "train")["F1"].max()
    assert found.loc["train", "F1"] >= max(f1) - 1e-12
    matched = test_values < found.loc["test", "threshold"]
    expected = precision_recall_fscore_support(test_rights, matched, average="binary")[:3]
    assert found.loc["test", ["precision", "recall", "F1"]].tolist() == pytest.approx(expected, abs=1e-12)


def test_a_given_threshold_is_read_at_the_nearest_step_below_it(counts):
    frame, *_ = counts
    curve, steps = thresholds.curve(frame, "test"), frame["distance"]
    for place in (0, 17, 900, BINS - 1):
        pd.testing.assert_series_equal(thresholds.at(frame, steps[place]), curve.iloc[place])
    between = (steps[900] + steps[901]) / 2
    assert thresholds.at(frame, between)["threshold"] == steps[900]
    assert thresholds.at(frame, 99.0)["threshold"] == steps.iloc[-1]
    assert thresholds.at(frame, steps[900], "train")["F1"] == thresholds.curve(frame, "train")["F1"][900]


def test_a_threshold_that_rounding_left_below_its_step_is_that_step(counts):
    """Claims name thresholds as text: the same number, computed in another order, may lie below by its last bit."""
    frame, steps = counts[0], counts[0]["distance"].to_numpy()
    for place in (1, 900, BINS - 1):
        found = thresholds.at(frame, np.nextafter(steps[place], 0))
        pd.testing.assert_series_equal(found, thresholds.curve(frame, "test").iloc[place])


def test_transferred_thresholds_are_judged_over_all_test_pairs(counts):
    frame, _, (values, rights) = counts
    steps = frame["distance"].to_numpy()
    right = np.flatnonzero(frame["test_right"])[9]  # a step that a right pair lies in: its end counts that pair
    asked = np.array([0.5, 0.9, steps[right], steps[right - 1], 1.3, np.inf])
    found = thresholds.transferred(frame, asked)
    for threshold, f1 in zip(asked[:-1], found, strict=False):
        matched = values < steps[steps <= threshold].max()
        expected = precision_recall_fscore_support(rights, matched, average="binary")[2]
        assert f1 == pytest.approx(expected, abs=1e-12)
    assert found[-1] == thresholds.curve(frame, "test")["F1"].iloc[-1]
    assert found[2] > found[3]


def test_the_first_miss_equals_a_loop(rng):
    queries, gallery = 40, 9
    distances = rng.random((queries, gallery)).astype(np.float32)
    order = np.argsort(distances, axis=1).astype(np.int32)
    found = rng.integers(0, gallery + 1, queries)
    hits = (rng.random((queries, gallery)) < 0.8) & (np.arange(gallery) < found[:, None])
    hits[0], found[0] = True, gallery
    misses, before = thresholds.first_miss(distances, order, hits, found)
    for q in range(queries):
        miss, right = np.inf, 0
        for place in range(found[q]):
            if not hits[q, place]:
                miss = distances[q, order[q, place]]
                break
            right += 1
        assert (misses[q], before[q]) == (miss, right)


def test_where_nothing_wrong_can_be_found_the_first_miss_is_infinitely_far():
    distances, order = np.array([[0.1, 0.2], [0.1, 0.2]], np.float32), np.array([[0, 1], [0, 1]], np.int32)
    hits = np.array([[True, True], [True, False]])
    misses, before = thresholds.first_miss(distances, order, hits, np.array([2, 1]))
    assert misses.tolist() == [np.inf, np.inf]
    assert before.tolist() == [2, 1]
