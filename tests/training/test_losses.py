"""Each loss against a slow transcription of its paper, its edge cases, and what it must not depend on."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.training import losses

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def value(tensor):
    return float(keras.ops.convert_to_numpy(tensor))


def drawn(seed, count=6, dimension=4, classes=3):
    """Embeddings, labels, which pairs are positive and which may be compared: all but the anchor itself."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(count, dimension)).astype(np.float32)
    labels = rng.integers(0, classes, count)
    same = labels[:, None] == labels[None, :]
    return embeddings, labels, same, ~np.eye(count, dtype=bool)


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def nt_xent(first, second, temperature):
    """Equation 1 of SimCLR (Chen et al., 2020): each view asks, its other view among all others is right."""
    views = np.concatenate([first, second])
    total = 0.0
    for i in range(len(views)):
        j = (i + len(first)) % len(views)
        shares = [math.exp(cosine(views[i], views[k]) / temperature) for k in range(len(views)) if k != i]
        total -= math.log(math.exp(cosine(views[i], views[j]) / temperature) / sum(shares))
    return total / len(views)


@few
@given(seeds)
def test_the_one_way_variant_has_one_negative_per_other_picture(seed):
    first, second = drawn(seed)[0], drawn(seed + 1)[0]
    total = 0.0
    for i in range(len(first)):
        shares = [math.exp(cosine(first[i], second[k]) / 0.5) for k in range(len(second))]
        total -= math.log(shares[i] / sum(shares))
    assert value(losses.nt_xent_one_way(first, second, 0.5)) == pytest.approx(total / len(first), rel=1e-4)


@few
@given(seeds, st.floats(0.05, 2))
def test_sup_con_equals_equation_2_of_its_paper(seed, temperature):
    embeddings, labels, same, others = drawn(seed)
    terms = []
    for i in range(len(labels)):
        positives = [p for p in range(len(labels)) if p != i and labels[p] == labels[i]]
        if not positives:
            continue
        total = sum(math.exp(cosine(embeddings[i], embeddings[a]) / temperature) for a in range(len(labels)) if a != i)
        shares = [math.log(math.exp(cosine(embeddings[i], embeddings[p]) / temperature) / total) for p in positives]
        terms.append(-sum(shares) / len(positives))
    expected = np.mean(terms) if terms else 0.0
    got = value(losses.sup_con(embeddings, embeddings, same, others, temperature))
    assert got == pytest.approx(expected, rel=1e-3, abs=1e-4)


@few
@given(seeds, st.floats(0.05, 2))
def test_sup_con_with_two_views_as_the_only_positives_is_nt_xent(seed, temperature):
    first, second = drawn(seed)[0], drawn(seed + 1)[0]
    views = np.concatenate([first, second])
    pictures = np.tile(np.arange(len(first)), 2)
    same, others = pictures[:, None] == pictures[None, :], ~np.eye(len(views), dtype=bool)
    together = value(losses.sup_con(views, views, same, others, temperature))
    assert together == pytest.approx(nt_xent(first, second, temperature), rel=1e-4, abs=1e-5)


def distances(embeddings):
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.sqrt(np.maximum(2 - 2 * unit @ unit.T, 0))


@few
@given(seeds, st.floats(0, 1))
def test_batch_hard_takes_the_farthest_positive_and_the_nearest_negative(seed, margin):
    embeddings, labels, same, others = drawn(seed)
    apart, terms = distances(embeddings), []
    for i in range(len(labels)):
        positives = [apart[i, p] for p in range(len(labels)) if p != i and labels[p] == labels[i]]
        negatives = [apart[i, n] for n in range(len(labels)) if labels[n] != labels[i]]
        if positives and negatives:
            terms.append(max(0.0, max(positives) - min(negatives) + margin))
    expected = np.mean(terms) if terms else 0.0
    got = value(losses.triplet_batch_hard(embeddings, embeddings, same, others, margin))
    assert got == pytest.approx(expected, abs=2e-3)


@few
@given(seeds, st.floats(0, 1))
def test_semi_hard_takes_the_nearest_negative_beyond_the_positive(seed, margin):
    embeddings, labels, same, others = drawn(seed)
    apart, terms = distances(embeddings) ** 2, []
    for i in range(len(labels)):
        negatives = [apart[i, n] for n in range(len(labels)) if labels[n] != labels[i]]
        for p in range(len(labels)):
            if p == i or labels[p] != labels[i] or not negatives:
                continue
            beyond = [far for far in negatives if far > apart[i, p]]
            terms.append(max(0.0, apart[i, p] - (min(beyond) if beyond else max(negatives)) + margin))
    expected = np.mean(terms) if terms else 0.0
    got = value(losses.triplet_semi_hard(embeddings, embeddings, same, others, margin))
    assert got == pytest.approx(expected, abs=2e-3)


@few
@given(seeds, st.floats(0, 0.9))
def test_contrastive_pulls_positives_and_pushes_negatives_above_the_margin(seed, margin):
    embeddings, labels, same, others = drawn(seed)
    terms = []
    for i in range(len(labels)):
        near = [cosine(embeddings[i], embeddings[k]) for k in range(len(labels))]
        positives = [1 - near[k] for k in range(len(labels)) if k != i and labels[k] == labels[i]]
        negatives = [near[k] for k in range(len(labels)) if labels[k] != labels[i] and near[k] > margin]
        terms.append((np.mean(positives) if positives else 0) + (np.mean(negatives) if negatives else 0))
    got = value(losses.contrastive(embeddings, embeddings, same, others, margin))
    assert got == pytest.approx(np.mean(terms), abs=1e-4)


@few
@given(seeds, st.floats(-1, 0.9))
def test_contrastive_is_its_papers_sum_where_an_anchor_has_one_pair_of_each_kind(seed, margin):
    """Wang et al. (2020): 1/m Σᵢ (Σ over positives of 1 − Sᵢⱼ + Σ over negatives above the margin of Sᵢⱼ)."""
    embeddings, keys = drawn(seed)[0], drawn(seed + 1, count=2)[0]
    positive = np.tile([True, False], (len(embeddings), 1))
    total = 0.0
    for anchor in embeddings:
        pulled, pushed = 1 - cosine(anchor, keys[0]), cosine(anchor, keys[1])
        total += pulled + (pushed if pushed > margin else 0)
    got = value(losses.contrastive(embeddings, keys, positive, np.ones_like(positive), margin))
    assert got == pytest.approx(total / len(embeddings), abs=1e-4)


@few
@given(seeds, st.integers(1, 3), st.floats(0, 0.5))
def test_arcface_adds_the_margin_to_the_angle_of_the_right_class(seed, centres, margin):
    embeddings, labels, _, _ = drawn(seed)
    table = np.random.default_rng(seed).normal(size=(3, centres, 4)).astype(np.float32)
    logits = keras.ops.convert_to_numpy(losses.arcface_logits(embeddings, table, labels, 30.0, margin))
    for i, label in enumerate(labels):
        for c in range(3):
            near = max(cosine(embeddings[i], centre) for centre in table[c])
            angle = math.acos(max(-1, min(1, near)))
            moved = angle + (margin if c == label else 0)
            expected = math.cos(moved) if moved <= math.pi else -1 - (moved - math.pi)
            assert logits[i, c] == pytest.approx(30 * expected, abs=0.05)


def test_arcface_takes_a_margin_per_class():
    embeddings, labels, _, _ = drawn(0)
    table = np.random.default_rng(0).normal(size=(3, 1, 4)).astype(np.float32)
    margins = np.array([0.1, 0.2, 0.3], np.float32)
    together = keras.ops.convert_to_numpy(losses.arcface_logits(embeddings, table, labels, 10.0, margins))
    for i, label in enumerate(labels):
        alone = keras.ops.convert_to_numpy(
            losses.arcface_logits(embeddings, table, labels, 10.0, float(margins[label]))
        )
        np.testing.assert_allclose(together[i], alone[i], atol=1e-4)


@few
@given(seeds)
def test_cross_entropy_equals_keras_and_leaves_out_rows_without_a_label(seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(6, 5)).astype(np.float32), rng.integers(0, 5, 6)
    keras_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert value(losses.cross_entropy(logits, labels)) == pytest.approx(float(keras_loss(labels, logits)), rel=1e-4)
    blank = np.where(np.arange(6) < 2, -1, labels)
    assert value(losses.cross_entropy(logits, blank)) == pytest.approx(
        float(keras_loss(labels[2:], logits[2:])), rel=1e-4
    )


PAIRED = {
    "sup_con": lambda *a: losses.sup_con(*a, 0.2),
    "triplet_batch_hard": lambda *a: losses.triplet_batch_hard(*a, 0.3),
    "triplet_semi_hard": lambda *a: losses.triplet_semi_hard(*a, 0.3),
    "contrastive": lambda *a: losses.contrastive(*a, 0.1),
}


@pytest.mark.parametrize("name", PAIRED)
def test_the_length_of_the_embeddings_and_what_is_no_candidate_change_nothing(name):
    embeddings, _, same, others = drawn(3)
    expected = value(PAIRED[name](embeddings, embeddings, same, others))
    assert value(PAIRED[name](7 * embeddings, embeddings, same, others)) == pytest.approx(expected, rel=1e-4)
    keys = np.concatenate([embeddings, 5 * drawn(9)[0]])
    wide, empty = np.concatenate([same, ~same], axis=1), np.concatenate([others, np.zeros_like(others)], axis=1)
    assert value(PAIRED[name](embeddings, keys, wide, empty)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", PAIRED)
def test_a_batch_without_pairs_costs_nothing_and_has_a_finite_gradient(name):
    import tensorflow as tf

    embeddings, _, same, others = drawn(4)
    embeddings[0] = 0
    for positive in (np.zeros_like(same), np.ones_like(same), same):
        x = tf.Variable(embeddings)
        with tf.GradientTape() as tape:
            loss = PAIRED[name](x, x, tf.constant(positive), tf.constant(others))
        gradient = tape.gradient(loss, x)
        assert np.isfinite(value(loss))
        assert np.isfinite(gradient.numpy()).all()
    if name != "contrastive":
        assert value(PAIRED[name](embeddings, embeddings, np.zeros_like(same), others)) == 0


@pytest.mark.parametrize("name", PAIRED)
def test_gradients_are_those_of_small_steps(name):
    import tensorflow as tf

    embeddings, _, same, others = drawn(11)
    x = tf.Variable(embeddings)
    with tf.GradientTape() as tape:
        loss = PAIRED[name](x, x, tf.constant(same), tf.constant(others))
    gradient = tape.gradient(loss, x).numpy()
    direction = np.random.default_rng(0).normal(size=embeddings.shape).astype(np.float32)
    step = 1e-3
    ahead, behind = (
        value(PAIRED[name](moved, moved, same, others))
        for moved in (embeddings + step * direction, embeddings - step * direction)
    )
    assert (gradient * direction).sum() == pytest.approx((ahead - behind) / (2 * step), rel=0.05, abs=5e-3)


def test_descending_a_loss_brings_positives_together():
    import tensorflow as tf

    embeddings, labels, same, others = drawn(5, count=12, dimension=8)
    x = tf.Variable(embeddings)
    optimiser = keras.optimizers.Adam(0.05)
    for _ in range(150):
        with tf.GradientTape() as tape:
            loss = losses.sup_con(x, x, tf.constant(same), tf.constant(others), 0.2)
        optimiser.apply([tape.gradient(loss, x)], [x])
    unit = x.numpy() / np.linalg.norm(x.numpy(), axis=1, keepdims=True)
    near = unit @ unit.T
    assert near[same & others].min() > near[~same].max()
