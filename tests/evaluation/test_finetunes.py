"""What was trained, from cards: who is shown, in which words, and what it reaches."""

import json

import numpy as np
import pytest
from cards import AUGMENT, CROSS, MEMORY, SUP_CON, card, found_of, values_of

from pipeline import paths
from pipeline.encoders.card import WeightsError
from pipeline.evaluation import finetunes


@pytest.fixture
def weighed(tmp_path, monkeypatch):
    """Writes cards as they lie beside weights."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)

    def write(**cards):
        for name, one in cards.items():
            paths.weights("sample", name).mkdir(parents=True)
            (paths.weights("sample", name) / "card.json").write_text(json.dumps(one), encoding="utf-8")

    return write


def test_only_finetunes_are_shown_each_by_its_first_encoder(weighed):
    pretrained = {"source": "lite", "backbone": "efficientnet_lite0"}
    weighed(tuned=card(seed=1), plain=pretrained, other=card(seed=2))
    weights = {"pad": "plain", "b": "other", "a": "tuned", "a_served": "tuned", "stretch": "plain", "b_served": "other"}
    found = finetunes.cards("sample", weights)
    assert list(found) == ["b", "a"]
    assert found["a"] == {"finetune": "tuned", **card(seed=1)}
    assert found["b"] == {"finetune": "other", **card(seed=2)}


def test_pretrained_weights_alone_have_nothing_to_show(weighed):
    weighed(plain={"source": "imagenet", "backbone": "mobilenet_v2"})
    assert finetunes.cards("sample", {"pad": "plain"}) == {}


def test_weights_without_a_card_are_named_with_the_stage_that_makes_them(weighed):
    weighed(tuned=card())
    with pytest.raises(WeightsError, match=r"^gone has no card.*dvc repro weights@gone, or finetuning@gone$"):
        finetunes.cards("sample", {"a": "tuned", "b": "gone"})


def test_a_damaged_card_is_named_with_the_stage_that_makes_it(weighed):
    weighed(tuned=card())
    path = paths.weights("sample", "tuned") / "card.json"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(WeightsError, match=r"^tuned/card.json is damaged \(.*finetuning@tuned"):
        finetunes.cards("sample", {"a": "tuned"})


# --- table ---


@pytest.mark.parametrize(
    ("frozen", "words"),
    [(None, "whole network"), ("backbone", "head"), ("block2_project_bn", "after block2_project_bn")],
)
def test_what_was_trained_is_said_in_words(frozen, words):
    assert finetunes.tier(card(frozen=frozen)) == words


def test_layers_of_two_depths_are_told_apart():
    assert finetunes.tier(card(frozen="block_12_add")) != finetunes.tier(card(frozen="block_2_add"))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ([CROSS], "cross_entropy articleType"),
        ([CROSS, {**SUP_CON, "by": "product", "weight": 0.5}], "cross_entropy articleType + 0.5 sup_con product"),
        ([{**SUP_CON, "weight": 0.25, "memory": MEMORY}], "0.25 sup_con articleType (memory)"),
        (
            [SUP_CON, {**SUP_CON, "weight": 2.0, "memory": MEMORY}],
            "sup_con articleType + 2 sup_con articleType (memory)",
        ),
    ],
)
def test_an_objective_is_one_line_of_weights_kinds_and_labels(terms, words):
    assert finetunes.objective(card(objective=terms)) == words


def test_a_row_says_where_a_finetune_starts_and_what_it_reaches(rng):
    metrics = {"epochs": 7, "test_accuracy": 0.75, "test_macro_f1": 0.5}
    metrics |= {"test_accuracy_low": 0.7, "test_accuracy_high": 0.8}
    one = card(metrics, init="start", image_size=[80, 64], frozen="backbone", seed=4, epochs=9)
    other = card(image_size=128, augment=AUGMENT, objective=[{**SUP_CON, "by": "product"}])
    found = found_of(one=one, other=other)
    values = values_of(["one"], rng) | {"other-cosine/strict/test/product/mAP": 0.25}
    first, second = finetunes.table(found, values).to_dict("records")
    assert first == {
        "encoder": "one",
        "start": "start",
        "trained": "head",
        "objective": "cross_entropy articleType",
        "pixels": "80×64",
        "batch": 32,
        "changed pictures": "no",
        "epochs": 7,
        "seed": 4,
        "accuracy": 0.75,
        "macro F1": 0.5,
        "articleType, all": values["one-cosine/strict/all/articleType/mAP"],
        "articleType": values["one-cosine/strict/test/articleType/mAP"],
        "gender+articleType": values["one-cosine/strict/test/gender+articleType/mAP"],
        "product": values["one-cosine/strict/test/product/mAP"],
        "accuracy low": 0.7,
        "accuracy high": 0.8,
    }
    assert (second["pixels"], second["changed pictures"], second["product"]) == ("128×128", "yes", 0.25)
    unknown = {name for name, value in second.items() if isinstance(value, float) and np.isnan(value)}
    unmeasured = {"accuracy", "macro F1", "articleType, all", "articleType", "gender+articleType"}
    assert unknown == {*unmeasured, "accuracy low", "accuracy high"}


def test_a_classifier_of_products_that_no_test_picture_has_names_nothing(rng):
    metrics = {"epochs": 7, "test_accuracy": 0.0, "test_macro_f1": 0.0}
    found = found_of(products=card({**metrics, "test_learnable": 0.0}), types=card({**metrics, "test_learnable": 0.1}))
    rows = finetunes.table(found, values_of(found, rng)).set_index("encoder")
    assert rows.loc["products", ["accuracy", "macro F1"]].isna().all()
    assert (rows.loc["types", ["accuracy", "macro F1"]] == 0).all()


def test_a_studys_table_keeps_the_order_of_its_cards(rng):
    found = found_of(z=card(seed=1), a=card(seed=2), m=card(seed=3))
    assert finetunes.table(found, {})["encoder"].tolist() == ["z", "a", "m"]


# --- beside what was not trained ---


def test_the_best_untrained_encoder_that_was_searched_with_stands_first(rng):
    rows = finetunes.table(found_of(one=card({"epochs": 3, "test_accuracy": 0.75, "test_macro_f1": 0.5})), {})
    weights = {"pad": "plain", "one": "ONE", "one_otherwise": "ONE", "stretch": "plain", "unsearched": "plain"}
    values = values_of(["pad", "stretch", "one_otherwise"], rng)
    values |= {"one_otherwise-cosine/strict/test/articleType/mAP": 0.9}
    values |= {"pad-cosine/strict/test/articleType/mAP": 0.3, "stretch-cosine/strict/test/articleType/mAP": 0.4}
    table = finetunes.beside_untrained(rows, weights, values)
    assert list(table) == ["accuracy", "macro F1", *finetunes.PLACES]
    assert list(table.index) == ["stretch", "one"]
    assert table.loc["stretch", list(finetunes.PLACES)].tolist() == [
        values[f"stretch-cosine/{place}"] for place in finetunes.PLACES.values()
    ]
    assert table.loc["one", ["accuracy", "macro F1"]].tolist() == [0.75, 0.5]
    assert table.loc["stretch", ["accuracy", "macro F1"]].isna().all()
