"""Child processes that tests kill: each does one piece of real work in a place of its own."""

import multiprocessing
from pathlib import Path

from pipeline import params, paths
from pipeline.data import catalog

ENCODER = params.Encoder(
    backbone="mobilenet_v2", weights="tiny", image_size=32, resize="pad", pad_color=[0, 0, 0], interpolation="bicubic",
    preprocessing="own", pooling="avg", head=[], batch_size=8,
)  # fmt: skip
FINETUNE = params.Finetune(
    objective="classification", label="articleType", init="tiny", backbone="mobilenet_v2", image_size=32, resize="pad",
    pad_color=[0, 0, 0], interpolation="bicubic", preprocessing="unit", pooling="avg",
    head=[params.Layer(units=8, activation="relu")], dropout=0.5, learning_rate=0.001, batch_size=32, epochs=3, seed=0,
)  # fmt: skip

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
    from pipeline.encoders import weights

    weights.make(params.Weights(source="random", backbone="mobilenet_v2", seed=0), paths.weights("sample", "tiny"))


def extract() -> None:
    from pipeline.encoders import extract as module

    module.COMMIT_ROWS = 16
    module.extract_features("sample", "tiny", ENCODER, catalog.load("sample")[catalog.ID].tolist())


def finetune() -> None:
    from pipeline.training import fit

    history, metrics = fit.finetune_encoder("sample", "tuned", FINETUNE, catalog.load("sample"))
    (paths.BUILD / "result.json").write_text(history.to_json() + str(metrics))


def _in_place(work, root: Path, build: Path) -> None:
    paths.ROOT, paths.BUILD = root, build
    build.mkdir(parents=True, exist_ok=True)
    work()
