"""How sure a mean over queries is: bootstrap intervals, paired differences, and several differences at once.

Queries are drawn by product: the images under one display name are near-alike, their errors are not independent, and
drawing them one by one makes intervals half as wide as they are. One table of draws serves every retrieval, so that a
difference of two is paired by query and all are on one footing.
Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8 (clusters); Efron and
Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile interval); Romano and Wolf (2005), "Exact
and approximate stepdown methods", section 4 (the studentised maximum).
Letters: R resamples, Q queries, M measures.
"""

import warnings

import numpy as np

LEVEL = 0.95


def draws(queries: int, resamples: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """How often each query is drawn in each resample: float64 (R, Q), whole numbers.

    Args:
        groups: a number per query (Q,): whole groups are drawn in place of single queries, for queries that are not
            independent, such as the images of one product.

    >>> counts = draws(3, resamples=100, seed=0, groups=np.array([7, 7, 8]))  # the first two are of one product
    >>> bool((counts[:, 0] == counts[:, 1]).all())
    True
    """
    # the number of queries is part of the seed: two sets of queries are drawn independently
    chosen = np.random.default_rng([seed, queries])
    if groups is None:
        places, size = np.arange(queries), queries
    else:
        _, places = np.unique(groups, return_inverse=True)
        size = int(places.max()) + 1
    counts = np.empty((resamples, queries))
    for row in counts:
        row[:] = np.bincount(chosen.integers(0, size, size), minlength=size)[places]
    return counts


def resampled_means(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mean of each column in each resample; (R, Q) and (Q, M) → float64 (R, M). nan values are left out."""
    known = np.isfinite(values)
    sums = counts @ np.where(known, values, 0.0)
    alike = (known == known[:, :1]).all()  # one column stands for all where the same queries are left out of each
    weights = counts @ (known[:, :1] if alike else known).astype(float)
    return np.where(weights > 0, sums / np.maximum(weights, 1), np.nan)


def resampled_macro_means(
    values: np.ndarray, labels: np.ndarray, resamples: int, seed: int, groups: np.ndarray | None = None
) -> np.ndarray:
    """The mean over labels of the means within a label, in each resample; (Q, M) → (R, M). nan rows are left out.

    Queries (or whole groups of them) are drawn within their label, so that every resample has all labels: drawn
    freely, a label of one query is missing from a third of the resamples, and the interval slides off the value.

    Args:
        labels: whole numbers (Q,).
        groups: as for `draws`.
    """
    chosen = np.random.default_rng([seed, len(values)])
    known = np.flatnonzero(np.isfinite(values).all(axis=1))
    groups = np.arange(len(values)) if groups is None else groups
    order = known[np.argsort(labels[known], kind="stable")]
    parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []
    sums = np.zeros((resamples, values.shape[1]))
    for rows in parts:
        _, places = np.unique(groups[rows], return_inverse=True)
        size = int(places.max()) + 1
        counts = chosen.multinomial(size, np.full(size, 1 / size), resamples)[:, places]
        sums += counts @ values[rows] / counts.sum(axis=1, keepdims=True)
    return sums / len(parts) if parts else np.full_like(sums, np.nan)


def interval(resampled: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """The percentile interval of each column: low and high (M,)."""
    tail = (1 - level) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of nothing but nan has the interval nan
        low, high = np.nanquantile(resampled, [tail, 1 - tail], axis=0)
    return low, high


def simultaneous(estimates: np.ndarray, resampled: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Intervals that hold for all M differences at once with probability `level`: low and high (M,).

    Every difference is divided by its bootstrap standard error; the critical value is the quantile of the largest
    of them in each resample. With one difference this is an ordinary interval; with many it is wider. A difference
    without a value (nan) has the interval nan and widens no other.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        spread = np.nanstd(resampled, axis=0, ddof=1)
    safe = np.where(spread > 0, spread, 1)
    known = np.isfinite(estimates) & np.isfinite(spread)
    if not known.any():
        return np.full(len(estimates), np.nan), np.full(len(estimates), np.nan)
    largest = np.nan_to_num(np.abs(resampled - estimates) / safe)[:, known].max(axis=1)
    critical = np.quantile(largest, level)
    return estimates - critical * spread, estimates + critical * spread
