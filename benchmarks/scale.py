"""Evaluation on Dask's workers, by hand: whether the bytes are those that are published or made here, seconds, memory.

    python -m benchmarks.scale --run FOLDER ENCODER [--lock reference/<folder>/dvc.lock]
    python -m benchmarks.scale --run FOLDER ENCODER --queries 120 [--pictures 10000 160000 --dimension 128]
    python -m benchmarks.scale [--pictures 44441 200000] [--dimension 512] [--queries 600] [--mapped]

`--run`: a finished run's folder and an encoder of it. All its test pictures ask, and each file that chapter 4 writes is
held against its MD5 in the published lock. With `--queries` the first of them ask, and it is the same work here that it
is held against; with `--pictures` besides, among so many: its own, and more of the same labels, whose features lie
beside theirs. Without `--run`, features and labels are drawn. `--mapped`: they are ranked here, whole and by blocks,
from a folder that is mapped from disk, as those of more than ten million pictures are. Memory is what a process has of
its own at most (RssAnon): pages that are mapped from disk are the system's, which takes them back when it needs them.
"""

import argparse
import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from benchmarks import evaluation
from pipeline import environment, files, params, paths
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
PARTS = {  # what chapter 4 writes
    "neighbours": "neighbours/{}.parquet",
    "scores": "scores/{}.parquet",
    "distances": "scores/{}.distances.parquet",
}
WAYS = [
    ("by queries", {"engine": "dask", "gallery": "whole"}),
    ("by blocks", {"engine": "dask", "gallery": "blocks"}),
]


def main() -> int:
    """Prints a line for each way to rank; 1 where one gave other bytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+")
    parser.add_argument("--run", nargs=2, metavar=("FOLDER", "ENCODER"))
    parser.add_argument("--lock", type=Path)
    parser.add_argument("--dimension", type=int)
    parser.add_argument("--queries", type=int)
    parser.add_argument("--distance", default="cosine")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--mapped", action="store_true")
    given = parser.parse_args()
    if not environment.is_set():  # as the stages are started
        environment.restart("benchmarks.scale", sys.argv[1:])
    if given.run and not given.queries:
        run, published = _published(given)
        frame, features = _study(given)
        return int(not _compared(frame, features, run, given, published))
    same = []
    for count in given.pictures or ([0] if given.run else [44_441]):
        frame, features = _grown(count, given) if given.run else _drawn(count, given)
        with _kept(features) if given.mapped else contextlib.nullcontext(features) as features:
            same.append(_compared(frame, features, RUN, given))
    return int(not all(same))


def _compared(frame, features, run, given, expected: dict[str, str] | None = None) -> bool:
    """Whether each way to rank gives the expected files, by MD5; None: those that are made here."""
    queries = len(catalog.rows_of(frame, catalog.TEST))
    print(f"{queries:,} queries, {len(frame):,} pictures, {features.vectors.shape[1]} dimensions", flush=True)
    whose, told = "published" if expected else "same", True
    expected = expected or _told("here", frame, features, given, run, {})
    ways = [("by blocks here", {"gallery": "blocks"})] if given.mapped else WAYS
    for name, place in ways:
        found = _told(name, frame, features, given, run, place)
        other = [f"{part}: {found[part]}, not {md5}" for part, md5 in expected.items() if found[part] != md5]
        print(f"    OTHER BYTES: {'; '.join(other)}" if other else f"    the {whose} bytes", flush=True)
        told = told and not other
    return told


def _told(name, frame, features, given, run, place) -> dict[str, str]:
    """Evaluates in one way, on workers of its own, and prints it; the MD5 of each file that chapter 4 would write."""
    with tempfile.TemporaryDirectory() as folder:
        workers_wanted = given.workers if "engine" in place else 0
        with _cluster(Path(folder), workers_wanted) as (scheduler, workers):
            place = params.Scale.model_validate({**place, "scheduler": scheduler} if workers else place)
            began, before = time.perf_counter(), _own(os.getpid())
            with _watched([os.getpid(), *workers]) as peaks:
                judged = scoring.evaluate(features, frame, given.distance, run, place)
        seconds, own = time.perf_counter() - began, [f"{peak / 1e6:.2f}" for peak in peaks]
        each = f", at most {' and '.join(own[1:])} GB of each worker's own" if workers else ""
        print(
            f"  {name}: {seconds:.0f} s{each}, {own[0]} GB of the run's, which began with {before / 1e6:.2f}",
            flush=True,
        )
        tables, found = (judged.neighbours.frame(), judged.scores, judged.distances), {}
        for part, table in zip(PARTS, tables, strict=True):
            files.write_parquet(Path(folder) / part, table)
            found[part] = hashlib.md5((Path(folder) / part).read_bytes()).hexdigest()
    return found


def _published(given) -> tuple[params.KnnRetrieval, dict[str, str]]:
    """The parameters of chapter 4 and the MD5 of each of its files, as the published lock has them."""
    folder, encoder = Path(given.run[0]), given.run[1]
    lock = YAML(typ="safe").load(given.lock or paths.reference(folder.name) / "dvc.lock")
    stage, name = lock["stages"][f"knn_retrieval@{encoder}-{given.distance}"], f"{encoder}-{given.distance}"
    made = {"/".join(Path(out["path"]).parts[-2:]): out["md5"] for out in stage["outs"]}
    run = params.KnnRetrieval.model_validate(stage["params"]["params.yaml"]["knn_retrieval"])
    return run, {part: made[path.format(name)] for part, path in PARTS.items()}


def _study(given) -> tuple[pd.DataFrame, FeatureSet]:
    """A run's catalogue, and the features of one of its encoders."""
    folder, encoder = Path(given.run[0]), given.run[1]
    return pd.read_parquet(folder / "catalog.parquet"), store.read(folder / "features" / f"{encoder}.sqlite")


def _grown(count: int, given) -> tuple[pd.DataFrame, FeatureSet]:
    """So many pictures of a run (0: its own), of which the first test pictures ask; more than it has are made."""
    frame, features = _study(given)
    rows = np.arange(count or len(frame))
    again, rows = rows // len(frame), rows % len(frame)
    vectors = features.vectors[rows, : given.dimension]
    rng = np.random.default_rng(0)
    for start in range(0, len(rows), 10_000):  # a picture beside the one whose labels it has
        part = slice(start, start + 10_000)
        vectors[part] *= 1 + 0.1 * (again[part, None] > 0) * rng.standard_normal(vectors[part].shape, np.float32)
    frame = frame.iloc[rows].reset_index(drop=True)
    for column in (catalog.ID, catalog.SHA256):
        frame[column] = [f"{it}-{lap}" if lap else it for it, lap in zip(frame[column], again, strict=True)]
    frame.loc[catalog.rows_of(frame, catalog.TEST)[given.queries :], catalog.SPLIT] = catalog.TRAIN
    return frame, FeatureSet(frame[catalog.ID].to_numpy(), vectors, features.encoder_id)


def _drawn(count: int, given) -> tuple[pd.DataFrame, FeatureSet]:
    """So many pictures, of which a few ask."""
    frame, _ = evaluation.drawn(count, 1)
    frame[catalog.PRODUCT] = np.arange(count) // 3
    frame[catalog.PRODUCT] = frame[catalog.PRODUCT].astype(str)
    frame[catalog.TYPE_SPLIT] = catalog.TRAIN
    step = max(count // (given.queries or 600), 2)
    frame[catalog.SPLIT] = np.where(np.arange(count) % step == 1, catalog.TEST, catalog.TRAIN)
    vectors = np.random.default_rng(0).random((count, given.dimension or 512), np.float32)
    return frame, FeatureSet(frame[catalog.ID].to_numpy(), vectors, "drawn:0")


@contextlib.contextmanager
def _kept(features: FeatureSet):
    """The same features, mapped from a folder."""
    meta = {"encoder_id": features.encoder_id, "dimension": str(features.vectors.shape[1]), "encoder": "kept"}
    with tempfile.TemporaryDirectory() as place:
        parts = (slice(at, at + 10_000) for at in range(0, len(features.ids), 10_000))
        some = ((features.ids[part].tolist(), features.vectors[part]) for part in parts)
        with mock.patch.object(store, "LARGE", 0):
            store.write(Path(place) / "kept", meta, len(features.ids), some)
        yield store.read(Path(place) / "kept")


@contextlib.contextmanager
def _cluster(folder: Path, workers: int):
    """A scheduler and some workers on this machine: the scheduler's file, and the workers' processes."""
    file = str(folder / "scheduler.json")
    parts = [["scheduler", "--port", "0"], *[["worker", "--no-nanny", "--local-directory", str(folder)]] * workers]
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "pipeline.scale"]
        started = parts if workers else []
        children = [subprocess.Popen([*command, *part, "--scheduler-file", file], stderr=log) for part in started]
        try:
            yield file, [child.pid for child in children[1:]]
        finally:
            for child in children:
                child.kill()
                child.wait()


@contextlib.contextmanager
def _watched(processes: list[int]):
    """The most that each process has of its own while the block runs, in kilobytes."""
    peaks, over = [0] * len(processes), threading.Event()

    def look():
        while not over.wait(0.05):
            for at, process in enumerate(processes):
                peaks[at] = max(peaks[at], _own(process))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def _own(process: int) -> int:
    """What a process has of its own, in kilobytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next((line.split()[1] for line in lines if line.startswith("RssAnon")), "0"))


if __name__ == "__main__":
    sys.exit(main())
