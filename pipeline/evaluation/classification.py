"""How often a classifier is right, read against true labels: accuracy and macro F1, defined once."""

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score

from pipeline.evaluation import statistics

RESAMPLES = 2000


def true_and_predicted(true: pd.Series, scores: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The label of each image that has one, and the class that scores highest for it; object (N,) each, N at most B.

    Args:
        true: (B,); blank where an image has no label.
        scores: (B, C) in the same order, a column per class under its name.
    """
    known = true.notna().to_numpy()
    predicted = scores.columns.to_numpy(object)[scores.to_numpy()[known].argmax(axis=1)]
    return true.to_numpy(object)[known], predicted


def accuracy(true: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """`accuracy`, and `macro F1` averaged over the classes among the true labels; (N,), (N,).

    A class that was never learnt counts as wrong; blank labels are for the caller to leave out.
    """
    macro = f1_score(true, predicted, labels=np.unique(true), average="macro", zero_division=0)
    return {"accuracy": float(accuracy_score(true, predicted)), "macro F1": float(macro)}


def learnable(true: np.ndarray, predicted: np.ndarray, known: set[str]) -> dict[str, float]:
    """`learnable`, the share of images whose label is among the known ones, which no accuracy exceeds; and, where there
    are any, `accuracy_learnable`, the accuracy among those; (N,), (N,).

    >>> learnable(np.array(["Tops", "Tops", "Rare", "Rare"]), np.array(["Tops", "Belts", "Tops", "Tops"]), {"Tops"})
    {'learnable': 0.5, 'accuracy_learnable': 0.5}
    """
    possible = np.isin(true, list(known))
    values = {"learnable": float(possible.mean())}
    if possible.any():
        values["accuracy_learnable"] = float(accuracy_score(true[possible], predicted[possible]))
    return values


def accuracy_interval(true: np.ndarray, predicted: np.ndarray, products: np.ndarray) -> tuple[float, float]:
    """The lowest and the highest accuracy that other products of the same kinds would give; nan of no image.

    Macro F1 has no such interval: of a type that one product has, drawing products anew tells nothing of its others.

    Args:
        true, predicted: (N,). products: a number per image (N,); the images of a product are drawn as one.
    """
    drawn = statistics.draws(len(true), RESAMPLES, 0, products)
    low, high = statistics.interval(statistics.resampled_means(drawn, (true == predicted).astype(float)[:, None]))
    return float(low[0]), float(high[0])
