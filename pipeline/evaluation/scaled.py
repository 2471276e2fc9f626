"""Distances between features that are brought to 0 to 1, which the thesis's ranges of distances speak of.

"When the features are roughly in the range of 0-1" the Euclidean distance is to be 10 to 20, Manhattan's 200 to 400
(section 4.3 a, c). It gives no scaling; here there are two: every feature divided by the largest value of all, or by
the value that 99 % of them do not exceed, and what exceeds it cut off. One number divides all features.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline import paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.evaluation.keys import Of, Pattern, key, split
from pipeline.evaluation.tables import Measured
from pipeline.retrieval.distances import DISTANCES

FAMILY = "scaled"
PICTURES = 2000  # drawn by the seed, each with every other
SCALES = {"99 percent": 0.99, "largest": 1.0}  # which value becomes 1
QUANTILES = {"5 %": 0.05, "median": 0.5, "95 %": 0.95}
KEYS: list[Pattern] = [(FAMILY, Of(("encoders",)), list(SCALES), list(DISTANCES), list(QUANTILES))]


def measure(data: str, encoders: list[str], frame: pd.DataFrame, wanted: list[str], seed: int) -> Measured:
    """The distances of two pictures for the encoders and distances that claims ask for, features from 0 to 1.

    Args:
        encoders: those whose features there are.
        wanted: keys that claims ask for, such as `scaled/<encoder>/99 percent/euclidean/median`.
    """
    asked = dict.fromkeys((parts[1], parts[3]) for parts in map(split, wanted) if parts[0] == FAMILY)
    rows: list[dict[str, Any]] = []
    for encoder, distance in [one for one in asked if one[0] in encoders]:
        vectors = store.read(paths.features(data, encoder)).vectors
        chosen = vectors[catalog.draw(np.arange(len(frame)), PICTURES, seed)]
        for scale, share in SCALES.items():
            found = pairs(from_0_to_1(chosen, share), distance)
            ends = dict(zip(QUANTILES, np.quantile(found, list(QUANTILES.values())).astype(float), strict=True))
            rows.append({"encoder": encoder, "scale": scale, "distance": distance, **ends})
    values = {
        key(FAMILY, row["encoder"], row["scale"], row["distance"], what): row[what]
        for row in rows
        for what in QUANTILES
    }
    return Measured(pd.DataFrame(rows, columns=["encoder", "scale", "distance", *QUANTILES]), values)


def from_0_to_1(vectors: np.ndarray, share: float) -> np.ndarray:
    """Features (N, D) divided by the value that `share` of them do not exceed, and cut off at 0 and 1; float32."""
    most = np.quantile(vectors, share, method="inverted_cdf")
    return np.clip(vectors / max(float(most), 1e-12), 0, 1).astype(np.float32)


def pairs(vectors: np.ndarray, distance: str) -> np.ndarray:
    """The distances of every two of some vectors (N, D), each pair once; (N · (N − 1) / 2,)."""
    return DISTANCES[distance](vectors, vectors)[np.triu_indices(len(vectors), 1)]
