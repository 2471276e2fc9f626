"""A network in training: embeddings, and what the terms of its objective make of them."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipeline.params.finetuning import Finetune
from pipeline.training import layers, losses
from pipeline.training.batches import PICTURE
from pipeline.training.product_names import NAMES

COMMON = {"kind", "by", "weight", "memory"}  # of a term; what else it has are its loss's own settings


class Learner(keras.Model):
    """A body that embeds, and for each term of the objective the layer it needs; its loss is their weighted sum.

    The labels of a batch are a dictionary of numbers (B,), −1 for none, as `batches.numbers` makes them; under `names`
    are the words of each image's product (B, N), where a term asks for them.

    Args:
        body: images or frozen features (B, …) → embeddings (B, D).
        spec: whose `objective`, `dropout` and `seed` count.
        sizes: how many images each class has, by label: int (C,).
    """

    def __init__(self, body: keras.Model, spec: Finetune, sizes: dict[str, np.ndarray]):
        super().__init__(name="learner")
        self.body, self.terms = body, list(spec.objective)
        self.own = [_own_layer(term, body.output_shape[-1], spec, sizes) for term in self.terms]
        self.means = [keras.metrics.Mean(name=name) for name in spec.names]
        self.built = True

    def call(self, inputs, training=False):
        """Embeddings float32 (B, D), also where the body computes in half precision."""
        return ops.cast(self.body(inputs, training=training), "float32")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The weighted sum of the terms, each recorded under its name."""
        total = 0.0
        for term, own, mean in zip(self.terms, self.own, self.means, strict=True):
            value = _value(term, own, y_pred, y, training)
            mean.update_state(value)
            total = total + term.weight * value
        return total / tf.distribute.get_strategy().num_replicas_in_sync  # replicas' gradients are added

    def classifier(self, label: str):
        """What names a label, embeddings (B, D) → scores (B, C): of the first term trained to; None without one."""
        classifiers = [
            own for term, own in zip(self.terms, self.own, strict=True) if term.kind in layers.OWN and term.by == label
        ]
        return classifiers[0] if classifiers else None


class Rate(keras.callbacks.Callback):
    """Sets each step's learning rate; within the graph Keras would compute it anew for every variable."""

    def __init__(self, spec: Finetune, steps: int):
        """`steps`: of one epoch."""
        super().__init__()
        self.rate = schedule(spec, steps)

    def on_train_batch_begin(self, batch, logs=None):
        """Called by Keras."""
        self.model.optimizer.learning_rate.assign(self.rate(self.model.optimizer.iterations))


def schedule(spec: Finetune, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate by the number of a step, over all epochs of `steps` each."""
    highest = spec.optimiser.learning_rate
    rising = int(round(spec.optimiser.warm_up * steps))
    falling = max(spec.epochs * steps - rising, 1)
    lowest = 0.0 if spec.optimiser.schedule == "cosine" else 1.0
    return keras.optimizers.schedules.CosineDecay(
        0.0 if rising else highest, falling, lowest, warmup_target=highest if rising else None, warmup_steps=rising
    )


def compiled(learner: Learner, spec: Finetune) -> Learner:
    """The learner with its optimiser; weight decay spares biases and the scales and shifts of normalisation.

    Source: He et al. (2019), "Bag of Tricks for Image Classification", section 3.1 ("no bias decay").
    https://arxiv.org/abs/1812.01187
    """
    rate, decay = spec.optimiser.learning_rate, spec.optimiser.weight_decay
    optimiser = keras.optimizers.AdamW(rate, weight_decay=decay) if decay else keras.optimizers.Adam(rate)
    if decay:
        optimiser.exclude_from_weight_decay([weight for weight in learner.trainable_weights if len(weight.shape) <= 1])
    learner.compile(optimiser)
    return learner


def _value(term, own, embeddings, y, training):
    """One term's loss: of its own layer, of the two views, or of pairs."""
    settings = {name: value for name, value in term if name not in COMMON}
    if term.kind in layers.OWN:
        return layers.OWN[term.kind].value(own, embeddings, y[term.by], training)
    if term.kind == NAMES:
        numbers = y[term.by]
        same = ops.logical_and(numbers[:, None] == numbers[None, :], numbers[:, None] >= 0)
        return losses.image_text(embeddings, own(y[NAMES], training=training), same, term.temperature)
    if term.kind in losses.VIEWS:
        half = ops.shape(embeddings)[0] // 2
        return losses.VIEWS[term.kind](embeddings[:half], embeddings[half:], **settings)
    return _of_pairs(losses.PAIRS[term.kind], settings, term, own, embeddings, y)


def _of_pairs(loss, settings, term, memory, embeddings, y):
    """A loss over pairs within the batch, or between the batch and its term's memory."""
    numbers = y[PICTURE if term.by == "view" else term.by]
    if memory is None:
        positive = ops.logical_and(numbers[:, None] == numbers[None, :], numbers[:, None] >= 0)
        other = ops.logical_not(ops.eye(ops.shape(numbers)[0], dtype="bool"))
        return loss(embeddings, embeddings, positive, other, **settings)
    keys, known = memory(embeddings, ops.stack([numbers, y[PICTURE]], axis=1))
    positive = ops.logical_and(numbers[:, None] == known[None, :, 0], numbers[:, None] >= 0)
    other = ops.logical_and(known[None, :, 1] >= 0, y[PICTURE][:, None] != known[None, :, 1])
    return ops.where(memory.batches > term.memory.warm_up, loss(embeddings, keys, positive, other, **settings), 0.0)


def _own_layer(term, dimension: int, spec: Finetune, sizes: dict[str, np.ndarray]):
    """What a term learns or keeps besides the embedding; None for most."""
    if term.kind in layers.OWN:
        return layers.OWN[term.kind].make(term, dimension, sizes[term.by], spec.dropout, spec.seed)
    if term.kind == NAMES:
        return keras.Sequential(
            [keras.Input((term.words,)), keras.layers.Dense(dimension, dtype="float32")], name=NAMES
        )
    memory = getattr(term, "memory", None)
    return layers.Memory(dimension, memory.size, columns=2) if memory else None
