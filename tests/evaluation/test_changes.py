"""Which two finetunes are one change apart, and what it does."""

import numpy as np
import pytest
from cards import AUGMENT, BATCHES, OPTIMISER, SUP_CON, card, found_of

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import changes, finetunes, scoring, study, tables

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
            judged[encoder] = scoring.evaluate(FeatureSet(features.ids, vectors, encoder), frame, "cosine", run).scores
            judged[encoder].to_parquet(paths.scores("sample", name), index=False)
        return study.measure("sample", retrievals, evaluation), judged


@pytest.fixture
def changed(judged):
    found = found_of(**{encoder: card(**changes) for encoder, changes in CHANGES.items()})
    return changes.table(found, judged[0])


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
        changes.table(found, tables.Measured(judged[0].table, judged[0].values, rest))
        .groupby("what")["place"]
        .apply(list)
    )
    assert places["dropout"] == list(finetunes.PLACES)
    assert places["epochs"] == [place for place in finetunes.PLACES if place != "product"]


def test_without_a_pair_there_is_a_table_with_its_columns(judged):
    found = found_of(base=card(), reseeded=card(seed=1), longer=card(dropout=0.1, epochs=9))
    table = changes.table(found, judged[0])
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
    "batches": {**BATCHES, "class_power": 0.5},
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
    table = changes.table(found_of(base=card(), dropped=card(**change)), judged[0])
    assert table["what"].tolist() == [name] * len(finetunes.PLACES)
    assert changes.table(found_of(base=card(), dropped=card(dropout=0.1, **change)), judged[0]).empty


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            {"batches": {**BATCHES, "size": 128}, "epochs": 12},
            "batches",
        ),  # four times the epochs of four times the size
        ({"batches": {**BATCHES, "size": 128}}, None),  # a quarter of the steps
        ({"batches": {**BATCHES, "size": 128}, "epochs": 11}, None),
        ({"batches": {**BATCHES, "size": 128, "per_group": 2}, "epochs": 12}, None),
        ({"batches": {**BATCHES, "size": 128}, "epochs": 12, "dropout": 0.1}, None),
        ({"batches": {**BATCHES, "per_group": 2}, "epochs": 12}, None),
    ],
)
def test_batches_of_another_size_are_one_change_where_the_steps_are_as_many(judged, change, what):
    table = changes.table(found_of(base=card(), dropped=card(**change)), judged[0])
    assert table["what"].tolist() == [what] * (len(finetunes.PLACES) if what else 0)
