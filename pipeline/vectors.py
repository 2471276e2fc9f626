"""Vectors of length 1: what cosines are taken of."""

import numpy as np


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors scaled to length 1, (N, D) → (N, D); zeros stay zeros."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)
