"""Simulated photos: the product stands where its box says, and each kind does the one thing that it is called after."""

import io
from typing import get_args

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.params.kinds import PhotoKind
from pipeline.systems import simulation


@pytest.fixture
def picture():
    """A dark red product with a white inside on white."""
    image = Image.new("RGB", (60, 80), (250, 250, 250))
    pen = ImageDraw.Draw(image)
    pen.rectangle([15, 10, 44, 69], fill=(140, 10, 20))
    pen.rectangle([24, 30, 34, 40], fill=(255, 255, 255))
    return image


def made(picture, kind, seed=0):
    data, box = simulation.simulate(picture, kind, np.random.default_rng(seed))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int), box, data


def test_every_kind_that_a_parameter_may_name_is_there():
    assert list(simulation.DISTURBANCES) == list(get_args(PhotoKind))


def test_the_ground_is_what_hangs_together_with_the_border(picture):
    mask = simulation.cut_out(picture) > 0
    expected = np.zeros((80, 60), bool)
    expected[10:70, 15:45] = True
    assert (mask == expected).all()  # the white inside is the product's


@pytest.mark.parametrize("colour", [(255, 255, 255), (10, 10, 10)])
def test_a_picture_of_one_colour_is_taken_whole(colour):
    mask = simulation.cut_out(Image.new("RGB", (60, 80), colour))
    assert mask.shape == (80, 60)
    assert mask.dtype == np.uint8
    assert (mask == 255).all()


@pytest.mark.parametrize("kind", simulation.DISTURBANCES)
@pytest.mark.parametrize("seed", range(5))
def test_the_box_lies_in_the_photo_and_holds_the_product(picture, kind, seed):
    pixels, box, _ = made(picture, kind, seed)
    assert pixels.shape == (simulation.SIDE, simulation.SIDE, 3)
    assert box.x >= 0
    assert box.y >= 0
    assert box.x + box.width <= simulation.SIDE
    assert box.y + box.height <= simulation.SIDE
    if kind in ("placed", "rotated", "small"):  # on white: everything dark is the product
        rows, columns = np.nonzero(pixels[..., 1] < 128)
        assert abs(rows.min() - box.y) <= 2
        assert abs(columns.min() - box.x) <= 2
        assert abs(rows.max() + 1 - box.y - box.height) <= 2
        assert abs(columns.max() + 1 - box.x - box.width) <= 2


def test_each_kind_does_what_it_is_called_after(picture):
    whole = {kind: [made(picture, kind, seed) for seed in range(8)] for kind in simulation.DISTURBANCES}

    def ground(pixels, box):
        outside = np.ones(pixels.shape[:2], bool)
        outside[max(box.y - 4, 0) : box.y + box.height + 4, max(box.x - 4, 0) : box.x + box.width + 4] = False
        return pixels[outside]

    spread = {kind: np.mean([ground(pixels, box).std() for pixels, box, _ in seen]) for kind, seen in whole.items()}
    assert spread["cluttered"] > 30 > 5 > spread["placed"]
    assert spread["lit"] > 20
    height = {kind: np.mean([box.height for _, box, _ in seen]) for kind, seen in whole.items()}
    assert height["small"] < 0.75 * height["placed"]
    shape = {kind: np.mean([box.width / box.height for _, box, _ in seen]) for kind, seen in whole.items()}
    assert shape["rotated"] > shape["placed"] + 0.15
    size = {kind: np.mean([len(data) for _, _, data in seen]) for kind, seen in whole.items()}
    assert size["compressed"] < 0.7 * size["placed"]
    assert spread["everything"] > 30


def test_a_seed_gives_the_same_photo_and_another_seed_another(picture):
    first, again, other = (
        simulation.simulate(picture, "everything", np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_any_size_of_picture_fits(rng):
    for size in ((1, 1), (300, 20), (20, 300), (1000, 1200)):
        picture = Image.fromarray(rng.integers(0, 200, (size[1], size[0], 3), dtype=np.uint8))
        for kind in simulation.DISTURBANCES:
            pixels, box, _ = made(picture, kind)
            assert pixels.shape == (simulation.SIDE, simulation.SIDE, 3)
            assert min(box.width, box.height) > 0
