"""A run's products into databases, as `python -m pipeline.app load` does it: the schema, the catalogue, the features.

Each step is one transaction for each database and is left out where it was done: a load that was stopped is run again.
An index alone is built in none, so that products are added meanwhile.
"""

import hashlib
import importlib.resources
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline import params, paths
from pipeline.data import catalog, text
from pipeline.encoders import store
from pipeline.retrieval import database
from pipeline.retrieval.database import DatabaseError, Server
from pipeline.site import shared, snapshots

MIGRATIONS = importlib.resources.files("pipeline.site") / "migrations"  # each file's number is before its first `_`


def load(study: params.Study, addresses: Sequence[str], names: Sequence[str], index: bool) -> None:
    """Loads the catalogue and some encoders' features, each product into the database of its id's hash.

    Args:
        index: builds the HNSW index of each, which takes minutes for a million products.

    Raises:
        DatabaseError: one does not answer, is too old, or holds another catalogue. CatalogError, StoreError.
    """
    servers = [Server(address) for address in addresses]
    frame = catalog.load(study.data.name)
    parts = np.array([shared.part_of(identity, len(servers)) for identity in frame[catalog.ID]])
    words = text.weighted(*text.counted(snapshots.described(frame), {}))
    for part, server in enumerate(servers):
        database.check(server)
        migrate(server)
        _catalogue(server, frame, words, np.flatnonzero(parts == part), (part, len(servers)))
        for name in names:
            features = store.read(paths.features(study.data.name, name))
            if features.ids.tolist() != frame[catalog.ID].tolist():
                raise store.StoreError(f"the features of {name} are not of this catalogue's pictures. Run: dvc repro")
            _features(server, features.encoder_id, features.vectors, np.flatnonzero(parts == part))
            if index:
                _index(server, features.encoder_id)
        print(f"{server.name}: {(parts == part).sum():,} products, {', '.join(names)}", flush=True)


def migrate(server: Server) -> None:
    """Brings a database's schema to what this program needs, file by file. Raises DatabaseError."""
    with server.transaction(None) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(1)")  # of several who begin at once
        connection.execute("CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY)")
        done = {number for (number,) in connection.execute("SELECT number FROM migration")}
        if done and max(done) > shared.SCHEMA:
            raise DatabaseError(f"{server.name} is at migration {max(done)}, newer than this program ({shared.SCHEMA})")
        for file in sorted(MIGRATIONS.iterdir(), key=lambda one: one.name):
            number = int(file.name.split("_")[0])
            if number not in done:
                connection.execute(file.read_text(encoding="utf-8"))
                connection.execute("INSERT INTO migration VALUES (%s)", (number,))


def _catalogue(server: Server, frame: pd.DataFrame, words: tuple, rows: np.ndarray, place: tuple[int, int]) -> None:
    """The products of some rows and all words, where there are none yet."""
    vectorizer, weights = words
    told = [snapshots.told(frame).tolist(), frame[catalog.SHA256].tolist()]
    digest = hashlib.sha256(repr(told).encode()).hexdigest()
    with server.transaction(None) as connection:
        connection.execute("LOCK TABLE catalogue")  # of two loads the later finds it done
        there = connection.execute("SELECT digest, part, parts FROM catalogue").fetchone()
        if there == (digest, *place):
            return
        if there is not None:
            raise DatabaseError(f"{server.name} holds another catalogue or part of one. Give each its own database")
        _copy(connection, "product", _products(frame, weights, rows))
        _copy(connection, "word", _words(vectorizer))
        connection.execute("SELECT setval('word_place_seq', (SELECT max(place) FROM word))")
        connection.execute("INSERT INTO catalogue VALUES (%s, %s, %s, %s)", (digest, len(frame), *place))


def _products(frame: pd.DataFrame, weights: Any, rows: np.ndarray) -> tuple[str, list[tuple]]:
    told, copies = snapshots.told(frame), frame[catalog.SHA256].to_numpy()

    def said(row: int) -> str:
        one = weights[row]
        return shared.sparse(dict(zip((one.indices + 1).tolist(), one.data.tolist(), strict=True)))

    columns = f"key, catalogued, copies, words, {shared.COLUMNS}"
    return columns, [(int(row), True, copies[row], said(row), *told[row]) for row in rows]


def _words(vectorizer: Any) -> tuple[str, list[tuple]]:
    stems = sorted(vectorizer.vocabulary_.items(), key=lambda one: one[1])
    return "place, stem, weight", [(place + 1, stem, float(vectorizer.idf_[place])) for stem, place in stems]


def _copy(connection: Any, table: str, given: tuple[str, list[tuple]]) -> None:
    columns, rows = given
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _features(server: Server, identity: str, vectors: np.ndarray, rows: np.ndarray) -> None:
    """An encoder's features of some rows, where there are none yet; what was added is encoded by whoever asks first."""
    with server.transaction(None) as connection:
        new = "INSERT INTO encoder (identity, dimension) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING number"
        found = connection.execute(new, (identity, vectors.shape[1])).fetchone()
        if found is None:
            return
        table = shared.Table(found[0], vectors.shape[1], False)
        database.make(connection, table.name, table.dimension)
        database.fill(connection, table.name, rows.tolist(), (vectors[row] for row in rows))
        connection.execute(f"ANALYZE product, {table.name}")
        # whoever adds waits from here to the end, and then knows this encoder: no product is missed by both
        connection.execute("LOCK TABLE product IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(f"ALTER TABLE {table.name} ADD FOREIGN KEY (key) REFERENCES product ON DELETE CASCADE")
        waiting = "INSERT INTO missing SELECT %s, key FROM product WHERE NOT catalogued"
        connection.execute(waiting, (table.number,))


def _index(server: Server, identity: str) -> None:
    table = shared.tables(server)[identity]
    database.build_index(server, table.name, table.dimension)
