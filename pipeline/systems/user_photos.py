"""User photos searched in the catalogue (document 003): AP@n by what was done to the photo and how it is cropped.

A photo is encoded by an encoder of the study as it is (`whole`), within its box (`box`), or within the box that a
cropper finds (`cropper`). Strict: the image that a photo was made from, and its copies, cannot be found, but for the
relevance `own picture`, where they are all there is to find. Nor do they help a re-ranking but for that relevance.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from PIL import Image

from pipeline import params, paths
from pipeline.data import boxes, catalog, cropper, images
from pipeline.encoders import compiled
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics, protocols, statistics
from pipeline.evaluation.keys import key
from pipeline.evaluation.tables import Measured
from pipeline.params.kinds import BOX, CROPPER, GIVEN, WHOLE, Crop
from pipeline.params.systems import UserPhotos
from pipeline.progress import progress
from pipeline.retrieval import rerankers
from pipeline.retrieval.ranking import pass_over
from pipeline.systems.keys import ALL_KINDS, OWN_PICTURE
from pipeline.systems.photos import Photo, given, simulated

SETTING = ["encoder", "crop", "better", "kind", "relevance"]  # what the mean AP of photos is taken by


def queries(data: str, frame: pd.DataFrame, run: UserPhotos) -> list[Photo]:
    """The photos that ask: those given, or simulated ones of test images that the seed draws.

    Raises:
        ValueError: none.
    """
    if run.source == GIVEN:
        asking = list(given(data, frame, run.queries))
    else:
        drawn = catalog.draw(catalog.rows_of(frame, catalog.TEST), run.queries, run.seed)
        asking = list(simulated(data, frame, drawn, run.kinds, run.seed))
    if not asking:
        raise ValueError(
            f"{data} came without user photos. Allowed: source: simulated, or data with a queries.csv beside its table"
        )
    return asking


def crops(photos: list[Photo], how: str, margin: float) -> list[tuple[Image.Image, boxes.Box | None]]:
    """Each photo as it is asked with, and the box it was cut to; a photo without a box stays whole."""

    def cut(photo: Photo) -> tuple[Image.Image, boxes.Box | None]:
        image = photo.image()
        box = {WHOLE: lambda: None, BOX: lambda: photo.box, CROPPER: lambda: cropper.find(image)}[how]()
        return (image, None) if box is None else (boxes.crop(image, box, margin), box)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(progress(pool.map(cut, photos), f"photos, {how}", "photo", len(photos)))


def encode(data: str, spec: params.Encoder, pictures: list[Image.Image]) -> np.ndarray:
    """Features of images that are in no catalogue, by an encoder of the study; float32 (Q, D)."""
    run = compiled.compiled(spec, paths.weights(data, spec.weights)).run
    parts = []
    for start in progress(range(0, len(pictures), spec.batch_size), "encoding", f"x{spec.batch_size} photos"):
        part = pictures[start : start + spec.batch_size]
        parts.append(run(np.stack([images.prepare(picture, spec) for picture in part])))
    return np.concatenate(parts)


def precisions(
    order: np.ndarray, photos: list[Photo], frame: pd.DataFrame, relevances: list[str], depth: int
) -> dict[str, np.ndarray]:
    """AP@depth of each photo by relevance, (Q,) each; nan for a photo that has nothing to find.

    Args:
        order: the rankings, (Q, K), with room for the images that cannot be found.
    """
    rows, duplicates = np.array([photo.row for photo in photos]), catalog.duplicates(frame)
    own = (duplicates[order] == duplicates[rows][:, None]) & (order >= 0) & (rows >= 0)[:, None]
    twins = np.where(rows >= 0, np.bincount(duplicates)[duplicates[rows]], 0)
    values = {OWN_PICTURE: metrics.average_precision(own[:, :depth], twins)}
    remaining = pass_over(order, own, depth)
    counts = np.minimum(((order >= 0) & ~own).sum(axis=1), depth)  # what may be found stands first
    for relevance in relevances:
        codes = catalog.label_codes(frame, relevance)
        wanted = np.where(rows >= 0, codes[rows], -1).astype(np.int32)
        hits = metrics.relevant_hits(remaining, wanted, codes, counts)
        values[relevance] = metrics.average_precision(hits, _findable(rows, wanted, codes, duplicates))
    return values


def _findable(rows: np.ndarray, wanted: np.ndarray, codes: np.ndarray, duplicates: np.ndarray) -> np.ndarray:
    """How many images of its label each photo may find; (Q,): its own image and duplicates are not among them."""
    total = pd.Series(codes).value_counts()
    hidden = pd.DataFrame({"copy": duplicates, "label": codes}).value_counts()  # duplicates may be labelled otherwise
    return np.array(
        [
            total[label] - hidden.get((duplicates[row], label), 0) if label >= 0 else 0
            for row, label in zip(rows, wanted, strict=True)
        ]
    )


def measure(
    data: str,
    frame: pd.DataFrame,
    run: UserPhotos,
    specs: dict[str, params.Encoder],
    photos: list[Photo],
    features: Callable[[str], FeatureSet],
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """AP@`run.top` of every photo under every encoder, crop and re-ranking.

    Re-rankings are tried on the first of the crops that has a box, `box` or `cropper`.

    Returns:
        A row per encoder, crop, `better` (blank for the plain search), photo and relevance; the rankings of the first
        encoder and crop as document 003 has them, int32 (Q, top) of the gallery's positions; and a row per photo and
        crop with its box and that box's overlap with the true one.
    """
    duplicates, tables = catalog.duplicates(frame), []
    twins, rows = int(np.bincount(duplicates).max()), np.array([photo.row for photo in photos])
    hidden = np.where(rows >= 0, duplicates[rows], -1), duplicates
    first: list[np.ndarray] = []
    cut = {how: crops(photos, how, run.margin) for how in run.crops}
    tried = next((how for how in run.crops if how != WHOLE), run.crops[0])
    for encoder in run.encoders:
        gallery = features(encoder)
        protocols.check_same_images(gallery, frame)
        asked = {how: encode(data, specs[encoder], [picture for picture, _ in cut[how]]) for how in run.crops}
        for name, better in {"": None, **run.better}.items():
            find = rerankers.searcher(gallery.vectors, better, twins)
            for how in [tried] if better else run.crops:
                order = find(asked[how], run.top + twins, hidden)
                first = first or [order[:, : run.top].astype(np.int32)]
                values = precisions(order, photos, frame, run.relevances, run.top)
                if better:  # the way back to the own picture is asked with nothing hidden
                    values |= precisions(find(asked[how], run.top + twins, None), photos, frame, [], run.top)
                tables += _rows(encoder, how, name, photos, values)
    return pd.concat(tables, ignore_index=True), first[0], _overlaps(photos, cut)


def _rows(
    encoder: str, crop: str, better: str, photos: list[Photo], values: dict[str, np.ndarray]
) -> list[pd.DataFrame]:
    """A row per photo, for each relevance."""
    facts = {
        "encoder": encoder,
        "crop": crop,
        "better": better,
        "kind": [photo.kind for photo in photos],
        "photo": [photo.id for photo in photos],
        "row": [photo.row for photo in photos],
    }
    return [pd.DataFrame({**facts, "relevance": relevance, "AP": value}) for relevance, value in values.items()]


def _overlaps(photos: list[Photo], cut: dict[Crop, list]) -> pd.DataFrame:
    """A row per photo and crop: how far the box that it was cut to and the true one overlap; nan without one."""
    rows = [
        {
            "photo": photo.id,
            "kind": photo.kind,
            "crop": how,
            "overlap": cropper.overlap(box, photo.box) if box and photo.box else np.nan,
        }
        for how, pictures in cut.items()
        for photo, (_, box) in zip(photos, pictures, strict=True)
    ]
    return pd.DataFrame(rows)


def summarise(table: pd.DataFrame, frame: pd.DataFrame, run: UserPhotos) -> Measured:
    """A row per encoder, crop, re-ranking, kind of photo (and `ALL_KINDS` together) and relevance: mean AP, interval.

    `kept`: the share of what the undisturbed photos of the first kind reach under the same encoder, crop and
    re-ranking. `gain`: over the plain search, with a paired interval, all photos of a product drawn together. The
    values are the means by key, `encoder/crop/kind/relevance/AP` (with `+better` after the crop).
    """
    products, rows, values, resampled = catalog.products(frame), [], {}, {}
    kinds = list(table["kind"].unique())
    for setting, part in pd.concat([table, table.assign(kind=ALL_KINDS)]).groupby(SETTING, sort=False):
        encoder, crop, better, kind, relevance = setting
        source = part["row"].to_numpy()
        groups = np.where(source >= 0, products[source], len(frame) * 2 + np.arange(len(part)))
        draws = statistics.draws(len(part), run.resamples, run.seed, groups)
        samples = statistics.resampled_means(draws, part["AP"].to_numpy()[:, None])
        low, high = statistics.interval(samples)
        name = key(encoder, f"{crop}+{better}" if better else crop, kind, relevance, "AP")
        values[name], resampled[name] = float(part["AP"].mean()), samples[:, 0]
        plain = key(encoder, crop, kind, relevance, "AP")  # met before: a crop's plain search comes first
        gain = np.array([values[name] - values[plain]])
        gain_low, gain_high = statistics.difference_interval(gain, samples - resampled[plain][:, None])
        row = dict(zip(SETTING, setting, strict=True)) | {"value": values[name], "low": low[0], "high": high[0]}
        row |= {"gain": gain[0], "gain low": gain_low[0], "gain high": gain_high[0]}
        rows.append({**row, "photos": int(part["AP"].notna().sum())})
    whole = pd.DataFrame(rows)
    others = [name for name in SETTING if name != "kind"]
    plain = whole[whole["kind"] == kinds[0]].set_index(others)["value"]
    return Measured(whole.assign(kept=whole["value"] / whole.set_index(others).index.map(plain)), values, resampled)
