"""Searches that are made better after their first answer, from which some of the gallery is hidden, query by query.

What is hidden from a query helps no step of its search: it is among nobody's neighbours. A question of its own whether
the query leads back to it hides nothing.
Letters: Q queries, G gallery, D dimension, K neighbours.
"""

from collections.abc import Callable, Iterator
from typing import get_args

import numpy as np

from pipeline.params.kinds import RerankingKind
from pipeline.params.systems import Reranking
from pipeline.retrieval import indexes, others, reranking
from pipeline.retrieval.ranking import pass_over
from pipeline.vectors import unit

# a number per query and per gallery item: an item that has its query's is hidden from it
Hidden = tuple[np.ndarray, np.ndarray]
# queries (Q, D), how many are wanted, what is hidden → positions (Q, K), nearest first, −1 for none
Find = Callable[[np.ndarray, int, Hidden | None], np.ndarray]
Found = tuple[np.ndarray, np.ndarray]  # positions and distances, (Q, K) each


def searcher(gallery: np.ndarray, better: Reranking | None, most: int) -> Find:
    """Positions of each query's nearest by cosine, as a function; the hidden ones are passed over or left in.

    What the gallery alone decides is done once.

    Args:
        gallery: float32 (G, D). better: what follows the first answer; None: nothing.
        most: how many items are hidden from a query at most.
    """
    return RERANKERS[better.kind if better else None](unit(gallery), better, most)


def plain(gallery: np.ndarray, better: Reranking | None, most: int) -> Find:
    """The first answer; what is hidden stays in its place, for whoever counts to pass over."""
    search = indexes.build("exact", gallery)
    return lambda queries, count, hidden: search(queries, count)[0]


def query_expansion(gallery: np.ndarray, better: Reranking, most: int) -> Find:
    """Asks again with the neighbours that are not hidden."""
    search = indexes.build("exact", gallery)

    def find(queries, count, hidden):
        near = _first(search(queries, better.neighbours + most), queries, hidden, better.neighbours)[0]
        return search(reranking.expanded(unit(queries), gallery, near, better.alpha), count)[0]

    return find


def database_augmentation(gallery: np.ndarray, better: Reranking, most: int) -> Find:
    """Asks a gallery whose items have their neighbours added, an item with a hidden neighbour without that one."""
    near, distances = others.nearest_others(gallery, np.arange(len(gallery)), better.neighbours + most)
    augmented = reranking.expanded(gallery, gallery, near[:, : better.neighbours], better.alpha)
    search = indexes.build("exact", augmented)

    def find(queries, count, hidden):
        order = np.empty((len(queries), count), np.int64)
        for rows, places in _by_hidden(queries, hidden):
            passed = np.isin(near, places)
            changed = np.flatnonzero(passed[:, : better.neighbours].any(axis=1))
            left = _left((near[changed], distances[changed]), passed[changed], better.neighbours)[0]
            anew = reranking.expanded(gallery[changed], gallery, left, better.alpha)
            positions, found = search(queries[rows], count + len(changed))
            found = np.where(np.isin(positions, changed), np.inf, found)
            positions = np.hstack([positions, np.tile(changed, (len(rows), 1))])
            found = np.hstack([found, 1 - unit(queries[rows]) @ anew.T])
            first = np.lexsort((positions, found), axis=-1)[:, :count]
            nowhere = np.isinf(np.take_along_axis(found, first, 1))
            order[rows] = np.where(nowhere, indexes.NOWHERE, np.take_along_axis(positions, first, 1))
        return order

    return find


def k_reciprocal(gallery: np.ndarray, better: Reranking, most: int) -> Find:
    """Ranks the first answer anew by who is whose neighbour, the hidden ones being nobody's."""
    search = indexes.build("exact", gallery)
    k1 = better.neighbours
    near = search(gallery, k1 + 1 + most)

    def find(queries, count, hidden):
        order = np.full((len(queries), count), indexes.NOWHERE)
        room = min(count + most, len(gallery))
        for rows, places in _by_hidden(queries, hidden):
            asked = unit(queries[rows])
            lists = near[0][:, : k1 + 1].copy(), near[1][:, : k1 + 1].copy()
            passed = np.isin(near[0], places)
            changed = np.flatnonzero(passed.any(axis=1))
            some = _left((near[0][changed], near[1][changed]), passed[changed], k1 + 1)
            lists[0][changed], lists[1][changed] = some
            found = search(asked, max(room, k1 + most))
            seen = _left(found, np.isin(found[0], places), found[0].shape[1])
            width = min(count, len(gallery) - len(places))
            candidates = seen[0][:, :width]
            nearest = seen[0][:, :k1], seen[1][:, :k1]
            apart = reranking.among_neighbours(asked, gallery, candidates, lists, nearest, better.second, better.share)
            again = np.argsort(apart, axis=1, kind="stable")
            order[rows, :width] = np.take_along_axis(candidates, again, axis=1)
        return order

    return find


RERANKERS: dict[str | None, Callable] = {None: plain} | {kind: globals()[kind] for kind in get_args(RerankingKind)}


def _by_hidden(queries: np.ndarray, hidden: Hidden | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The queries from which the same items are hidden, by their rows, with these items' positions."""
    codes, items = (np.zeros(len(queries)), np.empty(0)) if hidden is None else hidden
    for code in np.unique(codes):
        yield np.flatnonzero(codes == code), np.flatnonzero(items == code)


def _first(found: Found, queries: np.ndarray, hidden: Hidden | None, count: int) -> Found:
    """The first `count` of what was found for each query, without what is hidden from it."""
    if hidden is None:
        return found[0][:, :count], found[1][:, :count]
    return _left(found, hidden[1][found[0]] == hidden[0][:, None], count)


def _left(found: Found, passed: np.ndarray, count: int) -> Found:
    """The first `count` of each list once some are passed over: −1 and infinitely far where there are no more."""
    positions = pass_over(np.where(passed, indexes.NOWHERE, found[0]), passed, count)
    return positions, pass_over(np.where(passed, np.inf, found[1]), passed, count).astype(found[1].dtype)
