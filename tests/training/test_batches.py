"""What a batch is: the order of an epoch, the parts of a catalogue, class numbers, and pictures changed as agreed."""

import math

import children
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import paths
from pipeline.data import catalog
from pipeline.encoders.extract import load_pictures
from pipeline.params.finetuning import Batches
from pipeline.training import batches

some = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
CHANGES = {"flip": True, "crop": 0.3, "pad": 0.2, "rotation": 10, "brightness": 0.2, "contrast": 0.2, "colour": 0.2}


def shape(size, together=None, per_group=1, class_power=1.0):
    return Batches(size=size, together=together, per_group=per_group, class_power=class_power)


def one_type(count):
    return np.zeros(count, int)


@some
@given(st.integers(1, 200), st.integers(1, 64), seeds, st.integers(0, 1000))
def test_an_epoch_shows_whole_batches_and_every_picture_at_most_once(count, size, seed, epoch):
    order = batches.epoch_order(one_type(count), None, shape(size), seed, epoch)
    assert len(np.unique(order)) == len(order) == (count if count < size else count - count % size)
    assert set(order) <= set(range(count))


@some
@given(st.integers(20, 200), seeds, st.integers(0, 1000))
def test_the_order_follows_from_the_seed_and_the_epoch_alone(count, seed, epoch):
    types = np.arange(count) % 3
    for spec, groups in ((shape(8), None), (shape(8, "product", 2, 0.5), np.arange(count) // 2)):
        order = batches.epoch_order(types, groups, spec, seed, epoch)
        assert order.tolist() == batches.epoch_order(types, groups, spec, seed, epoch).tolist()
        assert order.tolist() != batches.epoch_order(types, groups, spec, seed, epoch + 1).tolist()
        assert order.tolist() != batches.epoch_order(types, groups, spec, seed + 1, epoch).tolist()


def test_what_one_epoch_leaves_out_others_show():
    shown = [set(batches.epoch_order(one_type(43), None, shape(10), 0, epoch)) for epoch in range(20)]
    assert set.union(*shown) == set(range(43))
    assert len({frozenset(epoch) for epoch in shown}) > 10


def walked(order, groups, most):
    """Slow: each picture in turn, followed at once by the next members of its group, `most` in all."""
    left, result = list(order), []
    while left:
        first = left[0]
        friends = [row for row in left[1:] if groups[row] == groups[first] and groups[first] >= 0][: most - 1]
        result += [first, *friends]
        left = [row for row in left[1:] if row not in friends]
    return result


@some
@given(st.lists(st.integers(-1, 12), min_size=1, max_size=60), st.integers(1, 5), seeds)
@example([-1, 0, 1] * 6, 3, 0)
def test_members_of_a_group_follow_the_first_of_them(groups, per_group, seed):
    groups = np.array(groups)
    apart = batches.epoch_order(one_type(len(groups)), None, shape(1), seed, 0)
    together = batches.epoch_order(one_type(len(groups)), groups, shape(1, "product", per_group), seed, 0)
    assert together.tolist() == walked(apart, groups, per_group)


def runs(order, groups):
    """The groups as they come, each with the length of its run."""
    edges = np.flatnonzero(np.diff(groups[order], prepend=-2, append=-2))
    return [(int(groups[order[start]]), int(end - start)) for start, end in zip(edges, edges[1:], strict=False)]


@some
@given(seeds, st.integers(2, 5))
def test_a_group_that_fits_comes_in_one_run(seed, per_group):
    groups = np.repeat(np.arange(40), np.random.default_rng(seed).integers(1, per_group + 1, 40))
    order = batches.epoch_order(one_type(len(groups)), groups, shape(1, "product", per_group), seed, 0)
    assert sorted(runs(order, groups)) == [(group, int(size)) for group, size in enumerate(np.bincount(groups))]


def test_a_group_that_is_too_large_comes_in_several_runs():
    groups = np.where(np.arange(1000) < 7, 0, np.arange(1000))
    order = batches.epoch_order(one_type(1000), groups, shape(1, "product", 3), 0, 0)
    assert sorted(size for group, size in runs(order, groups) if group == 0) == [1, 3, 3]


def test_pictures_without_a_group_stay_where_they_were():
    apart = batches.epoch_order(one_type(50), None, shape(5), 3, 1)
    together = batches.epoch_order(one_type(50), np.full(50, -1), shape(5, "product", 5), 3, 1)
    np.testing.assert_array_equal(together, apart)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_class_power_evens_out_the_classes(power):
    sizes = np.array([900, 90, 10])
    types = np.random.default_rng(0).permutation(np.repeat([5, -1, 8], sizes))
    orders = [batches.epoch_order(types, None, shape(100, class_power=power), 1, epoch) for epoch in range(10)]
    shares = [np.mean(types[np.concatenate(orders)] == label) for label in (5, -1, 8)]
    np.testing.assert_allclose(shares, sizes**power / (sizes**power).sum(), atol=0.02)
    assert all(len(order) == 1000 for order in orders)
    if power == 0:
        rare, times = np.unique(np.concatenate(orders)[types[np.concatenate(orders)] == 8], return_counts=True)
        assert len(rare) == 10 and times.min() > 0.7 * times.mean()


@pytest.fixture
def frame(in_sample):
    return catalog.load("sample")


def ids(part):
    return part[catalog.ID].tolist()


def products(part):
    return set(part[catalog.PRODUCT])


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_no_product_is_in_two_parts_and_the_test_part_is_untouched(frame, share):
    parts = batches.parts(frame, children.finetune_like(share=share))
    learn, validate, test = (products(parts[name]) for name in ("learn", "validate", "test"))
    assert not learn & validate and not learn & test and not validate & test
    assert ids(parts["test"]) == ids(frame[frame[catalog.SPLIT] == catalog.TEST])
    train = frame[frame[catalog.SPLIT] == catalog.TRAIN]
    assert len(validate) == math.ceil(0.1 * train[catalog.PRODUCT].nunique())
    assert products(train) == learn | validate or share < 1
    if share == 1:
        assert sorted(ids(parts["learn"]) + ids(parts["validate"])) == sorted(ids(train))


def test_a_share_takes_whole_products_of_what_is_learnt_and_leaves_the_rest_as_it_was(frame):
    whole = batches.parts(frame, children.finetune_like())
    before = set()
    for share in (0.1, 0.25, 0.5, 0.9):
        parts = batches.parts(frame, children.finetune_like(share=share))
        kept = products(parts["learn"])
        assert len(kept) == math.ceil(share * len(products(whole["learn"])))
        assert ids(parts["learn"]) == ids(whole["learn"][whole["learn"][catalog.PRODUCT].isin(kept)])
        assert ids(parts["validate"]) == ids(whole["validate"])
        assert ids(parts["test"]) == ids(whole["test"])
        assert before <= kept
        before = kept


def test_a_share_close_to_one_takes_all_products(frame):
    whole = batches.parts(frame, children.finetune_like())
    nearly = batches.parts(frame, children.finetune_like(share=0.999))
    assert abs(len(products(whole["learn"])) - len(products(nearly["learn"]))) <= 1


def test_the_split_by_types_learns_and_tests_the_types_that_are_not_held_out(frame):
    column = np.where(frame[catalog.ARTICLE].isin(["Tshirts", "Heels"]), catalog.TEST, catalog.TRAIN)
    frame = frame.assign(**{catalog.TYPE_SPLIT: column})
    parts = batches.parts(frame, children.finetune_like(split="types"))
    whole = batches.parts(frame, children.finetune_like())
    for rows in parts.values():
        assert not set(rows[catalog.ARTICLE]) & {"Tshirts", "Heels"}
        assert set(rows[catalog.ID]) <= set(frame[catalog.ID])
    assert set(parts["test"][catalog.ID]) < set(whole["test"][catalog.ID])
    assert len(parts["seen"]) == 0


def test_the_temporal_split_learns_from_its_own_train_part(frame):
    column = catalog.TEMPORAL_SPLIT
    odd = frame.index[(frame[catalog.YEAR] % 2 == 1).fillna(False)]
    frame.loc[odd[::3], column] = catalog.SEEN
    parts = batches.parts(frame, children.finetune_like(split="temporal"))
    assert frame[column].isna().any()
    assert ids(parts["seen"]) == ids(frame.loc[odd[::3]])
    assert ids(parts["test"]) == ids(frame.loc[odd.difference(odd[::3])])
    assert sorted(ids(parts["learn"]) + ids(parts["validate"])) == sorted(ids(frame[frame[column] == catalog.TRAIN]))
    assert not products(parts["learn"]) & products(parts["validate"])
    undated = set(ids(frame[frame[column].isna()]))
    assert not undated & {image_id for part in parts.values() for image_id in ids(part)}


def test_what_is_validated_has_no_copy_and_no_other_spelling_of_what_is_learnt(frame, rng):
    train = rng.permutation(frame.index[frame[catalog.SPLIT] == catalog.TRAIN])
    frame.loc[train[:40], catalog.SHA256] = frame.loc[train[40:80], catalog.SHA256].to_numpy()
    frame.loc[train[80:120], catalog.PRODUCT] = frame.loc[train[120:160], catalog.PRODUCT].str.upper().to_numpy()
    parts = batches.parts(frame, children.finetune_like(share=0.5))
    learn, validate = parts["learn"], parts["validate"]
    left_out = frame.loc[np.setdiff1d(train, learn.index.union(validate.index))]
    for one, other in ((learn, validate), (learn, left_out), (left_out, validate)):
        assert len(one) and len(other)
        assert not set(one[catalog.SHA256]) & set(other[catalog.SHA256])
        assert not set(one[catalog.PRODUCT].str.lower()) & set(other[catalog.PRODUCT].str.lower())


def test_the_seed_alone_says_what_is_validated(frame):
    first, again, other = (batches.parts(frame, children.finetune_like(seed=seed)) for seed in (0, 0, 1))
    assert ids(first["validate"]) == ids(again["validate"]) != ids(other["validate"])


def test_pictures_without_a_name_are_products_of_their_own(frame):
    nameless = frame.assign(**{catalog.PRODUCT: frame[catalog.PRODUCT].where(frame.index % 3 > 0)})
    parts = batches.parts(nameless, children.finetune_like())
    train = nameless[nameless[catalog.SPLIT] == catalog.TRAIN]
    assert sorted(ids(parts["learn"]) + ids(parts["validate"])) == sorted(ids(train))
    blank = parts["validate"][catalog.PRODUCT].isna().sum()
    assert 0 < blank < 0.4 * train[catalog.PRODUCT].isna().sum()


TABLE = pd.DataFrame(
    {
        catalog.ARTICLE: ["Ties", None, "Caps", "Ties"],
        catalog.PRODUCT: ["b", "a", None, "b"],
        catalog.COLOUR: ["Red"] * 4,
    }
).astype("str")


def test_classes_are_sorted_names_without_the_blank_one_and_a_product_is_its_display_name():
    assert batches.class_names(TABLE, catalog.ARTICLE) == ["Caps", "Ties"]
    assert batches.class_names(TABLE, "product") == ["a", "b"]
    assert batches.class_names(TABLE, catalog.COLOUR) == ["Red"]


def test_a_blank_label_and_one_that_was_not_learnt_have_no_number():
    got = batches.numbers(TABLE, {catalog.ARTICLE: ["Belts", "Ties"], "product": ["a", "b"]})
    assert {name: codes.tolist() for name, codes in got.items()} == {
        catalog.ARTICLE: [1, -1, -1, 1],
        "product": [1, 0, -1, 1],
        batches.PICTURE: [0, 1, 2, 3],
    }
    assert {codes.dtype for codes in got.values()} == {np.dtype(np.int32)}


def test_numbers_of_the_sample_name_its_classes(frame):
    parts = batches.parts(frame, children.finetune_like())
    names = {label: batches.class_names(parts["learn"], label) for label in (catalog.ARTICLE, "product")}
    for part in parts.values():
        got = batches.numbers(part, names)
        for label, column in ((catalog.ARTICLE, catalog.ARTICLE), ("product", catalog.PRODUCT)):
            known = part[column].isin(names[label]).to_numpy()
            np.testing.assert_array_equal(got[label] >= 0, known)
            assert [names[label][code] for code in got[label][known]] == part[column][known].tolist()
    assert (batches.numbers(parts["test"], names)["product"] == -1).all()


def named(rows, view):
    return rows * 10 + view


def test_batches_follow_the_order_and_the_last_takes_what_is_left():
    order = np.array([4, 2, 0, 1, 3])
    shown = batches.LabelBatches(named, {"kind": np.array([5, 6, 7, 8, -1])}, order, 2)
    assert len(shown) == 3
    assert [shown[number][0].tolist() for number in range(3)] == [[40, 20], [0, 10], [30]]
    assert [shown[number][1]["kind"].tolist() for number in range(3)] == [[-1, 7], [5, 6], [8]]


def test_two_views_come_one_after_the_other_each_with_the_labels():
    labels = {"kind": np.array([5, 6, 7, 8]), batches.PICTURE: np.arange(4)}
    shown = batches.LabelBatches(named, labels, np.array([3, 1, 0, 2]), 2, views=2)
    assert len(shown) == 2
    pictures, got = shown[0]
    assert pictures.tolist() == [30, 10, 31, 11]
    assert got["kind"].tolist() == [8, 6, 8, 6]
    assert got[batches.PICTURE].tolist() == [3, 1, 3, 1]


def test_two_views_of_real_pictures_differ_and_are_drawn_alike_again(frame):
    spec = children.finetune_like(augment=CHANGES)
    with paths.open_images("sample") as archive:
        twice = [
            batches.LabelBatches(
                batches.images(archive, ids(frame), spec, epoch=2), {}, np.arange(40)[::-1], 16, views=2
            )
            for _ in range(2)
        ]
        first, again = (shown[1][0] for shown in twice)
    assert first.shape == (32, 32, 32, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first[:16] != first[16:]).any(axis=(1, 2, 3)).all()


def test_without_an_epoch_or_without_changes_pictures_are_what_the_encoder_sees(frame):
    rows = np.array([7, 0, 7, 300])
    with paths.open_images("sample") as archive:
        for augment, epoch in ((CHANGES, None), (None, None), (None, 3)):
            spec = children.finetune_like(augment=augment)
            plain = load_pictures(archive, [ids(frame)[row] for row in rows], spec)
            for view in (0, 1):
                np.testing.assert_array_equal(batches.images(archive, ids(frame), spec, epoch)(rows, view), plain)


def test_a_picture_changes_with_seed_epoch_and_view_and_not_with_its_place_in_the_batch(frame):
    spec, other = (children.finetune_like(augment=CHANGES, seed=seed) for seed in (0, 1))
    with paths.open_images("sample") as archive:

        def one(spec, epoch, view, rows=(5,)):
            return batches.images(archive, ids(frame), spec, epoch)(np.array(rows), view)[-1].tobytes()

        assert one(spec, 1, 0) == one(spec, 1, 0, rows=(9, 2, 5))
        assert len({one(spec, 1, 0), one(spec, 2, 0), one(spec, 1, 1), one(other, 1, 0)}) == 4


def test_pictures_of_one_batch_are_changed_each_in_its_own_way(frame):
    spec = children.finetune_like(augment={**CHANGES, "flip": False, "crop": 0, "pad": 0, "rotation": 0})
    rows = np.arange(20)
    with paths.open_images("sample") as archive:
        plain, changed = (batches.images(archive, ids(frame), spec, epoch)(rows, 0) for epoch in (None, 0))
    lighter = changed.mean(axis=(1, 2, 3)) / plain.mean(axis=(1, 2, 3))
    assert len(np.unique(lighter.round(2))) > 8


def test_what_lies_outside_a_picture_is_no_matter_of_the_padding_colour(frame):
    padded = {**dict.fromkeys(CHANGES, 0), "flip": False, "pad": 0.9, "rotation": 45}
    with paths.open_images("sample") as archive:
        one, other = (
            batches.images(
                archive, ids(frame), children.finetune_like(augment=padded, resize="stretch", pad_color=colour), 0
            )(np.arange(12), 0)
            for colour in ([0, 0, 0], [1, 254, 3])
        )
    np.testing.assert_array_equal(one, other)
    assert not (one == (1, 254, 3)).all(axis=-1).any()
