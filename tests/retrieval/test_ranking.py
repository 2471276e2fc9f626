"""Distances and rankings against SciPy, and the order of ties."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import cdist

from pipeline.encoders.store import FeatureSet
from pipeline.retrieval import distances, ranking

SCIPY = {"manhattan": "cityblock"}  # what SciPy calls a distance, where it has another name


def features(vectors, encoder="encoder:1", first=0):
    vectors = np.asarray(vectors, np.float32)
    return FeatureSet(np.array([f"{first + row}" for row in range(len(vectors))], object), vectors, encoder)


@pytest.mark.parametrize("name", distances.DISTANCES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 200, 7), (70, 65, 130)])
def test_distances_equal_scipy(rng, name, shape):
    queries, gallery, dimension = shape
    q, g = rng.normal(size=(queries, dimension)).astype("f4"), rng.normal(size=(gallery, dimension)).astype("f4")
    found = distances.DISTANCES[name](q, g)
    assert found.dtype == np.float32
    assert (distances.to(g, name)(q) == found).all()
    exact = cdist(q.astype(float), g.astype(float), SCIPY.get(name, name))
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=2e-5)


def test_a_vector_of_zeros_is_as_far_as_a_right_angle():
    assert distances.cosine(np.zeros((1, 3), "f4"), np.eye(3, dtype="f4")).tolist() == [[1, 1, 1]]


def test_rounding_takes_no_cosine_distance_out_of_0_to_2(rng):
    """Without a cut about half of the vectors would be nearer to themselves than 0, and could not be ranked."""
    vectors = rng.normal(size=(200, 60)).astype("f4")
    exact = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (1 - np.diag(exact @ exact.T)).min() < 0
    for found in (distances.cosine(vectors, vectors), distances.to(-vectors, "cosine")(vectors)):
        assert 0 <= found.min() <= found.max() <= 2


def test_unit_vectors_have_length_one_and_zeros_stay(rng):
    vectors = np.vstack([rng.normal(size=(5, 9)), np.zeros((1, 9))])
    assert np.linalg.norm(distances.unit(vectors), axis=1) == pytest.approx([1] * 5 + [0])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 10_000), st.integers(1, 5))
def test_rank_is_a_stable_sort_whatever_the_chunk(queries, gallery, seed, chunk):
    rng = np.random.default_rng(seed)
    q, g = features(rng.integers(0, 3, (queries, 2))), features(rng.integers(0, 3, (gallery, 2)), first=100)
    exact = cdist(q.vectors, g.vectors, "cityblock")
    for part, order, found in ranking.rank(q, g, "manhattan", chunk=chunk):
        expected = np.argsort(exact[part], axis=1, kind="stable")
        assert (order == expected).all()
        np.testing.assert_allclose(found, exact[part])


@pytest.mark.parametrize("queries", [1, 133, 134])
@pytest.mark.parametrize("name", distances.DISTANCES)
def test_the_bits_of_a_distance_do_not_hang_on_the_chunk(name, queries, rng):
    """Of one query, and of what is left of a dozen, BLAS takes other products: 133 are eleven dozens and one.

    Of a small gallery it takes another product too, but a small one is never in smaller chunks.
    """
    q, g = features(rng.normal(size=(queries, 60))), features(rng.normal(size=(4000, 60)), first=500)
    whole = None
    for chunk in (None, 12, 36, 132):
        parts = list(ranking.rank(q, g, name, chunk=chunk))
        found = [np.concatenate([part[place] for part in parts]).tobytes() for place in (1, 2)]
        whole = whole or found
        assert found == whole, chunk


@pytest.mark.parametrize("cores", [1, 2, 16, 96])
@pytest.mark.parametrize("gallery", [0, 100, 44_441, 200_000, 1_000_000, 5_000_000])
def test_chunks_fit_into_their_budget(gallery, cores):
    chunk, ahead = ranking.room(gallery, cores)
    least = (chunk, ahead) == (12, 1)
    assert chunk % 12 == 0
    assert 12 <= chunk <= 120
    assert 1 <= ahead <= cores
    assert (ahead + 1) * chunk * 8 * gallery <= 2**30 or least
    if cores <= 16 and gallery <= 44_441:
        assert (chunk, ahead) == (120, cores)  # as fast as it was


def test_a_wide_gallery_takes_no_more_memory_than_its_budget(rng, monkeypatch):
    """120 queries of 40,000 pictures are 38 MB of distances and orders, and there would be three such chunks."""
    monkeypatch.setattr(ranking, "BUDGET", 2**24)
    q, g = features(rng.normal(size=(300, 2))), features(rng.normal(size=(40_000, 2)))
    tracemalloc.start()
    for _ in ranking.rank(q, g, "cosine"):
        pass
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**24 + 2**23


@pytest.mark.parametrize(("queries", "gallery"), [(0, 6), (0, 0), (3, 0)])
def test_nobody_who_asks_and_nothing_to_be_found_are_no_fault(queries, gallery, rng):
    q, g = features(np.zeros((queries, 4))), features(np.zeros((gallery, 4)))
    near = ranking.search(q, g, "cosine", 5)
    assert near.gallery_ids.shape == near.distances.shape == (queries, min(gallery, 5))
    assert len(near.frame()) == queries * min(gallery, 5)
    assert sum(part.stop - part.start for part, _, _ in ranking.rank(q, g, "cosine")) == queries


def test_nobody_who_asks_is_still_of_another_encoder(rng):
    with pytest.raises(ranking.EncoderMismatch):
        ranking.search(features(np.zeros((0, 4))), features(np.zeros((2, 4)), "encoder:2"), "cosine", 5)


def test_the_query_and_its_copies_stand_last_at_infinity(rng):
    g = features(rng.normal(size=(6, 4)))
    copies = np.array([0, 1, 0, 2, 3, 4])
    _, order, found = next(ranking.rank(g.take(np.arange(2)), g, "euclidean", (copies[:2], copies)))
    assert set(order[0, -2:]) == {0, 2}
    assert order[1, -1] == 1
    assert np.flatnonzero(np.isinf(found[0])).tolist() == [0, 2]


def test_search_gives_the_nearest_and_never_a_copy(rng):
    g = features(rng.normal(size=(30, 4)))
    copies = np.arange(30)
    copies[7] = copies[3]
    near = ranking.search(g, g, "cosine", 5, (copies, copies))
    assert near.gallery_ids.shape == (30, 5)
    assert "3" not in near.gallery_ids[3]
    assert "7" not in near.gallery_ids[3]
    frame = near.frame()
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5] * 30
    assert frame.groupby("query", sort=False)["distance"].apply(lambda column: column.is_monotonic_increasing).all()


def test_a_query_with_fewer_others_than_the_rest_finds_no_copy(rng):
    """Three of five are one picture: they have two others each, and all queries get as many."""
    g, copies = features(rng.normal(size=(5, 4))), np.array([0, 0, 0, 1, 2])
    near = ranking.search(g, g, "euclidean", 4, (copies, copies))
    assert near.gallery_ids.shape == (5, 2)
    assert np.isfinite(near.distances).all()


def test_search_of_a_small_gallery_gives_what_there_is(rng):
    g = features(rng.normal(size=(4, 3)))
    near = ranking.search(g, g, "cosine", 100, (np.arange(4), np.arange(4)))
    assert near.gallery_ids.shape == (4, 3)


def test_features_of_another_encoder_are_refused_with_both_names_and_dimensions(rng):
    q, g = features(rng.normal(size=(1, 5)), "mobilenet_v2:aa"), features(rng.normal(size=(3, 8)), "resnet50:bb")
    with pytest.raises(ranking.EncoderMismatch, match=r"mobilenet_v2:aa with 5.*resnet50:bb with 8"):
        ranking.search(q, g, "cosine", 1)


def test_the_same_dimension_does_not_make_another_fingerprint_right(rng):
    q, g = features(rng.normal(size=(1, 8)), "resnet50:aa"), features(rng.normal(size=(3, 8)), "resnet50:bb")
    with pytest.raises(ranking.EncoderMismatch):
        next(ranking.rank(q, g, "cosine"))


@pytest.mark.parametrize(("shape", "found"), [((2,), np.zeros((3, 4))), ((3,), np.array([[2.0, 1.0], [0, 0], [0, 0]]))])
def test_neighbours_check_themselves(shape, found):
    with pytest.raises(ValueError):
        ranking.Neighbours(np.empty(shape, object), np.empty(found.shape, object), found)


def test_manhattan_adds_in_the_order_of_the_dimensions(rng):
    """So its last bits do not depend on how it was compiled, and runs on two machines agree."""
    q, g = rng.normal(size=(2, 300)).astype("f4"), rng.normal(size=(70, 300)).astype("f4")
    total = np.zeros((2, 70), np.float32)
    for d in range(300):
        total += np.abs(q[:, None, d] - g[None, :, d])
    assert (distances.manhattan(q, g) == total).all()


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 6), st.integers(1, 20), st.integers(1, 25), st.integers(1, 8), st.integers(0, 10_000))
def test_the_nearest_of_a_ranking_equal_a_loop_that_passes_over_copies(queries, gallery, count, groups, seed):
    rng = np.random.default_rng(seed)
    q, g = features(rng.integers(0, 3, (queries, 2))), features(rng.integers(0, 3, (gallery, 2)), first=100)
    copies = rng.integers(0, groups, queries), rng.integers(0, groups, gallery)
    _, order, found = next(ranking.rank(q, g, "manhattan"))
    places, far = ranking.nearest(order, found, copies, count)
    assert places.shape == far.shape == (queries, min(count, gallery))
    for query in range(queries):
        others = [item for item in range(gallery) if copies[1][item] != copies[0][query]]
        others.sort(key=lambda item, row=found[query]: (row[item], item))
        expected = others[:count]
        assert places[query, : len(expected)].tolist() == expected
        assert far[query, : len(expected)].tolist() == [found[query, item] for item in expected]
        assert np.isinf(far[query, len(expected) :]).all()


def test_the_nearest_equal_a_search_that_never_ranks_copies(rng):
    g = features(rng.integers(0, 4, (60, 3)))
    copies = rng.integers(0, 25, 60)
    _, order, found = next(ranking.rank(g, g, "euclidean"))
    places, far = ranking.nearest(order, found, (copies, copies), 7)
    near = ranking.search(g, g, "euclidean", 7, (copies, copies))
    assert g.ids[places].tolist() == near.gallery_ids.tolist()
    np.testing.assert_array_equal(far, near.distances)


def test_a_gallery_of_nothing_but_copies_has_no_nearest(rng):
    g = features(rng.normal(size=(3, 2)))
    _, order, found = next(ranking.rank(g, g, "cosine"))
    _, far = ranking.nearest(order, found, (np.zeros(3, int), np.zeros(3, int)), 2)
    assert np.isinf(far).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 12), st.integers(0, 14), st.integers(0, 10_000))
def test_what_is_passed_over_comes_last_and_all_else_keeps_its_order(queries, width, count, seed):
    rng = np.random.default_rng(seed)
    order, passed = rng.integers(-1, 30, (queries, width)), rng.random((queries, width)) < 0.4
    found = ranking.pass_over(order, passed, count)
    assert found.dtype == order.dtype
    for row, out, kept in zip(order.tolist(), passed, found.tolist(), strict=True):
        left = [item for item, over in zip(row, out, strict=True) if not over]
        over = [item for item, over in zip(row, out, strict=True) if over]
        assert kept == [*left, *over][:count]


@settings(deadline=None, max_examples=100)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(1, 12)),
        elements=st.sampled_from([0, -0.0, 0.5, 1, 2, np.inf]),
    ),
    st.integers(0, 12),
    st.integers(1, 12),
)
def test_the_smallest_of_a_row_are_those_of_a_stable_sort_block_by_block(distances, count, block):
    count = min(count, distances.shape[1])
    positions, values = ranking.nowhere(len(distances), count)
    for first in range(0, distances.shape[1], block):
        ranking.take_smallest(distances[:, first : first + block].copy(), first, positions, values)
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    expected = np.take_along_axis(distances, order, axis=1)
    assert (values == expected).all()
    assert (positions == np.where(np.isinf(expected), ranking.NOWHERE, order)).all()
    at_once = ranking.smallest(distances, count)
    assert (at_once[0] == positions).all() and (at_once[1] == values).all()


def test_a_zero_with_a_sign_is_a_zero():
    row = np.array([[-0.0, 0.0, 1e-9, 0.0]], np.float32)
    assert ranking.ascending(row).tolist() == [[0, 1, 3, 2]]


@pytest.mark.parametrize("wrong", [-0.3, np.nan])
def test_a_distance_below_zero_or_without_a_number_is_named(wrong):
    with pytest.raises(ValueError, match=r"hamming distances must be numbers of 0 or more. Received: (-0.3|nan)"):
        ranking.ascending(np.array([[0.5, wrong, 0.1]], np.float32), "hamming distances")
    with pytest.raises(ValueError, match=r"hamming distances must be numbers of 0 or more. Received: (-0.3|nan)"):
        ranking.smallest(np.array([[0.5, wrong, 0.1]], np.float32), 1, "hamming distances")
