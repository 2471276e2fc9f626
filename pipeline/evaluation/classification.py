"""How often a classifier is right, read against true labels: accuracy and macro F1, defined once."""

import numpy as np
from sklearn.metrics import accuracy_score, f1_score


def accuracy(true: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """`accuracy`, and `macro F1` averaged over the classes among the true labels; (N,), (N,).

    A class that was never learnt counts as wrong; blank labels are for the caller to leave out.
    """
    macro = f1_score(true, predicted, labels=np.unique(true), average="macro", zero_division=0)
    return {"accuracy": float(accuracy_score(true, predicted)), "macro F1": float(macro)}
