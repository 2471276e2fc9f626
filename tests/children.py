"""Child processes that tests kill: each does one piece of real work in a place of its own."""

import multiprocessing
from pathlib import Path

import psutil

from pipeline import params, paths
from pipeline.data import catalog

ENCODER = params.Encoder(
    backbone="mobilenet_v2",
    weights="tiny",
    image_size=32,
    resize="pad",
    pad_color=[0, 0, 0],
    interpolation="bicubic",
    preprocessing="own",
    pooling="avg",
    head=[],
    batch_size=8,
)
FINETUNE = params.Finetune(
    init="tiny",
    backbone="mobilenet_v2",
    image_size=32,
    resize="pad",
    pad_color=[0, 0, 0],
    interpolation="bicubic",
    preprocessing="unit",
    pooling="avg",
    head=[{"units": 8, "activation": "relu"}],
    frozen=None,
    split="product",
    share=1.0,
    objective=[{"kind": "cross_entropy", "by": "articleType", "weight": 1.0}],
    dropout=0.5,
    batches={"size": 32, "together": None, "per_group": 1, "class_power": 1.0},
    augment=None,
    optimiser={"learning_rate": 0.001, "weight_decay": 0.0, "schedule": "constant", "warm_up": 0.0},
    epochs=3,
    patience=None,
    monitor=["articleType"],
    precision="float32",
    devices="one",
    seed=0,
)


def finetune_like(**changes) -> params.Finetune:
    """`FINETUNE` with some parameters changed."""
    return params.Finetune.model_validate({**FINETUNE.model_dump(), **changes})


_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["pipeline.training.fit"])  # TensorFlow is loaded once, not once per child


def start(work, root: Path, build: Path) -> multiprocessing.Process:
    """A child that does `work` with the project's folders at `root` and `build`."""
    child = _context.Process(target=_in_place, args=(work, root, build))
    child.start()
    return child


def run(work, root: Path) -> None:
    """A child that does `work` and ends well."""
    child = start(work, root, root / "build")
    child.join()
    assert child.exitcode == 0


def make_weights() -> None:
    from pipeline.encoders import pretrained

    pretrained.make(params.Weights(source="random", backbone="mobilenet_v2", seed=0), paths.weights("sample", "tiny"))


def extract() -> None:
    from pipeline.encoders import extract as module

    module.SHARD_ROWS = 16
    ids = catalog.load("sample")[catalog.ID].tolist()[:160]  # ten commits
    module.extract_features("sample", "tiny", ENCODER, ids, paths.features("sample", "tiny"))


def finetune() -> None:
    from pipeline.evaluation import validation
    from pipeline.training import fit

    frame = catalog.load("sample")
    history, metrics, *_ = fit.finetune_encoder("sample", "tuned", FINETUNE, frame, validation.mean_average_precision)
    (paths.BUILD / "result.json").write_text(history.to_json() + str(metrics))


def add_products() -> None:
    import numpy as np
    from PIL import Image

    from pipeline.site import products

    picture, shelf = products.stored(Image.new("RGB", (60, 80), "red")), paths.site("sample") / "products.sqlite"
    for number in range(10_000):
        products.add(shelf, f"p-{number}", {"gender": "Men"}, picture, {"e": np.ones(8, np.float32)})


def _in_place(work, root: Path, build: Path) -> None:
    paths.ROOT, paths.BUILD = root, build
    build.mkdir(parents=True, exist_ok=True)
    work()


def gone(pid):
    """Whether a process has ended; one that its parent has not fetched has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
