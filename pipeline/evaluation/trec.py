"""Rankings and relevance as TREC's files, so that trec_eval or any other program can take the same measurements."""

import gzip
import re
import urllib.parse
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from pipeline import files, params, paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.evaluation.protocols import View, check_same_images, hits_of, views_of
from pipeline.params.sections import known
from pipeline.retrieval.ranking import rank

QUERIES = 100  # drawn ones; a whole ranking of 8,917 pictures takes 60 KB a query
RUN, QRELS = "run.gz", "qrels.gz"


def write(study: params.Study, retrieval: str, queries: int = QUERIES) -> Path:
    """Writes whole rankings of drawn test queries and returns their folder, whole or not at all.

    For each protocol and gallery a run, `<protocol>.<gallery>.run.gz`, and for each relevance what is relevant,
    `<protocol>.<gallery>.<relevance>.qrels.gz`: what cannot be found stands in neither. A score is minus the rank, so
    that ties stay in the study's order. Ids are percent-encoded as in a
    URL, all but letters, digits and `_.-~/`: a blank is %20.
    Source: https://github.com/usnistgov/trec_eval, "README".

    Raises:
        ValueError: no such retrieval. StoreError: its features have not been made.
    """
    known("params.yaml", "a retrieval to write", retrieval, study.retrievals)
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
                _append(run, qrels, view, order, rows[part], codes, names, retrieval)
    return paths.trec(data, retrieval)


def _append(run, qrels, view, order, rows, codes, names, retrieval) -> None:
    """A chunk of rankings of everything, as what its queries can find under one view, and what of it is relevant."""
    asks = view.asks[rows]
    for relevance, hits, remaining, counts in hits_of(order[asks], rows[asks], view, codes):
        for query, found, right, count in zip(rows[asks], remaining, hits, counts, strict=True):
            qrels[relevance].writelines(f"{names[query]} 0 {names[row]} 1\n" for row in found[right])
            if relevance == view.relevances[0]:  # the ranking is the same for all
                ranked = enumerate(found[:count], start=1)
                run.writelines(f"{names[query]} Q0 {names[row]} {at} {-at} {retrieval}\n" for at, row in ranked)


def _place(folder: Path, view: View, *rest: str) -> TextIO:
    """The file of a view's ranking, or of what is relevant in it."""
    name = ".".join(re.sub(r"\W+", "_", part) for part in (view.protocol, view.gallery, *rest[:-1]))
    return gzip.open(folder / f"{name}.{rest[-1]}", "wt", encoding="utf-8", compresslevel=5)
