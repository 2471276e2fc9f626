"""Vectors in PostgreSQL with pgvector: a table of them, searched exactly or through an HNSW index.

psycopg is imported where a database is asked, and nowhere else: whoever has none needs none. An index is made of half
precision, which takes 4,000 dimensions where whole numbers of pgvector take 2,000; what it finds is measured again in
full.
"""

import os
import queue
import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

Connection = Any  # of psycopg
ADDRESS = "SITE_DATABASE"  # the environment's variable with the addresses, blanks between
OLDEST_SERVER, OLDEST_PGVECTOR = 15, (0, 8, 3)  # older ones lose rows of an index when they vacuum it
PATIENCE = 10  # seconds that a question may take, and two more until a silent link is given up
CONNECTING = 3  # seconds
MOST = 8  # connections of a process to one server: it takes a hundred in all, unless it is told otherwise
INLINE, INDEXED = 2_000, 4_000  # dimensions that fit into a page of a table, and into an index
LINKS, BUILD_DEPTH, SEARCH_DEPTH = 16, 64, 200  # HNSW's m and ef_construction, as pgvector has them; ef_search
CANDIDATES = 1_000  # that an index gives at most
OPERATORS = {"cosine": "<=>", "euclidean": "<->", "manhattan": "<+>"}
SETTINGS = {
    "statement_timeout": PATIENCE * 1000,
    "hnsw.iterative_scan": "strict_order",  # goes on until enough are left after the filters
    "hnsw.ef_search": SEARCH_DEPTH,
}
LINK = ("08", "57P")  # how the states of a lost or ended connection begin; without a state it was the link
EXAMPLE = "postgresql://name@host:5432/database, with the password in PGPASSWORD or ~/.pgpass"


class DatabaseError(RuntimeError):
    """A database that cannot be asked; the message is one line and holds no password."""


class Server:
    """One database. Connections are made when they are wanted and lent to one thread at a time."""

    def __init__(self, address: str):
        """Connects to nothing yet.

        Raises:
            DatabaseError: psycopg is not installed, or this is no address of a PostgreSQL.
        """
        try:
            from psycopg import Error, conninfo
        except ImportError:
            raise DatabaseError("a database needs psycopg: pip install -e .[database]") from None
        try:
            told = conninfo.conninfo_to_dict(address) if address.startswith(("postgresql://", "postgres://")) else {}
        except Error:
            told = {}
        if not told:  # what was given may hold a password, so it is not repeated
            raise DatabaseError(f"this is no address of a PostgreSQL. Allowed: {EXAMPLE}")
        self._address = address
        self.name = f"{told.get('host', 'localhost')}:{told.get('port', 5432)}/{told.get('dbname', '')}"
        self._free: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._lent = threading.BoundedSemaphore(MOST)

    def ask(self, statement: str, values: Any = ()) -> list[tuple]:
        """The rows that one statement gives. Raises DatabaseError."""
        with self.transaction() as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self, patience: float | None = PATIENCE) -> Iterator[Connection]:
        """A connection whose changes are all made or none; None: it may take as long as it takes.

        Raises:
            DatabaseError: it does not answer, not in time, or refuses. psycopg.IntegrityError: what is there is
                contradicted.
        """
        with self._lending() as connection, _within(connection, patience), connection.transaction():
            if patience is None:
                connection.execute("SET LOCAL statement_timeout = 0")
            yield connection

    @contextmanager
    def unbound(self) -> Iterator[Connection]:
        """A connection in no transaction, for what PostgreSQL refuses in one; a statement takes as long as it takes.

        Raises:
            DatabaseError: it does not answer, or refuses.
        """
        with self._lending() as connection:
            try:
                connection.execute("SET statement_timeout = 0")
                yield connection
            finally:
                connection.close()  # what was set goes with it

    @contextmanager
    def _lending(self) -> Iterator[Connection]:
        """A connection that nobody else uses meanwhile. Raises: as `transaction`."""
        import psycopg

        if not self._lent.acquire(timeout=PATIENCE):
            raise DatabaseError(f"the database {self.name} is asked too much at once; ask again in a moment")
        connection = None
        try:
            connection = self._idle() or self._connected()
            yield connection
        except psycopg.IntegrityError:
            raise
        except psycopg.Error as error:
            if connection is not None:
                connection.close()
            if isinstance(error, psycopg.OperationalError) and (error.sqlstate or LINK[0]).startswith(LINK):
                self._let_go()  # a link that is down has cut these too, and each would be waited for in its turn
            raise DatabaseError(f"the database {self.name} does not answer: {_line(error)}") from None
        finally:
            if connection is not None and not connection.closed:
                self._free.put(connection)
            self._lent.release()

    def _idle(self) -> Connection | None:
        """A connection that nobody uses; one at which there is something to read has been closed by the server."""
        with suppress(queue.Empty):
            while True:
                connection = self._free.get_nowait()
                if not connection.closed and not select.select([connection.fileno()], [], [], 0)[0]:
                    return connection
                connection.close()
        return None

    def _let_go(self) -> None:
        """Closes the connections that nobody uses."""
        with suppress(queue.Empty):
            while True:
                self._free.get_nowait().close()

    def _connected(self) -> Connection:
        import psycopg

        options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        return psycopg.connect(
            self._address, connect_timeout=CONNECTING, options=options, application_name="site", autocommit=True
        )


@contextmanager
def _within(connection: Connection, patience: float | None) -> Iterator[None]:
    """Cuts a connection off when its time is up: a link that is down says nothing by itself."""
    from psycopg import Error

    if patience is None:
        yield
        return

    def cut() -> None:
        with suppress(OSError, Error), socket.socket(fileno=os.dup(connection.fileno())) as link:
            link.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(patience + 2, cut)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _line(error: Exception) -> str:
    """What a fault of the database says first."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def check(server: Server) -> None:
    """Raises DatabaseError unless a server is new enough and has pgvector; it is installed in the database here."""
    with server.transaction(None) as connection:
        if connection.info.server_version < OLDEST_SERVER * 10_000:
            raise DatabaseError(f"{server.name} is PostgreSQL {connection.info.server_version // 10_000}; 15 is needed")
        there = connection.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
        version = (there.fetchone() or ("0",))[0]
        if tuple(int(part) for part in version.split(".")) < OLDEST_PGVECTOR:
            raise DatabaseError(f"{server.name} has pgvector {version}; 0.8.3 or later is needed")
        connection.execute("SELECT pg_advisory_xact_lock(1)")  # of several who begin at once
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")


def make(connection: Connection, table: str, dimension: int) -> None:
    """Makes a table of vectors (D,) by whole-numbered keys.

    Vectors lie beside their keys where a page holds one, which the planner needs to ask several processes at once.
    """
    storage = "PLAIN" if dimension <= INLINE else "EXTERNAL"
    connection.execute(
        f"CREATE TABLE {table} (key bigint PRIMARY KEY, v vector({dimension}) STORAGE {storage} NOT NULL)"
    )


def fill(connection: Connection, table: str, keys: Sequence[int], vectors: Iterable[np.ndarray]) -> None:
    """Puts vectors (D,) into a table under their keys, one after another."""
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} (key, v) FROM STDIN") as copy:
        for key, vector in zip(keys, vectors, strict=True):
            copy.write_row((key, written(vector)))


def build_index(server: Server, table: str, dimension: int) -> None:
    """Builds the HNSW index of a table, by cosine, where there is none. Whoever writes to the table goes on meanwhile.

    Raises:
        DatabaseError: too many dimensions, or the database does not answer.
    """
    if dimension > INDEXED:
        raise DatabaseError(f"an index takes {INDEXED:,} dimensions. Received: {dimension:,}. Search exactly")
    index, options = f"{table}_hnsw", f"WITH (m = {LINKS}, ef_construction = {BUILD_DEPTH})"
    column = f"({_half('v', dimension)} halfvec_cosine_ops)"
    with server.unbound() as connection:
        # asked for time and again: a build waits for every statement under way, so for one that waits for the build
        while not connection.execute("SELECT pg_try_advisory_lock(2, hashtext(%s))", (index,)).fetchone()[0]:
            time.sleep(1)
        left = "SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid"
        if connection.execute(left, (index,)).fetchall():  # by a build that was killed
            connection.execute(f"DROP INDEX CONCURRENTLY {index}")
        connection.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index} ON {table} USING hnsw {column} {options}")


def written(vector: np.ndarray) -> str:
    """A vector (D,) as the database reads it; its numbers come back as they were."""
    return "[" + ",".join(map(repr, np.asarray(vector, np.float32).tolist())) + "]"


def far(distance: str) -> str:
    """The distance of a vector `v` from the parameter `vector`, as SQL; vectors of zeros are at 1, as they are here."""
    measured = f"(v {OPERATORS[distance]} %(vector)s::vector)"
    return f"coalesce(nullif({measured}, 'NaN'), 1)" if distance == "cosine" else measured


def through_index(table: str, dimension: int, where: str) -> str:
    """The rows of a table that its index finds nearest to the parameter `vector`, as SQL; `near` of them."""
    ordered = f"{_half('v', dimension)} <=> {_half('%(vector)s::vector', dimension)}"
    return f"SELECT key, v FROM {table} AS f WHERE {where} ORDER BY {ordered} LIMIT %(near)s"


def nearest(
    server: Server, table: str, dimension: int, indexed: bool, queries: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The keys of the vectors nearest to each of some queries (Q, D) by cosine, and the distances, (Q, K) each."""
    source = f"({through_index(table, dimension, 'true')}) AS f" if indexed else table
    statement = f"SELECT key, {far('cosine')} AS far FROM {source} ORDER BY far, key LIMIT %(count)s"
    keys, distances = np.full((len(queries), count), -1, np.int64), np.full((len(queries), count), np.inf)
    with server.transaction(None) as connection:
        for row, query in enumerate(queries):
            values = {"vector": written(query), "near": 2 * count, "count": count}
            found = connection.execute(statement, values).fetchall()
            keys[row, : len(found)] = [key for key, _ in found]
            distances[row, : len(found)] = [apart for _, apart in found]
    return keys, distances


def _half(vector: str, dimension: int) -> str:
    """A vector in half precision, of length 1: features of any size keep their digits."""
    return f"(l2_normalize({vector})::halfvec({dimension}))"
