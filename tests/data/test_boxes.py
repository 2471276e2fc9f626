"""Boxes: what can be used is used to the pixel, what cannot is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.data import boxes
from pipeline.data.boxes import Box, BoxError

SIZE = (160, 120)


@pytest.mark.parametrize(
    ("numbers", "box", "change"),
    [
        ((10, 20, 30, 40), Box(10, 20, 30, 40), ""),
        ((0, 0, 160, 120), Box(0, 0, 160, 120), ""),
        ((-5, 100, 30, 40), Box(0, 100, 25, 20), "clipped to the picture"),
        ((40, 60, -30, -40), Box(10, 20, 30, 40), "corners swapped"),
        ((40, 20, -30, 40), Box(10, 20, 30, 40), "corners swapped"),
        ((10.4, 20.6, 30, 40), Box(10, 20, 31, 41), "fractions taken to whole pixels"),
        (
            (150.5, 20, -300, 400),
            Box(0, 20, 151, 100),
            "corners swapped, fractions taken to whole pixels, clipped to the picture",
        ),
    ],
)
def test_a_box_is_brought_to_the_pixels_it_touches(numbers, box, change):
    assert boxes.clip(numbers, SIZE) == (box, change)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((10, 20, 0, 40), r"\(10, 20, 0, 40\) has no extent"),
        ((10, 20, 5, 0), "has no extent"),
        ((160, 0, 10, 10), "lies outside its picture of 160×120"),
        ((-20, 0, 20, 10), "lies outside"),
        ((0, 500, 10, 10), "lies outside"),
        ((5, -1, 10, -10), "lies outside"),
    ],
)
def test_a_box_without_a_pixel_is_refused(numbers, words):
    with pytest.raises(BoxError, match=words):
        boxes.clip(numbers, SIZE)


NUMBER = st.floats(-400, 400, allow_nan=False)


@given(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), st.floats(0, 2))
def test_whatever_is_not_refused_lies_inside_and_can_be_cropped(numbers, margin):
    try:
        box, _ = boxes.clip(numbers, SIZE)
    except BoxError:
        return
    assert box.x >= 0
    assert box.y >= 0
    assert box.width > 0
    assert box.height > 0
    assert box.x + box.width <= SIZE[0]
    assert box.y + box.height <= SIZE[1]
    cut = boxes.crop(Image.new("RGB", SIZE), box, margin)
    assert box.width <= cut.width <= SIZE[0]
    assert box.height <= cut.height <= SIZE[1]


def test_a_crop_holds_the_boxs_pixels_and_its_margin():
    pixels = np.arange(160 * 120, dtype=np.uint16).reshape(120, 160)
    image = Image.fromarray((pixels % 251).astype(np.uint8))
    whole = np.asarray(image)
    assert (np.asarray(boxes.crop(image, Box(10, 20, 30, 40))) == whole[20:60, 10:40]).all()
    assert (np.asarray(boxes.crop(image, Box(10, 20, 30, 40), 0.1)) == whole[16:64, 6:44]).all()
    assert (np.asarray(boxes.crop(image, Box(2, 3, 30, 40), 0.5)) == whole[0:63, 0:52]).all()


def test_products_that_lie_apart_on_a_plain_ground_are_proposed_in_pixels_of_the_picture():
    picture, true = Image.new("RGB", (640, 480), (240, 240, 240)), [Box(60, 80, 160, 240), Box(380, 120, 180, 140)]
    for box, colour in zip(true, [(150, 30, 40), (30, 60, 140)], strict=True):
        picture.paste(colour, (box.x, box.y, box.x + box.width, box.y + box.height))
    found = boxes.propose(picture)
    assert len(found) == 2
    for box in true:
        assert min(max(abs(one - other) for one, other in zip(box, near[:4], strict=True)) for near in found) <= 6
    assert [near[4] for near in found] == sorted((near[4] for near in found), reverse=True)
    assert all(0 < near[4] <= 1 for near in found)


def test_nothing_is_proposed_for_a_picture_of_one_colour():
    assert boxes.propose(Image.new("RGB", (300, 200), "white")) == []
