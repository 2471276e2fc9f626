"""`params/claims.yaml`: what the documents say, and what the measurements make of it.

A claim names its place, its words, what they mean in this study's terms, and how it is judged. A verdict rests on
measurements of the thesis's own pictures, all of them; where one is missing it says how to get it. Adding a claim
takes an entry in the file and no code.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline import paths
from pipeline.evaluation import statistics
from pipeline.sections import ParamsError, Section, check, read_yaml

REPRODUCED, DIFFERS, CONTRADICTED = "reproduced", "differs", "contradicted"
INCONSISTENT, NOT_TESTABLE, NOT_RUN = "inconsistent in the document", "not testable", "not run"
VERDICTS = [REPRODUCED, DIFFERS, CONTRADICTED, INCONSISTENT, NOT_TESTABLE, NOT_RUN]
OTHER_PICTURES = "these are not the thesis's pictures, all of them; run data=fashion_small"
Text = Annotated[str, Field(min_length=1)]


class Value(Section):
    """Judged by a value: reproduced within `tolerance` of what was reported, or when its interval holds it."""

    kind: Literal["value"]
    key: Text
    tolerance: Annotated[float, Field(ge=0)]


class Bound(Section):
    """Judged by a bound: reproduced when the value's interval lies on the claim's side, contradicted on the other."""

    kind: Literal["bound"]
    key: Text
    at_least: float | None = None
    at_most: float | None = None


class Difference(Section):
    """Judged by differences, first − second, of every pair that was run: paired by query where both have the same
    queries, else of independent draws.

    `above` 0: reproduced when every interval lies above `margin`, contradicted when one lies below −margin.
    `within`: reproduced when every interval lies within ± margin, contradicted when one lies wholly outside.
    """

    kind: Literal["difference"]
    pairs: Annotated[list[Annotated[list[Text], Field(min_length=2, max_length=2)]], Field(min_length=1)]
    at: Text
    expect: Literal["above", "within"]
    margin: Annotated[float, Field(ge=0)] = 0.0


class Order(Section):
    """Judged by the order of values without intervals: each must be at least the next; contradicted when reversed.

    `complete`: the family of keys that holds them; no other of it may stand before the last.
    """

    kind: Literal["order"]
    keys: Annotated[list[Text], Field(min_length=2)]
    complete: Text | None = None


class Document(Section):
    """Not measured: the document contradicts itself, as `contradiction` says."""

    kind: Literal["document"]


class Untestable(Section):
    """Not measured: something is missing from the document or from what can be had."""

    kind: Literal["untestable"]
    missing: Text


class Claim(Section):
    """One statement of one document."""

    document: Literal["000", "001", "002", "003", "004"]
    place: Text
    words: Text
    meaning: Text
    reported: float | str | None = None
    judge: Annotated[Value | Bound | Difference | Order | Document | Untestable, Field(discriminator="kind")]
    contradiction: str | None = None
    how: str | None = None
    see: str | None = None
    headline: bool = False


class Registry(Section):
    """The whole file: claims by their names."""

    claims: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.\-]*$")], Claim]


def load(path: Path = paths.CLAIMS) -> dict[str, Claim]:
    """The claims by name.

    Raises:
        ParamsError: with one line per fault.
    """
    claims = check(Registry, read_yaml(path), Path(path).name).claims
    for name, claim in claims.items():
        if isinstance(claim.judge, Document) and not claim.contradiction:
            raise ParamsError(f"{Path(path).name}: {name} is judged by its document and needs a contradiction")
        if isinstance(claim.judge, Value) and not isinstance(claim.reported, int | float):
            raise ParamsError(f"{Path(path).name}: {name} is judged by a value and needs a reported number. "
                              f"Received: {claim.reported!r}")  # fmt: skip
        if isinstance(claim.judge, Bound) and (claim.judge.at_least is None) == (claim.judge.at_most is None):
            raise ParamsError(f"{Path(path).name}: {name} needs at_least or at_most, one of the two")
    return claims


def keys(claims: dict[str, Claim]) -> list[str]:
    """Every single key that the claims ask for."""
    return [key for claim in claims.values() for key in [getattr(claim.judge, "key", None)] if key]


def verdicts(
    claims: dict[str, Claim],
    values: dict[str, float],
    resampled: dict[str, np.ndarray],
    comparable: bool,
) -> pd.DataFrame:
    """A row per claim: where it stands, what it says, the verdict, and the measurement that the verdict rests on.

    Args:
        values: measurements by key.
        resampled: bootstrap means by key, for those that have them.
        comparable: whether the measurements are of the thesis's pictures.
    """
    rows = []
    for name, claim in claims.items():
        measured = not isinstance(claim.judge, Document | Untestable)
        if measured and not comparable:
            verdict, evidence, found = NOT_RUN, OTHER_PICTURES, []
        else:
            verdict, evidence, found = JUDGES[claim.judge.kind](claim, values, resampled)
        if verdict == NOT_RUN and claim.how and comparable:
            evidence = f"{evidence}; {claim.how}"
        rows.append({
            "claim": name, "document": claim.document, "place": claim.place, "words": claim.words,
            "meaning": claim.meaning, "reported": claim.reported, "verdict": verdict, "evidence": evidence,
            "contradiction": claim.contradiction, "keys": " ".join(found).strip(), "see": claim.see,
        })  # fmt: skip
    return pd.DataFrame(rows)


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """How many claims of each document got which verdict."""
    counted = pd.crosstab(table["document"], table["verdict"]).reindex(columns=VERDICTS, fill_value=0)
    return pd.concat([counted, counted.sum().to_frame("all").T])


def _value(claim, values, resampled):
    key = claim.judge.key
    if (missing := _missing([key], values)) is not None:
        return missing
    value, (low, high) = values[key], _interval(values, resampled, key)
    near = abs(value - claim.reported) <= claim.judge.tolerance + 1e-9 or low <= claim.reported <= high
    return (REPRODUCED if near else DIFFERS), f"{_shown(value, low, high)} against {claim.reported:g} reported", [key]


def _bound(claim, values, resampled):
    judge = claim.judge
    if (missing := _missing([judge.key], values)) is not None:
        return missing
    value, (low, high) = values[judge.key], _interval(values, resampled, judge.key)
    if judge.at_least is not None:
        limit, verdict = f"at least {judge.at_least:g}", _side(low - judge.at_least, high - judge.at_least)
    else:
        limit, verdict = f"at most {judge.at_most:g}", _side(judge.at_most - high, judge.at_most - low)
    return verdict, f"{_shown(value, low, high)} against {limit} claimed", [judge.key]


def _difference(claim, values, resampled):
    judge = claim.judge
    pairs = [[f"{name}/{judge.at}" for name in pair] for pair in judge.pairs]
    run = [pair for pair in pairs if all(np.isfinite(values.get(key, np.nan)) for key in pair)]
    if not run:
        return _missing(pairs[0], values)
    estimates = np.array([values[a] - values[b] for a, b in run])
    samples = np.stack([_draws(a, values, resampled) - _draws(b, values, resampled) for a, b in run], axis=1)
    low, high = statistics.simultaneous(estimates, samples) if len(run) > 1 else statistics.interval(samples)
    if judge.expect == "above":
        sides = [REPRODUCED if a > judge.margin else CONTRADICTED if b < -judge.margin else DIFFERS
                 for a, b in zip(low, high, strict=True)]  # fmt: skip
    else:
        sides = [_inside(a, b, judge.margin) for a, b in zip(low, high, strict=True)]
    verdict = CONTRADICTED if CONTRADICTED in sides else DIFFERS if DIFFERS in sides else REPRODUCED
    names = [[key.removesuffix(f"/{judge.at}") for key in pair] for pair in run]
    shown = [f"{pair[0]} − {pair[1]}: {_shown(e, a, b, '+')}"
             for pair, e, a, b in zip(names, estimates, low, high, strict=True)]  # fmt: skip
    return verdict, f"{judge.at}: " + "; ".join(shown), sorted({key for pair in run for key in pair})


def _order(claim, values, resampled):
    keys = claim.judge.keys
    if (missing := _missing(keys, values)) is not None:
        return missing
    steps = np.diff([values[key] for key in keys])
    family = [key for key in values if claim.judge.complete and key.startswith(f"{claim.judge.complete}/")]
    between = [key for key in family if key not in keys and values[key] > values[keys[-1]]]
    holds, reversed_ = (steps <= 0).all() and not between, (steps >= 0).all() and (steps > 0).any()
    names = [key.removeprefix(f"{claim.judge.complete}/") for key in keys]
    shown = " ≥ ".join(f"{name} {_number(values[key])}" for name, key in zip(names, keys, strict=True))
    if not holds:
        shown = f"does not hold: {shown}" + "".join(f"; {key.split('/')[-1]} {_number(values[key])}" for key in between)
    return REPRODUCED if holds else CONTRADICTED if reversed_ else DIFFERS, shown, keys


def _document(claim, values, resampled):
    return INCONSISTENT, claim.contradiction, []


def _untestable(claim, values, resampled):
    return NOT_TESTABLE, claim.judge.missing, []


JUDGES: dict[str, Callable] = {
    "value": _value, "bound": _bound, "difference": _difference, "order": _order,
    "document": _document, "untestable": _untestable,
}  # fmt: skip


def _missing(keys, values):
    absent = [key for key in keys if key not in values or not np.isfinite(values[key])]
    return (NOT_RUN, f"{absent[0].split('/')[0]} was not measured here", []) if absent else None


def _draws(key, values, resampled):
    """The bootstrap means of a key; where it has none, its value in each draw."""
    count = len(next(iter(resampled.values()), [0.0, 0.0]))
    return resampled[key].astype(float) if key in resampled else np.full(count, float(values[key]))


def _interval(values, resampled, key):
    if key not in resampled:
        return values[key], values[key]
    low, high = statistics.interval(resampled[key].astype(float)[:, None])
    return float(low[0]), float(high[0])


def _side(low: float, high: float) -> str:
    """Which side of 0 an interval lies on; 0 itself keeps a bound."""
    return REPRODUCED if low >= 0 else CONTRADICTED if high < 0 else DIFFERS


def _inside(low: float, high: float, margin: float) -> str:
    if -margin <= low and high <= margin:
        return REPRODUCED
    return CONTRADICTED if low > margin or high < -margin else DIFFERS


def _number(value: float) -> str:
    if float(value).is_integer() and abs(value) >= 2:
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.0f}"
    return f"{value:.3f}"


def _shown(value: float, low: float, high: float, sign: str = "") -> str:
    if low == value == high:
        return _number(value)
    return f"{value:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"
