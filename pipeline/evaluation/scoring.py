"""One retrieval under every protocol: its rankings joined with labels, a row of scores per query and place."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics, thresholds
from pipeline.evaluation.names import (
    BEFORE_MISS,
    CHANCE_OF,
    COPIES,
    FIRST_MISS,
    GALLERY,
    GRADED,
    PROTOCOL,
    QUERY,
    QUERY_OUT,
    RELEVANCE,
    RELEVANT,
    SIZE,
    STRICT,
    THESIS,
)
from pipeline.evaluation.protocols import View, check_same_images, hits_of, views_of
from pipeline.retrieval.ranking import Neighbours, collected, nearest, rank


@dataclass(frozen=True)
class Evaluated:
    """One retrieval, ranked once: the nearest neighbours of the test queries, a row of scores per query, protocol,
    gallery and relevance, and the histogram of distances that thresholds are read from."""

    neighbours: Neighbours
    scores: pd.DataFrame
    distances: pd.DataFrame


def evaluate(features: FeatureSet, frame: pd.DataFrame, distance: str, run: params.KnnRetrieval) -> Evaluated:
    """Every protocol on one encoder's features under one distance; no ranking is kept longer than its chunk.

    Raises:
        ValueError: the catalogue has no test part, or the features are of other images. Before any work.
    """
    check_same_images(features, frame)
    histogram = _train_histogram(features, frame, distance, run)
    neighbours, scores, counts = _strict(features, frame, distance, run, float(histogram[thresholds.DISTANCE].iloc[-1]))
    histogram[thresholds.TEST_ALL], histogram[thresholds.TEST_RIGHT] = counts
    parts = [scores, *(_thesis(features, frame, distance, run, size) for size in _sizes(run, len(frame)))]
    table = pd.concat(parts, ignore_index=True)
    for column in (PROTOCOL, GALLERY, RELEVANCE):
        table[column] = table[column].astype("category")
    return Evaluated(neighbours, table, histogram)


def _strict(features, frame, distance, run, top) -> tuple[Neighbours, pd.DataFrame, tuple[np.ndarray, np.ndarray]]:
    """Ranks everything once per test query and reads every gallery, relevance and variant off that ranking."""
    asking, duplicates = catalog.rows_of(frame, catalog.TEST), catalog.duplicates(frame)
    views = views_of(frame, run.relevances, run.galleries)
    codes = {relevance: catalog.label_codes(frame, relevance) for relevance in run.relevances}
    graded = np.stack([catalog.label_codes(frame, column) for column in run.gains], axis=1) if run.gains else None
    labels = codes[run.relevances[0]]
    parts, nearest_of_parts, counts = [], [], np.zeros((2, thresholds.BINS), np.int64)
    for part, order, distances in rank(features.take(asking), features, distance):
        rows = asking[part]
        pair = duplicates[rows], duplicates
        nearest_of_parts.append(nearest(order, distances, pair, run.neighbours))
        counts += thresholds.histogram(distances, pair, (labels[rows], labels), top)
        tables: list[pd.DataFrame] = []
        for view in views:
            asks, weighed = view.asks[rows], graded if view.protocol == STRICT else None
            tables += _scored(order[asks], distances[asks], rows[asks], view, codes, run, weighed)
        parts.append(tables)
    neighbours = collected(features.ids[asking], features.ids, nearest_of_parts)
    return neighbours, _by_place(parts), (counts[0], counts[1])


def _thesis(features, frame, distance, run, size) -> pd.DataFrame:
    """A seeded subset as queries and gallery at once, with the query in the gallery and without it."""
    chosen = catalog.draw(np.arange(len(frame)), size, run.seed)
    subset, first = features.take(chosen), run.relevances[0]
    codes = {first: catalog.label_codes(frame, first)[chosen]}
    nobody, itself, everything = np.full((size, 1), -1), np.arange(size)[:, None], np.ones(size, bool)
    views = [
        View(THESIS, str(size), nobody, itself, everything, [first], everything),
        View(QUERY_OUT, str(size), itself, itself, everything, [first], everything),
    ]
    parts = [
        [
            table.assign(**{QUERY: chosen[part].astype(np.int32)})
            for view in views
            for table in _scored(order, distances, np.arange(size)[part], view, codes, run)
        ]
        for part, order, distances in rank(subset, subset, distance)
    ]
    return _by_place(parts)


def _by_place(parts: list[list[pd.DataFrame]]) -> pd.DataFrame:
    """The tables of all chunks, each chunk with one per place, as one: place after place, whatever the chunks were."""
    return pd.concat([table for place in zip(*parts, strict=True) for table in place], ignore_index=True)


def _scored(order, distances, rows, view, codes, run, graded=None) -> list[pd.DataFrame]:
    """A row of scores per query of a chunk, for each relevance of a view; first misses where thresholds are read.

    `graded`: the labels whose agreement is weighed (G, L), for a view that graded metrics are taken of.
    """
    tables = []
    for relevance, hits, remaining, counts in hits_of(order, rows, view, codes):
        relevant = hits.sum(axis=1)
        values = {RELEVANT: relevant}
        values |= {name: metric.value(hits, relevant, k) for name, metric, k in metrics.columns(run.cutoffs)}
        if (view.protocol, view.gallery, relevance) == (STRICT, run.galleries[0], run.relevances[0]):
            values[FIRST_MISS], values[BEFORE_MISS] = thresholds.first_miss(distances, remaining, hits, counts)
        tables.append(_table(rows, view, counts, relevance, values))
    if graded is not None:
        weights = np.array(list(run.gains.values()), np.float32)
        gains = metrics.graded_gains(remaining, graded[rows], graded, weights, counts)
        tables.append(_table(rows, view, counts, GRADED, _graded(gains, counts, run.gain_cutoffs)))
    return tables


def _graded(gains: np.ndarray, counts: np.ndarray, cutoffs: list[int]) -> dict[str, np.ndarray]:
    """Scores by the stated gains, and beside each its chance level."""
    values: dict[str, np.ndarray] = {RELEVANT: (gains > 0).sum(axis=1)}
    for name, metric, k in metrics.columns(cutoffs, graded=True):
        values[name] = metric.value(gains, k)
        values[f"{CHANCE_OF}{name}"] = metric.chance(gains, counts, k)
    return values


def _table(rows, view, counts, relevance, values) -> pd.DataFrame:
    return pd.DataFrame(
        {
            QUERY: rows.astype(np.int32),
            COPIES: (view.member.sum() - counts).astype(np.int32),
            SIZE: counts,
            PROTOCOL: view.protocol,
            GALLERY: view.gallery,
            RELEVANCE: relevance,
            **values,
        }
    )


def _train_histogram(features, frame, distance, run) -> pd.DataFrame:
    """The distances from some train images to all others of the train part, in steps of their range."""
    train = catalog.rows_of(frame, catalog.TRAIN)
    duplicates, labels = catalog.duplicates(frame)[train], catalog.label_codes(frame, run.relevances[0])[train]
    gallery, chosen = features.take(train), catalog.draw_apart(np.arange(len(train)), run.threshold_queries, run.seed)
    ranked = [(part, distances) for part, _, distances in rank(gallery.take(chosen), gallery, distance)]
    top = max(float(distances.max()) for _, distances in ranked)
    counts = np.zeros((2, thresholds.BINS), np.int64)
    for part, distances in ranked:
        rows = chosen[part]
        counts += thresholds.histogram(distances, (duplicates[rows], duplicates), (labels[rows], labels), top)
    return pd.DataFrame(
        {
            thresholds.DISTANCE: thresholds.steps(top),
            thresholds.TRAIN_ALL: counts[0],
            thresholds.TRAIN_RIGHT: counts[1],
        }
    )


def _sizes(run: params.KnnRetrieval, images: int) -> list[int]:
    """The sizes of the thesis protocol that this catalogue has images for; all of them where none fits."""
    return [size for size in sorted(run.thesis_sizes) if size <= images] or [images]
