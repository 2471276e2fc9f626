"""How an image becomes a vector: networks, their weights, encoders, and two encoders as one."""

import math
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline.params.backbones import DESCRIPTORS
from pipeline.params.kinds import Backbone, Colour, Count, Label, Name, Seed, WeightsName
from pipeline.params.sections import Section, nearest

# the words that a network's parameters may be; tests/params/test_networks.py holds the code to them
Resize = Literal["stretch", "pad", "native", "three_quarters", "half", "quarter"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Preprocessing = Literal["own", "unit", "caffe"]
Pooling = Literal["avg", "max", "flatten"]
Activation = Literal["linear", "relu"]
WeightsSource = Literal["imagenet", "lite", "random", "file", "packed", "quantised", "none"]
PATHS = {  # of a source of weights: what its path names
    "file": "a .weights.h5",
    "packed": "a published encoder's name, or a packed encoder's folder",
    "quantised": "an .npz of codes and codebooks",
}
HELD = {
    "lite": ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"],
    "quantised": ["resnet18", "resnet50_v15"],
}  # the backbones that a source has
GEM, QUARTERS = "gem", "/quarters"  # of the last feature map, and what stands after a layer's name
POOLED = "pooled"  # the features of the last map, as they are pooled
# an encoder's parts: its layers, and the names of their weights' files; a classifier's ends with its label
BACKBONE, HEAD, CLASSIFIER = "backbone", "head", "classifier_"


def _size(value: Any) -> Any:
    sides = value if isinstance(value, list) and len(value) == 2 else [value]
    if not all(isinstance(side, int) and not isinstance(side, bool) and 32 <= side <= 1024 for side in sides):
        raise ValueError("allowed are one side in pixels or [height, width], each a whole number from 32 to 1024")
    return value


Share = Annotated[float, Field(gt=0, lt=1)]  # of a vector's squared length, and so of a cosine


class Layer(Section):
    """One dense layer of a head."""

    units: Count
    activation: Activation


class Network(Section):
    """How an image becomes a vector: shared by encoders and finetunes.

    `also`: what a head sees besides the pooled features: a descriptor of the picture; `gem`, the generalised mean
    of the last feature map; a layer's name, for the mean and the generalised mean of its feature map, or
    `<layer>/quarters`, for the mean of each quarter. All of that is `squeeze`d to so many numbers, fitted to the
    learnt pictures.
    """

    backbone: Backbone
    image_size: Annotated[int | list[int], pydantic.BeforeValidator(_size)]
    resize: Resize
    pad_color: Colour
    interpolation: Interpolation
    preprocessing: Preprocessing
    pooling: Pooling
    also: list[str] = []
    squeeze: Count | None = None
    head: list[Layer]

    @pydantic.model_validator(mode="after")
    def _squeezed(self):
        if bool(self.also) != bool(self.squeeze):
            raise ValueError(
                "also and squeeze go together: what is looked at besides the pooled features, and to how many numbers "
                f"it is squeezed. Received: also: {self.also}, squeeze: {self.squeeze}"
            )
        return self

    @property
    def height_width(self) -> tuple[int, int]:
        """The image's height and width in pixels; one number stands for a square."""
        size = self.image_size
        return (size, size) if isinstance(size, int) else (size[0], size[1])


class Weights(Section):
    """Where a backbone's weights come from."""

    source: WeightsSource
    backbone: Backbone
    path: str | None = None
    seed: Seed | None = None

    @pydantic.model_validator(mode="after")
    def _complete(self):
        needed = PATHS.get(self.source)
        if bool(needed) != bool(self.path):
            raise ValueError(f"source: {self.source} " + (f"needs a path: {needed}" if needed else "takes no path"))
        if self.source == "random" and self.seed is None:
            raise ValueError("source: random needs a seed")
        if (self.source == "none") != (self.backbone in DESCRIPTORS):
            raise ValueError(
                f"source: none is for descriptors, which have no weights: {sorted(DESCRIPTORS)}. "
                f"Received: source: {self.source}, backbone: {self.backbone}"
            )
        if self.backbone not in HELD.get(self.source, [self.backbone]):
            raise ValueError(f"source: {self.source} holds {HELD[self.source]} alone. Received: {self.backbone}")
        return self


class Encoder(Network):
    """One way to turn images into features.

    `posteriors`: {articleType: 0.3} gives 0.3 of the squared length to the finetune's class probabilities, the rest to
    the embedding. `beside`: {pooled: 0.3, gradients: 0.1} does so for the pooled features, as the backbone has them,
    and for descriptors: what has learnt nothing of the catalogue holds on types that are new to it. `mirrored` also
    looks at the mirror image, for twice the time, and takes the mean.
    """

    weights: WeightsName
    posteriors: dict[Label, Share] = {}
    beside: dict[str, Share] = {}
    mirrored: bool = False
    batch_size: Count

    @pydantic.field_validator("posteriors")
    @classmethod
    def _sorted(cls, posteriors: dict[str, float]) -> dict[str, float]:
        return dict(sorted(posteriors.items()))  # one order of the blocks, however they are written

    @pydantic.field_validator("beside")
    @classmethod
    def _seen_beside(cls, beside: dict[str, float]) -> dict[str, float]:
        allowed = [POOLED, *DESCRIPTORS]
        if unknown := [name for name in beside if name not in allowed]:
            raise ValueError(f"allowed are {allowed}. Received: {unknown[0]!r}.{nearest(unknown[0], allowed)}")
        return dict(sorted(beside.items()))

    @pydantic.model_validator(mode="after")
    def _an_embedding_is_left(self):
        if (shares := math.fsum([*self.posteriors.values(), *self.beside.values()])) >= 1:
            raise ValueError(
                "the shares of posteriors and beside must add up to less than 1: the embedding has the rest. "
                f"Received: {shares:.3g}"
            )
        return self


class Bag(Section):
    """A bag of visual words, learnt from some train pictures: how often a picture has which of `words` patterns."""

    image_size: Annotated[int, Field(ge=64, le=1024)]  # a side of the white square that a picture is put into
    corners: Annotated[int, Field(ge=1, le=5000)]  # at most, the clearest of a picture
    words: Annotated[int, Field(ge=2, le=20_000)]
    pictures: Count  # of the train part, drawn by the seed, that the words are learnt from
    seed: Seed


class Concatenation(Section):
    """Two encoders' features side by side as one vector; a part may be a concatenation itself."""

    first: Name
    second: Name
    share: Share  # of the second; the first has the rest
