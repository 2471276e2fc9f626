"""How far labels lie apart, against loops and scikit-learn."""

import math
from collections import Counter

import numpy as np
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize

from pipeline.evaluation import separation
from pipeline.evaluation.separation import NAMES


def clustered(seed, noise, count=60, labels=4, dimension=8):
    """Vectors around a direction per label; the last label has one picture."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, labels, count).astype(np.int32) * 3  # codes of a subset have gaps
    codes[0] = labels * 3
    centres = rng.normal(size=(labels * 3 + 1, dimension))
    return (centres[codes] + noise * rng.normal(size=(count, dimension))).astype(np.float32), codes


def apart(vectors):
    """Cosine distances by loops, in float64."""
    distances = np.zeros((len(vectors), len(vectors)))
    for i, a in enumerate(vectors.astype(float)):
        for j, b in enumerate(vectors.astype(float)):
            distances[i, j] = 1 - sum(a * b) / math.sqrt(sum(a * a) * sum(b * b)) if i != j else 0
    return distances


def slow_intra_inter(distances, labels):
    same, other = [], []
    for i in range(len(labels)):
        for j in range(i):
            (same if labels[i] == labels[j] else other).append(distances[i, j])
    return sum(same) / len(same), sum(other) / len(other)


def slow_silhouette(distances, labels):
    values = []
    for i in range(len(labels)):
        mine = [distances[i, j] for j in range(len(labels)) if j != i and labels[j] == labels[i]]
        others = [np.mean(distances[i, labels == label]) for label in set(labels.tolist()) - {int(labels[i])}]
        a, b = np.mean(mine) if mine else 0, min(others)
        values.append((b - a) / max(a, b) if mine else 0)
    return np.mean(values)


def slow_purity(clusters, labels):
    commonest = (Counter(labels[clusters == c].tolist()).most_common(1)[0][1] for c in set(clusters.tolist()))
    return sum(commonest) / len(labels)


def slow_nmi(clusters, labels):
    def entropy(counts):
        return -sum(n / len(labels) * math.log(n / len(labels)) for n in counts.values())

    one, two = Counter(labels.tolist()), Counter(clusters.tolist())
    both = Counter(zip(labels.tolist(), clusters.tolist(), strict=True))
    shared = sum(
        n / len(labels) * math.log(n * len(labels) / (one[label] * two[cluster]))
        for (label, cluster), n in both.items()
    )
    return shared / ((entropy(one) + entropy(two)) / 2)


@pytest.mark.parametrize("noise", [0.3, 1.0, 5.0])
def test_all_six_values_equal_their_loops(noise):
    vectors, labels = clustered(1, noise)
    found = {name: value["value"] for name, value in separation.separation(vectors, labels, 0).items()}
    distances = apart(vectors)
    clusters = KMeans(len(set(labels.tolist())), n_init=1, random_state=0).fit_predict(normalize(vectors))
    intra, inter = slow_intra_inter(distances, labels)
    expected = [
        intra,
        inter,
        inter / intra,
        slow_silhouette(distances, labels),
        slow_purity(clusters, labels),
        slow_nmi(clusters, labels),
    ]
    assert list(found) == NAMES
    assert list(found.values()) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("noise", [0.3, 1.0, 5.0])
def test_silhouette_purity_and_nmi_equal_scikit_learns(noise):
    vectors, labels = clustered(2, noise)
    found = separation.separation(vectors, labels, 5)
    clusters = KMeans(len(set(labels.tolist())), n_init=1, random_state=5).fit_predict(normalize(vectors))
    table = metrics.cluster.contingency_matrix(labels, clusters)
    silhouette = metrics.silhouette_score(vectors, labels, metric="cosine")
    assert found["silhouette"]["value"] == pytest.approx(silhouette, abs=1e-5)
    assert found["purity"]["value"] == pytest.approx(table.max(axis=0).sum() / len(labels))
    assert found["NMI"]["value"] == pytest.approx(metrics.v_measure_score(labels, clusters))


def test_perfectly_separated_labels_are_told_apart():
    vectors = np.repeat(np.eye(4, 8, dtype=np.float32), 10, axis=0)
    vectors += np.random.default_rng(0).normal(scale=1e-3, size=vectors.shape).astype(np.float32)
    found = separation.separation(vectors, np.repeat(np.arange(4), 10), 0)
    assert found["inter"]["value"] == pytest.approx(1, abs=0.01)
    assert found["ratio"]["value"] > 1000
    assert [found[name]["value"] for name in ("silhouette", "purity", "NMI")] == pytest.approx([1, 1, 1], abs=1e-4)
    assert found["ratio"]["chance"] < 2


def test_labels_that_mean_nothing_are_no_farther_apart_than_chance():
    vectors, labels = clustered(3, 0.5, count=300)
    found = separation.separation(vectors, np.random.default_rng(1).permutation(labels), 0)
    assert found["ratio"]["value"] == pytest.approx(1, abs=0.02)
    assert found["silhouette"]["value"] < 0.02
    for name in NAMES:
        assert found[name]["value"] == pytest.approx(found[name]["chance"], abs=0.06), name


def test_chance_is_measured_with_the_same_labels_shuffled():
    vectors, labels = clustered(4, 0.2, count=300)
    found = separation.separation(vectors, labels, 0)
    assert found["ratio"]["value"] > 5
    assert found["ratio"]["chance"] == pytest.approx(1, abs=0.03)
    assert found["purity"]["chance"] > 0.2  # far from 0 for labels that mean nothing
    assert found["purity"]["chance"] < found["purity"]["value"]


def test_pictures_without_a_label_are_left_out():
    vectors, labels = clustered(5, 0.5)
    blank = np.concatenate([labels, [-1, -1]]), np.concatenate([vectors, np.ones((2, 8), "f4")])
    assert separation.separation(blank[1], blank[0], 0) == separation.separation(vectors, labels, 0)


@pytest.mark.parametrize("label", [-1, 4])
def test_fewer_than_two_labels_are_refused(label):
    labels = np.full(60, label)
    with pytest.raises(ValueError, match=rf"two or more. Received: {int(label >= 0)}$"):
        separation.separation(clustered(8, 0.5)[0], labels, 0)


def test_the_same_seed_gives_the_same_values():
    vectors, labels = clustered(6, 1.0)
    assert separation.separation(vectors, labels, 3) == separation.separation(vectors.copy(), labels.copy(), 3)


def test_the_length_of_a_vector_does_not_matter():
    vectors, labels = clustered(7, 0.5)
    longer = vectors * np.float32(2) ** np.random.default_rng(0).integers(0, 6, (len(vectors), 1)).astype(np.float32)
    one, other = (separation.separation(v, labels, 0) for v in (vectors, longer))
    for name in NAMES:
        assert one[name]["value"] == pytest.approx(other[name]["value"], abs=1e-5)


def test_where_there_is_no_pair_there_is_no_mean():
    distances = np.ones((3, 3))
    assert separation.intra_inter(distances, np.array([0, 0, 0])) == pytest.approx((1, np.nan), nan_ok=True)
    assert separation.intra_inter(distances, np.array([0, 1, 2])) == pytest.approx((np.nan, 1), nan_ok=True)


def test_purity_of_a_case_worked_by_hand():
    """Manning et al. (2008), figure 16.4."""
    clusters = np.repeat([0, 1, 2], [6, 6, 5])
    labels = np.array([0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 2, 0, 0, 2, 2, 2])
    assert separation.purity(clusters, labels) == pytest.approx((5 + 4 + 3) / 17)
