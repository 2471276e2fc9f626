"""The catalogue: its columns, how it is read, and what its labels, products and duplicates are as numbers.

`ingest` makes it. Letters: G images.
"""

import json
import re

import numpy as np
import pandas as pd

from pipeline import paths
from pipeline.params.columns import (
    ARTICLE,
    CLASSES,
    COLOUR,
    COLUMNS,
    GENDER,
    ID,
    LABELS,
    MASTER,
    PRODUCT,
    SEASON,
    SUB,
    USAGE,
    YEAR,
)

__all__ = [
    "ARTICLE",
    "CLASSES",
    "COLOUR",
    "COLUMNS",
    "GENDER",
    "ID",
    "LABELS",
    "MASTER",
    "PRODUCT",
    "SEASON",
    "SUB",
    "USAGE",
    "YEAR",
]
# columns of our own
WIDTH, HEIGHT, MODE, SHA256 = "width", "height", "mode", "sha256"
SPLIT, TEMPORAL_SPLIT, TYPE_SPLIT = "split", "temporal_split", "type_split"
TRAIN, TEST = "train", "test"
SEEN = "seen"  # of the temporal split: an odd year's picture that an even year has, or its product
DRAWN = "drawn sample"  # the source of images that this project draws
ID_PATTERN = re.compile(r"[A-Za-z0-9_\-]{1,64}")


class CatalogError(ValueError):
    """A label table or catalogue that cannot be used."""


def load(data: str) -> pd.DataFrame:
    """The catalogue of a data source, in the order of its ids, with the index 0 … n−1.

    Raises:
        CatalogError: it has not been made yet.
    """
    path = paths.catalog(data)
    if not path.exists():
        raise CatalogError(f"{path.relative_to(paths.ROOT)} is missing. Make it with: dvc repro ingest")
    return pd.read_parquet(path)


def load_report(data: str) -> dict:
    """What ingestion counted, repaired and left out."""
    return json.loads(paths.ingest_report(data).read_text(encoding="utf-8"))


def comparability(data: str) -> str:
    """A sentence that says whether numbers from these images may be held against the thesis's."""
    if load_report(data)["source"] == DRAWN:
        return (
            "NOT COMPARABLE: these pictures were drawn by the project; numbers from them say nothing about the thesis."
        )
    return f"Measured on the {load_report(data)['pictures']:,} readable pictures of {data}."


def are_the_thesis_images(data: str) -> bool:
    """Whether these are the thesis's images, all of them: a verdict on its numbers may rest on nothing less.

    Kaggle's `styles.csv` has 44,446 rows, of which five have no image.
    """
    report = load_report(data)
    return report["source"] != DRAWN and report["rows"] == 44_446 and report["pictures"] >= 44_400


def label_codes(frame: pd.DataFrame, relevance: str) -> np.ndarray:
    """Whole numbers, equal where two images are relevant to each other, −1 where a label is blank; int32 (G,).

    Args:
        relevance: a column, columns joined by `+`, or `product` for the same display name.
    """
    columns = label_columns(relevance)
    codes = frame.groupby(columns, sort=True, dropna=False).ngroup().to_numpy(np.int32)
    return np.where(frame[columns].isna().any(axis=1).to_numpy(), np.int32(-1), codes)


def label_columns(relevance: str) -> list[str]:
    """The columns that must agree where two images are relevant to each other."""
    return [PRODUCT] if relevance == "product" else relevance.split("+")


def label_names(frame: pd.DataFrame, relevance: str) -> np.ndarray:
    """What a relevance's labels are called, one per image; blank where one is missing."""
    columns = label_columns(relevance)
    text = frame[columns].fillna("").astype(str)
    return text.agg(" · ".join, axis=1).to_numpy() if len(columns) > 1 else text[columns[0]].to_numpy()


def duplicates(frame: pd.DataFrame) -> np.ndarray:
    """A number per image, equal where the bytes are equal; int64 (G,). An image is a duplicate of itself.

    >>> duplicates(pd.DataFrame({SHA256: ["3fa0", "b917", "3fa0"]}))
    array([0, 1, 0])
    """
    return pd.factorize(frame[SHA256])[0].astype(np.int64)


def products(frame: pd.DataFrame) -> np.ndarray:
    """A number per image, equal under one display name; an image without a name is a product of its own; (G,).

    >>> products(pd.DataFrame({PRODUCT: ["Red Shirt", None, "Red Shirt", None]}))
    array([0, 5, 0, 7])
    """
    codes = label_codes(frame, "product").astype(np.int64)
    return np.where(codes < 0, len(frame) + np.arange(len(frame)), codes)


def rows_of(frame: pd.DataFrame, part: str) -> np.ndarray:
    """The positions of one part of the split, `train` or `test`, in the catalogue's order."""
    return np.flatnonzero((frame[SPLIT] == part).to_numpy())


def draw(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """At most `count` of some positions, drawn by a seed, in ascending order."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:count])


def draw_apart(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """As `draw`, other positions for the same seed: the published thresholds, spaces and panels were drawn so.

    One of the two goes when a publication may move those numbers.
    """
    return np.sort(np.random.default_rng(seed).choice(rows, min(count, len(rows)), replace=False))
