"""Rankings and relevance as TREC's files, so that trec_eval or any other program can take the same measurements."""

import gzip
import re
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import numpy as np

from pipeline import files, params, paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.evaluation import metrics
from pipeline.evaluation.protocols import View, check_same_images, views_of
from pipeline.retrieval.ranking import rank

QUERIES = 100  # drawn ones; a whole ranking of 8,917 pictures takes 60 KB a query
RUN, QRELS = "run.gz", "qrels.gz"


def write(study: params.Study, retrieval: str, queries: int = QUERIES) -> Path:
    """Writes whole rankings of drawn test queries and returns their folder, whole or not at all.

    For each protocol and gallery a run, `<protocol>.<gallery>.run.gz`, and for each relevance what is relevant,
    `<protocol>.<gallery>.<relevance>.qrels.gz`: what cannot be found stands in neither. A score is minus the rank, so
    that ties stay in the study's order. Blanks in ids are written as %20.
    Source: https://github.com/usnistgov/trec_eval, "README".

    Raises:
        ValueError: no such retrieval. StoreError: its features have not been made.
    """
    if retrieval not in study.retrievals:
        raise ValueError(
            f"there is no retrieval of that name. Allowed: {list(study.retrievals)}. Received: {retrieval!r}."
            f"{params.nearest(retrieval, list(study.retrievals))}"
        )
    data, chosen = study.data.name, study.retrievals[retrieval]
    features, frame = store.read(paths.features(data, chosen.encoder)), catalog.load(data)
    check_same_images(features, frame)
    rows = catalog.draw(catalog.rows_of(frame, catalog.TEST), queries, study.knn_retrieval.seed)
    names = [urllib.parse.quote(name) for name in features.ids]
    relevances = study.knn_retrieval.relevances
    codes = {relevance: catalog.label_codes(frame, relevance) for relevance in relevances}
    views = views_of(frame, relevances, study.knn_retrieval.galleries)
    with files.whole_folder(paths.trec(data, retrieval)) as folder, ExitStack() as opened:
        runs = [opened.enter_context(_place(folder, view, RUN)) for view in views]
        judged = [
            {relevance: opened.enter_context(_place(folder, view, relevance, QRELS)) for relevance in view.relevances}
            for view in views
        ]
        for part, order, _ in rank(features.take(rows), features, chosen.distance):
            for view, run, qrels in zip(views, runs, judged, strict=True):
                for query, found in _asked(order, rows[part], view):
                    ranked = enumerate(found, start=1)
                    run.writelines(f"{names[query]} Q0 {names[row]} {at} {-at} {retrieval}\n" for at, row in ranked)
                    for relevance, file in qrels.items():
                        labels = codes[relevance]
                        right = found[(labels[found] == labels[query]) & (labels[query] >= 0)]
                        file.writelines(f"{names[query]} 0 {names[row]} 1\n" for row in right)
    return paths.trec(data, retrieval)


def _asked(order: np.ndarray, rows: np.ndarray, view: View) -> Iterator[tuple[int, np.ndarray]]:
    """Each query that a view asks, with what it can find, nearest first."""
    asks = view.asks[rows]
    remaining, counts = metrics.exclude(order[asks], view.query_codes[rows[asks]], view.gallery_codes, view.member)
    for query, found, count in zip(rows[asks], remaining, counts, strict=True):
        yield int(query), found[:count]


def _place(folder: Path, view: View, *rest: str) -> TextIO:
    """The file of a view's ranking, or of what is relevant in it."""
    name = ".".join(re.sub(r"\W+", "_", part) for part in (view.protocol, view.gallery, *rest[:-1]))
    return gzip.open(folder / f"{name}.{rest[-1]}", "wt", encoding="utf-8", compresslevel=5)
