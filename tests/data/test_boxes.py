"""Boxes: what can be used is used to the pixel, what cannot is told by the photo's id."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.data import boxes
from pipeline.data.boxes import Box, BoxError

HEADER = "user_img_id,img_path,bbox_x,bbox_y,bbox_w,bbox_h\n"
SIZE = (160, 120)


def test_a_good_table_is_read_as_it_stands():
    rows, faults = boxes.read_queries(HEADER + "7,user_photos/7.jpg,3,4,50,60\n8,user_photos/8.jpg,,,,\n")
    assert faults == []
    assert [(row["user_img_id"], row["img_path"], row["box"]) for row in rows] == [
        ("7", "user_photos/7.jpg", (3, 4, 50, 60)), ("8", "user_photos/8.jpg", None),
    ]  # fmt: skip


def test_more_columns_in_any_order_are_kept():
    rows, _ = boxes.read_queries("product_id,bbox_h,bbox_w,bbox_y,bbox_x,img_path,user_img_id\np1,4,3,2,1,a.jpg,7\n")
    assert rows[0]["box"] == (1, 2, 3, 4)
    assert rows[0]["product_id"] == "p1"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("9,a.jpg,1,2,x,4", r"9 \(line 3\): bbox_w is not a number. Received: 'x'"),
        ("9,a.jpg,1,2,,4", r"9 \(line 3\): bbox_w is not a number. Received: ''"),
        ("9,a.jpg,nan,2,3,4", r"9 \(line 3\): bbox_x is not a number of pixels"),
        ("9,a.jpg,1,2,3,1e300", r"9 \(line 3\): bbox_h is not a number of pixels"),
        ("9,a.jpg,1,2,3", r"line 3: 9: not as many fields"),
        ("9,a.jpg,1,2,3,4,5", r"line 3: 9: not as many fields"),
        (",a.jpg,1,2,3,4", r"line 3: no user_img_id"),
        ("7,b.jpg,1,2,3,4", r"7 \(line 3\): again; the first row is kept"),
    ],
)
def test_a_bad_row_is_told_by_its_id_and_costs_no_other(line, fault):
    rows, faults = boxes.read_queries(HEADER + "7,a.jpg,1,1,5,5\n" + line + "\n8,c.jpg,1,1,5,5\n")
    assert [row["user_img_id"] for row in rows] == ["7", "8"]
    assert len(faults) == 1
    assert re.search(fault, faults[0])


@pytest.mark.parametrize("text", ["", "user_img_id,img_path\n1,a.jpg\n"])
def test_a_table_without_its_columns_is_refused(text):
    with pytest.raises(BoxError, match="lacks the columns .*bbox_x.* Expected"):
        boxes.read_queries(text)


@pytest.mark.parametrize(
    ("numbers", "box", "change"),
    [
        ((10, 20, 30, 40), Box(10, 20, 30, 40), ""),
        ((0, 0, 160, 120), Box(0, 0, 160, 120), ""),
        ((-5, 100, 30, 40), Box(0, 100, 25, 20), "clipped to the picture"),
        ((40, 60, -30, -40), Box(10, 20, 30, 40), "corners swapped"),
        ((40, 20, -30, 40), Box(10, 20, 30, 40), "corners swapped"),
        ((10.4, 20.6, 30, 40), Box(10, 20, 31, 41), "fractions taken to whole pixels"),
        ((150.5, 20, -300, 400), Box(0, 20, 151, 100), "corners swapped, fractions taken to whole pixels, clipped to the picture"),
    ],
)  # fmt: skip
def test_a_box_is_brought_to_the_pixels_it_touches(numbers, box, change):
    assert boxes.clip(numbers, SIZE) == (box, change)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [((10, 20, 0, 40), r"\(10, 20, 0, 40\) has no extent"), ((10, 20, 5, 0), "has no extent"),
     ((160, 0, 10, 10), "lies outside its picture of 160×120"), ((-20, 0, 20, 10), "lies outside"),
     ((0, 500, 10, 10), "lies outside"), ((5, -1, 10, -10), "lies outside")],
)  # fmt: skip
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
