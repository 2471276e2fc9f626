"""What training does, from cards and scores: who is shown, in which words, whose spread, which chain and one change."""

import json
from itertools import combinations

import children
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import finetunes, protocols, study, tables

CROSS = {"kind": "cross_entropy", "by": "articleType", "weight": 1.0}
SUP_CON = {"kind": "sup_con", "by": "articleType", "weight": 1.0, "temperature": 0.1}
MEMORY = {"size": 64, "warm_up": 2}
AUGMENT = {"flip": True, "crop": 0.1, "pad": 0.0, "rotation": 5.0, "brightness": 0.0, "contrast": 0.0, "colour": 0.0}
BATCHES, OPTIMISER = children.FINETUNE.batches.model_dump(), children.FINETUNE.optimiser.model_dump()


def card(metrics=None, **changes):
    """What training leaves beside its weights, of a finetune that differs in some settings."""
    spec = children.finetune_like(**changes).model_dump()
    return {"source": "finetune", "data": "sample", **spec, "metrics": metrics or {"epochs": 3}, "classes": {}}


def found_of(**cards):
    """Cards by encoder; a finetune has its encoder's name in capitals."""
    return {encoder: {"finetune": encoder.upper(), **one} for encoder, one in cards.items()}


def values_of(encoders, rng):
    return {f"{encoder}-cosine/{place}": rng.random() for encoder in encoders for place in finetunes.PLACES.values()}


# --- cards ---


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
    with pytest.raises(tables.TableError, match=r"^gone has no card.*dvc repro finetuning@gone, or weights@gone$"):
        finetunes.cards("sample", {"a": "tuned", "b": "gone"})


def test_a_damaged_card_is_named_with_the_stage_that_makes_it(weighed):
    weighed(tuned=card())
    path = paths.weights("sample", "tuned") / "card.json"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(tables.TableError, match=r"^tuned has no card that can be read \(.*finetuning@tuned"):
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
    }
    assert (second["pixels"], second["changed pictures"], second["product"]) == ("128×128", "yes", 0.25)
    unknown = {name for name, value in second.items() if isinstance(value, float) and np.isnan(value)}
    assert unknown == {"accuracy", "macro F1", "articleType, all", "articleType", "gender+articleType"}


def test_a_studys_table_keeps_the_order_of_its_cards(rng):
    found = found_of(z=card(seed=1), a=card(seed=2), m=card(seed=3))
    assert finetunes.table(found, {})["encoder"].tolist() == ["z", "a", "m"]


# --- seeds ---


def spread_of(found, values):
    return finetunes.seeds(found, {}, finetunes.table(found, values))


def test_the_spread_over_seeds_is_the_slow_loops(rng):
    groups = {"a": {"share": 0.5}, "b": {"frozen": "backbone"}}
    changes = {f"{name}{seed}": {**groups[name], "seed": seed} for seed in (3, 1, 2) for name in groups}
    del changes["b2"]
    reached = {name: {"epochs": 3, "test_accuracy": rng.random(), "test_macro_f1": rng.random()} for name in changes}
    cards = {name: card(reached[name], **changed) for name, changed in changes.items()}
    found = found_of(alone=card(image_size=64), **cards)
    values = values_of(found, rng)
    spread = spread_of(found, values)
    assert list(spread) == ["encoder", "measure", "seeds", "mean", "lowest", "highest"]
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


def test_a_measure_that_one_seed_alone_has_is_no_spread(rng):
    found = found_of(a=card(), a1=card(seed=1), a2=card(seed=2))
    values = values_of(found, rng)
    kept = {key: value for key, value in values.items() if not key.startswith("a1-") and "/product/" not in key}
    kept |= {key: value for key, value in values.items() if key.startswith("a-") and "/product/" in key}
    spread = spread_of(found, kept).set_index("measure")
    assert "product" not in spread.index
    assert (spread.loc["articleType", "seeds"], len(spread)) == (2, 3)


def pair(first, second, share=0.3):
    return params.Concatenation(first=first, second=second, share=share)


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
    frame = pd.DataFrame({catalog.SPLIT: ["test"], catalog.ARTICLE: ["Tops"]})
    values = values_of(joined, rng)
    spread = finetunes.seeds(found, joined, finetunes.together(joined, {}, frame, values))
    products = spread[spread["measure"] == "product"].set_index("encoder")
    assert list(products.index) == ["ab", "plain", "chain"]
    assert (products["seeds"] == 2).all()
    both = [values[f"{name}-cosine/strict/test/product/mAP"] for name in ("chain", "chain1")]
    assert products.loc["chain", ["lowest", "highest"]].tolist() == sorted(both)


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
    assert list(spread) == ["encoder", "measure", "seeds", "mean", "lowest", "highest"]


@pytest.mark.parametrize("name", MIXED_UP)
def test_settings_that_the_table_does_not_show_are_no_repeats_either(name):
    start = {key: value for key, value in START.items() if key in (name, "objective")}
    found = found_of(one=card(**start), other=card(**{**start, "seed": 5, name: MIXED_UP[name]}))
    assert spread_of(found, {}).empty


# --- sequences ---


def measured_of(reached):
    """(mAP, mAP@1000) of encoders where a sequence is told by, and other numbers everywhere else."""
    right, rows = ("cosine", "strict", "all", "articleType"), []
    wrong = [
        ("euclidean", *right[1:]),
        ("cosine", "thesis", *right[2:]),
        ("cosine", "strict", "test", right[3]),
        (*right[:3], "product"),
    ]
    for encoder, numbers in reached.items():
        for number, (distance, *place) in enumerate([right, *wrong]):
            for metric, value in zip(("mAP", "mAP@1000"), numbers, strict=True):
                rows.append(
                    [f"{encoder}-{distance}", encoder, distance, *place, metric, value if not number else 9 - value]
                )
    columns = ["retrieval", "encoder", "distance", "protocol", "gallery", "relevance", "metric", "value"]
    return tables.Measured(pd.DataFrame(rows, columns=columns), {})


CHAIN = found_of(third=card(init="SECOND"), first=card(init="imagenet"), second=card(init="FIRST"))
WEIGHTS = {
    "stretch": "imagenet",
    "pad": "imagenet",
    "other": "random",
    "first": "FIRST",
    "first_served": "FIRST",
    "second": "SECOND",
    "third": "THIRD",
}
REACHED = {
    "stretch": (0.2, 0.8),
    "pad": (0.4, 0.3),
    "other": (0.9, 0.9),
    "first": (0.5, 0.55),
    "first_served": (0.99, 0.99),
    "second": (0.6, 0.65),
    "third": (0.45, 0.7),
}


def rows_of(table):
    return [
        (row["sequence"], row["stage"], row["encoder"], row["mAP"], row["mAP@1000"]) for row in table.to_dict("records")
    ]


def test_a_sequence_is_told_stage_by_stage_from_the_best_untrained_encoder_of_its_weights():
    assert rows_of(finetunes.sequences(CHAIN, WEIGHTS, measured_of(REACHED))) == [
        ("THIRD", 0, "pad", 0.4, 0.3),
        ("THIRD", 1, "first", 0.5, 0.55),
        ("THIRD", 2, "second", 0.6, 0.65),
        ("THIRD", 3, "third", 0.45, 0.7),
    ]


def test_two_runs_from_one_start_are_two_sequences():
    found = CHAIN | found_of(fork=card(init="SECOND"), short=card(init="FIRST"))
    table = finetunes.sequences(found, WEIGHTS, measured_of(REACHED | {"fork": (0.1, 0.1), "short": (0.2, 0.2)}))
    chains = {name: rows["encoder"].tolist() for name, rows in table.groupby("sequence")}
    assert chains == {
        "THIRD": ["pad", "first", "second", "third"],
        "FORK": ["pad", "first", "second", "fork"],
        "SHORT": ["pad", "first", "short"],
    }
    assert table.groupby("sequence")["stage"].apply(list).to_dict() == {
        "THIRD": [0, 1, 2, 3],
        "FORK": [0, 1, 2, 3],
        "SHORT": [0, 1, 2],
    }


def test_a_start_or_a_stage_that_was_not_measured_is_left_out_or_blank():
    unmeasured = {name: REACHED[name] for name in ("stretch", "first", "third")}
    rows = rows_of(finetunes.sequences(CHAIN, WEIGHTS, measured_of(unmeasured)))
    assert [row[1:3] for row in rows] == [(0, "stretch"), (1, "first"), (2, "second"), (3, "third")]
    assert np.isnan(rows[2][3:]).all()
    assert rows[3][3:] == (0.45, 0.7)
    rows = rows_of(finetunes.sequences(CHAIN, WEIGHTS, measured_of({name: REACHED[name] for name in CHAIN})))
    assert [row[1:3] for row in rows] == [(1, "first"), (2, "second"), (3, "third")]


def test_runs_that_start_from_no_other_are_no_sequence():
    found = found_of(first=card(init="imagenet"), second=card(init="imagenet", seed=3))
    table = finetunes.sequences(found, WEIGHTS, measured_of(REACHED))
    assert table.empty
    assert list(table) == ["sequence", "stage", "encoder", "mAP", "mAP@1000"]


# --- one change ---

CHANGES = {
    "base": {},
    "dropped": {"dropout": 0.1},
    "reseeded": {"seed": 1},
    "longer": {"dropout": 0.1, "epochs": 9},
    "unmeasured": {"share": 0.5},
}


@pytest.fixture(scope="module")
def judged(world, run, tmp_path_factory):
    """A study of four encoders on the small catalogue, where some test images share a product; and what was judged."""
    frame, features = world[0].copy(), world[1]
    frame.loc[[3, 21, 27], catalog.PRODUCT] = "shared"
    rng, judged = np.random.default_rng(2), {}
    names = {f"{encoder}-cosine": encoder for encoder in CHANGES if encoder != "unmeasured"}
    retrievals = {name: params.Retrieval(encoder=encoder, distance="cosine") for name, encoder in names.items()}
    evaluation = params.Evaluation(
        resamples=200, worst_classes=3, worst_queries=3, serving={}, serving_queries=9, seed=1
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", tmp_path_factory.mktemp("finetunes"))
        paths.scores("sample", "x").parent.mkdir(parents=True)
        frame.to_parquet(paths.catalog("sample"), index=False)
        for name, encoder in names.items():
            vectors = rng.normal(size=(len(frame), 5)).astype(np.float32)
            judged[encoder] = protocols.evaluate(
                FeatureSet(features.ids, vectors, encoder), frame, "cosine", run
            ).scores
            judged[encoder].to_parquet(paths.scores("sample", name), index=False)
        return study.measure("sample", retrievals, evaluation), judged


@pytest.fixture
def changed(judged):
    found = found_of(**{encoder: card(**changes) for encoder, changes in CHANGES.items()})
    return finetunes.one_change(found, judged[0])


def test_pairs_differ_in_one_setting_and_the_later_stands_first(changed):
    pairs = [("dropout", "dropped", "base"), ("epochs", "longer", "dropped")]
    expected = [
        (what, place, f"{first}-cosine/{key}", f"{second}-cosine/{key}")
        for what, first, second in pairs
        for place, key in finetunes.PLACES.items()
    ]
    assert list(changed[["what", "place", "first", "second"]].itertuples(index=False, name=None)) == expected


def test_a_change_is_the_difference_of_the_two_means(changed, judged):
    for row in changed.to_dict("records"):
        means = []
        for key in (row["first"], row["second"]):
            retrieval, protocol, gallery, relevance, _ = key.split("/")
            scores = judged[1][retrieval.removesuffix("-cosine")]
            means.append(tables.pick(scores, protocol=protocol, gallery=gallery, relevance=relevance)["AP"].mean())
        assert row["difference"] == pytest.approx(means[0] - means[1])
        assert row["low of all"] <= row["difference"] <= row["high of all"]
    assert (changed["difference"] != 0).all()


def test_a_place_that_one_of_a_pair_lacks_is_left_out(judged):
    found = found_of(**{encoder: card(**changes) for encoder, changes in CHANGES.items()})
    gone = f"longer-cosine/{finetunes.PLACES['product']}"
    rest = {key: draws for key, draws in judged[0].resampled.items() if key != gone}
    places = (
        finetunes.one_change(found, tables.Measured(judged[0].table, judged[0].values, rest))
        .groupby("what")["place"]
        .apply(list)
    )
    assert places["dropout"] == list(finetunes.PLACES)
    assert places["epochs"] == [place for place in finetunes.PLACES if place != "product"]


def test_without_a_pair_there_is_a_table_with_its_columns(judged):
    found = found_of(base=card(), reseeded=card(seed=1), longer=card(dropout=0.1, epochs=9))
    table = finetunes.one_change(found, judged[0])
    assert table.empty
    assert list(table) == ["what", "place", "first", "second", "difference", "low", "high", "low of all", "high of all"]


OTHERS = {
    "init": "elsewhere",
    "image_size": 64,
    "resize": "stretch",
    "preprocessing": "own",
    "pooling": "max",
    "head": [{"units": 4, "activation": "relu"}],
    "frozen": "backbone",
    "share": 0.5,
    "objective": [SUP_CON],
    "batches": {**BATCHES, "size": 16},
    "augment": AUGMENT,
    "optimiser": {**OPTIMISER, "learning_rate": 0.01},
    "epochs": 9,
    "patience": 2,
    "monitor": ["product"],
    "precision": "mixed_bfloat16",
    "pad_color": [255, 255, 255],
    "interpolation": "nearest",
    "devices": "all",
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_setting_of_a_finetune_counts_as_a_change(judged, name):
    change = {name: OTHERS[name]}
    table = finetunes.one_change(found_of(base=card(), dropped=card(**change)), judged[0])
    assert table["what"].tolist() == [name] * len(finetunes.PLACES)
    assert finetunes.one_change(found_of(base=card(), dropped=card(dropout=0.1, **change)), judged[0]).empty


# --- together ---

TYPES = pd.DataFrame(
    {
        catalog.SPLIT: ["test", "train", "test", "test", "test", "test"],
        catalog.ARTICLE: ["Tops", "Tops", "Belts", "Belts", None, "Rare"],
    }
)


def opinions_of(*said, classes=("Belts", "Tops")):
    return pd.DataFrame(said, columns=list(classes), dtype=float)


ONE = opinions_of([0.4, 0.6], [1, 0], [0.6, 0.4], [0.1, 0.9], [1, 0], [1, 0])
OTHER = opinions_of([0.9, 0.1], [1, 0], [0.6, 0.4], [0.9, 0.1], [1, 0], [1, 0])


# of the first, third, fourth and last picture (the last is of a type that was never learnt; a blank type is left out):
# nearly the first part alone, nearly the second alone; both go wrong on the first and fourth; the fourth comes right
@pytest.mark.parametrize(("share", "accuracy"), [(0.01, 2 / 4), (0.99, 2 / 4), (0.3, 1 / 4), (0.6, 2 / 4)])
def test_what_two_classifiers_say_together_is_their_weighted_sum(share, accuracy):
    table = finetunes.together({"both": pair("one", "other", share)}, {"one": ONE, "other": OTHER}, TYPES, {})
    assert table["accuracy"].tolist() == [pytest.approx(accuracy)]


def test_macro_f1_weighs_every_type_of_the_test_pictures_the_same():
    table = finetunes.together({"both": pair("one", "other", 0.01)}, {"one": ONE, "other": OTHER}, TYPES, {})
    tops, belts = (
        2 * 0.5 * 1 / (0.5 + 1),
        2 * 0.5 * 0.5 / (0.5 + 0.5),
    )  # precision 1/2 recall 1, precision 1/2 recall 1/2
    assert table["macro F1"].tolist() == [pytest.approx((tops + belts + 0) / 3)]


def test_one_part_with_a_classifier_speaks_alone_and_none_says_nothing(rng):
    joined = {
        "left": pair("one", "pad"),
        "right": pair("pad", "one"),
        "none": pair("pad", "stretch"),
        "deep": pair("none", "left"),
    }
    values = values_of(joined, rng)
    table = finetunes.together(joined, {"one": ONE}, TYPES, values).set_index("encoder")
    assert table.loc[["left", "right", "deep"], "accuracy"].tolist() == [0.5] * 3
    assert np.isnan(table.loc["none", "accuracy"])
    for place, key in finetunes.PLACES.items():
        assert table[place].tolist() == [values[f"{name}-cosine/{key}"] for name in joined]


def test_classifiers_of_other_types_are_joined_by_name():
    swapped = OTHER.assign(Rare=[0, 0, 0, 0, 0, 5.0])[["Rare", "Tops", "Belts"]]
    table = finetunes.together({"both": pair("one", "other", 0.6)}, {"one": ONE, "other": swapped}, TYPES, {})
    assert table["accuracy"].tolist() == [pytest.approx(3 / 4)]


def test_without_concatenations_the_table_is_empty():
    assert finetunes.together({}, {}, TYPES, {}).empty


def test_an_opinion_is_read_off_the_features_behind_the_labels_before_it(shop, rng):
    frame, _ = shop
    told = rng.dirichlet(np.ones(3), len(frame))
    told /= np.linalg.norm(told, axis=1, keepdims=True)
    blocks = [rng.normal(size=(len(frame), 2)), told * 0.3**0.5, rng.normal(size=(len(frame), 4))]
    keep("tuned", frame[catalog.ID].tolist(), np.concatenate(blocks, axis=1).astype(np.float32))
    paths.weights("sample", "made").mkdir(parents=True)
    classes = {"articleType": ["Belts", "Tops", "Watches"], "ageGroup": ["a", "b"], "gender": ["x"]}
    (paths.weights("sample", "made") / "card.json").write_text(json.dumps({"classes": classes}), encoding="utf-8")
    shares = {"ageGroup": 0.1, "articleType": 0.3}
    found = finetunes.predictions("sample", "tuned", "made", shares, frame)
    assert list(found.columns) == classes["articleType"]
    assert found.to_numpy() == pytest.approx(told, abs=1e-6)


# --- served ---


@pytest.fixture
def shop(world, tmp_path, monkeypatch):
    """The small catalogue with two encoders' features on disk; copies of a picture have its type."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    frame, rng = world[0].copy(), np.random.default_rng(4)
    frame.loc[1, catalog.ARTICLE], frame.loc[9, catalog.ARTICLE] = (
        frame.loc[0, catalog.ARTICLE],
        frame.loc[6, catalog.ARTICLE],
    )
    ids = frame[catalog.ID].tolist()
    vectors = {name: rng.normal(size=(len(frame), 6)).astype(np.float32) for name in ("right", "wrong", "third")}
    for name, own in vectors.items():
        own[[1, 9]] += own[[0, 6]] * 3  # near, but no ties
        keep(name, ids, own)
    return frame, vectors


def keep(name, ids, vectors):
    connection = store.create(
        paths.BUILD / name, {"encoder_id": name, "dimension": str(vectors.shape[1]), "encoder": name}
    )
    store.append(connection, ids, vectors)
    store.finish(connection, paths.features("sample", name))
    (paths.BUILD / name).unlink()


@pytest.fixture(autouse=True)
def building(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")


def slow(frame, asked, answering, leave_out=catalog.SHA256):
    """AP of each test picture, one after another: everything but its own bytes answers."""
    asked, answering = (own / np.linalg.norm(own, axis=1, keepdims=True) for own in (asked, answering))
    types, values = frame[catalog.ARTICLE], {}
    for query in np.flatnonzero(frame[catalog.SPLIT] == catalog.TEST):
        others = np.flatnonzero(frame[leave_out] != frame[leave_out].iloc[query])
        wanted = [bool(types.notna().iloc[query]) and types.iloc[row] == types.iloc[query] for row in others]
        found = average_precision_score(wanted, answering[others] @ asked[query]) if any(wanted) else np.nan
        values[query] = found
    return np.array(list(values.values()))


WAYS = [("right", "right"), ("wrong", "wrong"), ("wrong", "right")]


def test_a_search_with_queries_encoded_otherwise_is_the_slow_loops(shop):
    frame, vectors = shop
    table = finetunes.served("sample", "right", ["wrong"], frame, 1000, 0)
    assert list(table[["queries by", "gallery by"]].itertuples(index=False, name=None)) == WAYS
    assert table["queries"].tolist() == [10] * 3
    expected = [np.nanmean(slow(frame, vectors[ask], vectors[answer])) for ask, answer in WAYS]
    assert table["mAP"].tolist() == pytest.approx(expected)
    copies_in = [np.nanmean(slow(frame, vectors[ask], vectors[answer], catalog.ID)) for ask, answer in WAYS]
    assert np.abs(np.subtract(expected, copies_in)).min() > 1e-3


def test_each_other_way_of_encoding_is_told_and_the_right_one_once(shop):
    frame, vectors = shop
    table = finetunes.served("sample", "right", ["wrong", "third"], frame, 1000, 0)
    ways = [*WAYS, ("third", "third"), ("third", "right")]
    assert list(table[["queries by", "gallery by"]].itertuples(index=False, name=None)) == ways
    expected = [np.nanmean(slow(frame, vectors[ask], vectors[answer])) for ask, answer in ways]
    assert table["mAP"].tolist() == pytest.approx(expected)


def test_an_encoder_against_itself_is_the_strict_protocol(shop, run):
    frame, vectors = shop
    table = finetunes.served("sample", "right", ["wrong"], frame, 1000, 0)
    for name, value in zip(("right", "wrong"), table["mAP"], strict=False):
        features = FeatureSet(frame[catalog.ID].to_numpy(object), vectors[name], name)
        scores = protocols.evaluate(features, frame, "cosine", run).scores
        strict = tables.pick(scores, protocol="strict", gallery="all", relevance="articleType")["AP"]
        assert value == pytest.approx(strict.mean())


def test_some_seeded_test_queries_ask_all_three_ways(shop):
    frame, vectors = shop
    alone = np.array([slow(frame, vectors[ask], vectors[answer]) for ask, answer in WAYS])
    chosen = set()
    for seed in range(3):
        table = finetunes.served("sample", "right", ["wrong"], frame, 6, seed)
        assert table["queries"].tolist() == [6] * 3
        pd.testing.assert_frame_equal(finetunes.served("sample", "right", ["wrong"], frame, 6, seed), table)
        fits = [
            rows
            for rows in combinations(range(10), 6)
            if np.allclose(np.nanmean(alone[:, rows], axis=1), table["mAP"], atol=1e-6)
        ]
        assert fits
        chosen.add(fits[0])
    assert len(chosen) > 1


@pytest.mark.parametrize("name", ["right", "wrong"])
def test_features_of_other_pictures_are_refused(shop, name):
    frame, vectors = shop
    paths.features("sample", name).unlink()
    keep(name, frame[catalog.ID].tolist()[::-1], vectors[name])
    with pytest.raises(ValueError, match="features and catalogue hold different pictures"):
        finetunes.served("sample", "right", ["wrong"], frame, 5, 0)


def test_features_that_were_not_taken_are_named_with_how_to_take_them(shop):
    with pytest.raises(
        store.StoreError, match="none.sqlite is missing. Make it with: dvc repro feature_extraction@none"
    ):
        finetunes.served("sample", "right", ["wrong", "none"], shop[0], 5, 0)
