"""`params/claims.yaml`: what the documents say, and by which measurement each statement is held.

A claim names its place, its words, what they mean in this study's terms, and how its verdict is found (`judge`).
Adding a claim takes an entry in the file and no code; a key that no measurement can have is refused, with the nearest.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline import paths
from pipeline.claims import families
from pipeline.claims.claim import Bound, Claim, Difference, Document, Middle, Order, Value
from pipeline.evaluation import keys
from pipeline.evaluation.within import MIDDLE
from pipeline.params.sections import ParamsError, Section, check, fingerprint, read_yaml
from pipeline.params.suites import known_names


class Registry(Section):
    """The whole file: claims by their names."""

    claims: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.\-]*$")], Claim]


def load(path: Path = paths.CLAIMS) -> dict[str, Claim]:
    """The claims by name, each of them one that some measurement can answer.

    Raises:
        ParamsError: with one line per fault; a key that no family of measurements has, with the nearest one.
    """
    claims = read(path)
    patterns, names = families.patterns(), known_names()
    for name, claim in claims.items():
        for key in asked_keys(claim):
            if fault := keys.fault(key, patterns, names):
                raise ParamsError(f"{Path(path).name}: {name} asks for {key!r}, which no measurement has: {fault}")
    return claims


def read(path: Path) -> dict[str, Claim]:
    """The claims by name, whatever they ask for: those of another day may ask for what is measured no more.

    Raises:
        ParamsError: with one line per fault.
    """
    claims = check(Registry, read_yaml(path), Path(path).name).claims
    for name, claim in claims.items():
        _complete(Path(path).name, name, claim)
    return claims


def version() -> str:
    """A fingerprint of what `claims.yaml` may hold: it changes when a field of a claim is added, dropped or bounded."""
    return fingerprint(Registry)


def asked_keys(claim: Claim) -> list[str]:
    """Every key that a claim's verdict may rest on."""
    judge = claim.judge
    if isinstance(judge, Value | Bound):
        return [judge.key]
    if isinstance(judge, Middle):
        return [keys.key(judge.key, end) for end in MIDDLE]
    if isinstance(judge, Difference):
        return [keys.key(name, judge.at) for pair in judge.pairs for name in pair]
    if not isinstance(judge, Order):
        return []
    return [*judge.keys, *([keys.key(judge.complete, "another")] if judge.complete else [])]


def _complete(where: str, name: str, claim: Claim) -> None:
    """What the kind of a claim's verdict needs of its other fields."""
    if isinstance(claim.judge, Document) and not claim.contradiction:
        raise ParamsError(f"{where}: {name} is judged by its document and needs a contradiction")
    if isinstance(claim.judge, Value | Middle) and not isinstance(claim.reported, int | float):
        raise ParamsError(
            f"{where}: {name} is judged by a value and needs a reported number. Received: {claim.reported!r}"
        )
    if isinstance(claim.judge, Bound) and claim.judge.at_least is None and claim.judge.at_most is None:
        raise ParamsError(f"{where}: {name} needs at_least, at_most or both")
