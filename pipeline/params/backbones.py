"""The backbones: one row each. Light to import, so that parameters are checked without loading a network.

To add one of Keras Applications, add a row.
"""

from typing import NamedTuple


class Backbone(NamedTuple):
    """How to build a network without its classifier, what it expects, and how many features it gives."""

    constructor: str  # a name in keras.applications, or in encoders.backbones.OWN
    scaling: str  # of its pixels: a name in encoders.backbones.SCALINGS
    side: int  # pixels, of the square images it was trained on
    features: int


BACKBONES = {
    "mobilenet_v2": Backbone("MobileNetV2", "tf", 224, 1280),
    "mobilenet_v3_small": Backbone("MobileNetV3Small", "inside", 224, 576),
    "mobilenet_v3_large": Backbone("MobileNetV3Large", "inside", 224, 960),
    "resnet50": Backbone("ResNet50", "caffe", 224, 2048),
    "resnet50_v15": Backbone("ResNet50V15", "torch", 224, 2048),
    "resnet18": Backbone("ResNet18", "torch", 224, 512),
    "efficientnet_b0": Backbone("EfficientNetB0", "inside", 224, 1280),
    "efficientnet_lite0": Backbone("EfficientNetLite0", "lite", 224, 1280),
    "efficientnet_lite1": Backbone("EfficientNetLite1", "lite", 240, 1280),
    "efficientnet_lite2": Backbone("EfficientNetLite2", "lite", 260, 1280),
    "inception_v3": Backbone("InceptionV3", "tf", 299, 2048),
    "vgg16": Backbone("VGG16", "caffe", 224, 512),
    "vgg19": Backbone("VGG19", "caffe", 224, 512),
    "convnext_tiny": Backbone("ConvNeXtTiny", "inside", 224, 768),
    "convnext_small": Backbone("ConvNeXtSmall", "inside", 224, 768),
    "convnext_base": Backbone("ConvNeXtBase", "inside", 224, 1024),
    "small_cnn": Backbone("SmallCnn", "unit", 64, 128),
    "mawoneke_cnn": Backbone("MawonekeCnn", "unit", 64, 32),
}
DESCRIPTORS = {  # what pixels say without learning: these have no weights
    "colours": Backbone("Colours", "inside", 80, 360),
    "gradients": Backbone("Gradients", "inside", 80, 384),
    "hash": Backbone("Hash", "inside", 32, 64),
    "jpeg": Backbone("Jpeg", "inside", 80, 384),
    "layout": Backbone("Layout", "inside", 80, 768),
    "texture": Backbone("Texture", "inside", 80, 256),
    "thumbnail": Backbone("Thumbnail", "inside", 80, 576),
}
BACKBONES |= DESCRIPTORS
