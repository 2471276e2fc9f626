"""An encoder as a folder to give away: its weights in half precision, and a card that says how to use it.

`published/` beside this file holds the study's own, so that a photo can be matched without a run.
"""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pydantic

from pipeline import files, params, paths
from pipeline.encoders import compiled, weights
from pipeline.encoders.card import CARD, WeightsError, read_card
from pipeline.params.networks import BACKBONE, CLASSIFIER, HEAD
from pipeline.params.sections import known

PUBLISHED = Path(__file__).parent / "published"
README = "README.md"
PART = re.compile(rf"({BACKBONE}|{HEAD}|{CLASSIFIER}[A-Za-z]+)\.weights\.h5")
MOST_BYTES = 200_000_000  # of one file: ten times what the largest published one has
MOST_CARD = 1_000_000
USE = (
    "Finding catalogue pictures of products that look like a photo's, by the cosine of their vectors. Not for telling "
    "people apart, nor for what is worn by whom."
)
LIMITS = (
    "Learnt from one shop's product photos, most of 60 × 80 pixels on white: photos of people, of several products or "
    "on clutter are found worse (docs/systems.md), types that it never saw worse still (docs/results.md)."
)


@dataclass(frozen=True)
class Packed:
    """An encoder out of a folder: how it sees a picture, and what it makes of it."""

    name: str
    spec: params.Encoder
    encoder: compiled.Compiled


def pack(study: params.Study, name: str) -> Path:
    """Writes an encoder's folder and returns it, whole or not at all.

    Raises:
        ValueError: no such encoder. WeightsError: its weights have not been made.
    """
    known("params.yaml", "an encoder to pack", name, study.encoders)
    spec = study.encoders[name]
    source, target = paths.weights(study.data.name, spec.weights), paths.packed(study.data.name, name)
    card = read_card(source)
    used = [BACKBONE, *([HEAD] if spec.head else []), *(f"{CLASSIFIER}{label}" for label in spec.posteriors)]
    with files.whole_folder(target) as folder:
        for part in used:
            _halve(source / f"{part}.weights.h5", folder / f"{part}.weights.h5")
        kept = {key: value for key, value in card.items() if key not in ("fingerprint", "classes")}
        classes = {label: card["classes"][label] for label in spec.posteriors}
        told = {"intended_use": USE, "limits": LIMITS, "weights_in": "float16; vectors are computed in float32"}
        about = {**kept, **told, "encoder": spec.model_dump(exclude={"weights"}), "classes": classes}
        files.write_json(folder / CARD, {**about, "fingerprint": weights.fingerprint(folder)})
        files.write_text(folder / README, _readme(name, card["licence"]))
    return target


def load(place: str | Path) -> Packed:
    """The encoder of a folder, or of a published name, compiled.

    Raises:
        WeightsError: nothing of that name, or a folder that is no packed encoder's.
    """
    folder = found(place)
    spec = read_spec(folder)
    return Packed(folder.name, spec, compiled.compiled(spec, folder))


def found(place: str | Path) -> Path:
    """The folder of a published encoder by its name, or of another by its path, relative to the project.

    Raises:
        WeightsError: there is none, or it holds what no packed encoder has.
    """
    names = published()
    folder = PUBLISHED / place if str(place) in names else paths.ROOT / place
    if not folder.is_dir():
        raise WeightsError(
            f"no packed encoder. Allowed: {names}, or a folder that `python -m pipeline.run pack` wrote. "
            f"Received: {str(place)!r}.{params.nearest(str(place), names)}"
        )
    for path in folder.iterdir():
        most = MOST_CARD if path.name == CARD else MOST_BYTES
        if path.stat().st_size > most:
            raise WeightsError(
                f"{folder.name}/{path.name} has {path.stat().st_size:,} bytes; at most {most:,} are allowed"
            )
    return folder


def published() -> list[str]:
    """The names of the encoders that come with the study."""
    return sorted(path.parent.name for path in PUBLISHED.glob(f"*/{CARD}"))


def read_spec(folder: Path) -> params.Encoder:
    """How a packed encoder sees a picture.

    Raises:
        WeightsError: a card that does not say so, or weights that are not the card's.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        spec = params.Encoder.model_validate({**card["encoder"], "weights": "packed"})
    except (OSError, ValueError, KeyError, TypeError, pydantic.ValidationError) as error:
        raise WeightsError(
            f"{folder.name}/{CARD} is no packed encoder's ({type(error).__name__}: {str(error).splitlines()[0]}). "
            "Make the folder with: python -m pipeline.run pack ENCODER"
        ) from None
    if weights.fingerprint(folder) != card.get("fingerprint"):
        raise WeightsError(f"{folder.name}/: the weights are not those that its {CARD} names; take both again")
    return spec


def copy(place: str, backbone: str, target: Path) -> dict:
    """Puts a packed encoder's weights where a study's lie, and returns their card.

    Raises:
        WeightsError: as `load`, or of another backbone.
    """
    folder = found(place)
    spec = read_spec(folder)
    if spec.backbone != backbone:
        raise WeightsError(f"{folder.name} has the backbone {spec.backbone}. Received: {backbone}")
    with files.whole_folder(target) as partial:
        for path in sorted(folder.iterdir()):
            if PART.fullmatch(path.name):
                shutil.copyfile(path, partial / path.name)
        card = {**json.loads((folder / CARD).read_text(encoding="utf-8")), "source": "packed"}
        files.write_json(partial / CARD, card)
    return read_card(target)


def _readme(name: str, licence: str) -> str:
    return f"""# {name}

A picture becomes a vector; the cosine of two says how alike the products are. {USE}

```python
from pathlib import Path
from pipeline.data import images
from pipeline.encoders import packed

packed_encoder = packed.load("{name}")  # a published encoder's name, or this folder
seen = images.prepare(images.decode(Path("photo.jpg").read_bytes()), packed_encoder.spec)
vector = packed_encoder.encoder.run(seen[None])[0]
```

`{CARD}` says what it was learnt from and what it reached. Weights are in half precision, vectors in single.

**Limits.** {LIMITS}

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
