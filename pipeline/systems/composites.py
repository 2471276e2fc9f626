"""Several products in one photo: drawn from the catalogue, found by boxes, each searched by itself.

The thesis's section 6.2 recommends detectors for such photos (R-CNN, YOLO, SSD) and tries none. These photos are drawn
by rule: products lie apart, upright and whole, so they tell which way to find boxes is of use here, not in a street.
"""

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd
from PIL import Image

from pipeline import params, paths
from pipeline.data import boxes, catalog, cropper, images
from pipeline.data.boxes import Box
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import protocols, statistics
from pipeline.evaluation.keys import key
from pipeline.evaluation.tables import Measured
from pipeline.params.kinds import PLAIN, Ground, Way
from pipeline.params.systems import UserPhotos
from pipeline.progress import progress
from pipeline.retrieval import rerankers
from pipeline.retrieval.ranking import pass_over
from pipeline.systems import detector, simulation, user_photos
from pipeline.systems.keys import ALL_GROUNDS, BOXES, COMPOSITES, SEARCHED
from pipeline.systems.photos import Photo

SIDE = 224  # pixels of a photo's sides
LONGER = 0.28, 0.46  # a product's longer side, in parts of the photo's
APART = 4  # pixels between two products, at least
SHRUNK = 0.97  # where a product finds no room it is tried so much smaller
ENOUGH = 0.5  # overlap of a box with the true one: PASCAL VOC's rule for a product that is found
CUTOFFS = 1, 10


class Composite(NamedTuple):
    """A photo of several products: the catalogue's rows they are of, and the box around each."""

    id: str
    ground: Ground
    rows: tuple[int, ...]
    boxes: tuple[Box, ...]
    data: bytes

    def image(self) -> Image.Image:
        """The photo as RGB."""
        return images.decode(self.data)


def drawn(data: str, frame: pd.DataFrame, part: str, count: int, run: UserPhotos) -> list[Composite]:
    """`count` photos on each ground, of pictures of one part of the split that have an article type; by the seed."""
    rows = catalog.rows_of(frame, part)
    rows = rows[frame[catalog.ARTICLE].notna().to_numpy()[rows]]
    made = []
    with paths.open_images(data) as archive:
        for ground in get_args(Ground):
            for number in range(count):
                rng = np.random.default_rng([run.seed, number, ground == PLAIN])
                several = min(int(rng.integers(run.composites.products[0], run.composites.products[1] + 1)), len(rows))
                shown = tuple(int(row) for row in rng.choice(rows, several, replace=False))
                pictures = [images.decode(archive.read(frame[catalog.ID].iloc[row])) for row in shown]
                photo, around = compose(pictures, ground, rng)
                made.append(Composite(f"{part} {ground} {number}", ground, shown, around, photo))
    return made


def compose(pictures: list[Image.Image], ground: Ground, rng: np.random.Generator) -> tuple[bytes, tuple[Box, ...]]:
    """A photo of several catalogue pictures' products side by side, as JPEG, and the box around each."""
    photo = Image.new("RGB", (SIDE, SIDE), "white") if ground == PLAIN else simulation.clutter(rng, SIDE)
    taken: list[Box] = []
    around = []
    for picture in pictures:
        product = simulation.on_nothing(picture)
        place = _free(product.size, SIDE * rng.uniform(*LONGER), taken, rng)
        taken.append(place)
        product = product.resize((place.width, place.height), Image.Resampling.BICUBIC)
        around.append(simulation.paste(photo, product, place.x, place.y))
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=92)
    return buffer.getvalue(), tuple(around)


def _free(size: tuple[int, int], longer: float, taken: list[Box], rng: np.random.Generator) -> Box:
    """A place that is `APART` from all that are taken, for a picture of a size; smaller from try to try."""
    while True:
        width, height = (max(1, round(side * longer / max(size))) for side in size)
        x, y = (int(rng.integers(0, SIDE - side + 1)) for side in (width, height))
        wide = Box(x - APART, y - APART, width + 2 * APART, height + 2 * APART)
        if not any(cropper.overlap(wide, other) for other in taken):
            return Box(x, y, width, height)
        longer *= SHRUNK


def found(
    data: str, spec: params.Encoder, asking: list[Composite], learnt: list[Composite], run: UserPhotos
) -> tuple[dict[Way, list[list[Box]]], bytes]:
    """By way, the boxes that each photo is searched with; and the trained detector, as the site opens it.

    Args:
        spec: of the encoder whose network the detector looks through.
        learnt: what the detector learns from.
    """
    photos = [one.image() for one in asking]
    known = [one.image() for one in learnt], [one.boxes for one in learnt]
    head = detector.learnt(data, spec, *known, run.composites.epochs, run.seed)
    ways: dict[Way, Callable[[Image.Image], list[Box]]] = {
        "components": lambda photo: [Box(*proposed[:4]) for proposed in boxes.propose(photo)],
        "grabcut": cropper.pieces,
        "selective search": cropper.selective_search,
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = {
            way: list(progress(pool.map(look, photos), f"boxes, {way}", "photo", len(photos)))
            for way, look in ways.items()
        }
    boxed: dict[Way, list[list[Box]]] = {
        "whole": [[Box(0, 0, *photo.size)] for photo in photos],
        "box": [list(one.boxes) for one in asking],
        **told,
        "detector": detector.looking(data, spec, head)(photos),
    }
    return boxed, detector.kept(head, detector.network_of(data, spec, SIDE), SIDE)


def measure(
    data: str,
    frame: pd.DataFrame,
    run: UserPhotos,
    specs: dict[str, params.Encoder],
    asking: list[Composite],
    told: dict[Way, list[list[Box]]],
    features: Callable[[str], FeatureSet],
) -> pd.DataFrame:
    """A row per encoder, way and product of a photo: its best box's overlap, and what the search with it finds.

    The best of the proposed boxes is the one that overlaps the true one most: which box is meant, a user says. Where
    none touches the product, the whole photo is searched. Right is the product's article type, strict.
    """
    twins, tables = int(np.bincount(catalog.duplicates(frame)).max()), []
    pictures = [one.image() for one in asking]
    asked = [(at, row, box) for at, one in enumerate(asking) for row, box in zip(one.rows, one.boxes, strict=True)]
    photos = [Photo(asking[at].id, asking[at].ground, row, box, b"") for at, row, box in asked]
    best = {way: [_best(lists[at], box) for at, _, box in asked] for way, lists in told.items()}
    facts = {"photo": [one.id for one in photos], "ground": [one.kind for one in photos]}
    for encoder in run.encoders:
        gallery = features(encoder)
        protocols.check_same_images(gallery, frame)
        find = rerankers.searcher(gallery.vectors, None, twins)
        for way, chosen in best.items():
            cut = [
                boxes.crop(pictures[at], box, run.margin) if overlap else pictures[at]
                for (at, _, _), (box, overlap) in zip(asked, chosen, strict=True)
            ]
            order = find(user_photos.encode(data, specs[encoder], cut), run.top + twins, None)
            shown = {"overlap": [overlap for _, overlap in chosen], "boxes": [len(told[way][at]) for at, _, _ in asked]}
            found = scores(order, photos, frame, run.top)
            tables.append(pd.DataFrame({"encoder": encoder, "way": way, **facts, **shown, **found}))
    return pd.concat(tables, ignore_index=True)


def _best(proposed: list[Box], true: Box) -> tuple[Box, float]:
    """The box that overlaps the true one most, and how far; the true one and 0 where none does."""
    return max(((box, cropper.overlap(box, true)) for box in proposed), key=lambda pair: pair[1], default=(true, 0.0))


def scores(order: np.ndarray, photos: list[Photo], frame: pd.DataFrame, depth: int) -> dict[str, np.ndarray]:
    """hit@1, hit@10 and AP@depth of each product by article type, (Q,) each: the names of `SEARCHED`.

    Args:
        order: the rankings, (Q, K), with room for the images that cannot be found.
    """
    rows, duplicates = np.array([photo.row for photo in photos]), catalog.duplicates(frame)
    codes = catalog.label_codes(frame, catalog.ARTICLE)
    own = (duplicates[order] == duplicates[rows][:, None]) & (order >= 0)
    first = pass_over(order, own, max(CUTOFFS))
    right = (codes[first] == codes[rows][:, None]) & (first >= 0)
    hits = [right[:, :cutoff].any(axis=1).astype(float) for cutoff in CUTOFFS]
    precision = user_photos.precisions(order, photos, frame, [catalog.ARTICLE], depth)[catalog.ARTICLE]
    hits = [np.where(np.isnan(precision), np.nan, hit) for hit in hits]  # nothing to find
    return dict(zip(SEARCHED, [*hits, precision], strict=True))


def summarise(table: pd.DataFrame, run: UserPhotos) -> Measured:
    """A row per encoder, way, ground (and both together) and measure: the mean over products, and its interval.

    What is said of boxes is the same whoever searches with them, and stands once, with a blank encoder: `recall`, the
    share of products with a box that overlaps theirs by `ENOUGH`, and `boxes`, how many a photo has. All products of a
    photo are drawn together.
    """
    again = table.duplicated(["encoder", "way", "photo"])  # a photo's boxes are counted once, not once a product
    recall = (table["overlap"] >= ENOUGH).astype(float)
    said = table.assign(recall=recall, boxes=table["boxes"].mask(again).astype(float))
    once = said[said["encoder"] == run.encoders[0]].assign(encoder="")
    rows, values, resampled = [], {}, {}
    for measures, part in ((BOXES, once), (SEARCHED, said)):
        both = pd.concat([part, part.assign(ground=ALL_GROUNDS)])
        for (encoder, way, ground), some in both.groupby(["encoder", "way", "ground"], sort=False):
            groups = pd.factorize(some["photo"])[0]
            draws = statistics.draws(len(some), run.resamples, run.seed, groups)
            samples = statistics.resampled_means(draws, some[measures].to_numpy(float))
            low, high = statistics.interval(samples)
            for place, what in enumerate(measures):
                name = key(COMPOSITES, *([encoder] if encoder else []), way, ground, what)
                values[name], resampled[name] = float(some[what].mean()), samples[:, place]
                row = {"encoder": encoder, "way": way, "ground": ground, "measure": what, "value": values[name]}
                row |= {"low": low[place], "high": high[place], "products": len(some), "photos": int(groups.max()) + 1}
                rows.append(row)
    return Measured(pd.DataFrame(rows), values, resampled)
