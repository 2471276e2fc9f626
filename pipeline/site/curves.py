"""The threshold curve that the study measured for a retrieval, as the page draws it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import params, paths
from pipeline.evaluation import thresholds

STEPS = 100
COLUMNS = ["threshold", "precision", "recall", "F1"]


def file_of(study: params.Study, encoder: str, distance: str) -> Path | None:
    """Where chapter 4 keeps the distances of an encoder's retrieval; None where there is none, or it has not run."""
    names = [name for name, run in study.retrievals.items() if (run.encoder, run.distance) == (encoder, distance)]
    path = paths.distances(study.data.name, names[0]) if names else None
    return path if path and path.exists() else None


def read(path: Path) -> dict[str, Any]:
    """Precision, recall and F1 by distance on the test queries, at `STEPS` steps; `best`: chosen on the train part."""
    counts = pd.read_parquet(path)
    table = thresholds.curve(counts, thresholds.TEST_ALL).dropna()
    steps = table.iloc[np.unique(np.linspace(0, len(table) - 1, STEPS).astype(int))]
    return {
        "best": round(float(thresholds.best(counts)["threshold"].iloc[0]), 6),
        **{name: steps[name].round(5).tolist() for name in COLUMNS},
    }
