"""Full-ranking mAP with the similarities included, side by side with a loop of scikit-learn over ready similarities.

    python -m benchmarks.ranking [--gallery 44441] [--queries 4096] [--reference 200]

Features are drawn at random in the shape of the real data: as many pictures, dimensions and article types, of sizes
that fall off like theirs. `--queries 44441` takes every picture as a query; speeds are per query, so the ratio is the
same.
"""

import argparse
import itertools
import resource
import statistics
import time

import numpy as np
from sklearn.metrics import average_precision_score

from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics
from pipeline.retrieval.ranking import CHUNK, rank
from pipeline.vectors import unit


def main() -> None:
    """Prints the speeds of three rounds, the median ratio and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gallery", type=int, default=44_441)
    parser.add_argument("--queries", type=int, default=4096)
    parser.add_argument("--reference", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    queries = min(given.queries, given.gallery)
    reference = min(given.reference, queries)
    rng = np.random.default_rng(0)
    vectors = np.maximum(rng.normal(size=(given.gallery, 1280)), 0).astype(np.float32)
    features = FeatureSet(np.arange(given.gallery).astype(object), vectors, "random:0")
    labels = rng.choice(142, given.gallery, p=(shares := 1 / np.arange(1, 143)) / shares.sum()).astype(np.int32)
    full_ranking(features, labels, 512)  # compiles
    ready = similarities(features, queries, reference)
    ratios = []
    for number in range(given.rounds):
        mine, took = timed(full_ranking, features, labels, queries)
        theirs, their_time = timed(scikit_learn, ready, labels, reference)
        np.testing.assert_allclose(mine[:reference], theirs, atol=1e-6)
        ratios.append((their_time / reference) / (took / queries))
        print(f"round {number + 1}: ours {queries / took:.0f} queries/s, scikit-learn {reference / their_time:.0f}/s")
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


def similarities(features: FeatureSet, queries: int, count: int) -> np.ndarray:
    """What the reference is given for nothing: for the first `count` of the queries each picture's place, negated.

    Two pictures whose similarities are equal, or differ by what BLAS rounds from one cut of the product to another,
    may stand either way round, which changes an AP by more than any tolerance. So both rank the same distances, equal
    ones in the gallery's order: these are compared with another product of the vectors, and sorted another way.
    """
    numbers = np.arange(len(features.ids))
    ranked = rank(features.take(numbers[:queries]), features, "cosine", (numbers[:queries], numbers))
    parts = [part for _, _, part in itertools.islice(ranked, -(-count // CHUNK))]
    distances = np.concatenate(parts)[:count]
    vectors = unit(features.vectors)
    others = np.isfinite(distances)  # not the query itself
    np.testing.assert_allclose(distances[others], 1 - (vectors[:count] @ vectors.T)[others], atol=1e-6)
    return -distances.argsort(axis=1, kind="stable").argsort(axis=1).astype(np.float32)


def scikit_learn(similarity: np.ndarray, labels: np.ndarray, queries: int) -> np.ndarray:
    """The same AP, one query at a time; of a query that nothing is right for there is none."""
    others = [np.arange(len(labels)) != query for query in range(queries)]
    pairs = ((labels[other] == labels[query], similarity[query, other]) for query, other in enumerate(others))
    return np.array([average_precision_score(right, score) if right.any() else np.nan for right, score in pairs])


def timed(work, *arguments) -> tuple[np.ndarray, float]:
    """What it gives and the seconds it took."""
    began = time.perf_counter()
    return work(*arguments), time.perf_counter() - began


if __name__ == "__main__":
    main()
