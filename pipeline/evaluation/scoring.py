"""One retrieval under every protocol: its rankings joined with labels, a row of scores per query and place."""

from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline import params, scale
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import blocks, metrics, thresholds
from pipeline.evaluation.asked import Asked, asked_of
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
from pipeline.evaluation.protocols import View, check_same_images, hits_of
from pipeline.evaluation.thresholds import NOBODYS
from pipeline.params.scale import BLOCKS, HERE
from pipeline.progress import progress
from pipeline.retrieval.ranking import Neighbours, collected, in_chunks, nearest, rank

PART = 1200  # queries of a task: whole dozens, since BLAS multiplies these at once


@dataclass(frozen=True)
class Evaluated:
    """One retrieval, ranked once: the nearest neighbours of the test queries, a row of scores per query, protocol,
    gallery and relevance, and the histogram of distances that thresholds are read from."""

    neighbours: Neighbours
    scores: pd.DataFrame
    distances: pd.DataFrame


def evaluate(
    features: FeatureSet,
    frame: pd.DataFrame,
    distance: str,
    run: params.KnnRetrieval,
    where: params.Scale | None = None,
) -> Evaluated:
    """Every protocol on one encoder's features under one distance; no ranking is kept longer than its chunk.

    Args:
        where: who ranks, and what of the gallery is held; None: what this stage was told. No result depends on it.

    Raises:
        ScaleError: workers that cannot be had.
        ValueError: the catalogue has no test part, or the features are of other images. Before any work.
    """
    check_same_images(features, frame)
    where = where or scale.chosen()
    run = params.KnnRetrieval(**run.model_dump(include=set(params.KnnRetrieval.model_fields)))  # can be sent
    asked = asked_of(features, frame, run)
    with scale.workers(where) as each, scale.shared(asked, where) as given:
        if where.gallery == BLOCKS:
            histogram, judged = _by_blocks(each, given, asked, distance, run, where)
        else:
            histogram = _train_histogram(asked, distance, run)
            step = len(frame) if where.engine == HERE else PART
            judged = _by_queries(each, given, asked, distance, run, _top(histogram), step)
    rows, ids = asked.rows, features.ids
    histogram[thresholds.TEST_ALL], histogram[thresholds.TEST_RIGHT] = np.sum([one.pairs for one in judged], axis=0)
    scores = _by_place([one.tables for one in judged])
    parts = [scores, *(_thesis(features, frame, distance, run, size) for size in _sizes(run, len(frame)))]
    table = pd.concat(parts, ignore_index=True)
    for column in (PROTOCOL, GALLERY, RELEVANCE):
        table[column] = table[column].astype("category")
    return Evaluated(collected(ids[rows], ids, [one.nearest for one in judged]), table, histogram)


class Judged(NamedTuple):
    """What was read off the rankings of some test queries: their nearest, the histogram of their distances, int64
    (2, BINS), and a table of scores per place."""

    nearest: tuple[np.ndarray, np.ndarray]
    pairs: np.ndarray
    tables: list[pd.DataFrame]


def _by_queries(each, given, asked, distance, run, top, step) -> list[Judged]:
    """All test queries, `step` of them a task: whoever has it ranks the whole gallery for each."""
    tasks = [(given, distance, run, top, slice(start, start + step)) for start in range(0, len(asked.rows), step)]
    done = each(_judged, tasks)
    if len(tasks) > 1:  # one alone tells by itself how far it is
        done = progress(done, f"ranking by {distance}", f"x{step} queries", len(tasks))
    return [one for _, some in sorted(done, key=itemgetter(0)) for one in some]


def _judged(given, distance, run, top, part) -> tuple[int, list[Judged]]:
    """Ranks everything once for some test queries, and reads every gallery, relevance and variant off that ranking."""
    asked: Asked = scale.opened(given)
    labels, mine, judged = asked.codes[run.relevances[0]], asked.rows[part], []
    for some, order, distances in rank(asked.features.take(mine), asked.features, distance):
        rows = mine[some]
        pair = asked.duplicates[rows], asked.duplicates
        tables: list[pd.DataFrame] = []
        for view in asked.views:
            asks, weighed = view.asks[rows], asked.graded if view.protocol == STRICT else None
            tables += _scored(order[asks], distances[asks], rows[asks], view, asked.codes, run, weighed)
        counts = thresholds.histogram(distances, pair, (labels[rows], labels), top)
        judged.append(Judged(nearest(order, distances, pair, run.neighbours), np.stack(counts), tables))
    return part.start, judged


def _by_blocks(each, given, asked, distance, run, where) -> tuple[pd.DataFrame, list[Judged]]:
    """The train part's histogram, and all test queries, with no gallery held: what is found is counted span by span."""
    size, chosen = len(asked.learnt), _of_thresholds(asked, run)
    chunks = [chosen[part] for part in blocks.parts(len(chosen), size)]
    every = [(given, distance, rows, span) for rows in chunks for span in blocks.spans(size, len(rows))]
    top = max(each(blocks.furthest, every))
    histogram = _histogram(top, sum(each(blocks.pairs, [(*task, top) for task in every])))
    judged, parts = [], blocks.parts(len(asked.rows), size)
    for part in progress(parts, f"ranking by {distance}, in blocks", "chunks", len(parts)):
        tasks = [(given, distance, part, span) for span in blocks.spans(size, part.stop - part.start)]
        found = blocks.together(list(each(blocks.found, [(*task, run.neighbours, _top(histogram)) for task in tasks])))
        relevant = blocks.relevant(found.keys)
        with scale.shared(relevant, where) as file:
            counted = each(blocks.before, [(*task, file) for task in tasks])
            counts = blocks.added(relevant, counted, len(asked.views))
        tables = []
        for number, view in enumerate(asked.views):  # one after another: what one holds is many times a view's keys
            places = list(blocks.stands(asked, part, relevant, counts, number))
            tables += _counted(asked, asked.rows[part], view, run, found.wrong, places)
        judged.append(Judged((found.positions, found.values), found.pairs, tables))
    return histogram, judged


def _counted(asked, rows, view, run, wrong, places) -> list[pd.DataFrame]:
    """As `_scored`, of where the relevant items of some queries stand in a view."""
    asks, tables = np.flatnonzero(view.asks[rows]), []
    mine, stand, sizes = rows[asks], [places[at] for at in asks], np.array([places[at].size for at in asks], np.int64)
    for relevance in view.relevances:
        labels = asked.codes[relevance]
        hits = np.zeros((len(mine), len(labels)), bool)
        for row, own, one in zip(mine, hits, stand, strict=True):
            own[one.ranks[(labels[one.positions] == labels[row]) & (labels[row] >= 0)]] = True
        before = np.minimum(np.where(hits.all(axis=1), len(labels), hits.argmin(axis=1)), sizes)
        tables.append(_hit_table(mine, view, sizes, relevance, hits, run, (wrong[asks], before)))
    if asked.graded is not None and view.protocol == STRICT:
        weights = np.array(list(run.gains.values()), np.float32)
        gains = np.zeros((len(mine), len(asked.graded)), np.float32)
        for row, own, one in zip(mine, gains, stand, strict=True):
            order, every = one.positions[None].astype(np.int32), np.array([len(one.positions)])
            own[one.ranks] = metrics.graded_gains(order, asked.graded[[row]], asked.graded, weights, every)[0]
        tables.append(_table(mine, view, sizes, GRADED, _graded(gains, sizes, run.gain_cutoffs)))
    return tables


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
    """A row of scores per query of a chunk, for each relevance of a view.

    `graded`: the labels whose agreement is weighed (G, L), for a view that graded metrics are taken of.
    """
    tables = []
    for relevance, hits, remaining, counts in hits_of(order, rows, view, codes):
        miss = thresholds.first_miss(distances, remaining, hits, counts) if _is_first(view, relevance, run) else None
        tables.append(_hit_table(rows, view, counts, relevance, hits, run, miss))
    if graded is not None:
        weights = np.array(list(run.gains.values()), np.float32)
        gains = metrics.graded_gains(remaining, graded[rows], graded, weights, counts)
        tables.append(_table(rows, view, counts, GRADED, _graded(gains, counts, run.gain_cutoffs)))
    return tables


def _hit_table(rows, view, counts, relevance, hits, run, miss) -> pd.DataFrame:
    """A row of scores per query; `miss`: its first wrong neighbour's distance, and how many stand before it."""
    relevant = hits.sum(axis=1)
    values = {RELEVANT: relevant}
    values |= {name: metric.value(hits, relevant, k) for name, metric, k in metrics.columns(run.cutoffs)}
    if _is_first(view, relevance, run):
        values[FIRST_MISS], values[BEFORE_MISS] = miss
    return _table(rows, view, counts, relevance, values)


def _is_first(view, relevance, run) -> bool:
    """Whether thresholds are read from this protocol, gallery and relevance."""
    return (view.protocol, view.gallery, relevance) == (STRICT, run.galleries[0], run.relevances[0])


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


def _train_histogram(asked, distance, run) -> pd.DataFrame:
    """The distances from some train images to all others of the train part, in steps of their range."""
    chosen, labels, learnt = _of_thresholds(asked, run), asked.codes[run.relevances[0]], asked.learnt != NOBODYS
    queries, gallery = asked.features.take(chosen), asked.features
    # all others answer as well, and are passed over: the train part by itself would be one more copy of the features.
    # Twice over the pairs: kept for the second look, they would be a matrix that grows with the gallery
    top = max(in_chunks(queries, gallery, distance, lambda _, distances: float(distances.max(where=learnt, initial=0))))

    def counted(part: slice, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = chosen[part]
        return thresholds.histogram(distances, (asked.learnt[rows], asked.learnt), (labels[rows], labels), top)

    return _histogram(top, np.sum(list(in_chunks(queries, gallery, distance, counted)), axis=0))


def _of_thresholds(asked, run) -> np.ndarray:
    """The train images whose distances choose the threshold, by their positions."""
    train = np.flatnonzero(asked.learnt != NOBODYS)
    return train[catalog.draw_apart(np.arange(len(train)), run.threshold_queries, run.seed)]


def _histogram(top: float, counts: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            thresholds.DISTANCE: thresholds.steps(top),
            thresholds.TRAIN_ALL: counts[0],
            thresholds.TRAIN_RIGHT: counts[1],
        }
    )


def _top(histogram: pd.DataFrame) -> float:
    """The end of a histogram's last step."""
    return float(histogram[thresholds.DISTANCE].iloc[-1])


def _sizes(run: params.KnnRetrieval, images: int) -> list[int]:
    """The sizes of the thesis protocol that this catalogue has images for; all of them where none fits."""
    return [size for size in sorted(run.thesis_sizes) if size <= images] or [images]
