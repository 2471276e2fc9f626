"""The features of very many pictures: a folder with one array, which is mapped from disk, its ids, and a manifest.

The manifest says whose features they are, and has the SHA-256 of each shard, which is a fixed number of the array's
rows. One array and not one for each shard, since NumPy maps one file as one array, and whatever reads features takes
an array. Nobody holds it: what is read of it is the system's to keep or to drop.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import files
from pipeline.progress import progress

SCHEMA = 1
ROWS = 8192  # of a shard: 42 MB of 1,280 numbers each
VECTORS, IDS, MANIFEST = "vectors.npy", "ids.jsonl", "manifest.json"
Parts = Iterable[tuple[list[str], np.ndarray]]


def write(folder: Path, meta: dict[str, str], count: int, parts: Parts, copies: dict[str, str]) -> None:
    """Writes a folder, whole or not at all; the arguments are those of `store.write`."""
    dimension, asked = int(meta["dimension"]), {*copies, *copies.values()}
    places: dict[str, int] = {}
    with files.whole_folder(folder) as partial:
        with (partial / VECTORS).open("w+b") as numbers, (partial / IDS).open("w", encoding="utf-8") as ids:
            # written and not mapped here: a disk that is full is an error then, and no fault that kills
            header = {"descr": "<f4", "fortran_order": False, "shape": (count, dimension)}
            np.lib.format.write_array_header_1_0(numbers, header)
            first, done = numbers.tell(), 0
            for some, vectors in parts:
                numbers.write(vectors.astype("<f4", copy=False).tobytes())
                ids.writelines(json.dumps(one) + "\n" for one in some)
                places.update((one, done + at) for at, one in enumerate(some) if one in asked)
                done += len(some)
            for copy, original in copies.items():
                numbers.seek(first + places[original] * 4 * dimension)
                row = numbers.read(4 * dimension)
                numbers.seek(first + places[copy] * 4 * dimension)
                numbers.write(row)
        told = {"schema": SCHEMA, **meta, "pictures": count, "rows": ROWS, "ids": _hash((partial / IDS).read_bytes())}
        files.write_json(partial / MANIFEST, {**told, "shards": _hashes(partial)})
        if folder.is_file():  # fewer pictures' features, which a rename of a folder would leave beside it
            folder.unlink()


def meta(folder: Path) -> dict[str, str]:
    """What a folder says of its encoder.

    Raises:
        ValueError, OSError: no manifest, or one of another schema.
    """
    return {name: value for name, value in _manifest(folder).items() if isinstance(value, str)}


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The ids, and the vectors (G, D), mapped from disk.

    Raises:
        ValueError, OSError, KeyError: they are not what was written, or of another schema.
    """
    told = _manifest(folder)
    vectors = _mapped(folder)
    if vectors.dtype != np.dtype("<f4") or vectors.shape != (told["pictures"], int(told["dimension"])):
        raise ValueError(f"{VECTORS} has {vectors.dtype} {vectors.shape}")
    lines = (folder / IDS).read_bytes()
    if _hash(lines) != told["ids"]:
        raise ValueError(f"{IDS} is not what was written")
    if told["rows"] != ROWS:
        raise ValueError(f"shards of {told['rows']!r} pictures. Expected {ROWS}")
    found = _hashes(folder)
    if wrong := [number for number, (one, other) in enumerate(zip(found, told["shards"], strict=True)) if one != other]:
        raise ValueError(f"{len(wrong)} of {len(found)} shards are not what was written, the first of them {wrong[0]}")
    ids = np.empty(len(vectors), object)
    ids[:] = [json.loads(line) for line in lines.splitlines()]
    return ids, vectors


def _manifest(folder: Path) -> dict[str, Any]:
    told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if told["schema"] != SCHEMA:
        raise ValueError(f"another schema. Expected {SCHEMA}. Received: {told['schema']!r}")
    return told


def _mapped(folder: Path) -> np.ndarray:
    return np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)


def _hashes(folder: Path) -> list[str]:
    """The SHA-256 of each shard."""
    vectors = _mapped(folder)
    starts = range(0, len(vectors), ROWS)
    shards = progress(starts, f"checking {folder.name}", f"x{ROWS} pictures", len(starts))
    return [_hash(vectors[start : start + ROWS].tobytes()) for start in shards]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
