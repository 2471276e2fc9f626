"""Retrieval metrics, one value per query; averaging is a separate, named act.

A metric sees numbers only: `hits` (Q, G) bool, whether the gallery item at each rank is relevant, nearest first, and
`relevant` (Q,), how many relevant items the gallery has. A query without any gets nan: leave it out and count it.
Letters: Q queries, G gallery, k cutoff, R relevant items, N gallery size.
"""

import numpy as np
from numba import njit, prange
from scipy.special import gammaln


def hit_at(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """1 where any of the first k is relevant, else 0; float64 (Q,). The thesis calls this Recall@k (section 5.2).

    >>> hit_at(np.array([[False, True, True]]), np.array([2]), 1)
    array([0.])
    """
    return _or_nan(hits[:, :k].any(axis=1).astype(float), relevant)


def recall_at(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Relevant items among the first k, divided by all relevant items in the gallery; float64 (Q,).

    >>> recall_at(np.array([[False, True, True]]), np.array([2]), 2)
    array([0.5])
    """
    return _or_nan(hits[:, :k].sum(axis=1) / np.maximum(relevant, 1), relevant)


def precision_at(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Relevant items among the first k, divided by k, even where the gallery is smaller; float64 (Q,).

    >>> precision_at(np.array([[False, True, True]]), np.array([2]), 2)
    array([0.5])
    """
    return _or_nan(hits[:, :k].sum(axis=1) / k, relevant)


def average_precision(hits: np.ndarray, relevant: np.ndarray, depth: int | None = None) -> np.ndarray:
    """Σ over relevant ranks r of (relevant among the first r) / r, divided by all relevant items; float64 (Q,).

    Args:
        depth: sum over the first so many ranks only, still divided by all relevant items: AP@n of document 003
            with n = 1000. None: the full ranking.

    >>> average_precision(np.array([[False, True, True]]), np.array([2]))  # (1/2 + 2/3) / 2
    array([0.58333333])
    """
    depth = hits.shape[1] if depth is None else min(depth, hits.shape[1])
    return _or_nan(_precision_sums(np.ascontiguousarray(hits[:, :depth])) / np.maximum(relevant, 1), relevant)


def chance_hit_at(relevant: np.ndarray, size: np.ndarray, k: int) -> np.ndarray:
    """Expected hit@k of a random ranking: 1 − C(N−R, k) / C(N, k)."""
    relevant, size = np.asarray(relevant, float), np.asarray(size, float)
    few = size - relevant < k  # fewer irrelevant items than k: a hit is certain
    rest = np.where(few, k, size - relevant)
    logarithm = gammaln(rest + 1) - gammaln(rest - k + 1) + gammaln(np.maximum(size - k, 0) + 1) - gammaln(size + 1)
    return _or_nan(np.where(few, 1.0, 1.0 - np.exp(logarithm)), relevant)


def chance_recall_at(relevant: np.ndarray, size: np.ndarray, k: int) -> np.ndarray:
    """Expected recall@k of a random ranking: k / N, at most 1."""
    return _or_nan(np.minimum(k / np.asarray(size, float), 1.0), relevant)


def chance_precision_at(relevant: np.ndarray, size: np.ndarray, k: int) -> np.ndarray:
    """Expected precision@k of a random ranking: R / N, times N / k where the gallery is smaller than k."""
    return _or_nan(np.asarray(relevant) / np.asarray(size, float) * np.minimum(np.asarray(size) / k, 1.0), relevant)


def chance_average_precision(relevant: np.ndarray, size: np.ndarray, depth: int | None = None) -> np.ndarray:
    """Expected AP of a random ranking: 1/N · Σ_{r ≤ depth} (1/r + (R−1)/(N−1) · (r−1)/r).

    Rank r holds a relevant item with probability R/N; then r−1 earlier ranks hold (r−1)(R−1)/(N−1) more on average.
    """
    relevant, size = np.asarray(relevant, float), np.asarray(size, float)
    depths = np.maximum(size if depth is None else np.minimum(depth, size), 1)
    harmonic = np.cumsum(1 / np.arange(1, depths.max(initial=1) + 1))[depths.astype(int) - 1]
    others = (relevant - 1) / np.maximum(size - 1, 1)
    return _or_nan((harmonic + others * (depths - harmonic)) / size, relevant)


def relevant_hits(
    order: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray, found: np.ndarray
) -> np.ndarray:
    """Whether the item at each rank has its query's label; bool (Q, G).

    Args:
        order: int32 (Q, G), gallery positions, nearest first.
        query_labels: int32 (Q,); −1 is no label, relevant to nothing.
        gallery_labels: int32 (G,).
        found: int (Q,), how many ranks count; what was put behind them (the query and its copies) is never a hit.
    """
    return _relevant_hits(order, query_labels, gallery_labels, found)


def _or_nan(values: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    return np.where(np.asarray(relevant) > 0, values, np.nan)


@njit(parallel=True, cache=True)
def _precision_sums(hits):
    sums = np.zeros(hits.shape[0])
    for query in prange(hits.shape[0]):
        seen, total = 0, 0.0
        for rank in range(hits.shape[1]):
            if hits[query, rank]:
                seen += 1
                total += seen / (rank + 1)
        sums[query] = total
    return sums


@njit(parallel=True, cache=True)
def _relevant_hits(order, query_labels, gallery_labels, found):
    hits = np.zeros(order.shape, np.bool_)
    for query in prange(order.shape[0]):
        if query_labels[query] >= 0:
            for rank in range(found[query]):
                hits[query, rank] = gallery_labels[order[query, rank]] == query_labels[query]
    return hits
