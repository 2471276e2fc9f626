"""Labels and predictions side by side, and how often they agree."""

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation import classification

SCORES = pd.DataFrame([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6], [0.7, 0.3]], columns=["Belts", "Tops"], index=[9, 3, 4, 1])


def test_each_image_with_a_label_stands_beside_its_highest_class_whatever_the_index():
    true, predicted = classification.true_and_predicted(pd.Series(["Tops", None, "Belts", "Rare"]), SCORES)
    assert true.tolist() == ["Tops", "Belts", "Rare"]
    assert predicted.tolist() == ["Tops", "Tops", "Belts"]
    assert (true.dtype, predicted.dtype) == (object, object)


def test_without_a_label_there_is_nothing_to_predict():
    true, predicted = classification.true_and_predicted(pd.Series([None, pd.NA, None, None], dtype=object), SCORES)
    assert (len(true), len(predicted)) == (0, 0)


def test_macro_f1_is_over_the_true_labels_alone():
    true, predicted = classification.true_and_predicted(pd.Series(["Tops", "Tops", "Tops", "Tops"]), SCORES)
    assert classification.accuracy(true, predicted) == {
        "accuracy": pytest.approx(0.5),
        "macro F1": pytest.approx(2 * 1 * 0.5 / 1.5),
    }


def test_the_interval_of_the_accuracy_draws_products_whole(rng):
    """300 products of four pictures, all right or all wrong: as if there were 300 pictures."""
    right = np.repeat(rng.random(300) < 0.7, 4)
    low, high = classification.accuracy_interval(np.ones(1200), right.astype(float), np.repeat(np.arange(300), 4))
    spread = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 300)
    assert [low, high] == pytest.approx([right.mean() - spread, right.mean() + spread], abs=0.01)
    alone = classification.accuracy_interval(np.ones(1200), right.astype(float), np.arange(1200))
    assert alone[1] - alone[0] == pytest.approx((high - low) / 2, rel=0.1)


def test_no_image_has_no_interval():
    nothing = np.empty(0, object)
    assert np.isnan(classification.accuracy_interval(nothing, nothing, np.empty(0, int))).all()
