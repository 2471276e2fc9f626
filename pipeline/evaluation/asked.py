"""All that test queries are asked and judged with, as arrays that a worker can map from disk."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation.protocols import View, views_of
from pipeline.evaluation.thresholds import NOBODYS


class Asked(NamedTuple):
    """All that test queries are asked and judged with, as arrays, so that a worker can map them from disk.

    `features`: of all images, whose ids are their positions. `rows`: the queries' positions (Q,). `duplicates`: a
    number per image (G,). `learnt`: the same of the train part, and `NOBODYS` elsewhere. `codes`: labels by relevance
    (G,). `graded`: labels whose agreement is weighed (G, L), where any is.
    """

    features: FeatureSet
    rows: np.ndarray
    duplicates: np.ndarray
    learnt: np.ndarray
    views: list[View]
    codes: dict[str, np.ndarray]
    graded: np.ndarray | None


def asked_of(features: FeatureSet, frame: pd.DataFrame, run: params.KnnRetrieval) -> Asked:
    """What the test part of a catalogue asks."""
    duplicates, train = catalog.duplicates(frame), catalog.rows_of(frame, catalog.TRAIN)
    graded = [catalog.label_codes(frame, column) for column in run.gains]
    return Asked(
        FeatureSet(np.arange(len(frame)), features.vectors, features.encoder_id),
        catalog.rows_of(frame, catalog.TEST),
        duplicates,
        np.where(np.isin(np.arange(len(frame)), train), duplicates, NOBODYS),
        views_of(frame, run.relevances, run.galleries),
        {relevance: catalog.label_codes(frame, relevance) for relevance in run.relevances},
        np.stack(graded, axis=1) if graded else None,
    )
