"""Retrieval metrics, one value per query; averaging is a separate, named act.

A metric sees numbers only: `hits` (Q, G) bool, whether the gallery item at each rank is relevant, nearest first, and
`relevant` (Q,), how many relevant items the gallery has. A query without any gets nan: leave it out and count it.
Letters: Q queries, G gallery, k cutoff, R relevant items, N gallery size.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from scipy.special import gammaln

from pipeline.params.sections import nearest


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


def f1_at(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """The harmonic mean of precision@k and recall@k, 2 · hits / (k + R); float64 (Q,). Document 002 names F1 alone.

    >>> f1_at(np.array([[False, True, True]]), np.array([2]), 2)  # both are 1/2
    array([0.5])
    """
    return _or_nan(2 * hits[:, :k].sum(axis=1) / (k + np.asarray(relevant)), relevant)


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


def ndcg_at(gains: np.ndarray, k: int) -> np.ndarray:
    """Σ_{r ≤ k} gain_r / log₂(r + 1), divided by the same sum in the best order; float64 (Q,).

    Source: Järvelin and Kekäläinen (2002), "Cumulated gain-based evaluation of IR techniques", with their gains as
    they are (Burges et al. raise two to them) and the discount of rank 1 being 1.

    Args:
        gains: float32 (Q, G), at least 0, in the order of the ranking; what must not be found is left at 0.

    >>> ndcg_at(np.array([[0, 2, 1]], "float32"), 2)  # (2 / log2(3)) / (2 + 1 / log2(3))
    array([0.4796...])
    """
    k = min(k, gains.shape[1])
    ideal = ideal_dcg_at(gains, k)
    return np.where(ideal > 0, _dcg(np.ascontiguousarray(gains), discounts(k)) / np.where(ideal > 0, ideal, 1), np.nan)


def ideal_dcg_at(gains: np.ndarray, k: int) -> np.ndarray:
    """Σ_{r ≤ k} gain_r / log₂(r + 1) of the best order; float64 (Q,). `gains`: as for `ndcg_at`, in any order."""
    return _ideal_dcg(np.ascontiguousarray(gains), discounts(k))


def discounts(k: int) -> np.ndarray:
    """1 / log₂(r + 1) for the ranks 1 … k; float64 (k,)."""
    return 1 / np.log2(np.arange(2, k + 2))


def chance_ndcg_at(gains: np.ndarray, size: np.ndarray, k: int) -> np.ndarray:
    """Expected nDCG@k of a random ranking: the mean gain times the sum of the discounts, divided by the best DCG.

    Args:
        gains: as for `ndcg_at`, in any order.
        size: how many items the gallery has (Q,).
    """
    k = min(k, gains.shape[1])
    ideal, size = ideal_dcg_at(gains, k), np.asarray(size)
    reached = np.concatenate([[0], np.cumsum(discounts(k))])[np.minimum(k, size)]
    expected = gains.sum(axis=1, dtype=float) / np.maximum(size, 1) * reached
    return np.where(ideal > 0, expected / np.where(ideal > 0, ideal, 1), np.nan)


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


def chance_f1_at(relevant: np.ndarray, size: np.ndarray, k: int) -> np.ndarray:
    """Expected F1@k of a random ranking: 2 / (k + R) times its expected hits, R · min(k, N) / N."""
    relevant, size = np.asarray(relevant, float), np.asarray(size, float)
    return _or_nan(2 / (k + relevant) * relevant * np.minimum(k / size, 1.0), relevant)


def chance_average_precision(relevant: np.ndarray, size: np.ndarray, depth: int | None = None) -> np.ndarray:
    """Expected AP of a random ranking: 1/N · Σ_{r ≤ depth} (1/r + (R−1)/(N−1) · (r−1)/r).

    Rank r holds a relevant item with probability R/N; then r−1 earlier ranks hold (r−1)(R−1)/(N−1) more on average.

    >>> chance_average_precision(np.array([1]), np.array([2]))  # it stands first or second: (1 + 1/2) / 2
    array([0.75])
    """
    relevant, size = np.asarray(relevant, float), np.asarray(size, float)
    depths = np.maximum(size if depth is None else np.minimum(depth, size), 1)
    harmonic = np.cumsum(1 / np.arange(1, depths.max(initial=1) + 1))[depths.astype(int) - 1]
    others = (relevant - 1) / np.maximum(size - 1, 1)
    return _or_nan((harmonic + others * (depths - harmonic)) / size, relevant)


@dataclass(frozen=True)
class Metric:
    """One metric: how a ranking is scored, what a random one would score, and what its mean is called.

    `value`: hits (Q, G), relevant (Q,), k → (Q,); of a `graded` metric gains (Q, G), k → (Q,).
    `chance`: relevant (Q,), size (Q,), k → (Q,); of a graded one gains, size, k → (Q,).
    `depths`: the k that it always has, None for the full ranking; None: those of the parameters.
    `headline`: the k that stand in the report's table of results.
    """

    value: Callable[..., np.ndarray]
    chance: Callable[..., np.ndarray]
    mean: str
    depths: tuple[int | None, ...] | None = None
    headline: tuple[int | None, ...] = ()
    graded: bool = False


# to add a metric: its two functions above, and a row
METRICS = {
    "AP": Metric(average_precision, chance_average_precision, "mAP", depths=(None, 1000), headline=(None,)),
    "hit": Metric(hit_at, chance_hit_at, "hit", headline=(1, 10)),
    "recall": Metric(recall_at, chance_recall_at, "recall"),
    "precision": Metric(precision_at, chance_precision_at, "precision", headline=(10,)),
    "F1": Metric(f1_at, chance_f1_at, "F1"),
    "nDCG": Metric(ndcg_at, chance_ndcg_at, "nDCG", graded=True),
}
AP = "AP"
MAP = METRICS[AP].mean
MACRO = f"macro {MAP}"  # the mean over labels of the means within a label


def column(name: str, k: int | None) -> str:
    """What a metric's scores at k are called: `AP`, `AP@1000`, `hit@5`."""
    return name if k is None else f"{name}@{k}"


HIT_AT_1 = column(METRICS["hit"].mean, 1)  # whether the first neighbour is right


def columns(cutoffs: list[int], graded: bool = False) -> list[tuple[str, Metric, int | None]]:
    """Every score that a query gets: its column, its metric and its k; those of fixed depths first."""
    chosen = {name: metric for name, metric in METRICS.items() if metric.graded == graded}
    fixed = [(name, metric, k) for name, metric in chosen.items() for k in metric.depths or ()]
    others = [(name, metric, k) for k in cutoffs for name, metric in chosen.items() if metric.depths is None]
    return [(column(name, k), metric, k) for name, metric, k in [*fixed, *others]]


def parse(scores: str) -> tuple[Metric, int | None]:
    """The metric and the k of a column of scores.

    Raises:
        ValueError: no metric of the table, or a k that it cannot have; names the nearest.
    """
    name, at, k = scores.partition("@")
    metric = METRICS.get(name)
    depth = int(k) if re.fullmatch(r"[1-9]\d*", k) else None
    fits = depth in metric.depths if metric and metric.depths else depth is not None
    if metric is None or not fits or (depth is None and at):
        allowed = [column(name, k) for name, metric in METRICS.items() for k in metric.depths or (10,)]
        raise ValueError(
            f"a score must be of a metric, with @k where it has one. Allowed: {allowed}, with any k. "
            f"Received: {scores!r}.{nearest(scores, allowed)}"
        )
    return metric, depth


def mean_name(scores: str) -> str:
    """What the mean of a column of scores over queries is called: `mAP` of `AP`, `mAP@1000` of `AP@1000`."""
    metric, k = parse(scores)
    return column(metric.mean, k)


def scored_as(mean: str) -> str:
    """The column of scores whose mean has this name: `AP@1000` for `mAP@1000`; the inverse of `mean_name`.

    Raises:
        ValueError: no mean is called that; names the nearest.
    """
    names = {metric.mean: name for name, metric in METRICS.items()}
    start, at, k = mean.removeprefix("macro ").partition("@")
    scores = f"{names.get(start, start)}{at}{k}"
    if start not in names or (mean.startswith("macro ") and mean != MACRO):
        allowed = [*(column(metric.mean, k) for metric in METRICS.values() for k in metric.depths or (10,)), MACRO]
        raise ValueError(f"no mean is called {mean!r}. Allowed: {allowed}, with any k.{nearest(mean, allowed)}")
    parse(scores)
    return scores


def plain_mean(mean: str) -> str:
    """As `scored_as`, for a mean that is read off hits. Raises ValueError for one of gains."""
    scores = scored_as(mean)
    if parse(scores)[0].graded:
        raise ValueError(f"{mean!r} is of graded relevance")
    return scores


def graded_mean(mean: str) -> str:
    """As `scored_as`, for a mean that is read off gains. Raises ValueError for one of hits."""
    scores = scored_as(mean)
    if not parse(scores)[0].graded:
        raise ValueError(f"{mean!r} is not of graded relevance")
    return scores


def exclude(
    order: np.ndarray, query_codes: np.ndarray, gallery_codes: np.ndarray, member: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What is left of a ranking of everything when only some may be found: int32 (Q, G) and how many ranks count (Q,).

    Args:
        order: int32 (Q, G), gallery positions, nearest first.
        query_codes: int (Q, L); a gallery item with one of its query's numbers, in the same column, goes: the query
            itself, its duplicates, or its product's images.
        gallery_codes: int (G, L).
        member: bool (G,), who is in the gallery.
    """
    return _exclude(order, query_codes, gallery_codes, member)


def average_precisions(
    order: np.ndarray,
    query_codes: np.ndarray,
    gallery_codes: np.ndarray,
    query_labels: np.ndarray,
    gallery_labels: np.ndarray,
) -> np.ndarray:
    """AP for several relevances in one pass over a ranking of everything; float64 (Q, L), nan where none is relevant.

    Args:
        order: int32 (Q, G), gallery positions, nearest first.
        query_codes: int (Q,); a gallery item with its query's number is passed over: the query itself, its duplicates.
        gallery_codes: int (G,).
        query_labels: int32 (Q, L), one column per relevance; −1 is no label, relevant to nothing.
        gallery_labels: int32 (G, L).
    """
    return _average_precisions(order, query_codes, gallery_codes, query_labels, gallery_labels)


def relevant_hits(
    order: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Whether the item at each rank has its query's label; bool (Q, G).

    Args:
        order: int32 (Q, G), gallery positions, nearest first.
        query_labels: int32 (Q,); −1 is no label, relevant to nothing.
        gallery_labels: int32 (G,).
        counts: int (Q,), how many ranks count; what stands behind them is never a hit.
    """
    return _relevant_hits(order, query_labels, gallery_labels, counts)


def graded_gains(
    order: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray, weights: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """The gain of the item at each rank: 0 unless the first label is its query's, else the sum of the weights of all
    labels that are; float32 (Q, G).

    Args:
        query_labels: int32 (Q, L), −1 where blank.
        gallery_labels: int32 (G, L).
        weights: float32 (L,).
        counts: as for `relevant_hits`.
    """
    return _graded_gains(order, query_labels, gallery_labels, weights, counts)


def _or_nan(values: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    return np.where(np.asarray(relevant) > 0, values, np.nan)


@njit(parallel=True, cache=True)
def _precision_sums(hits):
    sums = np.zeros(hits.shape[0])
    for query in prange(hits.shape[0]):
        hits_so_far, total = 0, 0.0
        for rank in range(hits.shape[1]):
            if hits[query, rank]:
                hits_so_far += 1
                total += hits_so_far / (rank + 1)
        sums[query] = total
    return sums


@njit(nogil=True, cache=True)
def _average_precisions(order, query_codes, gallery_codes, query_labels, gallery_labels):
    """On one thread: the cores rank the next queries meanwhile."""
    values = np.full(query_labels.shape, np.nan)
    for query in range(order.shape[0]):
        asked, rank = query_labels[query], 0
        relevant, sums = np.zeros(len(asked), np.int64), np.zeros(len(asked))
        for item in order[query]:
            if gallery_codes[item] != query_codes[query]:
                rank += 1
                for label in range(len(asked)):
                    if gallery_labels[item, label] == asked[label] and asked[label] >= 0:
                        relevant[label] += 1
                        sums[label] += relevant[label] / rank
        for label in range(len(asked)):
            if relevant[label]:
                values[query, label] = sums[label] / relevant[label]
    return values


@njit(parallel=True, cache=True)
def _relevant_hits(order, query_labels, gallery_labels, counts):
    hits = np.zeros(order.shape, np.bool_)
    for query in prange(order.shape[0]):
        if query_labels[query] >= 0:
            for rank in range(counts[query]):
                hits[query, rank] = gallery_labels[order[query, rank]] == query_labels[query]
    return hits


@njit(parallel=True, cache=True)
def _exclude(order, query_codes, gallery_codes, member):
    kept = np.zeros(order.shape, np.int32)
    counts = np.zeros(order.shape[0], np.int64)
    for query in prange(order.shape[0]):
        count = 0
        for rank in range(order.shape[1]):
            item = order[query, rank]
            goes = not member[item]
            for code in range(gallery_codes.shape[1]):
                goes = goes or gallery_codes[item, code] == query_codes[query, code]
            if not goes:
                kept[query, count] = item
                count += 1
        counts[query] = count
    return kept, counts


@njit(parallel=True, cache=True)
def _graded_gains(order, query_labels, gallery_labels, weights, counts):
    gains = np.zeros(order.shape, np.float32)
    for query in prange(order.shape[0]):
        for rank in range(counts[query]):
            item = order[query, rank]
            if query_labels[query, 0] >= 0 and gallery_labels[item, 0] == query_labels[query, 0]:
                total = np.float32(0)
                for label in range(weights.shape[0]):
                    same = gallery_labels[item, label] == query_labels[query, label]
                    if same and query_labels[query, label] >= 0:
                        total += weights[label]
                gains[query, rank] = total
    return gains


@njit(parallel=True, cache=True)
def _dcg(gains, discounts):
    sums = np.zeros(gains.shape[0])
    for query in prange(gains.shape[0]):
        for rank in range(len(discounts)):
            sums[query] += gains[query, rank] * discounts[rank]
    return sums


@njit(parallel=True, cache=True)
def _ideal_dcg(gains, discounts):
    ideal = np.zeros(gains.shape[0])
    for query in prange(gains.shape[0]):
        row = gains[query]
        best = np.sort(row[row > 0])[::-1]  # most gains are 0, which add nothing
        for rank in range(min(len(best), len(discounts))):
            ideal[query] += best[rank] * discounts[rank]
    return ideal
