"""Products that people added to the site or took off it: one SQLite file, which the study's own results never see.

Every change is one transaction: after a kill it is there, or it is not. An image from outside is stored as this program
drew it anew, never as the bytes that came.
"""

import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data import catalog

MOST = 10_000  # added products: they are searched beside the catalogue, in memory
LARGEST = 512  # pixels of a stored image's longer side
LONGEST = 200  # letters of a name or an attribute
TABLES = """
CREATE TABLE IF NOT EXISTS added (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, facts TEXT NOT NULL,
                                  picture BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS features (id TEXT NOT NULL, encoder_id TEXT NOT NULL, vector BLOB NOT NULL,
                                     PRIMARY KEY (id, encoder_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS removed (id TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class ProductError(ValueError):
    """A product that cannot be added, found or taken away; the message says why."""


def add(path: Path, identity: str, facts: dict[str, str], picture: bytes, vectors: dict[str, np.ndarray]) -> None:
    """Stores a product with its features under each encoder: all of it or nothing.

    Args:
        facts: by the catalogue's columns; what is not said is blank.
        picture: what `stored` made.
        vectors: by encoder id, (D,) each.

    Raises:
        ProductError: the id is taken or not usable, a fact is no column or too long, or there are too many products.
    """
    check(identity, facts)
    with _open(path) as connection:
        if connection.execute("SELECT COUNT(*) FROM added").fetchone()[0] >= MOST:
            raise ProductError(f"{MOST:,} products have been added, which is the most. Take some away first")
        try:
            connection.execute(
                "INSERT INTO added (id, facts, picture) VALUES (?, ?, ?)", (identity, json.dumps(facts), picture)
            )
        except sqlite3.IntegrityError:
            raise ProductError(f"the id {identity!r} is taken. Choose another, or take that product away") from None
        _keep(connection, {(identity, encoder_id): vector for encoder_id, vector in vectors.items()})


def check(identity: str, facts: dict[str, str]) -> None:
    """Raises ProductError unless an id and facts can be stored."""
    if not catalog.ID_PATTERN.fullmatch(identity):
        raise ProductError(f"an id is 1 to 64 letters, digits, '-' and '_'. Received: {identity[:80]!r}")
    allowed = [*catalog.LABELS, catalog.PRODUCT]
    for name, value in facts.items():
        if name not in allowed:
            raise ProductError(f"a product has no {name!r}. Allowed: {allowed}")
        if len(value) > LONGEST or not value.isprintable():
            raise ProductError(f"{name} may have {LONGEST} printable letters. Received: {len(value)} letters")


def remove(path: Path, identity: str) -> None:
    """Takes a product away: one that was added is deleted with its image, one of the catalogue is hidden."""
    with _open(path) as connection:
        gone = connection.execute("DELETE FROM added WHERE id = ?", (identity,)).rowcount
        connection.execute("DELETE FROM features WHERE id = ?", (identity,))
        if not gone:
            connection.execute("INSERT OR IGNORE INTO removed VALUES (?)", (identity,))


def restore(path: Path, identity: str) -> None:
    """Shows a product of the catalogue again.

    Raises:
        ProductError: it was not hidden.
    """
    with _open(path) as connection:
        if not connection.execute("DELETE FROM removed WHERE id = ?", (identity,)).rowcount:
            raise ProductError(f"{identity!r} was not taken away, or it was an added product, which is gone for good")


def added(path: Path) -> list[tuple[str, dict[str, str]]]:
    """The added products' ids and facts, the oldest first."""
    with _open(path) as connection:
        return [
            (identity, json.loads(facts))
            for identity, facts in connection.execute("SELECT id, facts FROM added ORDER BY number")
        ]


def removed(path: Path) -> set[str]:
    """The ids of the catalogue's products that are hidden."""
    with _open(path) as connection:
        return {identity for (identity,) in connection.execute("SELECT id FROM removed")}


def picture(path: Path, identity: str) -> bytes:
    """An added product's image, PNG. Raises ProductError: there is none, or it has been taken away meanwhile."""
    with _open(path) as connection:
        row = connection.execute("SELECT picture FROM added WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise ProductError(f"there is no added product {identity[:80]!r}")
    return row[0]


def features(path: Path, encoder_id: str) -> dict[str, np.ndarray]:
    """The added products' features under one encoder, (D,) by id."""
    with _open(path) as connection:
        rows = connection.execute("SELECT id, vector FROM features WHERE encoder_id = ?", (encoder_id,))
        return {identity: np.frombuffer(blob, "<f4") for identity, blob in rows}


def keep(path: Path, encoder_id: str, vectors: dict[str, np.ndarray]) -> None:
    """Stores features of added products under one more encoder."""
    with _open(path) as connection:
        _keep(connection, {(identity, encoder_id): vector for identity, vector in vectors.items()})


def stored(photo: Image.Image) -> bytes:
    """An image as it is kept and encoded: RGB, at most `LARGEST` pixels a side, PNG with nothing beside the pixels."""
    small = photo.copy()
    small.thumbnail((LARGEST, LARGEST))
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(small)).save(buffer, "PNG")
    return buffer.getvalue()


def _keep(connection: sqlite3.Connection, vectors: dict[tuple[str, str], np.ndarray]) -> None:
    rows = [(*key, np.asarray(vector).astype("<f4").tobytes()) for key, vector in vectors.items()]
    connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction on the file, which is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.executescript(TABLES)
        with connection:
            yield connection
