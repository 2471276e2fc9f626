"""Vectors of length 1, however many are scaled at once."""

import tracemalloc
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

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


@given(arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.floats(-9, 9, width=32)))
def test_lengths_and_summary_are_those_of_all_rows_at_once(made):
    with mock.patch.object(vectors, "ROWS", 7):
        told, found = vectors.summary(made), vectors.lengths(made)
    assert (found == np.linalg.norm(made, axis=1)).all()
    assert (told["smallest"], told["largest"]) == (made.min(), made.max())
    assert told["share of zeros"] == (made == 0).mean()
    assert told["features that never change"] == sum(len(np.unique(column)) == 1 for column in made.T)


def test_a_number_that_is_none_is_told_wherever_it_stands(monkeypatch):
    monkeypatch.setattr(vectors, "ROWS", 4)
    made = np.ones((10, 3), np.float32)
    assert vectors.not_finite(made) == 0
    made[0, 1], made[8, 0], made[8, 2], made[9, 1] = np.nan, np.inf, np.nan, -np.inf
    assert vectors.not_finite(made) == 3
    assert np.isnan([vectors.summary(made)["smallest"], vectors.summary(made)["largest"]]).all()
