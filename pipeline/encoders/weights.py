"""Weights on disk: a folder with `backbone.weights.h5`, after training `head.` and `classifier_<label>.weights.h5` too,
and `card.json`.

Every stage reads such a folder and never the network; DVC hashes it. `pretrained` makes the first ones, `training`
others.
"""

import hashlib
import warnings
from pathlib import Path

import h5py
import keras

from pipeline import files, params
from pipeline.encoders import backbones
from pipeline.encoders.card import CARD, WeightsError, read_card
from pipeline.params.networks import BACKBONE, CLASSIFIER, HEAD


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
        WeightsError: as for `load`, or no classifier of a label whose posteriors it has.
    """
    named = read_card(folder).get("classes", {}) if spec.posteriors else {}
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
    if heads and path.exists() and _shapes(path) == sorted(tuple(weight.shape) for weight in heads[0].weights):
        load_file(heads[0], path)


def load_start_classifier(classifier: keras.Model, names: list[str], folder: Path) -> None:
    """Puts a folder's classifier of the same label into one that is to be trained, where both name the same classes."""
    path, label = folder / f"{classifier.name}.weights.h5", classifier.name.removeprefix(CLASSIFIER)
    same = path.exists() and read_card(folder)["classes"][label] == names
    if same and _shapes(path) == sorted(tuple(weight.shape) for weight in classifier.weights):
        load_file(classifier, path)


def fingerprint(folder: Path) -> str:
    """SHA-256 over the weight files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.weights.h5")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def load_file(model: keras.Model, path: Path) -> str:
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
