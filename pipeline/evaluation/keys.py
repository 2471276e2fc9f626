"""Keys of measurements, `family/…/what`: how one is built, and what is wrong with one that no family makes.

A family says what its keys are as patterns, a segment for each part between two slashes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.params.sections import nearest

ANY = re.compile(r"[^/]+")
MOST_SHOWN = 20  # allowed words in an error; of more, the nearest must do
NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Of:
    """A segment that is a name of one of these sections of `params.yaml`, in any suite."""

    sections: tuple[str, ...]


# a word, several words and forms, names, or a function that raises ValueError for what it does not know
Segment = str | re.Pattern | list[str | re.Pattern] | Of | Callable[[str], object]
Pattern = tuple[Segment, ...]


def key(*parts: object) -> str:
    """The key of a measurement: its parts with `/` between them, the family's or the retrieval's name first."""
    return "/".join(str(part) for part in parts)


def split(text: str) -> list[str]:
    """The parts of a key."""
    return text.split("/")


def fault(text: str, patterns: list[Pattern], names: dict[str, list[str]]) -> str:
    """What is wrong with a key that no pattern makes, with the nearest that one does; '' where nothing is.

    Args:
        names: by section, the names that a suite gives.
    """
    parts, best, words = split(text), -1, ""
    for pattern in patterns:
        place = next((at for at, pair in enumerate(zip(parts, pattern, strict=False)) if _wrong(*pair, names)), None)
        if place is None and len(parts) == len(pattern):
            return ""
        reached = min(len(parts), len(pattern)) if place is None else place
        if reached > best:
            best = reached
            words = _too_long_or_short(parts, pattern) if place is None else _wrong(parts[place], pattern[place], names)
    if best == 0:  # no pattern begins so: all beginnings are allowed
        words = _wrong(parts[0], [word for pattern in patterns for word in _words(pattern[0], names)], names)
    return words


def _wrong(part: str, segment: Segment, names: dict[str, list[str]]) -> str:
    """What is wrong with one part; '' where nothing is."""
    if callable(segment):
        try:
            segment(part)
            return ""
        except ValueError as error:
            return str(error)
    words = _words(segment, names)
    if any(part == word if isinstance(word, str) else word.fullmatch(part) for word in words):
        return ""
    known = list(dict.fromkeys(word for word in words if isinstance(word, str)))
    if not known:
        return f"{part!r} is no number"
    allowed = known if len(known) <= MOST_SHOWN else f"{len(known)} names"
    return f"{part!r} is none of {allowed}.{nearest(part, known)}"


def _words(segment: Segment, names: dict[str, list[str]]) -> list[str | re.Pattern]:
    if isinstance(segment, Of):
        return [name for section in segment.sections for name in names.get(section, [])]
    return segment if isinstance(segment, list) else [segment]


def _too_long_or_short(parts: list[str], pattern: Pattern) -> str:
    return f"it has {len(parts)} parts between slashes, and such a key has {len(pattern)}"
