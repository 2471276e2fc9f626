"""A training step of the recommended encoder from the zip, beside the same step on batches that are in memory."""

import resource
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from benchmarks import Row, rate
from benchmarks.features import drawn
from pipeline import environment, params, paths
from pipeline.encoders import backbones
from pipeline.report.publication import STUDY
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
        speed = ours * flops(spec, encoder) / 1e9
        work = (
            f"a step of `joint`, batch {spec.batches.size} at {list(spec.height_width)}, from the zip "
            f"({share:.0%} system time, {faults:,.0f} page faults a step; {1 / ours:.2f} seconds, {speed:.0f} GFLOP/s)"
        )
        yield Row(work, "the same step on batches in memory", ours, theirs, "steps/s", 0.9)


def flops(spec: params.Finetune, encoder: keras.Model) -> float:
    """Floating-point operations of a step: each picture goes there, and back twice through what is trained, for the
    activations and for the weights."""
    backbone = encoder.get_layer("backbone")
    forward = _forward(encoder)
    kept = spec.frozen and _forward(keras.Model(backbone.input, backbone.get_layer(spec.frozen).output))
    return spec.batches.size * (forward + 2 * (forward - (kept or 0)))


def _forward(network: keras.Model) -> float:
    """Those of one picture's way through a network, as TensorFlow counts them."""
    given = tf.TensorSpec((1, *network.input_shape[1:]), network.inputs[0].dtype)
    graph = tf.function(network).get_concrete_function(given).graph
    counted = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options = tf.compat.v1.profiler.ProfileOptionBuilder(counted).with_empty_output().build()
    with environment.quiet():
        return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
