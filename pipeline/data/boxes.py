"""Boxes around the product in an image: brought to the image's pixels, and cropped."""

import math
from typing import NamedTuple

from PIL import Image

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


def _said(numbers: tuple) -> str:
    return "(" + ", ".join(f"{value:g}" for value in numbers) + ")"
