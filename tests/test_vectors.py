"""Vectors of length 1, however many are scaled at once."""

import tracemalloc

import numpy as np
import pytest

from pipeline import vectors


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9])
def test_pieces_give_the_bytes_of_the_whole(monkeypatch, rng, kind, count):
    some = rng.normal(size=(count, 33)).astype(kind)
    some[:1] = 0
    whole = some / np.where(
        np.linalg.norm(some, axis=1, keepdims=True) == 0, 1, np.linalg.norm(some, axis=1, keepdims=True)
    )
    monkeypatch.setattr(vectors, "ROWS", 4)
    found = vectors.unit(some)
    assert (found.dtype, found.tobytes()) == (whole.dtype, whole.tobytes())


def test_no_more_than_the_result_is_held():
    some = np.ones((40_000, 128), "float32")
    tracemalloc.start()
    found = vectors.unit(some)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.3 * found.nbytes
