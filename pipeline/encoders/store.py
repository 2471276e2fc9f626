"""Features on disk: a SQLite file per encoder ↔ `FeatureSet`.

The thesis's table `image_features(image_name, features)` (section 3.8) and a table `meta`.
Differs: features are little-endian float32 blobs, not comma-separated text: exact, and five times smaller.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import files, paths, stages

SCHEMA = "1"
TABLES = """
CREATE TABLE image_features (image_name TEXT NOT NULL UNIQUE, features BLOB NOT NULL);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class StoreError(ValueError):
    """A features file that is missing, unfinished, damaged or of another version."""


@dataclass(frozen=True)
class FeatureSet:
    """Features of one encoder: `vectors` (G, D) float32, row i belongs to `ids[i]`; checked and read-only.

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
        if not np.isfinite(self.vectors).all():
            raise ValueError(
                "vectors must be finite. "
                f"Received: {int((~np.isfinite(self.vectors)).any(axis=1).sum())} rows that are not"
            )
        self.vectors.setflags(write=False)

    def take(self, rows: np.ndarray) -> "FeatureSet":
        """The features of some rows, by position or by mask."""
        return FeatureSet(self.ids[rows], self.vectors[rows], self.encoder_id)


def create(path: Path, meta: dict[str, str]) -> sqlite3.Connection:
    """A new, empty file. `sqlite3.Connection` so that the writer decides when its rows are committed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(f"BEGIN; {TABLES}")  # a kill leaves all of this or nothing
    connection.executemany("INSERT INTO meta VALUES (?, ?)", sorted({**meta, "schema": SCHEMA}.items()))
    connection.commit()
    return connection


def append(connection: sqlite3.Connection, ids: list[str], vectors: np.ndarray) -> None:
    """Adds rows in one transaction: all of them or none. `vectors`: (B, D)."""
    rows = zip(ids, (row.astype("<f4").tobytes() for row in vectors), strict=True)
    with connection:
        connection.executemany("INSERT INTO image_features VALUES (?, ?)", rows)


def repeat(connection: sqlite3.Connection, copies: dict[str, str]) -> None:
    """Gives images the features of others, copy → original by id, in one transaction."""
    change = """
        UPDATE image_features SET features = (SELECT features FROM image_features WHERE image_name = ?)
        WHERE image_name = ?
    """
    with connection:
        connection.executemany(change, [(original, copy) for copy, original in copies.items()])


def finish(connection: sqlite3.Connection, path: Path) -> None:
    """Writes the rows to `path` in one go and closes: a file with this name is always whole.

    A copy is packed anew, so its bytes depend on the rows alone and not on how often the work was interrupted.
    """
    with files.whole_file(path) as partial:
        connection.execute("VACUUM INTO ?", (str(partial),))
        connection.close()


def meta(path: Path) -> dict[str, str]:
    """What a features file says of itself.

    Raises:
        StoreError: no features file.
    """
    if not path.exists():
        raise StoreError(f"{path.name} is missing. Make it with: dvc repro {stages.makers(paths.features, path.stem)}")
    try:
        with closing(_open(path)) as connection:
            return dict(connection.execute("SELECT key, value FROM meta"))
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path.name} is no features file ({error}). Delete it and run its stage again") from None


def read(path: Path) -> FeatureSet:
    """A whole features file, in the catalogue's order.

    Raises:
        StoreError: no features file, another schema, or rows that do not fit the dimension it states.
    """
    facts = meta(path)
    if facts.get("schema") != SCHEMA:
        raise StoreError(f"{path.name} has another schema. Expected {SCHEMA!r}. Received: {facts.get('schema')!r}")
    try:
        dimension = int(facts["dimension"])
        ids, vectors = _rows(path, dimension)
        return FeatureSet(ids, vectors, facts["encoder_id"])
    except (sqlite3.DatabaseError, KeyError, ValueError, TypeError) as error:
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
