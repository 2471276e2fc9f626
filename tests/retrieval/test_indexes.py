"""Every index finds what it should: the exact ones what a slow loop finds, the others most of it, none nonsense."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.cluster import KMeans

from pipeline.retrieval import indexes
from pipeline.retrieval.distances import cosine

EXACT = ["exact", "brute", "ball_tree", "kd_tree", "flat"]
COMPILED = pytest.mark.skipif(find_spec("annoy") is None, reason="annoy has to be compiled: pip install annoy")
ANNOY = pytest.param("annoy", marks=COMPILED)
NEAR = ["ivf", "hnsw", ANNOY]
HERE = [kind for kind in indexes.INDEXES if not kind.startswith("postgres")]  # the others: test_database.py
KINDS = [ANNOY if kind == "annoy" else kind for kind in HERE]


@pytest.fixture(scope="module")
def clustered():
    """Vectors in groups, as pictures of one type are: where an approximate index has something to hold on to."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(40, 24))
    vectors = centres[rng.integers(40, size=2200)] + 0.4 * rng.normal(size=(2200, 24))
    return vectors[:2000].astype(np.float32), vectors[2000:].astype(np.float32)


def slow(queries, gallery, count):
    """The nearest by cosine distance, in float64, one query after another."""
    found = []
    for query in queries.astype(float):
        cosines = (
            gallery.astype(float) @ query / (np.linalg.norm(gallery.astype(float), axis=1) * np.linalg.norm(query))
        )
        found.append(np.sort(1 - cosines)[:count])
    return np.array(found)


@pytest.mark.parametrize("kind", EXACT)
def test_exact_indexes_find_what_the_slow_loop_finds(clustered, kind):
    gallery, queries = clustered
    positions, distances = indexes.build(kind, gallery)(queries, 15)
    assert distances == pytest.approx(slow(queries, gallery, 15), abs=1e-5)
    own = cosine(queries, gallery)
    assert np.take_along_axis(own, positions, axis=1) == pytest.approx(distances, abs=1e-5)
    assert (np.diff(distances, axis=1) >= 0).all()
    assert all(len(set(row)) == 15 for row in positions.tolist())


@pytest.mark.parametrize("kind", NEAR)
def test_approximate_indexes_find_most_and_tell_true_distances(clustered, kind):
    gallery, queries = clustered
    positions, distances = indexes.build(kind, gallery)(queries, 10)
    assert indexes.overlap(distances, slow(queries, gallery, 10)).mean() > 0.9
    assert (positions >= 0).all()
    own = cosine(queries, gallery)
    assert np.take_along_axis(own, positions, axis=1) == pytest.approx(distances, abs=1e-5)
    assert (np.diff(distances, axis=1) >= -1e-6).all()


def test_clusters_find_what_is_nearest_in_the_nearest_cluster_and_nothing_beside_it(clustered):
    gallery, queries = clustered
    search = indexes.build("clusters", gallery, seed=4)
    positions, distances = search(queries, 400)
    lengths = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    centres = KMeans(indexes.CLUSTERS, n_init=1, random_state=4).fit(lengths)
    asked = centres.predict(queries / np.linalg.norm(queries, axis=1, keepdims=True))
    own = cosine(queries, gallery)
    for row, cluster in enumerate(asked):
        members = np.flatnonzero(centres.labels_ == cluster)
        found = positions[row][positions[row] >= 0]
        assert len(found) == min(400, len(members))
        assert set(found) <= set(members)
        assert distances[row, : len(found)] == pytest.approx(np.sort(own[row, members])[:400], abs=1e-5)
    assert 0.5 < indexes.overlap(search(queries, 10)[1], slow(queries, gallery, 10)).mean() < 1


@pytest.mark.parametrize("kind", KINDS)
def test_one_query_is_answered_as_among_many_and_a_second_build_as_the_first(clustered, kind):
    gallery, queries = clustered
    search = indexes.build(kind, gallery, seed=4)
    positions, distances = search(queries, 5)
    alone = [search(queries[row : row + 1], 5)[1][0] for row in range(20)]
    assert np.array(alone) == pytest.approx(distances[:20], abs=1e-6)
    if kind != "hnsw":  # its graph depends on which thread came first
        assert (indexes.build(kind, gallery, seed=4)(queries, 5)[0] == positions).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_gallery_smaller_than_k_is_filled_up_with_nothing(rng, kind):
    gallery = rng.normal(size=(3, 8)).astype(np.float32)
    positions, distances = indexes.build(kind, gallery)(gallery[:2] * 5, 6)
    assert positions.shape == distances.shape == (2, 6)
    assert positions[:, 0].tolist() == [0, 1]
    assert distances[:, 0] == pytest.approx(0, abs=1e-6)
    assert (positions[:, 3:] == indexes.NOWHERE).all()
    assert np.isinf(distances[:, 3:]).all()


@pytest.mark.parametrize("kind", EXACT[:1])
def test_equal_distances_stand_in_the_gallerys_order(rng, kind):
    gallery = np.repeat(rng.normal(size=(4, 6)).astype(np.float32), 5, axis=0)
    positions, _ = indexes.build(kind, gallery)(gallery[::5], 5)
    assert positions.tolist() == [list(range(start, start + 5)) for start in (0, 5, 10, 15)]


@pytest.mark.parametrize("kind", ["exact", "brute", "flat"])
def test_rounding_takes_no_distance_out_of_0_to_2(rng, kind):
    vectors = rng.normal(size=(200, 60)).astype("f4")
    search = indexes.build(kind, vectors)
    for asked in (vectors, -vectors):
        _, found = search(asked, 200)
        assert 0 <= found.min() <= found.max() <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_asks(clustered, kind):
    positions, distances = indexes.build(kind, clustered[0][:50])(np.empty((0, 24), np.float32), 3)
    assert positions.shape == distances.shape == (0, 3)


def test_overlap_counts_any_of_those_at_the_last_distance():
    exact = np.array([[0.1, 0.2, 0.2]])
    assert indexes.overlap(np.array([[0.1, 0.2, 0.2]]), exact).tolist() == [1]
    assert indexes.overlap(np.array([[0.2, 0.2, 0.2]]), exact).tolist() == [1]
    assert indexes.overlap(np.array([[0.1, 0.2, 0.3]]), exact) == pytest.approx([2 / 3])
    assert indexes.overlap(np.array([[0.1, 0.2, np.inf]]), exact) == pytest.approx([2 / 3])


def test_what_cannot_be_built_is_said(rng):
    with pytest.raises(ValueError, match=r"no index is called 'balltree'. Allowed: \['exact', 'brute'"):
        indexes.build("balltree", rng.normal(size=(3, 2)).astype(np.float32))
    with pytest.raises(ValueError, match=r"a picture or more. Received: \(0, 2\)"):
        indexes.build("exact", np.empty((0, 2), np.float32))


def test_an_index_without_its_library_says_how_to_get_it():
    code = (
        "import sys; sys.modules['annoy'] = None\n"
        "import numpy as np\nfrom pipeline.retrieval import indexes\n"
        "try:\n    indexes.build('annoy', np.ones((3, 2), 'float32'))\n"
        "except indexes.IndexMissing as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install annoy" in said
