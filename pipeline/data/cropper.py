"""Where products are in a photo that came without boxes: by OpenCV's GrabCut, or by selective search."""

import cv2
import numpy as np
from PIL import Image

from pipeline.data.boxes import Box

ROUNDS = 4
MARGIN = 0.04  # of the photo's sides: what is taken for ground to begin with
SMALLEST = 0.01  # of the photo: a smaller find is no product
SIDE = 160  # a larger photo is looked at in this size


def find(photo: Image.Image) -> Box | None:
    """The box around what differs from the photo's border; None where nothing does, or everything.

    Of several pieces the largest is taken, with all that are at least a quarter of it.
    """
    small = _small(photo)
    areas, corners = _cut(small)
    if not len(areas) or areas.max() < SMALLEST * small.width * small.height:
        return None
    kept = corners[areas * 4 >= areas.max()]
    return _scaled(np.concatenate([kept[:, :2].min(axis=0), kept[:, 2:].max(axis=0)]), small, photo)


def pieces(photo: Image.Image) -> list[Box]:
    """A box around each piece by itself that differs from the photo's border, the largest piece first."""
    small = _small(photo)
    areas, corners = _cut(small)
    large = [
        place for place in np.argsort(-areas, kind="stable") if areas[place] >= SMALLEST * small.width * small.height
    ]
    return [_scaled(corners[place], small, photo) for place in large]


def selective_search(photo: Image.Image) -> list[Box]:
    """Boxes around what hangs together by colour, texture, size and fill, in a photo of any ground; largest first.

    Regions are merged two at a time until one is left, and each that there was is a proposal: R-CNN's first step, in
    its fast mode (two colour spaces, four ways to compare). Source: Uijlings, van de Sande, Gevers and Smeulders
    (2013), "Selective Search for Object Recognition", sections 3.1 to 3.3; OpenCV's.
    """
    small = _small(photo)
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(_pixels(small))
    search.switchToSelectiveSearchFast()
    found = np.asarray(search.process(), np.int64).reshape(-1, 4)  # in an order that holds chance: it is sorted
    areas = found[:, 2] * found[:, 3]
    found = found[areas >= SMALLEST * small.width * small.height]
    found = np.unique(np.hstack([found[:, :2], found[:, :2] + found[:, 2:]]), axis=0)
    areas = np.prod(found[:, 2:] - found[:, :2], axis=1)
    return [_scaled(corners, small, photo) for corners in found[np.argsort(-areas, kind="stable")]]


def _cut(small: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """What GrabCut tells apart from the border: each piece's area (N,) and corners (N, 4), left, top, right, bottom.

    Source: Rother, Kolmogorov and Blake (2004), "GrabCut"; begun with all but a narrow border as a guess of the
    product.
    """
    width, height = small.size
    left, top = max(1, round(MARGIN * width)), max(1, round(MARGIN * height))
    mask, ground, product = np.zeros((height, width), np.uint8), np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    try:
        inside = (left, top, width - 2 * left, height - 2 * top)
        cv2.grabCut(_pixels(small), mask, inside, ground, product, ROUNDS, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # a photo of one colour has nothing to tell apart
        return np.empty(0, np.int64), np.empty((0, 4), np.int64)
    found = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    _, _, told, _ = cv2.connectedComponentsWithStats(found)
    corner, sides, area = np.split(told[1:].astype(np.int64), [2, 4], axis=1)  # the first is the ground
    return area[:, 0], np.hstack([corner, corner + sides])


def _small(photo: Image.Image) -> Image.Image:
    """The photo in the size that it is looked at."""
    factor = min(1.0, SIDE / max(photo.size))
    return photo.resize([max(8, round(side * factor)) for side in photo.size], Image.Resampling.BILINEAR)


def _pixels(small: Image.Image) -> np.ndarray:
    """As OpenCV has them: blue first."""
    return np.ascontiguousarray(np.asarray(small)[:, :, ::-1])


def _scaled(corners: np.ndarray, small: Image.Image, photo: Image.Image) -> Box:
    """A box of the small photo in the pixels of the whole one, within it."""
    factor = min(1.0, SIDE / max(photo.size))
    left, top, right, bottom = (round(int(value) / factor) for value in corners)
    right, bottom = min(right, photo.width), min(bottom, photo.height)
    return Box(left, top, right - left, bottom - top)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes.

    >>> overlap(Box(0, 0, 3, 1), Box(1, 0, 3, 1))  # two pixels of four
    0.5
    """
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    both = max(width, 0) * max(height, 0)
    return both / (one.width * one.height + other.width * other.height - both)
