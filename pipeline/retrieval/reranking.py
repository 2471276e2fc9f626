"""Rankings made better after the search: query expansion, database augmentation, k-reciprocal re-ranking.

Document 003's public ranker uses the first two (top 5) and its text does not say so. All work on vectors of length 1
and on the neighbours alone: never on a (Q, G) or (G, G) matrix.
Letters: Q queries, G gallery, D dimension, K neighbours.
"""

import numpy as np
from numba import njit
from scipy import sparse

from pipeline.retrieval import indexes
from pipeline.retrieval.others import nearest_others
from pipeline.vectors import unit


def query_expansion(queries: np.ndarray, gallery: np.ndarray, neighbours: np.ndarray, alpha: float) -> np.ndarray:
    """Each query with its neighbours added, each weighted by its similarity to the power `alpha`; unit length (Q, D).

    Source: Radenović, Tolias and Chum (2019), "Fine-tuning CNN image retrieval with no human annotation", section 4.3
    (αQE; `alpha` 0 is the average query expansion of Chum et al., 2007).

    Args:
        neighbours: positions in the gallery, nearest first (Q, K); −1 for none.
    """
    return expanded(unit(queries), unit(gallery), neighbours, alpha)


def expanded(queries: np.ndarray, gallery: np.ndarray, neighbours: np.ndarray, alpha: float) -> np.ndarray:
    """As `query_expansion`, of vectors that have length 1."""
    total = queries.astype(np.float64)
    for rank in range(neighbours.shape[1]):
        there = np.flatnonzero(neighbours[:, rank] >= 0)
        added = gallery[neighbours[there, rank]]
        similarity = np.clip((queries[there] * added).sum(axis=1), 0, None)
        total[there] += (similarity**alpha)[:, None] * added
    return unit(total).astype(np.float32)


def database_augmentation(gallery: np.ndarray, neighbours: int, alpha: float) -> np.ndarray:
    """Each gallery item with its nearest others added, as queries are expanded; unit length (G, D).

    Source: Turcot and Lowe (2009), "Better matching with fewer features", section 4; weights as for `query_expansion`.
    The nearest of an item is the item itself (or its copy), which is passed over.
    """
    near, _ = nearest_others(gallery, np.arange(len(gallery)), neighbours)
    return query_expansion(gallery, gallery, near, alpha)


def k_reciprocal(
    queries: np.ndarray, gallery: np.ndarray, candidates: np.ndarray, k1: int, k2: int, share: float
) -> np.ndarray:
    """New distances of each query to its candidates: (1 − share) · Jaccard distance + share · cosine distance; (Q, K).

    Two images are near when they are neighbours of each other and share such neighbours.
    Source: Zhong, Zheng, Cao and Li (2017), "Re-ranking person re-identification with k-reciprocal encoding", equations
    2 to 12. Differs: cosine in place of Mahalanobis distance; neighbours are sought in the gallery and among the query
    itself, not among other queries, so that an answer does not depend on who else asks.

    Args:
        candidates: positions in the gallery to be ranked anew (Q, K), each of them there.
        k1: neighbours that reciprocity is looked for in. k2: neighbours that an encoding is averaged over.
        share: λ, the weight of the cosine distance.
    """
    queries, gallery = unit(queries), unit(gallery)
    search = indexes.build("exact", gallery)
    near = search(gallery, k1 + 1)  # an item is its own nearest neighbour, as in the paper
    return among_neighbours(queries, gallery, candidates, near, search(queries, k1), k2, share)


def among_neighbours(
    queries: np.ndarray,
    gallery: np.ndarray,
    candidates: np.ndarray,
    near: tuple[np.ndarray, np.ndarray],
    asked: tuple[np.ndarray, np.ndarray],
    k2: int,
    share: float,
) -> np.ndarray:
    """As `k_reciprocal`, of vectors of length 1 whose neighbours are known: what is in no list of them takes no part.

    Args:
        near: positions and distances of each item's neighbours, itself the first (G, k1 + 1).
        asked: those of each query (Q, k1).
    """
    places, k1 = np.unique(candidates), asked[0].shape[1]
    used = np.unique(np.concatenate([near[0][places, :k2].ravel(), asked[0][:, : max(k2 - 1, 0)].ravel()]))
    used = used[used >= 0]  # only these items' codes are looked at
    members, distances = _reciprocal(near[0][used], near[1][used], gallery[used], gallery, *near, k1)
    encoded = _codes(members, distances, len(gallery))
    averaged = _mean_of(encoded, used, near[0][places, :k2])
    members, distances = _reciprocal(*asked, queries, gallery, *near, k1)
    own = _codes(members, distances, len(gallery))
    own = (own + _mean_of(encoded, used, asked[0][:, : k2 - 1]) * (k2 - 1)) / k2 if k2 > 1 else own
    result = np.empty(candidates.shape, np.float32)
    for row, items in enumerate(candidates):
        codes = averaged[np.searchsorted(places, items)]
        least = np.asarray(codes.minimum(sparse.csr_matrix(np.ones((len(items), 1))) @ own[row]).sum(axis=1))
        jaccard = 1 - least.ravel() / (2 - least.ravel())
        result[row] = (1 - share) * jaccard + share * (1 - gallery[items] @ queries[row])
    return result


@njit(cache=True)
def _reciprocal(asked, asked_distances, vectors, gallery, near, near_distances, k1):
    """Who is a neighbour of each asked item and has it for a neighbour, widened by their own such neighbours where two
    thirds of these are shared (equations 2 and 3); positions and distances, −1 where there are none.

    An asked item is a neighbour of a gallery item when it is no farther than that one's last neighbour: so a query
    need not be in the gallery.
    """
    half = max(1, (k1 + 1) // 2)
    room = asked.shape[1] * (half + 2)
    members = np.full((asked.shape[0], room), -1)
    distances = np.full((asked.shape[0], room), np.inf)
    for row in range(asked.shape[0]):
        count = 0
        for rank in range(asked.shape[1]):
            place = asked[row, rank]
            if place >= 0 and asked_distances[row, rank] <= near_distances[place, -1]:
                members[row, count], distances[row, count] = place, asked_distances[row, rank]
                count += 1
        first = members[row, :count].copy()
        for place in first:
            mutual = _mutual(place, half, near, near_distances)
            if _shared(mutual, first) * 3 <= len(mutual) * 2:
                continue
            for other in mutual:
                if count < room and not (members[row, :count] == other).any():
                    members[row, count] = other
                    distances[row, count] = 1 - np.dot(vectors[row], gallery[other])
                    count += 1
    return members, distances


@njit(cache=True)
def _mutual(place, half, near, near_distances):
    """The first neighbours of a gallery item that have it among their own first neighbours; positions (M,)."""
    kept = np.empty(half + 1, np.int64)
    size = 0
    for rank in range(min(half + 1, near.shape[1])):
        other = near[place, rank]
        if other >= 0 and near_distances[place, rank] <= near_distances[other, min(half, near_distances.shape[1] - 1)]:
            kept[size] = other
            size += 1
    return kept[:size]


@njit(cache=True)
def _shared(some, others):
    """How many of some positions are among others."""
    count = 0
    for one in some:
        count += (others == one).any()
    return count


def _codes(members: np.ndarray, distances: np.ndarray, size: int) -> sparse.csr_matrix:
    """A row per item: exp(−distance) for each member, summing to 1 (equation 7)."""
    rows, columns = np.nonzero(members >= 0)
    weights = np.exp(-distances[rows, columns])
    codes = sparse.csr_matrix((weights, (rows, members[rows, columns])), (len(members), size))
    totals = np.asarray(codes.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags(1 / np.where(totals > 0, totals, 1)) @ codes)


def _mean_of(codes: sparse.csr_matrix, places: np.ndarray, near: np.ndarray) -> sparse.csr_matrix:
    """The mean code of each item's neighbours (equation 11); a row of `codes` for each of some places, ascending."""
    rows, columns = np.nonzero(near >= 0)
    found = np.searchsorted(places, near[rows, columns])
    chosen = sparse.csr_matrix((np.ones(len(rows)), (rows, found)), (len(near), codes.shape[0]))
    counts = np.maximum(np.asarray(chosen.sum(axis=1)).ravel(), 1)
    return sparse.csr_matrix(sparse.diags(1 / counts) @ chosen @ codes)
