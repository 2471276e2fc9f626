"""Distances between queries and a gallery: smaller is nearer, whichever it is.

Letters: Q queries, G gallery, D dimension. Source of the choice: thesis section 3.9.
"""

from collections.abc import Callable
from typing import get_args

import numpy as np
from numba import njit
from sklearn.metrics.pairwise import euclidean_distances

from pipeline.params.kinds import Distance
from pipeline.vectors import unit

# A product's last bits depend on where BLAS parts its rows: OpenBLAS (Haswell) after each 320, the last 320 to 639 in
# halves. In tiles of whole 320s, none of less, they are those of the whole gallery, and of whoever has one tile alone.
LEAST = 320
TILE = 12 * LEAST


def cosine(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """1 − cosine similarity, in [0, 2]; float32 (Q, G). A vector of zeros is at distance 1 from everything.

    Differs: the thesis thresholds the similarity itself; the ranking is the same.
    """
    return one_less_dot(unit(queries), unit(gallery))


def euclidean(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """√Σ(q − g)², float32 (Q, G). scikit-learn sums in float64, so near-equal vectors keep their order."""
    return euclidean_distances(queries, gallery).astype(np.float32, copy=False)


def manhattan(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Σ|q − g|, float32 (Q, G). Compiled: scikit-learn's takes ten times as long on float32."""
    return _manhattan(np.ascontiguousarray(queries), np.ascontiguousarray(gallery))


DISTANCES = {name: globals()[name] for name in get_args(Distance)}  # a distance is the function of its name


def to(gallery: np.ndarray, distance: str) -> Callable[[np.ndarray], np.ndarray]:
    """Distances to one gallery as a function of queries (Q, D) → (Q, G); what only the gallery decides is done once."""
    held = unit(gallery) if distance == "cosine" else gallery

    def measure(queries: np.ndarray) -> np.ndarray:
        found, asked = np.empty((len(queries), len(held)), np.float32), _asked(queries, distance)
        for tile in tiles(len(held)):
            found[:, tile] = _measured(asked, held[tile], distance)
        return found

    return measure


def to_tile(queries: np.ndarray, tile: np.ndarray, distance: str) -> np.ndarray:
    """Distances to one of a gallery's `tiles`, float32 (Q, T): the bytes that `to` has of it."""
    return _measured(_asked(queries, distance), unit(tile) if distance == "cosine" else tile, distance)


def tiles(count: int) -> list[slice]:
    """A gallery's parts that are measured at once, always the same ones; the last may be larger or smaller than `TILE`.

    >>> tiles(7999)
    [slice(0, 3840, None), slice(3840, 7999, None)]
    """
    ends = [*range(TILE, count - LEAST + 1, TILE), count]
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _asked(queries: np.ndarray, distance: str) -> np.ndarray:
    return unit(queries) if distance == "cosine" else queries


def _measured(queries: np.ndarray, tile: np.ndarray, distance: str) -> np.ndarray:
    """Distances of vectors that are of length 1 already, where it is by cosine."""
    return one_less_dot(queries, tile) if distance == "cosine" else DISTANCES[distance](queries, tile)


def one_less_dot(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """1 − q · g for unit vectors; rounding may leave [0, 2] by a hair, so it is cut off."""
    distances = queries @ gallery.T
    np.subtract(1, distances, out=distances)
    return np.clip(distances, 0, 2, out=distances)


@njit(nogil=True, cache=True)
def _manhattan(queries, gallery):
    """Sums run over the dimensions in their order and side by side over gallery items: fast without letting the
    compiler reorder a sum, which would make the last bits depend on how it was compiled."""
    distances = np.empty((queries.shape[0], gallery.shape[0]), np.float32)
    dimension = queries.shape[1]
    block = 64  # gallery items that stay in the processor's cache while every query of the chunk passes over them
    for first in range(0, gallery.shape[0], block):
        count = min(block, gallery.shape[0] - first)
        columns = np.zeros((dimension, block), np.float32)
        columns[:, :count] = gallery[first : first + count].T
        for query in range(queries.shape[0]):
            totals = np.zeros(block, np.float32)
            for d in range(dimension):
                value = queries[query, d]
                for item in range(block):
                    totals[item] += abs(value - columns[d, item])
            distances[query, first : first + count] = totals[:count]
    return distances
