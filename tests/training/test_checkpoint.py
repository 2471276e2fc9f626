"""What a killed run goes on from: whole or not at all, and of its own run only."""

import os
import signal
from pathlib import Path

import children
import keras
import numpy as np
import pytest

from pipeline import paths
from pipeline.training import checkpoint, objective

SPEC = children.finetune_like(
    objective=[
        {"kind": "cross_entropy", "by": "articleType", "weight": 1.0},
        {"kind": "contrastive", "by": "articleType", "weight": 1.0, "margin": 0.5, "memory": {"size": 8, "warm_up": 0}},
    ],
    batches={"size": 4, "together": None, "per_group": 1, "class_power": 1.0},
)
FIRST, SECOND = [{"epoch": 1, "loss": 2.0}], [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "build" / "sample-tuned"


def learner(epochs=0):
    """A small network in training, after some epochs."""
    keras.utils.set_random_seed(0)
    body = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    made = objective.compiled(objective.Learner(body, SPEC, {"articleType": np.array([4, 4])}), SPEC)
    rng = np.random.default_rng(0)
    labels = {"articleType": np.tile([0, 1], 4).astype(np.int32), "picture": np.arange(8, dtype=np.int32)}
    for _ in range(epochs):
        made.fit(rng.normal(size=(8, 3)).astype(np.float32), labels, batch_size=4, shuffle=False, verbose=0)
    return made


def state(made):
    return [np.asarray(value) for value in [*made.weights, *made.optimizer.variables]]


def same(first, second):
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_nothing_kept_is_an_empty_history(folder):
    assert checkpoint.Checkpoint(folder, "run").restore(learner()) == []


def test_weights_optimiser_and_memory_come_back(folder):
    kept = learner(1)
    checkpoint.Checkpoint(folder, "run").keep(kept, FIRST, best=True)
    fresh = learner()
    assert not same(state(fresh), state(kept))
    assert checkpoint.Checkpoint(folder, "run").restore(fresh) == FIRST
    assert same(state(fresh), state(kept))
    memory = next(own for own in fresh.own if own is not None and own.name == "memory")
    assert int(memory.batches) == 2
    assert int(fresh.optimizer.iterations) == 2


def test_the_best_epoch_outlives_a_worse_one(folder):
    kept = checkpoint.Checkpoint(folder, "run")
    best = learner(1)
    kept.keep(best, FIRST, best=True)
    kept.keep(learner(2), SECOND, best=False)
    fresh = learner()
    assert kept.restore(fresh) == SECOND
    assert same(state(fresh), state(learner(2)))
    kept.restore_best(fresh)
    assert same([np.asarray(value) for value in fresh.weights], [np.asarray(value) for value in best.weights])


def test_another_run_finds_nothing_and_what_is_forgotten_is_gone(folder):
    kept = checkpoint.Checkpoint(folder, "run")
    kept.keep(learner(1), FIRST, best=True)
    assert checkpoint.Checkpoint(folder, "other").restore(learner()) == []
    kept.forget()
    assert kept.restore(learner()) == []
    assert not list(folder.parent.iterdir())


def test_a_fault_while_keeping_leaves_the_epoch_before(folder):
    kept, first = checkpoint.Checkpoint(folder, "run"), learner(1)
    kept.keep(first, FIRST, best=True)
    with pytest.raises(TypeError):
        kept.keep(learner(2), [{"loss": object()}], best=True)
    fresh = learner()
    assert kept.restore(fresh) == FIRST
    assert same(state(fresh), state(first))
    kept.keep(learner(2), SECOND, best=True)
    assert kept.restore(learner()) == SECOND


def keep_and_be_killed():
    """The second epoch is written when the process is killed, at the rename that would give it its name."""
    kept = checkpoint.Checkpoint(paths.BUILD / "sample-tuned", "run")
    kept.keep(learner(1), FIRST, best=True)
    rename = Path.replace

    def killed(path, target):
        if Path(target) == kept.folder:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    Path.replace = killed
    kept.keep(learner(2), SECOND, best=True)


def test_a_kill_between_two_epochs_keeps_one_of_them(folder):
    child = children.start(keep_and_be_killed, folder.parents[1], folder.parent)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    fresh = learner()
    history = checkpoint.Checkpoint(folder, "run").restore(fresh)
    assert history in (FIRST, SECOND)
    assert same(state(fresh), state(learner(len(history))))


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_state_means_starting_over_or_names_its_folder(folder, damage):
    kept = checkpoint.Checkpoint(folder, "run")
    kept.keep(learner(1), FIRST, best=True)
    path = kept.folder / checkpoint.STATE
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.unlink()
    fresh = learner()
    try:
        assert kept.restore(fresh) == []
    except RuntimeError as error:
        assert str(kept.folder.name) in str(error)
