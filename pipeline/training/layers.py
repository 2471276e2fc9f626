"""What has weights or state while training: classifiers, class centres, the memory of earlier batches."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from pipeline.encoders import backbones
from pipeline.training import losses


class Centres(keras.layers.Layer):
    """The centres of ArcFace's classes, `centres` (C, S, D): S per class, of which the nearest counts.

    Args:
        margins: radians, one number or one per class (C,).
    """

    def __init__(self, dimension: int, classes: int, per_class: int, scale: float = 1.0, margins=0.0):
        super().__init__(name="centres", dtype="float32")
        self.scale, self.margins = scale, margins
        self.centres = self.add_weight((classes, per_class, dimension), initializer="glorot_uniform", name="centres")
        self.built = True

    def call(self, embeddings):
        """Cosine similarity to the nearest centre of each class; (B, D) → (B, C)."""
        return losses.cosines(embeddings, self.centres)


class Memory(keras.layers.Layer):
    """The embeddings of the latest images, each with its numbers: a ring of `size` slots, empty ones numbered −1.

    Source: Wang et al. (2020), "Cross-Batch Memory for Embedding Learning", algorithm 1: a batch is written before it
    asks, so its other images are among the keys; the oldest slots are overwritten; no gradient flows into it.
    """

    def __init__(self, dimension: int, size: int, columns: int):
        super().__init__(name="memory", dtype="float32")
        self.size = size
        self.keys = self._kept((size, dimension), "zeros", "float32", "keys")
        self.numbers = self._kept((size, columns), keras.initializers.Constant(-1), "int32", "numbers")
        self.place = self._kept((), "zeros", "int32", "place")
        self.batches = self._kept((), "zeros", "int32", "batches")
        self.built = True

    def call(self, embeddings, numbers):
        """Writes a batch (B, D) with its numbers (B, columns); gives all keys (K, D) and their numbers (K, columns)."""
        embeddings, numbers = embeddings[-self.size :], ops.cast(numbers[-self.size :], "int32")
        count = ops.shape(embeddings)[0]
        slots = ops.mod(self.place + ops.arange(count, dtype="int32"), self.size)[:, None]
        self.keys.assign(ops.scatter_update(self.keys, slots, ops.stop_gradient(embeddings)))
        self.numbers.assign(ops.scatter_update(self.numbers, slots, numbers))
        self.place.assign(ops.mod(self.place + count, self.size))
        self.batches.assign(self.batches + 1)
        return ops.convert_to_tensor(self.keys), ops.convert_to_tensor(self.numbers)

    def _kept(self, shape, initializer, dtype, name):
        return self.add_weight(shape, initializer=initializer, dtype=dtype, trainable=False, name=name)


class Own(NamedTuple):
    """A loss that learns something besides the embedding.

    `make`: term, dimension, images per class (C,), dropout, seed → its layer, embeddings (B, D) → scores (B, C).
    `value`: layer, embeddings (B, D), labels (B,), training → scalar.
    """

    make: Callable
    value: Callable


def _classifier(term, dimension: int, sizes: np.ndarray, dropout: float, seed: int) -> keras.Model:
    return backbones.classifier(term.by, dimension, len(sizes), dropout, seed)


def _cross_entropy(classifier, embeddings, labels, training):
    return losses.cross_entropy(classifier(embeddings, training=training), labels)


def _centres(term, dimension: int, sizes: np.ndarray, dropout: float, seed: int) -> Centres:
    return Centres(dimension, len(sizes), term.sub_centres, term.scale, margins_of(term.margin, sizes))


def _arcface(layer, embeddings, labels, training):
    logits = losses.arcface_logits(embeddings, layer.centres, ops.maximum(labels, 0), layer.scale, layer.margins)
    return losses.cross_entropy(logits, labels)


def margins_of(margin: float | list[float], sizes: np.ndarray):
    """ArcFace's margin, or one per class (C,): between [low, high] as n^(−1/4) of the class's n images lies.

    Source: Ha et al. (2020), "Google Landmark Recognition 2020 Competition Third Place Solution": dynamic margins.
    """
    if not isinstance(margin, list):
        return margin
    low, high = margin
    rarity = np.maximum(sizes, 1) ** -0.25
    spread = max(rarity.max() - rarity.min(), 1e-9)
    return (low + (high - low) * (rarity - rarity.min()) / spread).astype(np.float32)


# by the kind that a parameter names
OWN = {"cross_entropy": Own(_classifier, _cross_entropy), "arcface": Own(_centres, _arcface)}
