"""Products that people added to the site or took off it: one SQLite file, which the study's own results never see.

Every change is one transaction: after a kill it is there, or it is not. An image from outside is stored as this program
drew it anew, never as the bytes that came.
"""

import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data import catalog

MOST = 10_000  # added products: they are searched beside the catalogue, in memory
LARGEST = 512  # pixels of a stored image's longer side
LONGEST = 200  # letters of a name or an attribute
Added = list[tuple[int, str]]  # products that were added: the number of the change that did it, and the id
TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS added (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, facts TEXT NOT NULL,
                                  picture BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS features (id TEXT NOT NULL, encoder_id TEXT NOT NULL, vector BLOB NOT NULL,
                                     PRIMARY KEY (id, encoder_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS removed (id TEXT PRIMARY KEY) WITHOUT ROWID;
COMMIT;
"""


class ProductError(ValueError):
    """A product that cannot be stored; the message says why."""


class Conflict(ProductError):
    """A change that does not go with what is there."""


class Missing(ValueError):
    """A product that is not there."""


@dataclass(frozen=True)
class Shelf:
    """What has been added and removed at one moment.

    `version` grows with every change, whichever process makes it. `numbers` are those of all added products, `new` the
    number, id and facts of some, the oldest first; `hidden` the ids of the catalogue's products that were taken away.
    """

    version: int
    numbers: set[int]
    new: list[tuple[int, str, dict[str, str]]]
    hidden: set[str]


def version(path: Path) -> int:
    """The `version` of a shelf: it is what it was if nothing has changed."""
    with _reading(path) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def look(path: Path, since: int = 0) -> Shelf:
    """A shelf as it is, with the products that were added after the change `since`."""
    with _reading(path) as connection:
        connection.execute("BEGIN")  # all of it at one moment
        rows = connection.execute("SELECT number, id, facts FROM added WHERE number > ? ORDER BY number", (since,))
        return Shelf(
            new=[(number, identity, json.loads(facts)) for number, identity, facts in rows],
            version=connection.execute("PRAGMA user_version").fetchone()[0],
            numbers={number for (number,) in connection.execute("SELECT number FROM added")},
            hidden={identity for (identity,) in connection.execute("SELECT id FROM removed")},
        )


def add(path: Path, identity: str, facts: dict[str, str], picture: bytes, vectors: dict[str, np.ndarray]) -> None:
    """Stores a product with its features under each encoder: all of it or nothing.

    Args:
        facts: by the catalogue's columns; what is not said is blank.
        picture: what `stored` made.
        vectors: by encoder id, (D,) each.

    Raises:
        ProductError: the id is not usable, or a fact is no column or too long.
        Conflict: the id is taken, or there are too many products.
    """
    check(identity, facts)
    with _writing(path) as connection:
        if connection.execute("SELECT COUNT(*) FROM added").fetchone()[0] >= MOST:
            raise Conflict(f"{MOST:,} products have been added, which is the most. Take some away first")
        if connection.execute("SELECT 1 FROM added WHERE id = ?", (identity,)).fetchone():
            raise Conflict(f"the id {identity!r} is taken. Choose another, or take that product away")
        number = _next(connection)
        connection.execute("INSERT INTO added VALUES (?, ?, ?, ?)", (number, identity, json.dumps(facts), picture))
        rows = [(identity, encoder_id, _blob(vector)) for encoder_id, vector in vectors.items()]
        connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)


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


def remove(path: Path, identity: str, catalogued: bool) -> None:
    """Takes a product away: one that was added is deleted with its image, one of the catalogue is hidden.

    Args:
        catalogued: it is the catalogue's.

    Raises:
        Missing: it is not the catalogue's, and nobody has added it, or another process has taken it away meanwhile.
    """
    with _writing(path) as connection:
        _next(connection)
        if catalogued:
            connection.execute("INSERT OR IGNORE INTO removed VALUES (?)", (identity,))
        elif not connection.execute("DELETE FROM added WHERE id = ?", (identity,)).rowcount:
            raise Missing(f"there is no product {identity[:80]!r}")
        connection.execute("DELETE FROM features WHERE id = ?", (identity,))


def restore(path: Path, identity: str) -> None:
    """Shows a product of the catalogue again.

    Raises:
        Conflict: it was not hidden.
    """
    with _writing(path) as connection:
        _next(connection)
        if not connection.execute("DELETE FROM removed WHERE id = ?", (identity,)).rowcount:
            raise Conflict(f"{identity!r} was not taken away, or it was an added product, which is gone for good")


def picture(path: Path, identity: str) -> bytes:
    """An added product's image, PNG. Raises Missing: there is none, or it has been taken away meanwhile."""
    with _reading(path) as connection:
        row = connection.execute("SELECT picture FROM added WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise Missing(f"there is no added product {identity[:80]!r}")
    return row[0]


def features(path: Path, encoder_id: str, ids: list[str]) -> dict[str, np.ndarray]:
    """Some added products' features under one encoder, (D,) by id; an id without any is left out."""
    asked = "SELECT vector FROM features WHERE id = ? AND encoder_id = ?"
    with _reading(path) as connection:
        rows = {identity: connection.execute(asked, (identity, encoder_id)).fetchone() for identity in ids}
    return {identity: np.frombuffer(row[0], "<f4") for identity, row in rows.items() if row}


def keep(path: Path, encoder_id: str, vectors: dict[tuple[int, str], np.ndarray]) -> None:
    """Stores features of added products under one more encoder; of one that is gone meanwhile nothing stays."""
    there = "INSERT OR REPLACE INTO features SELECT id, ?, ? FROM added WHERE number = ? AND id = ?"
    with _writing(path) as connection:
        connection.executemany(there, [(encoder_id, _blob(vector), *key) for key, vector in vectors.items()])


def stored(photo: Image.Image) -> bytes:
    """An image as it is kept and encoded: RGB, at most `LARGEST` pixels a side, PNG with nothing beside the pixels."""
    small = photo.copy()
    small.thumbnail((LARGEST, LARGEST))
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(small)).save(buffer, "PNG")
    return buffer.getvalue()


def _blob(vector: np.ndarray) -> bytes:
    return np.asarray(vector).astype("<f4").tobytes()


def _next(connection: sqlite3.Connection) -> int:
    """The number of the change that is under way: larger than all before it, and the shelf's version from now on."""
    before = connection.execute("PRAGMA user_version").fetchone()[0]
    last = connection.execute("SELECT COALESCE(MAX(number), 0) FROM added").fetchone()[0]  # of a file without versions
    number = max(before, last) + 1
    connection.execute(f"PRAGMA user_version = {number}")
    return number


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The file to be read; nothing is written where there is none, and a disk that may not be written will do."""
    there = path.exists() and path.stat().st_size > 0
    # to be written, if only to undo what a killed process has left half done
    place = f"{path.absolute().as_uri()}?mode=rw" if there else ":memory:"
    with closing(sqlite3.connect(place, uri=True, timeout=30, isolation_level=None)) as connection:
        if not there:
            connection.executescript(TABLES)
        yield connection


@contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction on the file, which is made where there is none; one process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        if not path.stat().st_size:
            connection.executescript(TABLES)
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            yield connection
