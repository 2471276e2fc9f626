"""How many pictures lie within a threshold of a picture: what the thesis counts for one, counted for many.

The picture itself is among them, as it is where a site searches with a picture of its own catalogue. Distances are
below the threshold, as in the thesis ("distance of <18"). Of two thresholds, what lies between is counted.
"""

import re
from typing import Any

import numpy as np
import pandas as pd

from pipeline import paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation.keys import NUMBER, Of, Pattern, key, split
from pipeline.evaluation.protocols import check_same_images
from pipeline.evaluation.tables import Measured
from pipeline.retrieval.ranking import in_chunks

FAMILY = "within"
PICTURES = 2000  # drawn by the seed: a twentieth of Kaggle's, on which the ends of the middle 90 % hardly hang
MIDDLE = ("5 %", "95 %")
QUANTILES = {MIDDLE[0]: 0.05, "25 %": 0.25, "median": 0.5, "75 %": 0.75, MIDDLE[1]: 0.95}
BETWEEN = " to "
SHELL = re.compile(f"{NUMBER.pattern}{BETWEEN}{NUMBER.pattern}")
COLUMNS = ["retrieval", "above", "threshold", *QUANTILES, "mean"]
KEYS: list[Pattern] = [(FAMILY, Of(("retrievals",)), [NUMBER, SHELL], [*QUANTILES, "mean"])]


def measure(data: str, retrievals: dict[str, Any], frame: pd.DataFrame, wanted: list[str], seed: int) -> Measured:
    """How many pictures lie within each threshold that a claim gives, over drawn pictures, the picture among them.

    The table has a row per retrieval and threshold; `above` is 0, or the smaller of the two that a claim gives.

    Args:
        wanted: keys that claims ask for, such as `within/<retrieval>/0.22/5 %`, or `within/<retrieval>/0.15 to 0.2/5 %`
            of those that lie at 0.15 or farther and below 0.2.
    """
    asked = thresholds(wanted)
    rows = catalog.draw(np.arange(len(frame)), PICTURES, seed)
    found: list[dict] = []
    for name in [name for name in asked if name in retrievals]:
        features = store.read(paths.features(data, retrievals[name].encoder))
        check_same_images(features, frame)
        ends = sorted({end for pair in asked[name] for end in pair})
        counted = counts(features.take(rows), features, retrievals[name].distance, ends)
        by_end = dict(zip(ends, counted.T, strict=True))
        for above, threshold in asked[name]:
            between = by_end[threshold] - by_end[above]
            found.append({"retrieval": name, "above": above, "threshold": threshold, **spread(between)})
    values = {
        key(FAMILY, row["retrieval"], named(row["above"], row["threshold"]), what): float(row[what])
        for row in found
        for what in [*QUANTILES, "mean"]
    }
    return Measured(pd.DataFrame(found, columns=COLUMNS), values)


def named(above: float, threshold: float) -> str:
    """What a key calls a threshold, or what lies between two: `0.22`, `0.15 to 0.2`."""
    return BETWEEN.join(f"{end:g}" for end in (above, threshold) if end)


def thresholds(wanted: list[str]) -> dict[str, list[tuple[float, float]]]:
    """By retrieval, the thresholds of this family's keys among some keys, in ascending order.

    Each is a pair, of which the first is 0 where a key gives one alone: no distance is below 0.
    """
    found: dict[str, set[tuple[float, float]]] = {}
    for family, *rest in map(split, wanted):
        if family == FAMILY:
            *above, threshold = map(float, rest[1].split(BETWEEN))
            found.setdefault(rest[0], set()).add((above[0] if above else 0.0, threshold))
    return {name: sorted(some) for name, some in found.items()}


def counts(queries: FeatureSet, gallery: FeatureSet, distance: str, below: list[float]) -> np.ndarray:
    """How many of a gallery lie within each threshold of each query; int32 (Q, K). Never a full (Q, G) matrix."""

    def counted(part: slice, distances: np.ndarray) -> np.ndarray:
        return np.stack([(distances < np.float32(limit)).sum(axis=1) for limit in below], axis=1).astype(np.int32)

    parts = list(in_chunks(queries, gallery, distance, counted))
    return np.concatenate(parts) if parts else np.empty((0, len(below)), np.int32)


def spread(counted: np.ndarray) -> dict[str, float]:
    """The quantiles of `QUANTILES`, each a count that some picture has, and the mean, of counts (Q,)."""
    ends = np.quantile(counted, list(QUANTILES.values()), method="inverted_cdf")
    return {**dict(zip(QUANTILES, ends.astype(float), strict=True)), "mean": float(counted.mean())}
