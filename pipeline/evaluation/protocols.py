"""Labels joined with full rankings: who asks, who answers, what is relevant, and what is left out.

Strict: test queries; gallery `all` or `test`; the query and every image with the query's bytes are removed.
Temporal: the strict queries of odd years whose group no even year has, against the images of even years.
Thesis: a seeded subset is queries and gallery at once, with the query left in. It shows what the thesis most likely
measured: a query that finds itself makes Recall@1 = 1.0 for every model. The same without the query stands beside it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics
from pipeline.evaluation.names import ALL, COPIES_IN, EVEN_YEARS, PRODUCT_OUT, STRICT, TEMPORAL
from pipeline.retrieval.ranking import rank


class View(NamedTuple):
    """One protocol and gallery: an image whose code is its query's, in the same column, cannot be found."""

    protocol: str
    gallery: str
    query_codes: np.ndarray  # (G, L)
    gallery_codes: np.ndarray  # (G, L)
    member: np.ndarray  # bool (G,)
    relevances: list[str]


def check_same_images(features: FeatureSet, frame: pd.DataFrame) -> None:
    """Raises ValueError unless features and catalogue hold the same images and some of them are for testing."""
    if features.ids.tolist() != frame[catalog.ID].tolist():
        raise ValueError(
            f"features and catalogue hold different pictures: {len(features.ids)} and {len(frame)}. "
            "Run feature_extraction again"
        )
    if not len(catalog.rows_of(frame, catalog.TEST)):
        raise ValueError("the catalogue has no test part: it needs pictures of two products or more")


def precisions(
    queries: FeatureSet,
    gallery: FeatureSet,
    frame: pd.DataFrame,
    rows: np.ndarray,
    relevances: list[str],
    distance: str = "cosine",
) -> dict[str, np.ndarray]:
    """AP of some queries against everything under the strict protocol, by relevance; (Q,) each.

    Args:
        rows: the queries' positions in the catalogue (Q,).
    """
    codes = {relevance: catalog.label_codes(frame, relevance) for relevance in relevances}
    duplicates = catalog.duplicates(frame)
    parts = [
        strict_precisions(order, rows[part], duplicates, codes) for part, order, _ in rank(queries, gallery, distance)
    ]
    return {relevance: np.concatenate([part[relevance] for part in parts]) for relevance in relevances}


def strict_precisions(
    order: np.ndarray, rows: np.ndarray, duplicates: np.ndarray, codes: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """AP by relevance of rankings of everything, once each query and its duplicates are passed over; (Q,) each.

    Args:
        order: int32 (Q, G), nearest first.
        rows: the queries' positions in the gallery (Q,).
        duplicates: a number per image (G,), as `catalog.duplicates` gives it.
        codes: labels by relevance (G,), as `catalog.label_codes` gives them.
    """
    labels = np.stack(list(codes.values()), axis=1)
    values = metrics.average_precisions(order, duplicates[rows], duplicates, labels[rows], labels)
    return dict(zip(codes, values.T, strict=True))


def hits_of(
    order: np.ndarray, rows: np.ndarray, view: View, codes: dict[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """From a ranking to its hits: for each relevance of a view its name, bool (Q, G) hits, and what is left of the
    ranking, int32 (Q, G), with how many ranks count (Q,).

    Args:
        order: int32 (Q, G), nearest first. rows: the queries' positions in the gallery (Q,).
        codes: labels by relevance (G,).
    """
    remaining, counts = metrics.exclude(order, view.query_codes[rows], view.gallery_codes, view.member)
    for relevance in view.relevances:
        labels = codes[relevance]
        yield relevance, metrics.relevant_hits(remaining, labels[rows], labels, counts), remaining, counts


def views_of(frame: pd.DataFrame, run: params.KnnRetrieval) -> list[View]:
    """What is read off one ranking of everything: the strict protocol on each gallery, and its variants."""
    everything, single = np.ones(len(frame), bool), np.arange(len(frame))[:, None]
    is_test = (frame[catalog.SPLIT] == catalog.TEST).to_numpy()
    even = (frame[catalog.TEMPORAL_SPLIT] == catalog.TRAIN).fillna(False).to_numpy(bool)
    bytes_, first = catalog.duplicates(frame)[:, None], run.relevances[:1]
    both = np.concatenate([bytes_, catalog.products(frame)[:, None]], axis=1)
    galleries = {gallery: everything if gallery == ALL else is_test for gallery in run.galleries}
    strict = [View(STRICT, gallery, bytes_, bytes_, member, run.relevances) for gallery, member in galleries.items()]
    return [
        *strict,
        View(COPIES_IN, ALL, single, single, everything, first),
        View(PRODUCT_OUT, ALL, both, both, everything, first),
        View(TEMPORAL, EVEN_YEARS, bytes_, bytes_, even, first),
        View(TEMPORAL, ALL, bytes_, bytes_, everything, first),
    ]
