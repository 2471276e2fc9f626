"""Exact search: the gallery ranked for each query, in chunks, and the nearest neighbours of all.

Features of two encoders are never compared: the thesis's case d (section 4.3 d) is an error here, not a result.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from threadpoolctl import threadpool_limits

from pipeline.encoders.store import FeatureSet
from pipeline.progress import ahead, progress
from pipeline.retrieval.distances import to as distances_to

BUDGET = 2**30  # bytes of distances and orders that are held at once, whatever the gallery and the number of cores
MOST = 120  # queries that one worker ranks at once at most: of 44,441 pictures that takes 43 MB
# OpenBLAS multiplies twelve queries at once and what is left over by itself, with other last bits: in chunks of whole
# dozens every query has the same bits, however large the chunks are
DOZEN = 12
NOWHERE = -1  # the position where there is no further neighbour
QUERY, RANK, NEIGHBOUR, DISTANCE = "query", "rank", "neighbour", "distance"


class EncoderMismatch(ValueError):
    """Queries and gallery come from different encoders."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest gallery items of each query: `gallery_ids` and `distances` (Q, K), nearest first; checked."""

    query_ids: np.ndarray
    gallery_ids: np.ndarray
    distances: np.ndarray

    def __post_init__(self):
        if self.gallery_ids.shape != self.distances.shape or len(self.query_ids) != len(self.gallery_ids):
            raise ValueError(
                f"shapes must be (Q,), (Q, K), (Q, K). Received: {self.query_ids.shape}, "
                f"{self.gallery_ids.shape}, {self.distances.shape}"
            )
        if (np.diff(self.distances, axis=1) < 0).any():
            raise ValueError("distances must not fall along a row")

    def frame(self) -> pd.DataFrame:
        """One row per query and rank, the first rank being 1."""
        queries, count = self.gallery_ids.shape
        return pd.DataFrame(
            {
                QUERY: np.repeat(self.query_ids, count),
                RANK: np.tile(np.arange(1, count + 1, dtype=np.int32), queries),
                NEIGHBOUR: self.gallery_ids.ravel(),
                DISTANCE: self.distances.ravel(),
            }
        )


def check_same_encoder(queries: FeatureSet, gallery: FeatureSet) -> None:
    """Raises EncoderMismatch unless both come from one encoder with one fingerprint."""
    if queries.encoder_id != gallery.encoder_id:
        raise EncoderMismatch(
            f"Queries and gallery come from different encoders, so their distances mean nothing. "
            f"Query: {queries.encoder_id} with {queries.vectors.shape[1]} dimensions. "
            f"Gallery: {gallery.encoder_id} with {gallery.vectors.shape[1]} dimensions. Extract both with one encoder."
        )


def rank(
    queries: FeatureSet,
    gallery: FeatureSet,
    distance: str,
    duplicates: tuple[np.ndarray, np.ndarray] | None = None,
    chunk: int | None = None,
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """The whole gallery in order of distance for each query, chunk by chunk: never a full (Q, G) matrix.

    Equal distances stand in the gallery's order. What must not be found is put behind everything else.

    Args:
        duplicates: a number per query and per gallery item; a gallery item whose number is its query's is the query
            itself or a duplicate of it, and gets the distance infinity. None: nothing is left out.
        chunk: queries at once; None: as many dozens as `BUDGET` has room for, on which no result depends.

    Yields:
        The chunk's slice of the queries; int32 (chunk, G) gallery positions, nearest first; float32 (chunk, G) the
        distances in the gallery's order.

    Raises:
        EncoderMismatch: before any work.
    """

    def ranked(part: slice, distances: np.ndarray) -> tuple[slice, np.ndarray, np.ndarray]:
        return part, ascending(distances, f"{distance} distances"), distances

    yield from in_chunks(queries, gallery, distance, ranked, duplicates, chunk)


def in_chunks(
    queries: FeatureSet,
    gallery: FeatureSet,
    distance: str,
    work: Callable[[slice, np.ndarray], Any],
    duplicates: tuple[np.ndarray, np.ndarray] | None = None,
    chunk: int | None = None,
) -> Iterator[Any]:
    """What `work` makes of each chunk's slice and distances (chunk, G), in the chunks' order; else as `rank`."""
    check_same_encoder(queries, gallery)
    measure = distances_to(gallery.vectors, distance)
    cores = os.cpu_count() or 1
    chunk, most = (chunk, cores) if chunk else room(len(gallery.ids), cores)
    starts = range(0, len(queries.ids), chunk)
    parts = [slice(start, min(start + chunk, len(queries.ids))) for start in starts]

    def worked(part: slice) -> Any:
        distances = measured(queries.vectors[part], measure)
        if duplicates is not None:
            distances[duplicates[0][part, None] == duplicates[1]] = np.inf
        return work(part, distances)

    # a worker per core, each with single-threaded BLAS: sorting then costs no core its turn at the products
    with threadpool_limits(1):
        counted = progress(parts, f"ranking by {distance}", f"x{chunk} queries", len(parts))
        yield from ahead(worked, counted, most)


def measured(queries: np.ndarray, measure: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Distances of queries (Q, D); of a single one BLAS would take another product, with other last bits."""
    return measure(np.repeat(queries, 2, axis=0))[:1] if len(queries) == 1 else measure(queries)


def room(gallery: int, cores: int) -> tuple[int, int]:
    """How many queries a chunk has, and how many chunks are held beside the one that is used, within `BUDGET`.

    A query takes eight bytes for each item of the gallery, its distance and its place in the order. There is a chunk
    for each core where the budget allows it, and never less than a dozen queries and one chunk ahead.

    >>> room(44_441, 2), room(1_000_000, 16)
    ((120, 2), (12, 10))
    """
    query = 8 * max(gallery, 1)
    dozens = BUDGET // (query * (cores + 1) * DOZEN)
    chunk = DOZEN * min(max(dozens, 1), MOST // DOZEN)
    return chunk, min(max(BUDGET // (query * chunk) - 1, 1), cores)


def nearest(
    order: np.ndarray, distances: np.ndarray, duplicates: tuple[np.ndarray, np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` of a ranking of everything, once the query and its duplicates are passed over.

    Args:
        order: int32 (Q, G), nearest first.
        distances: float32 (Q, G), in the gallery's order.
        duplicates: numbers (Q,) and (G,); a gallery item with its query's number is the query itself or a duplicate.

    Returns:
        Gallery positions and distances, (Q, K) each; infinite where the gallery holds fewer.
    """
    most = np.bincount(duplicates[1]).max()  # no query has more duplicates than the largest group of them
    first = order[:, : count + most]
    passed = duplicates[0][:, None] == duplicates[1][first]
    kept = pass_over(first, passed, count)
    kept_distances = np.take_along_axis(distances, kept, axis=1)
    return kept, np.where(duplicates[0][:, None] == duplicates[1][kept], np.float32(np.inf), kept_distances)


def pass_over(order: np.ndarray, passed: np.ndarray, count: int) -> np.ndarray:
    """The first `count` of each ranking once some of it is passed over: that comes last, all else keeps its order.

    Args:
        order: rankings, or what stands beside them, (Q, N).
        passed: bool (Q, N): what is passed over, such as the query itself and its duplicates.

    Returns:
        (Q, K), K being `count` or N: what was passed over is in it only where fewer than K are left.
    """
    return np.take_along_axis(order, np.argsort(passed, axis=1, kind="stable")[:, :count], axis=1)


def search(
    queries: FeatureSet,
    gallery: FeatureSet,
    distance: str,
    count: int,
    duplicates: tuple[np.ndarray, np.ndarray] | None = None,
) -> Neighbours:
    """The `count` nearest gallery items of each query, fewer in a smaller gallery. `duplicates`: as in `rank`."""
    asked = min(count, len(gallery.ids))
    if not len(queries.ids):
        check_same_encoder(queries, gallery)
        return Neighbours(queries.ids, np.empty((0, asked), gallery.ids.dtype), np.empty((0, asked), np.float32))

    def found(part: slice, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return smallest(distances, asked, f"{distance} distances")

    return collected(queries.ids, gallery.ids, list(in_chunks(queries, gallery, distance, found, duplicates)))


def collected(query_ids: np.ndarray, gallery_ids: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray]]) -> Neighbours:
    """The neighbours of all queries from those of each chunk: gallery positions and distances, (chunk, K) each."""
    order, distances = (np.concatenate(part) for part in zip(*parts, strict=True))
    count = np.isfinite(distances).sum(axis=1).min()  # a column of nothing but duplicates is no neighbour
    return Neighbours(query_ids, gallery_ids[order[:, :count]], distances[:, :count])


def smallest(distances: np.ndarray, count: int, what: str = "distances") -> tuple[np.ndarray, np.ndarray]:
    """The first `count` of each row of `ascending`, without sorting the rest: positions int64 and values (N, K).

    Where a row has fewer finite numbers, the rest has the position −1 and the distance infinity.

    Raises:
        ValueError: as `ascending`.

    >>> smallest(np.array([[0.5, 0.2, 0.5, 0.2]], "float32"), 3)[0]
    array([[1, 3, 0]])
    """
    positions, values = nowhere(len(distances), count)
    take_smallest(distances, 0, positions, values, what)
    return positions, values


def nowhere(rows: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The positions and values (N, K) of rows of which nothing has been seen yet."""
    return np.full((rows, count), NOWHERE, np.int64), np.full((rows, count), np.inf, np.float32)


def take_smallest(
    distances: np.ndarray, first: int, positions: np.ndarray, values: np.ndarray, what: str = "distances"
) -> None:
    """Takes a block of the gallery into each row's smallest so far, (N, K) each, equal ones in the gallery's order.

    Args:
        distances: float32 (N, G), of the gallery's items from the position `first` on.

    Raises:
        ValueError: as `ascending`.
    """
    if values.shape[1] and not _take_smallest(distances, first, positions, values):
        raise ValueError(f"{what} must be numbers of 0 or more. Received: {distances.min()}")


@njit(nogil=True, cache=True)
def _take_smallest(distances, first, positions, values):
    """Whether all are numbers of 0 or more. On one thread: whoever calls it has one per core, or a single row."""
    last = values.shape[1] - 1
    for row in range(distances.shape[0]):
        largest = values[row, last]
        for place in range(distances.shape[1]):
            value = distances[row, place]
            if value >= largest:
                continue
            if not value >= 0:
                return False
            at = last
            while at > 0 and value < values[row, at - 1]:
                values[row, at], positions[row, at] = values[row, at - 1], positions[row, at - 1]
                at -= 1
            values[row, at], positions[row, at] = value, first + place
            largest = values[row, last]
    return True


def ascending(distances: np.ndarray, what: str = "distances") -> np.ndarray:
    """A stable argsort of non-negative float32 (N, G): int32 (N, G).

    The bits of a non-negative float32 sort like a whole number. With the position behind them every key is
    different, so NumPy's fast unstable sort gives the stable order.

    Raises:
        ValueError: a number below 0, or none, which would stand in the wrong place; `what` is named.

    >>> ascending(np.array([[0.5, 0.2, 0.5, 0.2]], "float32"))  # equal distances stand in the gallery's order
    array([[1, 3, 0, 2]], dtype=int32)
    """
    order = np.empty(distances.shape, np.int32)
    positions = np.arange(distances.shape[1], dtype=np.uint64)
    for row, sorted_row in zip(distances, order, strict=True):  # a row at a time stays in the cache
        if row.size and not row.min() >= 0:  # also where the smallest is not a number
            raise ValueError(f"{what} must be numbers of 0 or more. Received: {row.min()}")
        keys = (row + np.float32(0)).view(np.uint32).astype(np.uint64)  # −0 has a sign, and would come last
        keys <<= np.uint64(32)
        keys |= positions
        keys.sort()
        np.copyto(sorted_row, keys, casting="unsafe")  # the low half is the position
    return order
