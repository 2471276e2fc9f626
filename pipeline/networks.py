"""What encoders and finetunes share: the names they may use, and how a picture becomes a vector."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline.sections import Section

Backbone = Literal[
    "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "resnet50", "efficientnet_b0",
    "efficientnet_lite0", "inception_v3", "vgg16", "vgg19", "convnext_tiny", "convnext_small", "convnext_base", "small_cnn",
]  # fmt: skip
Relevance = Literal[
    "articleType", "subCategory", "masterCategory", "gender+articleType", "articleType+baseColour", "product"
]
Label = Literal["articleType", "subCategory", "masterCategory", "gender", "baseColour", "season", "usage"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Count = Annotated[int, Field(ge=1)]
Colour = Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=3, max_length=3)]


def _size(value: Any) -> Any:
    sides = value if isinstance(value, list) and len(value) == 2 else [value]
    if not all(isinstance(side, int) and not isinstance(side, bool) and 32 <= side <= 1024 for side in sides):
        raise ValueError("allowed are one side in pixels or [height, width], each a whole number from 32 to 1024")
    return value


class Layer(Section):
    """One dense layer of a head."""

    units: Count
    activation: Literal["linear", "relu"]


class Network(Section):
    """How a picture becomes a vector: shared by encoders and finetunes."""

    backbone: Backbone
    image_size: Annotated[int | list[int], pydantic.BeforeValidator(_size)]
    resize: Literal["stretch", "pad", "native"]
    pad_color: Colour
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"]
    preprocessing: Literal["own", "unit", "caffe"]
    pooling: Literal["avg", "max", "flatten"]
    head: list[Layer]

    @property
    def height_width(self) -> tuple[int, int]:
        """The picture's height and width in pixels; one number stands for a square."""
        size = self.image_size
        return (size, size) if isinstance(size, int) else (size[0], size[1])
