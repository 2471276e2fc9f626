"""Features on disk: a SQLite file per encoder, or a folder of very many ↔ `FeatureSet`.

The thesis's table `image_features(image_name, features)` (section 3.8) and a table `meta`.
Differs: features are little-endian float32 blobs, not comma-separated text: exact, and five times smaller; and those of
more than `LARGE` pictures are a folder of the same name, whose numbers are mapped from disk (`mapped`).
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import files, paths, stages
from pipeline.encoders import mapped
from pipeline.encoders.mapped import Parts
from pipeline.vectors import not_finite

SCHEMA = "1"
LARGE = 10_000_000  # pictures: what SQLite is read for as a whole, into memory
TABLES = """
CREATE TABLE image_features (image_name TEXT NOT NULL UNIQUE, features BLOB NOT NULL);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class StoreError(ValueError):
    """A features file that is missing, unfinished, damaged or of another version."""


@dataclass(frozen=True)
class FeatureSet:
    """Features of one encoder: `vectors` (G, D) float32, row i belongs to `ids[i]`; checked and read-only.

    Those of very many pictures are mapped from disk: what takes some rows at a time holds no more than these.

    `encoder_id` is the encoder's name and the fingerprint of its weights and preprocessing: features are comparable
    only where it is equal.
    """

    ids: np.ndarray
    vectors: np.ndarray
    encoder_id: str

    def __post_init__(self):
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise ValueError(f"vectors must be float32 (G, D). Received: {self.vectors.dtype} {self.vectors.shape}")
        if len(self.ids) != len(self.vectors):
            raise ValueError(f"ids and vectors must have one length. Received: {len(self.ids)} and {len(self.vectors)}")
        if len(set(self.ids.tolist())) != len(self.ids):
            raise ValueError("ids must be unique")
        if wrong := not_finite(self.vectors):
            raise ValueError(f"vectors must be finite. Received: {wrong} rows that are not")
        self.vectors.setflags(write=False)

    def take(self, rows: np.ndarray) -> "FeatureSet":
        """The features of some rows, by position or by mask."""
        return FeatureSet(self.ids[rows], self.vectors[rows], self.encoder_id)


def write(path: Path, meta: dict[str, str], count: int, parts: Parts, copies: dict[str, str] | None = None) -> None:
    """Writes an encoder's features: a file, or of more than `LARGE` pictures a folder; whole under its name, or not.

    Its bytes depend on the rows alone, and not on the parts they came in.

    Args:
        meta: `encoder_id`, `encoder` and `dimension`.
        count: pictures in all.
        parts: some ids and their vectors (B, D) after others, each held no longer than it takes to write.
        copies: images that get the features of others, copy → original by id.

    Raises:
        ValueError: parts of another dimension, or of more or fewer pictures. OSError, sqlite3.Error: the disk.
    """
    checked = _checked(parts, count, int(meta["dimension"]))
    for word in ("working", "partial"):  # left by a killed run, in either form
        _remove(path.with_name(f"{path.name}.{word}"))
    if count > LARGE:
        mapped.write(path, meta, count, checked, copies or {})
        return
    working = path.with_name(f"{path.name}.working")
    try:
        with closing(_create(working, meta)) as connection:
            for ids, vectors in checked:
                _append(connection, ids, vectors)
            _repeat(connection, copies or {})
            with files.whole_file(path) as partial:  # packed anew, so that it does not matter how rows were committed
                connection.execute("VACUUM INTO ?", (str(partial),))
                if (path / mapped.MANIFEST).is_file():  # a rename does not replace a folder
                    _remove(path)
    finally:
        working.unlink(missing_ok=True)


def disk(count: int, dimension: int) -> int:
    """The bytes of disk that writing so many pictures takes, about: SQLite's pages leave some room, and are packed."""
    return round(count * (4 * dimension + 64) * (1 if count > LARGE else 2.2))


def _remove(path: Path) -> None:
    """Takes away a file or a folder, where there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _checked(parts: Parts, count: int, dimension: int) -> Iterator[tuple[list[str], np.ndarray]]:
    done = 0
    for ids, vectors in parts:
        if vectors.shape != (len(ids), dimension):
            raise ValueError(f"a part must have the shape {(len(ids), dimension)}. Received: {vectors.shape}")
        done += len(ids)
        yield ids, vectors
    if done != count:
        raise ValueError(f"there must be {count} pictures. Received: {done}")


def _create(path: Path, meta: dict[str, str]) -> sqlite3.Connection:
    """A new file without rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(TABLES)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", sorted({**meta, "schema": SCHEMA}.items()))
    connection.commit()
    return connection


def _append(connection: sqlite3.Connection, ids: list[str], vectors: np.ndarray) -> None:
    rows = zip(ids, (row.astype("<f4").tobytes() for row in vectors), strict=True)
    with connection:
        connection.executemany("INSERT INTO image_features VALUES (?, ?)", rows)


def _repeat(connection: sqlite3.Connection, copies: dict[str, str]) -> None:
    change = """
        UPDATE image_features SET features = (SELECT features FROM image_features WHERE image_name = ?)
        WHERE image_name = ?
    """
    with connection:
        connection.executemany(change, [(original, copy) for copy, original in copies.items()])


def meta(path: Path) -> dict[str, str]:
    """What a features file says of itself.

    Raises:
        StoreError: no features file.
    """
    if not path.exists():
        raise StoreError(f"{path.name} is missing. Make it with: dvc repro {stages.makers(paths.features, path.stem)}")
    try:
        if path.is_dir():
            return mapped.meta(path)
        with closing(_open(path)) as connection:
            return dict(connection.execute("SELECT key, value FROM meta"))
    except (sqlite3.DatabaseError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path.name} is no features file ({error}). Delete it and run its stage again") from None


def read(path: Path) -> FeatureSet:
    """A whole features file, in the catalogue's order; mapped from disk where it is a folder.

    Raises:
        StoreError: no features file, another schema, or rows that do not fit the dimension it states.
    """
    facts = meta(path)
    if not path.is_dir() and facts.get("schema") != SCHEMA:
        raise StoreError(f"{path.name} has another schema. Expected {SCHEMA!r}. Received: {facts.get('schema')!r}")
    try:
        ids, vectors = mapped.read(path) if path.is_dir() else _rows(path, int(facts["dimension"]))
        return FeatureSet(ids, vectors, facts["encoder_id"])
    except (sqlite3.DatabaseError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{path.name} is damaged ({error}). Delete it and run its stage again") from None


def _rows(path: Path, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    with closing(_open(path)) as connection:
        count = connection.execute("SELECT COUNT(*) FROM image_features").fetchone()[0]
        ids, vectors = np.empty(count, object), np.empty((count, dimension), np.float32)
        for row, (image_id, blob) in enumerate(
            connection.execute("SELECT image_name, features FROM image_features ORDER BY rowid")
        ):
            if len(blob) != 4 * dimension:
                raise StoreError(f"{path.name}: {image_id} has {len(blob) // 4} numbers, expected {dimension}")
            ids[row], vectors[row] = image_id, np.frombuffer(blob, "<f4")
    return ids, vectors


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
