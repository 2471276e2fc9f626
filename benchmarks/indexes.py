"""Exact search by matrix product, side by side with scikit-learn's ball tree and faiss's flat index.

    python -m benchmarks.indexes [--gallery 44441] [--batch 256] [--neighbours 10]
        [--features outputs/…/features/….sqlite]

Without `--features` vectors are drawn around as many centres as there are article types. Each round asks every index
the same batch, one after the other; the ratios are of the rounds' times.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from pipeline.encoders import store
from pipeline.retrieval import indexes
from pipeline.vectors import unit

OTHERS = ["ball_tree", "brute", "flat"]


def main() -> None:
    """Prints the seconds of each round and the median ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gallery", type=int, default=44_441)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--neighbours", type=int, default=10)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    vectors = store.read(given.features).vectors[: given.gallery] if given.features else drawn(given.gallery)
    queries, gallery = vectors[: given.batch], vectors[given.batch :]
    searches = {kind: indexes.build(kind, gallery) for kind in ["exact", *OTHERS]}
    searches["exact"](queries, given.neighbours)  # compiles
    seconds: dict[str, list[float]] = {kind: [] for kind in searches}
    for number in range(given.rounds):
        found = {}
        for kind, search in searches.items():
            began = time.perf_counter()
            _, found[kind] = search(queries, given.neighbours)
            seconds[kind].append(time.perf_counter() - began)
        for kind in OTHERS:
            np.testing.assert_allclose(found[kind], found["exact"], atol=1e-4)
        print(
            f"round {number + 1}: " + ", ".join(f"{kind} {times[-1] * 1e3:.0f} ms" for kind, times in seconds.items())
        )
    for kind in OTHERS:
        ratios = [theirs / ours for theirs, ours in zip(seconds[kind], seconds["exact"], strict=True)]
        print(f"{kind} / exact: {statistics.median(ratios):.2f}")


def drawn(count: int) -> np.ndarray:
    """Vectors of length 1 around 142 centres; float32 (count, 1280)."""
    rng = np.random.default_rng(0)
    centres = np.maximum(rng.normal(size=(142, 1280)), 0)
    spread = rng.normal(size=(count, 1280), scale=0.7)
    return unit(np.maximum(centres[rng.integers(0, 142, count)] + spread, 0).astype(np.float32))


if __name__ == "__main__":
    main()
