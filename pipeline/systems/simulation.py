"""Simulated user photos: a catalogue's product cut out, placed elsewhere and disturbed, with the box around it.

Document 003 searches photos that users took among sellers' images; its development set cannot be had. These photos are
drawn by rule from catalogue images. They tell which disturbance costs an encoder how much; they are not what users
take.
"""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from pipeline.data.boxes import Box
from pipeline.params.kinds import PhotoKind

SIDE = 160  # pixels of a photo's sides; a catalogue image has 60×80
WHITE = 232  # a pixel whose darkest channel is brighter belongs to the ground, where it hangs together with the border
# what is done to a photo of each kind; each but the last does one thing
DISTURBANCES: dict[PhotoKind, dict[str, Any]] = {
    "placed": {},
    "cluttered": {"clutter": True},
    "rotated": {"angle": 35.0},
    "small": {"scale": 0.5},
    "lit": {"light": 0.45},
    "compressed": {"quality": 10},
    "everything": {"clutter": True, "angle": 35.0, "scale": 0.5, "light": 0.45, "quality": 10},
}


def simulate(picture: Image.Image, kind: PhotoKind, rng: np.random.Generator) -> tuple[bytes, Box]:
    """A photo of the product on a catalogue image, as JPEG, and the box around it.

    Args:
        picture: RGB, a product on a light ground.
        kind: a name in `DISTURBANCES`; `placed` is the product alone, elsewhere on white: others are compared with it.
    """
    how = DISTURBANCES[kind]
    product = on_nothing(picture)
    factor = SIDE * 0.6 / max(picture.size) * rng.uniform(how.get("scale", 0.85), how.get("scale", 0.85) + 0.15)
    size = [max(1, round(side * factor)) for side in picture.size]
    product = product.resize(size, Image.Resampling.BICUBIC)
    if "angle" in how:
        turned = how["angle"] * rng.uniform(0.4, 1) * rng.choice([-1, 1])
        product = product.rotate(turned, Image.Resampling.BICUBIC, expand=True)
    ground = clutter(rng, SIDE) if how.get("clutter") else Image.new("RGB", (SIDE, SIDE), "white")
    left, top = (int(rng.integers(0, SIDE - side + 1)) for side in product.size)
    box = paste(ground, product, left, top)
    if "light" in how:
        ground = _lit(ground, how["light"], rng)
    buffer = io.BytesIO()
    ground.save(buffer, "JPEG", quality=how.get("quality", 92))
    return buffer.getvalue(), box


def on_nothing(picture: Image.Image) -> Image.Image:
    """The product cut out of a catalogue image: RGBA, transparent where the ground was."""
    return Image.fromarray(np.dstack([np.asarray(picture), cut_out(picture)]))


def paste(ground: Image.Image, product: Image.Image, left: int, top: int) -> Box:
    """Puts a product that was cut out on a ground, and returns the box around what is seen of it."""
    shown = product.getchannel("A")
    ground.paste(product, (left, top), shown)
    x0, y0, x1, y1 = shown.point(lambda value: 255 * (value > 127)).getbbox() or (0, 0, *product.size)
    return Box(left + x0, top + y0, x1 - x0, y1 - y0)


def cut_out(picture: Image.Image) -> np.ndarray:
    """Which pixels show the product: 255 or 0, uint8 (height, width).

    The ground is what is light and hangs together with the border, so a white shirt keeps its inside. An image that is
    all ground, or has none, is taken whole.
    """
    light = np.asarray(picture).min(axis=2) > WHITE
    parts, count = ndimage.label(light)
    border = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    product = ~np.isin(parts, border[border > 0])
    return np.where(product if 0.02 < product.mean() < 0.98 else True, 255, 0).astype(np.uint8) * np.ones_like(
        light, np.uint8
    )


def clutter(rng: np.random.Generator, side: int) -> Image.Image:
    """A square ground of soft blotches and blocks of colour."""
    blotches = Image.fromarray(rng.integers(40, 216, (6, 6, 3), dtype=np.uint8))
    ground = blotches.resize((side, side), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(ground)
    for _ in range(10):
        x, y = (int(value) for value in rng.integers(-10, side - 10, 2))
        width, height = (int(value) for value in rng.integers(8, 60, 2))
        pen.rectangle([x, y, x + width, y + height], fill=tuple(int(value) for value in rng.integers(20, 236, 3)))
    return ground.filter(ImageFilter.GaussianBlur(1.0))


def _lit(photo: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Light that falls off to one side, and a cast of colour."""
    falloff = np.linspace(1 - strength, 1 + strength / 2, SIDE)[:: rng.choice([-1, 1])]
    shade = falloff[None, :, None] if rng.random() < 0.5 else falloff[:, None, None]
    cast = 1 + rng.uniform(-strength, strength, 3) / 3
    return Image.fromarray(np.clip(np.asarray(photo) * shade * cast, 0, 255).astype(np.uint8))
