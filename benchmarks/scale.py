"""Evaluation on Dask's workers beside the same here, by hand: whether the bytes are the same, seconds, memory.

    python -m benchmarks.scale [--pictures 44441 200000 | --run FOLDER ENCODER] [--dimension 512] [--queries 600]

`--run`: a finished run's folder and an encoder of it; of its test pictures the first `--queries` ask. Otherwise
features and labels are drawn, in the shape of the real data. Memory is what a worker has of its own at most (RssAnon):
pages that are mapped from disk are the system's, which takes them back when it needs them.
"""

import argparse
import contextlib
import hashlib
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import evaluation
from pipeline import environment, params
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import scoring

RUN = params.KnnRetrieval(
    neighbours=100,
    panel_queries=1,
    panel_neighbours=1,
    relevances=["articleType", "gender+articleType", "product"],
    cutoffs=[1, 5, 10, 15],
    galleries=["all", "test"],
    gains={"articleType": 3, "gender": 2, "baseColour": 2, "usage": 1},
    gain_cutoffs=[10, 100],
    thesis_sizes=[200, 500],
    threshold_queries=100,
    seed=0,
)


def main() -> None:
    """Prints a line for each way to rank."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=[44_441])
    parser.add_argument("--run", nargs=2, metavar=("FOLDER", "ENCODER"))
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--queries", type=int, default=600)
    parser.add_argument("--distance", default="cosine")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    if not environment.is_set():  # as the stages are started
        environment.restart("benchmarks.scale", sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder, _cluster(Path(folder), given.workers) as (file, workers):
        for count in given.pictures:
            frame, features, run = _study(given) if given.run else (*_drawn(count, given), RUN)
            queries = len(catalog.rows_of(frame, catalog.TEST))
            print(f"{queries:,} queries, {len(frame):,} pictures, {features.vectors.shape[1]} dimensions", flush=True)
            dask = {"engine": "dask", "scheduler": file}
            places = [("here", {}), ("by queries", dask), ("by blocks", {**dask, "gallery": "blocks"})]
            hashes = [_told(name, frame, features, given.distance, run, place, workers) for name, place in places]
            print("the same bytes" if len(set(hashes)) == 1 else f"OTHER BYTES: {hashes}", flush=True)


def _told(name, frame, features, distance, run, place, workers) -> str:
    """Evaluates in one way and prints it; the hash of all that it found."""
    began = time.perf_counter()
    with _watched(workers) as peaks:
        judged = scoring.evaluate(features, frame, distance, run, params.Scale.model_validate(place))
    peak = f", {max(peaks) / 1e6:.2f} GB of a worker's own at most" if place else ""
    print(f"  {name}: {time.perf_counter() - began:.0f} s{peak}", flush=True)
    tables = (judged.neighbours.frame(), judged.scores, judged.distances)
    with tempfile.TemporaryDirectory() as folder:
        file, found = Path(folder) / "table", hashlib.sha256()
        for table in tables:
            table.to_parquet(file, index=False)
            found.update(file.read_bytes())
    return found.hexdigest()


def _study(given) -> tuple[pd.DataFrame, FeatureSet, params.KnnRetrieval]:
    """A run's catalogue, the features of one of its encoders, and the parameters of chapter 4."""
    folder = Path(given.run[0])
    frame = pd.read_parquet(folder / "catalog.parquet")
    frame.loc[catalog.rows_of(frame, catalog.TEST)[given.queries :], catalog.SPLIT] = catalog.TRAIN
    run = params.load().knn_retrieval.model_copy(update={"thesis_sizes": [200, 500]})
    return frame, store.read(folder / "features" / f"{given.run[1]}.sqlite"), run


def _drawn(count: int, given) -> tuple[pd.DataFrame, FeatureSet]:
    """So many pictures, of which a few ask."""
    frame, _ = evaluation.drawn(count, 1)
    frame[catalog.PRODUCT] = np.arange(count) // 3
    frame[catalog.PRODUCT] = frame[catalog.PRODUCT].astype(str)
    frame[catalog.TYPE_SPLIT] = catalog.TRAIN
    frame[catalog.SPLIT] = np.where(np.arange(count) % (count // given.queries) == 1, catalog.TEST, catalog.TRAIN)
    vectors = np.random.default_rng(0).random((count, given.dimension), np.float32)
    return frame, FeatureSet(frame[catalog.ID].to_numpy(), vectors, "drawn:0")


@contextlib.contextmanager
def _cluster(folder: Path, workers: int):
    """A scheduler and some workers on this machine: the scheduler's file, and the workers' processes."""
    file = str(folder / "scheduler.json")
    parts = [["scheduler", "--port", "0"], *[["worker", "--no-nanny", "--local-directory", str(folder)]] * workers]
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "pipeline.scale"]
        children = [subprocess.Popen([*command, *part, "--scheduler-file", file], stderr=log) for part in parts]
        try:
            yield file, children[1:]
        finally:
            for child in children:
                child.kill()
                child.wait()


@contextlib.contextmanager
def _watched(workers):
    """The most that each worker has of its own while the block runs, in kilobytes."""
    peaks, over = [0] * len(workers), threading.Event()

    def look():
        while not over.wait(0.05):
            for at, worker in enumerate(workers):
                lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
                own = next((line.split()[1] for line in lines if line.startswith("RssAnon")), "0")
                peaks[at] = max(peaks[at], int(own))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    main()
