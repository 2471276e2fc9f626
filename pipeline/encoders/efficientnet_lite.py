"""EfficientNet-Lite0 to Lite2, built from their paper's tables: no squeeze-and-excitation, and ReLU6.

Source: Tan and Le 2019, https://arxiv.org/abs/1905.11946, table 1 and section 3.3, with the changes of
EfficientNet-Lite (2020): no squeeze-and-excitation, ReLU6 for swish, stem and head not scaled.
"""

import math
from functools import partial

import keras
from keras import layers

# kernel, stride, expansion, channels, repeats
STAGES = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
]
EPSILON = 1e-3  # of batch normalisation, as the published weights need


def build(
    input_shape: tuple[int, int, int],
    include_top: bool = False,
    weights: None = None,
    *,
    width: float,
    depth: float,
    name: str,
) -> keras.Model:
    """The network without weights: (B, height, width, 3) scaled by (x − 127) / 128 → (B, height/32, width/32, 1280).

    Args:
        include_top: also pool and classify into ImageNet's 1000 classes: (B, 1000) logits.
        width, depth: by how much channels and repeats are scaled; the first and the last stage keep their one block.
    """
    if weights is not None:
        raise ValueError(f"{name} is built without weights; encoders.pretrained brings them. Received: {weights!r}")
    inputs = keras.Input(input_shape)
    x = _convolve(inputs, 32, 3, 2, "stem")
    number = 0
    for kernel, stride, expansion, channels, repeats in STAGES:
        for repeat in range(math.ceil(depth * repeats) if repeats > 1 else 1):
            x = _block(x, kernel, 1 if repeat else stride, expansion, _rounded(width * channels), f"block{number}")
            number += 1
    x = _convolve(x, 1280, 1, 1, "top")
    if include_top:
        x = layers.Dense(1000, name="classes")(layers.GlobalAveragePooling2D(name="pool")(x))
    return keras.Model(inputs, x, name=name)


EfficientNetLite0 = partial(build, width=1.0, depth=1.0, name="efficientnet_lite0")
EfficientNetLite1 = partial(build, width=1.0, depth=1.1, name="efficientnet_lite1")
EfficientNetLite2 = partial(build, width=1.1, depth=1.2, name="efficientnet_lite2")


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, not more than a tenth smaller."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def _block(x, kernel: int, stride: int, expansion: int, channels: int, name: str):
    """An inverted residual: expand, convolve each channel, project; added to its input where shapes allow."""
    inputs = x
    if expansion != 1:
        x = _convolve(x, x.shape[-1] * expansion, 1, 1, f"{name}_expand")
    x = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(
        layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_depthwise_bn")(x)
    )
    x = layers.Conv2D(channels, 1, padding="same", use_bias=False, name=f"{name}_project")(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_project_bn")(x)
    return layers.Add(name=f"{name}_add")([inputs, x]) if stride == 1 and inputs.shape[-1] == channels else x


def _convolve(x, channels: int, kernel: int, stride: int, name: str):
    x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(x))
