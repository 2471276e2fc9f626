"""Full-ranking mAP with the similarities included, side by side with a loop of scikit-learn over ready similarities.

    python -m benchmarks.ranking [--gallery 44441] [--queries 4096] [--reference 200]

Features are drawn at random in the shape of the real data: as many pictures, dimensions and article types, of sizes
that fall off like theirs. `--queries 44441` takes every picture as a query; speeds are per query, so the ratio is the
same.
"""

import argparse
import resource
import statistics
import time

import numpy as np
from sklearn.metrics import average_precision_score

from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics
from pipeline.retrieval.ranking import rank


def main() -> None:
    """Prints the speeds of three rounds, the median ratio and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gallery", type=int, default=44_441)
    parser.add_argument("--queries", type=int, default=4096)
    parser.add_argument("--reference", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    vectors = np.maximum(rng.normal(size=(given.gallery, 1280)), 0).astype(np.float32)
    features = FeatureSet(np.arange(given.gallery).astype(object), vectors, "random:0")
    labels = rng.choice(142, given.gallery, p=(shares := 1 / np.arange(1, 143)) / shares.sum()).astype(np.int32)
    full_ranking(features, labels, 512)  # compiles
    ratios = []
    for number in range(given.rounds):
        mine, took = timed(full_ranking, features, labels, given.queries)
        theirs, their_time = timed(scikit_learn, similarities(features, given.reference), labels, given.reference)
        np.testing.assert_allclose(mine[: given.reference], theirs, atol=1e-6)
        ratios.append((their_time / given.reference) / (took / given.queries))
        print(
            f"round {number + 1}: ours {given.queries / took:.0f} queries/s, "
            f"scikit-learn {given.reference / their_time:.0f}/s"
        )
    print(f"ours / scikit-learn: {statistics.median(ratios):.1f}x")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def full_ranking(features: FeatureSet, labels: np.ndarray, queries: int) -> np.ndarray:
    """AP of the first `queries` pictures against all others."""
    numbers = np.arange(len(labels))
    found = []
    for part, order, _ in rank(features.take(numbers[:queries]), features, "cosine", (numbers[:queries], numbers)):
        hits = metrics.relevant_hits(order, labels[part], labels, np.full(len(order), len(labels) - 1))
        found.append(metrics.average_precision(hits, hits.sum(axis=1)))
    return np.concatenate(found)


def similarities(features: FeatureSet, queries: int) -> np.ndarray:
    """What the reference is given for nothing."""
    unit = features.vectors / np.linalg.norm(features.vectors, axis=1, keepdims=True)
    return unit[:queries] @ unit.T


def scikit_learn(similarity: np.ndarray, labels: np.ndarray, queries: int) -> np.ndarray:
    """The same AP, one query at a time."""
    others = [np.arange(len(labels)) != query for query in range(queries)]
    pairs = ((labels[other] == labels[query], similarity[query, other]) for query, other in enumerate(others))
    return np.array([average_precision_score(right, score) for right, score in pairs])


def timed(work, *arguments) -> tuple[np.ndarray, float]:
    """What it gives and the seconds it took."""
    began = time.perf_counter()
    return work(*arguments), time.perf_counter() - began


if __name__ == "__main__":
    main()
