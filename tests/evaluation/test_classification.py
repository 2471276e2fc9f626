"""Labels and predictions side by side, and how often they agree."""

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
