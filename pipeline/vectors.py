"""Vectors of length 1, what cosines are taken of, and what many vectors have in common, some rows at a time."""

from collections.abc import Iterator

import numpy as np

ROWS = 4096  # at once: a whole gallery's squares would be one more copy of it


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors scaled to length 1, (N, D) → (N, D); zeros stay zeros."""
    scaled = np.empty(vectors.shape, np.result_type(vectors, np.float32))
    for start, rows in _blocks(vectors):
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        np.divide(rows, np.where(norms == 0, 1, norms), out=scaled[start : start + ROWS])
    return scaled


def lengths(vectors: np.ndarray) -> np.ndarray:
    """The Euclidean length of each vector, (N, D) → (N,)."""
    return np.concatenate([np.linalg.norm(rows, axis=1) for _, rows in _blocks(vectors)])


def not_finite(vectors: np.ndarray) -> int:
    """How many of some vectors (N, D) have a number that is none, or is infinite."""
    return sum(int((~np.isfinite(rows)).any(axis=1).sum()) for _, rows in _blocks(vectors))


def summary(vectors: np.ndarray) -> dict[str, float]:
    """The smallest and the largest number of some vectors (N, D), the share of zeros, and how many of the D never
    change."""
    lowest = np.min([rows.min(axis=0) for _, rows in _blocks(vectors)], axis=0)
    highest = np.max([rows.max(axis=0) for _, rows in _blocks(vectors)], axis=0)
    return {
        "smallest": float(lowest.min()),
        "largest": float(highest.max()),
        "share of zeros": sum(int((rows == 0).sum()) for _, rows in _blocks(vectors)) / vectors.size,
        "features that never change": int((lowest == highest).sum()),
    }


def _blocks(vectors: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    return ((start, vectors[start : start + ROWS]) for start in range(0, len(vectors), ROWS))
