"""Case d of the thesis: a network's pictures searched with the vector of another network.

Source: thesis section 4.3 d, where MobileNetV2's 1,280 numbers ask ResNet50's 2,048 and "no images were rendered". A
distance between these is refused. Two networks of one length can be crossed: what is found then, and how near is it?
"""

import itertools

import numpy as np
import pandas as pd

from pipeline import paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics, protocols
from pipeline.evaluation.keys import Of, Pattern, key, split
from pipeline.evaluation.metrics import MAP
from pipeline.evaluation.tables import Measured
from pipeline.retrieval.distances import DISTANCES
from pipeline.retrieval.ranking import Neighbours, search

FAMILY = "crossed"
PICTURES = 500  # drawn by the seed; each asks two networks
NEAREST = 10  # of a query, which two searches may have in common
LEAST, RANDOM = "nearest, least", f"random {MAP}"
NUMBERS = [MAP, RANDOM, LEAST, "nearest, median"]
COLUMNS = ["distance", "queries by", "gallery by", *NUMBERS]
KEYS: list[Pattern] = [(FAMILY, list(DISTANCES), Of(("encoders",)), Of(("encoders",)), NUMBERS)]


def measure(data: str, encoders: list[str], frame: pd.DataFrame, wanted: list[str], seed: int) -> Measured:
    """What the searches across find that claims ask for, and what the two networks find by themselves.

    Args:
        encoders: those whose features there are.
        wanted: keys that claims ask for, such as `crossed/manhattan/<asks>/<answers>/nearest, least`.
    """
    asked = dict.fromkeys((parts[1], *sorted(parts[2:4])) for parts in map(split, wanted) if parts[0] == FAMILY)
    rows = catalog.draw(np.arange(len(frame)), PICTURES, seed)
    tables = []
    for distance, *pair in [one for one in asked if {*one[1:]} <= {*encoders}]:
        vectors = {name: store.read(paths.features(data, name)) for name in pair}
        for features in vectors.values():
            protocols.check_same_images(features, frame)
        tables.append(table(vectors, frame, rows, distance).reset_index().assign(distance=distance))
    found = pd.concat(tables, ignore_index=True)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)
    values = {
        key(FAMILY, row["distance"], row["queries by"], row["gallery by"], number): float(row[number])
        for row in found.to_dict("records")
        for number in NUMBERS
    }
    return Measured(found, values)


def table(vectors: dict[str, FeatureSet], frame: pd.DataFrame, queries: np.ndarray, distance: str) -> pd.DataFrame:
    """Each network's vectors ask its own pictures and, where they have as many numbers, another network's.

    A row for each network that asks and each that answers: mAP by articleType, strict, and a random ranking's; the
    distance of the nearest picture, the least and the median over queries; and how much of the nearest ten each
    network's own search has found too, as a share. A search across takes the numbers for what they are not.

    Args:
        vectors: by encoder.
        queries: positions in the catalogue.
    """
    duplicates, asks = catalog.duplicates(frame), itertools.product(vectors, repeat=2)
    random = _random(frame, queries)
    fits = [(one, other) for one, other in asks if vectors[one].vectors.shape[1] == vectors[other].vectors.shape[1]]
    found: dict[tuple[str, str], Neighbours] = {}
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for ask, answer in fits:
        gallery = vectors[answer]
        # under the gallery's name: a search refuses another encoder's vectors, which is what is asked here
        taken = FeatureSet(gallery.ids[queries], vectors[ask].vectors[queries], gallery.encoder_id)
        found[ask, answer] = search(taken, gallery, distance, NEAREST, (duplicates[queries], duplicates))
        precision = protocols.precisions(taken, gallery, frame, queries, [catalog.ARTICLE], distance)[catalog.ARTICLE]
        nearest = found[ask, answer].distances[:, 0]
        rows[ask, answer] = {
            "numbers": gallery.vectors.shape[1],
            MAP: float(np.nanmean(precision)),
            RANDOM: random,
            LEAST: float(nearest.min()),
            "nearest, median": float(np.median(nearest)),
        }
    for pair, own in itertools.product(rows, vectors):
        rows[pair][f"as {own} alone"] = _in_common(found[pair].gallery_ids, found[own, own].gallery_ids)
    return pd.DataFrame(list(rows.values()), pd.MultiIndex.from_tuples(list(rows), names=["queries by", "gallery by"]))


def _in_common(some: np.ndarray, others: np.ndarray) -> float:
    """The mean share of some rows' items (Q, K) that the same row of others has too."""
    return float((some[:, :, None] == others[:, None, :]).any(axis=2).mean())


def _random(frame: pd.DataFrame, queries: np.ndarray) -> float:
    """mAP by articleType that a random ranking has, the query and its duplicates passed over."""
    duplicates, types = catalog.duplicates(frame), catalog.label_codes(frame, catalog.ARTICLE)
    relevant = protocols.strict_relevant(queries, duplicates, {catalog.ARTICLE: types})[catalog.ARTICLE]
    others = len(frame) - np.bincount(duplicates)[duplicates[queries]]
    return float(np.nanmean(metrics.chance_average_precision(relevant, others)))
