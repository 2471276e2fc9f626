"""Intervals against SciPy, against loops, and against what they promise: how often they hold the truth."""

import math
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluation import statistics


@st.composite
def tables(draw):
    """Counts of some resamples, and values of some measures with nan among them."""
    queries, measures = draw(st.integers(1, 20)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.random((queries, measures))
    values[rng.random(values.shape) < draw(st.sampled_from([0, 0.3, 0.9]))] = np.nan
    return statistics.draws(queries, 12, draw(st.integers(0, 99))), values


def slow_mean(count, column):
    """The mean of one column in one resample, a draw at a time."""
    total, drawn = 0.0, 0
    for times, value in zip(count, column, strict=True):
        for _ in range(int(times)):
            if not np.isnan(value):
                total, drawn = total + value, drawn + 1
    return total / drawn if drawn else np.nan


# --- draws ---


@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_every_resample_draws_as_many_queries_as_there_are(queries, seed):
    counts = statistics.draws(queries, 20, seed)
    assert counts.shape == (20, queries)
    assert (counts == counts.round()).all()
    assert (counts >= 0).all()
    assert (counts.sum(axis=1) == queries).all()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    groups = np.arange(50) // 3
    for chosen in (None, groups):
        first, again, other = (statistics.draws(50, 200, seed, chosen).tobytes() for seed in (1, 1, 2))
        assert first == again != other
    values = np.random.default_rng(0).random((50, 30))
    counts = statistics.draws(50, 200, 1)
    assert statistics.resampled_means(counts, values).tobytes() == statistics.resampled_means(counts, values).tobytes()


@pytest.mark.parametrize("labels", [None, np.zeros(1001, int)])
def test_sets_of_queries_of_two_sizes_are_drawn_apart_by_one_seed(labels):
    """Else their errors would go the same way, and a difference of the two would look surer than it is."""
    if labels is None:
        first, other = (statistics.draws(count, 1, 5)[0, :1000] for count in (1000, 1001))
    else:
        each = (np.eye(count) for count in (1000, 1001))  # the mean of a column is how often its query was drawn
        first, other = (statistics.resampled_macro_means(v, labels[: len(v)], 1, 5)[0, :1000] for v in each)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.1


def test_counts_take_a_byte_each_and_more_where_a_byte_is_not_enough():
    assert statistics.draws(300, 5, 0).dtype == np.uint8
    full = np.array([[255]], np.uint8)
    assert statistics._with_room(full, 255) is full
    assert statistics._with_room(full, 256).tolist() == [[255]]
    assert [statistics._with_room(full, most).dtype for most in (256, 2**16)] == [np.uint16, np.uint32]


def test_a_query_that_is_drawn_more_than_255_times_is_counted(monkeypatch):
    class Once:
        def integers(self, low, high, size):
            return np.zeros(size, int)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Once())
    assert statistics.draws(300, 2, 0)[:, :2].tolist() == [[300, 0], [300, 0]]


def test_drawing_no_query_gives_no_counts_and_no_mean():
    for groups in (None, np.array([], int)):
        counts = statistics.draws(0, 4, 0, groups)
        assert counts.shape == (4, 0)
        assert np.isnan(statistics.resampled_means(counts, np.empty((0, 2)))).all()
    assert np.isnan(statistics.resampled_macro_means(np.empty((0, 2)), np.empty(0, int), 4, 0)).all()


def test_a_query_is_drawn_as_often_as_chance_says():
    counts = statistics.draws(40, 20_000, 3)
    expected = stats.binom.pmf(np.arange(5), 40, 1 / 40)
    assert [(counts == times).mean() for times in range(5)] == pytest.approx(expected, abs=0.003)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_groups_are_drawn_whole_and_as_many_as_there_are(groups, seed):
    groups = np.array(groups)
    counts = statistics.draws(len(groups), 20, seed, groups)
    firsts = np.unique(groups, return_index=True)[1]
    for group, first in zip(np.unique(groups), firsts, strict=True):
        assert (counts[:, groups == group] == counts[:, [first]]).all()
    assert (counts[:, firsts].sum(axis=1) == len(firsts)).all()


def test_draws_of_groups_of_one_are_draws_of_queries():
    rng = np.random.default_rng(0)
    groups = rng.permutation(30)
    counts = statistics.draws(30, 50, 4, groups)
    assert (counts[:, np.argsort(groups)] == statistics.draws(30, 50, 4)).all()


# --- means of resamples ---


@settings(deadline=None)
@given(tables())
def test_resampled_means_equal_a_loop_that_leaves_nan_out(case):
    counts, values = case
    expected = [[slow_mean(count, column) for column in values.T] for count in counts]
    np.testing.assert_allclose(statistics.resampled_means(counts, values), expected, atol=1e-6)


@pytest.mark.parametrize("size", [1, 200, statistics.BLOCK])
def test_means_and_macro_means_do_not_hang_on_how_many_are_worked_out_at_once(size, rng, monkeypatch):
    values, labels, groups = rng.random((90, 3)), rng.integers(0, 7, 90), rng.integers(0, 40, 90)
    counts = statistics.draws(90, 30, 0)
    whole = statistics.resampled_means(counts, values), statistics.resampled_macro_means(values, labels, 30, 0, groups)
    monkeypatch.setattr(statistics, "BLOCK", size)
    parts = statistics.resampled_means(counts, values), statistics.resampled_macro_means(values, labels, 30, 0, groups)
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-12)
    # a block's normal numbers come one after another: another block has the same numbers for other products
    assert parts[1].mean(axis=0) == pytest.approx(whole[1].mean(axis=0), abs=0.05)


def test_means_of_many_resamples_never_hold_all_counts_as_float64(monkeypatch):
    """2,000 resamples of 200,000 queries are 400 MB of bytes and would be 3.2 GB of float64."""
    monkeypatch.setattr(statistics, "BLOCK", 2**20)
    counts, values = np.ones((2000, 3000), np.uint8), np.ones((3000, 1))
    tracemalloc.start()
    statistics.resampled_means(counts, values)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 * 2**20 < counts.size * 8


def slow_macro(values, labels, groups):
    """The macro mean of one measure and its linearised variance, label by label and product by product.

    A product's distance from its label's mean has the variance (1 − share)² + Σ over the others of share² times the
    product's own; one that is in several labels moves them together. A label of one product has the mean variance of
    the other labels' products.
    """
    known = ~np.isnan(values)
    values, labels, groups = values[known], labels[known], groups[known]
    names = sorted(set(labels.tolist()))
    moved, variances, single, means = Counter(), [], 0, []
    for label in names:
        mine = labels == label
        products = sorted(set(groups[mine].tolist()))
        parts = {one: values[mine & (groups == one)] for one in products}
        means.append(values[mine].mean())
        if len(products) == 1:
            single += 1
            continue
        shares = {one: len(part) / mine.sum() for one, part in parts.items()}
        squares = []
        for one, part in parts.items():
            own = (1 - shares[one]) ** 2 + sum(shares[other] ** 2 for other in products if other != one)
            apart = (part.mean() - means[-1]) / math.sqrt(own)
            moved[one] += shares[one] * apart
            squares.append(apart**2)
        variances.append(np.mean(squares))
    total = sum(move**2 for move in moved.values()) + single * np.mean(variances)
    return np.mean(means), total / len(names) ** 2


@pytest.mark.parametrize("seed", range(5))
def test_the_macro_mean_and_its_variance_equal_a_loop_over_labels_and_products(seed):
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(0, 12, 60) ** 2 // 9, rng.integers(0, 30, 60)
    values = rng.random((60, 2))
    mean, moves = statistics._macro_moves(values, labels, groups)
    for column, value, variance in zip(values.T, mean, (moves**2).sum(axis=0), strict=True):
        assert (value, variance) == pytest.approx(slow_macro(column, labels, groups))


def test_resampled_macro_means_have_the_mean_the_variance_and_the_pairing_of_their_moves(rng):
    labels, groups = rng.integers(0, 8, 200), rng.integers(0, 90, 200)
    shared = rng.random(200)
    values = np.stack([shared, shared + 0.01 * rng.random(200), rng.random(200)], axis=1)
    mean, moves = statistics._macro_moves(values, labels, groups)
    resampled = statistics.resampled_macro_means(values, labels, 4000, 0, groups)
    np.testing.assert_allclose(resampled.mean(axis=0), mean, atol=0.003)
    np.testing.assert_allclose(np.cov(resampled.T), moves.T @ moves, atol=0.08 * (moves**2).sum(axis=0).max())
    assert (resampled[:, 1] - resampled[:, 0]).std() < 0.1 * resampled[:, 0].std()


def test_n_over_n_less_1_is_what_labels_of_equal_products_come_to(rng):
    """The textbook's variance of a mean, where each product has as many queries."""
    labels, groups = np.repeat([0, 1], [40, 16]), np.repeat(np.arange(14), 4)
    values = np.repeat(rng.random(14), 4)[:, None]
    _, moves = statistics._macro_moves(values, labels, groups)
    ends = (values[::4, 0][:10], values[::4, 0][10:])
    assert (moves**2).sum() == pytest.approx(sum(part.var(ddof=1) / len(part) for part in ends) / 4)


def test_where_a_label_is_a_product_the_labels_are_what_is_drawn(rng):
    """The relevance `product`: within a label of one product nothing differs, and its interval had no width."""
    labels = np.repeat(np.arange(50), rng.integers(2, 9, 50))
    values = rng.random((len(labels), 1))
    means = np.array([values[labels == label].mean() for label in range(50)])
    mean, moves = statistics._macro_moves(values, labels, labels * 3)
    assert mean == pytest.approx(means.mean())
    assert (moves**2).sum() == pytest.approx(means.var(ddof=1) / 50)


def test_one_label_of_one_product_has_no_spread_to_be_known():
    values = np.array([[0.5], [0.75]])
    resampled = statistics.resampled_macro_means(values, np.zeros(2, int), 10, 0, np.zeros(2, int))
    assert np.isnan(resampled).all()
    assert np.isnan(statistics.interval(resampled)).all()


def test_products_within_a_label_move_the_macro_mean_whole(rng):
    labels, groups = np.repeat([0, 1], 40), np.repeat(np.arange(20), 4)
    values = np.repeat(rng.random((20, 1)), 4, axis=0)
    alone = statistics.resampled_macro_means(values, labels, 2000, 0)
    together = statistics.resampled_macro_means(values, labels, 2000, 0, groups)
    assert together.std() == pytest.approx(2 * alone.std(), rel=0.15)  # four equal queries count as one


def test_rows_without_a_value_are_left_out_of_the_macro_mean(rng):
    values, labels = rng.random((30, 2)), rng.integers(0, 4, 30)
    more = np.concatenate([values, np.full((5, 2), np.nan)])
    expected = statistics.interval(statistics.resampled_macro_means(values, labels, 4000, 0))
    got = statistics.interval(statistics.resampled_macro_means(more, np.append(labels, [0, 1, 2, 3, 9]), 4000, 0))
    np.testing.assert_allclose(got, expected, atol=0.02)
    assert np.isnan(statistics.resampled_macro_means(np.full((3, 1), np.nan), np.zeros(3, int), 5, 0)).all()


def test_a_row_without_one_of_its_values_is_left_out_of_the_macro_mean_of_all(rng):
    values, labels, whole = rng.random((30, 2)), np.arange(30) // 10, np.arange(30) != 4
    values[4, 1] = np.nan
    found = statistics.resampled_macro_means(values, labels, 400, 3).mean(axis=0)
    expected = [np.mean([values[(labels == label) & whole, place].mean() for label in range(3)]) for place in (0, 1)]
    assert found == pytest.approx(expected, abs=0.02)


def test_one_label_makes_the_macro_interval_the_means(rng):
    values = rng.random((60, 3))
    macro = statistics.interval(statistics.resampled_macro_means(values, np.full(60, 7), 4000, 0))
    plain = statistics.interval(statistics.resampled_means(statistics.draws(60, 4000, 0), values))
    np.testing.assert_allclose(macro, plain, atol=0.015)


@pytest.mark.parametrize("columns", [2, 5, 17, 40])
def test_the_paired_difference_of_identical_columns_is_exactly_0(rng, columns):
    """In float32, as the study keeps them: the product may round a column's last bit by its place in the table."""
    values = np.repeat(rng.random((500, 1)), columns, axis=1)
    samples = statistics.resampled_means(statistics.draws(500, 300, 0), values)
    np.testing.assert_allclose(samples, np.repeat(samples[:, [0]], columns, axis=1), rtol=1e-14)
    kept = samples.astype(np.float32)
    assert (kept - kept[:, [0]] == 0).all()


# --- intervals ---


def test_the_interval_equals_scipys_within_monte_carlo_error(rng):
    """BCa with its bias counted and its acceleration from a jackknife; the skewed column tells it from percentiles."""
    moved = []
    for column in (rng.random(200), rng.exponential(size=50) ** 2, (rng.random(200) < 0.8).astype(float)):
        samples = statistics.resampled_means(statistics.draws(len(column), 20_000, 0), column[:, None])
        low, high = statistics.interval(samples)
        theirs = stats.bootstrap((column,), np.mean, n_resamples=20_000, method="BCa", rng=1).confidence_interval
        # a quantile of 20,000 draws is known to .02 standard errors, the moved one to twice that
        error = column.std() / np.sqrt(len(column))
        assert low[0] == pytest.approx(theirs.low, abs=0.15 * error)
        assert high[0] == pytest.approx(theirs.high, abs=0.2 * error)
        moved.append((high[0] - np.quantile(samples, 0.975)) / error)
    assert moved[1] > 0.3
    assert max(abs(moved[0]), abs(moved[2])) < 0.2


def test_the_interval_equals_a_loop_over_the_same_draws(rng):
    values = rng.random((80, 2))
    values[rng.random(values.shape) < 0.2] = np.nan
    counts = statistics.draws(80, 400, 5)
    low, high = statistics.interval(statistics.resampled_means(counts, values))
    for measure, column in enumerate(values.T):
        means = sorted(slow_mean(count, column) for count in counts)
        sixth = stats.skew(means) / 6
        for end, z in ((low, -1.959964), (high, 1.959964)):
            share = stats.norm.cdf(sixth + (sixth + z) / (1 - sixth * (sixth + z)))
            place = share * (len(means) - 1)
            below = int(place)
            expected = means[below] + (place - below) * (means[below + 1] - means[below])
            assert end[measure] == pytest.approx(expected, abs=1e-6)


def test_a_column_of_nothing_but_nan_has_no_interval_and_spoils_no_other():
    samples = np.array([[1.0, np.nan, 3.0], [2.0, np.nan, 3.0], [np.nan, np.nan, np.nan]])
    low, high = statistics.interval(samples, level=0.9)
    assert (low[0], high[0]) == pytest.approx((1.05, 1.95))
    assert low[2] == high[2] == 3
    assert np.isnan([low[1], high[1]]).all()


def test_the_interval_holds_the_true_mean_19_times_in_20():
    rng, covered = np.random.default_rng(7), 0
    for repeat in range(200):
        values = rng.beta(2, 1, (100, 1))
        low, high = statistics.interval(statistics.resampled_means(statistics.draws(100, 400, repeat), values))
        covered += int(low[0] <= 2 / 3 <= high[0])
    assert stats.binomtest(covered, 200, 0.95).pvalue > 0.01, covered


def test_drawing_groups_covers_where_drawing_queries_does_not():
    rng, covered = np.random.default_rng(8), np.zeros(2, int)
    groups = np.arange(200) // 5
    for repeat in range(200):
        values = (rng.normal(size=40)[groups] + 0.1 * rng.normal(size=200))[:, None]
        for place, chosen in enumerate((groups, None)):
            samples = statistics.resampled_means(statistics.draws(200, 300, repeat, chosen), values)
            low, high = statistics.interval(samples)
            covered[place] += int(low[0] <= 0 <= high[0])
    assert stats.binomtest(int(covered[0]), 200, 0.95).pvalue > 0.001, covered
    assert covered[1] < 150


# --- several at once ---


def simulated(rng, repeat, measures, queries=150):
    """Paired differences whose true mean is 0, correlated as those of one set of queries are."""
    values = rng.normal(size=(queries, 1)) + rng.normal(size=(queries, measures)) * rng.uniform(0.5, 3, measures)
    return values.mean(axis=0), statistics.resampled_means(statistics.draws(queries, 400, repeat), values)


def test_simultaneous_intervals_hold_every_true_difference_at_once_19_times_in_20():
    rng, together, apart = np.random.default_rng(9), 0, 0
    for repeat in range(200):
        estimates, samples = simulated(rng, repeat, 8)
        for name, (low, high) in (
            ("all", statistics.simultaneous(estimates, samples)),
            ("one", statistics.interval(samples)),
        ):
            holds = int(((low <= 0) & (high >= 0)).all())
            together, apart = together + holds * (name == "all"), apart + holds * (name == "one")
    assert stats.binomtest(together, 200, 0.95).pvalue > 0.01, together
    assert apart < together - 10  # single intervals promise nothing for all eight


@pytest.mark.parametrize("measures", [2, 5, 20])
def test_a_simultaneous_interval_is_at_least_as_wide_as_a_single_normal_one(measures):
    rng = np.random.default_rng(10)
    for repeat in range(10):
        estimates, samples = simulated(rng, repeat, measures)
        low, high = statistics.simultaneous(estimates, samples)
        normal = stats.norm.ppf(0.975) * samples.std(axis=0, ddof=1)
        assert (high - low >= 2 * normal).all()
        np.testing.assert_allclose((low + high) / 2, estimates, atol=1e-12)


def test_one_difference_alone_has_an_ordinary_interval():
    widths = []
    for repeat in range(20):
        estimates, samples = simulated(np.random.default_rng(repeat), repeat, 1)
        low, high = statistics.simultaneous(estimates, samples)
        widths.append((high - low)[0] / 2 / samples.std(ddof=1))
    assert np.mean(widths) == pytest.approx(stats.norm.ppf(0.975), abs=0.05)


def test_simultaneous_intervals_equal_a_loop(rng):
    estimates, samples = simulated(rng, 0, 4)
    spreads, largest = [], []
    for column in samples.T:
        spreads.append(np.sqrt(sum((value - column.mean()) ** 2 for value in column) / (len(column) - 1)))
    for row in samples:
        largest.append(max(abs(value - e) / s for value, e, s in zip(row, estimates, spreads, strict=True)))
    critical = np.quantile(largest, 0.95)
    low, high = statistics.simultaneous(estimates, samples)
    for measure in range(4):
        assert low[measure] == pytest.approx(estimates[measure] - critical * spreads[measure])
        assert high[measure] == pytest.approx(estimates[measure] + critical * spreads[measure])


def test_a_difference_that_never_varies_has_no_width(rng):
    estimates, samples = simulated(rng, 0, 3)
    samples[:, 1], estimates[1] = 0.0, 0.0
    low, high = statistics.simultaneous(estimates, samples)
    assert (low[1], high[1]) == (0.0, 0.0)
    assert (high > low).tolist() == [True, False, True]


def test_a_difference_without_a_value_spoils_no_other(rng):
    estimates, samples = simulated(rng, 0, 3)
    samples[:, 1], estimates[1] = np.nan, np.nan
    low, high = statistics.simultaneous(estimates, samples)
    expected = statistics.simultaneous(estimates[[0, 2]], samples[:, [0, 2]])
    np.testing.assert_allclose([low[[0, 2]], high[[0, 2]]], expected)


def test_a_resample_without_a_value_does_not_take_the_interval_from_a_difference_that_has_one(rng):
    """Few answered queries: some resample draws none of them."""
    estimates, samples = simulated(rng, 0, 3)
    samples[7:27, 1] = np.nan
    assert np.isfinite(statistics.interval(samples)).all()
    assert np.isfinite(statistics.simultaneous(estimates, samples)).all()


def test_each_difference_has_the_standard_error_of_the_resamples_that_have_it(rng):
    """The divisor is one less than their count: with gaps of different sizes it does not cancel out."""
    estimates, samples = simulated(rng, 0, 3)
    samples[5:, 1] = np.nan
    spreads = [np.std([value for value in column if np.isfinite(value)], ddof=1) for column in samples.T]
    largest = []
    for row in samples:
        cells = zip(row, estimates, spreads, strict=True)
        largest.append(max(abs(value - e) / s for value, e, s in cells if np.isfinite(value)))
    critical = np.quantile(largest, 0.95)
    low, high = statistics.simultaneous(estimates, samples)
    np.testing.assert_allclose((high - low) / 2, critical * np.array(spreads))
