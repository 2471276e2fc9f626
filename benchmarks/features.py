"""Features from the zip to SQLite, beside Keras's own `predict`; each encoder's speed by itself.

Ours reads, decodes, resizes, computes and stores. `predict` is given one picture after another as the thesis and its
peers do, or batches of 128 that are decoded already. Weights are drawn: speed does not depend on them.
"""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import Row, rate
from pipeline import params, paths
from pipeline.data import ingest
from pipeline.encoders import compiled, extract, pretrained, weights

# backbone, image size, pictures, and the bars: of one `predict` per picture, of predict(128), of the network alone
CASES = [
    ("mobilenet_v2", 128, 4096, (60, 4, None)),
    ("efficientnet_lite0", 224, 1024, (None, 3, 0.95)),
    ("resnet50", 224, 256, (None, 1.5, None)),
]
ALONE = 64  # pictures that a network is measured with by itself


def rows() -> Iterator[Row]:
    """Pictures a second of each case."""
    with drawn() as ids, paths.open_images("sample") as archive:
        for backbone, size, count, (single, batched, alone) in CASES:
            spec, folder = made(backbone, size)
            model = weights.load_encoder(spec, folder)
            arrays = extract.load_pictures(archive, ids[: min(count, 1024)], spec)
            extract.extract_features("sample", "bench", spec, ids[:64], paths.features("sample", "bench"))
            work = f"{backbone} at {size}, {count:,} pictures, zip to SQLite"
            target = paths.features("sample", "bench")
            ours = rate(partial(extract.extract_features, "sample", "bench", spec, ids[:count], target), count)
            model.predict(arrays[:128], batch_size=128, verbose=0)
            theirs = rate(partial(model.predict, arrays, batch_size=128, verbose=0), len(arrays))
            yield Row(work, "`predict(batch_size=128)` on decoded pictures", ours, theirs, "pictures/s", batched)
            if single:
                theirs = rate(lambda: [model.predict(arrays[[at]], verbose=0) for at in range(32)], 32)  # noqa: B023
                yield Row(work, "one `predict` per decoded picture", ours, theirs, "pictures/s", single)
            if alone:
                run = compiled.compiled(spec, folder).run
                yield Row(work, "its network alone", ours, rate(partial(run, arrays), len(arrays)), "pictures/s", alone)


def same_bytes() -> Iterator[dict]:
    """How many different bytes the features of each case have for 1, 2 and 4 threads, 1, 8 and 32 pictures at once."""
    settings = [(threads, batch) for threads in (1, 2, 4) for batch in (1, 8, 32)]
    with drawn() as ids, paths.open_images("sample") as archive:
        for backbone, size, *_ in CASES:
            spec, folder = made(backbone, size)
            pictures, file = extract.load_pictures(archive, ids[:ALONE], spec), folder / "network.tflite"
            file.write_bytes(compiled.converted(weights.load_encoder(spec, folder)))
            found = set()
            for threads, batch in settings:
                run = compiled.interpreted(file, threads).run
                found.add(b"".join(run(pictures[at : at + batch]).tobytes() for at in range(0, len(pictures), batch)))
            yield {"network": f"{backbone} at {size}", "settings": len(settings), "different": len(found)}


def networks(study: params.Study) -> Iterator[dict]:
    """Each network of a study by itself: pictures a second, and milliseconds for one."""
    cases = dict.fromkeys((spec.backbone, spec.height_width) for spec in study.encoders.values())
    with drawn() as ids, paths.open_images("sample") as archive:
        for backbone, size in cases:
            spec, folder = made(backbone, list(size))
            arrays, run = extract.load_pictures(archive, ids[:ALONE], spec), compiled.compiled(spec, folder).run
            run(arrays)
            speed = rate(partial(run, arrays), ALONE)
            run(arrays[:1])
            single = rate(lambda: [run(arrays[[at]]) for at in range(32)], 32)  # noqa: B023
            yield {"backbone": backbone, "size": list(size), "pictures_per_second": speed, "milliseconds": 1e3 / single}


@contextmanager
def drawn(count: int = 4096) -> Iterator[list[str]]:
    """The drawn sample's pictures again and again under new ids, in a place of their own; the ids."""
    before = paths.ROOT, paths.BUILD
    with tempfile.TemporaryDirectory() as folder:
        paths.ROOT, paths.BUILD = Path(folder), Path(folder) / "build"
        try:
            ingest.ingest(params.Data(name="sample", source="drawn", path=None, watch="x", seed=0, test_share=0.2))
            with paths.open_images("sample") as archive:
                pictures = [archive.read(name) for name in archive.namelist()]
            ids = [str(number) for number in range(count)]
            with zipfile.ZipFile(paths.images("sample"), "w", zipfile.ZIP_STORED) as archive:
                for number, image_id in enumerate(ids):
                    archive.writestr(image_id, pictures[number % len(pictures)])
            yield ids
        finally:
            paths.ROOT, paths.BUILD = before


def made(backbone: str, size: int | list[int]) -> tuple[params.Encoder, Path]:
    """An encoder without a head, with drawn weights."""
    spec = params.Encoder(
        backbone=backbone,
        weights=backbone,
        image_size=size,
        resize="stretch",
        pad_color=[0, 0, 0],
        interpolation="bicubic",
        preprocessing="own",
        pooling="avg",
        head=[],
        batch_size=64,
    )
    folder = paths.weights("sample", backbone)
    if not folder.exists():
        pretrained.make(params.Weights(source="random", backbone=backbone, seed=0), folder)
    return spec, folder
