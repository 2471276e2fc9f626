"""mAP of full rankings for six relevances, beside a loop of scikit-learn over similarities that are there already.

Features and labels are drawn in the shape of the real data: as many pictures, dimensions and classes, of sizes that
fall off like theirs. Speeds are per query: with every picture as a query the ratio is the same.
"""

import resource
from collections.abc import Iterator

import numpy as np
from sklearn.metrics import average_precision_score

from benchmarks import Row, rate
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation.protocols import strict_precisions
from pipeline.retrieval.ranking import rank

GALLERY, QUERIES, REFERENCE, DIMENSION = 44_441, 2048, 24, 1280
CLASSES = {"articleType": 142, "subCategory": 45, "masterCategory": 7, "both": 300, "colour": 2000, "product": 31_000}
TIES = 1e-4  # of an AP: two pictures whose distances are equal in float32 stand in another order with scikit-learn


def rows() -> Iterator[Row]:
    """Queries a second, similarities included in ours alone."""
    rng = np.random.default_rng(0)
    vectors = np.maximum(rng.normal(size=(GALLERY, DIMENSION)), 0).astype(np.float32)
    features = FeatureSet(np.arange(GALLERY).astype(object), vectors, "random:0")
    codes = {
        name: rng.choice(size, GALLERY, p=(shares := 1 / np.arange(1, size + 1)) / shares.sum()).astype(np.int32)
        for name, size in CLASSES.items()
    }
    ours = precisions(features, codes, 128)  # compiles
    ready = similarities(features, REFERENCE)
    theirs = scikit_learn(ready, codes)
    for name in codes:
        np.testing.assert_allclose(ours[name][:REFERENCE], theirs[name], atol=TIES)
    fast = rate(lambda: precisions(features, codes, QUERIES), QUERIES)
    slow = rate(lambda: scikit_learn(ready, codes), REFERENCE, rounds=2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    work = f"mAP of {GALLERY:,} pictures, six relevances, similarities included (memory {peak:.1f} GB)"
    yield Row(work, "a loop of `average_precision_score`, similarities given", fast, slow, "queries/s", 30)


def precisions(features: FeatureSet, codes: dict[str, np.ndarray], queries: int) -> dict[str, np.ndarray]:
    """AP of the first `queries` pictures against all others, by relevance."""
    single = np.arange(len(features.ids))
    ranked = rank(features.take(single[:queries]), features, "cosine")
    parts = [strict_precisions(order, single[part], single, codes) for part, order, _ in ranked]
    return {name: np.concatenate([part[name] for part in parts]) for name in codes}


def similarities(features: FeatureSet, queries: int) -> np.ndarray:
    """What the reference is given for nothing: minus the distances, (Q, G)."""
    ranked = rank(features.take(np.arange(queries)), features, "cosine")
    return -np.concatenate([distances for _, _, distances in ranked])


def scikit_learn(similarity: np.ndarray, codes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same AP, one query and relevance at a time; of a query that nothing is right for there is none."""
    found: dict[str, list[float]] = {name: [] for name in codes}
    for query, row in enumerate(similarity):
        others = np.arange(len(row)) != query
        for name, labels in codes.items():
            right = labels[others] == labels[query]
            found[name].append(average_precision_score(right, row[others]) if right.any() else np.nan)
    return {name: np.array(values) for name, values in found.items()}
