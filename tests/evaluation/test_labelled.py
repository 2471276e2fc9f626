"""The baseline that compares no pictures: by the definition, and where it is the most that can be found."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from pipeline.data import catalog
from pipeline.evaluation import labelled


@pytest.fixture
def predicted(world, rng):
    frame, _ = world
    classes = ["Caps", "Shirts", "Ties"]  # Umbrellas were never learnt
    return pd.DataFrame(rng.dirichlet(np.ones(3), len(frame)), columns=classes)


@pytest.mark.parametrize("gallery", ["all", "test"])
def test_an_item_is_as_near_as_the_probability_of_its_true_label(world, predicted, gallery):
    frame, _ = world
    expected = []
    for query in np.flatnonzero(frame[catalog.SPLIT] == catalog.TEST):
        others = [
            item
            for item in range(len(frame))
            if frame.loc[item, catalog.SHA256] != frame.loc[query, catalog.SHA256]
            and (gallery == "all" or frame.loc[item, catalog.SPLIT] == catalog.TEST)
        ]
        truth = [frame.loc[item, catalog.ARTICLE] == frame.loc[query, catalog.ARTICLE] for item in others]
        if not any(truth):
            continue
        scores = [
            predicted.loc[query, frame.loc[item, catalog.ARTICLE]]
            if frame.loc[item, catalog.ARTICLE] in predicted.columns
            else 0
            for item in others
        ]
        ranks = np.argsort(-np.float32(scores), kind="stable")
        expected.append(average_precision_score(np.array(truth)[ranks], -np.arange(len(others))))
    assert labelled.by_labels(predicted, frame, gallery) == pytest.approx(expected, abs=1e-6)


def test_a_classifier_that_is_right_finds_all_there_is(world):
    frame, _ = world
    classes = sorted(frame[catalog.ARTICLE].dropna().unique())
    true = pd.DataFrame({name: (frame[catalog.ARTICLE] == name).astype(float) for name in classes})
    assert labelled.by_labels(true, frame, "all") == pytest.approx(1)
