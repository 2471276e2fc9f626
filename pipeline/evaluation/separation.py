"""How far apart the labels lie in an embedding, whatever the ranking: the thesis's table 5.2.2 with its terms stated.

Cosine distance throughout, over all pairs of a seeded subset. Every value stands beside the same value with the
labels shuffled: purity and NMI of k-means, for one, are far from 0 for labels that mean nothing.
"""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score, pairwise_distances, silhouette_score
from threadpoolctl import threadpool_limits

from pipeline.retrieval.distances import cosine
from pipeline.vectors import unit

CLUSTERS, STARTS = range(2, 21), 5  # numbers of clusters that are tried, each from so many starts
NAMES = ["intra", "inter", "ratio", "silhouette", "purity", "NMI"]


def separation(vectors: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, dict[str, float]]:
    """The six values of `NAMES`, each as `{"value": …, "chance": …}`.

    `intra` and `inter`: mean cosine distance of pairs with one label and of pairs with two; `ratio`: inter / intra,
    as in the thesis's table 5.2.2. `silhouette`: Rousseeuw (1987), cosine; a label with one picture counts 0.
    `purity`: the share of images whose label is the commonest of their k-means cluster, with as many clusters as
    labels, on vectors of length 1; `NMI`: mutual information of clusters and labels over their mean entropy.

    Args:
        vectors: float32 (N, D).
        labels: whole numbers (N,); pictures without a label (−1) are left out.

    Raises:
        ValueError: fewer than two labels. Before any work.
    """
    if labels_in(labels) < 2:
        raise ValueError(f"labels lie apart where there are two or more. Received: {labels_in(labels)}")
    known = labels >= 0
    vectors, labels = vectors[known], labels[known]
    distances = cosine(vectors, vectors)
    np.fill_diagonal(distances, 0)
    clusters = _clusters(vectors, len(np.unique(labels)), seed)
    measured = _measure(distances, labels, clusters)
    shuffled = _measure(distances, np.random.default_rng(seed).permutation(labels), clusters)
    return {name: {"value": measured[name], "chance": shuffled[name]} for name in NAMES}


def by_clusters(vectors: np.ndarray, seed: int) -> dict[int, float]:
    """The silhouette of k-means by the number of its clusters, whatever the labels: how many groups there are.

    Euclidean distances of vectors (N, D) as they are, as in the study that thesis section 2.3.4 cites. A number that
    the vectors do not give, or that leaves each alone, is left out.
    """
    found = {}
    with threadpool_limits(1):  # as `_clusters`
        distances = pairwise_distances(vectors.astype(float))
        np.fill_diagonal(distances, 0)
        for count in CLUSTERS:
            if count >= len(vectors):
                break
            clusters = KMeans(count, n_init=STARTS, random_state=seed).fit_predict(vectors)
            if len(np.unique(clusters)) == count:
                found[count] = float(silhouette_score(distances, clusters, metric="precomputed"))
    return found


def labels_in(codes: np.ndarray) -> int:
    """How many labels there are among codes (N,), of which −1 is none."""
    return len(np.unique(codes[codes >= 0]))


def purity(clusters: np.ndarray, labels: np.ndarray) -> float:
    """Σ over clusters of their commonest label's count, divided by N. Manning et al. (2008), section 16.3."""
    counts = np.zeros((clusters.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (clusters, labels), 1)
    return float(counts.max(axis=1).sum() / len(labels))


def intra_inter(distances: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Mean distance over pairs of one label and over pairs of two; nan where there is no such pair. (N, N), (N,)."""
    upper = np.triu_indices(len(labels), 1)
    same = labels[upper[0]] == labels[upper[1]]
    values = distances[upper].astype(float)
    return (
        float(values[same].mean()) if same.any() else np.nan,
        float(values[~same].mean()) if (~same).any() else np.nan,
    )


def _measure(distances: np.ndarray, labels: np.ndarray, clusters: np.ndarray) -> dict[str, float]:
    _, labels = np.unique(labels, return_inverse=True)
    intra, inter = intra_inter(distances, labels)
    enough = 2 <= labels.max() + 1 < len(labels)
    return {
        "intra": intra,
        "inter": inter,
        "ratio": inter / intra if intra > 0 else np.nan,
        "silhouette": float(silhouette_score(distances, labels, metric="precomputed")) if enough else np.nan,
        "purity": purity(clusters, labels),
        "NMI": float(normalized_mutual_info_score(labels, clusters)),
    }


def _clusters(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    # on one thread, because the order of its sums, and so its last bits, would depend on how many there are
    with threadpool_limits(1):
        return KMeans(count, n_init=1, random_state=seed).fit_predict(unit(vectors))
