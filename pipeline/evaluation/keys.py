"""Keys of measurements, `family/…/what`: how one is built, and what is wrong with one that no family makes.

A family says what its keys are as patterns, a segment for each part between two slashes.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.params.sections import nearest

ANY = re.compile(r"[^/]+")
MOST_SHOWN = 20  # allowed words in an error; of more, the nearest must do
NUMBER = re.compile(r"\d+(\.\d+)?")
COUNT = re.compile(r"[1-9]\d*")


@dataclass(frozen=True)
class Of:
    """A segment that is a name of one of these sections of `params.yaml`, in any suite."""

    sections: tuple[str, ...]


# a word, several words and forms, names, or a function that raises ValueError for what it does not know
Segment = str | re.Pattern | Sequence[str | re.Pattern] | Of | Callable[[str], object]
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

    >>> fault("data/rovs", [("data", ["rows", "pictures"])], {})
    "'rovs' is none of ['rows', 'pictures']. Did you mean 'rows'?"
    """
    parts = split(text)
    found = [_first_wrong(parts, pattern, names) for pattern in patterns]
    places = [place for place in found if place is not None]
    if len(places) < len(found):
        return ""
    best = max(places, default=0)
    reached = [pattern for place, pattern in zip(places, patterns, strict=True) if place == best]
    longer = [pattern for pattern in reached if len(pattern) > best]
    if best == len(parts) or not longer:
        return f"it has {len(parts)} parts between slashes, and such a key has {len(reached[0])}"
    return _wrong(parts[best], [pattern[best] for pattern in longer], names)


def _first_wrong(parts: list[str], pattern: Pattern, names: dict[str, list[str]]) -> int | None:
    """The place of the first part that a pattern does not make, or where one of the two ends; None for none."""
    for place, (part, segment) in enumerate(zip(parts, pattern, strict=False)):
        if _wrong(part, [segment], names):
            return place
    return None if len(parts) == len(pattern) else min(len(parts), len(pattern))


def _wrong(part: str, segments: list[Segment], names: dict[str, list[str]]) -> str:
    """What is wrong with one part where any of some segments may stand; '' where nothing is."""
    faults = []
    for segment in filter(callable, segments):
        try:
            segment(part)
            return ""
        except ValueError as error:
            faults.append(str(error))
    words = [word for segment in segments if not callable(segment) for word in _words(segment, names)]
    if any(part == word if isinstance(word, str) else word.fullmatch(part) for word in words):
        return ""
    known = list(dict.fromkeys(word for word in words if isinstance(word, str)))
    if faults or not known:
        return faults[0] if faults else f"{part!r} is no {'whole number from 1' if COUNT in words else 'number'}"
    allowed = known if len(known) <= MOST_SHOWN else f"{len(known)} names"
    return f"{part!r} is none of {allowed}.{nearest(part, known)}"


def _words(
    segment: str | re.Pattern | Sequence[str | re.Pattern] | Of, names: dict[str, list[str]]
) -> Sequence[str | re.Pattern]:
    if isinstance(segment, Of):
        return [name for section in segment.sections for name in names.get(section, [])]
    return [segment] if isinstance(segment, str | re.Pattern) else segment
