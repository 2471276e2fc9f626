"""Labels joined with full rankings: who asks, who answers, what is relevant, and what is left out.

Strict: test queries; gallery `all` or `test`; the query and every picture with the query's bytes are removed.
Temporal: the strict queries of odd years against the pictures of even years.
Thesis: a seeded subset is queries and gallery at once, with the query left in. It shows what the thesis most likely
measured: a query that finds itself makes Recall@1 = 1.0 for every model. The same without the query stands beside it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics, thresholds
from pipeline.retrieval.index import Neighbours, collected, nearest, rank

PROTOCOL, GALLERY, RELEVANCE, QUERY = "protocol", "gallery", "relevance", "query"
STRICT, THESIS, QUERY_OUT = "strict", "thesis", "thesis, query out"
COPIES_IN, PRODUCT_OUT, TEMPORAL = "strict, copies left in", "strict, whole product out", "temporal"
EVEN_YEARS, GRADED = "even years", "graded"
AP, AP_1000, RELEVANT, SIZE, COPIES = "AP", "AP@1000", "relevant", "size", "copies"
FIRST_MISS, BEFORE_MISS = "first_miss", "before_miss"


@dataclass(frozen=True)
class Judged:
    """One retrieval, ranked once: the nearest neighbours of the test queries, a row of scores per query, protocol,
    gallery and relevance, and the histogram of distances that thresholds are read from."""

    neighbours: Neighbours
    scores: pd.DataFrame
    distances: pd.DataFrame


def judge(features: FeatureSet, frame: pd.DataFrame, distance: str, run: params.KnnRetrieval) -> Judged:
    """Every protocol on one encoder's features under one distance; no ranking is kept longer than its chunk.

    Raises:
        ValueError: the catalogue has no test part, or the features are of other pictures. Before any work.
    """
    check_same_pictures(features, frame)
    histogram = _train_histogram(features, frame, distance, run)
    neighbours, scores, counts = _strict(features, frame, distance, run, float(histogram[thresholds.DISTANCE].iloc[-1]))
    histogram[thresholds.TEST_ALL], histogram[thresholds.TEST_RIGHT] = counts
    parts = [scores, *(_thesis(features, frame, distance, run, size) for size in _sizes(run, len(frame)))]
    table = pd.concat(parts, ignore_index=True)
    for column in (PROTOCOL, GALLERY, RELEVANCE):
        table[column] = table[column].astype("category")
    return Judged(neighbours, table, histogram)


def check_same_pictures(features: FeatureSet, frame: pd.DataFrame) -> None:
    """Raises ValueError unless features and catalogue hold the same pictures and some of them are for testing."""
    if features.ids.tolist() != frame[catalog.ID].tolist():
        raise ValueError(f"features and catalogue hold different pictures: {len(features.ids)} and {len(frame)}. "
                         "Run feature_extraction again")  # fmt: skip
    if not (frame[catalog.SPLIT] == catalog.TEST).any():
        raise ValueError("the catalogue has no test part: it needs pictures of two products or more")


def precisions(queries: FeatureSet, gallery: FeatureSet, frame: pd.DataFrame, rows: np.ndarray, relevance: str,
               distance: str = "cosine") -> np.ndarray:  # fmt: skip
    """AP of some queries against everything under the strict protocol; (Q,). `rows`: the queries' positions."""
    codes, copies = catalog.label_codes(frame, relevance), copies_of(frame)[:, None]
    everything = np.ones(len(frame), bool)
    values = np.empty(len(rows))
    for part, order, _ in rank(queries, gallery, distance):
        inside, found = metrics.seen(order, copies[rows[part]], copies, everything)
        hits = metrics.relevant_hits(inside, codes[rows[part]], codes, found)
        values[part] = metrics.average_precision(hits, hits.sum(axis=1))
    return values


def copies_of(frame: pd.DataFrame) -> np.ndarray:
    """A number per picture, equal where the bytes are equal; int64 (G,). A picture is a copy of itself."""
    return pd.factorize(frame[catalog.SHA256])[0].astype(np.int64)


def products_of(frame: pd.DataFrame) -> np.ndarray:
    """A number per picture, equal under one display name; a picture without a name is a product of its own; (G,)."""
    codes = catalog.label_codes(frame, "product").astype(np.int64)
    return np.where(codes < 0, len(frame) + np.arange(len(frame)), codes)


def label_names(frame: pd.DataFrame, relevance: str) -> np.ndarray:
    """What a relevance's labels are called, one per picture; blank where one is missing."""
    columns = [catalog.PRODUCT] if relevance == "product" else relevance.split("+")
    text = frame[columns].fillna("").astype(str)
    return text.agg(" · ".join, axis=1).to_numpy() if len(columns) > 1 else text[columns[0]].to_numpy()


def _strict(features, frame, distance, run, top) -> tuple[Neighbours, pd.DataFrame, tuple[np.ndarray, np.ndarray]]:
    """Ranks everything once per test query and reads every gallery, relevance and variant off that ranking."""
    is_test = (frame[catalog.SPLIT] == catalog.TEST).to_numpy()
    asking = np.flatnonzero(is_test)
    everything = np.ones(len(frame), bool)
    even = (frame[catalog.TEMPORAL_SPLIT] == catalog.TRAIN).fillna(False).to_numpy(bool)
    odd = (frame[catalog.TEMPORAL_SPLIT] == catalog.TEST).fillna(False).to_numpy(bool)
    codes = {relevance: catalog.label_codes(frame, relevance) for relevance in run.relevances}
    first = run.relevances[:1]
    copies, single = copies_of(frame), np.arange(len(frame))
    graded = np.stack([catalog.label_codes(frame, column) for column in run.gains], axis=1) if run.gains else None
    members = {gallery: everything if gallery == "all" else is_test for gallery in run.galleries}
    bytes_, both = copies[:, None], np.stack([copies, products_of(frame)], axis=1)
    views = [(STRICT, gallery, bytes_, member, run.relevances) for gallery, member in members.items()]
    views += [(COPIES_IN, "all", single[:, None], everything, first), (PRODUCT_OUT, "all", both, everything, first),
              (TEMPORAL, EVEN_YEARS, bytes_, even, first), (TEMPORAL, "all", bytes_, everything, first)]  # fmt: skip
    parts, found_nearest, counts = [], [], np.zeros((2, thresholds.BINS), np.int64)
    for part, order, distances in rank(features.take(asking), features, distance):
        rows = asking[part]
        found_nearest.append(nearest(order, distances, (copies[rows], copies), run.neighbours))
        labels = codes[first[0]]
        counts += thresholds.histogram(distances, (copies[rows], copies), (labels[rows], labels), top)
        for protocol, gallery, skip, member, relevances in views:
            inside, found = metrics.seen(order, skip[rows], skip, member)
            place = {QUERY: rows.astype(np.int32), COPIES: (member.sum() - found).astype(np.int32), SIZE: found,
                     PROTOCOL: protocol, GALLERY: gallery}  # fmt: skip
            for relevance in relevances:
                hits = metrics.relevant_hits(inside, codes[relevance][rows], codes[relevance], found)
                values = _values(hits, run.cutoffs)
                if protocol == STRICT and gallery == run.galleries[0] and relevance == first[0]:
                    miss, before = thresholds.first_miss(distances, inside, hits, found)
                    values |= {FIRST_MISS: miss, BEFORE_MISS: before}
                table = pd.DataFrame({**place, RELEVANCE: relevance, **values})
                parts.append(table[odd[rows]] if protocol == TEMPORAL else table)
            if protocol == STRICT and graded is not None:
                parts.append(pd.DataFrame({**place, RELEVANCE: GRADED, **_graded(inside, found, graded, rows, run)}))
    neighbours = collected(features.ids[asking], features.ids, found_nearest)
    return neighbours, pd.concat(parts, ignore_index=True), (counts[0], counts[1])


def _thesis(features, frame, distance, run, size) -> pd.DataFrame:
    """A seeded subset as queries and gallery at once, with the query in the gallery and without it."""
    chosen = np.sort(np.random.default_rng(run.seed).permutation(len(frame))[:size])
    subset, labels = features.take(chosen), catalog.label_codes(frame, run.relevances[0])[chosen]
    nobody, itself = np.full((size, 1), -1), np.arange(size)[:, None]
    everything, parts = np.ones(size, bool), []
    for part, order, _ in rank(subset, subset, distance):
        for protocol, skip in ((THESIS, nobody), (QUERY_OUT, itself)):
            inside, found = metrics.seen(order, skip[part], itself, everything)
            hits = metrics.relevant_hits(inside, labels[part], labels, found)
            parts.append(pd.DataFrame({
                QUERY: chosen[part].astype(np.int32), COPIES: (size - found).astype(np.int32), SIZE: found,
                PROTOCOL: protocol, GALLERY: str(size), RELEVANCE: run.relevances[0], **_values(hits, run.cutoffs),
            }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _train_histogram(features, frame, distance, run) -> pd.DataFrame:
    """The distances from some train pictures to all others of the train part, in steps of their range."""
    train = np.flatnonzero((frame[catalog.SPLIT] == catalog.TRAIN).to_numpy())
    copies, labels = copies_of(frame)[train], catalog.label_codes(frame, run.relevances[0])[train]
    gallery = features.take(train)
    count = min(run.threshold_queries, len(train))
    chosen = np.sort(np.random.default_rng(run.seed).choice(len(train), count, replace=False))
    found = [(part, distances) for part, _, distances in rank(gallery.take(chosen), gallery, distance)]
    top = max(float(distances.max()) for _, distances in found)
    counts = np.zeros((2, thresholds.BINS), np.int64)
    for part, distances in found:
        rows = chosen[part]
        counts += thresholds.histogram(distances, (copies[rows], copies), (labels[rows], labels), top)
    return pd.DataFrame({thresholds.DISTANCE: thresholds.steps(top), thresholds.TRAIN_ALL: counts[0],
                         thresholds.TRAIN_RIGHT: counts[1]})  # fmt: skip


def _values(hits: np.ndarray, cutoffs: list[int]) -> dict[str, np.ndarray]:
    relevant = hits.sum(axis=1)
    values = {
        RELEVANT: relevant,
        AP: metrics.average_precision(hits, relevant),
        AP_1000: metrics.average_precision(hits, relevant, 1000),
    }
    for k in cutoffs:
        values[f"hit@{k}"] = metrics.hit_at(hits, relevant, k)
        values[f"recall@{k}"] = metrics.recall_at(hits, relevant, k)
        values[f"precision@{k}"] = metrics.precision_at(hits, relevant, k)
    return values


def _graded(inside, found, labels, rows, run) -> dict[str, np.ndarray]:
    """nDCG by the stated gains, and its chance level beside it."""
    weights = np.array(list(run.gains.values()), np.float32)
    gains = metrics.graded_gains(inside, labels[rows], labels, weights, found)
    values: dict[str, np.ndarray] = {RELEVANT: (gains > 0).sum(axis=1)}
    for k in run.gain_cutoffs:
        values[f"nDCG@{k}"] = metrics.ndcg_at(gains, k)
        values[f"chance nDCG@{k}"] = metrics.chance_ndcg_at(gains, found, k)
    return values


def _sizes(run: params.KnnRetrieval, pictures: int) -> list[int]:
    """The sizes of the thesis protocol that this catalogue has pictures for; all of them where none fits."""
    return [size for size in sorted(run.thesis_sizes) if size <= pictures] or [pictures]
