"""A training step of the recommended encoder from the zip, beside the same step on batches that are in memory."""

import resource
from collections.abc import Iterator

import keras
import numpy as np

from benchmarks import STUDY, Row, rate
from benchmarks.features import drawn
from pipeline import params, paths
from pipeline.encoders import backbones
from pipeline.training import batches, fit, objective

STEPS = 8


class Ready(keras.utils.PyDataset):
    """Batches that are in memory."""

    def __init__(self, made: list):
        super().__init__()
        self.made = made

    def __len__(self) -> int:
        return len(self.made)

    def __getitem__(self, number: int):
        return self.made[number]


def rows() -> Iterator[Row]:
    """Steps a second; the system's share of the time, and page faults, in the words."""
    spec = params.load(paths.reference(STUDY) / "params.yaml").finetunes["joint"]
    with drawn(STEPS * spec.batches.size) as ids, paths.open_images("sample") as archive:
        rng = np.random.default_rng(0)
        labels = {label: rng.integers(0, 100, len(ids)).astype(np.int32) for label in {t.by for t in spec.objective}}
        labels[batches.PICTURE] = np.arange(len(ids), dtype=np.int32)
        encoder = backbones.encoder(spec)
        fit.freeze(encoder.get_layer("backbone"), spec.frozen)
        learner = objective.Learner(encoder, spec, {label: np.full(100, 10) for label in labels})
        objective.compiled(learner, spec)
        order = np.arange(len(ids))
        shown = batches.LabelBatches(batches.images(archive, ids, spec, 0), labels, order, spec.batches.size)
        ready = Ready([shown[number] for number in range(len(shown))])
        learner.fit(ready, verbose=0)  # traces
        theirs = rate(lambda: learner.fit(ready, verbose=0, shuffle=False), STEPS, rounds=2)
        before = resource.getrusage(resource.RUSAGE_SELF)
        ours = rate(lambda: learner.fit(shown, verbose=0, shuffle=False), STEPS, rounds=2)
        after = resource.getrusage(resource.RUSAGE_SELF)
        system = after.ru_stime - before.ru_stime
        share = system / (system + after.ru_utime - before.ru_utime)
        faults = (after.ru_minflt - before.ru_minflt) / (2 * STEPS)
        work = (
            f"a step of `joint`, batch {spec.batches.size} at {list(spec.height_width)}, from the zip "
            f"({share:.0%} system time, {faults:,.0f} page faults a step)"
        )
        yield Row(work, "the same step on batches in memory", ours, theirs, "steps/s", 0.9)
