"""Classify, then recommend: the trained network's probabilities, guessing, and who is recommended for whom."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from pipeline.data import catalog
from pipeline.encoders import backbones, weights
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import keys
from pipeline.systems import recommendation
from pipeline.systems.keys import KEYS


@pytest.fixture
def trained(world, tmp_path):
    """A folder with a classifier of three types for the small catalogue's features, and what it should say."""
    frame, features = world
    model = backbones.classifier("articleType", 3, 3, dropout=0.5)
    kernel, bias = np.random.default_rng(3).normal(size=(3, 3)).astype(np.float32), np.float32([0.1, -0.2, 0.3])
    model.layers[-1].set_weights([kernel, bias])
    weights.save([model], tmp_path / "tuned", {"classes": {"articleType": ["Caps", "Shirts", "Ties"]}})
    logits = features.vectors @ kernel + bias
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return frame, features, tmp_path / "tuned", shares


def test_probabilities_are_those_of_the_classifier_without_dropout(trained, monkeypatch):
    frame, features, folder, expected = trained
    monkeypatch.setattr(recommendation, "ROWS", 7)
    found = recommendation.probabilities(features, folder, "articleType")
    assert list(found.columns) == ["Caps", "Shirts", "Ties"]
    assert found.to_numpy() == pytest.approx(expected, abs=1e-6)
    right, said = recommendation.true_and_predicted(frame, found, "articleType")
    asked = [row for row in range(30) if row % 3 == 0 and row != 18]  # 18 has no type
    assert right.tolist() == frame[catalog.ARTICLE].iloc[asked].tolist()
    assert said.tolist() == [["Caps", "Shirts", "Ties"][place] for place in expected[asked].argmax(axis=1)]


def test_a_network_without_that_classifier_is_named(trained):
    frame, features, folder, _ = trained
    with pytest.raises(weights.WeightsError, match="tuned has no classifier of gender"):
        recommendation.probabilities(features, folder, "gender")
    other = FeatureSet(features.ids, np.zeros((30, 5), np.float32), "x:1")
    with pytest.raises(weights.WeightsError):
        recommendation.probabilities(other, folder, "articleType")


def test_accuracy_stands_beside_two_ways_to_guess():
    right = np.array(["a", "a", "b", "c"], object)
    found = recommendation.accuracy(right, np.array(["a", "b", "b", "a"], object), np.array(["a"] * 6 + ["b"] * 2))
    assert found["accuracy"] == 0.5
    assert found["classes"] == 3
    assert found["commonest"] == 0.5
    assert found["by shares"] == pytest.approx((0.75 + 0.75 + 0.25 + 0) / 4)
    assert found["macro F1"] == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert found["weighted F1"] == pytest.approx((2 * 0.5 + 2 / 3 + 0) / 4)


def test_a_forest_learns_from_the_train_part_and_is_asked_about_the_test_part(world):
    frame, _ = world
    types = frame[catalog.ARTICLE].fillna("none")
    telling = np.stack([types == name for name in ("Shirts", "Ties", "Caps")], axis=1).astype(np.float32)
    asked = (frame[catalog.SPLIT] == catalog.TEST).to_numpy() & frame[catalog.ARTICLE].notna().to_numpy()
    seen = FeatureSet(frame[catalog.ID].to_numpy(object), telling, "x:1")
    found = recommendation.forest(seen, frame, catalog.ARTICLE, 20, seed=0)
    wrong = (frame[catalog.ARTICLE][asked] == "Umbrellas").mean()  # a type that no train picture has
    assert found["forest accuracy"] == pytest.approx(1 - wrong)
    blind = telling.copy()
    blind[asked] = telling[asked][:, ::-1]
    fooled = recommendation.forest(FeatureSet(seen.ids, blind, "x:1"), frame, catalog.ARTICLE, 20, seed=0)
    assert fooled["forest accuracy"] < found["forest accuracy"]
    assert found == recommendation.forest(seen, frame, catalog.ARTICLE, 20, seed=0)


def test_classes_and_confusions_count_every_picture_once(rng):
    names = np.array(["a", "b", "c", "d"], object)
    right, said = names[rng.choice(4, 50, p=[0.5, 0.3, 0.15, 0.05])], names[rng.choice(4, 50)]
    table = recommendation.per_class(right, said)
    assert table["pictures"].sum() == 50
    assert table["pictures"].is_monotonic_decreasing
    row = table.set_index("class").loc["a"]
    assert row["recall"] == pytest.approx(((right == "a") & (said == "a")).sum() / (right == "a").sum())
    matrix = recommendation.confusions(right, said, 2)
    assert list(matrix.columns) == [*table["class"][:2], "(others)"]
    assert matrix.to_numpy().sum() == 50
    assert matrix.loc["a", "b"] == ((right == "a") & (said == "b")).sum()
    assert (
        matrix.loc["(others)", "(others)"]
        == (~np.isin(right, table["class"][:2]) & ~np.isin(said, table["class"][:2])).sum()
    )


def test_recommendations_equal_the_frame_of_all_pairs(world, rng):
    frame = world[0]
    vectors = rng.normal(size=(30, 6)).astype(np.float32)
    vectors[1] = vectors[0]
    features = FeatureSet(world[1].ids, vectors, "x:1")
    table = recommendation.recommend(features, frame, ["100", "112"], 4)
    everything = pd.DataFrame(cosine_similarity(features.vectors), index=frame[catalog.ID], columns=frame[catalog.ID])
    for product, rows in table.groupby("product", sort=False):
        expected = everything.loc[product].drop(product).sort_values(ascending=False, kind="stable").head(4)
        assert rows["recommended"].tolist() == expected.index.tolist()
        assert rows["similarity"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-5)
        assert rows["rank"].tolist() == [1, 2, 3, 4]
    assert table["same picture"].tolist() == [True] + [False] * 7  # 0 and 1 have the same bytes
    with pytest.raises(ValueError, match="has the id '99'. Its ids go from 100 to 129"):
        recommendation.recommend(features, frame, ["99"], 3)


def test_duplicates_are_counted_with_what_rounding_makes_of_them(world, rng):
    frame = world[0]
    vectors = rng.normal(size=(30, 400)).astype(np.float32)
    vectors[1], vectors[9] = vectors[0], vectors[6]
    features = FeatureSet(world[1].ids, vectors, "x:1")
    found = recommendation.found_twice(features, frame)
    assert found["pictures"] == 30
    assert found["first is the same picture"] == found["equal vectors"] == 4
    assert found["above 1"] <= 4
    assert found["largest"] == pytest.approx(1, abs=1e-5)


def test_the_keys_that_the_chapter_writes_are_those_that_claims_may_name(world):
    labels = world[0][catalog.ARTICLE].dropna().to_numpy(object)
    by_trees = recommendation.forest(world[1], world[0], catalog.ARTICLE, 2, seed=0)
    numbers = recommendation.accuracy(labels, labels, labels), by_trees, recommendation.found_twice(world[1], world[0])
    values = recommendation.measured(world[0], *numbers).values
    names = {"recommendations": ["s004"]}
    assert {keys.fault(f"recommendation/s004/{key}", KEYS["recommendation"], names) for key in values} == {""}
    ((_, _, allowed),) = KEYS["recommendation"]
    assert list(values) == allowed


def test_a_classifier_ends_the_network(world):
    """The layer before the classifier and the classifier together are the network that was trained."""
    model = backbones.classifier("articleType", 3, 2)
    vectors = world[1].vectors
    expected = keras.ops.convert_to_numpy(model(vectors))
    assert expected == pytest.approx(
        vectors @ model.layers[-1].kernel.numpy() + model.layers[-1].bias.numpy(), abs=1e-5
    )
