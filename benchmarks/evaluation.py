"""The whole evaluation of one encoder, side by side with the loop one would write first.

    python -m benchmarks.evaluation [--pictures 44441] [--reference 40] [--distances cosine]

Ours: every strict, temporal and thesis protocol, six relevances, two galleries, graded relevance, thresholds, and
bootstrap intervals, on all test queries. The loop: for some test queries scikit-learn's similarities, and its
`average_precision_score` for six relevances and two galleries, and nothing else; no interval. Features and labels are
drawn at random in the shape of the real data.
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import cosine_similarity

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import scoring, statistics, study

SIZES = {
    "articleType": 142,
    "subCategory": 45,
    "masterCategory": 7,
    "gender": 5,
    "baseColour": 47,
    "usage": 8,
    "season": 4,
    "productDisplayName": 31_000,
}


def main() -> None:
    """Prints what each distance took, the ratio to the loop, and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=44_441)
    parser.add_argument("--reference", type=int, default=40)
    parser.add_argument("--distances", nargs="+", default=["cosine"])
    given = parser.parse_args()
    frame, features = drawn(given.pictures)
    study_params = params.load()
    small = np.arange(600)
    whole(features.take(small), frame.iloc[small].reset_index(drop=True), "cosine", study_params)  # compiles
    loop = per_query(
        lambda: naive(features, frame, study_params.knn_retrieval.relevances, given.reference), given.reference
    )
    queries = int((frame[catalog.SPLIT] == catalog.TEST).sum())
    for distance in given.distances:
        ours = per_query(lambda: whole(features, frame, distance, study_params), queries)  # noqa: B023
        print(
            f"{distance}: {ours * queries:.0f} s for {queries:,} queries; loop / ours: {loop / ours:.0f}x "
            f"(the loop would take {loop * queries / 60:.0f} min)"
        )
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def whole(features: FeatureSet, frame: pd.DataFrame, distance: str, given: params.Study) -> list[pd.DataFrame]:
    """What chapters 4 and 5 measure of one retrieval."""
    judged = scoring.evaluate(features, frame, distance, given.knn_retrieval)
    products = catalog.products(frame)
    draws: dict[int, np.ndarray] = {}
    tables = []
    for (_, _, relevance), rows in judged.scores.groupby(study.PLACE, observed=True):
        if len(rows) not in draws:
            draws[len(rows)] = statistics.draws(len(rows), given.evaluation.resamples, 0, products[rows["query"]])
        asked, labels = rows["query"], study.labels_of(frame, relevance)[rows["query"]]
        one = {"it": study.own_metrics(rows, relevance)}
        tables.append(study.summarise(one, labels, draws[len(rows)], products[asked], 0)[0])
    return tables


def naive(features: FeatureSet, frame: pd.DataFrame, relevances: list[str], count: int) -> list[float]:
    """AP of some test queries, one query, gallery and relevance at a time."""
    test = (frame[catalog.SPLIT] == catalog.TEST).to_numpy()
    found = []
    for query in np.flatnonzero(test)[:count]:
        similarity = cosine_similarity(features.vectors[[query]], features.vectors)[0]
        for member in (np.ones(len(frame), bool), test):
            others = member & (np.arange(len(frame)) != query)
            for relevance in relevances:
                labels = catalog.label_codes(frame, relevance) if relevance not in CODES else CODES[relevance]
                CODES[relevance] = labels
                right = labels[others] == labels[query]
                if right.any():
                    found.append(average_precision_score(right, similarity[others]))
    return found


CODES: dict[str, np.ndarray] = {}  # the loop is not charged for making them


def drawn(pictures: int, dimension: int = 1280) -> tuple[pd.DataFrame, FeatureSet]:
    """A catalogue and features of the real data's shape: label sizes that fall off like theirs, a fifth for testing."""
    rng = np.random.default_rng(0)
    labels = {
        name: rng.choice(size, pictures, p=(shares := 1 / np.arange(1, size + 1)) / shares.sum()).astype(str)
        for name, size in SIZES.items()
    }
    ids = np.arange(pictures).astype(str).astype(object)
    years = rng.integers(2007, 2020, pictures)
    frame = pd.DataFrame(
        {
            catalog.ID: ids,
            **labels,
            catalog.YEAR: years,
            catalog.SHA256: ids,
            catalog.SPLIT: np.where(rng.random(pictures) < 0.2, catalog.TEST, catalog.TRAIN),
            catalog.TEMPORAL_SPLIT: np.where(years % 2 == 0, catalog.TRAIN, catalog.TEST),
        }
    )
    vectors = np.maximum(rng.normal(size=(pictures, dimension)), 0).astype(np.float32)
    return frame, FeatureSet(ids, vectors, "random:0")


def per_query(work, queries: int) -> float:
    """Seconds per query."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) / queries


if __name__ == "__main__":
    main()
