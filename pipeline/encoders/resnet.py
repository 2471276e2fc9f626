"""ResNet18 and ResNet50 as torchvision builds them: v1.5, which is not Keras Applications' ResNet50.

Source: He et al. (2015), "Deep Residual Learning for Image Recognition", table 1, https://arxiv.org/abs/1512.03385.
Differs: the stride of a stage's first bottleneck is on its 3×3, not on its first 1×1, and a convolution is padded on
all sides alike (torchvision's choice, https://pytorch.org/vision/stable/models/resnet.html). Every weight of the one
has the shape of the other's, so weights in the wrong network give vectors, and they are wrong.
"""

from collections.abc import Callable

import keras
from keras import layers

EPSILON = 1e-5  # of batch normalisation, PyTorch's


def ResNet18(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """The network without weights or classifier: (B, height, width, 3) → (B, height/32, width/32, 512)."""
    return _resnet("resnet18", _basic, [2, 2, 2, 2], input_shape, include_top, weights)


def ResNet50V15(input_shape: tuple[int, int, int], include_top: bool = False, weights: None = None) -> keras.Model:
    """The network without weights or classifier: (B, height, width, 3) → (B, height/32, width/32, 2048)."""
    return _resnet("resnet50_v15", _bottleneck, [3, 4, 6, 3], input_shape, include_top, weights)


def _resnet(name: str, block: Callable, repeats: list[int], input_shape, include_top: bool, weights: None):
    if include_top or weights is not None:
        raise ValueError(f"{name} is built without classifier or weights; encoders.pretrained brings them")
    inputs = keras.Input(input_shape)
    x = layers.ReLU(name="conv1_relu")(_convolve(inputs, 64, 7, 2, "conv1", "bn1"))
    x = layers.MaxPooling2D(3, 2, name="maxpool")(layers.ZeroPadding2D(1, name="maxpool_pad")(x))  # no value is below 0
    for stage, count in enumerate(repeats, 1):
        for number in range(count):
            stride = 2 if number == 0 and stage > 1 else 1
            x = block(x, 64 * 2 ** (stage - 1), stride, f"layer{stage}.{number}")
    return keras.Model(inputs, x, name=name)


def _basic(x, channels: int, stride: int, name: str):
    """Two 3×3 convolutions, added to their input."""
    y = layers.ReLU(name=f"{name}.relu1")(_convolve(x, channels, 3, stride, f"{name}.conv1", f"{name}.bn1"))
    y = _convolve(y, channels, 3, 1, f"{name}.conv2", f"{name}.bn2")
    return _added(x, y, stride, name)


def _bottleneck(x, channels: int, stride: int, name: str):
    """1×1 to fewer channels, 3×3 with the stride, 1×1 to four times as many, added to the input."""
    y = layers.ReLU(name=f"{name}.relu1")(_convolve(x, channels, 1, 1, f"{name}.conv1", f"{name}.bn1"))
    y = layers.ReLU(name=f"{name}.relu2")(_convolve(y, channels, 3, stride, f"{name}.conv2", f"{name}.bn2"))
    y = _convolve(y, 4 * channels, 1, 1, f"{name}.conv3", f"{name}.bn3")
    return _added(x, y, stride, name)


def _added(x, y, stride: int, name: str):
    if stride > 1 or x.shape[-1] != y.shape[-1]:
        x = _convolve(x, y.shape[-1], 1, stride, f"{name}.downsample.0", f"{name}.downsample.1")
    return layers.ReLU(name=f"{name}.relu")(layers.Add(name=f"{name}.add")([x, y]))


def _convolve(x, channels: int, kernel: int, stride: int, name: str, normalised: str):
    """A convolution padded by half its kernel on each side, then batch normalisation; both named as in PyTorch."""
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(channels, kernel, stride, "valid", use_bias=False, name=name)(x)
    return layers.BatchNormalization(epsilon=EPSILON, name=normalised)(x)
