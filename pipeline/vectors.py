"""Vectors of length 1: what cosines are taken of."""

import numpy as np

ROWS = 4096  # at once: a whole gallery's squares would be one more copy of it


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors scaled to length 1, (N, D) → (N, D); zeros stay zeros."""
    scaled = np.empty(vectors.shape, np.result_type(vectors, np.float32))
    for start in range(0, len(vectors), ROWS):
        rows = vectors[start : start + ROWS]
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        np.divide(rows, np.where(norms == 0, 1, norms), out=scaled[start : start + ROWS])
    return scaled
