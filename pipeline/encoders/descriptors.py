"""What a picture's pixels say without learning: colours, edges, texture, JPEG's numbers, a hash, without weights.

They stand in the table of backbones, so that a descriptor is extracted, searched, joined and served as any encoder is.
Each gives one cell, (B, height, width, 3) from 0 to 255 → (B, 1, 1, D), which pooling leaves as it is.
"""

import math

import keras
import numpy as np
from keras import layers, ops

PAPER = 238  # a pixel that is as light as this in all channels is the ground that products are photographed on
# Means of whole numbers often lie on a bin's edge, and each engine rounds to its own side of it: such a value counts
# for the upper bin. Of means of 3 × 3 pixels the next lies 1.4e-4 of a bin below an edge (hue), or 1/9 below PAPER.
EDGE, LIGHTEST = 5e-5, PAPER - 0.005
RGB, HSV = (6, 6, 6), (8, 6, 3)  # bins of each channel
CELLS, DIRECTIONS = (8, 6), 8  # as many as have both axes among them: no edge is as near to one as to another
COARSE, BOX = 4, (4, 3)  # bins of a channel, and cells of the product's box
SMALL = (16, 12)
LIGHTER = 0.01
ENOUGH = 60  # pixels of the shorter side: a picture twice as large is reduced
HASHED = 8  # of the lowest frequencies, in both directions
JPEG_CELLS, SIDE = (8, 6), 8  # JPEG's blocks of 8 × 8 pixels, and how many of them a picture has
LUMA, CHROMA = 6, 1  # of a block's 64 coefficients, in JPEG's order: of its lightness, and of either colour
# JPEG's lightness and two colours of a pixel (JFIF 1.02); its order of frequencies, down and right, begins so
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
ZIGZAG = [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2)]


def Colours(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """Which colours a product has, wherever they are: the roots of an RGB and an HSV histogram, 216 + 144 numbers.

    The white ground is not counted. Of roots the cosine is Bhattacharyya's coefficient, so that many pixels of one
    colour do not drown the rest. Source: Swain and Ballard (1991), "Color Indexing", section 3; Arandjelović and
    Zisserman (2012), "Three things everyone should know to improve object retrieval", section 3 (the root).
    """
    inputs, seen = _pictures(input_shape, include_top, weights)
    pixels = ops.reshape(seen, (-1, math.prod(seen.shape[1:3]), 3))
    shown = ops.reshape(_shown(seen), (-1, pixels.shape[1], 1))
    parts = [_histogram(pixels / 256.0, RGB, shown), _histogram(_hsv(pixels), HSV, shown)]
    return keras.Model(inputs, _cell(ops.sqrt(ops.concatenate(parts, axis=1) / 2.0)), name="colours")


def Gradients(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """Which way edges run in each of 8 × 6 cells: a histogram of 8 directions, weighed by strength, 384 numbers.

    Source: Dalal and Triggs (2005), "Histograms of Oriented Gradients for Human Detection", section 6. Differs: each
    cell is scaled by itself, not in overlapping blocks, and a pixel counts for the one direction that is nearest.
    """
    inputs, seen = _pictures(input_shape, include_top, weights)
    height, width = seen.shape[1:3]
    grey = ops.mean(seen / 255.0, axis=3)
    down = ops.pad(grey[:, 2:] - grey[:, :-2], ((0, 0), (1, 1), (0, 0)))
    right = ops.pad(grey[:, :, 2:] - grey[:, :, :-2], ((0, 0), (0, 0), (1, 1)))
    angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    sides = np.cos(angles).astype("float32"), np.sin(angles).astype("float32")
    along = ops.abs(right[..., None] * sides[0] + down[..., None] * sides[1])
    strength = ops.sqrt(ops.square(right) + ops.square(down))[..., None]
    nearest = ops.equal(along, ops.max(along, axis=3, keepdims=True))  # LiteRT lacks what Keras's argmax needs
    counted = strength * ops.cast(nearest, "float32")
    pool = (height // CELLS[0], width // CELLS[1])
    cells = ops.average_pool(counted, pool)[:, : CELLS[0], : CELLS[1]] * float(pool[0] * pool[1])
    cells = cells / ops.sqrt(ops.sum(ops.square(cells), axis=3, keepdims=True) + 1.0)
    return keras.Model(inputs, _cell(ops.reshape(cells, (-1, math.prod(CELLS) * DIRECTIONS))), name="gradients")


def Hash(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """A perceptual hash, 64 numbers of 1 or −1: which low frequencies of the grey picture are above their median.

    The cosine of two is 1 less twice the share of bits that differ. At 32 × 32 pixels it is pHash. Source: Zauner
    (2010), "Implementation and Benchmarking of Perceptual Image Hash Functions", section 3.2.1.
    """
    inputs, seen = _pictures(input_shape, include_top, weights)
    grey = ops.sum(seen * np.array([0.299, 0.587, 0.114], "float32"), axis=3)
    down, right = (_cosines(side).astype("float32") for side in seen.shape[1:3])
    low = ops.matmul(ops.matmul(down[None], grey), np.transpose(right)[None])
    flat = ops.reshape(low, (-1, HASHED**2))
    upper = ops.top_k(flat, HASHED**2 // 2 + 1)[0]
    median = ops.mean(upper[:, -2:], axis=1, keepdims=True)
    return keras.Model(inputs, _cell(ops.where(flat > median, 1.0, -1.0)), name="hash")


def Jpeg(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """What JPEG keeps of each of 8 × 6 blocks: the first cosine coefficients, 6 of lightness and 1 of either colour.

    384 numbers. The picture is brought to 64 × 48 pixels by means of areas, so that blocks are where they are in any
    other picture. Source: ITU-T T.81, annex A.3.3; Ullah et al. (2020), "Image-Based Service Recommendation System: A
    JPEG-Coefficient RFs Approach", for coefficients as features. Differs: nothing is rounded.
    """
    inputs, seen = _pictures(input_shape, include_top, weights)
    sides = zip(seen.shape[1:3], JPEG_CELLS, strict=True)
    down, right = (_means(side, SIDE * count) for side, count in sides)
    channels = ops.transpose(seen / 255.0 - 0.5, (0, 3, 1, 2))
    small = ops.matmul(ops.matmul(down[None, None], channels), np.transpose(right)[None, None])
    blocks = ops.conv(ops.transpose(small, (0, 2, 3, 1)), _jpeg_kernel(), strides=SIDE, padding="valid")
    numbers = math.prod(JPEG_CELLS) * (LUMA + 2 * CHROMA)
    return keras.Model(inputs, _cell(ops.reshape(blocks, (-1, numbers))), name="jpeg")


def Layout(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """Which colours stand where: roots of a coarse RGB histogram in each of 4 × 3 cells of the product's own box.

    The box is that of all that is not the white ground, which is not counted: 12 · 64 numbers. Source: Lazebnik et al.
    (2006), "Beyond Bags of Features: Spatial Pyramid Matching", section 3, one level of it.
    """
    inputs, seen = _pictures(input_shape, include_top, weights)
    shown = _shown(seen)
    coarse = [_one_hot(seen[..., channel] / 256.0, COARSE) for channel in range(3)]
    pairs = ops.expand_dims(coarse[0], -1) * ops.expand_dims(coarse[1], -2)
    colours = ops.expand_dims(ops.reshape(pairs, (*_sides(seen), COARSE**2)), -1) * ops.expand_dims(coarse[2], -2)
    colours = ops.reshape(colours, (*_sides(seen), COARSE**3)) * shown
    rows, columns = (_cells(shown, axis, count) for axis, count in zip((1, 2), BOX, strict=True))
    height, width = seen.shape[1:3]
    by_row = ops.matmul(ops.transpose(rows, (0, 2, 1)), ops.reshape(colours, (-1, height, width * COARSE**3)))
    by_row = ops.reshape(by_row, (-1, BOX[0], width, COARSE**3))
    counts = ops.matmul(ops.expand_dims(ops.transpose(columns, (0, 2, 1)), 1), by_row)  # (B, 4, 3, 64)
    flat = ops.reshape(counts, (-1, math.prod(BOX) * COARSE**3))
    return keras.Model(inputs, _cell(ops.sqrt(flat / ops.sum(shown, axis=(1, 2)))), name="layout")


def Thumbnail(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """The picture itself, 16 × 12 means of each channel from 0 to 1: 576 numbers."""
    inputs, seen = _pictures(input_shape, include_top, weights)
    down, right = (_means(side, count) for side, count in zip(seen.shape[1:3], SMALL, strict=True))
    channels = ops.transpose(seen / 255.0, (0, 3, 1, 2))
    small = ops.matmul(ops.matmul(down[None, None], channels), np.transpose(right)[None, None])
    return keras.Model(inputs, _cell(ops.reshape(small, (-1, 3 * math.prod(SMALL)))), name="thumbnail")


def Texture(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """How fine the product's surface is: the roots of its histogram of local binary patterns, 256 numbers.

    A pattern says which of a pixel's eight neighbours are lighter than it. Source: Ojala et al. (2002),
    "Multiresolution Gray-Scale and Rotation Invariant Texture Classification", equation 8. Differs: by more than
    `LIGHTER`, so that an even surface is one pattern and not noise.
    """
    inputs, seen = _pictures(input_shape, include_top, weights)
    grey = ops.mean(seen / 255.0, axis=3)
    height, width = seen.shape[1:3]
    places = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    pattern = 0.0
    for bit, (down, right) in enumerate(places):
        neighbour = grey[:, down : down + height - 2, right : right + width - 2]
        pattern = pattern + ops.cast(neighbour > grey[:, 1:-1, 1:-1] + LIGHTER, "float32") * 2.0**bit
    inside = _shown(seen)[:, 1:-1, 1:-1]
    patterns = ops.one_hot(ops.cast(pattern, "int32"), 256) * inside
    counts = ops.sum(patterns, axis=(1, 2)) / ops.maximum(ops.sum(inside, axis=(1, 2)), 1.0)
    return keras.Model(inputs, _cell(ops.sqrt(counts)), name="texture")


def _pictures(input_shape: tuple[int, int, int], include_top: bool, weights: None):
    """The input, and the picture that a descriptor looks at: a large one is reduced by whole numbers of pixels."""
    if include_top or weights is not None:
        raise ValueError(f"a descriptor has neither a classifier nor weights. Received: {include_top}, {weights!r}")
    inputs = keras.Input(input_shape)
    step = max(min(input_shape[:2]) // ENOUGH, 1)
    return inputs, ops.average_pool(inputs, step) if step > 1 else inputs


def _shown(pictures):
    """1 where a pixel is not the white ground, else 0; all of a picture that is nothing else: (B, h, w, 1)."""
    shown = ops.cast(ops.min(pictures, axis=3, keepdims=True) < LIGHTEST, "float32")
    return ops.maximum(shown, ops.cast(ops.equal(ops.max(shown, axis=(1, 2), keepdims=True), 0), "float32"))


def _cells(shown, axis: int, count: int):
    """Which of `count` equal parts of the product's extent along an axis each place is in: (B, side, count)."""
    along = ops.max(shown[..., 0], axis=3 - axis)
    side = shown.shape[axis]
    places = np.arange(side, dtype="float32")
    first = ops.min(ops.where(along > 0, places, float(side)), axis=1, keepdims=True)
    last = ops.max(ops.where(along > 0, places, -1.0), axis=1, keepdims=True)
    part = ops.floor(ops.subtract(places, first) * count / (last - first + 1.0) + EDGE)
    return ops.one_hot(ops.cast(ops.clip(part, 0, count - 1), "int32"), count)


def _means(side: int, count: int) -> np.ndarray:
    """The means over `count` equal parts of a side as a matrix, (count, side); a pixel between two counts for both."""
    edges = np.linspace(0, side, count + 1)
    inside = np.minimum(edges[1:, None], np.arange(side) + 1) - np.maximum(edges[:-1, None], np.arange(side))
    return (np.maximum(inside, 0) * count / side).astype("float32")


def _sides(pictures) -> tuple[int, int, int]:
    return (-1, *pictures.shape[1:3])


def _cell(vectors):
    """(B, D) → (B, 1, 1, D)."""
    return layers.Reshape((1, 1, vectors.shape[1]))(vectors)


def _histogram(channels, bins: tuple[int, int, int], counted):
    """Shares of pixels by bin: (B, P, 3) from 0 to 1 → (B, bins), over the pixels that count (B, P, 1)."""
    first, second, third = (_one_hot(channels[..., place], count) for place, count in enumerate(bins))
    pairs = ops.reshape(first[..., :, None] * second[..., None, :], (-1, channels.shape[1], bins[0] * bins[1]))
    counts = ops.matmul(ops.transpose(pairs * counted, (0, 2, 1)), third)
    return ops.reshape(counts, (-1, math.prod(bins))) / ops.sum(counted, axis=1)


def _one_hot(values, count: int):
    place = ops.minimum(ops.floor(values * count + EDGE), count - 1.0)
    return ops.one_hot(ops.cast(place, "int32"), count)


def _hsv(pixels):
    """Hue, saturation and value from 0 to 1: (B, P, 3) from 0 to 255 → (B, P, 3)."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    value, spread = ops.max(pixels, axis=2), ops.max(pixels, axis=2) - ops.min(pixels, axis=2)
    by = ops.maximum(spread, 1e-6)
    of_red = (green - blue) / by
    of_red = ops.where(of_red < 0, of_red + 6.0, of_red)
    hue = ops.where(
        ops.equal(value, red), of_red, ops.where(ops.equal(value, green), (blue - red) / by + 2, (red - green) / by + 4)
    )
    saturation = spread / ops.maximum(value, 1e-6)
    return ops.stack([ops.where(spread > 0, hue, 0.0) / 6.0, saturation, value / 256.0], axis=2)


def _cosines(side: int) -> np.ndarray:
    """The rows of the lowest `HASHED` cosines of a discrete cosine transform (type II), (HASHED, side)."""
    return np.cos(np.pi * np.arange(HASHED)[:, None] * (2 * np.arange(side)[None] + 1) / (2 * side))


def _jpeg_kernel() -> np.ndarray:
    """Colours and cosines in one convolution over blocks: (8, 8, 3, LUMA + 2 · CHROMA)."""
    rows = _cosines(SIDE) * np.where(np.arange(SIDE) == 0, 1 / 2, np.sqrt(1 / 2))[:, None] / np.sqrt(2)
    kept = [(colour, place) for colour, count in enumerate((LUMA, CHROMA, CHROMA)) for place in ZIGZAG[:count]]
    waves = [np.outer(rows[down], rows[right])[..., None] * YCBCR[colour] for colour, (down, right) in kept]
    return np.stack(waves, axis=-1).astype("float32")
