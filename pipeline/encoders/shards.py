"""A part of an encoder's features, while others are made: whole or not there, with the hash of its numbers.

Several processes may make one part at the same time, on one machine or on several that share a disk.
"""

import hashlib
import json
import os
import socket
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline import files
from pipeline.encoders.store import StoreError


class Shard(NamedTuple):
    """A part that was made: its number, its SHA-256, and what computed it."""

    number: int
    sha256: str
    made_by: str


def place(folder: Path, number: int) -> Path:
    """The file of a part's numbers; beside it stands a record, which is written last."""
    return folder / f"{number:06}.npy"


def kept(folder: Path, number: int, shape: tuple[int, int]) -> Shard | None:
    """A part that is there, whole and with the hash that its record says; else None."""
    try:
        record = json.loads(place(folder, number).with_suffix(".json").read_text(encoding="utf-8"))
        shard = Shard(number, record["sha256"], record["made_by"])
        vectors = read(folder, shard)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return shard if vectors.shape == shape else None


def write(folder: Path, number: int, vectors: np.ndarray, made_by: str) -> Shard:
    """Writes a part: float32 (N, D), in the order of its ids."""
    shard, writer = Shard(number, _hash(vectors), made_by), f".{socket.gethostname()}.{os.getpid()}"
    target = place(folder, number)
    with files.whole_file(target, writer) as partial, partial.open("wb") as file:
        np.save(file, vectors.astype("<f4", copy=False))
    with files.whole_file(target.with_suffix(".json"), writer) as partial:
        partial.write_text(json.dumps({"sha256": shard.sha256, "made_by": made_by}), encoding="utf-8")
    return shard


def read(folder: Path, shard: Shard) -> np.ndarray:
    """The numbers of a part, float32 (N, D).

    Raises:
        StoreError: they are not what was written.
    """
    vectors = np.load(place(folder, shard.number), allow_pickle=False)
    if _hash(vectors) != shard.sha256:
        raise StoreError(f"{place(folder, shard.number).name} is damaged. It is made anew by the next run")
    return vectors


def _hash(vectors: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(vectors, "<f4").tobytes()).hexdigest()
