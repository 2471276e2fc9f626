"""Indexes for cosine search behind one contract: built on a gallery, asked for the K nearest of some queries.

Every index works on vectors of length 1, where the Euclidean distance ranks as the cosine does: that is how a ball
tree, which takes no cosine, serves document 000. Exact ones differ from each other in speed alone, the others may
miss neighbours.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import get_args

import numpy as np
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from pipeline.params.kinds import Index
from pipeline.retrieval import database
from pipeline.retrieval.distances import one_less_dot
from pipeline.retrieval.ranking import NOWHERE, nowhere, take_smallest
from pipeline.vectors import unit

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
CHUNK = 1024  # queries
BLOCK = 1024  # images: 4 MB of products at most, which a cache holds until they are looked through
LINKS, BUILD_DEPTH, SEARCH_DEPTH = 32, 200, 128  # HNSW's M, efConstruction and efSearch
TREES = 50  # Annoy's
CLUSTERS = 9  # of k-means, as a study of these pictures chose by silhouette (document 001, section 2.3.4)
TABLE = "index_study"  # in a database; one study at a time


class IndexMissing(ImportError):
    """An index whose library is not installed, or whose database is not named."""


def build(kind: Index, gallery: np.ndarray, seed: int = 0) -> Search:
    """An index of the gallery (G, D) as a function: queries (Q, D), K → positions int64 and cosine distances (Q, K).

    Nearest first, equal distances as they come (`exact`: in the gallery's order). Where there are fewer than K
    neighbours the rest has the position −1 and the distance infinity.

    Raises:
        ValueError: an unknown kind, or an empty gallery.
        IndexMissing: `annoy` is not installed; it has to be compiled, so it is no dependency. Of `postgres` and
            `postgres_hnsw`: SITE_DATABASE names no database, or it does not answer.
    """
    if kind not in INDEXES:
        raise ValueError(f"no index is called {kind!r}. Allowed: {list(INDEXES)}")
    if gallery.ndim != 2 or not len(gallery):
        raise ValueError(f"the gallery must be (G, D) with a picture or more. Received: {gallery.shape}")
    find = INDEXES[kind](np.ascontiguousarray(unit(gallery), np.float32), seed)

    def search(queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        asked = min(count, len(gallery))
        if not len(queries):
            return np.empty((0, count), np.int64), np.empty((0, count), np.float32)
        positions, distances = find(np.ascontiguousarray(unit(queries), np.float32), asked)
        missing = ((0, 0), (0, count - asked))
        distances = np.where(positions == NOWHERE, np.inf, np.clip(distances, 0, 2))
        return (
            np.pad(positions.astype(np.int64), missing, constant_values=NOWHERE),
            np.pad(distances.astype(np.float32), missing, constant_values=np.inf),
        )

    return search


def overlap(distances: np.ndarray, exact: np.ndarray, tolerance: float = 1e-5) -> np.ndarray:
    """The share of the K nearest that an index found, (Q,): overlap@K, with ties handled.

    A neighbour counts when it is no farther than the K-th exact one, so of several at that distance any will do.

    Args:
        distances: what the index found, (Q, K).
        exact: the true K smallest, (Q, K), nearest first.
        tolerance: float32 products summed in another order differ by about this much.
    """
    return (distances <= exact[:, -1:] + tolerance).mean(axis=1)


def exact(gallery: np.ndarray, seed: int) -> Search:
    """The distances of some queries to some of the gallery, and the K smallest of every row so far."""

    def find(queries, count):
        positions, distances = nowhere(len(queries), count)
        for start in range(0, len(queries), CHUNK):
            some = slice(start, start + CHUNK)
            for first in range(0, len(gallery), BLOCK):
                block = one_less_dot(queries[some], gallery[first : first + BLOCK])
                take_smallest(block, first, positions[some], distances[some])
        return positions, distances

    return find


def clusters(gallery: np.ndarray, seed: int) -> Search:
    """k-means first, then the exact search in the cluster whose centre is nearest, and in no other.

    Source: document 001, section 2.3.4: "first finds the cluster to which the images belong and then find the matching
    images".
    """
    fitted = KMeans(min(CLUSTERS, len(gallery)), n_init=1, random_state=seed).fit(gallery)
    members = [np.flatnonzero(fitted.labels_ == cluster) for cluster in range(fitted.n_clusters)]
    searches = [exact(gallery[rows], seed) for rows in members]

    def find(queries, count):
        positions, distances = nowhere(len(queries), count)
        nearest = fitted.predict(queries)
        for cluster in np.unique(nearest):
            asked = np.flatnonzero(nearest == cluster)
            found, away = searches[cluster](queries[asked], min(count, len(members[cluster])))
            places = np.ix_(asked, np.arange(found.shape[1]))
            positions[places], distances[places] = members[cluster][found], away
        return positions, distances

    return find


def _scikit(algorithm: str) -> Callable[[np.ndarray, int], Search]:
    def make(gallery, seed):
        index = NearestNeighbors(algorithm=algorithm, n_jobs=-1).fit(gallery)

        def find(queries, count):
            distances, positions = index.kneighbors(queries, count)
            return positions, distances**2 / 2

        return find

    return make


def _faiss(make: Callable) -> Callable[[np.ndarray, int], Search]:
    """An index of faiss on inner products of vectors of length 1."""

    def wrapped(gallery, seed):
        import faiss  # loads its own OpenMP: only where it is asked for

        index = make(faiss, gallery, seed)
        index.add(gallery)

        def find(queries, count):
            similarities, positions = index.search(queries, count)
            return positions, 1 - similarities

        return find

    return wrapped


def _flat(faiss, gallery, seed):
    return faiss.IndexFlatIP(gallery.shape[1])


def _ivf(faiss, gallery, seed):
    """√G cells, an eighth of them visited: faiss's rule of thumb for the cells."""
    cells = max(1, round(len(gallery) ** 0.5))
    index = faiss.IndexIVFFlat(_flat(faiss, gallery, seed), gallery.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = seed
    index.cp.min_points_per_centroid = 1  # a small gallery is no fault here
    index.train(gallery)
    index.nprobe = max(1, cells // 8)
    return index


def _hnsw(faiss, gallery, seed):
    index = faiss.IndexHNSWFlat(gallery.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = BUILD_DEPTH, SEARCH_DEPTH
    return index


def annoy(gallery, seed):
    """Trees of random splits; Spotify's library, which the thesis names (section 2)."""
    try:
        from annoy import AnnoyIndex
    except ImportError:
        raise IndexMissing("annoy is not installed. It has to be compiled: pip install annoy") from None
    index = AnnoyIndex(gallery.shape[1], "angular")
    index.set_seed(seed)
    for position, vector in enumerate(gallery):
        index.add_item(position, vector)
    index.build(TREES)

    def find(queries, count):
        positions = np.full((len(queries), count), NOWHERE, np.int64)
        distances = np.full((len(queries), count), np.inf)
        for row, query in enumerate(queries):
            items, angles = index.get_nns_by_vector(query, count, include_distances=True)
            positions[row, : len(items)], distances[row, : len(items)] = items, np.square(angles) / 2
        return positions, distances

    return find


def _postgres(indexed: bool) -> Callable[[np.ndarray, int], Search]:
    """A table of its own in the database that SITE_DATABASE names, asked one query after the other."""

    def make(gallery, seed):
        address, size = os.environ.get(database.ADDRESS, "").split()[:1], gallery.shape[1]
        if not address:
            raise IndexMissing(f"{database.ADDRESS} names no database")
        try:
            server = database.Server(address[0])
            database.check(server)
            with server.transaction(None) as connection:
                connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
                database.make(connection, TABLE, size)
                database.fill(connection, TABLE, range(len(gallery)), gallery)
                connection.execute(f"ANALYZE {TABLE}")
            if indexed:
                database.build_index(server, TABLE, size)
        except database.DatabaseError as error:
            raise IndexMissing(str(error)) from None
        return partial(database.nearest, server, TABLE, size, indexed)

    return make


brute, ball_tree, kd_tree = (_scikit(algorithm) for algorithm in ("brute", "ball_tree", "kd_tree"))
flat, ivf, hnsw = _faiss(_flat), _faiss(_ivf), _faiss(_hnsw)
postgres, postgres_hnsw = _postgres(False), _postgres(True)
INDEXES = {kind: globals()[kind] for kind in get_args(Index)}  # an index is the function of its name
