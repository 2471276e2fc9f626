"""How sure a mean over queries is: bootstrap intervals, paired differences, and several differences at once.

Queries are drawn by product: the images under one display name are near-alike, their errors are not independent, and
drawing them one by one makes intervals half (the pretrained networks) to two thirds (the best) as wide as they are. One
table of draws serves every retrieval, so that a difference of two is paired by query and all are on one footing.
An interval is about other products of the same kinds: gallery, weights and training stay as they are. What it holds in
simulations of the real sizes stands in tests/evaluation/test_coverage.py.
Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8 (clusters); Efron and
Tibshirani, An Introduction to the Bootstrap (1993), chapter 14 (the interval); Romano and Wolf (2005), "Exact and
approximate stepdown methods", section 4 (the studentised maximum).
Letters: R resamples, Q queries, M measures.
"""

import warnings

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95
BLOCK = 2**26  # bytes of float64 that a product of matrices is taken of at once


def draws(queries: int, resamples: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """How often each query is drawn in each resample: whole numbers, of one byte where that is enough (R, Q).

    Args:
        groups: a number per query (Q,): whole groups are drawn in place of single queries, for queries that are not
            independent, such as the images of one product.

    >>> counts = draws(3, resamples=100, seed=0, groups=np.array([7, 7, 8]))  # the first two are of one product
    >>> bool((counts[:, 0] == counts[:, 1]).all())
    True
    """
    # the number of queries is part of the seed: two sets of queries are drawn independently
    chosen = np.random.default_rng([seed, queries])
    counts = np.zeros((resamples, queries), np.uint8)
    if not queries:
        return counts
    places = np.arange(queries) if groups is None else np.unique(groups, return_inverse=True)[1]
    size = int(places.max()) + 1
    for number in range(resamples):
        drawn = np.bincount(chosen.integers(0, size, size), minlength=size)
        counts = _with_room(counts, int(drawn.max()))
        counts[number] = drawn[places]
    return counts


def _with_room(counts: np.ndarray, largest: int) -> np.ndarray:
    """The counts in a type that holds the largest of them: few groups of many queries are drawn more than 255 times."""
    return counts.astype(np.promote_types(counts.dtype, np.min_scalar_type(largest)), copy=False)


def resampled_means(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mean of each column in each resample; (R, Q) and (Q, M) → float64 (R, M). nan values are left out."""
    known = np.isfinite(values)
    alike = (known == known[:, :1]).all()  # one column stands for all where the same queries are left out of each
    summed, weighed = np.where(known, values, 0.0), (known[:, :1] if alike else known).astype(float)
    means = np.empty((len(counts), values.shape[1]))
    rows = max(1, BLOCK // (8 * max(1, len(values))))
    for start in range(0, len(counts), rows):
        block = counts[start : start + rows].astype(float)
        weights = block @ weighed
        means[start : start + rows] = np.where(weights > 0, block @ summed / np.maximum(weights, 1), np.nan)
    return means


def resampled_macro_means(
    values: np.ndarray, labels: np.ndarray, resamples: int, seed: int, groups: np.ndarray | None = None
) -> np.ndarray:
    """The mean over labels of the means within a label, as other products would give it; (Q, M) → (R, M).

    A resample is the macro mean and what each product moves it by, times a normal number that the product has in every
    measure: so two measures are paired. It has the variance of a mean of ratios, one per label, linearised. Drawing
    products anew would not: a label of one product would never move, and one of n products by (n − 1) / n of what it
    should. Rows with nan are left out; nothing but one label of one product has no spread, and is nan.

    Labels are taken as given, and products as drawn within each. Where every label is a single product (the relevance
    `product`) the labels themselves are what is drawn.

    Source: Cochran, Sampling Techniques (1977), section 6.3 (the variance of a ratio); Mammen (1993), "Bootstrap and
    wild bootstrap for high dimensional linear models" (a random number per residual).

    Args:
        labels: whole numbers (Q,).
        groups: as for `draws`.
    """
    known = np.isfinite(values).all(axis=1)
    if not known.any():
        return np.full((resamples, values.shape[1]), np.nan)
    groups = np.arange(len(values)) if groups is None else groups
    mean, moves = _macro_moves(values[known], labels[known], groups[known])
    chosen = np.random.default_rng([seed, len(values)])
    means = np.tile(mean, (resamples, 1))
    rows = max(1, BLOCK // (8 * max(1, resamples)))
    for start in range(0, len(moves), rows):
        some = moves[start : start + rows]
        means += chosen.standard_normal((resamples, len(some))) @ some
    return means


def _macro_moves(values: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The macro mean (M,), and independent moves of it (K, M), the sum of whose squares is its variance.

    Every product moves the means of its labels. Labels of one product move as products differ within the other labels
    on average.
    """
    cells = pd.DataFrame(values).groupby([labels, groups])
    means, pictures = cells.mean().to_numpy(), cells.size()
    label, product = (pd.factorize(pictures.index.get_level_values(level))[0] for level in (0, 1))
    sizes = pictures.to_numpy(float)
    if (np.bincount(label) == 1).all():  # a label is a product: the labels are drawn
        label, sizes = np.zeros_like(label), np.ones_like(sizes)
    products, first = np.bincount(label), np.flatnonzero(np.diff(label, prepend=-1))
    share = sizes / np.bincount(label, sizes)[label]
    within = np.add.reduceat(share[:, None] * means, first)
    # how far a product lies from its label's mean, which it has a share in, at the variance of the product itself
    others = np.bincount(label, share**2)[label] - share**2
    several = products[label] > 1
    if not several.any():
        return within.mean(axis=0), np.full((1, values.shape[1]), np.nan)
    spread = np.where(several, np.sqrt((1 - share) ** 2 + others), 1)
    apart = (means - within[label]) / spread[:, None]
    moves = np.zeros((product.max() + 1, values.shape[1]))
    np.add.at(moves, product, share[:, None] * apart)
    single = (products == 1).sum() / (products > 1).sum()
    pooled = (apart * np.sqrt(single / products[label])[:, None])[several]
    return within.mean(axis=0), np.concatenate([moves, pooled]) / len(products)


def interval(resampled: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """The interval of each mean: low and high (M,), percentiles that are moved by the skewness of the resamples.

    Few queries of which most find nothing have skewed means, and plain percentiles then hold too little above.
    It takes some ten queries that find something: where fewer do, what none of them shows is in no interval.
    Source: Efron and Tibshirani (1993), equation 14.10 (BCa). Differs: bias and acceleration are both a sixth of the
    resamples' skewness, as they are for a mean; counting resamples below the value is less sure of the one, and a
    jackknife needs the queries for the other. A mean's resamples are no more skewed than those of a single value, 1.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of nothing but nan has the interval nan
        centred = resampled - np.nanmean(resampled, axis=0)
        spread = np.sqrt(np.nanmean(centred**2, axis=0))
        skewness = np.nanmean((centred / np.where(spread > 0, spread, 1)) ** 3, axis=0)
    sixth = np.clip(skewness, -1, 1) / 6
    low, high = (sixth + stats.norm.ppf(tail) for tail in ((1 - level) / 2, (1 + level) / 2))
    ends = np.stack([stats.norm.cdf(sixth + end / (1 - sixth * end)) for end in (low, high)])
    low, high = _quantiles(resampled, ends)
    return low, high


def _quantiles(resampled: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Quantiles of each column without its nan, each column's own: (R, M) and shares (E, M) → (E, M)."""
    ordered = np.sort(resampled, axis=0)  # nan stands last
    last = np.isfinite(resampled).sum(axis=0) - 1
    places = np.nan_to_num(shares) * np.maximum(last, 0)
    below = places.astype(int)
    one, next_ = (np.take_along_axis(ordered, np.minimum(at, np.maximum(last, 0)), 0) for at in (below, below + 1))
    return one + (places - below) * (next_ - one)


def difference_interval(
    estimates: np.ndarray, resampled: np.ndarray, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """The interval of each difference by itself: low and high (M,), as far below it as above.

    A few queries make most of a difference, and by chance more of them stand on one side: percentiles, and the more
    so moved ones, follow that chance and hold the truth too seldom.
    Source: Hall (1988), "On symmetric bootstrap confidence intervals".
    """
    ends = [simultaneous(estimates[[one]], resampled[:, [one]], level) for one in range(len(estimates))]
    low, high = np.reshape(ends, (-1, 2)).T
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
