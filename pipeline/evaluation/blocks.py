"""What full rankings say that nobody holds: where the relevant items stand, counted span by span of the gallery.

A gallery is passed twice for some queries. The first pass finds the distances of what is relevant to each, the second
how many items stand before each of these. Counts of whole numbers add up to the same, whoever finds them and in
whatever order. A task holds a tile of the gallery at a time, and what it found in a span of bounded size; whoever adds
up holds eight bytes for each query and relevant item, and the second pass maps these from disk.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from pipeline import scale
from pipeline.evaluation import thresholds
from pipeline.evaluation.asked import Asked
from pipeline.retrieval.distances import tiles, to_tile
from pipeline.retrieval.ranking import BUDGET, DOZEN, MOST, measured, nowhere, take_smallest

TILES = 4  # of a span that `MOST` queries are asked of; fewer are asked of a longer one
HELD = 64  # bytes for each query and relevant item, where the results of both passes are added up
LOW = np.uint64(2**32 - 1)  # the half of a key that is a position


class Found(NamedTuple):
    """What the first pass finds for some queries in a span.

    `positions`, `values`: the nearest, (Q, K). `pairs`: int64 (2, BINS), as `thresholds.histogram`. `wrong`: float32
    (Q,), the distance of the first wrong neighbour, by the first relevance. `keys`: of each query, in ascending order,
    what is relevant to it by any relevance: its distance's bits, then its position.
    """

    start: int
    positions: np.ndarray
    values: np.ndarray
    pairs: np.ndarray
    wrong: np.ndarray
    keys: list[np.ndarray]


class Relevant(NamedTuple):
    """What is relevant to some queries in the whole gallery: `keys` as in `Found`, query after query, uint64 (N,), and
    where each query's begin and end, int64 (Q + 1,)."""

    keys: np.ndarray
    ends: np.ndarray

    def of(self, query: int) -> np.ndarray:
        """The keys of one query."""
        return self.keys[self.ends[query] : self.ends[query + 1]]

    def starts(self) -> np.ndarray:
        """Where each query's counts begin: it has one more of them than relevant items; int64 (Q + 1,)."""
        return self.ends + np.arange(len(self.ends))


class Passed(NamedTuple):
    """What the second pass counts in a tile: the places that it has anything to say of, as `Relevant.starts` counts
    them, int64 (N,), and by view how many items stand there; uint16 (V, N)."""

    places: np.ndarray
    counts: np.ndarray


class Stand(NamedTuple):
    """Where a query's relevant items stand in a view: their positions (N,), how many stand before each (N,), and how
    many may be found."""

    positions: np.ndarray
    ranks: np.ndarray
    size: int


def spans(count: int, queries: int) -> list[slice]:
    """A gallery's parts that one task passes for so many queries, of whole tiles: what it finds has a bound.

    >>> spans(44_441, 120), len(spans(10**6, 120)), len(spans(10**6, 12))
    ([slice(0, 15360, None), slice(15360, 30720, None), slice(30720, 44441, None)], 66, 7)
    """
    every, step = tiles(count), TILES * max(MOST // max(queries, 1), 1)
    return [
        slice(part[0].start, part[-1].stop) for part in (every[at : at + step] for at in range(0, len(every), step))
    ]


def parts(queries: int, gallery: int) -> list[slice]:
    """The queries that are asked at once: dozens, as many as there is room for what may be relevant to them."""
    dozens = min(max(BUDGET // (HELD * max(gallery, 1) * DOZEN), 1), MOST // DOZEN)
    return [slice(start, min(start + DOZEN * dozens, queries)) for start in range(0, queries, DOZEN * dozens)]


def found(given: Any, distance: str, part: slice, span: slice, count: int, top: float) -> Found:
    """The first pass of a span.

    Args:
        given: an `Asked`, or its file.
        part: of the test queries.
        count: of the nearest, how many.
        top: of the histogram.
    """
    asked: Asked = scale.opened(given)
    rows = asked.rows[part]
    mine = _labels(asked, rows)[:, None]
    positions, values = nowhere(len(rows), count)
    pairs, wrong = np.zeros((2, thresholds.BINS), np.int64), np.full(len(rows), np.inf, np.float32)
    keys: list[list[np.ndarray]] = [[] for _ in rows]
    for tile, distances in _tiles(asked, distance, rows, span):
        excluded, labels = (asked.duplicates[rows], asked.duplicates[tile]), _labels(asked, tile)
        pairs += thresholds.histogram(distances, excluded, (mine[:, 0, 0], labels[:, 0]), top)
        same = (mine == labels) & (mine >= 0)  # (Q, T, L)
        places = tile.start + np.arange(distances.shape[1], dtype=np.uint64)
        for kept, row, relevant in zip(keys, distances, same.any(axis=2), strict=True):
            kept.append(_keys(row[relevant], places[relevant]))
        distances[excluded[0][:, None] == excluded[1]] = np.inf
        take_smallest(distances, tile.start, positions, values, f"{distance} distances")
        wrong = np.minimum(wrong, np.where(same[:, :, 0], np.float32(np.inf), distances).min(axis=1))
    return Found(span.start, positions, values, pairs, wrong, [np.sort(np.concatenate(kept)) for kept in keys])


def together(some: list[Found]) -> Found:
    """What the first pass finds in all spans of a gallery."""
    some = sorted(some, key=lambda one: one.start)
    positions, values = (np.concatenate([one[at] for one in some], axis=1) for at in (1, 2))
    order = np.argsort(values, axis=1, kind="stable")[:, : some[0].values.shape[1]]  # equal ones in the gallery's order
    return Found(
        0,
        np.take_along_axis(positions, order, axis=1),
        np.take_along_axis(values, order, axis=1),
        np.sum([one.pairs for one in some], axis=0),
        np.min([one.wrong for one in some], axis=0),
        [np.sort(np.concatenate(keys)) for keys in zip(*(one.keys for one in some), strict=True)],
    )


def relevant(keys: list[np.ndarray]) -> Relevant:
    """The keys of each query as one array, which can be mapped from disk."""
    return Relevant(np.concatenate(keys), np.cumsum([0, *map(len, keys)]))


def before(given: Any, distance: str, part: slice, span: slice, of: Any) -> list[Passed]:
    """The second pass of a span, by tile: by view, how many items that may be found stand before each relevant item of
    each query and after the one before it, and how many after the last.

    Args:
        given, distance, part: as for `found`.
        of: a `Relevant`, or its file.
    """
    asked: Asked = scale.opened(given)
    relevant: Relevant = scale.opened(of)
    rows, starts, passed = asked.rows[part], relevant.starts(), []
    for tile, distances in _tiles(asked, distance, rows, span):
        positions = tile.start + np.arange(distances.shape[1], dtype=np.uint64)
        keys = np.sort([_keys(row, positions) for row in distances], axis=1)
        places = np.concatenate(
            [starts[query] + np.searchsorted(relevant.of(query), own, "right") for query, own in enumerate(keys)]
        )
        new = np.diff(places, prepend=-1) > 0  # they ascend, from query to query too
        at, items = (np.cumsum(new) - 1).reshape(keys.shape), (keys & LOW).astype(np.int64) - tile.start
        counts = np.zeros((len(asked.views), new.sum()), np.uint16)
        for view, counted in zip(asked.views, counts, strict=True):
            codes = view.query_codes[rows], np.asarray(view.gallery_codes[tile])
            _count(at, items, *codes, view.member[tile], counted)
        passed.append(Passed(places[new], counts))
    return passed


def added(of: Relevant, some: Iterable[list[Passed]], views: int) -> np.ndarray:
    """What the second pass counts in all spans; int32 (V, N), query after query."""
    total = np.zeros((views, of.starts()[-1]), np.int32)
    for passed in some:
        for places, counts in passed:
            total[:, places] += counts
    return total


def stands(asked: Asked, part: slice, of: Relevant, counts: np.ndarray, number: int) -> Iterator[Stand]:
    """Where each query's relevant items stand among those that may be found, in a view by its number.

    Args:
        counts: as `added` gives them.
    """
    view, starts = asked.views[number], of.starts()
    for query, row in enumerate(asked.rows[part]):
        positions = (of.of(query) & LOW).astype(np.int64)
        before = np.cumsum(counts[number, starts[query] : starts[query + 1]], dtype=np.int64)
        goes = (view.gallery_codes[positions] == view.query_codes[row]).any(axis=1) | ~view.member[positions]
        yield Stand(positions[~goes], before[:-1][~goes], before[-1])


def furthest(given: Any, distance: str, rows: np.ndarray, span: slice) -> float:
    """The largest distance from some images to what is learnt of a span."""
    asked: Asked = scale.opened(given)
    return max(
        float(distances.max(where=asked.learnt[tile] != thresholds.NOBODYS, initial=0))
        for tile, distances in _tiles(asked, distance, rows, span)
    )


def pairs(given: Any, distance: str, rows: np.ndarray, span: slice, top: float) -> np.ndarray:
    """The histogram of the distances from some images to what is learnt of a span; int64 (2, BINS)."""
    asked: Asked = scale.opened(given)
    labels, total = next(iter(asked.codes.values())), np.zeros((2, thresholds.BINS), np.int64)
    for tile, distances in _tiles(asked, distance, rows, span):
        codes = asked.learnt[rows], asked.learnt[tile]
        total += thresholds.histogram(distances, codes, (labels[rows], labels[tile]), top)
    return total


def _tiles(asked: Asked, distance: str, rows: np.ndarray, span: slice) -> Iterator[tuple[slice, np.ndarray]]:
    """Each tile of a span, and the distances to it, float32 (Q, T)."""
    vectors = asked.features.vectors
    queries = np.asarray(vectors[rows])
    with threadpool_limits(1):
        for tile in tiles(len(vectors)):
            if span.start <= tile.start < span.stop:
                gallery = np.asarray(vectors[tile])
                yield tile, measured(queries, lambda some: to_tile(some, gallery, distance))  # noqa: B023


def _labels(asked: Asked, some: np.ndarray | slice) -> np.ndarray:
    """The labels of some images by every relevance; int32 (N, L)."""
    return np.stack([codes[some] for codes in asked.codes.values()], axis=1)


def _keys(distances: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Whole numbers that sort as distances do, and where these are equal as positions; uint64 (N,)."""
    bits = (distances + np.float32(0)).view(np.uint32).astype(np.uint64)  # −0 has a sign, and would come last
    return (bits << np.uint64(32)) | positions


@njit(nogil=True, cache=True)
def _count(places, items, query_codes, gallery_codes, member, counts):
    for query in range(places.shape[0]):
        for at in range(places.shape[1]):
            item = items[query, at]
            goes = not member[item]
            for code in range(gallery_codes.shape[1]):
                goes = goes or gallery_codes[item, code] == query_codes[query, code]
            if not goes:
                counts[places[query, at]] += 1
