"""How much memory ingestion, extraction and evaluation take as a catalogue grows: nine times the pictures.

    python -m benchmarks.memory [--pictures 44441 400000]

Drawn pictures with the drawn sample's labels, in Kaggle's layout. Each piece of work is a process of its own, and its
highest memory is told beside that of the features that it must hold. Evaluation: so many queries at either size.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import features
from pipeline import environment, params, paths
from pipeline.data import catalog, ingest, sources
from pipeline.encoders import extract, store
from pipeline.evaluation import scoring

DATA = params.Data(name="folder", source="folder", path="source.zip", watch="x", seed=0, test_share=0.2)
BACKBONE, SIZE = "mobilenet_v2", 96
QUERIES = 2000
PICTURES = (44_441, 400_000)
WORK = ("ingest", "extract", "evaluate")


def main() -> None:
    """Prints gigabytes for each piece of work and number of pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=PICTURES)
    parser.add_argument("--work", choices=WORK, help="one piece of work in this process, in the folder `--place`")
    parser.add_argument("--place", type=Path)
    given = parser.parse_args()
    if given.work:
        paths.ROOT, paths.BUILD = given.place, given.place / "build"
        held = {"ingest": _ingest, "extract": _extract, "evaluate": _evaluate}[given.work]()
        print(json.dumps({"work": given.work, "gigabytes": round(_peak(), 2), "features": round(held, 2)}))
        return
    for row in rows(given.pictures):
        print("{pictures:,} pictures, {work}: {gigabytes} GB at most, of which features {features}".format(**row))


def rows(pictures: Iterable[int] = PICTURES) -> Iterator[dict]:
    """The highest memory of each piece of work for so many pictures, and that of the features which it must hold."""
    for count in pictures:
        with tempfile.TemporaryDirectory() as place:
            _draw(Path(place) / "source.zip", count)
            for work in WORK:
                command = [sys.executable, "-m", "benchmarks.memory", "--work", work, "--place", place]
                variables = {**os.environ, **environment.variables()}
                found = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
                yield {"pictures": count, **json.loads(found.stdout.splitlines()[-1])}


def _peak() -> float:
    """The highest memory of this process, in GB; what getrusage says is of the one that started it, if that is more."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e6


def _draw(target: Path, count: int) -> None:
    """A zip of so many pictures in Kaggle's layout, none like another: a search for copies must find none."""
    drawn = sources.open_source(
        params.Data(name="sample", source="drawn", path=None, watch="x", seed=0, test_share=0.2)
    )
    header, *rows = drawn.styles.decode().splitlines()
    kept = [row.partition(",")[::2] for row in rows if row.count(",") == header.count(",")]
    labels, lines, rng = [rest for name, rest in kept if name in drawn.images], [header], np.random.default_rng(0)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for number in range(1, count + 1):
            lines.append(f"{number},{labels[number % len(labels)]} {number // 3}")  # three listings of a product
            pixels = np.kron(rng.integers(0, 256, (10, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG")
            archive.writestr(f"images/{number}.jpg", buffer.getvalue())
        archive.writestr("styles.csv", "\n".join(lines))


def _ingest() -> float:
    ingest.ingest(DATA)
    return 0.0


def _extract() -> float:
    frame = catalog.load(DATA.name)
    spec, folder = features.made(BACKBONE, SIZE)
    os.renames(folder, paths.weights(DATA.name, BACKBONE))
    ids = frame[catalog.ID].tolist()
    extract.extract_features(DATA.name, "bench", spec, ids, paths.features(DATA.name, "bench"))
    return len(ids) * 1280 * 4 / 1e9


def _evaluate() -> float:
    frame, vectors = catalog.load(DATA.name), store.read(paths.features(DATA.name, "bench"))
    test = np.flatnonzero((frame[catalog.SPLIT] == catalog.TEST).to_numpy())
    frame.loc[test[QUERIES:], catalog.SPLIT] = catalog.TRAIN
    scoring.evaluate(vectors, frame, "cosine", params.load().knn_retrieval)
    return 2 * vectors.vectors.nbytes / 1e9  # as they are, and at length 1


if __name__ == "__main__":
    main()
