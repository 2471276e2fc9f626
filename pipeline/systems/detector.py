"""A small one-shot detector: in each cell of a frozen network's last feature map, whether a product's middle is there,
and the box around it.

Source: Redmon, Divvala, Girshick and Farhadi (2016), "You Only Look Once", section 2: a grid of cells, each with
one box. Differs: two convolutions on a network that stays as it is, no classes, absolute differences of place and size.
Letters: B photos, S cells along a side, D features.
"""

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from PIL import Image

from pipeline import params, paths
from pipeline.data import images
from pipeline.data.boxes import SMALLEST, Box, BoxError, clip
from pipeline.encoders import compiled, weights
from pipeline.encoders.store import StoreError
from pipeline.params.backbones import BACKBONES
from pipeline.systems import user_photos

UNITS = 128
RATE, BATCH = 0.002, 32
PLACE = 5.0  # what a wrong place weighs against a wrong cell: the document's λ_coord
SURE = 0.3  # a cell that is less sure proposes nothing
SAME = 0.4  # overlap: of two boxes that overlap more, the surer one is kept
Look = Callable[[list[Image.Image]], list[list[Box]]]


class Kept(NamedTuple):
    """A detector as it is kept: what it looks through (`network_of`), its photos' side, kernels and biases in order."""

    network: str
    side: int
    layered: list[np.ndarray]


def learnt(
    data: str,
    spec: params.Encoder,
    photos: list[Image.Image],
    around: list[tuple[Box, ...]],
    epochs: int,
    seed: int,
) -> keras.Model:
    """Trains the detector on square photos of one size whose boxes are known; returns its head.

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
    return head


def looking(data: str, spec: params.Encoder, head: keras.Model) -> Look:
    """A trained detector: square photos of the size that it learnt → the boxes in each."""

    def look(asking: list[Image.Image]) -> list[list[Box]]:
        cells = head.predict(_maps(data, spec, asking), verbose=0)
        return [[box for box, _ in proposed(said, asking[0].width)] for said in cells]

    return look


def kept(head: keras.Model, network: str, side: int) -> bytes:
    """A trained head as an .npz: the network that it looks through, the photos' side, each layer's kernel and bias."""
    buffer = io.BytesIO()
    layered = {f"{at:02}": array for at, array in enumerate(head.get_weights())}
    np.savez(buffer, network=np.array(network), side=np.int32(side), **layered)
    return buffer.getvalue()


def network_of(data: str, spec: params.Encoder, side: int) -> str:
    """What a detector looks through, as `kept` notes it: a hash of its weights and of all that changes its maps."""
    facts = compiled.settings(looking_through(spec, side), paths.weights(data, spec.weights))
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def opened(path: Path) -> Kept:
    """A kept detector. Raises StoreError: it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = sorted(set(arrays.files) - {"network", "side"})
            return Kept(str(arrays["network"]), int(arrays["side"]), [arrays[name] for name in names])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path.name} is damaged ({error}). Run: dvc repro") from None


def seeing(there: Kept, spec: params.Encoder, run: Callable[[np.ndarray], np.ndarray]) -> Callable[[Image.Image], list]:
    """A kept detector, for photos of any size: a photo → its boxes, the surest first, each with how sure that is.

    Beside a photo that is no square stands the median of its border.

    Args:
        run: `looking_through`'s network, compiled: uint8 (1, side, side, 3) → its last map, flat.
    """
    network = params.Network.model_construct(image_size=there.side, resize="pad")

    def look(photo: Image.Image) -> list[tuple[Box, float]]:
        pixels = np.asarray(photo)
        border = np.concatenate([pixels[[0, -1]].reshape(-1, 3), pixels[:, [0, -1]].reshape(-1, 3)])
        ground = [int(part) for part in np.median(border, axis=0)]
        square = images.resize(photo, network.height_width, "pad", ground, spec.interpolation)
        left, top, across, down = images.placed(photo.size, network)
        wide, high = photo.width / across / there.side, photo.height / down / there.side
        found = []
        for box, sure in proposed(says(there.layered, _map(run(square[None]), spec))[0], there.side):
            x, y = (box.x - left * there.side) * wide, (box.y - top * there.side) * high
            with contextlib.suppress(BoxError):  # one that lies beside the photo
                clipped, _ = clip((x, y, box.width * wide, box.height * high), photo.size)
                if clipped.width * clipped.height >= SMALLEST * photo.width * photo.height:
                    found.append((clipped, sure))
        return found

    return look


def looking_through(spec: params.Encoder, side: int) -> params.Encoder:
    """The encoder's network up to its last map, for photos of a side."""
    plain: dict = {"head": [], "also": [], "squeeze": None, "posteriors": {}, "beside": {}, "mirrored": False}
    return spec.model_copy(update={"image_size": side, "pooling": "flatten", **plain})


def says(layered: list[np.ndarray], seen: np.ndarray) -> np.ndarray:
    """What `_head` with these kernels and biases says of maps (B, S, S, D): (B, S, S, 5), before the sigmoid."""
    for kernel, bias in zip(layered[::2], layered[1::2], strict=True):
        around = len(kernel) // 2
        wide = np.pad(seen, ((0, 0), (around, around), (around, around), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(wide, kernel.shape[:2], axis=(1, 2))
        seen = np.einsum("bhwdij,ijdu->bhwu", windows, kernel, optimize=True) + bias
        seen = seen if kernel is layered[-2] else np.maximum(seen, 0)
    return seen


def _maps(data: str, spec: params.Encoder, photos: list[Image.Image]) -> np.ndarray:
    """The last feature map of an encoder's network for square photos, float32 (B, S, S, D)."""
    return _map(user_photos.encode(data, looking_through(spec, photos[0].width), photos), spec)


def _map(flat: np.ndarray, spec: params.Encoder) -> np.ndarray:
    features = BACKBONES[spec.backbone].features
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


def proposed(said: np.ndarray, side: int) -> list[tuple[Box, float]]:
    """The boxes that cells (S, S, 5) propose, the surest first, each with how sure; without those that a surer one
    overlaps."""
    cells = len(said)
    values = 1 / (1 + np.exp(-said.astype(float).reshape(-1, 5)))
    down, across = np.divmod(np.arange(cells * cells), cells)
    width, height = values[:, 3] * side, values[:, 4] * side
    left = (across + values[:, 1]) * side / cells - width / 2
    top = (down + values[:, 2]) * side / cells - height / 2
    edges = np.stack([left, top, left + width, top + height], axis=1).clip(0, side).round().astype(int)
    corners = np.hstack([edges[:, :2], np.maximum(edges[:, 2:] - edges[:, :2], 1)])
    surest = cv2.dnn.NMSBoxes(corners.tolist(), values[:, 0].tolist(), SURE, SAME)
    return [(Box(*(int(value) for value in corners[place])), float(values[place, 0])) for place in surest]


def _head(shape: tuple[int, ...]) -> keras.Model:
    """Features (B, S, S, D) → what each cell says, (B, S, S, 5), before the sigmoid."""
    seen = keras.Input(shape)
    x = layers.Conv2D(UNITS, 1, activation="relu")(seen)
    x = layers.Conv2D(UNITS, 3, padding="same", activation="relu")(x)
    return keras.Model(seen, layers.Conv2D(5, 1)(x), name="detector")
