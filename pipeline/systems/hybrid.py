"""Image and text similarity mixed (document 002): what every weight finds, by what the query's text is.

The document mixes 0.7 image and 0.3 text and gives no number. Two things decide what the text is worth: whether it
spells out the label that the search is judged by, and that an uploaded photo has no text at all.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse
from threadpoolctl import threadpool_limits

from pipeline.data import catalog, text
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import protocols, statistics
from pipeline.evaluation.keys import key
from pipeline.evaluation.metrics import AP, column
from pipeline.evaluation.names import QUERY, RELEVANCE
from pipeline.evaluation.tables import Measured
from pipeline.params.kinds import OWN_TEXT, PSEUDO_TEXT, TYPED_TEXT
from pipeline.params.systems import Hybrid
from pipeline.progress import progress
from pipeline.retrieval import indexes, ranking
from pipeline.vectors import unit

CHUNK = 64  # queries at once, each ranked under every weight
TEXT, MODE, PART, WEIGHT = "text", "mode", "part", "weight"
SHOWN = 5  # results: what the document's code shows
F1 = column("F1", SHOWN)


def measure(features: FeatureSet, frame: pd.DataFrame, run: Hybrid) -> pd.DataFrame:
    """AP and F1@5 of each query, strict, by `text`, `mode`, `relevance` and `weight`: the image's part.

    Modes: `own`, the query is an image of the catalogue with its description; `typed`, the labels `run.typed` as a
    shopper would type them; `pseudo`, what the nearest images say, for a photo that comes alone. `part`: train queries,
    which choose a weight, and test queries, which judge it.

    Raises:
        ValueError: features of other images.
        TextError: a text of columns that are not there, or without words.
    """
    protocols.check_same_images(features, frame)
    parts = [catalog.rows_of(frame, part) for part in (catalog.TRAIN, catalog.TEST)]
    rows = np.concatenate([catalog.draw(part, run.queries, run.seed) for part in parts])
    images = unit(features.vectors)
    near = nearest_others(images, rows, catalog.duplicates(frame), run.pseudo_neighbours)
    typed = text.descriptions(frame.iloc[rows], run.typed)
    tables = []
    for name, columns in run.texts.items():
        descriptions = text.descriptions(frame, columns.columns, columns.without)
        vectorizer = text.fit([descriptions[row] for row in parts[0]])
        gallery = vectorizer.transform(descriptions)
        asked = {OWN_TEXT: gallery[rows], TYPED_TEXT: vectorizer.transform(typed)}
        asked[PSEUDO_TEXT] = pseudo(gallery, near)
        for mode in run.modes:
            pair = (images, gallery), (images[rows], asked[mode])
            tables.append(_precisions(*pair, rows, frame, run, f"{name}, {mode}").assign(**{TEXT: name, MODE: mode}))
    return pd.concat(tables, ignore_index=True)


def summarise(precisions: pd.DataFrame, frame: pd.DataFrame, run: Hybrid) -> Measured:
    """A row per text, mode, relevance and weight: `mAP` of the test queries with its interval, and how it compares.

    `gain`, `gain low`, `gain high`: against the image alone, paired. `best`: the weight that train queries choose;
    `best low` and `best high`: between which weights 95 % of the resamples of the test queries have their best one, so
    how sure these could be of it if they chose; no interval of anything. `circular`: the query's
    text can spell out what the search is judged by. `F1@5`: the mean that the document names, at the five products
    that its code shows. The values are both means by key, `text/mode/weight/relevance/mAP` and `…/F1@5`.
    """
    products, rows, values, resampled = catalog.products(frame), [], {}, {}
    for (name, mode, relevance), part in precisions.groupby([TEXT, MODE, RELEVANCE], sort=False):
        wide = {which: one.pivot(index=QUERY, columns=WEIGHT, values=AP) for which, one in part.groupby(PART)}
        test = wide[catalog.TEST]
        draws = statistics.draws(len(test), run.resamples, run.seed, products[test.index])
        samples = statistics.resampled_means(draws, test.to_numpy())
        for place, weight in enumerate(test.columns):
            text_key = key(name, mode, f"{weight:g}", relevance, "mAP")
            values[text_key], resampled[text_key] = float(test[weight].mean()), samples[:, place]
        asked = part[part[PART] == catalog.TEST]
        found = asked.groupby(WEIGHT)[F1].mean()
        values |= {key(name, mode, f"{weight:g}", relevance, F1): float(value) for weight, value in found.items()}
        about = {TEXT: name, MODE: mode, RELEVANCE: relevance, "circular": circular(run, name, mode, relevance)}
        best = wide[catalog.TRAIN].mean().idxmax()
        rows.append(pd.DataFrame({**about, **_by_weight(test, samples, best), F1: found.to_numpy()}))
    return Measured(pd.concat(rows, ignore_index=True), values, resampled)


def _by_weight(precisions: pd.DataFrame, samples: np.ndarray, best: float) -> dict[str, object]:
    """The columns that every weight has: its mAP, what it gains on the image alone, and where the best weight lies.

    Args:
        precisions: AP of the test queries, a column per weight.
        samples: the draws' means, (R, weights), the image alone last.
    """
    means, weights = precisions.mean(), precisions.columns.to_numpy()
    low, high = statistics.interval(samples)
    gains = (means - means.iloc[-1]).to_numpy()
    gain_low, gain_high = statistics.difference_interval(gains, samples - samples[:, -1:])
    best_low, best_high = np.quantile(weights[samples.argmax(axis=1)], [0.025, 0.975])
    columns = {WEIGHT: weights, "mAP": means.to_numpy(), "low": low, "high": high}
    columns |= {"gain": gains, "gain low": gain_low, "gain high": gain_high}
    return {**columns, "best": best, "best low": best_low, "best high": best_high}


def circular(run: Hybrid, text: str, mode: str, relevance: str) -> bool:
    """Whether the query's text can spell out what makes two images relevant to each other.

    Its own description can, by the name or a label that it is made of; a shopper can, by typing the label. What the
    nearest images say is no leak: it is known of the gallery, whoever asks.
    """
    columns, without = run.texts[text].columns, run.texts[text].without
    if mode == PSEUDO_TEXT:
        return False
    if relevance == "product":
        return mode == OWN_TEXT and catalog.PRODUCT in columns
    spelt = set(catalog.label_columns(relevance)) - set(without)
    if catalog.PRODUCT not in columns:
        spelt &= set(columns)
    return bool(spelt & set(run.typed)) if mode == TYPED_TEXT else bool(spelt)


def nearest_others(images: np.ndarray, rows: np.ndarray, duplicates: np.ndarray, count: int) -> np.ndarray:
    """The `count` images nearest to each of `rows`, never itself or a duplicate; positions (Q, K), −1 for none."""
    most = np.bincount(duplicates).max()
    positions, _ = indexes.build("exact", images)(images[rows], count + most)
    other = (positions >= 0) & (duplicates[positions] != duplicates[rows][:, None])
    return ranking.pass_over(np.where(other, positions, indexes.NOWHERE), ~other, count)


def _precisions(gallery, asked, rows, frame, run, words) -> pd.DataFrame:
    """AP of every query under every weight and relevance."""
    codes = {relevance: catalog.label_codes(frame, relevance) for relevance in run.relevances}
    duplicates, asking = catalog.duplicates(frame), frame[catalog.SPLIT].to_numpy()[rows]
    relevant = protocols.strict_relevant(rows, duplicates, codes)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    QUERY: rows[part].astype(np.int32),
                    PART: asking[part],
                    RELEVANCE: relevance,
                    WEIGHT: weight,
                    AP: values,
                    F1: shown[relevance],
                }
            )
            for part, weight, order in _ranked(gallery, asked, run.weights, words)
            for shown in [protocols.strict_f1(order, rows[part], duplicates, codes, _of(relevant, part), SHOWN)]
            for relevance, values in protocols.strict_precisions(order, rows[part], duplicates, codes).items()
        ],
        ignore_index=True,
    )


def _of(relevant: dict[str, np.ndarray], part: slice) -> dict[str, np.ndarray]:
    return {relevance: counts[part] for relevance, counts in relevant.items()}


def _ranked(gallery, asked, weights, words) -> Iterator[tuple[slice, float, np.ndarray]]:
    """Everything in order of the mixed distance, for each chunk of queries and each weight: int32 (chunk, G)."""
    images, texts = gallery
    texts, total = sparse.csc_matrix(texts.T), asked[0].shape[0]
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in progress(range(0, total, CHUNK), words, f"x{CHUNK} queries", -(-total // CHUNK)):
            part = slice(start, min(start + CHUNK, total))
            by_image, by_text = asked[0][part] @ images.T, (asked[1][part] @ texts).toarray()
            orders = pool.map(partial(_order, by_image, by_text), weights)
            yield from ((part, weight, order) for weight, order in zip(weights, orders, strict=True))


def _order(by_image: np.ndarray, by_text: np.ndarray, weight: float) -> np.ndarray:
    return ranking.ascending(mixed(by_image, by_text, weight))


def mixed(by_image: np.ndarray, by_text: np.ndarray, image_weight: float) -> np.ndarray:
    """The distance of image and text together, 1 − (weight · image cosine + (1 − weight) · text cosine); float32.

    Args:
        by_image: cosine similarities of images, any shape. by_text: those of texts, the same shape.
        image_weight: the image's part, from 0 to 1; the text has the rest.

    Returns:
        The shape of both, in [0, 2]: rounding may leave it by a hair, and is cut off.

    >>> mixed(np.array([1, 0], "float32"), np.array([0, 1], "float32"), image_weight=0.75)
    array([0.25, 0.75], dtype=float32)
    """
    similarity = np.float32(image_weight) * by_image + np.float32(1 - image_weight) * by_text
    return np.clip(np.float32(1) - similarity, 0, 2).astype(np.float32, copy=False)


def pseudo(gallery: sparse.csr_matrix, neighbours: np.ndarray) -> sparse.csr_matrix:
    """A text for queries that have none: the mean of what their nearest images say, at length 1.

    Args:
        gallery: TF-IDF rows of length 1, (G, V).
        neighbours: positions in the gallery, nearest first (Q, K); −1 for none.

    Returns:
        (Q, V); zeros where no neighbour says anything.
    """
    rows, columns = np.nonzero(neighbours >= 0)
    chosen = sparse.csr_matrix(
        (np.ones(len(rows), np.float32), (rows, neighbours[rows, columns])), (len(neighbours), gallery.shape[0])
    )
    total = sparse.csr_matrix(chosen @ gallery)
    lengths = np.sqrt(np.asarray(total.multiply(total).sum(axis=1)).ravel())
    return sparse.diags(1 / np.where(lengths > 0, lengths, 1)).astype(np.float32) @ total
