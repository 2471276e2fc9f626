"""Whose spread over seeds is shown, and how wide it is."""

import numpy as np
import pandas as pd
import pytest
from cards import AUGMENT, BATCHES, OPTIMISER, SUP_CON, card, found_of, pair, values_of

from pipeline import files, params, stages
from pipeline.data import catalog
from pipeline.evaluation import changes, concatenated, exam, finetunes, mismatch, seeds, sequences, study
from pipeline.evaluation.tables import Measured

NOTHING = pd.DataFrame(columns=exam.COLUMNS)
COLUMNS = ["encoder", "measure", "seeds", "mean", "lowest", "highest", "low", "high"]


def spread_of(found, values, asked=NOTHING):
    return seeds.table(found, {}, finetunes.table(found, values), asked)


def test_the_spread_over_seeds_is_the_slow_loops(rng):
    groups = {"a": {"share": 0.5}, "b": {"frozen": "backbone"}}
    changes = {f"{name}{seed}": {**groups[name], "seed": seed} for seed in (3, 1, 2) for name in groups}
    del changes["b2"]
    named = ("test_accuracy", "test_macro_f1", "test_accuracy_low", "test_accuracy_high")
    reached = {name: {"epochs": 3, **dict(zip(named, rng.random(4), strict=True))} for name in changes}
    cards = {name: card(reached[name], **changed) for name, changed in changes.items()}
    found = found_of(alone=card(image_size=64), **cards)
    values = values_of(found, rng)
    spread = spread_of(found, values)
    assert list(spread) == COLUMNS
    expected = {}
    for first, members in {"a3": ["a3", "a1", "a2"], "b3": ["b3", "b1"]}.items():
        for place, key in finetunes.PLACES.items():
            expected[first, place] = [values[f"{name}-cosine/{key}"] for name in members]
        expected[first, "accuracy"] = [reached[name]["test_accuracy"] for name in members]
        expected[first, "macro F1"] = [reached[name]["test_macro_f1"] for name in members]
    assert set(zip(spread["encoder"], spread["measure"], strict=True)) == set(expected)
    assert len(spread) == len(expected)
    for row in spread.to_dict("records"):
        numbers = expected[row["encoder"], row["measure"]]
        assert row["seeds"] == len(numbers)
        assert row["mean"] == pytest.approx(sum(numbers) / len(numbers))
        assert (row["lowest"], row["highest"]) == (min(numbers), max(numbers))
        assert np.isnan([row["low"], row["high"]]).all() == (row["measure"] != "accuracy")
    for first, members in {"a3": ["a3", "a1", "a2"], "b3": ["b3", "b1"]}.items():
        row = spread.set_index(["encoder", "measure"]).loc[(first, "accuracy")]
        ends = [np.mean([reached[name][f"test_accuracy_{end}"] for name in members]) for end in ("low", "high")]
        assert [row["low"], row["high"]] == pytest.approx(ends)


def test_a_measure_that_one_seed_alone_has_is_no_spread(rng):
    found = found_of(a=card(), a1=card(seed=1), a2=card(seed=2))
    values = values_of(found, rng)
    kept = {key: value for key, value in values.items() if not key.startswith("a1-") and "/product/" not in key}
    kept |= {key: value for key, value in values.items() if key.startswith("a-") and "/product/" in key}
    spread = spread_of(found, kept).set_index("measure")
    assert "product" not in spread.index
    assert (spread.loc["articleType", "seeds"], len(spread)) == (2, 3)


def test_the_exam_is_spread_too_with_the_mean_of_its_bounds(rng):
    found = found_of(a=card(), a1=card(seed=1), a2=card(seed=2), b=card(share=0.5))
    values = values_of(found, rng)
    asked = pd.DataFrame(
        [
            (question, name, *rng.random(3), 0.1)
            for question in ("same listing", "articleType")
            for name in (*found, "colours")
        ],
        columns=exam.COLUMNS,
    )
    spread = spread_of(found, values, asked)
    assert set(spread["encoder"]) == {"a"}
    expected = {"same listing", *finetunes.REACHED} - {"accuracy", "macro F1", "product"}  # which is the same listing's
    assert sorted(spread["measure"]) == sorted(expected)
    for question in ("same listing", "articleType"):
        told = spread.set_index("measure").loc[question]
        three = asked[(asked["question"] == question) & asked["encoder"].isin(["a", "a1", "a2"])]
        assert told["seeds"] == 3
        assert told["mean"] == pytest.approx(three["value"].sum() / 3)
        assert [told["low"], told["high"]] == pytest.approx([three["low"].sum() / 3, three["high"].sum() / 3])
        assert [told["lowest"], told["highest"]] == [three["value"].min(), three["value"].max()]


def test_a_study_that_trains_nothing_writes_tables_that_can_be_read_again(tmp_path):
    measured = Measured(pd.DataFrame(columns=["retrieval", "encoder", "distance", *study.PLACE, "metric", "value"]), {})
    nothing = pd.DataFrame(columns=[catalog.SPLIT, catalog.ARTICLE, catalog.PRODUCT])
    made = {
        "finetunes": finetunes.table({}, {}),
        "concatenations": concatenated.together({}, {}, nothing, {}),
        "one_change": changes.table({}, measured),
        "sequences": sequences.table({}, {}, measured),
        "seeds": seeds.table({}, {}, finetunes.table({}, {}), NOTHING),
        "serving": mismatch.table("sample", {}, pd.DataFrame(), 10, 0),
    }
    assert list(made) == stages.TRAINING
    for name, table in made.items():
        files.write_csv(tmp_path / name, table)
        assert list(pd.read_csv(tmp_path / name)) == list(table) != []


def test_concatenations_of_repeats_are_repeats(rng):
    found = found_of(a=card(), a1=card(seed=1), b=card(share=0.5), b1=card(share=0.5, seed=1), c=card(share=0.7))
    joined = {
        "ab": pair("a", "b"),
        "ab1": pair("a1", "b1"),
        "ab_half": pair("a", "b", 0.5),
        "ac": pair("a", "c"),
        "ba": pair("b", "a"),
        "plain": pair("a", "pad"),
        "plain1": pair("a1", "pad"),
        "other": pair("a1", "stretch"),
        "chain": pair("ab", "c"),
        "chain1": pair("ab1", "c"),
    }
    frame = pd.DataFrame({catalog.SPLIT: ["test"], catalog.ARTICLE: ["Tops"], catalog.PRODUCT: ["Red Top"]})
    values = values_of(joined, rng)
    spread = seeds.table(found, joined, concatenated.together(joined, {}, frame, values), NOTHING)
    products = spread[spread["measure"] == "product"].set_index("encoder")
    assert list(products.index) == ["ab", "plain", "chain"]
    assert (products["seeds"] == 2).all()
    both = [values[f"{name}-cosine/strict/test/product/mAP"] for name in ("chain", "chain1")]
    assert products.loc["chain", ["lowest", "highest"]].tolist() == sorted(both)


def test_expansions_of_repeats_are_repeats_and_those_with_other_settings_are_not(rng):
    found = found_of(a=card(), a1=card(seed=1))
    one = params.Expansion(encoder="a", neighbours=5, alpha=3.0, share=0.5)
    made = {
        "more": one,
        "more1": one.model_copy(update={"encoder": "a1"}),
        "most1": one.model_copy(update={"encoder": "a1", "neighbours": 9}),
        "both": pair("a", "a1"),
        "of_both": one.model_copy(update={"encoder": "both"}),
    }
    rows = [("articleType", name, *rng.random(3), 0.1) for name in made]
    asked = pd.DataFrame(rows, columns=exam.COLUMNS)
    spread = seeds.table(found, made, finetunes.table(found, {}), asked)
    assert spread[["encoder", "seeds"]].to_numpy().tolist() == [["more", 2]]
    assert spread["mean"].item() == pytest.approx((rows[0][2] + rows[1][2]) / 2)


DISTINCT = {
    "init": "elsewhere",
    "image_size": 64,
    "frozen": "backbone",
    "objective": [{**SUP_CON, "weight": 0.5}],
    "batches": {**BATCHES, "size": 16},
    "augment": AUGMENT,
}
MIXED_UP = {
    "preprocessing": "own",
    "resize": "stretch",
    "pooling": "max",
    "head": [{"units": 4, "activation": "relu"}],
    "share": 0.5,
    "dropout": 0.1,
    "batches": {**BATCHES, "class_power": 0.5},
    "optimiser": {**OPTIMISER, "learning_rate": 0.01},
    "epochs": 9,
    "patience": 2,
    "precision": "mixed_bfloat16",
    "objective": [{**SUP_CON, "temperature": 0.5}],
    "augment": {**AUGMENT, "flip": False},
    "frozen": "block2_add",
}
START = {"objective": [SUP_CON], "augment": AUGMENT, "frozen": "block2_project_bn"}


@pytest.mark.parametrize("name", DISTINCT)
def test_finetunes_that_differ_in_more_than_the_seed_are_no_repeats(name):
    found = found_of(one=card(), other=card(**{"seed": 5, name: DISTINCT[name]}))
    spread = spread_of(found, {})
    assert spread.empty
    assert list(spread) == COLUMNS


@pytest.mark.parametrize("name", MIXED_UP)
def test_settings_that_the_table_does_not_show_are_no_repeats_either(name):
    start = {key: value for key, value in START.items() if key in (name, "objective")}
    found = found_of(one=card(**start), other=card(**{**start, "seed": 5, name: MIXED_UP[name]}))
    assert spread_of(found, {}).empty
