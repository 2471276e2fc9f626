"""What a student asks of a search: how right it is beside what was measured, where the likeness lies, and the map."""

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from pipeline import paths
from pipeline.data import catalog, images
from pipeline.evaluation import metrics, names
from pipeline.params.backbones import DESCRIPTORS
from pipeline.retrieval.distances import cosine
from pipeline.site import answers, questions
from pipeline.site.encoders import Cells
from pipeline.site.products import Missing
from pipeline.site.questions import Judged, Pair, SearchError
from pipeline.site.site import Asked, Site
from pipeline.site.snapshots import TOLD, Snapshot

AROUND = 3  # pictures of a map that a question lies between
MAPS = ["umap", "tsne"]
PRECISION = "precision@"  # of so many, as chapter 5 calls it
DIGITS = 6
# Where there is no OpenMP numba takes its own threads, and ends a process in which two people ask them for something.
_counting = threading.Lock()
SAID = {  # of how the cells' shares add up to the similarity
    "exactly": "This encoder takes the mean over the cells, so what they add is the similarity, exactly.",
    "but for a rest": "A linear head follows the mean over the cells: what they add is exact, and the rest, a constant "
    "or the likeness of class probabilities, belongs to no cell.",
    "about": "What follows the cells in this encoder is not linear, or takes the largest cell in place of the mean: "
    "what they add is an estimate by slopes.",
}


def judge(site: Site, judged: Judged, photo: bytes | None = None, wait: bool = True) -> dict[str, Any]:
    """How right a search is by article type, as /api/v1/study answers it: chapter 4's measure, of the site's products.

    The product that asks, and its duplicates, are left out.

    Raises:
        SearchError, Missing, NotReady, UnreadableImage, BoxError: as `Site.search`.
    """
    question = questions.searched(judged)
    asked = site.asked(question, photo, wait)
    now, row = asked.now, asked.row
    far = answers.distances(asked.ready, now, asked.vector, question)
    kind = judged.articleType or (None if row is None else now.facts(row)[catalog.ARTICLE])
    return {
        "encoder": asked.ready.name,
        "distance": question.distance,
        "articleType": kind,
        "judged": scored(now, answers.others(now, far, row), kind, site.study.knn_retrieval.cutoffs) if kind else None,
        "measured": measured(site.data, asked.ready.name, question.distance),
        "near": around(site, asked, far),
    }


def scored(now: Snapshot, far: np.ndarray, kind: str, cutoffs: list[int]) -> dict[str, Any]:
    """Precision@k and AP of one ranking by an article type, and what a random one would have; null where none has it.

    Args:
        far: the distance of every product, (G,); infinite where it is not among those that are ranked.
    """
    ranked = np.argsort(far, kind="stable")[: np.isfinite(far).sum()]
    hits = (now.told[ranked, TOLD.index(catalog.ARTICLE)] == kind)[None]
    relevant, size = hits.sum(axis=1), np.array([len(ranked)])
    with _counting:
        average = metrics.average_precision(hits, relevant)[0]
    return {
        "relevant": int(relevant[0]),
        "among": len(ranked),
        "AP": _number(average),
        "chance": _number(metrics.chance_average_precision(relevant, size)[0]),
        "precision": {str(k): _number(metrics.precision_at(hits, relevant, k)[0]) for k in cutoffs},
    }


def measured(data: str, encoder: str, distance: str) -> dict[str, Any] | None:
    """What chapter 5 measured of an encoder by article type on the test queries; None where it did not."""
    path = paths.evaluation(data) / "metrics.csv"
    table = _metrics(path, path.stat().st_mtime_ns) if path.exists() else None
    if table is None:
        return None
    wanted = {
        names.ENCODER: encoder,
        names.DISTANCE: distance,
        names.PROTOCOL: names.STRICT,
        names.GALLERY: names.ALL,
        names.RELEVANCE: catalog.ARTICLE,
    }
    rows = table[np.logical_and.reduce([table[name] == value for name, value in wanted.items()])]
    rows = rows.set_index(names.METRIC)
    if metrics.MAP not in rows.index:
        return None
    at = {name.removeprefix(PRECISION): name for name in rows.index if name.startswith(PRECISION)}
    whole = rows.loc[metrics.MAP]
    return {
        "mAP": _number(whole["value"]),
        "low": _number(whole["low"]),
        "high": _number(whole["high"]),
        "queries": int(whole[names.QUERIES]),
        "precision": {k: _number(rows.loc[name, "value"]) for k, name in at.items()},
    }


def regions(site: Site, pair: Pair, photo: bytes | None = None, wait: bool = True) -> dict[str, Any]:
    """Where in each of two pictures their cosine similarity comes from, as /api/v1/regions answers it.

    Raises:
        SearchError: the encoder has no cells. Missing, NotReady, WeightsError, UnreadableImage, BoxError.
    """
    name = pair.encoder or site.first
    if name in site.study.concatenations:
        both = site.study.concatenations[name]
        raise SearchError(f"{name} is two encoders in one, without cells of its own. Ask {both.first} or {both.second}")
    if name in site.study.encoders and site.study.encoders[name].backbone in DESCRIPTORS:
        raise SearchError(f"{name} describes a picture as a whole, so no part of it can be told from others")
    asked = site.asked(questions.searched(pair), photo, wait)
    assert asked.vector is not None  # words are no pair
    row = asked.now.row(pair.of)
    other = answers.vector(asked.ready, asked.now, row)
    cells = site.cells(name, wait)
    alike = 1 - float(cosine(asked.vector[None], other[None])[0, 0])
    shown = _picture(site, asked.now, asked.row) if asked.part is None else asked.part
    return {
        "encoder": name,
        "similarity": _number(alike),
        "adds_up": cells.adds_up,
        "said": SAID[cells.adds_up],
        "box": asked.box,
        "asked": _side(cells, shown, other, alike),
        "found": _side(cells, _picture(site, asked.now, row), asked.vector, alike),
    }


def maps(site: Site, encoder: str | None) -> dict[str, Any]:
    """The maps of an encoder's test pictures, as /api/v1/map answers it. Raises Missing: there is none. NotReady."""
    name, now = encoder or site.first, site.snapshot()
    drawn = _map(site.data, name)
    if drawn is None:
        raise Missing(f"the study has no map of {name[:64]!r}. It has: {_mapped(site)}")
    rows = drawn["row"].to_numpy()
    kept = (rows < now.catalogued) & ~now.hidden[np.minimum(rows, len(now.hidden) - 1)]
    points = {kind: drawn.loc[kept, [f"{kind}_x", f"{kind}_y"]] for kind in MAPS if f"{kind}_x" in drawn}
    return {
        "encoder": name,
        "maps": {kind: point.to_numpy(float).round(3).tolist() for kind, point in points.items()},
        "products": [now.facts(int(row)) for row in rows[kept]],
    }


def around(site: Site, asked: Asked, far: np.ndarray) -> list[str]:
    """The ids of the map's pictures that are nearest to what asks, the nearest first; of one on the map its own first.

    Args:
        far: the distance of every product, (G,).
    """
    drawn = _map(site.data, asked.ready.name)
    if drawn is None:
        return []
    rows = drawn["row"].to_numpy()
    rows = rows[(rows < asked.now.catalogued) & ~asked.now.hidden[np.minimum(rows, len(far) - 1)]]
    nearest = rows[np.argsort(np.where(rows == asked.row, -1, far[rows]), kind="stable")[:AROUND]]
    return asked.now.told[nearest, 0].tolist()


def _side(cells: Cells, picture: Image.Image, other: np.ndarray, alike: float) -> dict[str, Any]:
    shares = cells.compare(images.prepare(picture, cells.spec), other)
    return {
        "cells": [[_number(share) for share in line] for line in shares.tolist()],
        "rest": _number(alike - float(shares.sum(dtype=float))),
        "frame": [_number(side) for side in images.placed(picture.size, cells.spec)],
    }


def _picture(site: Site, now: Snapshot, row: int | None) -> Image.Image:
    assert row is not None
    return images.decode(site.picture(now.told[row, 0]))


def _map(data: str, encoder: str) -> pd.DataFrame | None:
    path = paths.embedding_space(data, encoder) / "map.parquet"
    return _drawn(path, path.stat().st_mtime_ns) if path.exists() else None


def _mapped(site: Site) -> list[str]:
    return [name for name in site.names if (paths.embedding_space(site.data, name) / "map.parquet").exists()]


@lru_cache(maxsize=8)
def _drawn(path: Path, changed: int) -> pd.DataFrame:
    return pd.read_parquet(path)


@lru_cache(maxsize=2)
def _metrics(path: Path, changed: int) -> pd.DataFrame:
    return pd.read_csv(path)


def _number(value: float) -> float | None:
    return None if not np.isfinite(value) else round(float(value), DIGITS)
