"""What one finetuning run is: where it starts, what it is trained to do, on which batches, and for how long."""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from pipeline.params.kinds import Count, Label, Relevance, Seed, WeightsName
from pipeline.params.networks import BACKBONE, Network
from pipeline.params.sections import Section

Kinship = Label | Literal["product", "view"]
Weight = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Temperature = Annotated[float, Field(gt=0, le=10)]
Split = Literal["product", "temporal", "types"]  # training.batches.SPLITS has what each learns from


class CrossEntropy(Section):
    """Softmax over a label's classes, by a linear classifier on the embedding."""

    kind: Literal["cross_entropy"]
    by: Label
    weight: Weight


class ArcFace(Section):
    """Softmax over cosines to class centres, with an angle added; `margin: [low, high]` gives small classes more."""

    kind: Literal["arcface"]
    by: Label | Literal["product"]
    weight: Weight
    scale: Weight
    margin: Annotated[float, Field(ge=0, lt=3)] | list[Annotated[float, Field(ge=0, lt=3)]]
    sub_centres: Count = 1

    @pydantic.field_validator("margin")
    @classmethod
    def _pair(cls, margin):
        if isinstance(margin, list) and (len(margin) != 2 or margin[0] > margin[1]):
            raise ValueError("allowed are one margin in radians or [low, high], for the largest and the smallest class")
        return margin


class Memory(Section):
    """Cross-batch memory: the last `size` embeddings are the keys, once `warm_up` batches have been seen.

    With `devices: all` each device has one of its own, of its share of the batches.
    """

    size: Count
    warm_up: Annotated[int, Field(ge=0)]


class SupCon(Section):
    """Supervised contrastive loss: same label, same product, or two views of one picture (`by: view`, NT-Xent)."""

    kind: Literal["sup_con"]
    by: Kinship
    weight: Weight
    temperature: Temperature
    memory: Memory | None = None


class NTXentOneWay(Section):
    """The thesis's words: each image's first view against all second views."""

    kind: Literal["nt_xent_one_way"]
    weight: Weight
    temperature: Temperature
    by: Literal["view"] = "view"


class Triplet(Section):
    """Triplets chosen within the batch, or from the memory."""

    kind: Literal["triplet_batch_hard", "triplet_semi_hard"]
    by: Kinship
    weight: Weight
    margin: Annotated[float, Field(ge=0, le=4)]
    memory: Memory | None = None


class Contrastive(Section):
    """Positives to similarity 1, negatives below the margin."""

    kind: Literal["contrastive"]
    by: Kinship
    weight: Weight
    margin: Annotated[float, Field(ge=-1, lt=1)]
    memory: Memory | None = None


class Names(Section):
    """Contrast of a picture with its product's name, whose words are squeezed to `words` numbers."""

    kind: Literal["names"]
    weight: Weight
    temperature: Temperature
    words: Annotated[int, Field(ge=2, le=4096)]
    by: Literal["product"] = "product"


Term = Annotated[
    Names | CrossEntropy | ArcFace | SupCon | NTXentOneWay | Triplet | Contrastive, Field(discriminator="kind")
]


class Batches(Section):
    """Which images an epoch shows, and which of them side by side.

    `class_power: 1` shows each image once. Below 1 images are drawn with the chance n^(power − 1) for one of n
    images of an articleType: at 0 every type comes equally often. `together: product` puts up to `per_group`
    images of one product side by side, so that an anchor has a positive where its product has two (a batch's edge parts
    a few).
    """

    size: Count
    together: Literal["articleType", "product"] | None
    per_group: Count
    class_power: Annotated[float, Field(ge=0, le=1)]


class Augment(Section):
    """Random changes of an image, each within ± its bound; 0 changes nothing. Beyond an image its edge goes on."""

    flip: bool
    crop: Share  # the largest share of a side that is cut off
    pad: Share  # the largest share of a side that is added around
    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees
    brightness: Share
    contrast: Share
    colour: Share


class Optimiser(Section):
    """Adam, with decoupled weight decay where there is any (AdamW): of kernels, not of biases or normalisation."""

    learning_rate: Annotated[float, Field(gt=0, le=1)]
    weight_decay: Share
    schedule: Literal["constant", "cosine"]
    warm_up: Annotated[float, Field(ge=0)]  # epochs of a rising learning rate


class Finetune(Network):
    """One training run; the weights it makes carry its name.

    `frozen` names the last layer that is not trained: null trains the whole network, `backbone` only the head, on
    features that are taken once. `patience` is how many epochs without a better validation mAP end the training,
    which then returns to its best epoch; null runs all epochs and keeps the last, as the thesis does.
    """

    init: WeightsName
    frozen: str | None
    split: Split
    share: Annotated[float, Field(gt=0, le=1)]  # of the learnt groups: products with their copies
    objective: Annotated[list[Term], Field(min_length=1)]
    dropout: Share
    batches: Batches
    augment: Augment | None
    optimiser: Optimiser
    epochs: Count
    patience: Count | None
    monitor: Annotated[list[Relevance], Field(min_length=1)]
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"]
    devices: Literal["one", "all"]
    seed: Seed

    @property
    def views(self) -> int:
        """How many changed copies of each image a batch holds."""
        return 2 if any(term.by == "view" for term in self.objective) else 1

    @property
    def names(self) -> list[str]:
        """What each term is called in the history."""
        return [
            f"{term.kind}_{term.by}" + ("_memory" if getattr(term, "memory", None) else "") for term in self.objective
        ]

    @property
    def classified(self) -> list[str]:
        """The labels that get a classifier, in the order of the objective."""
        return [term.by for term in self.objective if term.kind == "cross_entropy"]

    @pydantic.model_validator(mode="after")
    def _frozen_is_possible(self):
        if self.frozen == BACKBONE and not self.head:
            raise ValueError(
                "frozen: backbone leaves nothing to train without a head. Give one, such as "
                "[{units: 512, activation: linear}]"
            )
        if self.also and self.frozen != BACKBONE:
            raise ValueError(
                "also needs frozen: backbone, since its squeeze is fitted once, to features that stay as they are. "
                f"Received: frozen: {self.frozen}"
            )
        if self.frozen == BACKBONE and self.augment is not None:
            raise ValueError(
                "frozen: backbone trains on features that are taken once, so pictures cannot be changed: "
                "augment must be null"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _possible(self):
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"each kind of term is allowed once by each label. Received: {self.names}")
        if any(term.by == "view" and getattr(term, "memory", None) for term in self.objective):
            raise ValueError(
                "a memory holds earlier batches, and the other view of a picture is in its own: by: view "
                "needs memory: null"
            )
        if self.views == 2 and self.devices == "all":
            raise ValueError(
                "devices: all deals a batch out among devices, the two views of a picture to different ones: "
                "by: view needs devices: one"
            )
        if self.views == 2 and self.augment is None:
            raise ValueError("two views of a picture differ by augment alone: it must not be null with by: view")
        return self
