"""The objective: each term against the pure loss on masks made by loops, its memory, its classifier, its optimiser."""

import typing

import children
import keras
import numpy as np
import pydantic
import pytest
import tensorflow as tf

from pipeline.params.finetuning import Term
from pipeline.training import batches, layers, losses, objective
from pipeline.training.product_names import NAMES

DIMENSION = 3
AUGMENT = {"flip": True, "crop": 0, "pad": 0, "rotation": 0, "brightness": 0, "contrast": 0, "colour": 0}
SIZES = {"articleType": np.array([80, 5, 20]), "gender": np.array([50, 55]), "product": np.array([2, 2, 3, 1])}
TYPE = np.array([0, 1, 0, -1, 2, 1, -1, 0], np.int32)
LABELS = {
    "articleType": TYPE,
    "gender": TYPE % 2,
    "product": np.array([0, 0, 1, 3, 2, -1, 2, 1], np.int32),
    batches.PICTURE: np.arange(8, dtype=np.int32),
}
TWO_VIEWS = {name: np.tile(numbers[:4], 2) for name, numbers in LABELS.items()}
PAIRED = {
    "sup_con": {"temperature": 0.3},
    "triplet_batch_hard": {"margin": 0.4},
    "triplet_semi_hard": {"margin": 0.4},
    "contrastive": {"margin": 0.1},
}
EVERY = [
    {"kind": "cross_entropy", "by": "articleType"},
    {"kind": "arcface", "by": "articleType", "scale": 20.0, "margin": [0.1, 0.5], "sub_centres": 2},
    {"kind": "nt_xent_one_way", "temperature": 0.3},
    *({"kind": kind, "by": by, **setting} for kind, setting in PAIRED.items() for by in ("articleType", "view")),
    *(
        {"kind": kind, "by": "product", **setting, "memory": {"size": 6, "warm_up": 0}}
        for kind, setting in PAIRED.items()
    ),
]


def spec_of(*terms, **changes):
    return children.finetune_like(
        objective=[{"weight": 1.0, **term} for term in terms], **{"augment": AUGMENT, "dropout": 0.0, **changes}
    )


def learner_of(*terms, **changes):
    body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(DIMENSION)])
    return objective.Learner(body, spec_of(*terms, **changes), SIZES)


def drawn(seed, count=8):
    return np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)


def cost(learner, embeddings, labels, training=True):
    return float(learner.compute_loss(None, labels, embeddings, None, training))


def pure(kind, anchors, keys, positive, candidate):
    loss = getattr(losses, kind)
    return float(loss(anchors, keys, np.array(positive), np.array(candidate), *PAIRED[kind].values()))


def within(kind, embeddings, numbers):
    """A pair loss within the batch by loops: a pair is two rows with one number, and nobody is its own pair."""
    rows = range(len(numbers))
    positive = [[numbers[i] == numbers[k] and numbers[i] != -1 for k in rows] for i in rows]
    return pure(kind, embeddings, embeddings, positive, [[i != k for k in rows] for i in rows])


def test_every_kind_that_a_term_may_have_is_in_one_table_of_losses_and_nothing_else_is():
    terms, _ = typing.get_args(Term)
    kinds = [typing.get_args(term.model_fields["kind"].annotation) for term in typing.get_args(terms)]
    tables = (losses.PAIRS, losses.VIEWS, layers.OWN, {NAMES})
    assert sorted(kind for table in tables for kind in table) == sorted(kind for some in kinds for kind in some)


@pytest.mark.parametrize("kind", PAIRED)
@pytest.mark.parametrize("by", ["articleType", "product"])
def test_a_pair_loss_compares_what_has_the_same_label(kind, by):
    learner = learner_of({"kind": kind, "by": by, **PAIRED[kind]})
    for seed in range(3):
        expected = within(kind, drawn(seed), LABELS[by])
        assert expected > 0.01
        assert cost(learner, drawn(seed), LABELS) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", PAIRED)
def test_a_pair_loss_by_view_compares_the_views_of_a_picture(kind):
    learner = learner_of({"kind": kind, "by": "view", **PAIRED[kind]})
    expected = within(kind, drawn(1), [0, 1, 2, 3, 0, 1, 2, 3])
    assert cost(learner, drawn(1), TWO_VIEWS) == pytest.approx(expected, rel=1e-5)


def test_the_one_way_variant_asks_with_the_first_views():
    learner = learner_of({"kind": "nt_xent_one_way", "temperature": 0.3})
    views = drawn(2)
    expected = float(losses.nt_xent_one_way(views[:4], views[4:], 0.3))
    assert cost(learner, views, TWO_VIEWS) == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(float(losses.nt_xent_one_way(views[4:], views[:4], 0.3)), rel=1e-3)


def test_cross_entropy_is_that_of_its_own_classifier():
    learner = learner_of({"kind": "cross_entropy", "by": "articleType"})
    weights, bias = drawn(5, DIMENSION), np.array([0.5, -0.5, 0], np.float32)
    learner.own[0].set_weights([weights, bias])
    expected = float(losses.cross_entropy(drawn(0) @ weights + bias, TYPE))
    assert cost(learner, drawn(0), LABELS) == pytest.approx(expected, rel=1e-5)


def test_dropout_acts_on_the_classifier_while_training_alone():
    learner = learner_of({"kind": "cross_entropy", "by": "articleType"}, dropout=0.5)
    still = {cost(learner, drawn(0), LABELS, training=False) for _ in range(4)}
    assert len(still) == 1
    assert len({cost(learner, drawn(0), LABELS) for _ in range(4)} | still) > 2


def slow_margins(sizes, low, high):
    rarity = [size**-0.25 for size in sizes]
    return np.float32([low + (high - low) * (r - min(rarity)) / (max(rarity) - min(rarity)) for r in rarity])


@pytest.mark.parametrize("margin", [0.3, [0.1, 0.5]])
@pytest.mark.parametrize("sub_centres", [1, 3])
def test_arcface_is_that_of_its_own_centres_and_leaves_out_what_has_no_label(margin, sub_centres):
    term = {"kind": "arcface", "by": "articleType", "scale": 12.0, "margin": margin, "sub_centres": sub_centres}
    learner = learner_of(term)
    centres = np.random.default_rng(3).normal(size=(3, sub_centres, DIMENSION)).astype(np.float32)
    learner.own[0].centres.assign(centres)
    margins = slow_margins([80, 5, 20], *margin) if isinstance(margin, list) else margin
    known = TYPE >= 0
    logits = losses.arcface_logits(drawn(0)[known], centres, TYPE[known], 12.0, margins)
    expected = float(losses.cross_entropy(logits, TYPE[known]))
    assert cost(learner, drawn(0), LABELS) == pytest.approx(expected, rel=1e-5)


def test_the_largest_class_has_the_lowest_margin_and_the_smallest_the_highest():
    learner = learner_of({"kind": "arcface", "by": "articleType", "scale": 12.0, "margin": [0.2, 0.6]})
    largest, smallest, between = learner.own[0].margins
    assert largest == pytest.approx(0.2) and smallest == pytest.approx(0.6)
    assert 0.2 < between < 0.6


def test_classes_of_one_size_and_empty_ones_have_margins():
    body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(DIMENSION)])
    spec = spec_of({"kind": "arcface", "by": "gender", "scale": 12.0, "margin": [0.2, 0.6]})
    alike, empty = (
        objective.Learner(body, spec, {"gender": np.array(sizes)}).own[0].margins for sizes in ([7, 7], [0, 100])
    )
    assert alike.tolist() == pytest.approx([0.2, 0.2])
    assert empty.tolist() == pytest.approx([0.6, 0.2])


def test_the_loss_is_the_weighted_sum_and_every_term_is_recorded_under_its_name():
    weights = [0.5, 2.0, 1.0, 3.0]
    terms = [
        EVERY[0],
        {"kind": "sup_con", "by": "view", "temperature": 0.3},
        {"kind": "contrastive", "by": "gender", "margin": 0.1},
        {"kind": "triplet_batch_hard", "by": "product", "margin": 0.4, "memory": {"size": 9, "warm_up": 0}},
    ]
    together = learner_of(*({**term, "weight": weight} for term, weight in zip(terms, weights, strict=True)))
    alone = [learner_of(term) for term in terms]
    alone[0].own[0].set_weights(together.own[0].get_weights())
    values = [cost(learner, drawn(4), TWO_VIEWS) for learner in alone]
    assert all(value > 0.01 for value in values)
    assert cost(together, drawn(4), TWO_VIEWS) == pytest.approx(np.dot(weights, values), rel=1e-5)
    recorded = {mean.name: float(mean.result()) for mean in together.means}
    names = ["cross_entropy_articleType", "sup_con_view", "contrastive_gender", "triplet_batch_hard_product_memory"]
    assert recorded == pytest.approx(dict(zip(names, values, strict=True)), rel=1e-5)


def from_memory(kind, seen, embeddings, numbers, pictures):
    """A pair loss against what a list remembers, by loops: a picture is never its own positive or negative."""
    keys = np.array([key for key, _, _ in seen], np.float32)
    positive = [[number == known and number != -1 for _, known, _ in seen] for number in numbers]
    candidate = [[picture != shown for _, _, shown in seen] for picture in pictures]
    return pure(kind, embeddings, keys, positive, candidate)


@pytest.mark.parametrize("kind", PAIRED)
@pytest.mark.parametrize("size", [5, 13, 100])
def test_a_pair_loss_with_memory_compares_with_what_was_seen_last(kind, size):
    learner = learner_of({"kind": kind, "by": "articleType", **PAIRED[kind], "memory": {"size": size, "warm_up": 0}})
    rng, seen, values = np.random.default_rng(1), [], []
    kinds = rng.integers(-1, 3, 12).astype(np.int32)
    for step in range(8):
        pictures = rng.choice(12, 4, replace=False).astype(np.int32)
        embeddings, numbers = drawn(step, 4), kinds[pictures]
        seen = [*seen, *zip(embeddings, numbers, pictures, strict=True)][-size:]
        expected = from_memory(kind, seen, embeddings, numbers, pictures)
        got = cost(learner, embeddings, {"articleType": numbers, batches.PICTURE: pictures})
        assert got == pytest.approx(expected, rel=1e-4, abs=1e-5)
        values.append(expected)
    assert np.count_nonzero(values) > 2


@pytest.mark.parametrize("kind", PAIRED)
@pytest.mark.parametrize("label", [0, -1])
def test_a_pictures_own_earlier_embedding_is_neither_its_positive_nor_its_negative(kind, label):
    learner = learner_of({"kind": kind, "by": "articleType", **PAIRED[kind], "memory": {"size": 4, "warm_up": 0}})
    alone = {"articleType": np.array([label], np.int32), batches.PICTURE: np.array([7], np.int32)}
    for embedding in ([[1.0, 0, 0]], [[-1.0, 0.2, 0]], [[1.0, 0.1, 0]]):
        assert cost(learner, np.array(embedding, np.float32), alone) == 0
    stranger = {**alone, batches.PICTURE: np.array([8], np.int32)}
    if kind in ("sup_con", "contrastive"):
        near = cost(learner, np.array([[1.0, 0, 0]], np.float32), stranger)
        assert near > 0 or (kind == "sup_con" and label == -1)


@pytest.mark.parametrize("warm_up", [0, 1, 3])
def test_a_memory_counts_for_nothing_until_enough_batches_were_seen(warm_up):
    learner = learner_of(
        {"kind": "sup_con", "by": "articleType", "temperature": 0.3, "memory": {"size": 20, "warm_up": warm_up}}
    )
    values = []
    for step in range(6):
        x = tf.Variable(drawn(step))
        with tf.GradientTape() as tape:
            loss = learner.compute_loss(None, LABELS, x, None, True)
        values.append(float(loss))
        assert np.any(tape.gradient(loss, x).numpy()) == (step >= warm_up)
    assert [value > 0 for value in values] == [step >= warm_up for step in range(6)]


@pytest.mark.parametrize("kind", PAIRED)
def test_the_gradient_is_that_of_the_anchors_with_the_memory_held_still(kind):
    learner = learner_of({"kind": kind, "by": "articleType", **PAIRED[kind], "memory": {"size": 8, "warm_up": 0}})
    x = tf.Variable(drawn(0))
    with tf.GradientTape() as tape:
        loss = learner.compute_loss(None, LABELS, x, None, True)
    got = tape.gradient(loss, x).numpy()
    positive = (TYPE[:, None] == TYPE[None, :]) & (TYPE[:, None] >= 0)
    with tf.GradientTape() as tape:
        loss = getattr(losses, kind)(x, drawn(0), positive, ~np.eye(8, dtype=bool), *PAIRED[kind].values())
    np.testing.assert_allclose(got, tape.gradient(loss, x).numpy(), rtol=1e-4, atol=1e-6)
    assert np.abs(got).max() > 1e-3


@pytest.mark.parametrize("memory", [None, {"size": 20, "warm_up": 0}])
@pytest.mark.parametrize("kind", PAIRED)
def test_pictures_without_a_label_never_match_each_other(kind, memory):
    learner = learner_of({"kind": kind, "by": "articleType", **PAIRED[kind], "memory": memory})
    blank = {**LABELS, "articleType": np.full(8, -1, np.int32)}
    apart = {**LABELS, "articleType": np.arange(8, dtype=np.int32)}
    assert cost(learner, drawn(0), blank) == pytest.approx(within(kind, drawn(0), np.arange(8)))
    other = learner_of({"kind": kind, "by": "articleType", **PAIRED[kind], "memory": memory})
    assert cost(other, drawn(0), apart) == pytest.approx(within(kind, drawn(0), np.arange(8)))


def test_the_classifier_of_a_label_is_that_of_the_first_term_trained_to_name_it():
    arcface = {"kind": "arcface", "scale": 12.0, "margin": 0.1}
    learner = learner_of(
        {"kind": "sup_con", "by": "articleType", "temperature": 0.3},
        {**arcface, "by": "product"},
        {"kind": "cross_entropy", "by": "articleType"},
        {**arcface, "by": "articleType"},
        {"kind": "sup_con", "by": "gender", "temperature": 0.3, "memory": {"size": 4, "warm_up": 0}},
    )
    assert learner.classifier("product") is learner.own[1]
    assert learner.classifier("articleType") is learner.own[2]
    assert learner.classifier("gender") is None
    assert learner.classifier("view") is None
    assert [type(own) for own in learner.own] == [
        type(None),
        layers.Centres,
        keras.Sequential,
        layers.Centres,
        layers.Memory,
    ]
    assert learner.classifier("product")(drawn(0)).shape == (8, 4)
    assert learner.classifier("articleType")(drawn(0)).shape == (8, 3)


def test_embeddings_are_of_full_precision_also_where_the_body_is_not():
    body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(DIMENSION, dtype="float16")])
    learner = objective.Learner(body, spec_of(EVERY[0]), SIZES)
    assert learner(np.ones((2, 4), np.float32)).dtype == tf.float32


TINY = {
    "one picture": {"articleType": [0], "product": [1], batches.PICTURE: [0]},
    "one picture without labels": {"articleType": [-1], "product": [-1], batches.PICTURE: [0]},
    "one class": {"articleType": [2] * 4, "product": [0] * 4, batches.PICTURE: [0, 1, 2, 3]},
    "no positives": {"articleType": [0, 1, 2, -1], "product": [0, 1, 2, 3], batches.PICTURE: [0, 1, 2, 3]},
    "no labels": {"articleType": [-1] * 4, "product": [-1] * 4, batches.PICTURE: [0, 1, 2, 3]},
}


@pytest.mark.parametrize("term", EVERY, ids=lambda term: "-".join(map(str, term.values())))
def test_the_smallest_batches_have_a_finite_loss_and_finite_gradients(term):
    learner = learner_of(term)
    views = 2 if "by" not in term or term["by"] == "view" else 1
    for labels in TINY.values():
        labels = {name: np.tile(np.array(numbers, np.int32), views) for name, numbers in labels.items()}
        count = len(labels[batches.PICTURE])
        for pictures in (drawn(0, count)[:, [0, 1, 2, 0]], np.ones((count, 4), np.float32), np.zeros((count, 4))):
            with tf.GradientTape() as tape:
                loss = learner.compute_loss(None, labels, learner(pictures), None, True)
            assert np.isfinite(float(loss))
            for gradient in tape.gradient(loss, learner.trainable_weights):
                assert gradient is None or np.isfinite(gradient.numpy()).all()


def rate_at(step, epochs=3, steps=10, **changes):
    optimiser = {"learning_rate": 0.01, "weight_decay": 0.0, "schedule": "constant", "warm_up": 0.0, **changes}
    spec = spec_of(EVERY[0], optimiser=optimiser, epochs=epochs)
    return float(objective.schedule(spec, steps)(step))


@pytest.mark.parametrize(
    "schedule,warm_up,rates",
    [
        ("constant", 0.0, {0: 0.01, 10: 0.01, 30: 0.01}),
        ("constant", 0.5, {0: 0.0, 1: 0.002, 5: 0.01, 6: 0.01, 30: 0.01}),
        ("cosine", 0.0, {0: 0.01, 10: 0.0075, 15: 0.005, 20: 0.0025, 30: 0.0}),
        ("cosine", 1.0, {0: 0.0, 5: 0.005, 10: 0.01, 20: 0.005, 30: 0.0, 40: 0.0}),
        ("cosine", 4.0, {0: 0.0, 20: 0.005, 30: 0.0075}),
        ("cosine", 0.01, {0: 0.01, 15: 0.005, 30: 0.0}),
    ],
)
def test_the_learning_rate_rises_and_falls_as_the_schedule_says(schedule, warm_up, rates):
    got = {step: rate_at(step, schedule=schedule, warm_up=warm_up) for step in rates}
    assert got == pytest.approx(rates, abs=1e-7)


def test_weight_decay_makes_it_adamw():
    optimiser = {"learning_rate": 0.01, "schedule": "constant", "warm_up": 0.0}
    plain, decaying = (
        objective.compiled(learner_of(EVERY[0]), spec_of(EVERY[0], optimiser={**optimiser, "weight_decay": decay}))
        for decay in (0.0, 0.05)
    )
    assert type(plain.optimizer) is keras.optimizers.Adam and not plain.optimizer.weight_decay
    assert type(decaying.optimizer) is keras.optimizers.AdamW
    assert decaying.optimizer.weight_decay == pytest.approx(0.05)


def test_weight_decay_alone_moves_kernels_and_class_centres_and_no_bias_scale_or_shift():
    layers_ = [keras.layers.Dense(5), keras.layers.BatchNormalization(), keras.layers.Dense(DIMENSION)]
    body = keras.Sequential([keras.Input((4,)), *layers_])
    terms = [EVERY[0], {"kind": "arcface", "by": "gender", "weight": 1.0, "scale": 12.0, "margin": 0.1}]
    optimiser = {"learning_rate": 0.1, "weight_decay": 0.5, "schedule": "constant", "warm_up": 0.0}
    spec = spec_of(*terms, optimiser=optimiser)
    learner = objective.compiled(objective.Learner(body, spec, SIZES), spec)
    weights = learner.trainable_weights
    for weight in weights:
        weight.assign(np.ones(weight.shape))
    learner.optimizer.apply([np.zeros(weight.shape, np.float32) for weight in weights], weights)
    moved = {weight.path: float(weight.numpy().max()) for weight in weights}
    shrunk = {path for path, value in moved.items() if value < 1}
    assert shrunk == {path for path in moved if path.endswith(("kernel", "centres"))} and len(shrunk) == 4
    assert all(moved[path] == pytest.approx(1 - 0.1 * 0.5) for path in shrunk)
    assert {path.rsplit("/")[-1] for path in set(moved) - shrunk} == {"bias", "gamma", "beta"}


class Rates(keras.callbacks.Callback):
    """Notes the learning rate that each step was taken with."""

    def __init__(self):
        super().__init__()
        self.used = []

    def on_train_batch_end(self, batch, logs=None):
        self.used.append(float(self.model.optimizer.learning_rate))


def test_a_fit_lowers_the_loss_and_learns_to_name_the_classes():
    rng = np.random.default_rng(0)
    kinds = np.arange(48, dtype=np.int32) % 3
    pictures = (np.eye(4)[kinds] + 0.3 * rng.normal(size=(48, 4))).astype(np.float32)
    labels = {"articleType": kinds, "product": np.arange(48, dtype=np.int32) // 12, batches.PICTURE: np.arange(48)}
    labels = {name: numbers.astype(np.int32) for name, numbers in labels.items()}
    terms = [
        EVERY[0],
        EVERY[1],
        {"kind": "sup_con", "by": "view", "temperature": 0.3},
        {"kind": "triplet_semi_hard", "by": "articleType", "margin": 0.3, "memory": {"size": 30, "warm_up": 1}},
    ]
    optimiser = {"learning_rate": 0.03, "weight_decay": 0.001, "schedule": "cosine", "warm_up": 1.0}
    keras.utils.set_random_seed(0)
    learner = learner_of(*terms)
    spec = spec_of(*terms, optimiser=optimiser, epochs=15)
    objective.compiled(learner, spec)
    rate = objective.Rate(spec, steps=3)
    shown = batches.LabelBatches(lambda rows, view: pictures[rows] + 0.05 * view, labels, rng.permutation(48), 16, 2)
    before = [weight.numpy().copy() for weight in learner.trainable_weights]
    rates = Rates()
    history = learner.fit(shown, epochs=15, verbose=0, shuffle=False, callbacks=[rate, rates]).history
    assert rates.used == pytest.approx([rate_at(step, 15, 3, **optimiser) for step in range(45)])
    assert set(history) == {
        "loss",
        "cross_entropy_articleType",
        "arcface_articleType",
        "sup_con_view",
        "triplet_semi_hard_articleType_memory",
    }
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    for name in ("cross_entropy_articleType", "arcface_articleType"):
        assert history[name][-1] < history[name][0]
    assert history["loss"] == pytest.approx(
        np.sum([history[name] for name in set(history) - {"loss"}], axis=0), rel=1e-4
    )
    assert all((weight.numpy() != old).any() for weight, old in zip(learner.trainable_weights, before, strict=True))
    assert int(learner.own[3].batches.numpy()) == 45
    named = learner.classifier("articleType")(learner.predict_on_batch(pictures)).numpy().argmax(axis=1)
    assert (named == kinds).mean() > 0.9


def accepted(**changes):
    try:
        return spec_of({"kind": "sup_con", "by": "view", "temperature": 0.3, **changes.pop("term", {})}, **changes)
    except pydantic.ValidationError:
        return None


def test_a_memory_by_view_is_refused_or_has_positives():
    spec = accepted(term={"memory": {"size": 20, "warm_up": 0}})
    if spec is not None:
        body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(DIMENSION)])
        assert cost(objective.Learner(body, spec, SIZES), drawn(0), TWO_VIEWS) > 0


def test_views_on_several_devices_are_refused_or_stay_together():
    spec = accepted(devices="all")
    if spec is not None:
        labels = {batches.PICTURE: np.arange(8, dtype=np.int32)}
        shown = batches.LabelBatches(lambda rows, view: drawn(view)[rows], labels, np.arange(8), 8, spec.views)
        views, numbers = shown[0]
        learner = learner_of({"kind": "sup_con", "by": "view", "temperature": 0.3})
        assert cost(learner, views[:8], {name: values[:8] for name, values in numbers.items()}) > 0
