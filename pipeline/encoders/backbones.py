"""Backbones built from their rows, and encoders from backbones: uint8 RGB in, one float32 vector per image out.

Preprocessing lives inside the model, so that it cannot be forgotten or done twice.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import applications, layers, ops

from pipeline.encoders.descriptors import Colours, Gradients, Hash, Jpeg, Layout, Texture, Thumbnail
from pipeline.encoders.efficientnet_lite import EfficientNetLite0, EfficientNetLite1, EfficientNetLite2
from pipeline.encoders.resnet import ResNet18, ResNet50V15
from pipeline.encoders.small_cnn import MawonekeCnn, SmallCnn
from pipeline.encoders.squeeze import Squeeze
from pipeline.params.backbones import BACKBONES, DESCRIPTORS
from pipeline.params.networks import BACKBONE, CLASSIFIER, GEM, HEAD, POOLED, QUARTERS, Network
from pipeline.params.sections import nearest


def _scaled(x):
    """[0, 255] → [−1, 1]: Keras's `tf` mode."""
    return x / 127.5 - 1.0


def _lite(x):
    """What EfficientNet-Lite's published weights were trained on."""
    return (x - 127.0) / 128.0


def _caffe(x):
    """RGB → BGR less ImageNet's mean: Keras's `caffe` mode."""
    return ops.flip(x, axis=-1) - np.array([103.939, 116.779, 123.68], "float32")


def _torch(x):
    """[0, 255] → what torchvision's networks were trained on: less ImageNet's mean, over its deviation."""
    return (x / 255.0 - np.array([0.485, 0.456, 0.406], "float32")) / np.array([0.229, 0.224, 0.225], "float32")


def _unit(x):
    """[0, 255] → [0, 1]."""
    return x / 255.0


def _unchanged(x):
    """The network scales its own input."""
    return x


# of pixels, before the network: by the name that a row of `params.backbones` has
SCALINGS = {"tf": _scaled, "lite": _lite, "caffe": _caffe, "torch": _torch, "unit": _unit, "inside": _unchanged}
# networks that Keras Applications has not
OWN: dict[str, Callable[..., keras.Model]] = {
    "EfficientNetLite0": EfficientNetLite0,
    "EfficientNetLite1": EfficientNetLite1,
    "EfficientNetLite2": EfficientNetLite2,
    "ResNet18": ResNet18,
    "ResNet50V15": ResNet50V15,
    "SmallCnn": SmallCnn,
    "MawonekeCnn": MawonekeCnn,
    "Colours": Colours,
    "Gradients": Gradients,
    "Hash": Hash,
    "Jpeg": Jpeg,
    "Layout": Layout,
    "Texture": Texture,
    "Thumbnail": Thumbnail,
}
POOLING = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}


def backbone(name: str, height_width: tuple[int, int], weights: str | None = None) -> keras.Model:
    """A network of the table without its classifier: preprocessed float32 (B, height, width, 3) → feature maps.

    Args:
        weights: None for random ones, `imagenet` to let Keras Applications download them.
    """
    constructor = BACKBONES[name].constructor
    build = OWN.get(constructor) or getattr(applications, constructor)
    return build(include_top=False, weights=weights, input_shape=(*height_width, 3))


def encoder(network: Network, classes: dict[str, int] | None = None) -> keras.Model:
    """An encoder with random weights: uint8 RGB (B, height, width, 3) → float32 (B, D).

    Its layer `backbone` is the network of the table; its layer `head`, where there is one, the dense layers after
    pooling. `preprocessing: unit` feeds pixels / 255 in place of what the network was trained on: what the thesis
    did to its finetuned models (section 4.3 g). `caffe` feeds what ResNet50 was trained on, whatever the network.
    `posteriors` and `beside` put more parts before the head's. With `mirrored` each part of the vector is the mean of
    the image's and its mirror image's, at length 1.

    Args:
        classes: by label, how many classes its classifier has: for an encoder with `posteriors`.
    """
    height, width = network.height_width
    pictures = keras.Input((height, width, 3), dtype="uint8", name="pictures")
    looks = _looks(network, ops.cast(pictures, "float32"))
    views = [look for look, _ in looks]
    if network.head:
        dense = [layers.Dense(layer.units, activation=layer.activation) for layer in network.head]
        squeeze = [Squeeze(BACKBONES[network.backbone].features, network.squeeze)] if network.squeeze else []
        head = keras.Sequential([keras.Input((views[0].shape[-1],)), *squeeze, *dense], name=HEAD)
        views = [head(view) for view in views]
    shares, extra = getattr(network, "posteriors", {}), getattr(network, "beside", {})
    if shares or extra:
        beside = [share**0.5 * _mean([seen[name] for _, seen in looks]) for name, share in extra.items()]
        vector = _in_parts(views, shares, classes or {}, beside, 1.0 - sum([*shares.values(), *extra.values()]))
        return keras.Model(pictures, vector, name="encoder")
    return keras.Model(pictures, _mean(views) if len(views) > 1 else views[0], name="encoder")


def _looks(network: Network, shown) -> list[tuple]:
    """What a network without its head sees of a picture, and of its mirror image where it looks at that: all that it
    pools, (B, N), and by name what may stand beside an embedding."""
    height, width = network.height_width
    own = BACKBONES[network.backbone].scaling
    x = SCALINGS[own if network.preprocessing == "own" else network.preprocessing](shown)
    body = _tapped(backbone(network.backbone, (height, width)), network)
    pool = POOLING[network.pooling](name="pooling", dtype="float32")
    described = [name for name in [*network.also, *getattr(network, "beside", {})] if name in DESCRIPTORS]
    seeing = {name: backbone(name, (height, width)) for name in dict.fromkeys(described)}

    def look(pictures, scaled):
        maps = body(scaled) if isinstance(body.output, list) else [body(scaled)]
        seen = {POOLED: pool(maps[0]), **{name: see(pictures)[:, 0, 0] for name, see in seeing.items()}}
        parts = [seen[POOLED], *_also(network, maps), *(seen[name] for name in network.also if name in DESCRIPTORS)]
        return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0], seen

    views = [look(shown, x)]
    if getattr(network, "mirrored", False):
        views.append(look(ops.flip(shown, axis=2), ops.flip(x, axis=2)))
    return views


def shapes(encoder: keras.Model) -> list[tuple[int, int, int]]:
    """The maps on a picture's way through an encoder's backbone, a row for each size: height, width, features.

    The picture is the first. Of the maps of one size it is the last, which the next size is made from.
    """
    maps = [layer.output.shape[1:] for layer in encoder.get_layer(BACKBONE).layers if len(layer.output.shape) == 4]
    last = {(height, width): features for height, width, features in maps[1:]}
    return [maps[0], *((height, width, features) for (height, width), features in last.items())]


def part_sizes(network: Network) -> list[int]:
    """How many numbers each part of `also` has, in their order in the vector: maps first, then descriptors."""
    height, width = network.height_width
    body = _tapped(backbone(network.backbone, (height, width)), network)
    maps = body.output if isinstance(body.output, list) else [body.output]
    seen = [BACKBONES[name].features for name in network.also if name in DESCRIPTORS]
    return [*(part.shape[-1] for part in _also(network, maps)), *seen]


def _tapped(body: keras.Model, network: Network) -> keras.Model:
    """A backbone that also gives the feature maps of the layers that `also` names."""
    names = [entry.removesuffix(QUARTERS) for entry in _levels(network)]
    known = [layer.name for layer in body.layers]
    if unknown := [name for name in names if name not in known]:
        allowed = [GEM, *DESCRIPTORS]
        raise ValueError(
            f"also names a layer that {network.backbone} has not. Allowed: {allowed}, or a layer, with {QUARTERS} or "
            f"without: {known}. "
            f"Received: {unknown[0]!r}.{nearest(unknown[0], [*allowed, *known])}"
        )
    if names:
        body = keras.Model(body.input, [body.output, *(body.get_layer(name).output for name in names)])
    body.name = BACKBONE
    return body


def _also(network: Network, maps: list) -> list:
    """What `also` takes from feature maps, the last one first: (B, N) each."""
    parts = [_gem(maps[0])] if GEM in network.also else []
    for entry, level in zip(_levels(network), maps[1:], strict=True):
        parts += [_quarters(level)] if entry.endswith(QUARTERS) else [ops.mean(level, axis=(1, 2)), _gem(level)]
    return parts


def _levels(network: Network) -> list[str]:
    """What of `also` is taken from layers before the last."""
    return [entry for entry in network.also if entry != GEM and entry not in DESCRIPTORS]


def _gem(feature_map):
    """The generalised mean with exponent 3. Source: Radenović et al. (2018), "Fine-tuning CNN Image Retrieval with No
    Human Annotation", equation 3. (B, h, w, N), at least 0 → (B, N)."""
    return ops.power(ops.mean(ops.power(ops.maximum(feature_map, 1e-6), 3), axis=(1, 2)), 1 / 3)


def _quarters(feature_map):
    """The mean over each quarter of a feature map, which overlap where a side is odd: (B, h, w, N) → (B, 4N)."""
    down, right = (-(-side // 2) for side in feature_map.shape[1:3])
    corners = [
        feature_map[:, rows, columns]
        for rows in (slice(down), slice(-down, None))
        for columns in (slice(right), slice(-right, None))
    ]
    return ops.concatenate([ops.mean(corner, axis=(1, 2)) for corner in corners], axis=-1)


def classifier(label: str, dimension: int, classes: int, dropout: float = 0.0, seed: int | None = None) -> keras.Model:
    """Dropout and a linear layer, named after its label: embeddings (B, D) → logits float32 (B, C)."""
    dense = layers.Dense(classes, dtype="float32")
    parts = [keras.Input((dimension,)), layers.Dropout(dropout, seed=seed), dense]
    return keras.Sequential(parts, name=f"{CLASSIFIER}{label}")


def _in_parts(views: list, shares: dict[str, float], classes: dict[str, int], beside: list, rest: float):
    """√share · (class probabilities at length 1) for each label, what stands beside the embedding, then √rest · the
    embedding at length 1.

    The whole has length 1, so a cosine of two is the weighted sum of the cosines of their parts.
    """
    dimension = views[0].shape[-1]
    blocks = []
    for label, share in shares.items():
        classify = classifier(label, dimension, classes[label])
        blocks.append(share**0.5 * _mean([ops.softmax(classify(view)) for view in views]))
    return ops.concatenate([*blocks, *beside, rest**0.5 * _mean(views)], axis=-1)


def _mean(views: list):
    """One vector at length 1; of several, each at length 1, the mean at length 1."""
    unit = layers.UnitNormalization
    return unit()(views[0]) if len(views) == 1 else unit()(ops.add(*[unit()(view) for view in views]))
