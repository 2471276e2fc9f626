"""Fits an encoder and returns the history and the metrics; goes on after its last epoch when it was interrupted.

Whatever the objective adds for training (a classifier, class centres, a memory) stays here: what is saved is the
encoder, with its classifiers beside it.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from filelock import FileLock

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import backbones, compiled, extract, squeeze, store, weights
from pipeline.encoders.card import read_card
from pipeline.encoders.squeeze import Squeeze
from pipeline.evaluation import classification
from pipeline.params.finetuning import Finetune
from pipeline.params.networks import BACKBONE, HEAD
from pipeline.params.sections import nearest
from pipeline.progress import progress
from pipeline.training import batches, checkpoint, objective, product_names

EPOCH, MONITOR = "epoch", "validation_mAP"
LEARNT_FROM = {
    "product": "the train part of the split by product",
    "temporal": "even years",
    "types": "the train part of the split by product, without the held-out article types",
}
Validate = Callable[[pd.DataFrame, np.ndarray, list[str]], dict[str, float]]


class FitError(RuntimeError):
    """Training that cannot start or go on."""


class Fitted(NamedTuple):
    """What training gives: the history, a row per epoch; the final metrics; and vectors of the validated part in its
    order, by the network that it began with (N, E) and by the one that it ended with (N, D)."""

    history: pd.DataFrame
    metrics: dict
    before: np.ndarray
    after: np.ndarray


def finetune_encoder(data: str, name: str, spec: Finetune, frame: pd.DataFrame, validate: Validate) -> Fitted:
    """Trains, writes the weights under `name`, and returns what there is to say of them.

    After every epoch the whole state is kept; each epoch's order, image changes and dropout follow from the seed and
    its number, so that a resumed run ends like one that never stopped. With `patience` the best epoch's weights are the
    result, by mAP on the validated part of train; without, the last epoch's. The test part is read once, at the end.

    Args:
        validate: (catalogue rows, embeddings (N, D), relevances) → mAP of each relevance.

    Raises:
        FitError: one class only, a layer that is not there, a loss that is no number, too little memory.
        WeightsError: the weights to start from are missing or another network's.
    """
    parts = batches.parts(frame, spec)
    names = {label: batches.class_names(parts["learn"], label) for label in _labels(spec)}
    for label, classes in names.items():
        if len(classes) < 2:
            raise FitError(f"{label} has one class in the learnt part, {classes}; training needs two or more")
    before = keras.config.dtype_policy()
    try:
        weights.start_afresh(spec.seed)
        keras.config.set_dtype_policy(spec.precision)
        tf.config.experimental.enable_op_determinism()
        with _strategy(spec).scope():
            return _Run(data, name, spec, parts, names, validate).to_the_end()
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise FitError(
            f"out of memory with batches of {spec.batches.size} pictures of {spec.image_size}; lower batches.size, "
            f"then image_size ({(str(error) or type(error).__name__).splitlines()[0]})"
        ) from None
    finally:
        keras.config.set_dtype_policy(before)


class _Run:
    """One training run: its network, its data, and where it has got to."""

    def __init__(self, data, name, spec, parts, names, validate):
        self.data, self.name, self.spec, self.parts, self.names, self.validate = (
            data,
            name,
            spec,
            parts,
            names,
            validate,
        )
        self.encoder = backbones.encoder(spec)
        self.known = _start(self.encoder, paths.weights(data, spec.init))
        freeze(self.encoder.get_layer(BACKBONE), spec.frozen)
        learn = batches.numbers(parts["learn"], names)
        sizes = {label: np.bincount(learn[label][learn[label] >= 0], minlength=len(names[label])) for label in names}
        self.learner = objective.Learner(_body(self.encoder, spec), spec, sizes)
        for label in spec.classified:
            weights.load_start_classifier(self.learner.classifier(label), names[label], paths.weights(data, spec.init))
        self.forward = tf.function(lambda inputs: self.learner(inputs, training=False), reduce_retracing=True)
        self.numbers = {part: batches.numbers(rows, names) for part, rows in parts.items()}
        self.words = product_names.vectors_of(parts["learn"], spec)
        self.steps = max(len(parts["learn"]) // spec.batches.size, 1)
        objective.compiled(self.learner, spec)
        if spec.squeeze:  # last, since taking features may build a network, which would move the seeds of what is drawn
            self._squeeze(self.encoder.get_layer(HEAD).get_layer("squeeze"))

    def _squeeze(self, layer: Squeeze) -> None:
        """Fits what squeezes the further features to the pictures that are learnt from."""
        kept = layer.kept
        features = self._frozen()
        rows = pd.Series(np.arange(len(features.ids)), index=features.ids)[self.parts["learn"][catalog.ID]]
        others, sizes = features.vectors[rows.to_numpy(), kept:], backbones.part_sizes(self.spec)
        layer.set_weights(squeeze.fitted(others, sizes, layer.squeezed, self.spec.seed))

    def _frozen(self) -> store.FeatureSet:
        return frozen_features(self.data, self.spec, pd.concat(self.parts.values()).sort_values(catalog.ID))

    def to_the_end(self) -> Fitted:
        """The epochs that are left, then the weights, and what there is to say of them."""
        state = checkpoint.Checkpoint(paths.BUILD / "training" / f"{self.data}-{self.name}", self._id())
        with paths.open_images(self.data) as archive:
            source = self._source(archive)
            before = self._before(source)
            history = state.restore(self.learner)
            bar = _Progress(self.spec.epochs, self.steps, len(history))
            while len(history) < self.spec.epochs and not _stale(history, self.spec):
                history.append(self._epoch(source, len(history), bar))
                state.keep(self.learner, history, best=_best(history, self.spec) == len(history) - 1)
            bar.close()
            if self.spec.patience:
                state.restore_best(self.learner)
            tested, after = self._tested(source), self._embed(source, "validate")
        metrics = {
            **tested,
            **{key: value for key, value in history[_best(history, self.spec)].items() if key != EPOCH},
            "best_epoch": history[_best(history, self.spec)][EPOCH],
            "epochs": len(history),
            "pictures": len(self.parts["learn"]),
            **{f"classes_{label}": len(names) for label, names in self.names.items()},
        }
        self._save(metrics)
        state.forget()
        return Fitted(pd.DataFrame(history), metrics, before, after)

    def _epoch(self, source, epoch: int, bar) -> dict:
        """One epoch of learning and what the validated part says after it: a row of the history."""
        spec, labels = self.spec, {**self.numbers["learn"], **self.words}
        _reseed(self.learner, spec.seed, epoch)
        together = spec.batches.together
        groups = catalog.label_codes(self.parts["learn"], together) if together else None
        types = catalog.label_codes(self.parts["learn"], catalog.ARTICLE)
        order = batches.epoch_order(types, groups, spec.batches, spec.seed, epoch)
        shown = batches.LabelBatches(source("learn", epoch), labels, order, spec.batches.size, spec.views)
        callbacks = [bar, objective.Rate(spec, self.steps), keras.callbacks.TerminateOnNaN()]
        self.learner.fit(shown, verbose=0, shuffle=False, callbacks=callbacks)
        if not np.isfinite(bar.logs["loss"]):
            raise FitError(
                f"the loss of epoch {epoch + 1} is {bar.logs['loss']}; lower optimiser.learning_rate. "
                f"Received: {spec.optimiser.learning_rate}"
            )
        embeddings = self._embed(source, "validate")
        reached = self.validate(self.parts["validate"], embeddings, spec.monitor)
        row = {EPOCH: epoch + 1, **bar.logs, MONITOR: float(np.mean(list(reached.values())))}
        row |= {f"{MONITOR}_{relevance}": value for relevance, value in reached.items()}
        row |= _prefixed("validation", _accuracy(*self._said("validate", embeddings)))
        return {key: value if key == EPOCH else round(float(value), 6) for key, value in row.items()}

    def _source(self, archive):
        """A function from a part and an epoch to a loader of its rows: images, or features that are taken once."""
        if self.spec.frozen == BACKBONE:
            features = self._frozen()
            place = pd.Series(np.arange(len(features.ids)), index=features.ids)
            rows = {part: place[part_rows[catalog.ID]].to_numpy() for part, part_rows in self.parts.items()}
            return lambda part, epoch=None: lambda chosen, view: features.vectors[rows[part][chosen]]
        ids = {part: rows[catalog.ID].tolist() for part, rows in self.parts.items()}
        return lambda part, epoch=None: batches.images(archive, ids[part], self.spec, epoch)

    def _before(self, source) -> np.ndarray:
        """Vectors of the validated part before the first step, without a new head, which would mix them by chance."""
        if self.known:
            return self._embed(source, "validate")
        pooled = self.encoder.get_layer("pooling").output
        if self.spec.frozen == BACKBONE:  # its features come first in what is taken once
            return self._made(source, "validate", lambda features: features[:, : pooled.shape[-1]], pooled.shape[-1])
        body = keras.Model(self.encoder.input, pooled, name="before")
        return self._made(source, "validate", lambda shown: np.asarray(body(shown, training=False)), pooled.shape[-1])

    def _embed(self, source, part: str) -> np.ndarray:
        """Embeddings of a part in its own order, unchanged images; float32 (N, D)."""
        return self._made(source, part, lambda shown: self.forward(shown).numpy(), self.learner.body.output_shape[-1])

    def _made(self, source, part: str, make: Callable[[np.ndarray], np.ndarray], size: int) -> np.ndarray:
        """What a function makes of a part in its own order, unchanged images; float32 (N, `size`)."""
        rows = batches.LabelBatches(source(part), {}, np.arange(len(self.parts[part])), max(self.spec.batches.size, 64))
        vectors = [make(rows[number][0]) for number in range(len(rows))]
        return np.concatenate([np.empty((0, size), np.float32), *vectors])

    def _tested(self, source) -> dict[str, float]:
        """What the classifier is worth on the test part, what bounds it, and the same with what was seen: `ungrouped`.

        The published accuracies of a split by year count every picture of the other years, also those of products that
        were learnt: they are comparable with `ungrouped_accuracy` alone.
        """
        test, seen = (self._said(part, self._embed(source, part)) for part in ("test", "seen"))
        values = _prefixed("test", _accuracy(*test))
        if (label := self._classified()) and values:
            train = pd.concat([self.parts["learn"], self.parts["validate"]])
            known = set(train[batches.column_of(label)].dropna())
            values |= _prefixed("test", classification.learnable(*test, known) | self._sure(label, *test, known))
        if len(seen[0]):
            both = (np.concatenate(columns) for columns in zip(test, seen, strict=True))
            values |= _prefixed("ungrouped", _accuracy(*both))
        return values

    def _sure(self, label: str, true: np.ndarray, predicted: np.ndarray, known: set[str]) -> dict[str, float]:
        """The intervals of the test part's accuracies, over products: of all its pictures, and of the learnable."""
        rows, possible = self.parts["test"], np.isin(true, list(known))
        products = catalog.products(rows[rows[batches.column_of(label)].notna()])
        values: dict[str, float] = {}
        for name, some in (("accuracy", np.full(len(true), True)), ("accuracy_learnable", possible)):
            if some.any():
                low, high = classification.accuracy_interval(true[some], predicted[some], products[some])
                values |= {f"{name}_low": low, f"{name}_high": high}
        return values

    def _said(self, part: str, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The true labels of a part and what the first classifier says; nothing without one, blank labels left out."""
        label = self._classified()
        if label is None or not len(embeddings):
            return np.empty(0, object), np.empty(0, object)
        scores = keras.ops.convert_to_numpy(self.learner.classifier(label)(embeddings))
        named = pd.DataFrame(scores, columns=self.names[label])
        return classification.true_and_predicted(self.parts[part][batches.column_of(label)], named)

    def _classified(self) -> str | None:
        """The first label that the objective names and that there is a classifier of."""
        return next((term.by for term in self.spec.objective if self.learner.classifier(term.by) is not None), None)

    def _save(self, metrics: dict) -> None:
        heads = [layer for layer in self.encoder.layers if layer.name == HEAD]
        parts = [self.encoder.get_layer(BACKBONE), *heads]
        card = {
            "source": "finetune",
            "data": self.data,
            **self.spec.model_dump(),
            "learnt_from": LEARNT_FROM[self.spec.split],
            "metrics": metrics,
            "licence": read_card(paths.weights(self.data, self.spec.init))["licence"],
        }
        parts += [self.learner.classifier(label) for label in self.spec.classified]
        card["classes"] = {label: self.names[label] for label in self.spec.classified}
        weights.save(parts, paths.weights(self.data, self.name), card)

    def _id(self) -> str:
        """Changes with all that the training is given, so that no run resumes from another's state."""
        start = weights.fingerprint(paths.weights(self.data, self.spec.init))
        labels = {
            part: {label: codes.tolist() for label, codes in self.numbers[part].items()}
            for part in ("learn", "validate")
        }
        relevant = [catalog.label_codes(self.parts["validate"], relevance).tolist() for relevance in self.spec.monitor]
        ids = [self.parts[part][catalog.ID].tolist() for part in ("learn", "validate")]
        words = self.parts["learn"][catalog.PRODUCT].fillna("").tolist() if self.words else []
        facts = [self.spec.model_dump(), start, ids, labels, relevant, *words]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def freeze(backbone: keras.Model, last: str | None) -> None:
    """Every layer of a backbone up to `last` stays as it is; `backbone` stands for all of them, None for none.

    Raises:
        FitError: the backbone has no such layer.
    """
    names = [layer.name for layer in backbone.layers]
    if last == BACKBONE:
        backbone.trainable = False
    elif last is not None:
        if last not in names:
            raise FitError(
                f"frozen names no layer. Allowed: null, {BACKBONE!r} or one of {names}. "
                f"Received: {last!r}.{nearest(last, names)}"
            )
        for layer in backbone.layers[: names.index(last) + 1]:
            layer.trainable = False


def frozen_features(data: str, spec: Finetune, frame: pd.DataFrame) -> store.FeatureSet:
    """What the untrained backbone makes of each image, taken once and kept under `build/` for the runs that follow."""
    network = {name: getattr(spec, name) for name in params.Network.model_fields}
    encoder = params.Encoder(**{**network, "head": []}, weights=spec.init, batch_size=64)
    identity = extract.encoder_id(data, "frozen", encoder, paths.weights(data, spec.init))
    facts = [identity, compiled.code(), spec.precision, frame[catalog.ID].tolist(), frame[catalog.SHA256].tolist()]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    target = paths.BUILD / "training" / f"{data}-frozen-{key}.sqlite"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):  # of two finetunes beside each other the second waits for what the first takes
        if target.exists():
            return store.read(target)
        return extract.extract_features(data, "frozen", encoder, frame[catalog.ID].tolist(), target)


def _start(encoder: keras.Model, folder: Path) -> bool:
    """Puts the weights to start from into an encoder. Whether they are all of it: a new head keeps what was drawn."""
    heads = [layer for layer in encoder.layers if layer.name == HEAD]
    drawn = [numbers for head in heads for numbers in head.get_weights()]
    weights.load_start(encoder, folder)
    now = [numbers for head in heads for numbers in head.get_weights()]
    return not heads or not all(map(np.array_equal, drawn, now))


def _body(encoder: keras.Model, spec: Finetune) -> keras.Model:
    """What is trained: the encoder, or its head alone on features."""
    if spec.frozen != BACKBONE:
        return encoder
    head = encoder.get_layer(HEAD)
    features = keras.Input(head.input_shape[1:])
    return keras.Model(features, head(features))


def _labels(spec: Finetune) -> list[str]:
    return list(dict.fromkeys(term.by for term in spec.objective if term.by != "view"))


def _strategy(spec: Finetune) -> tf.distribute.Strategy:
    """Where the network lives: on one device, or a copy on each with the batch shared out among them."""
    return tf.distribute.MirroredStrategy() if spec.devices == "all" else tf.distribute.get_strategy()


def _accuracy(true: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Accuracy, and F1 averaged over the classes among the true labels; nothing of no label.

    A class that was never learnt counts as wrong.
    """
    if not len(true):
        return {}
    values = classification.accuracy(true, predicted)
    return {"accuracy": values["accuracy"], "macro_f1": values["macro F1"]}


def _prefixed(part: str, values: dict[str, float]) -> dict[str, float]:
    """Metrics under their part's name, rounded as they are written."""
    return {f"{part}_{key}": round(value, 6) for key, value in values.items()}


def _best(history: list[dict], spec: Finetune) -> int:
    """The epoch, from 0, whose weights are the result."""
    return int(np.argmax([row[MONITOR] for row in history])) if spec.patience else len(history) - 1


def _stale(history: list[dict], spec: Finetune) -> bool:
    return bool(spec.patience and history and len(history) - 1 - _best(history, spec) >= spec.patience)


def _reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Dropout's state is not among saved weights: it is set anew for each epoch."""
    for number, layer in enumerate(layer for layer in model._flatten_layers() if hasattr(layer, "seed_generator")):
        if layer.seed_generator is not None:
            layer.seed_generator.state.assign(np.array([seed + number, epoch], layer.seed_generator.state.dtype))


class _Progress(keras.callbacks.Callback):
    """The whole training's progress with its estimate, and each epoch's last logs."""

    def __init__(self, epochs: int, steps: int, done: int):
        super().__init__()
        self.epochs = epochs
        self.logs: dict[str, float] = {}
        self.bar = progress(range(epochs * steps), "training", "batch", epochs * steps, done * steps)
        next(self.bar, None)

    def on_train_batch_end(self, batch, logs=None):
        next(self.bar, None)

    def on_epoch_end(self, epoch, logs=None):
        self.logs = dict(logs or {})

    def close(self) -> None:
        self.bar.close()
