"""Search among many products on this computer and in PostgreSQL with pgvector, side by side:

    SITE_DATABASE=postgresql://… python -m benchmarks.database FEATURES.sqlite [--products 1000000] [--dimensions 128]
                                                                     [--ways exact database hnsw]

The products are jittered copies of a run's features, after PCA. Everything runs on this computer, the database too, so
compare rows of one table. `added` are vectors a second, each in a transaction of its own, while another connection
searches; on this computer products added to the site's file, which an index does not cover. MB: of the table or index
on the database's disk, beside what its processes hold in memory; here in memory.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from pipeline.encoders import store
from pipeline.params.kinds import Index
from pipeline.retrieval import database, indexes
from pipeline.retrieval.database import Server
from pipeline.site import products
from pipeline.systems import index_study

NEIGHBOURS, ASKED, SECONDS = 10, 200, 20
TABLE = "benchmark"
WAYS = ("exact", "database", "hnsw")


def main() -> None:
    """Prints a row as soon as it is measured, and then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path)
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    given = parser.parse_args()
    gallery, queries = vectors(given.features, given.products, given.dimensions)
    print(f"{len(gallery):,} × {gallery.shape[1]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    rows = []
    for row in measured(gallery, queries, given.ways):
        print(row, flush=True)
        rows.append(row)
    print(pd.DataFrame(rows).to_markdown(index=False))


def vectors(path: Path, count: int, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """So many jittered features (G, D) and some of others that ask (Q, D)."""
    real = store.read(path).vectors
    order = np.random.default_rng(0).permutation(len(real))
    real, asking = real[order[ASKED:]], real[order[:ASKED]]
    reduced, asking = index_study.reduced(real, asking, np.arange(len(real)), dimensions, 0)
    return index_study.grown(reduced, count, 0), np.asarray(asking, np.float32)


def measured(gallery: np.ndarray, queries: np.ndarray, ways: Sequence[str] = WAYS) -> Iterator[dict[str, Any]]:
    """A row per way to search: exactly here, in the database exactly and through its index, through an index here."""
    _, exact = indexes.build("exact", gallery)(queries, NEIGHBOURS)
    if "exact" in ways:
        yield here("exact", gallery, queries, exact)
    if "database" in ways:
        yield from in_database(Server(os.environ[database.ADDRESS]), gallery, queries, exact)
    if "hnsw" in ways:
        yield here("hnsw", gallery, queries, exact)


def here(kind: Index, gallery: np.ndarray, queries: np.ndarray, exact: np.ndarray) -> dict[str, Any]:
    """The row of an index in this process, asked while products are added to the site's file, too; MB: what it holds
    beside the vectors."""
    process, began = psutil.Process(), time.perf_counter()
    before = process.memory_info().rss
    search = indexes.build(kind, gallery)
    built, held = time.perf_counter() - began, process.memory_info().rss - before
    row = {"way": f"here, {kind}", "build s": built, "MB": held / 1e6, **asked(queries, exact, search)}
    with tempfile.TemporaryDirectory() as folder:

        def add(number: int) -> None:
            products.add(Path(folder) / "p", f"p-{number}", {}, b"p" * 20_000, {"e": np.ones(gallery.shape[1])})

        return {**row, **_while(add, lambda: asked(queries, exact, search))}


def in_database(
    server: Server, gallery: np.ndarray, queries: np.ndarray, exact: np.ndarray
) -> Iterator[dict[str, Any]]:
    """The rows of the database: exact, through the index, and through it while vectors are added."""
    size, began = gallery.shape[1], time.perf_counter()
    with server.transaction(None) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
        database.make(connection, TABLE, size)
        database.fill(connection, TABLE, range(len(gallery)), gallery)
        connection.execute(f"ANALYZE {TABLE}")
    built, held = time.perf_counter() - began, server.ask(f"SELECT pg_table_size('{TABLE}')")[0][0]
    for kind in ("exact", "hnsw"):
        if kind == "hnsw":
            began = time.perf_counter()
            database.build_index(server, TABLE, size)
            built, held = time.perf_counter() - began, server.ask(f"SELECT pg_relation_size('{TABLE}_hnsw')")[0][0]
        search = partial(database.nearest, server, TABLE, size, kind == "hnsw")
        row = {"way": f"PostgreSQL, {kind}", "build s": built, "MB": held / 1e6, **asked(queries, exact, search)}
        row["of processes, MB"] = _of_processes(server)
        add = partial(_added, server, gallery)
        yield {**row, **(_while(add, partial(asked, queries, exact, search)) if kind == "hnsw" else {})}


def asked(queries: np.ndarray, exact: np.ndarray, search: indexes.Search) -> dict[str, float]:
    """Milliseconds of one query after the other, until all have asked or the time is up, and what they find."""
    search(queries[:1], NEIGHBOURS)
    seconds, found, ends = [], [], time.perf_counter() + SECONDS
    for row in range(len(queries)):
        began = time.perf_counter()
        found.append(search(queries[row : row + 1], NEIGHBOURS)[1])
        seconds.append(time.perf_counter() - began)
        if time.perf_counter() > ends:
            break
    p50, p95 = (float(one) * 1000 for one in np.percentile(seconds, [50, 95]))
    overlap = float(indexes.overlap(np.concatenate(found), exact[: len(found)]).mean())
    return {"p50 ms": p50, "p95 ms": p95, "overlap@10": overlap}


def _while(add: Callable[[int], None], ask: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What searches take while products are added one after the other, and how many are added a second."""
    stop, began = threading.Event(), time.perf_counter()

    def adding() -> float:
        number = 0
        while not stop.is_set() and number < products.MOST:
            add(number)
            number += 1
        return number / (time.perf_counter() - began)

    with ThreadPoolExecutor(1) as adder:
        added = adder.submit(adding)
        try:
            found = ask()
            time.sleep(max(0, began + SECONDS / 2 - time.perf_counter()))
        finally:
            stop.set()
    return {
        "added/s": added.result(),
        "p50 ms meanwhile": found["p50 ms"],
        "p95 ms meanwhile": found["p95 ms"],
    }


def _added(server: Server, gallery: np.ndarray, number: int) -> None:
    """Adds a vector that is opposite to some product, so that it is nobody's neighbour and the overlap stays."""
    with server.transaction() as connection:
        values = (len(gallery) + number, database.written(-gallery[number % len(gallery)]))
        connection.execute(f"INSERT INTO {TABLE} VALUES (%s, %s::vector)", values)


def _of_processes(server: Server) -> float:
    """The memory of the database's processes, what they share counted once; it has to run on this computer."""
    (pid,) = server.ask("SELECT pg_backend_pid()")[0]
    postmaster = psutil.Process(pid).parent()
    assert postmaster is not None
    return sum(one.memory_full_info().pss for one in [postmaster, *postmaster.children()]) / 1e6


if __name__ == "__main__":
    main()
