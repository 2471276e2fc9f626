"""Images through an encoder into the store: batched, decoding and network overlapped, resumable."""

import hashlib
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline import params, paths
from pipeline.data import catalog, images
from pipeline.encoders import compiled, store
from pipeline.encoders.store import FeatureSet
from pipeline.progress import ahead, progress

BATCHES_AHEAD = 4  # decoded and waiting: bounds memory, keeps the network busy
COMMIT_ROWS = 2048  # lost at most by a kill


class ExtractError(RuntimeError):
    """Extraction that cannot start or go on."""


def encoder_id(data: str, name: str, spec: params.Encoder, weights_folder: Path) -> str:
    """`name:fingerprint`, where the fingerprint covers the weights and everything that changes an image's features."""
    facts = {**compiled.settings(spec, weights_folder), "data": data, "name": name}
    return f"{name}:{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]}"


def extract_features(data: str, name: str, spec: params.Encoder, ids: list[str], target: Path) -> FeatureSet:
    """Features of the catalogue's images `ids`, written to the SQLite file `target` and returned.

    A killed run goes on after its last committed batch, and the file ends with the same bytes. Images with equal bytes
    have one vector, that of the first of them, so that they rank in the order of their ids: what a network makes of an
    image may differ in its last bits with its place in the batch, where LiteRT does not compute it.

    Raises:
        ExtractError: the disk cannot hold the result, or it filled up on the way.
        WeightsError: no weights, or those of another network.
    """
    folder = paths.weights(data, spec.weights)
    identity = encoder_id(data, name, spec, folder)
    encoder = compiled.compiled(spec, folder)
    _need_disk(target, len(ids) * (4 * encoder.dimension + 64) * 2)
    run = hashlib.sha256(json.dumps([identity, spec.batch_size, ids]).encode()).hexdigest()[:16]
    partial = paths.BUILD / "features" / f"{data}-{name}-{run}.sqlite"
    try:
        meta = {"encoder_id": identity, "dimension": str(encoder.dimension), "encoder": name}
        connection, done = _resumed(partial, meta)
        _fill(connection, data, ids, done, spec, encoder.run)
        store.repeat(connection, _copies(data, ids))
        store.finish(connection, target)
    except (sqlite3.OperationalError, OSError) as error:
        raise ExtractError(
            f"{target.name} could not be written ({error}). What is done is kept; make room and run again"
        ) from None
    partial.unlink()
    return store.read(target)


def load_pictures(archive: zipfile.ZipFile, ids: list[str], spec: params.Network) -> np.ndarray:
    """Decoded and resized images, uint8 (len(ids), height, width, 3)."""
    batch = np.empty((len(ids), *spec.height_width, 3), np.uint8)
    for row, image_id in enumerate(ids):
        batch[row] = images.prepare(images.decode(archive.read(image_id)), spec)
    return batch


def _copies(data: str, ids: list[str]) -> dict[str, str]:
    """Each image whose bytes an earlier one of `ids` has, with the first that has them."""
    hashes = catalog.load(data).set_index(catalog.ID)[catalog.SHA256].reindex(ids).dropna()
    firsts = hashes.index.to_series().groupby(hashes.to_numpy()).transform("first")
    return {image_id: first for image_id, first in firsts.items() if image_id != first}


def _fill(
    connection: sqlite3.Connection, data: str, ids: list[str], done: int, spec: params.Encoder, run: compiled.Run
) -> None:
    """Every batch from the `done`-th image on, committed every `COMMIT_ROWS` images."""
    waiting_ids: list[str] = []
    waiting: list[np.ndarray] = []
    with paths.open_images(data) as archive:
        batches = _decoded(archive, ids, done, spec)
        for batch_ids, pictures in _counted(batches, len(ids), done, spec.batch_size):
            waiting_ids += batch_ids
            waiting.append(run(pictures))
            if len(waiting_ids) >= COMMIT_ROWS:
                store.append(connection, waiting_ids, np.concatenate(waiting))
                waiting_ids, waiting = [], []
        if waiting_ids:
            store.append(connection, waiting_ids, np.concatenate(waiting))


def _decoded(
    archive: zipfile.ZipFile, ids: list[str], done: int, spec: params.Encoder
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Batches, decoded ahead by threads."""

    def decode(start):
        batch_ids = ids[start : start + spec.batch_size]
        return batch_ids, load_pictures(archive, batch_ids, spec)

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
