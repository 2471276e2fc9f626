"""Where in a picture its likeness to another comes from, by the cells of an encoder's last feature map.

A network that pools its last map by the mean, and has nothing after it, makes a vector that is a mean over the map's
cells; so the cosine of it and another vector is a sum over the cells, exactly. Behind a head or another pooling a cell
counts by the slope of the vector there.
Source: Zhou et al. (2016), "Learning Deep Features for Discriminative Localization", with the other vector in the place
of a class's weights; Selvaraju et al. (2017), "Grad-CAM", for slopes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from filelock import FileLock
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from pipeline import files, params, paths
from pipeline.encoders import backbones, compiled, weights
from pipeline.params.networks import BACKBONE
from pipeline.vectors import unit

Adds = Literal["exactly", "but for a rest", "about"]
Compare = Callable[[np.ndarray, np.ndarray], np.ndarray]


def adds_up(spec: params.Encoder) -> Adds:
    """How the shares of an encoder's cells add up to the similarity.

    `but for a rest`: a head's constant, class probabilities and what stands beside an embedding belong to no cell.
    `about`: what follows the cells is not linear, so their shares are by slopes.
    """
    if spec.also or spec.pooling == "max" or any(layer.activation != "linear" for layer in spec.head):
        return "about"
    return "but for a rest" if spec.head or spec.posteriors or spec.beside else "exactly"


def place(spec: params.Encoder, folder: Path) -> Path:
    """Where the file of an encoder's cells lies: its name has the fingerprint of all that the file follows from."""
    return compiled.place(_one_view(spec), folder, "-cells.pb")


def comparing(spec: params.Encoder, folder: Path) -> Compare:
    """An encoder's cells: a picture, uint8 (height, width, 3), and another's vector (D,) → what each adds to their
    cosine, float32 (h, w).

    Their graph is made once for the weights and kept under `build/compiled/`.

    Raises:
        WeightsError: no weights, or those of another network.
    """
    path = place(spec, folder)
    lock = paths.BUILD / "locks" / f"{path.stem}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # a second process waits for the first one's file
        if not path.exists():
            encoder = backbones.encoder(_one_view(spec))
            weights.load(encoder, folder)
            files.write_bytes(path, _frozen(encoder))
    slopes = _opened(path)
    dimension = slopes.inputs[1].shape[-1]
    slopes(*(tf.zeros(given.shape, given.dtype) for given in slopes.inputs))  # the first time takes longest

    def compare(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
        toward = unit(other[None].astype(np.float32))[:, -dimension:]  # the embedding stands last
        part = (1 - sum([*spec.posteriors.values(), *spec.beside.values()])) ** 0.5
        total, middle = np.float32(0), np.float32(0)
        for turn in (1, -1) if spec.mirrored else (1,):
            seen = np.ascontiguousarray(picture[None, :, ::turn])
            cells, vector = (made.numpy() for made in slopes(tf.constant(seen), tf.constant(toward)))
            length = max(float(np.linalg.norm(vector)), np.finfo(np.float32).tiny)
            total, middle = total + cells[:, ::turn] / length, middle + vector / length
        return part * total / max(float(np.linalg.norm(middle)), np.finfo(np.float32).tiny)

    return compare


def _one_view(spec: params.Encoder) -> params.Encoder:
    """The encoder of one view that makes the embedding."""
    return spec.model_copy(update={"posteriors": {}, "beside": {}, "mirrored": False})


def _frozen(encoder: keras.Model) -> bytes:
    """A graph of TensorFlow's with the weights in it: a picture and a vector → each cell times its slope, the vector.

    Not LiteRT's: it lacks the slopes of a ReLU.
    """
    maps = encoder.get_layer(BACKBONE)._inbound_nodes[0].output_tensors[0]
    both = keras.Model(encoder.input, [maps, encoder.output])
    picture = tf.TensorSpec((1, *encoder.input_shape[1:]), tf.uint8, name="picture")
    other = tf.TensorSpec((1, encoder.output_shape[-1]), tf.float32, name="other")

    @tf.function(input_signature=[picture, other])
    def slopes(picture, other):
        with tf.GradientTape() as tape:
            cells, vector = both(picture, training=False)
            alike = tf.reduce_sum(vector * other)
        slope = tape.gradient(alike, cells, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        shares = tf.reduce_sum(cells * slope, axis=-1)[0]
        return tf.identity(shares, name="shares"), tf.identity(vector[0], name="vector")

    graph = convert_variables_to_constants_v2(slopes.get_concrete_function()).graph
    return graph.as_graph_def().SerializeToString(deterministic=True)


def _opened(path: Path) -> Any:
    """A file of `_frozen`'s as a function of TensorFlow's."""
    graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    return whole.prune(["picture:0", "other:0"], ["shares:0", "vector:0"])
