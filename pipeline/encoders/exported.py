"""An encoder as files that other programs run, LiteRT's and ONNX, with a card that says what it is and is not for."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from pipeline import files, params, paths
from pipeline.data import catalog
from pipeline.encoders import compiled, extract, packed, store, weights
from pipeline.encoders.card import read_card
from pipeline.params import cards
from pipeline.params.sections import known

LITERT, ONNX, CARD, README = "model.tflite", "model.onnx", "card.json", "README.md"
OPSET = 18
CHECKED = 16  # pictures of the catalogue whose vectors must be the study's
NEAR = 1e-5  # of a vector of length 1
PREPARED = {  # by `resize`: how Pillow brings a picture to the size
    "stretch": 'Image.open("photo.jpg").convert("RGB").resize(({width}, {height}), Image.Resampling.{method})',
    "pad": 'ImageOps.pad(Image.open("photo.jpg").convert("RGB"), ({width}, {height}), Image.Resampling.{method}, '
    "color={colour})",
}


class ExportError(ValueError):
    """An encoder that cannot be given away as it is; the message says why."""


def export(study: params.Study, name: str) -> Path:
    """Writes an encoder's or a concatenation's files and returns their folder, whole or not at all.

    Raises:
        ParamsError: no such encoder. ExportError: parts that see pictures in two ways, files whose vectors are not the
            study's, or libraries that are missing. StoreError, WeightsError: it has not been made.
    """
    spec = _seen(study, name)
    model, data = _model(study, name), study.data.name
    with tempfile.TemporaryDirectory() as place:
        made = {LITERT: compiled.converted(model), ONNX: _onnx(model, Path(place) / ONNX)}
    with files.whole_folder(paths.exported(data, name)) as folder:
        for file, content in made.items():
            (folder / file).write_bytes(content)
        _check(study, name, spec, folder)
        files.write_json(folder / CARD, _card(study, name, spec, model, made))
        files.write_text(folder / README, _readme(study, name, spec))
    return paths.exported(data, name)


def run_onnx(path: Path, pictures: np.ndarray) -> np.ndarray:
    """What an ONNX file makes of pictures, uint8 (B, height, width, 3) → float32 (B, D)."""
    onnxruntime = _library("onnxruntime")
    session = onnxruntime.InferenceSession(str(path))
    return session.run(None, {session.get_inputs()[0].name: pictures})[0]


def _model(study: params.Study, name: str) -> keras.Model:
    """One network from a picture to the vector that the study has: of a concatenation both parts in one."""
    if name in study.encoders:
        spec = study.encoders[name]
        model = weights.load_encoder(spec, paths.weights(study.data.name, spec.weights))
        model.name = name  # two of them in one network need two names
        return model
    both = study.concatenations[name]
    first, second = _model(study, both.first), _model(study, both.second)
    pictures = keras.Input(first.input_shape[1:], dtype="uint8", name="pictures")
    parts = [
        layers.UnitNormalization()(part(pictures)) * share**0.5
        for part, share in ((first, 1 - both.share), (second, both.share))
    ]
    return keras.Model(pictures, ops.concatenate(parts, axis=-1), name=name)


def _seen(study: params.Study, name: str) -> params.Encoder:
    """How an encoder, or all parts of a concatenation alike, see a picture.

    Raises:
        ExportError: parts that do not. ParamsError: no such encoder.
    """
    known("params.yaml", "an encoder to export", name, [*study.encoders, *study.concatenations])
    if name in study.encoders:
        return study.encoders[name]
    both = study.concatenations[name]
    first, second = _seen(study, both.first), _seen(study, both.second)
    differing = [
        what
        for what in ("height_width", "resize", "pad_color", "interpolation")
        if getattr(first, what) != getattr(second, what)
    ]
    if differing:
        raise ExportError(
            f"{name} is of two encoders that see a picture in two ways, so it is no single network: {both.first} and "
            f"{both.second} differ in {differing}. Give both one image_size and resize, or export each by itself"
        )
    return first


def _onnx(model: keras.Model, path: Path) -> bytes:
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name="pictures")]
    traced = tf.function(lambda pictures: model(pictures, training=False), input_signature=signature)
    _library("tf2onnx").convert.from_function(traced, signature, opset=OPSET, output_path=str(path))
    return path.read_bytes()


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise ExportError(f"exporting needs {name}. Install it with: pip install -e '.[export]'") from None


def _check(study: params.Study, name: str, spec: params.Encoder, folder: Path) -> None:
    """Raises ExportError unless both files give the catalogue's first pictures the vectors that the study has."""
    data = study.data.name
    made = store.read(paths.features(data, name))
    ids = catalog.load(data)[catalog.ID].tolist()[:CHECKED]
    if made.ids[: len(ids)].tolist() != ids:
        raise ExportError(f"the features of {name} are of another catalogue. Run its stages again")
    with paths.open_images(data) as archive:
        pictures = extract.load_pictures(archive, ids, spec)
    expected = made.vectors[: len(ids)]
    length = max(float(np.linalg.norm(expected, axis=1).max()), 1e-12)
    for file, found in (
        (LITERT, compiled.interpreted(folder / LITERT).run(pictures)),
        (ONNX, run_onnx(folder / ONNX, pictures)),
    ):
        if (far := float(np.abs(found - expected).max()) / length) > NEAR:
            raise ExportError(f"{file} gives vectors that are {far:.1e} from the study's; allowed are {NEAR:g}")


def _card(study: params.Study, name: str, spec: params.Encoder, model: keras.Model, made: dict[str, bytes]) -> dict:
    return {
        "name": name,
        "data": study.data.name,
        "input": {
            "height and width": list(spec.height_width),
            "channels": "RGB, uint8, (batch, height, width, 3)",
            "resize": spec.resize,
            "pad_color": spec.pad_color,
            "interpolation": spec.interpolation,
        },
        "dimension": model.output_shape[-1],
        "compare by": "cosine",
        "weights": {part: _known(study, part) for part in _parts(study, name)},
        "intended use": packed.USE,
        "limits": packed.limits(_learnt(study, name)),
        "files": {
            file: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for file, content in made.items()
        },
    }


def _known(study: params.Study, encoder: str) -> dict:
    """Of an encoder's weights: what they have learnt from, and under which licence they may be used."""
    card = read_card(paths.weights(study.data.name, study.encoders[encoder].weights))
    kept = ("source", "backbone", "licence", "data", "learnt_from", "init", "seed", "metrics", "fingerprint")
    return {key: card[key] for key in kept if key in card}


def _learnt(study: params.Study, name: str) -> list[cards.Learnt]:
    """The trainings of all parts."""
    return [one for part in _parts(study, name) for one in packed.learnt(study, study.encoders[part].weights)]


def _parts(study: params.Study, name: str) -> list[str]:
    """The encoders that a name stands for."""
    if name in study.encoders:
        return [name]
    both = study.concatenations[name]
    return [*_parts(study, both.first), *_parts(study, both.second)]


def _readme(study: params.Study, name: str, spec: params.Encoder) -> str:
    height, width = spec.height_width
    parts = {"width": width, "height": height, "method": spec.interpolation.upper(), "colour": tuple(spec.pad_color)}
    how = PREPARED.get(spec.resize)
    shown = how.format(**parts) if how else f"...  # {spec.resize}, as pipeline.data.images.resize does it"
    licences = sorted({_known(study, part)["licence"] for part in _parts(study, name)})
    return f"""# {name}

A picture becomes a vector; the cosine of two says how alike the products are. {packed.USE}

```python
import numpy as np, onnxruntime
from PIL import Image, ImageOps
pictures = np.asarray({shown})[None]
vector = onnxruntime.InferenceSession("{ONNX}").run(None, {{"pictures": pictures}})[0][0]
```

`{LITERT}` gives the same vectors with LiteRT. `{CARD}` says what it was learnt from, and what it reached.

**Limits.** {packed.limits(_learnt(study, name))}

**Licence.** {"; ".join(licences)}.
"""
