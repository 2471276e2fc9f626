"""What an index costs and what it misses: time to build, memory, time to answer, overlap with the exact neighbours.

Each index is built and asked in a process of its own, so that memory is the operating system's count and one index
cannot slow down the next. Times are of this machine, at this moment: compare rows of one table, nothing else.
"""

import multiprocessing
import time
from multiprocessing.connection import Connection

import numpy as np
import pandas as pd
import psutil
from sklearn.decomposition import PCA

from pipeline.data import catalog
from pipeline.evaluation.keys import key
from pipeline.evaluation.tables import Measured
from pipeline.params.kinds import Index
from pipeline.params.systems import IndexStudy
from pipeline.progress import progress
from pipeline.retrieval import indexes
from pipeline.systems.keys import ALL, COSTS
from pipeline.vectors import unit

INDEX, COMPONENTS, IMAGES, FAULT = "index", "components", "pictures", "fault"
# a fresh process per index without loading the libraries anew each time, where the system has it
CONTEXT = (
    multiprocessing.get_context("forkserver")
    if "forkserver" in multiprocessing.get_all_start_methods()
    else multiprocessing.get_context("spawn")
)
SPREAD = 0.05  # of a jittered copy: the length of what is added to a vector of length 1


def study(gallery: np.ndarray, queries: np.ndarray, train: np.ndarray, run: IndexStudy) -> Measured:
    """A row per index, number of components and size of the gallery.

    `build s`, `memory MB` (what building added to the process), `single p50 ms` and `p95` (one query at a time),
    `batch p50 ms` and `p95` (`run.batch` at once), `overlap` with the exact first `run.neighbours`, and `fault`: why a
    row has no numbers.

    Args:
        gallery: (G, D), what is searched.
        queries: (Q, D), who asks; none of them is in the gallery.
        train: the rows of the gallery that the principal components are fitted on.
    """
    if CONTEXT.get_start_method() == "forkserver":
        CONTEXT.set_forkserver_preload([indexes.__name__])
    run = IndexStudy(**run.model_dump(include=set(IndexStudy.model_fields)))  # a notebook's own class cannot be sent
    rows = []
    for components in run.components:
        fewer, asking = reduced(gallery, queries, train, components, run.seed)
        sizes = [size for size in run.sizes if size < len(fewer)] + [len(fewer)]
        if components == run.replicated_components and run.replicated:
            sizes.append(run.replicated * len(fewer))
        for size in sizes:
            searched = grown(fewer, size, run.seed)
            _, exact = indexes.build("exact", searched)(asking, run.neighbours)
            for kind in progress(run.indexes, f"{size:,} × {fewer.shape[1]}", "index", len(run.indexes)):
                costs = _measured(kind, searched, asking, exact, run)
                rows.append({INDEX: kind, COMPONENTS: fewer.shape[1], IMAGES: size, **costs})
    return _by_key(pd.DataFrame(rows), gallery.shape)


def _by_key(table: pd.DataFrame, shape: tuple[int, int]) -> Measured:
    """The table by key, `index/dimensions/images/what`; `all` also names the gallery's own numbers of both, `shape`."""
    values: dict[str, float] = {}
    for row in table.to_dict("records"):
        kind, dimensions, images = (row.pop(name) for name in (INDEX, COMPONENTS, IMAGES))
        places = [(dimensions, images), *([(ALL, ALL)] if (images, dimensions) == shape else [])]
        values |= {key(kind, d, g, what): value for d, g in places for what, value in row.items() if what != FAULT}
    return Measured(table, {text: float(value) for text, value in values.items() if pd.notna(value)})


def reduced(gallery, queries, train, components: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of length 1, as they are or after PCA."""
    if components is None:
        return unit(gallery), unit(queries)
    count = min(components, len(train), gallery.shape[1])
    pca = PCA(count, random_state=seed).fit(unit(gallery[train]))
    gallery, queries = (unit(pca.transform(unit(part))).astype(np.float32) for part in (gallery, queries))
    return gallery, queries


def grown(vectors: np.ndarray, size: int, seed: int) -> np.ndarray:
    """A seeded part of the vectors, or as many jittered copies of them as are wanted: (size, D)."""
    if size <= len(vectors):
        return vectors[catalog.draw(np.arange(len(vectors)), size, seed)]
    rng = np.random.default_rng(seed)
    copies = vectors[np.arange(size) % len(vectors)]
    jitter = rng.standard_normal((size, vectors.shape[1]), dtype=np.float32) * (SPREAD / vectors.shape[1] ** 0.5)
    jitter[: len(vectors)] = 0
    return unit(copies + jitter)


def _measured(kind, gallery, queries, exact, run) -> dict:
    """One index in a process of its own; a process that dies costs its row, not the study."""
    ours, theirs = CONTEXT.Pipe()
    # not a daemon: scikit-learn would give such a process one thread
    child = CONTEXT.Process(target=_child, args=(theirs, kind, gallery, queries, exact, run))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        child.join()
        return {FAULT: f"its process ended with {child.exitcode}"}
    except BaseException:  # interrupted
        child.terminate()
        raise
    finally:
        child.join()


def _child(connection: Connection, kind, gallery, queries, exact, run) -> None:
    try:
        connection.send(measure(kind, gallery, queries, exact, run))
    except (indexes.IndexMissing, MemoryError) as error:
        connection.send({FAULT: str(error) or type(error).__name__})


def measure(kind: Index, gallery: np.ndarray, queries: np.ndarray, exact: np.ndarray, run: IndexStudy) -> dict:
    """Builds one index and asks it; `exact`: the true distances (Q, K)."""
    process = psutil.Process()
    indexes.build(kind, gallery[:2])(queries[:2], 1)  # libraries loaded and kernels compiled: not the index's cost
    before, start = process.memory_info().rss, time.perf_counter()
    search = indexes.build(kind, gallery, run.seed)
    built, memory = time.perf_counter() - start, process.memory_info().rss - before
    single, _ = _timed(search, queries, 1, run)
    batched, distances = _timed(search, queries, run.batch, run)
    overlap = float(indexes.overlap(distances, exact[: len(distances)]).mean())
    times = [np.quantile(seconds, share) * 1e3 for seconds in (single, batched) for share in (0.5, 0.95)]
    return dict(zip(COSTS, [built, memory / 1e6, *times, overlap], strict=True)) | {FAULT: ""}


def _timed(search: indexes.Search, queries: np.ndarray, size: int, run: IndexStudy) -> tuple[list[float], np.ndarray]:
    """The seconds of each batch of `size` queries, until all have asked or the time is up; and the distances found."""
    size = min(size, len(queries))
    search(queries[:size], run.neighbours)  # the first is slower: memory is touched, threads begin
    seconds, distances, begin = [], [], time.perf_counter()
    for start in range(0, len(queries) - size + 1, size):
        at = time.perf_counter()
        distances.append(search(queries[start : start + size], run.neighbours)[1])
        seconds.append(time.perf_counter() - at)
        if time.perf_counter() - begin > run.seconds:
            break
    return seconds, np.concatenate(distances)
