"""The exam as product names alone take it: no picture is looked at. What an encoder has to beat where names are known.

"Same listing" is then no question, since a listing is all pictures of one name. An uploaded photo has no name.
"""

import numpy as np
import pandas as pd

from pipeline.data import catalog, name_vectors
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics, protocols, statistics
from pipeline.evaluation.exam import COLUMNS, QUESTIONS
from pipeline.evaluation.names import ALL, ENCODER, TEST
from pipeline.evaluation.tables import CHANCE, HIGH, LOW, VALUE
from pipeline.retrieval.ranking import rank

NAMES = "product names"
DIMENSION = 384  # singular values of the names' TF-IDF


def table(frame: pd.DataFrame, asked: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """The exam's rows of the names: a row per question that was asked, but for the same listing; none without names.

    Args:
        asked: as `exam.table` gives it; its chance levels are the names' too.
        resamples, seed: as for the encoders.
    """
    chances = asked.groupby("question", sort=False)[CHANCE].first()
    questions = {name: QUESTIONS[name] for name in chances.index if QUESTIONS[name][2] != "product"}
    vectors = name_vectors.embedded(frame[catalog.PRODUCT], DIMENSION, seed)
    if not questions or not vectors.any():
        return pd.DataFrame(columns=COLUMNS)
    scores, products = _scores(frame, vectors, questions), catalog.products(frame)
    rows = []
    for question, (queries, values) in scores.items():
        counts = statistics.draws(len(queries), resamples, seed, products[queries])
        low, high = statistics.interval(statistics.resampled_means(counts, values[:, None]))
        rows.append((question, NAMES, float(np.nanmean(values)), float(low[0]), float(high[0]), chances[question]))
    return pd.DataFrame(rows, columns=["question", ENCODER, VALUE, LOW, HIGH, CHANCE])[COLUMNS]


def _scores(frame, vectors, questions) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By question the queries' positions in the catalogue and their values, nan where there is nothing to find."""
    features = FeatureSet(frame[catalog.ID].to_numpy(object), vectors, NAMES)
    relevances = list(dict.fromkeys(relevance for _, _, relevance, _ in questions.values()))
    codes = {relevance: catalog.label_codes(frame, relevance) for relevance in relevances}
    views = {(view.protocol, view.gallery): view for view in protocols.views_of(frame, relevances, [ALL, TEST])}
    asking = catalog.rows_of(frame, catalog.TEST)
    found: dict[str, list] = {question: [] for question in questions}
    for part, order, _ in rank(features.take(asking), features, "cosine"):
        for question, (protocol, gallery, relevance, mean) in questions.items():
            view = views[protocol, gallery]._replace(relevances=[relevance])
            asks = view.asks[asking[part]]
            rows = asking[part][asks]
            metric, k = metrics.parse(metrics.scored_as(mean))
            for _, hits, _, _ in protocols.hits_of(order[asks], rows, view, codes):
                relevant = hits.sum(axis=1)
                found[question].append((rows, np.where(relevant > 0, metric.value(hits, relevant, k), np.nan)))
    return {
        question: (np.concatenate([rows for rows, _ in parts]), np.concatenate([values for _, values in parts]))
        for question, parts in found.items()
    }
