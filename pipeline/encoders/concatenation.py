"""Two encoders' features as one vector: what one network misses, another may see."""

import numpy as np

from pipeline import params, paths
from pipeline.encoders import derived, store
from pipeline.encoders.store import FeatureSet
from pipeline.vectors import unit

ROWS = 4096  # joined at once: bounds memory beside the two parts


def run(study: params.Study, name: str) -> None:
    """The stage: makes the features of one concatenation."""
    concatenate(study.data.name, name, study.concatenations[name])


def concatenate(data: str, name: str, spec: params.Concatenation) -> FeatureSet:
    """Writes `features/<name>.sqlite` with both parts of every image, and returns it.

    Each part has length 1, the first times √(1 − share), the second times √share: the cosine of two such vectors is the
    weighted sum of the parts' cosines, and the Euclidean distance ranks as the cosine does.

    Raises:
        StoreError: a part is missing or damaged, or the parts are not of the same pictures.
    """
    first, second = (store.read(paths.features(data, part)) for part in (spec.first, spec.second))
    if not np.array_equal(first.ids, second.ids):
        raise store.StoreError(
            f"{spec.first} and {spec.second} must have features of the same pictures in one order. "
            f"Received: {len(first.ids)} and {len(second.ids)}. Run their stages again"
        )
    facts = [first.encoder_id, second.encoder_id, spec.share]
    dimension = first.vectors.shape[1] + second.vectors.shape[1]
    parts = (slice(start, start + ROWS) for start in range(0, len(first.ids), ROWS))
    joined = ((list(first.ids[rows]), join(first.vectors[rows], second.vectors[rows], spec.share)) for rows in parts)
    return derived.write(data, name, facts, len(first.ids), dimension, joined)


def join(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """The parts at length 1 and weighted, side by side: (B, D₁), (B, D₂) → (B, D₁ + D₂); zeros stay zeros."""
    return np.concatenate([_part(first, 1 - share), _part(second, share)], axis=1).astype(np.float32)


def _part(vectors: np.ndarray, share: float) -> np.ndarray:
    """A part at length √share; its length is taken in float64, so that joining loses nothing."""
    return share**0.5 * unit(vectors.astype(np.float64))
