"""Features per second from zip to SQLite, side by side with two other ways, as ratios.

    python -m benchmarks.features [--pictures 5000] [--rounds 3]

(a) one `model.predict` per picture, as the thesis and its peers do; (b) `model.predict(batch_size=128)` on arrays that
are already decoded, so without zip, JPEG, resizing or SQLite. Ours does all of it. MobileNetV2 at 128², stretched.
"""

import argparse
import os
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pipeline import params, paths
from pipeline.data import ingest
from pipeline.encoders import extract, pretrained, weights

ENCODER = params.Encoder(
    backbone="mobilenet_v2",
    weights="mobilenet_v2",
    image_size=128,
    resize="stretch",
    pad_color=[0, 0, 0],
    interpolation="bicubic",
    preprocessing="own",
    pooling="avg",
    head=[],
    batch_size=64,
)


def main() -> None:
    """Prints the speeds of each round and the median ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths.ROOT, paths.BUILD = Path(folder), Path(folder) / "build"
        ids = prepare(given.pictures)
        model = weights.load_encoder(ENCODER, paths.weights("sample", "mobilenet_v2"))
        with paths.open_images("sample") as archive:
            arrays = extract.load_pictures(archive, ids[:2048], ENCODER)
        ours(ids[:128])  # the first call of each way compiles; it does not count
        one_by_one(model, ids[:4])
        model.predict(arrays[:128], batch_size=128, verbose=0)
        rows = []
        for number in range(given.rounds):
            rows.append((rate(ours, ids), rate(one_by_one, model, ids[:64]), rate(decoded, model, arrays)))
            print("round {}: ours {:.0f}/s, (a) {:.1f}/s, (b) {:.0f}/s".format(number + 1, *rows[-1]))
    print(f"ours / (a): {statistics.median(row[0] / row[1] for row in rows):.1f}x")
    print(f"ours / (b): {statistics.median(row[0] / row[2] for row in rows):.2f}x")


def prepare(count: int) -> list[str]:
    """The drawn sample's pictures again and again under new ids, until there are `count`."""
    ingest.ingest(params.Data(name="sample", source="drawn", path=None, watch="x", seed=0, test_share=0.2))
    pretrained.make(
        params.Weights(source="random", backbone="mobilenet_v2", seed=0), paths.weights("sample", "mobilenet_v2")
    )
    with paths.open_images("sample") as archive:
        pictures = [archive.read(name) for name in archive.namelist()]
    ids = [str(number) for number in range(count)]
    with zipfile.ZipFile(paths.images("sample"), "w", zipfile.ZIP_STORED) as archive:
        for number, image_id in enumerate(ids):
            archive.writestr(image_id, pictures[number % len(pictures)])
    return ids


def ours(ids: list[str]) -> int:
    """Zip to SQLite, building and freezing the encoder included."""
    return len(extract.extract_features("sample", "bench", ENCODER, ids, paths.features("sample", "bench")).ids)


def one_by_one(model, ids: list[str]) -> int:
    """(a): decode one picture, predict one picture."""
    with paths.open_images("sample") as archive:
        for image_id in ids:
            model.predict(extract.load_pictures(archive, [image_id], ENCODER), verbose=0)
    return len(ids)


def decoded(model, arrays) -> int:
    """(b): nothing but the network."""
    return len(model.predict(arrays, batch_size=128, verbose=0))


def rate(work, *arguments) -> float:
    """Pictures per second."""
    began = time.perf_counter()
    return work(*arguments) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
