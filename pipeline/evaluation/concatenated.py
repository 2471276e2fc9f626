"""Two networks as one: what their vectors side by side find, and what their classifiers predict together."""

import numpy as np
import pandas as pd

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.encoders.card import read_card
from pipeline.evaluation import protocols
from pipeline.evaluation.classification import accuracy, accuracy_interval, true_and_predicted
from pipeline.evaluation.finetunes import BOUNDS, REACHED, reached

COLUMNS = ["encoder", "first", "second", "share", *REACHED, *BOUNDS]


def table(
    data: str,
    concatenations: dict[str, params.Concatenation],
    posteriors: dict[str, dict[str, float]],
    weights: dict[str, str],
    frame: pd.DataFrame,
    values: dict[str, float],
) -> pd.DataFrame:
    """What `together` makes of a study's concatenations.

    Args:
        posteriors: by encoder, the share of each label's classifier in its vectors.
        weights: by encoder, the name of its weights.
    """
    predicted = {
        encoder: predictions(data, encoder, weights[encoder], shares, frame)
        for encoder, shares in posteriors.items()
        if catalog.ARTICLE in shares
    }
    return together(concatenations, predicted, frame, values)


def together(
    concatenations: dict[str, params.Concatenation],
    predicted: dict[str, pd.DataFrame],
    frame: pd.DataFrame,
    values: dict[str, float],
) -> pd.DataFrame:
    """A row per concatenation: its parts, how often they name a test image's type together, and mAP at `PLACES`.

    Accuracy, its interval and macro F1 as finetuning has them: a blank type is left out, one that was never learnt
    counts as wrong.

    Args:
        predicted: by encoder with classifiers, what `predictions` gives.
    """
    predicted, rows = dict(predicted), []
    test = catalog.rows_of(frame, catalog.TEST)
    tested = frame.iloc[test]
    products = catalog.products(tested[tested[catalog.ARTICLE].notna()])
    for name, spec in concatenations.items():
        shares = ((spec.first, 1 - spec.share), (spec.second, spec.share))
        parts = [predicted[part] * share for part, share in shares if part in predicted]
        correct = dict.fromkeys(("accuracy", "macro F1", *BOUNDS), np.nan)
        if parts:
            predicted[name] = parts[0] if len(parts) == 1 else parts[0].add(parts[1], fill_value=0)
            said = true_and_predicted(tested[catalog.ARTICLE], predicted[name].iloc[test])
            correct = accuracy(*said) | dict(zip(BOUNDS, accuracy_interval(*said, products), strict=True))
        parts_of = {"encoder": name, "first": spec.first, "second": spec.second, "share": spec.share}
        rows.append({**parts_of, **correct, **reached(name, values)})
    return pd.DataFrame(rows, columns=COLUMNS)  # also of a study that has none


def predictions(data: str, encoder: str, weights: str, shares: dict[str, float], frame: pd.DataFrame) -> pd.DataFrame:
    """What an encoder's classifier predicts of each image's type: class probabilities at length 1, from its features.

    Args:
        shares: the encoder's `posteriors`, articleType among them; their blocks stand first in its vectors.

    Returns:
        A row per image of `frame`, a column per article type.
    """
    classes = read_card(paths.weights(data, weights))["classes"]
    features = store.read(paths.features(data, encoder))
    protocols.check_same_images(features, frame)
    start = sum(len(classes[label]) for label in shares if label < catalog.ARTICLE)  # blocks are in the order of names
    block = features.vectors[:, start : start + len(classes[catalog.ARTICLE])]
    return pd.DataFrame(block / shares[catalog.ARTICLE] ** 0.5, columns=classes[catalog.ARTICLE])
