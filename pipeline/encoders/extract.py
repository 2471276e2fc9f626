"""Images through an encoder into the store: batched, decoding and network overlapped, resumable, here or on workers."""

import hashlib
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline import params, paths, scale
from pipeline.data import catalog, images
from pipeline.encoders import compiled, shards, store
from pipeline.encoders.shards import Shard
from pipeline.encoders.store import FeatureSet
from pipeline.progress import ahead, progress

BATCHES_AHEAD = 4  # decoded and waiting: bounds memory, keeps the network busy
SHARD_ROWS = 1024  # lost at most by a kill


class ExtractError(RuntimeError):
    """Extraction that cannot start or go on."""


class Work(NamedTuple):
    """What all shards of a run have in common: an encoder's fingerprint and parameters, and where its files are."""

    identity: str
    spec: str  # params.Encoder as JSON
    weights: Path
    pictures: Path  # a zip
    folder: Path  # of shards


def encoder_id(data: str, name: str, spec: params.Encoder, weights_folder: Path) -> str:
    """`name:fingerprint`, where the fingerprint covers the weights and everything that changes an image's features."""
    facts = {**compiled.settings(spec, weights_folder), "data": data, "name": name}
    return f"{name}:{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]}"


def extract_features(
    data: str, name: str, spec: params.Encoder, ids: list[str], target: Path, where: params.Scale | None = None
) -> FeatureSet:
    """Features of the catalogue's images `ids`, written to `target` and returned.

    They are made in shards of whole batches, always the same ones, so the file ends with the same bytes whoever makes
    them. A killed run goes on with the shards that are not there. Images with equal bytes have one vector, that of the
    first of them, so that they rank in the order of their ids: what a network makes of an image may differ in its last
    bits with its place in the batch, where LiteRT does not compute it.

    Args:
        where: who computes; None: whom this stage was told.

    Raises:
        ExtractError: the disk cannot hold the result, or it filled up on the way; shards of different machines.
        ScaleError: workers that cannot be had.
        WeightsError: no weights, or those of another network.
    """
    weights_folder = paths.weights(data, spec.weights)
    identity = encoder_id(data, name, spec, weights_folder)
    spec = params.Encoder(**spec.model_dump(include=set(params.Encoder.model_fields)))  # a notebook's cannot be sent
    dimension = _encoder(identity, spec.model_dump_json(), weights_folder).dimension
    _need_disk(target, len(ids) * 4 * dimension + store.disk(len(ids), dimension))
    rows = max(SHARD_ROWS // spec.batch_size, 1) * spec.batch_size
    run = hashlib.sha256(json.dumps([identity, compiled.code(), spec.batch_size, rows, ids]).encode()).hexdigest()[:16]
    folder = paths.BUILD / "features" / f"{data}-{name}-{run}"
    work = Work(identity, spec.model_dump_json(), weights_folder, paths.images(data), folder)
    try:
        made = _made(work, [ids[start : start + rows] for start in range(0, len(ids), rows)], where or scale.chosen())
        meta = {"encoder_id": identity, "dimension": str(dimension), "encoder": name}
        store.write(target, meta, len(ids), _parts(folder, made, ids), _copies(data, ids))
    except (sqlite3.OperationalError, OSError) as error:
        raise ExtractError(
            f"{target.name} could not be written ({error}). What is done is kept; make room and run again"
        ) from None
    try:
        shutil.rmtree(folder)
    except OSError as error:  # somebody holds a shard of it: that spoils no features
        print(f"{folder} is left over, and may be deleted ({error})")
    _encoder.cache_clear()  # what follows here needs the memory
    return store.read(target)


def extract_shard(work: Work, number: int, ids: list[str]) -> Shard:
    """One shard of a run, made if it is not there."""
    encoder = _encoder(work.identity, work.spec, work.weights)
    if shard := shards.kept(work.folder, number, (len(ids), encoder.dimension)):
        return shard
    spec = params.Encoder.model_validate_json(work.spec)
    with zipfile.ZipFile(work.pictures) as archive:
        vectors = np.concatenate([encoder.run(pictures) for pictures in _decoded(archive, ids, spec)])
    return shards.write(work.folder, number, vectors, compiled.made_by())


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


def _made(work: Work, parts: list[list[str]], where: params.Scale) -> list[Shard]:
    """Every shard, in the order of the ids.

    Raises:
        ExtractError: not all were computed by the same.
    """
    tasks = [(work, number, ids) for number, ids in enumerate(parts)]
    with scale.workers(where) as each:
        unit = f"x{len(parts[0])} pictures" if parts else "pictures"
        made = sorted(progress(each(extract_shard, tasks), "extracting features", unit, len(tasks)))
    if len(computed := sorted({shard.made_by for shard in made})) > 1:
        raise ExtractError(
            f"shards of {work.folder.name} were computed by {' and by '.join(computed)}, which differ in last digits. "
            f"Delete {work.folder} and run again with workers of one kind"
        )
    return made


def _parts(folder: Path, made: list[Shard], ids: list[str]) -> Iterator[tuple[list[str], np.ndarray]]:
    """The shards' ids and numbers, one after another."""
    done = 0
    for shard in made:
        vectors = shards.read(folder, shard)
        yield ids[done : done + len(vectors)], vectors
        done += len(vectors)


@lru_cache(maxsize=1)
def _encoder(identity: str, spec: str, weights_folder: Path) -> compiled.Compiled:
    """The encoder, made once in a process; `identity` says which weights it has."""
    return compiled.compiled(params.Encoder.model_validate_json(spec), weights_folder)


def _decoded(archive: zipfile.ZipFile, ids: list[str], spec: params.Encoder) -> Iterator[np.ndarray]:
    """Batches of pictures, decoded ahead by threads."""

    def decode(start):
        return load_pictures(archive, ids[start : start + spec.batch_size], spec)

    return ahead(decode, range(0, len(ids), spec.batch_size), BATCHES_AHEAD)


def _need_disk(target: Path, needed: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise ExtractError(f"{target.name} needs about {needed / 1e6:,.0f} MB of disk; {free / 1e6:,.0f} MB are free")
