"""Weights on disk: a folder with `backbone.weights.h5`, after training `head.` and `classifier_<label>.weights.h5` too,
and `card.json`.

Every stage reads such a folder and never the network; DVC hashes it. `pretrained` makes the first ones, `training`
others.
"""

import hashlib
import math
import warnings
from pathlib import Path

import h5py
import keras

from pipeline import files, params
from pipeline.encoders import backbones
from pipeline.encoders.card import CARD, WeightsError, read_card
from pipeline.params import cards
from pipeline.params.networks import BACKBONE, CLASSIFIER, HEAD

MOST_ITEMS = 20_000  # groups and tables of numbers in one file; EfficientNet-B0's has 1,100
MOST_NUMBERS = 250_000_000  # in one file: twice what the largest backbone has
MORE = 4  # times a model's numbers: what an optimiser keeps beside them lies in its file too
MOST_CHUNK = 1_000_000  # numbers that are unpacked at once, where a table has fewer


def start_afresh(seed: int) -> None:
    """Sets every seed, and forgets the names that earlier models took: they are part of a weights file's bytes."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)


def save(parts: list[keras.Model], folder: Path, about: dict) -> dict:
    """Writes each part's weights under its name, the backbone's first, and the card `about`; whole or not at all."""
    with files.whole_folder(folder) as partial:
        for part in parts:
            part.save_weights(partial / f"{part.name}.weights.h5")
        about = {**about, "parameters": parts[0].count_params(), "fingerprint": fingerprint(partial)}
        files.write_json(partial / CARD, about)
    return about


def load(encoder: keras.Model, folder: Path) -> None:
    """Puts a folder's weights into an encoder: its backbone's, and those of the head and classifiers that it has.

    Raises:
        WeightsError: the folder is missing, or lacks one of them, or holds another network's weights.
    """
    for part in encoder.layers:
        if part.name in (BACKBONE, HEAD) or part.name.startswith(CLASSIFIER):
            load_part(part, folder)


def load_encoder(spec: params.Encoder, folder: Path) -> keras.Model:
    """An encoder of the study with its weights.

    Raises:
        WeightsError: as for `load`, or another network's by their card (of two ResNet50, v1 and v1.5, every weight has
            one shape), or no classifier of a label whose posteriors it has; of a packed encoder's weights: it sees
            pictures otherwise than their card says.
    """
    card = read_card(folder)
    if (network := card.get("backbone", spec.backbone)) != spec.backbone:
        raise WeightsError(f"{folder.name} has weights of {network}. Received: {spec.backbone}")
    named = card.get("classes", {})
    if "encoder" in card:
        try:
            cards.check_encoder(folder.name, "encoder", spec, cards.checked(card, folder.name))
        except params.ParamsError as error:
            raise WeightsError(str(error)) from None
    if missing := [label for label in spec.posteriors if label not in named]:
        raise WeightsError(f"{folder.name} has no classifier for {missing[0]}. Allowed: {sorted(named)}")
    classes = {label: len(named[label]) for label in spec.posteriors}
    model = backbones.encoder(spec, classes)
    load(model, folder)
    return model


def load_part(part: keras.Model, folder: Path) -> None:
    """Puts a folder's weights into one part of an encoder, by its name: a backbone, a head or a classifier.

    Raises:
        WeightsError: as for `load`.
    """
    load_file(part, folder / f"{part.name}.weights.h5")


def load_start(encoder: keras.Model, folder: Path) -> None:
    """Puts a folder's weights into an encoder that is to be trained: its head too, where both have one of one shape."""
    load_part(encoder.get_layer(BACKBONE), folder)
    heads = [layer for layer in encoder.layers if layer.name == HEAD]
    path = folder / f"{HEAD}.weights.h5"
    if heads and path.exists() and shapes(path) == sorted(tuple(weight.shape) for weight in heads[0].weights):
        load_file(heads[0], path)


def load_start_classifier(classifier: keras.Model, names: list[str], folder: Path) -> None:
    """Puts a folder's classifier of the same label into one that is to be trained, where both name the same classes."""
    path, label = folder / f"{classifier.name}.weights.h5", classifier.name.removeprefix(CLASSIFIER)
    same = path.exists() and read_card(folder)["classes"][label] == names
    if same and shapes(path) == sorted(tuple(weight.shape) for weight in classifier.weights):
        load_file(classifier, path)


def fingerprint(folder: Path) -> str:
    """SHA-256 over the weight files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.weights.h5")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def load_file(model: keras.Model, path: Path) -> str:
    """Loads a `.weights.h5` into a model and returns the file's SHA-256."""
    if not path.is_file():
        raise WeightsError(
            f"{path.name} is missing in {path.parent.name}/. Expected a .weights.h5 file of {model.name}"
        )
    held, known = sum(map(math.prod, shapes(path))), sum(math.prod(weight.shape) for weight in model.weights)
    if held > MORE * known + MOST_CHUNK:
        raise WeightsError(f"{path.name} does not fit {model.name}: {held:,} numbers for {known:,} weights")
    try:
        with warnings.catch_warnings():  # Keras only warns of layers that it leaves random
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except Exception as error:
        raise WeightsError(f"{path.name} does not fit {model.name}: {str(error).splitlines()[0]}") from None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shapes(path: Path) -> list[tuple[int, ...]]:
    """The shapes of all numbers in a weights file, sorted; none of the numbers is read.

    Raises:
        WeightsError: no HDF5 file, or one that holds more than numbers of its own, or too many.
    """
    found: list[tuple[int, ...]] = []
    seen = total = 0

    def look(name: str, link) -> str | None:
        nonlocal seen, total
        seen += 1
        if not isinstance(link, h5py.HardLink):
            return f"has a link inside ({name}); a weights file needs none"
        if seen > MOST_ITEMS:
            return f"holds more than {MOST_ITEMS:,} things"
        if isinstance(item := file[name], h5py.Group):
            return None
        if fault := _fault_of(item):
            return f"holds {name}, {fault}"
        found.append(item.shape)
        total += math.prod(item.shape)
        return f"asks for {total:,} numbers; at most {MOST_NUMBERS:,} are allowed" if total > MOST_NUMBERS else None

    try:
        with h5py.File(path) as file:
            fault = file.visititems_links(look)
    except (OSError, RuntimeError, KeyError) as error:
        raise WeightsError(f"{path.name} in {path.parent.name}/ cannot be read ({error})") from None
    if fault:
        raise WeightsError(f"{path.name} {fault}")
    return sorted(found)


def _fault_of(item: h5py.Dataset | h5py.Datatype) -> str | None:
    """Why something in a weights file is no table of numbers that lie in it."""
    if not isinstance(item, h5py.Dataset) or item.shape is None or item.dtype.kind not in "fiub":
        return "which is no table of numbers"
    if item.is_virtual or item.external:
        return "whose numbers lie in another file"
    if item.chunks and math.prod(item.chunks) > max(item.size, MOST_CHUNK):
        return f"which is unpacked {math.prod(item.chunks):,} numbers at once"
    return None
