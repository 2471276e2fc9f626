"""The nearest others of a gallery's own items: what is asked is in the gallery, and is passed over."""

import numpy as np

from pipeline.retrieval import indexes
from pipeline.retrieval.ranking import pass_over


def nearest_others(gallery: np.ndarray, rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and cosine distances (Q, K) of the nearest `count` items of each of some rows (Q,), itself left out."""
    near, distances = indexes.build("exact", gallery)(gallery[rows], count + 1)
    itself = near == rows[:, None]
    return pass_over(near, itself, count), pass_over(distances, itself, count)
