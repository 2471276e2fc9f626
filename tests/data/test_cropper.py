"""The cropper: finds what differs from the border, gives up where there is nothing, and always stays inside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.data import cropper
from pipeline.data.boxes import Box


@pytest.mark.parametrize(
    ("size", "product"),
    [((160, 160), (50, 40, 60, 70)), ((640, 480), (200, 100, 180, 260)), ((60, 80), (20, 20, 25, 40))],
)
def test_a_product_on_an_even_ground_is_found(size, product):
    photo = Image.new("RGB", size, (235, 235, 235))
    photo.paste((150, 30, 40), (product[0], product[1], product[0] + product[2], product[1] + product[3]))
    assert cropper.overlap(cropper.find(photo), Box(*product)) > 0.85


@pytest.mark.parametrize(("other", "right"), [((130, 20, 12, 12), 110), ((115, 40, 25, 70), 140)])
def test_a_second_piece_counts_where_it_is_at_least_a_quarter_of_the_first(other, right):
    """One shoe of a pair does, a speck beside a bag does not."""
    photo = Image.new("RGB", (160, 160), (235, 235, 235))
    for x, y, width, height in ((50, 40, 60, 70), other):
        photo.paste((150, 30, 40), (x, y, x + width, y + height))
    found = cropper.find(photo)
    assert found.x + found.width == pytest.approx(right, abs=3)
    assert found.y == pytest.approx(40, abs=3)


@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_photo_of_one_colour_has_no_product(colour):
    assert cropper.find(Image.new("RGB", (160, 120), colour)) is None


@settings(max_examples=15, deadline=None)
@given(st.integers(9, 200), st.integers(9, 200), st.integers(0, 2**32 - 1))
def test_what_is_found_lies_within_the_photo_and_is_found_again(width, height, seed):
    photo = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
    found = cropper.find(photo)
    assert found == cropper.find(photo)
    if found is not None:
        assert 0 <= found.x < found.x + found.width <= width
        assert 0 <= found.y < found.y + found.height <= height


def several(ground=(235, 235, 235), size=(320, 240)):
    """Two products that lie apart, and their boxes."""
    photo, true = Image.new("RGB", size, ground), [Box(30, 40, 80, 120), Box(190, 60, 90, 70)]
    for box, colour in zip(true, [(150, 30, 40), (30, 60, 140)], strict=True):
        photo.paste(colour, (box.x, box.y, box.x + box.width, box.y + box.height))
    return photo, true


@pytest.mark.parametrize("ways", [cropper.pieces, cropper.selective_search])
def test_each_of_several_products_has_a_box_of_its_own(ways):
    photo, true = several()
    found = ways(photo)
    assert all(max(cropper.overlap(box, one) for one in found) > 0.8 for box in true)
    assert all(box.x >= 0 and box.y >= 0 for box in found)
    assert all(box.x + box.width <= 320 and box.y + box.height <= 240 for box in found)
    areas = [box.width * box.height for box in found]
    if ways is cropper.selective_search:
        assert areas == sorted(areas, reverse=True)
        assert min(areas) >= 0.9 * cropper.SMALLEST * 320 * 240
    assert found == ways(photo)


def test_pieces_are_as_many_as_there_are_and_specks_are_none():
    photo, true = several()
    photo.paste((20, 20, 20), (160, 200, 164, 204))
    assert len(cropper.pieces(photo)) == len(true)
    assert cropper.pieces(Image.new("RGB", (160, 120), "white")) == []


def test_overlap_is_intersection_over_union():
    assert cropper.overlap(Box(0, 0, 4, 4), Box(0, 0, 4, 4)) == 1
    assert cropper.overlap(Box(0, 0, 4, 4), Box(2, 0, 4, 4)) == pytest.approx(8 / 24)
    assert cropper.overlap(Box(0, 0, 4, 4), Box(9, 9, 4, 4)) == 0
