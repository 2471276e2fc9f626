"""Vectors in PostgreSQL: as near as in memory, whatever their size and length; and what is said without a database."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipeline.retrieval import database, indexes
from pipeline.retrieval.database import DatabaseError, Server
from pipeline.retrieval.distances import DISTANCES


def vectors(count, size):
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(20, size))
    return (centres[rng.integers(20, size=count)] + 0.4 * rng.normal(size=(count, size))).astype(np.float32)


def test_an_index_study_finds_what_it_finds_in_memory(server, monkeypatch):
    monkeypatch.setenv(database.ADDRESS, server.new("study"))
    gallery, queries = vectors(1500, 24), vectors(20, 24)
    gallery[7] = 0
    positions, far = indexes.build("exact", gallery)(queries, 15)
    found, apart = indexes.build("postgres", gallery)(queries, 15)
    assert apart == pytest.approx(far, abs=1e-6)
    assert (found == positions).mean() > 0.99
    _, near = indexes.build("postgres_hnsw", gallery)(queries, 15)
    assert indexes.overlap(near, far).mean() > 0.95
    assert indexes.build("postgres", gallery[:3])(queries, 5)[0][:, 3:].tolist() == [[-1, -1]] * 20
    assert indexes.build("postgres", gallery)(gallery[7:8], 1)[1].tolist() == [[1]]  # of zeros, as in memory


@pytest.mark.parametrize(("size", "scale"), [(128, 1e-6), (128, 1e6), (2048, 1)])
def test_features_of_any_size_and_of_more_than_two_thousand_numbers_have_an_index(server, size, scale):
    asked = Server(server.new("wide"))
    database.check(asked)
    gallery, query = vectors(600, size) * np.float32(scale), vectors(1, size)
    with asked.transaction(None) as connection:
        database.make(connection, "f", size)
        database.fill(connection, "f", range(600), gallery)
    database.build_index(asked, "f", size)
    with asked.transaction() as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        connection.execute("SET LOCAL enable_sort = off")
        statement = database.through_index("f", size, "true")
        values = {"vector": database.written(query[0]), "near": 50}
        plan = connection.execute(f"EXPLAIN {statement}", values).fetchall()
        assert "f_hnsw" in str(plan)
        found = [key for key, _ in connection.execute(statement, values).fetchall()]
    nearest = np.argsort(DISTANCES["cosine"](query, gallery)[0])[:20]
    assert len(set(nearest.tolist()) & set(found)) >= 18
    rows = asked.ask("SELECT v::real[] FROM f ORDER BY key")
    assert np.array_equal(np.array([row for (row,) in rows], np.float32), gallery)  # they come back as they were


def test_what_no_index_takes_is_said(server):
    asked = Server(server.new("wider"))
    database.check(asked)
    with asked.transaction() as connection:
        database.make(connection, "f", 4001)
    with pytest.raises(DatabaseError, match="4,000 dimensions. Received: 4,001"):
        database.build_index(asked, "f", 4001)
    assert asked.ask("SELECT to_regclass('f_hnsw')") == [(None,)]


def test_two_builds_of_one_index_at_once_make_one_and_take_what_time_they_need(server, monkeypatch):
    monkeypatch.setitem(database.SETTINGS, "statement_timeout", 50)
    asked, gallery = Server(server.new("twice")), vectors(3000, 128)
    database.check(asked)
    with asked.transaction(None) as connection:
        database.make(connection, "f", 128)
        database.fill(connection, "f", range(3000), gallery)
    with ThreadPoolExecutor() as both:
        for built in [both.submit(database.build_index, asked, "f", 128) for _ in range(2)]:
            built.result()
    assert asked.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('f_hnsw')") == [(True,)]
    assert asked.ask("SHOW statement_timeout") == [("50ms",)]


def test_an_older_pgvector_is_refused(server, monkeypatch):
    monkeypatch.setattr(database, "OLDEST_PGVECTOR", (99, 0))
    with pytest.raises(DatabaseError, match="or later is needed"):
        database.check(Server(server.new("older")))
    monkeypatch.setattr(database, "OLDEST_SERVER", 99)
    with pytest.raises(DatabaseError, match="is needed"):
        database.check(Server(server.new("older")))


def test_connections_are_lent_once_each_and_not_without_end(server, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    asked = Server(server.new("lent"))
    lent = [asked.transaction(None) for _ in range(database.MOST)]
    assert len({id(one.__enter__()) for one in lent}) == database.MOST
    with pytest.raises(DatabaseError, match="too much at once"):
        asked.ask("SELECT 1")
    for one in lent:
        one.__exit__(None, None, None)
    assert asked.ask("SELECT 1") == [(1,)]


@pytest.mark.parametrize("kind", ["postgres", "postgres_hnsw"])
def test_an_index_study_without_a_database_says_so(kind, monkeypatch):
    for address, said in ((None, "names no database"), ("postgresql://me:secret@127.0.0.1:9/x", "psycopg|not answer")):
        monkeypatch.delenv(database.ADDRESS, raising=False)
        if address:
            monkeypatch.setenv(database.ADDRESS, address)
        with pytest.raises(indexes.IndexMissing, match=said) as told:
            indexes.build(kind, np.ones((3, 2), np.float32))
        assert "secret" not in str(told.value)
