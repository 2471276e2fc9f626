"""The exact index beside other exact ones: the 100 nearest of 44,441 vectors for a thousand queries.

Vectors are drawn around as many centres as there are article types.
"""

import time
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks import Row, rate
from pipeline.retrieval import indexes
from pipeline.vectors import unit

GALLERY, QUERIES, NEIGHBOURS = 44_441, 1000, 100
BARS = {"brute": 3, "flat": 1}
CALLED = {"brute": "scikit-learn's brute force", "flat": "faiss's flat index"}


def rows() -> Iterator[Row]:
    """Queries a second."""
    vectors = drawn(GALLERY + QUERIES)
    queries, gallery = vectors[:QUERIES], vectors[QUERIES:]
    search = indexes.build("exact", gallery)
    _, expected = search(queries, NEIGHBOURS)
    ours = rate(partial(search, queries, NEIGHBOURS), QUERIES)
    for kind, bar in BARS.items():
        other = indexes.build(kind, gallery)
        np.testing.assert_allclose(other(queries, NEIGHBOURS)[1], expected, atol=1e-4)
        time.sleep(1)  # idle threads of the one before still spin
        theirs = rate(partial(other, queries, NEIGHBOURS), QUERIES)
        work = f"exact top {NEIGHBOURS} of {GALLERY:,} × 1,280, {QUERIES:,} queries"
        yield Row(work, CALLED[kind], ours, theirs, "queries/s", bar)


def drawn(count: int) -> np.ndarray:
    """Vectors of length 1 around 142 centres; float32 (count, 1280)."""
    rng = np.random.default_rng(0)
    centres = np.maximum(rng.normal(size=(142, 1280)), 0)
    spread = rng.normal(size=(count, 1280), scale=0.7)
    return unit(np.maximum(centres[rng.integers(0, 142, count)] + spread, 0).astype(np.float32))
