"""The card of a packed encoder: how it sees a picture, and which pictures it has learnt from.

A packed encoder is a folder that somebody else may have made: nothing in it is believed until it has been looked at.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import Field

from pipeline import paths
from pipeline.params.finetuning import Finetune, Split
from pipeline.params.kinds import Label, Name, Seed
from pipeline.params.networks import Encoder
from pipeline.params.sections import ParamsError, Section, check, known, nearest
from pipeline.params.study import Data

CARD, WEIGHTS = "card.json", ".weights.h5"
USUAL = "small"  # of the published ones, that which is taken where none is named
MOST_BYTES = 200_000_000  # of one weights file: twenty times what the largest published one has
MOST_CARD = 1_000_000
MOST_FILES = 64
MOST_LAYERS = 16  # of a head, and parts of `also`
MOST_NUMBERS = 16_384  # of a layer, a squeeze, a batch or a label's classes
SEEN = ("backbone", "image_size", "resize", "pad_color", "interpolation", "preprocessing", "pooling")
HEADED = ("also", "squeeze", "head")
MAKE = "Make the folder with: python -m pipeline.run pack ENCODER"


class Learnt(Section):
    """One training: its data as the `data` section had them, and how they were split."""

    data: Name
    source: str
    data_seed: Seed
    test_share: float
    split: Split
    seed: Seed  # of the training: it draws what is validated

    def is_of(self, data: Data) -> bool:
        """Whether a study's data show the same products: both of Kaggle's sets do, and every drawn sample."""
        return self.data == data.name or (self.source == data.source and self.source != "folder")


class Card(Section):
    """What has to be known of a packed encoder before it is used; what else its card says is for people."""

    model_config = pydantic.ConfigDict(extra="ignore")

    encoder: Encoder
    classes: dict[Label, Annotated[list[str], Field(min_length=1, max_length=MOST_NUMBERS)]]
    learnt: Annotated[list[Learnt], Field(max_length=MOST_LAYERS)]
    licence: str
    fingerprint: str

    @pydantic.field_validator("encoder", mode="before")
    @classmethod
    def _weights_are_beside_it(cls, encoder: Any) -> Any:
        return {**encoder, "weights": "packed"} if isinstance(encoder, dict) else encoder

    @pydantic.model_validator(mode="after")
    def _bounded(self):
        spec = self.encoder
        sizes = [spec.batch_size, spec.squeeze or 0, *(layer.units for layer in spec.head)]
        if max(sizes) > MOST_NUMBERS or max(len(spec.head), len(spec.also)) > MOST_LAYERS:
            raise ValueError(
                f"allowed are {MOST_LAYERS} layers of a head and parts of also, and {MOST_NUMBERS:,} numbers of a "
                f"layer, of squeeze and of batch_size; {len(spec.head)}, {len(spec.also)} and {max(sizes):,} are asked"
            )
        if missing := sorted(set(spec.posteriors) - set(self.classes)):
            raise ValueError(f"posteriors of {missing[0]} need its classes; those of {sorted(self.classes)} are told")
        return self


def published() -> list[str]:
    """The names of the encoders that come with the study."""
    return sorted(path.parent.name for path in paths.PUBLISHED.glob(f"*/{CARD}"))


def found(place: str | Path, beside: Path) -> Path:
    """The folder of a published encoder by its name, or of another by its path, relative to `beside`.

    Raises:
        ParamsError: there is none, or its card or weights are no plain files of a size that such files have.
    """
    names = published()
    folder = paths.PUBLISHED / place if str(place) in names else beside / place
    if not folder.is_dir():
        raise ParamsError(
            f"no packed encoder. Allowed: {names}, or a folder that `python -m pipeline.run pack` wrote. "
            f"Received: {str(place)!r}.{nearest(str(place), names)}"
        )
    named = [path for path in folder.iterdir() if path.name == CARD or path.name.endswith(WEIGHTS)]
    if len(named) > MOST_FILES:
        raise ParamsError(f"{_name(folder)}/ has {len(named):,} weights files; at most {MOST_FILES} are allowed")
    for path in sorted(named):
        if path.is_symlink() or not path.is_file():
            raise ParamsError(f"{_name(folder)}/{path.name} is no plain file but a link, a folder or a device. {MAKE}")
        size, most = path.stat().st_size, MOST_CARD if path.name == CARD else MOST_BYTES
        if size > most:
            raise ParamsError(f"{_name(folder)}/{path.name} has {size:,} bytes; at most {most:,} are allowed")
    return folder


def read(folder: Path) -> Card:
    """What a packed encoder's card says.

    Raises:
        ParamsError: as `values_of` and `checked`.
    """
    return checked(values_of(folder), _name(folder))


def values_of(folder: Path) -> dict:
    """All that a packed encoder's card says, unchecked.

    Raises:
        ParamsError: there is no card, or it is no JSON.
    """
    try:
        return dict(json.loads((folder / CARD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ParamsError(f"{_name(folder)}/{CARD} cannot be read ({type(error).__name__}). {MAKE}") from None


def checked(values: Any, name: str) -> Card:
    """What a card says; `name` is its folder's.

    Raises:
        ParamsError: it does not say what a packed encoder's card says, or asks for more than one can need.
    """
    try:
        return check(Card, values, f"{name}/{CARD}")
    except ParamsError as error:
        raise ParamsError(f"{str(error).splitlines()[0][:500]} {MAKE}") from None


def check_encoder(where: str, key: str, encoder: Encoder, card: Card) -> None:
    """Raises ParamsError unless an encoder sees pictures as the card of its packed weights says.

    An encoder may leave all of the head, and classifiers, away; `mirrored`, the shares of `posteriors` and of
    `beside` and the size of a batch are its own.
    """
    bare = not (encoder.head or encoder.also or encoder.posteriors)
    told, given = (spec.model_dump(include={*SEEN, *HEADED}) for spec in (card.encoder, encoder))
    for field in [*SEEN, *([] if bare else HEADED)]:
        if given[field] != told[field]:
            raise ParamsError(
                f"{where}: {key}.{field} must be what the card of its weights {encoder.weights!r} says, "
                f"{told[field]!r}. Received: {given[field]!r}"
            )
    for label in encoder.posteriors:
        known(where, f"{key}.posteriors", label, card.classes)


def check_data(where: str, key: str, card: Card, data: Data) -> None:
    """Raises ParamsError where weights have learnt from a study's own pictures, by another split than the study's."""
    for learnt in filter(lambda learnt: learnt.is_of(data), card.learnt):
        for field, said, given in (
            ("data.name", learnt.data, data.name),
            ("data.seed", learnt.data_seed, data.seed),
            ("data.test_share", learnt.test_share, data.test_share),
        ):
            if given != said:
                other = " Other pictures need another data.name." if learnt.source == "folder" else ""
                raise ParamsError(
                    f"{where}: {field} must be {said!r} with {key}, which has learnt from these products by that "
                    f"split: by another it has seen what it is tested on.{other} Received: {given!r}"
                )


def check_start(where: str, key: str, finetune: Finetune, card: Card, data: Data) -> None:
    """Raises ParamsError where what a finetune must not learn from is what its packed weights have learnt from."""
    for learnt in filter(lambda learnt: learnt.is_of(data), card.learnt):
        check_parts(where, key, finetune, learnt)


def check_parts(where: str, key: str, finetune: Finetune, start: Finetune | Learnt) -> None:
    """Raises ParamsError unless what one run must not learn from, the run before it has not learnt from either."""
    if start.split != finetune.split:
        raise ParamsError(
            f"{where}: {key}.split must be that of the finetune it starts from, {start.split!r}: else it "
            f"has seen what it is tested on. Received: {finetune.split!r}"
        )
    if start.seed != finetune.seed:
        raise ParamsError(
            f"{where}: {key}.seed must be that of the finetune it starts from, {finetune.init!r}: it draws "
            f"what is validated, of which another seed's run has learnt nine tenths. Allowed: {start.seed}, or this "
            f"seed in all finetunes of the chain. Received: {finetune.seed}"
        )


def _name(folder: Path) -> str:
    return folder.resolve().name
