"""What two classifiers predict together."""

import json

import numpy as np
import pandas as pd
import pytest
from cards import pair, values_of
from small_world import keep

from pipeline import paths
from pipeline.data import catalog
from pipeline.evaluation import classification, concatenated, finetunes

TYPES = pd.DataFrame(
    {
        catalog.SPLIT: ["test", "train", "test", "test", "test", "test"],
        catalog.ARTICLE: ["Tops", "Tops", "Belts", "Belts", None, "Rare"],
        catalog.PRODUCT: ["Red Top", "Red Top", "Belt", "Belt", "Belt", None],
    }
)


def probabilities_of(*rows, classes=("Belts", "Tops")):
    return pd.DataFrame(rows, columns=list(classes), dtype=float)


ONE = probabilities_of([0.4, 0.6], [1, 0], [0.6, 0.4], [0.1, 0.9], [1, 0], [1, 0])
OTHER = probabilities_of([0.9, 0.1], [1, 0], [0.6, 0.4], [0.9, 0.1], [1, 0], [1, 0])


# of the first, third, fourth and last picture (the last is of a type that was never learnt; a blank type is left out):
# nearly the first part alone, nearly the second alone; both go wrong on the first and fourth; the fourth comes right
@pytest.mark.parametrize(("share", "accuracy"), [(0.01, 2 / 4), (0.99, 2 / 4), (0.3, 1 / 4), (0.6, 2 / 4)])
def test_what_two_classifiers_predict_together_is_their_weighted_sum(share, accuracy):
    table = concatenated.together({"both": pair("one", "other", share)}, {"one": ONE, "other": OTHER}, TYPES, {})
    assert table["accuracy"].tolist() == [pytest.approx(accuracy)]


def test_the_accuracys_interval_is_over_products():
    """Of three products one has one right of two, one none of one, one both right or one of two."""
    table = concatenated.together({"both": pair("one", "other", 0.6)}, {"one": ONE, "other": OTHER}, TYPES, {})
    true, predicted = np.array(["Tops", "Belts", "Belts", "Rare"]), np.array(["Belts", "Belts", "Belts", "Belts"])
    expected = classification.accuracy_interval(true, predicted, np.array([1, 0, 0, 2]))
    assert table[finetunes.BOUNDS].to_numpy().tolist() == [list(expected)]
    assert expected[0] < table["accuracy"].item() < expected[1]


def test_macro_f1_weighs_every_type_of_the_test_pictures_the_same():
    table = concatenated.together({"both": pair("one", "other", 0.01)}, {"one": ONE, "other": OTHER}, TYPES, {})
    tops, belts = (
        2 * 0.5 * 1 / (0.5 + 1),
        2 * 0.5 * 0.5 / (0.5 + 0.5),
    )  # precision 1/2 recall 1, precision 1/2 recall 1/2
    assert table["macro F1"].tolist() == [pytest.approx((tops + belts + 0) / 3)]


def test_one_part_with_a_classifier_predicts_alone_and_none_predicts_nothing(rng):
    joined = {
        "left": pair("one", "pad"),
        "right": pair("pad", "one"),
        "none": pair("pad", "stretch"),
        "deep": pair("none", "left"),
    }
    values = values_of(joined, rng)
    table = concatenated.together(joined, {"one": ONE}, TYPES, values).set_index("encoder")
    assert table.loc[["left", "right", "deep"], "accuracy"].tolist() == [0.5] * 3
    assert np.isnan(table.loc["none", "accuracy"])
    for place, key in finetunes.PLACES.items():
        assert table[place].tolist() == [values[f"{name}-cosine/{key}"] for name in joined]


def test_classifiers_of_other_types_are_joined_by_name():
    swapped = OTHER.assign(Rare=[0, 0, 0, 0, 0, 5.0])[["Rare", "Tops", "Belts"]]
    table = concatenated.together({"both": pair("one", "other", 0.6)}, {"one": ONE, "other": swapped}, TYPES, {})
    assert table["accuracy"].tolist() == [pytest.approx(3 / 4)]


def test_without_concatenations_the_table_is_empty():
    assert concatenated.together({}, {}, TYPES, {}).empty


def test_a_prediction_is_read_off_the_features_behind_the_labels_before_it(shop, rng):
    frame, _ = shop
    told = rng.dirichlet(np.ones(3), len(frame))
    told /= np.linalg.norm(told, axis=1, keepdims=True)
    blocks = [rng.normal(size=(len(frame), 2)), told * 0.3**0.5, rng.normal(size=(len(frame), 4))]
    keep("tuned", frame[catalog.ID].tolist(), np.concatenate(blocks, axis=1).astype(np.float32))
    paths.weights("sample", "made").mkdir(parents=True)
    classes = {"articleType": ["Belts", "Tops", "Watches"], "ageGroup": ["a", "b"], "gender": ["x"]}
    (paths.weights("sample", "made") / "card.json").write_text(json.dumps({"classes": classes}), encoding="utf-8")
    shares = {"ageGroup": 0.1, "articleType": 0.3}
    found = concatenated.predictions("sample", "tuned", "made", shares, frame)
    assert list(found.columns) == classes["articleType"]
    assert found.to_numpy() == pytest.approx(told, abs=1e-6)
    joined, posteriors = {"both": pair("tuned", "right")}, {"tuned": shares, "right": {"gender": 0.1}}
    table = concatenated.table("sample", joined, posteriors, {"tuned": "made", "right": "plain"}, frame, {})
    pd.testing.assert_frame_equal(table, concatenated.together(joined, {"tuned": found}, frame, {}))
    assert table["accuracy"].notna().all()
