"""Classify, then recommend (document 004): what a classifier says, and what is most like a product.

The document keeps a frame of every product's similarity with every other: 44,424² numbers, 7.4 GiB in float32. Here
each product that is asked for has its nearest few, and nothing else is kept.
"""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import classification_report, confusion_matrix, f1_score

from pipeline.data import catalog
from pipeline.encoders import backbones, weights
from pipeline.encoders.card import read_card
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import classification, protocols
from pipeline.evaluation.tables import Measured
from pipeline.retrieval import indexes
from pipeline.retrieval.others import nearest_others
from pipeline.systems.keys import ACCURACY, FOREST, TWICE
from pipeline.vectors import unit

ROWS = 8192  # classified at once
ASKED, RANK, RECOMMENDED, SIMILARITY, COPY = "product", "rank", "recommended", "similarity", "same picture"


def probabilities(features: FeatureSet, folder: Path, label: str) -> pd.DataFrame:
    """What the classifier of a finetune thinks of each image: a row per image, a column per class.

    Args:
        features: of an encoder that ends where the finetune's classifier begins: the layer before it.
        folder: the finetune's weights.

    Raises:
        WeightsError: it has no classifier of that label, or one for other features.
    """
    classes = read_card(folder).get("classes", {}).get(label)
    if classes is None:
        raise weights.WeightsError(
            f"{folder.name} has no classifier of {label}. Finetune it with cross entropy by {label}"
        )
    model = backbones.classifier(label, features.vectors.shape[1], len(classes))
    weights.load_part(model, folder)
    parts = [features.vectors[start : start + ROWS] for start in range(0, len(features.ids), ROWS)]
    rows = [keras.ops.convert_to_numpy(keras.ops.softmax(model(part))) for part in parts]
    return pd.DataFrame(np.concatenate(rows), columns=classes)


def true_and_predicted(frame: pd.DataFrame, probable: pd.DataFrame, label: str) -> tuple[np.ndarray, np.ndarray]:
    """The true label of each test image and the predicted one; a blank label is left out.

    Args:
        probable: what `probabilities` gives.
    """
    test = catalog.rows_of(frame, catalog.TEST)
    return classification.true_and_predicted(frame[label].iloc[test], probable.iloc[test])


def accuracy(true: np.ndarray, predicted: np.ndarray, learnt: np.ndarray) -> dict[str, float]:
    """Accuracy with what it has to be read against: the number of classes, and two ways to guess.

    `commonest`: always predicting the class that was learnt from most often. `by shares`: guessing each class as often
    as it was learnt from. A class that was never learnt counts as wrong.

    Args:
        learnt: the labels of the images that were learnt from.
    """
    shares = pd.Series(learnt).value_counts(normalize=True)
    asked = pd.Series(true).map(shares).fillna(0.0)
    guesses = [float(len(np.unique(true))), float((true == shares.index[0]).mean()), float(asked.mean())]
    return dict(zip(ACCURACY, [*_right(true, predicted), *guesses], strict=True))


def forest(features: FeatureSet, frame: pd.DataFrame, label: str, trees: int, seed: int) -> dict[str, float]:
    """How well a random forest tells the test images' labels by their features, learnt from the train part.

    What document 004's first reference does with JPEG's coefficients (Ullah et al., 2020).

    Returns:
        Accuracy, macro F1 and weighted F1, by the keys of `FOREST`.
    """
    protocols.check_same_images(features, frame)
    learnt, asked = (catalog.rows_of(frame, part) for part in (catalog.TRAIN, catalog.TEST))
    known = frame[label].notna().to_numpy()
    learnt, asked = learnt[known[learnt]], asked[known[asked]]
    names = frame[label].to_numpy(object)
    grown = RandomForestClassifier(trees, random_state=seed, n_jobs=-1).fit(features.vectors[learnt], names[learnt])
    return dict(zip(FOREST, _right(names[asked], grown.predict(features.vectors[asked])), strict=True))


def _right(true: np.ndarray, predicted: np.ndarray) -> list[float]:
    """Accuracy, and the mean of the classes' F1: each alike, and each by its images."""
    weighted = f1_score(true, predicted, average="weighted", zero_division=0)
    return [*classification.accuracy(true, predicted).values(), float(weighted)]


def per_class(true: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """Precision, recall, F1 and the number of images of each class, the commonest first."""
    report = classification_report(true, predicted, labels=np.unique(true), output_dict=True, zero_division=0)
    table = pd.DataFrame({name: report[name] for name in np.unique(true)}).T.rename(columns={"support": "pictures"})
    table = table.astype({"pictures": int}).sort_values("pictures", ascending=False, kind="stable")
    return table.rename_axis("class").reset_index()


def confusions(true: np.ndarray, predicted: np.ndarray, commonest: int) -> pd.DataFrame:
    """Counts: a row per true class, a column per predicted class; the commonest classes, all others as one."""
    names = list(pd.Series(true).value_counts().index[:commonest])
    merged = [np.where(np.isin(values, names), values, "(others)") for values in (true, predicted)]
    labels = [*names, *(["(others)"] if any("(others)" in values for values in merged) else [])]
    return pd.DataFrame(confusion_matrix(*merged, labels=labels), index=labels, columns=labels)


def recommend(features: FeatureSet, frame: pd.DataFrame, products: list[str], count: int) -> pd.DataFrame:
    """The `count` images most like each of some products, by cosine similarity, itself left out and copies not.

    Returns:
        `product`, `rank`, `recommended`, `similarity`, and `same picture`: whether the two files hold the same bytes.

    Raises:
        ValueError: an id that the catalogue has not.
    """
    protocols.check_same_images(features, frame)
    place = {identity: row for row, identity in enumerate(frame[catalog.ID])}
    if unknown := [product for product in products if product not in place]:
        raise ValueError(
            f"no picture of the catalogue has the id {unknown[0]!r}. Its ids go from "
            f"{frame[catalog.ID].iloc[0]} to {frame[catalog.ID].iloc[-1]}"
        )
    rows = np.array([place[product] for product in products], np.int64)
    near, distances = nearest_others(features.vectors, rows, count)
    same, tables = catalog.duplicates(frame), []
    for row, positions, away in zip(rows, near, distances, strict=True):
        others = positions[positions != indexes.NOWHERE]
        columns = {
            ASKED: frame[catalog.ID].iloc[row],
            RANK: np.arange(1, len(others) + 1),
            RECOMMENDED: frame[catalog.ID].to_numpy()[others],
            SIMILARITY: 1 - away[: len(others)],
            COPY: same[others] == same[row],
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def found_twice(features: FeatureSet, frame: pd.DataFrame) -> dict[str, float]:
    """How often the most similar other image is the same picture again, and what rounding makes of its similarity.

    `first is the same picture`: images whose nearest other holds the same bytes. `equal vectors`: whose nearest other
    has the same vector to within 1e-6. `above 1`: pairs (each image with its nearest other) whose similarity, summed in
    float32 and not clipped, comes out above 1, with the largest in `largest`.
    """
    vectors, rows = unit(features.vectors).astype(np.float32), np.arange(len(frame))
    first, away = (found[:, 0] for found in nearest_others(vectors, rows, 1))
    same = catalog.duplicates(frame)
    parts = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
    plain = np.concatenate([np.einsum("nd,nd->n", vectors[part], vectors[first[part]]) for part in parts])
    counts = [len(rows), (same[first] == same).sum(), (away <= 1e-6).sum(), (plain > 1).sum(), plain.max()]
    return {name: float(count) for name, count in zip(TWICE, counts, strict=True)}


def measured(table: pd.DataFrame, *numbers: dict[str, float]) -> Measured:
    """What the chapter measured, of `accuracy` and of `found_twice`, as a family of measurements."""
    return Measured(table, {name: value for part in numbers for name, value in part.items()})
