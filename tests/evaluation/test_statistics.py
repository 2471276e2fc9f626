"""Intervals against SciPy, against loops, and against what they promise: how often they hold the truth."""

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


def test_the_macro_mean_is_drawn_within_labels_and_so_is_centred_on_its_value(rng):
    """A label with one query, and a perfect one: drawn freely it would be missing from a third of the resamples."""
    labels = np.array([0] * 50 + [1] * 30 + [2])
    values = np.concatenate([rng.random((80, 2)), [[1.0, 1.0]]])
    value = np.mean([values[labels == label].mean(axis=0) for label in range(3)], axis=0)
    resampled = statistics.resampled_macro_means(values, labels, 4000, 0)
    np.testing.assert_allclose(resampled.mean(axis=0), value, atol=0.003)
    spread = np.sqrt(sum(values[labels == label].var(axis=0) / (labels == label).sum() for label in range(3))) / 3
    np.testing.assert_allclose(resampled.std(axis=0), spread, rtol=0.1)


def test_the_macro_mean_draws_whole_groups_within_a_label(rng):
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
    for column in (rng.random(200), rng.exponential(size=200), (rng.random(200) < 0.8).astype(float)):
        samples = statistics.resampled_means(statistics.draws(200, 4000, 0), column[:, None])
        low, high = statistics.interval(samples)
        theirs = stats.bootstrap((column,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
        # a quantile of 4,000 draws is known to .04 standard errors, the difference of two of them to .06
        error = column.std() / np.sqrt(200)
        assert low[0] == pytest.approx(theirs.low, abs=0.25 * error)
        assert high[0] == pytest.approx(theirs.high, abs=0.25 * error)


def test_the_interval_equals_a_loop_over_the_same_draws(rng):
    values = rng.random((80, 2))
    values[rng.random(values.shape) < 0.2] = np.nan
    counts = statistics.draws(80, 400, 5)
    low, high = statistics.interval(statistics.resampled_means(counts, values))
    for measure, column in enumerate(values.T):
        means = sorted(slow_mean(count, column) for count in counts)
        for end, share in ((low, 0.025), (high, 0.975)):
            place = share * (len(means) - 1)
            below = int(place)
            expected = means[below] + (place - below) * (means[below + 1] - means[below])
            assert end[measure] == pytest.approx(expected, abs=1e-6)


def test_a_column_of_nothing_but_nan_has_no_interval_and_spoils_no_other():
    samples = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan]])
    low, high = statistics.interval(samples, level=0.9)
    assert (low[0], high[0]) == pytest.approx((1.05, 1.95))
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
    samples[7, 1] = np.nan
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
