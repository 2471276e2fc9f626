"""An encoder as a folder to give away: its weights in half precision, and a card that says how to use it.

`published/` beside this file holds the study's own, so that a photo can be matched without a run.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pipeline import files, params, paths
from pipeline.encoders import compiled, weights
from pipeline.encoders.card import CARD, WeightsError, read_card
from pipeline.params import cards
from pipeline.params.backbones import DESCRIPTORS
from pipeline.params.networks import BACKBONE, CLASSIFIER, HEAD, POOLED
from pipeline.params.sections import known

README = "README.md"
PART = re.compile(rf"({BACKBONE}|{HEAD}|{CLASSIFIER}[A-Za-z]+)\.weights\.h5")
USE = (
    "Finding catalogue pictures of products that look like a photo's, by the cosine of their vectors. Not for telling "
    "people apart, nor for what is worn by whom."
)
LIMITS = dict.fromkeys(  # by the data that weights have learnt from
    ("fashion_small", "fashion_small_fresh"),
    "Learnt from one shop's product photos, most of 60 × 80 pixels on white: photos of people, of several products "
    "or on clutter are found worse (docs/systems.md), types that it never saw worse still (docs/results.md).",
)


@dataclass(frozen=True)
class Packed:
    """An encoder out of a folder: how it sees a picture, and what it makes of it."""

    name: str
    spec: params.Encoder
    encoder: compiled.Compiled


def pack(study: params.Study, name: str) -> Path:
    """Writes the folder of an encoder, or of a concatenation, and returns it, whole or not at all.

    Raises:
        ValueError: no such encoder, or a concatenation that is not one network's. WeightsError: its weights have not
            been made.
    """
    spec = as_one(study, name)
    source, target = paths.weights(study.data.name, spec.weights), paths.packed(study.data.name, name)
    card, trained = read_card(source), learnt(study, spec.weights)
    used = [BACKBONE, *([HEAD] if spec.head else []), *(f"{CLASSIFIER}{label}" for label in spec.posteriors)]
    with files.whole_folder(target) as folder:
        for part in used:
            _halve(source / f"{part}.weights.h5", folder / f"{part}.weights.h5")
        kept = {key: value for key, value in card.items() if key not in ("fingerprint", "classes")}
        classes = {label: card["classes"][label] for label in spec.posteriors}
        told = {
            "intended_use": USE,
            "limits": limits(trained),
            "weights_in": "float16; vectors are computed in float32",
        }
        about = {**kept, **told, "encoder": spec.model_dump(exclude={"weights"}), "classes": classes}
        about["learnt"] = [one.model_dump() for one in trained]
        files.write_json(folder / CARD, {**about, "fingerprint": weights.fingerprint(folder)})
        files.write_text(folder / README, _readme(name, card["licence"], limits(trained)))
    return target


def as_one(study: params.Study, name: str) -> params.Encoder:
    """An encoder, or a concatenation as one network: its part with a head, and `beside` that what the others see.

    Differs from the concatenation where a part is all zeros, as a blank picture's edges are: the others keep their
    shares.

    Raises:
        ValueError: no such encoder, or parts that no one network has. WeightsError: weights that have not been made.
    """
    known("params.yaml", "an encoder to pack", name, [*study.encoders, *study.concatenations])
    if name in study.encoders:
        return study.encoders[name]
    shares = _shares(study, name)
    headed = [part for part in shares if study.encoders[part].head]
    if len(headed) != 1:
        raise ValueError(f"{name} is packed as one network, of which one part has a head. Received: {headed}")
    whole = study.encoders[headed[0]]
    own = shares.pop(headed[0])
    beside = {seen: own * share for seen, share in whole.beside.items()}
    for part, share in shares.items():
        seen = _seen_by(study, part, headed[0])
        beside[seen] = beside.get(seen, 0) + share
    parts = {"posteriors": {label: own * share for label, share in whole.posteriors.items()}, "beside": beside}
    tidy = {part: {key: round(share, 9) for key, share in some.items()} for part, some in parts.items()}
    return params.Encoder.model_validate({**whole.model_dump(), **tidy})


def _shares(study: params.Study, name: str) -> dict[str, float]:
    """The encoders that a concatenation is made of, and the share that each has of its cosine."""
    if name in study.encoders:
        return {name: 1.0}
    both = study.concatenations[name]
    shares: dict[str, float] = {}
    for part, share in ((both.first, 1 - both.share), (both.second, both.share)):
        for encoder, own in _shares(study, part).items():
            shares[encoder] = shares.get(encoder, 0) + share * own
    return shares


def _seen_by(study: params.Study, name: str, headed: str) -> str:
    """What of `beside` an encoder is, in the network of one with a head. Raises ValueError: it is nothing of it."""
    part, whole = study.encoders[name], study.encoders[headed]
    alike = ["image_size", "resize", "pad_color", "interpolation", "mirrored"]
    wanted = {field: getattr(whole, field) for field in alike}
    if part.backbone in DESCRIPTORS:
        wanted["preprocessing"] = "own"
    else:
        wanted |= {field: getattr(whole, field) for field in ("backbone", "preprocessing", "pooling")}
    for field, value in wanted.items():
        if getattr(part, field) != value:
            raise ValueError(
                f"{name} and {headed} are packed as one network, which sees a picture once: {field} must be "
                f"{value!r}. Received: {getattr(part, field)!r}"
            )
    if more := [field for field in ("also", "posteriors", "beside") if getattr(part, field)]:
        raise ValueError(f"{name} stands beside {headed} and has no {more[0]} of its own")
    if part.backbone in DESCRIPTORS:
        return part.backbone
    ours, theirs = (paths.weights(study.data.name, one.weights) / f"{BACKBONE}.weights.h5" for one in (part, whole))
    if missing := [path for path in (ours, theirs) if not path.exists()]:
        raise WeightsError(f"{missing[0].name} is missing in {missing[0].parent.name}/")
    if ours.read_bytes() != theirs.read_bytes():
        raise ValueError(f"{name} and {headed} are packed as one network, and their backbones' weights are others")
    return POOLED


def learnt(study: params.Study, name: str) -> list[cards.Learnt]:
    """The trainings that a study's weights have behind them, the first one first; a packed start brings its own."""
    if name in study.finetunes:
        spec, data = study.finetunes[name], study.data
        seen = cards.Learnt(
            data=data.name,
            source=data.source,
            data_seed=data.seed,
            test_share=data.test_share,
            split=spec.split,
            seed=spec.seed,
        )
        return [*learnt(study, spec.init), seen]
    known("params.yaml", "weights to pack", name, study.weights)
    source = study.weights[name]
    return cards.read(cards.found(source.path, paths.ROOT)).learnt if source.source == "packed" and source.path else []


def limits(trained: list[cards.Learnt]) -> str:
    """What an encoder is not good for, by what it has learnt from."""
    names = list(dict.fromkeys(one.data for one in trained))
    said = [
        LIMITS.get(name, f"Learnt from the pictures of {name}: what others ask of it was not measured.")
        for name in names
    ]
    return " ".join(said) or "Has learnt from no product's photos: what its first weights know is all that it knows."


def load(place: str | Path) -> Packed:
    """The encoder of a published name, or of a folder by its path, compiled.

    Raises:
        WeightsError: nothing of that name, or a folder that is no packed encoder's.
    """
    folder = found(place, Path())
    spec = read_spec(folder)
    return Packed(folder.resolve().name, spec, compiled.compiled(spec, folder))


def found(place: str | Path, beside: Path) -> Path:
    """As `cards.found`.

    Raises:
        WeightsError: there is none, or it holds what no packed encoder has.
    """
    try:
        return cards.found(place, beside)
    except params.ParamsError as error:
        raise WeightsError(str(error)) from None


def read_spec(folder: Path) -> params.Encoder:
    """How a packed encoder sees a picture.

    Raises:
        WeightsError: a card that does not say so, or weights that are not the card's.
    """
    try:
        card = cards.read(folder)
    except params.ParamsError as error:
        raise WeightsError(str(error)) from None
    name = folder.resolve().name
    if weights.fingerprint(folder) != card.fingerprint:
        raise WeightsError(f"{name}/: the weights are not those that its {CARD} names; take both again")
    if card.encoder.head:
        kernels = [shape for shape in weights.shapes(folder / f"{HEAD}.weights.h5") if len(shape) == 2]
        if over := [layer.units for layer in card.encoder.head if layer.units not in {wide for _, wide in kernels}]:
            raise WeightsError(f"{name}/{CARD}: a head of {over[0]:,} units is not that of {HEAD}.weights.h5")
    return card.encoder


def copy(place: str, backbone: str, target: Path) -> dict:
    """Puts a packed encoder's weights where a study's lie, and returns their card.

    Raises:
        WeightsError: as `load`, or of another backbone.
    """
    folder = found(place, paths.ROOT)
    spec = read_spec(folder)
    if spec.backbone != backbone:
        raise WeightsError(f"{folder.name} has the backbone {spec.backbone}. Received: {backbone}")
    with files.whole_folder(target) as partial:
        for path in sorted(folder.iterdir()):
            if PART.fullmatch(path.name):
                shutil.copyfile(path, partial / path.name)
        card = {**cards.values_of(folder), "source": "packed"}
        files.write_json(partial / CARD, card)
    return read_card(target)


def _readme(name: str, licence: str, limited: str) -> str:
    return f"""# {name}

A picture becomes a vector; the cosine of two says how alike the products are. {USE}

```python
from pathlib import Path
from pipeline.data import images
from pipeline.encoders import packed

packed_encoder = packed.load(".")  # this folder; from elsewhere its path, or a published encoder's name
seen = images.prepare(images.decode(Path("photo.jpg").read_bytes()), packed_encoder.spec)
vector = packed_encoder.encoder.run(seen[None])[0]
```

`{CARD}` says what it was learnt from and what it reached. Weights are in half precision, vectors in single.

**Limits.** {limited}

**Licence.** {licence}.
"""


def _halve(source: Path, target: Path) -> None:
    """A weights file with its numbers in half precision, packed; Keras reads them into its own float32.

    Raises:
        WeightsError: numbers that half precision cannot hold.
    """
    if not source.exists():
        raise WeightsError(f"{source.name} is missing in {source.parent.name}/")
    with h5py.File(source) as whole, h5py.File(target, "w") as half:

        def put(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made = half.require_group(name)
            else:
                numbers = item[()]
                if np.issubdtype(item.dtype, np.floating):
                    with np.errstate(over="ignore"):
                        numbers = numbers.astype(np.float16)
                    if not np.isfinite(numbers).all():
                        raise WeightsError(f"{source.name}: {name} has numbers that float16 cannot hold")
                packed = {"compression": "gzip", "shuffle": True} if numbers.ndim else {}
                made = half.create_dataset(name, data=numbers, track_times=False, **packed)
            for key, value in item.attrs.items():
                made.attrs[key] = value

        whole.visititems(put)
        for key, value in whole.attrs.items():
            half.attrs[key] = value
