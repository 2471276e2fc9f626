"""Every random change of an image, in one pass: the same numbers give the same image."""

import math

import numpy as np
from PIL import Image

from pipeline.params.finetuning import Augment


def changed(image: np.ndarray, augment: Augment, rng: np.random.Generator) -> np.ndarray:
    """An image turned, cropped or padded, mirrored, and lit differently; uint8 (height, width, 3) in and out.

    Eight numbers are drawn whatever is switched on, so that switching one change off leaves the others as they were.
    Where the image does not reach, its edge goes on: a fixed colour would show what no unchanged image has, such as
    black corners around a product on white.
    """
    flip, angle, scale, x, y, brightness, contrast, colour = rng.uniform(-1, 1, 8)
    height, width = image.shape[:2]
    matrix = _affine(
        height,
        width,
        math.radians(angle * augment.rotation),
        1 + scale * (augment.pad if scale > 0 else augment.crop),
        (x, y),
        mirrored=augment.flip and flip > 0,
    )
    moved = _moved(image, matrix)
    values = np.asarray(moved, np.float32)
    if augment.brightness or augment.contrast or augment.colour:
        values = values * np.float32(1 + brightness * augment.brightness)
        mean = values.mean()
        values = mean + (values - mean) * np.float32(1 + contrast * augment.contrast)
        grey = values.mean(axis=2, keepdims=True)
        values = grey + (values - grey) * np.float32(1 + colour * augment.colour)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _moved(image: np.ndarray, matrix: tuple[float, ...]) -> Image.Image:
    """The image seen through Pillow's six numbers, its edge repeated as far as they reach."""
    height, width = image.shape[:2]
    a, b, c, d, e, f = matrix
    across = [a * x + b * y + c for x in (0, width) for y in (0, height)]
    down = [d * x + e * y + f for x in (0, width) for y in (0, height)]
    over = math.ceil(max(0, -min(across), max(across) - width, -min(down), max(down) - height))
    wider = np.pad(image, ((over, over), (over, over), (0, 0)), mode="edge")
    shifted = (a, b, c + over, d, e, f + over)
    return Image.fromarray(wider).transform((width, height), Image.Transform.AFFINE, shifted, Image.Resampling.BILINEAR)


def _affine(height: int, width: int, angle: float, scale: float, place: tuple[float, float], mirrored: bool):
    """Pillow's six numbers: where each pixel of the result comes from.

    The visible window is `scale` times the image's size; it lies as far to a side as `place` says, within [−1, 1].
    """
    middle = width / 2, height / 2
    slack = abs(1 - scale) / 2
    across, down = (
        middle[0] + place[0] * slack * width,
        middle[1] + place[1] * slack * height,
    )
    turn = -1 if mirrored else 1
    a, b = turn * scale * math.cos(angle), scale * math.sin(angle)
    d, e = -turn * scale * math.sin(angle), scale * math.cos(angle)
    return a, b, across - a * middle[0] - b * middle[1], d, e, down - d * middle[0] - e * middle[1]
