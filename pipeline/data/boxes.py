"""Boxes around the product in an image: brought to the image's pixels, and cropped."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

SIDE = 256  # proposals look at a photo in this size
SMALLEST, LARGEST = 0.01, 0.95  # of the photo: a product's box
MOST = 12  # proposals
TABLE = "queries.json"  # the boxes of user photos, beside the photos in their zip


class BoxError(ValueError):
    """A box that holds no pixel of its image, or a table of boxes that cannot be read."""


class Box(NamedTuple):
    """A rectangle of whole pixels: the upper left corner, width and height."""

    x: int
    y: int
    width: int
    height: int


def clip(numbers: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[Box, str]:
    """The whole pixels of an image that a box touches, and what had to be changed for it ('' for nothing).

    Args:
        numbers: x, y, width, height; fractions are taken to the pixels they touch, a negative width or height means
            that another corner was given.
        size: the image's width and height.

    Raises:
        BoxError: the box has no extent, or lies outside the image.

    >>> clip((-5, 10.5, 20, 20), (60, 80))
    (Box(x=0, y=10, width=15, height=21), 'fractions taken to whole pixels, clipped to the picture')
    """
    x, y, width, height = numbers
    changes = []
    if width < 0 or height < 0:
        changes.append("corners swapped")
        x, width = min(x, x + width), abs(width)
        y, height = min(y, y + height), abs(height)
    if width == 0 or height == 0:
        raise BoxError(f"the box {_said(numbers)} has no extent")
    if any(value != int(value) for value in numbers):
        changes.append("fractions taken to whole pixels")
    left, top, right, bottom = math.floor(x), math.floor(y), math.ceil(x + width), math.ceil(y + height)
    inside = max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1])
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise BoxError(f"the box {_said(numbers)} lies outside its picture of {size[0]}×{size[1]} pixels")
    if inside != (left, top, right, bottom):
        changes.append("clipped to the picture")
    return Box(inside[0], inside[1], inside[2] - inside[0], inside[3] - inside[1]), ", ".join(changes)


def crop(image: Image.Image, box: Box, margin: float = 0.0) -> Image.Image:
    """The image's part in a box, widened on each side by `margin` times the box's longer side, within the image."""
    around = round(margin * max(box.width, box.height))
    return image.crop(
        (
            max(box.x - around, 0),
            max(box.y - around, 0),
            min(box.x + box.width + around, image.width),
            min(box.y + box.height + around, image.height),
        )
    )


def propose(picture: Image.Image) -> list[tuple[int, int, int, int, float]]:
    """Boxes that may each hold a product: x, y, width, height in the picture's pixels and a score up to 1, best first.

    Each is a connected piece of what differs in colour from the picture's border, scored by how much of its box it
    fills times how much it differs: products that lie apart on a plain ground are found, others are not.
    """
    factor = min(1.0, SIDE / max(picture.size))
    small = picture.resize([max(8, round(side * factor)) for side in picture.size], Image.Resampling.BILINEAR)
    lab = cv2.cvtColor(np.asarray(small), cv2.COLOR_RGB2LAB).astype(np.float32)
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    differs = np.linalg.norm(lab - np.median(border, axis=0), axis=2)
    if differs.max() < 8:  # a just noticeable difference or two: one colour
        return []
    level, found = cv2.threshold(differs.clip(0, 255).astype(np.uint8), 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, numbers, pieces, _ = cv2.connectedComponentsWithStats(found)
    proposed = []
    for number, (x, y, width, height, area) in enumerate(pieces[1:].tolist(), start=1):
        if SMALLEST <= width * height / found.size <= LARGEST:
            contrast = min(1.0, float(differs[numbers == number].mean()) / 100)
            across, down = picture.width / small.width, picture.height / small.height
            whole, _ = clip((x * across, y * down, width * across, height * down), picture.size)
            proposed.append((*whole, round(area / (width * height) * contrast, 4)))
    return sorted(proposed, key=lambda box: -box[4])[:MOST]


def _said(numbers: tuple) -> str:
    return "(" + ", ".join(f"{value:g}" for value in numbers) + ")"
