"""Classify, then recommend (document 004): what a classifier says, and what is most like a product.

The document keeps a frame of every product's similarity with every other: 44,424² numbers, 7.4 GiB in float32. Here each
product that is asked for has its nearest few, and nothing else is kept.
"""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix, f1_score

from pipeline.data import catalog
from pipeline.encoders import backbones, weights
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import protocols
from pipeline.retrieval import indexes
from pipeline.retrieval.distances import unit

ROWS = 8192  # classified at once
PRODUCT, RANK, RECOMMENDED, SIMILARITY, COPY = "product", "rank", "recommended", "similarity", "same picture"


def probabilities(features: FeatureSet, folder: Path, label: str) -> pd.DataFrame:
    """What the classifier of a finetune thinks of each picture: a row per picture, a column per class.

    Args:
        features: of an encoder that ends where the finetune's classifier begins: the layer before it.
        folder: the finetune's weights.

    Raises:
        WeightsError: it has no classifier of that label, or one for other features.
    """
    classes = weights.card(folder).get("classes", {}).get(label)
    if classes is None:
        raise weights.WeightsError(
            f"{folder.name} has no classifier of {label}. Finetune it with cross entropy by {label}"
        )
    model = backbones.classifier(label, features.vectors.shape[1], len(classes))
    weights.load_part(model, folder)
    parts = [features.vectors[start : start + ROWS] for start in range(0, len(features.ids), ROWS)]
    found = [keras.ops.convert_to_numpy(keras.ops.softmax(model(part))) for part in parts]
    return pd.DataFrame(np.concatenate(found), columns=classes)


def judged(frame: pd.DataFrame, thought: pd.DataFrame, label: str) -> tuple[np.ndarray, np.ndarray]:
    """What each test picture is and what was said of it; a blank label is left out."""
    asked = ((frame[catalog.SPLIT] == catalog.TEST) & frame[label].notna()).to_numpy()
    return frame[label].to_numpy(object)[asked], thought.columns.to_numpy(object)[
        thought.to_numpy()[asked].argmax(axis=1)
    ]


def accuracy(right: np.ndarray, said: np.ndarray, learnt: np.ndarray) -> dict[str, float]:
    """Accuracy with what it has to be read against: the number of classes, and two ways to guess.

    `commonest`: always saying the class that was learnt from most often. `by shares`: guessing each class as often as it
    was learnt from. A class that was never learnt counts as wrong.

    Args:
        learnt: the labels of the pictures that were learnt from.
    """
    shares = pd.Series(learnt).value_counts(normalize=True)
    asked = pd.Series(right).map(shares).fillna(0.0)
    return {
        "accuracy": float(accuracy_score(right, said)),
        "macro F1": float(f1_score(right, said, labels=np.unique(right), average="macro", zero_division=0)),
        "classes": float(len(np.unique(right))),
        "commonest": float((right == shares.index[0]).mean()),
        "by shares": float(asked.mean()),
    }


def per_class(right: np.ndarray, said: np.ndarray) -> pd.DataFrame:
    """Precision, recall, F1 and the number of pictures of each class, the commonest first."""
    found = classification_report(right, said, labels=np.unique(right), output_dict=True, zero_division=0)
    table = pd.DataFrame({name: found[name] for name in np.unique(right)}).T.rename(columns={"support": "pictures"})
    return (
        table.astype({"pictures": int})
        .sort_values("pictures", ascending=False, kind="stable")
        .rename_axis("class")
        .reset_index()
    )


def confusions(right: np.ndarray, said: np.ndarray, commonest: int) -> pd.DataFrame:
    """Counts: a row per class that is, a column per class that was said; the commonest classes, all others as one."""
    names = list(pd.Series(right).value_counts().index[:commonest])
    merged = [np.where(np.isin(values, names), values, "(others)") for values in (right, said)]
    labels = [*names, *(["(others)"] if any("(others)" in values for values in merged) else [])]
    return pd.DataFrame(confusion_matrix(*merged, labels=labels), index=labels, columns=labels)


def recommend(features: FeatureSet, frame: pd.DataFrame, products: list[str], count: int) -> pd.DataFrame:
    """The `count` pictures most like each of some products, by cosine similarity, itself left out and copies not.

    Returns:
        `product`, `rank`, `recommended`, `similarity`, and `same picture`: whether the two files hold the same bytes.

    Raises:
        ValueError: an id that the catalogue has not.
    """
    protocols.check_same_pictures(features, frame)
    place = {identity: row for row, identity in enumerate(frame[catalog.ID])}
    if unknown := [product for product in products if product not in place]:
        raise ValueError(f"no picture of the catalogue has the id {unknown[0]!r}. Its ids go from "
                         f"{frame[catalog.ID].iloc[0]} to {frame[catalog.ID].iloc[-1]}")  # fmt: skip
    rows = np.array([place[product] for product in products], np.int64)
    near, distances = indexes.build("exact", features.vectors)(features.vectors[rows], count + 1)
    copies, tables = protocols.copies_of(frame), []
    for row, found, apart in zip(rows, near, distances, strict=True):
        others = np.flatnonzero((found != row) & (found != indexes.NOWHERE))[:count]
        tables.append(pd.DataFrame({
            PRODUCT: frame[catalog.ID].iloc[row], RANK: np.arange(1, len(others) + 1),
            RECOMMENDED: frame[catalog.ID].to_numpy()[found[others]], SIMILARITY: 1 - apart[others],
            COPY: copies[found[others]] == copies[row],
        }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def duplicates(features: FeatureSet, frame: pd.DataFrame) -> dict[str, float]:
    """How often the most similar other picture is the same picture again, and what rounding makes of its similarity.

    `first is the same picture`: pictures whose nearest other holds the same bytes. `equal vectors`: whose nearest other has
    the same vector to within 1e-6. `above 1`: pairs (each picture with its nearest other) whose similarity, summed in
    float32 and not clipped, comes out above 1, with the largest in `largest`.
    """
    vectors, rows = unit(features.vectors).astype(np.float32), np.arange(len(frame))
    near, distances = indexes.build("exact", vectors)(vectors, 2)
    first = np.where(near[:, 0] == rows, near[:, 1], near[:, 0])
    apart = np.where(near[:, 0] == rows, distances[:, 1], distances[:, 0])
    copies = protocols.copies_of(frame)
    plain = np.concatenate([
        np.einsum("nd,nd->n", vectors[start : start + ROWS], vectors[first[start : start + ROWS]])
        for start in range(0, len(rows), ROWS)
    ])  # fmt: skip
    return {
        "pictures": float(len(rows)), "first is the same picture": float((copies[first] == copies).sum()),
        "equal vectors": float((apart <= 1e-6).sum()), "above 1": float((plain > 1).sum()), "largest": float(plain.max()),
    }  # fmt: skip
