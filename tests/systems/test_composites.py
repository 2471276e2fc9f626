"""Photos of several products: how they are composed, which boxes are found, and what is counted of them."""

import io

import children
import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.data import catalog
from pipeline.data.boxes import Box
from pipeline.data.cropper import overlap
from pipeline.encoders.store import FeatureSet, StoreError
from pipeline.evaluation import keys
from pipeline.params.systems import UserPhotos
from pipeline.systems import composites, detector, user_photos
from pipeline.systems.composites import SIDE, Composite
from pipeline.systems.keys import ALL_GROUNDS, KEYS
from pipeline.systems.photos import Photo

RUN = UserPhotos(
    encoders=["e"],
    source="simulated",
    kinds=["placed"],
    queries=2,
    crops=["box"],
    margin=0.0,
    top=12,
    relevances=["articleType"],
    better={},
    composites={"count": 4, "products": [2, 4], "learnt": 3, "epochs": 1},
    resamples=200,
    seed=0,
)


def product(colour, size=(60, 80)):
    """A product of one colour on white, with a margin."""
    picture = Image.new("RGB", size, "white")
    picture.paste(colour, (10, 15, size[0] - 12, size[1] - 8))
    return picture


@pytest.mark.parametrize("seed", range(6))
def test_products_lie_apart_and_each_fills_its_box(seed):
    colours = [(150, 20, 20), (20, 90, 20), (20, 20, 140), (70, 60, 50)]
    data, around = composites.compose([product(colour) for colour in colours], "plain", np.random.default_rng(seed))
    pixels = np.asarray(Image.open(io.BytesIO(data))).astype(int)
    assert pixels.shape == (SIDE, SIDE, 3)
    left = np.ones((SIDE, SIDE), bool)
    for box, colour in zip(around, colours, strict=True):
        assert 0 <= box.x < box.x + box.width <= SIDE
        assert 0 <= box.y < box.y + box.height <= SIDE
        inside = pixels[box.y + 2 : box.y + box.height - 2, box.x + 2 : box.x + box.width - 2]
        assert np.abs(inside - colour).mean() < 25
        left[max(box.y - 4, 0) : box.y + box.height + 4, max(box.x - 4, 0) : box.x + box.width + 4] = False
    assert (pixels[left] > 235).all()
    assert all(overlap(one, other) == 0 for at, one in enumerate(around) for other in around[:at])


def test_six_large_products_find_room_and_a_cluttered_ground_is_no_plain_one():
    pictures = [product((10, 10, 10), (80, 80))] * 6
    data, around = composites.compose(pictures, "cluttered", np.random.default_rng(1))
    assert len(around) == 6
    assert np.asarray(Image.open(io.BytesIO(data)))[:, :, 0].std() > 30


def test_photos_are_drawn_by_the_seed_from_one_part_of_the_split(in_sample):
    frame = catalog.load("sample")
    asking = composites.drawn("sample", frame, catalog.TEST, 4, RUN)
    assert [one.ground for one in asking] == ["plain"] * 4 + ["cluttered"] * 4
    assert {frame[catalog.SPLIT].iloc[row] for one in asking for row in one.rows} == {catalog.TEST}
    assert {len(one.rows) for one in asking} <= {2, 3, 4}
    assert all(len(set(one.rows)) == len(one.rows) == len(one.boxes) for one in asking)
    assert asking == composites.drawn("sample", frame, catalog.TEST, 4, RUN)
    assert asking[:2] == composites.drawn("sample", frame, catalog.TEST, 2, RUN)[:2]
    assert (
        asking[0].data != composites.drawn("sample", frame, catalog.TEST, 1, RUN.model_copy(update={"seed": 1}))[0].data
    )
    learnt = composites.drawn("sample", frame, catalog.TRAIN, 3, RUN)
    assert {frame[catalog.SPLIT].iloc[row] for one in learnt for row in one.rows} == {catalog.TRAIN}


def test_cells_say_the_boxes_that_they_were_told():
    around = (Box(10, 20, 60, 80), Box(100, 30, 50, 100), Box(40, 140, 120, 60))
    said = detector.targets(around, SIDE, 7)
    assert said[..., 0].sum() == 3
    logits = np.where(said > 0, np.log(said.clip(1e-6) / (1 - said.clip(1e-6, 1 - 1e-6))), -9.0)
    proposed = detector.proposed(logits, SIDE)
    assert len(proposed) == 3
    assert all(max(overlap(box, one) for one, _ in proposed) > 0.95 for box in around)
    assert all(0.99 < sure <= 1 for _, sure in proposed)
    double = logits.copy()
    double[3, 2] = logits[1, 1]  # a second cell says a box a hand's breadth away, and is as sure
    assert len(detector.proposed(double, SIDE)) == 4
    double[1, 2] = logits[1, 1] * [0.5, 1, 1, 1, 1]  # and one that overlaps, less sure
    double[1, 2, 1] = -9.0
    assert len(detector.proposed(double, SIDE)) == 4
    assert detector.proposed(np.full((7, 7, 5), -9.0), SIDE) == []


def test_the_loss_equals_a_slow_loop(rng):
    true, said = (
        detector.targets((Box(10, 20, 60, 80), Box(100, 30, 50, 100)), SIDE, 3)[None],
        rng.normal(size=(1, 3, 3, 5)),
    )
    expected = 0.0
    for row in range(3):
        for column in range(3):
            there, value = true[0, row, column], 1 / (1 + np.exp(-said[0, row, column]))
            expected -= np.log(value[0] if there[0] else 1 - value[0])
            expected += detector.PLACE * sum(abs(there[1:] - value[1:])) if there[0] else 0
    assert float(detector.loss(true, said.astype("float32"))[0]) == pytest.approx(expected, rel=1e-4)


def test_the_detector_learns_where_products_are(monkeypatch):
    """On a map that is the photo in 7 × 7 patches, small squares on white are found, which it has not seen."""

    def maps(data, spec, photos):
        pixels = np.stack([np.asarray(photo) for photo in photos]).astype(np.float32) / 255
        parts = pixels.reshape(len(pixels), 7, 8, 4, 7, 8, 4, 3).mean((3, 6)).transpose(0, 1, 3, 2, 4, 5)
        return 1 - parts.reshape(len(pixels), 7, 7, -1)

    monkeypatch.setattr(detector, "_maps", maps)
    rng = np.random.default_rng(0)
    made = [composites.compose([product((20, 20, 20))] * 2, "plain", rng) for _ in range(120)]
    photos = [Image.open(io.BytesIO(data)).convert("RGB") for data, _ in made]
    head = detector.learnt("sample", None, photos[:100], [around for _, around in made[:100]], epochs=25, seed=0)
    found = detector.looking("sample", None, head)(photos[100:])
    best = [
        max((overlap(box, one) for one in lists), default=0)
        for lists, (_, around) in zip(found, made[100:], strict=True)
        for box in around
    ]
    assert np.mean(np.array(best) >= 0.5) > 0.7
    assert np.mean([len(lists) for lists in found]) < 6


def test_a_kept_detector_says_what_the_trained_one_says_and_of_a_longer_photo_in_its_own_pixels(tmp_path, rng):
    keras.utils.set_random_seed(0)
    head = detector._head((7, 7, 1280))
    head.set_weights([array + rng.normal(0, 0.03, array.shape) for array in head.get_weights()])
    seen = rng.random((2, 7, 7, 1280)).astype(np.float32)
    said = detector.says(head.get_weights(), seen)
    np.testing.assert_allclose(said, head.predict(seen, verbose=0), rtol=0, atol=1e-4 * np.abs(said).max())
    path = tmp_path / "detector.npz"
    path.write_bytes(detector.kept(head, "network", SIDE))
    assert path.read_bytes() == detector.kept(head, "network", SIDE)  # DVC knows it by its bytes
    there, asked = detector.opened(path), []
    assert (there.network, there.side) == ("network", SIDE)

    def run(pictures):
        asked.append(pictures)
        return seen[:1].reshape(1, -1)

    look = detector.seeing(there, children.ENCODER, run)
    square = look(Image.new("RGB", (SIDE, SIDE), "red"))
    large = [pair for pair in detector.proposed(said[0], SIDE) if pair[0].width * pair[0].height >= 0.01 * SIDE**2]
    assert [box for box, _ in square] == [box for box, _ in large] and square
    assert [sure for _, sure in square] == pytest.approx([sure for _, sure in large], abs=1e-5)
    found = look(Image.new("RGB", (SIDE, 2 * SIDE), "red"))
    assert asked[1].shape == (1, SIDE, SIDE, 3) and (asked[1] == asked[1][0, 0, 0]).all()  # its own ground beside it
    assert found and all(box.x + box.width <= SIDE and box.y + box.height <= 2 * SIDE for box, _ in found)
    expected = []
    for box, sure in detector.proposed(said[0], SIDE):
        left, right = (min(max(2 * side - SIDE // 2, 0), SIDE) for side in (box.x, box.x + box.width))
        if right > left and (right - left) * 2 * box.height >= 0.01 * SIDE * 2 * SIDE:
            expected.append((Box(left, 2 * box.y, right - left, 2 * box.height), sure))
    assert [box for box, _ in found] == [box for box, _ in expected]
    assert [sure for _, sure in found] == pytest.approx([sure for _, sure in expected], abs=1e-5)


def test_a_box_that_only_touches_the_photo_is_not_proposed(monkeypatch):
    there = detector.Kept("network", SIDE, detector._head((7, 7, 1280)).get_weights())
    sides = [Box(60, 60, 60, 60), Box(0, 100, 58, 4), Box(0, 0, 20, 200)]  # the photo stands from 56 to 168
    monkeypatch.setattr(detector, "proposed", lambda said, side: [(box, 0.9) for box in sides])
    look = detector.seeing(there, children.ENCODER, lambda pictures: np.zeros((1, 49 * 1280), np.float32))
    assert look(Image.new("RGB", (SIDE // 2, SIDE))) == [(Box(4, 60, 60, 60), 0.9)]


@pytest.mark.parametrize("damaged", [b"no archive", b"", None])
def test_a_detector_that_is_damaged_is_told(tmp_path, damaged):
    path = tmp_path / "detector.npz"
    whole = detector.kept(detector._head((7, 7, 8)), "network", SIDE)
    path.write_bytes(whole[: len(whole) // 2] if damaged is None else damaged)
    with pytest.raises(StoreError, match="detector.npz is damaged"):
        detector.opened(path)


def test_scores_leave_the_own_picture_and_its_copies_out(world, rng):
    frame = world[0]
    rows = [0, 3, 6, 9, 12, 18]
    order = np.stack([rng.permutation(len(frame)) for _ in rows]).astype(np.int32)
    found = composites.scores(order, [Photo("", "plain", row, None, b"") for row in rows], frame, 12)
    for at, row in enumerate(rows):
        label, digest = frame[catalog.ARTICLE].iloc[row], frame[catalog.SHA256]
        others = [place for place in order[at] if digest[place] != digest[row]]
        right = [isinstance(label, str) and frame[catalog.ARTICLE].iloc[place] == label for place in others]
        if not any(right):  # one of its type, or no type
            assert np.isnan(found["hit@1"][at]) and np.isnan(found["hit@10"][at]) and np.isnan(found["AP"][at])
            continue
        assert found["hit@1"][at] == right[0]
        assert found["hit@10"][at] == any(right[:10])
        hits = np.cumsum(right[:12])
        expected = sum(hits[rank] / (rank + 1) for rank in range(12) if right[rank]) / sum(right)
        assert found["AP"][at] == pytest.approx(expected)


@pytest.fixture
def told(world):
    """Two photos of three products of the small world, and boxes that two ways propose."""
    picture = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), "red").save(picture, "PNG")
    true = (Box(10, 10, 40, 40), Box(120, 100, 60, 60)), (Box(0, 0, 50, 80),)
    asking = [
        Composite("a", "plain", (0, 3), true[0], picture.getvalue()),
        Composite("b", "cluttered", (6,), true[1], picture.getvalue()),
    ]
    near = [[Box(12, 10, 40, 40), Box(10, 10, 80, 80), Box(200, 200, 10, 10)], []]
    return asking, {"box": [list(boxes) for boxes in true], "components": near}


def test_each_product_is_searched_by_the_box_that_fits_it_best(world, told, monkeypatch):
    frame, features = world
    asking, ways = told
    cut = []
    monkeypatch.setattr(
        user_photos,
        "encode",
        lambda data, spec, pictures: cut.append([one.size for one in pictures]) or features.vectors[[0, 3, 6]],
    )
    known = FeatureSet(features.ids, features.vectors, "e:1")
    table = composites.measure("sample", frame, RUN, {"e": None}, asking, ways, lambda _: known)
    assert cut[0] == [(40, 40), (60, 60), (50, 80)]
    assert cut[1] == [(40, 40), (SIDE, SIDE), (SIDE, SIDE)]  # no box touches the second, the third has none at all
    near = table[table["way"] == "components"]
    assert near["overlap"].tolist() == pytest.approx([38 / 42, 0, 0])
    assert near["boxes"].tolist() == [3, 3, 0]
    measured = composites.summarise(table, RUN)
    values = {(row.way, row.ground, row.measure): row.value for row in measured.table.itertuples()}
    assert values["components", ALL_GROUNDS, "recall"] == pytest.approx(1 / 3)
    assert values["components", ALL_GROUNDS, "boxes"] == pytest.approx(1.5)  # of two photos, not of three products
    assert values["box", "plain", "recall"] == 1
    assert measured.values["composites/e/box/plain/hit@1"] == values["box", "plain", "hit@1"]
    names = {"user_photos": ["s003"], "user_photos.encoders": ["e"]}
    assert {keys.fault(f"user_photos/s003/{key}", KEYS["user_photos"], names) for key in measured.values} == {""}
    known_rows = measured.table.dropna(subset=["value"])
    assert (known_rows["low"] <= known_rows["value"] + 1e-9).all() and (
        known_rows["value"] <= known_rows["high"] + 1e-9
    ).all()


def test_a_whole_and_a_half_overlap_are_found_and_less_is_not(world):

    rows = [
        {
            "encoder": "e",
            "way": "box",
            "photo": str(at),
            "ground": "plain",
            "overlap": value,
            "boxes": 1,
            "hit@1": 1.0,
            "hit@10": 1.0,
            "AP": 0.5,
        }
        for at, value in enumerate((1.0, 0.5, 0.49, 0.0))
    ]
    assert composites.summarise(pd.DataFrame(rows), RUN).values["composites/box/plain/recall"] == 0.5
