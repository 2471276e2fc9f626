"""A small one-shot detector: in each cell of a frozen network's last feature map, whether a product's middle is there,
and the box around it.

Source: Redmon, Divvala, Girshick and Farhadi (2016), "You Only Look Once", section 2: a grid of cells, each with
one box. Differs: two convolutions on a network that stays as it is, no classes, absolute differences of place and size.
Letters: B photos, S cells along a side, D features.
"""

from collections.abc import Callable

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from PIL import Image

from pipeline import params
from pipeline.data.boxes import Box
from pipeline.encoders import weights
from pipeline.params.backbones import BACKBONES
from pipeline.systems import user_photos

UNITS = 128
RATE, BATCH = 0.002, 32
PLACE = 5.0  # what a wrong place weighs against a wrong cell: the document's λ_coord
SURE = 0.3  # a cell that is less sure proposes nothing
SAME = 0.4  # overlap: of two boxes that overlap more, the surer one is kept
Look = Callable[[list[Image.Image]], list[list[Box]]]


def learnt(
    data: str,
    spec: params.Encoder,
    photos: list[Image.Image],
    around: list[tuple[Box, ...]],
    epochs: int,
    seed: int,
) -> Look:
    """Trains the detector on square photos of one size whose boxes are known; returns it: photos → the boxes in each.

    Args:
        spec: of the encoder whose network it looks through.
    """
    side = photos[0].width
    tf.config.experimental.enable_op_determinism()
    weights.start_afresh(seed)
    seen = _maps(data, spec, photos)
    true = np.stack([targets(boxes, side, seen.shape[1]) for boxes in around])
    head = _head(seen.shape[1:])
    steps = epochs * -(-len(seen) // BATCH)
    head.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps)), loss)
    head.fit(seen, true, batch_size=BATCH, epochs=epochs, verbose=0)
    return lambda asking: [proposed(said, side) for said in head.predict(_maps(data, spec, asking), verbose=0)]


def _maps(data: str, spec: params.Encoder, photos: list[Image.Image]) -> np.ndarray:
    """The last feature map of an encoder's network for square photos, float32 (B, S, S, D)."""
    plain: dict = {"head": [], "also": [], "squeeze": None, "posteriors": {}, "mirrored": False}
    looking = spec.model_copy(update={"image_size": photos[0].width, "pooling": "flatten", **plain})
    flat, features = user_photos.encode(data, looking, photos), BACKBONES[spec.backbone].features
    cells = round((flat.shape[1] / features) ** 0.5)
    return flat.reshape(len(flat), cells, cells, features)


def targets(around: tuple[Box, ...], side: int, cells: int) -> np.ndarray:
    """What the cells should say, float32 (S, S, 5): 1 where a product's middle is, its place in the cell, its size.

    Of two products with their middles in one cell the later one is left out.
    """
    true = np.zeros((cells, cells, 5), np.float32)
    for box in around:
        across, down = ((box.x + box.width / 2) * cells / side, (box.y + box.height / 2) * cells / side)
        cell = true[int(down), int(across)]
        if not cell[0]:
            cell[:] = 1, across % 1, down % 1, box.width / side, box.height / side
    return true


def loss(true, said):
    """Cross-entropy of whether a product is there, and the distance of place and size where one is; (B,)."""
    there, place = true[..., 0], ops.sigmoid(said[..., 1:])
    wrong = ops.binary_crossentropy(there, said[..., 0], from_logits=True)
    apart = ops.sum(ops.abs(true[..., 1:] - place), axis=-1) * there
    return ops.sum(wrong + PLACE * apart, axis=(1, 2))


def proposed(said: np.ndarray, side: int) -> list[Box]:
    """The boxes that cells (S, S, 5) propose, the surest first, without those that a surer one overlaps."""
    cells = len(said)
    values = 1 / (1 + np.exp(-said.astype(float).reshape(-1, 5)))
    down, across = np.divmod(np.arange(cells * cells), cells)
    width, height = values[:, 3] * side, values[:, 4] * side
    left = (across + values[:, 1]) * side / cells - width / 2
    top = (down + values[:, 2]) * side / cells - height / 2
    edges = np.stack([left, top, left + width, top + height], axis=1).clip(0, side).round().astype(int)
    corners = np.hstack([edges[:, :2], np.maximum(edges[:, 2:] - edges[:, :2], 1)])
    kept = cv2.dnn.NMSBoxes(corners.tolist(), values[:, 0].tolist(), SURE, SAME)
    return [Box(*(int(value) for value in corners[place])) for place in kept]


def _head(shape: tuple[int, ...]) -> keras.Model:
    """Features (B, S, S, D) → what each cell says, (B, S, S, 5), before the sigmoid."""
    seen = keras.Input(shape)
    x = layers.Conv2D(UNITS, 1, activation="relu")(seen)
    x = layers.Conv2D(UNITS, 3, padding="same", activation="relu")(x)
    return keras.Model(seen, layers.Conv2D(5, 1)(x), name="detector")
