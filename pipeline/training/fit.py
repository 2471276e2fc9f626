"""Fits an encoder and returns its weights and history; goes on after its last epoch when it was interrupted.

An objective is a function that builds a model around an encoder; `OBJECTIVES` names them. Whatever it adds for
training (a classifier, say) stays here: what is saved is the encoder.
"""

import hashlib
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import backbones, weights
from pipeline.progress import progress
from pipeline.training import batches

EPOCH = "epoch"


class FitError(RuntimeError):
    """Training that cannot start or go on."""


def classification(encoder: keras.Model, finetune: params.Finetune, classes: int) -> keras.Model:
    """The thesis's model g (section 4.3 g): encoder → dropout → softmax over the labels, Adam, cross-entropy.

    Differs: the thesis names neither its dropout rate nor its learning rate; both are parameters.
    """
    x = keras.layers.Dropout(finetune.dropout, seed=finetune.seed, name="dropout")(encoder.output)
    x = keras.layers.Dense(classes, activation="softmax", dtype="float32", name="classifier")(x)
    model = keras.Model(encoder.input, x, name="classification")
    model.compile(
        keras.optimizers.Adam(finetune.learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


OBJECTIVES = {"classification": classification}


def finetune_encoder(data: str, name: str, spec: params.Finetune, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """Trains, writes the weights under `name`, and returns the history, a row per epoch, and the final metrics.

    After every epoch the whole state is kept (what the thesis's BackupAndRestore and ModelCheckpoint do); each epoch's
    order and dropout follow from the seed and its number, so that a resumed run ends like one that never stopped.
    The last epoch's weights are the result.

    Raises:
        FitError: labels of one class only, or a loss that is no number.
        WeightsError: the weights to start from are missing or another network's.
    """
    learn, validate = batches.learn_and_validate(frame, spec.label, spec.seed)
    test = frame[(frame[catalog.SPLIT] == catalog.TEST) & frame[spec.label].notna()]
    names = sorted(learn[spec.label].unique())
    if len(names) < 2:
        raise FitError(f"{spec.label} has one class in the train part, {names}; training needs two or more")
    model, encoder = _model(data, spec, len(names))
    state = _State(paths.BUILD / "training" / f"{data}-{name}", _run_id(data, spec, learn))
    history = state.restore(model)
    with paths.open_images(data) as archive:
        parts = {"validation": _batches(archive, validate, names, spec), "test": _batches(archive, test, names, spec)}
        for epoch in range(len(history), spec.epochs):
            _reseed(model, spec.seed, epoch)
            learning = _batches(archive, learn, names, spec, epoch)
            shown = _Progress(f"epoch {epoch + 1} of {spec.epochs}", len(learning))
            model.fit(learning, verbose=0, shuffle=False, callbacks=[shown, keras.callbacks.TerminateOnNaN()])
            row = {EPOCH: epoch + 1, **_rounded(shown.logs), **_evaluated(model, parts["validation"], "validation_")}
            if not np.isfinite(row["loss"]):
                raise FitError(
                    f"the loss of epoch {epoch + 1} is {row['loss']}; lower learning_rate. Received: {spec.learning_rate}"
                )
            history.append(row)
            state.keep(model, history)
        metrics = {
            **_evaluated(model, parts["test"], "test_"),
            "classes": len(names),
            "epochs": len(history),
            "pictures": len(learn),
        }
    _save(data, name, spec, encoder, metrics)
    state.forget()
    return pd.DataFrame(history), metrics


def _model(data: str, spec: params.Finetune, classes: int) -> tuple[keras.Model, keras.Model]:
    weights.start_afresh(spec.seed)
    tf.config.experimental.enable_op_determinism()
    encoder = backbones.encoder(spec)
    weights.load_start(encoder, paths.weights(data, spec.init))
    return OBJECTIVES[spec.objective](encoder, spec, classes), encoder


def _batches(archive, frame: pd.DataFrame, names: list[str], spec: params.Finetune, epoch: int | None = None):
    """`frame` in its own order, or in the order of an epoch. Classes that the learnt part lacks count as −1: never right."""
    labels = pd.Categorical(frame[spec.label], categories=names).codes.astype(np.int32)
    order = np.arange(len(frame)) if epoch is None else batches.shuffled(len(frame), spec.seed, epoch)
    return batches.LabelBatches(archive, frame[catalog.ID].tolist(), labels, order, spec)


def _evaluated(model: keras.Model, data: batches.LabelBatches, prefix: str) -> dict:
    """Accuracy over all pictures, a class that was never learnt counting as wrong; cross-entropy over the learnt classes."""
    right, losses = 0, []
    for number in progress(range(len(data)), prefix.strip("_"), "batch", len(data)):
        pictures, labels = data[number]
        probabilities = model.predict_on_batch(pictures)
        right += int((probabilities.argmax(axis=1) == labels).sum())
        learnt = np.flatnonzero(labels >= 0)
        losses.append(-np.log(np.maximum(probabilities[learnt, labels[learnt]], 1e-7)))
    return {
        f"{prefix}loss": round(float(np.concatenate(losses).mean()), 6),
        f"{prefix}accuracy": round(right / len(data.order), 6),
    }


def _save(data: str, name: str, spec: params.Finetune, encoder: keras.Model, metrics: dict) -> None:
    heads = [layer for layer in encoder.layers if layer.name == "head"]
    start = json.loads((paths.weights(data, spec.init) / "card.json").read_text(encoding="utf-8"))
    card = {"source": "finetune", "data": data, **spec.model_dump(), "metrics": metrics, "licence": start["licence"],
            "split": "80:20 by product; only the train part was learnt from"}  # fmt: skip
    weights.save(encoder.get_layer("backbone"), heads[0] if heads else None, paths.weights(data, name), card)


def _run_id(data: str, spec: params.Finetune, learn: pd.DataFrame) -> str:
    """Changes with anything that changes the training, so that no run resumes from another's state."""
    start = weights.fingerprint(paths.weights(data, spec.init))
    facts = [spec.model_dump(), start, learn[catalog.ID].tolist(), learn[spec.label].tolist()]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Dropout's state is not among saved weights: it is set anew for each epoch."""
    for number, layer in enumerate(layer for layer in model._flatten_layers() if hasattr(layer, "seed_generator")):
        if layer.seed_generator is not None:
            layer.seed_generator.state.assign(np.array([seed + number, epoch], layer.seed_generator.state.dtype))


def _rounded(logs: dict) -> dict:
    return {key: round(float(value), 6) for key, value in logs.items()}


class _State:
    """The weights, the optimiser and the history after the last whole epoch, in one folder."""

    def __init__(self, folder: Path, run: str):
        self.folder = folder.with_name(f"{folder.name}-{run}")

    def restore(self, model: keras.Model) -> list[dict]:
        """Puts the kept state into the model and returns the history so far."""
        model.optimizer.build(model.trainable_variables)
        if not (self.folder / "history.json").exists():
            return []
        model.load_weights(self.folder / "state.weights.h5")
        return json.loads((self.folder / "history.json").read_text(encoding="utf-8"))

    def keep(self, model: keras.Model, history: list[dict]) -> None:
        partial = self.folder.with_name(self.folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        model.save_weights(partial / "state.weights.h5")
        (partial / "history.json").write_text(json.dumps(history), encoding="utf-8")
        shutil.rmtree(self.folder, ignore_errors=True)
        partial.replace(self.folder)

    def forget(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class _Progress(keras.callbacks.Callback):
    """One epoch's progress with its estimate, and its last logs."""

    def __init__(self, what: str, steps: int):
        super().__init__()
        self.what, self.steps, self.logs = what, steps, {}

    def on_epoch_begin(self, epoch, logs=None):
        self.bar = progress(range(self.steps), self.what, "batch", self.steps)
        next(self.bar, None)

    def on_train_batch_end(self, batch, logs=None):
        next(self.bar, None)

    def on_epoch_end(self, epoch, logs=None):
        self.logs = dict(logs or {})
        self.bar.close()
