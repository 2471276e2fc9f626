"""An encoder compiled for a CPU by LiteRT, in float32: the same bytes whatever the threads and the batch.

TensorFlow's own graph serves where there is a GPU, or where an operation of the network has no counterpart.
"""

import hashlib
import json
import os
import platform
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from filelock import FileLock
from tensorflow.lite.python.convert_phase import ConverterError
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from pipeline import files, params, paths
from pipeline.data import images
from pipeline.encoders import weights

BLOCK = 8  # images that the network is given at once: a core's cache holds what becomes of them, of 64 it does not
Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Compiled:
    """An encoder ready to run: uint8 (B, height, width, 3) of any B → float32 (B, D)."""

    run: Run
    dimension: int


def settings(spec: params.Encoder, weights_folder: Path) -> dict:
    """The weights' fingerprint and all that changes an image's features."""
    unsaid = {name for name in ("mirrored", "beside") if not getattr(spec, name)}  # what there was not at first
    counted = set(params.Encoder.model_fields) - {"weights", "batch_size", *unsaid}
    return {**spec.model_dump(include=counted), "weights": weights.fingerprint(weights_folder)}


@cache
def code() -> str:
    """The digest of what features are made by: in the name of all that is kept, so that none of it outlives an edit."""
    modules = [*sorted(Path(__file__).parent.glob("*.py")), Path(images.__file__)]
    return hashlib.sha256(b"".join(module.read_bytes() for module in modules)).hexdigest()


def place(spec: params.Encoder, weights_folder: Path, ends: str = ".tflite") -> Path:
    """Where what is compiled of an encoder is kept: its name has the fingerprint of all that it follows from."""
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "code": code()}
    facts = {**settings(spec, weights_folder), **versions}
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return paths.BUILD / "compiled" / f"{spec.backbone}-{key}{ends}"


def compiled(spec: params.Encoder, weights_folder: Path) -> Compiled:
    """The encoder, compiled once for its weights and kept under `build/compiled/`.

    Raises:
        WeightsError: no weights, or those of another network.
    """
    if tf.config.list_physical_devices("GPU"):
        return _frozen(weights.load_encoder(spec, weights_folder))
    path = place(spec, weights_folder)
    lock = paths.BUILD / "locks" / f"{path.stem}.lock"  # apart: where nothing converts, nothing is kept
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # a second process waits for the first one's file
        if not path.exists():
            model = weights.load_encoder(spec, weights_folder)
            try:
                files.write_bytes(path, converted(model))
            except ConverterError as error:
                print(f"{spec.backbone} runs in TensorFlow, since LiteRT lacks one of its operations ({error})")
                return _frozen(model)
    return interpreted(path)


def made_by() -> str:
    """What computes features here, by kinds that may differ in last digits: GPUs, or LiteRT on a kind of processor."""
    if devices := tf.config.list_physical_devices("GPU"):
        names = {str(tf.config.experimental.get_device_details(device).get("device_name")) for device in devices}
        return " and ".join(sorted(names))
    return f"LiteRT on {platform.machine()}"


def converted(model: keras.Model) -> bytes:
    """An encoder as a LiteRT file."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions([_traced(model)], model)
    converter.experimental_lower_to_saved_model = False  # by way of one the same bytes take four times as long
    return converter.convert()


def interpreted(path: Path, threads: int | None = None) -> Compiled:
    """A LiteRT file, ready to run; several threads may call it, one after another.

    Args:
        threads: one for each core where None; features do not depend on it.
    """
    interpreter = Interpreter(str(path), num_threads=threads or os.cpu_count())
    given, made = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]
    lock = threading.Lock()
    shape: tuple[int, ...] | None = None

    def block(pictures: np.ndarray) -> np.ndarray:
        nonlocal shape
        if shape != pictures.shape:
            interpreter.resize_tensor_input(given, pictures.shape)
            interpreter.allocate_tensors()
            shape = pictures.shape
        interpreter.set_tensor(given, pictures)
        interpreter.invoke()
        return interpreter.get_tensor(made["index"])

    def run(pictures: np.ndarray) -> np.ndarray:
        if not len(pictures):
            return np.empty((0, int(made["shape"][-1])), np.float32)
        with lock:
            return np.concatenate([block(pictures[at : at + BLOCK]) for at in range(0, len(pictures), BLOCK)])

    return Compiled(run, int(made["shape"][-1]))


def frozen(model: keras.Model) -> Run:
    """The encoder as a function of TensorFlow's: what a compiled one is measured against.

    Weights become constants, so TensorFlow folds batch normalisation into the convolutions: on a CPU up to three times
    the speed of `model.predict`, equal to the last bits of float32.
    """
    graph = convert_variables_to_constants_v2(_traced(model))
    return lambda pictures: graph(tf.constant(pictures))[0].numpy()


def _frozen(model: keras.Model) -> Compiled:
    return Compiled(frozen(model), model.output_shape[-1])


def _traced(model: keras.Model):
    """The encoder as one function of a batch of any size."""
    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name="pictures")
    return tf.function(lambda pictures: model(pictures, training=False), input_signature=[spec]).get_concrete_function()
