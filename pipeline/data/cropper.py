"""Where the product is in a photo that came without a box, by OpenCV's GrabCut."""

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

    Source: Rother, Kolmogorov and Blake (2004), "GrabCut"; begun with all but a narrow border as a guess of the
    product. Of several pieces the largest is taken, with all that are at least a quarter of it.
    """
    factor = min(1.0, SIDE / max(photo.size))
    small = photo.resize([max(8, round(side * factor)) for side in photo.size], Image.Resampling.BILINEAR)
    pixels = np.ascontiguousarray(np.asarray(small)[:, :, ::-1])
    height, width = pixels.shape[:2]
    left, top = max(1, round(MARGIN * width)), max(1, round(MARGIN * height))
    mask, ground, product = np.zeros((height, width), np.uint8), np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    try:
        inside = (left, top, width - 2 * left, height - 2 * top)
        cv2.grabCut(pixels, mask, inside, ground, product, ROUNDS, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # a photo of one colour has nothing to tell apart
        return None
    found = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    _, _, pieces, _ = cv2.connectedComponentsWithStats(found)
    pieces = pieces[1:]  # the first is the ground
    if not len(pieces) or pieces[:, cv2.CC_STAT_AREA].max() < SMALLEST * height * width:
        return None
    kept = pieces[pieces[:, cv2.CC_STAT_AREA] * 4 >= pieces[:, cv2.CC_STAT_AREA].max()]
    x, y = kept[:, cv2.CC_STAT_LEFT], kept[:, cv2.CC_STAT_TOP]
    right, bottom = (x + kept[:, cv2.CC_STAT_WIDTH]).max(), (y + kept[:, cv2.CC_STAT_HEIGHT]).max()
    corners = [round(int(value) / factor) for value in (x.min(), y.min(), right, bottom)]
    corners[2:] = min(corners[2], photo.width), min(corners[3], photo.height)
    return Box(corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1])


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes.

    >>> overlap(Box(0, 0, 3, 1), Box(1, 0, 3, 1))  # two pixels of four
    0.5
    """
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    both = max(width, 0) * max(height, 0)
    return both / (one.width * one.height + other.width * other.height - both)
