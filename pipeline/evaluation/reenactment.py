"""The thesis's experiment done as it was done: one picture, every model, and what lies within each threshold.

Source: thesis sections 4.3 and 5.2. The counts are of other pictures than the query, and with the query counted too:
the thesis does not say which its own are. Case d asks the vectors of one network with those of another.
"""

import itertools

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics, protocols
from pipeline.evaluation.metrics import MAP
from pipeline.retrieval.ranking import Neighbours, in_chunks, search

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NEAREST = 10  # of a query, which two searches may have in common


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


def crossed(vectors: dict[str, FeatureSet], frame: pd.DataFrame, queries: np.ndarray, distance: str) -> pd.DataFrame:
    """Case d: each network's vectors ask its own pictures and, where they have as many numbers, another network's.

    A row for each network that asks and each that answers: mAP by articleType, strict, and a random ranking's; the
    distance of the nearest picture, the least and the median over queries; and how much of the nearest ten each
    network's own search has found too, as a share. A search across takes the numbers for what they are not.

    Args:
        vectors: by encoder.
        queries: positions in the catalogue.
    """
    duplicates, asks = catalog.duplicates(frame), itertools.product(vectors, repeat=2)
    fits = [(one, other) for one, other in asks if vectors[one].vectors.shape[1] == vectors[other].vectors.shape[1]]
    found: dict[tuple[str, str], Neighbours] = {}
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for ask, answer in fits:
        gallery = vectors[answer]
        # under the gallery's name: a search refuses another encoder's vectors, which is what is asked here
        taken = FeatureSet(gallery.ids[queries], vectors[ask].vectors[queries], gallery.encoder_id)
        found[ask, answer] = search(taken, gallery, distance, NEAREST, (duplicates[queries], duplicates))
        precision = protocols.precisions(taken, gallery, frame, queries, [catalog.ARTICLE], distance)[catalog.ARTICLE]
        nearest = found[ask, answer].distances[:, 0]
        rows[ask, answer] = {
            "numbers": gallery.vectors.shape[1],
            MAP: float(np.nanmean(precision)),
            f"random {MAP}": _random(frame, queries),
            "nearest, least": float(nearest.min()),
            "nearest, median": float(np.median(nearest)),
        }
    for pair, own in itertools.product(rows, vectors):
        rows[pair][f"as {own} alone"] = _in_common(found[pair].gallery_ids, found[own, own].gallery_ids)
    return pd.DataFrame(list(rows.values()), pd.MultiIndex.from_tuples(list(rows), names=["queries by", "gallery by"]))


def _in_common(some: np.ndarray, others: np.ndarray) -> float:
    """The mean share of some rows' items (Q, K) that the same row of others has too."""
    return float((some[:, :, None] == others[:, None, :]).any(axis=2).mean())


def _random(frame: pd.DataFrame, queries: np.ndarray) -> float:
    """mAP by articleType that a random ranking has, the query and its duplicates passed over."""
    duplicates, types = catalog.duplicates(frame), catalog.label_codes(frame, catalog.ARTICLE)
    relevant = protocols.strict_relevant(queries, duplicates, {catalog.ARTICLE: types})[catalog.ARTICLE]
    others = len(frame) - np.bincount(duplicates)[duplicates[queries]]
    return float(np.nanmean(metrics.chance_average_precision(relevant, others)))


def reported(verdicts: pd.DataFrame, place: str) -> pd.DataFrame:
    """The thesis's statements at one place beside what was measured: a row each, in the registry's order."""
    found = verdicts[(verdicts["document"] == "001") & (verdicts["place"] == place)]
    return found.set_index("words")[["reported", "verdict", "evidence", "meaning"]]
