"""The thesis's experiment done as it was done: one picture, every model, and what lies within each threshold.

Source: thesis sections 4.3 and 5.2. The counts are of other pictures than the query, and with the query counted too:
the thesis does not say which its own are.
"""

import itertools

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.retrieval.ranking import in_chunks

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def within(features: FeatureSet, frame: pd.DataFrame, model: params.ThesisModel, distance: str, queries: np.ndarray):
    """A row per query and threshold: how many other pictures are nearer, and how many of them have the query's type.

    A cosine threshold is a similarity, as the thesis gives it: above it is near.

    Args:
        queries: positions in the catalogue.
    """
    types = catalog.label_codes(frame, catalog.ARTICLE)
    limits = [1 - step.threshold if distance == "cosine" else step.threshold for step in model.within]
    itself = queries, np.arange(len(frame))  # which is no other picture

    def counted(part: slice, far: np.ndarray) -> np.ndarray:
        same = (types[queries[part], None] == types) & (types >= 0)
        near = [[(far <= limit).sum(axis=1), ((far <= limit) & same).sum(axis=1)] for limit in limits]
        return np.array(near).reshape(len(limits), 2, len(far)).transpose(2, 0, 1)

    found = in_chunks(features.take(queries), features, distance, counted, itself)
    rows = [
        (frame[catalog.ID].iloc[query], step.threshold, int(others), int(right), step.images)
        for query, counts in zip(queries, itertools.chain.from_iterable(found), strict=True)
        for step, (others, right) in zip(model.within, counts, strict=True)
    ]
    return pd.DataFrame(rows, columns=["query", "threshold", "others", "right", "reported"])


def spread(counts: pd.DataFrame) -> pd.DataFrame:
    """A row per threshold: quantiles of the counts over queries, and whether the thesis's count is in the middle nine
    tenths, taken for others alone and for others with the query itself."""
    rows = {}
    for threshold, group in counts.groupby("threshold", sort=False):
        places = group["others"].quantile(list(QUANTILES)).round(0).astype(int)
        low, high, reported = places.iloc[0], places.iloc[-1], group["reported"].iloc[0]
        rows[threshold] = {
            **{f"{quantile:.0%}": value for quantile, value in places.items()},
            "reported": reported,
            "as others": low <= reported <= high,
            "with the query": low <= reported - 1 <= high,
        }
    return pd.DataFrame(rows).T.rename_axis("threshold")


def reported(verdicts: pd.DataFrame, place: str) -> pd.DataFrame:
    """The thesis's statements at one place beside what was measured: a row each, in the registry's order."""
    return at(verdicts, place).set_index("words")[["reported", "verdict", "evidence", "meaning"]]


def at(verdicts: pd.DataFrame, place: str) -> pd.DataFrame:
    """The verdicts on the thesis's statements at one place, and on what substitutes were asked of them."""
    return verdicts[(verdicts["document"] == "001") & (verdicts["place"] == place)]
