"""Images through an encoder into the store: batched, decoding and network overlapped, resumable."""

import hashlib
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from pipeline import params, paths
from pipeline.data import images
from pipeline.encoders import backbones, store, weights
from pipeline.encoders.card import read_card
from pipeline.encoders.store import FeatureSet
from pipeline.progress import ahead, progress

BATCHES_AHEAD = 4  # decoded and waiting: bounds memory, keeps the network busy
COMMIT_ROWS = 2048  # lost at most by a kill


class ExtractError(RuntimeError):
    """Extraction that cannot start or go on."""


def encoder_id(data: str, name: str, spec: params.Encoder, weights_folder: Path) -> str:
    """`name:fingerprint`, where the fingerprint covers the weights and everything that changes an image's features."""
    counted = set(params.Encoder.model_fields) - {"weights", "batch_size", *(() if spec.mirrored else ("mirrored",))}
    chosen = spec.model_dump(include=counted)
    facts = {**chosen, "data": data, "name": name, "weights": weights.fingerprint(weights_folder)}
    return f"{name}:{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]}"


def load_encoder(spec: params.Encoder, weights_folder: Path) -> keras.Model:
    """The encoder with its weights."""
    named = read_card(weights_folder).get("classes", {}) if spec.posteriors else {}
    if missing := [label for label in spec.posteriors if label not in named]:
        raise weights.WeightsError(
            f"{weights_folder.name} has no classifier for {missing[0]}. Allowed: {sorted(named)}"
        )
    classes = {label: len(named[label]) for label in spec.posteriors}
    model = backbones.encoder(spec, classes)
    weights.load(model, weights_folder)
    return model


def extract_features(data: str, name: str, spec: params.Encoder, ids: list[str], target: Path) -> FeatureSet:
    """Features of the catalogue's images `ids`, written to the SQLite file `target` and returned.

    A killed run goes on after its last committed batch; batches always begin at the same pictures, so the file ends
    with the same bytes.

    Raises:
        ExtractError: the disk cannot hold the result, or it filled up on the way.
        WeightsError: no weights, or those of another network.
    """
    folder = paths.weights(data, spec.weights)
    identity = encoder_id(data, name, spec, folder)
    model = load_encoder(spec, folder)
    dimension = model.output_shape[-1]
    _need_disk(target, len(ids) * (4 * dimension + 64) * 2)
    run = hashlib.sha256(json.dumps([identity, spec.batch_size, ids]).encode()).hexdigest()[:16]
    partial = paths.BUILD / "features" / f"{data}-{name}-{run}.sqlite"
    try:
        connection, done = _resumed(partial, {"encoder_id": identity, "dimension": str(dimension), "encoder": name})
        _fill(connection, data, ids, done, spec, frozen(model, spec.batch_size))
        store.finish(connection, target)
    except (sqlite3.OperationalError, OSError) as error:
        raise ExtractError(
            f"{target.name} could not be written ({error}). What is done is kept; make room and run again"
        ) from None
    partial.unlink()
    return store.read(target)


def frozen(model: keras.Model, batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
    """The encoder as a function of one full batch: uint8 (B, height, width, 3) → float32 (B, D).

    Weights become constants, so TensorFlow folds batch normalisation into the convolutions: on a CPU about three
    times the speed of `model.predict`, equal to the last bits of float32.
    """
    spec = tf.TensorSpec((batch_size, *model.input_shape[1:]), tf.uint8)
    traced = tf.function(
        lambda pictures: model(pictures, training=False), input_signature=[spec]
    ).get_concrete_function()
    graph = convert_variables_to_constants_v2(traced)
    return lambda pictures: graph(tf.constant(pictures))[0].numpy()


def load_pictures(archive: zipfile.ZipFile, ids: list[str], spec: params.Network) -> np.ndarray:
    """Decoded and resized images, uint8 (len(ids), height, width, 3)."""
    batch = np.empty((len(ids), *spec.height_width, 3), np.uint8)
    for row, image_id in enumerate(ids):
        batch[row] = images.prepare(images.decode(archive.read(image_id)), spec)
    return batch


def _fill(
    connection: sqlite3.Connection, data: str, ids: list[str], done: int, spec: params.Encoder, run: Callable
) -> None:
    """Every batch from the `done`-th image on, committed every `COMMIT_ROWS` images."""
    waiting_ids: list[str] = []
    waiting: list[np.ndarray] = []
    with paths.open_images(data) as archive:
        batches = _decoded(archive, ids, done, spec)
        for batch_ids, pictures in _counted(batches, len(ids), done, spec.batch_size):
            waiting_ids += batch_ids
            waiting.append(run(pictures)[: len(batch_ids)])
            if len(waiting_ids) >= COMMIT_ROWS:
                store.append(connection, waiting_ids, np.concatenate(waiting))
                waiting_ids, waiting = [], []
        if waiting_ids:
            store.append(connection, waiting_ids, np.concatenate(waiting))


def _decoded(
    archive: zipfile.ZipFile, ids: list[str], done: int, spec: params.Encoder
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Full batches, decoded ahead by threads; the last is filled up with black images to keep one shape."""

    def decode(start):
        batch_ids = ids[start : start + spec.batch_size]
        pictures = load_pictures(archive, batch_ids, spec)
        missing = spec.batch_size - len(batch_ids)
        return batch_ids, np.pad(pictures, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else pictures

    return ahead(decode, range(done, len(ids), spec.batch_size), BATCHES_AHEAD)


def _counted(batches: Iterator, total: int, done: int, batch_size: int) -> Iterator:
    count = -(-total // batch_size)
    return progress(batches, "extracting features", f"x{batch_size} pictures", count, done // batch_size)


def _resumed(partial: Path, meta: dict[str, str]) -> tuple[sqlite3.Connection, int]:
    """The unfinished file of the same run and how many images it holds, or a new one."""
    if partial.exists():
        try:
            connection = sqlite3.connect(partial)
            return connection, connection.execute("SELECT COUNT(*) FROM image_features").fetchone()[0]
        except sqlite3.DatabaseError:  # killed before its tables were there
            connection.close()
            partial.unlink()
    return store.create(partial, meta), 0


def _need_disk(target: Path, needed: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise ExtractError(f"{target.name} needs about {needed / 1e6:,.0f} MB of disk; {free / 1e6:,.0f} MB are free")
