"""Ranking by what a classifier says, with no picture compared: what articleType mAP is worth where labels are known.

A query's class probabilities are held against the *true* labels of the gallery. Where four fifths of the gallery were
learnt from, such labels are at hand in any shop, and an embedding that finds no more than this has found a class.
"""

import numpy as np
import pandas as pd

from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import concatenated, protocols
from pipeline.evaluation.finetunes import key_at
from pipeline.evaluation.keys import key
from pipeline.evaluation.metrics import MAP
from pipeline.evaluation.names import ALL, STRICT, TEST


def table(
    data: str,
    posteriors: dict[str, dict[str, float]],
    weights: dict[str, str],
    frame: pd.DataFrame,
    values: dict[str, float],
) -> pd.DataFrame:
    """A row per encoder with a classifier of types and gallery: mAP of its own vectors, and of its labels alone.

    Args:
        posteriors: by encoder, the share of each label's classifier in its vectors.
        weights: by encoder, the name of its weights.
        values: what was measured, by key.
    """
    rows = []
    for encoder, shares in posteriors.items():
        if catalog.ARTICLE not in shares:
            continue
        predicted = concatenated.predictions(data, encoder, weights[encoder], shares, frame)
        for gallery in (ALL, TEST):
            own = values.get(key_at(encoder, key(STRICT, gallery, catalog.ARTICLE, MAP)), np.nan)
            found = by_labels(predicted, frame, gallery)
            rows.append({"encoder": encoder, "gallery": gallery, "vectors": own, "labels alone": found.mean()})
    return pd.DataFrame(rows, columns=["encoder", "gallery", "vectors", "labels alone"])


def by_labels(predicted: pd.DataFrame, frame: pd.DataFrame, gallery: str) -> np.ndarray:
    """AP of each test query by articleType when the gallery is ranked by what is predicted of the query; (Q,).

    An item is as near as the probability of its true label; of one label all are equally near, in the order of ids.
    Queries with nothing to find are left out. Strict protocol.

    Args:
        predicted: class probabilities, a row per image, a column per type, as `concatenated.predictions` gives them.
    """
    member = np.flatnonzero((frame[catalog.SPLIT] == catalog.TEST) if gallery == TEST else np.ones(len(frame), bool))
    part = frame.iloc[member].reset_index(drop=True)
    true = pd.Index(predicted.columns).get_indexer(part[catalog.ARTICLE])
    labels = np.zeros((len(part), predicted.shape[1]), np.float32)
    labels[true >= 0, true[true >= 0]] = 1  # a type that was never learnt is near nobody
    asking = catalog.rows_of(part, catalog.TEST)
    ids = part[catalog.ID].to_numpy(object)
    asked = predicted.to_numpy(np.float32)[member[asking]]
    found = protocols.precisions(
        FeatureSet(ids[asking], asked, "labels"), FeatureSet(ids, labels, "labels"), part, asking, [catalog.ARTICLE]
    )[catalog.ARTICLE]
    return found[np.isfinite(found)]
