"""How well embeddings find what belongs together while they are still being trained, and what they find."""

import numpy as np
import pandas as pd

from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import protocols
from pipeline.progress import hidden
from pipeline.retrieval import ranking


def mean_average_precision(frame: pd.DataFrame, embeddings: np.ndarray, relevances: list[str]) -> dict[str, float]:
    """mAP of each relevance, every image of `frame` asking all others of it by cosine, duplicates left out.

    Where no image has a relevant other, 0. The strict protocol (`protocols`), on a part that may be looked at.

    Args:
        frame: catalogue rows (N).
        embeddings: (N, D), in the frame's order.
    """
    features = _features(frame, embeddings)
    with hidden():
        values = protocols.precisions(features, features, frame, np.arange(len(frame)), relevances)
    return {relevance: _mean(scores) for relevance, scores in values.items()}


def neighbours(frame: pd.DataFrame, embeddings: np.ndarray, rows: np.ndarray, count: int) -> ranking.Neighbours:
    """The `count` nearest others of some images of `frame` among the rest of it, by cosine, duplicates left out.

    Args:
        frame: catalogue rows (N).
        embeddings: (N, D), in the frame's order.
        rows: positions in the frame (Q,).
    """
    features, duplicates = _features(frame, embeddings), catalog.duplicates(frame)
    with hidden():
        return ranking.search(features.take(rows), features, "cosine", count, (duplicates[rows], duplicates))


def _features(frame: pd.DataFrame, embeddings: np.ndarray) -> FeatureSet:
    return FeatureSet(frame[catalog.ID].to_numpy(), embeddings.astype(np.float32), "in training")


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
