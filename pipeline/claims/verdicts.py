"""What the measurements make of the claims: a verdict for each, and the evidence that it rests on.

A verdict rests on measurements of the thesis's own images, all of them; where one is missing it says how to get it.
*contradicted* says that the opposite was shown: that takes an interval, or a count of the data, which is exact. A value
that stands alone on the other side of a bound, such as a silhouette of some pictures with one seed, *differs* from it.
A claim that cannot be judged here as it was said, and whose `-statement` was, is *answered by a substitute*.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from pipeline.claims.claim import Claim, Document, Quotients, Untestable
from pipeline.claims.summary import (
    COLUMNS,
    CONTRADICTED,
    DIFFERS,
    INCONSISTENT,
    MEASURED,
    NOT_RUN,
    NOT_TESTABLE,
    REPRODUCED,
    SUBSTITUTED,
    base,
    row_of,
)
from pipeline.evaluation import facts, statistics
from pipeline.evaluation.keys import key, split
from pipeline.evaluation.within import MIDDLE

OTHER_IMAGES = "these are not the thesis's pictures, all of them; run data=fashion_small"


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
        comparable: whether the measurements are of the thesis's images.
    """
    rows = []
    for name, claim in claims.items():
        measured = not isinstance(claim.judge, Document | Quotients | Untestable)
        if measured and not comparable:
            verdict, evidence, used = NOT_RUN, OTHER_IMAGES, []
        else:
            verdict, evidence, used = JUDGES[claim.judge.kind](claim, values, resampled)
        if verdict == NOT_RUN and claim.how and comparable:
            evidence = f"{evidence}; {claim.how}"
        rows.append({**row_of(name, claim), "verdict": verdict, "evidence": evidence, "keys": " ".join(used).strip()})
    return pd.DataFrame(_answered(rows), columns=COLUMNS)


def _answered(rows: list[dict]) -> list[dict]:
    """The rows, where what a substitute answers says so: which statement, and its verdict, after what is missing."""
    said: dict[str, list[str]] = {}
    for row in rows:
        if base(row["claim"]) != row["claim"] and row["verdict"] in MEASURED:
            said.setdefault(base(row["claim"]), []).append(f"{row['claim']}: {row['verdict']}")
    return [
        {**row, "verdict": SUBSTITUTED, "evidence": "; ".join([row["evidence"], *said[row["claim"]]])}
        if row["verdict"] in (NOT_TESTABLE, NOT_RUN) and row["claim"] in said
        else row
        for row in rows
    ]


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
    sides = {}
    if judge.at_least is not None:
        sides[f"at least {judge.at_least:g}"] = _side(low - judge.at_least, high - judge.at_least)
    if judge.at_most is not None:
        sides[f"at most {judge.at_most:g}"] = _side(judge.at_most - high, judge.at_most - low)
    verdict, alone = _at_most(_worst(sides.values()), [judge.key], resampled)
    return verdict, f"{_shown(value, low, high)} against {' and '.join(sides)} claimed{alone}", [judge.key]


def _difference(claim, values, resampled):
    judge = claim.judge
    pairs = {tuple(names): [key(name, judge.at) for name in names] for names in judge.pairs}
    run = {names: pair for names, pair in pairs.items() if not _missing(pair, values)}
    if not run:
        return _missing(next(iter(pairs.values())), values)
    estimates = np.array([values[a] - values[b] for a, b in run.values()])
    samples = np.stack([_draws(a, values, resampled) - _draws(b, values, resampled) for a, b in run.values()], axis=1)
    low, high = statistics.simultaneous(estimates, samples)
    if judge.expect == "above":
        sides = [
            REPRODUCED if a > judge.margin else CONTRADICTED if b < -judge.margin else DIFFERS
            for a, b in zip(low, high, strict=True)
        ]
    else:
        sides = [_inside(a, b, judge.margin) for a, b in zip(low, high, strict=True)]
    sides = [_at_most(side, pair, resampled)[0] for side, pair in zip(sides, run.values(), strict=True)]
    shown = [
        f"{one} − {other}: {_shown(e, a, b, '+')}"
        for (one, other), e, a, b in zip(run, estimates, low, high, strict=True)
    ]
    return _worst(sides), f"{judge.at}: " + "; ".join(shown), sorted({key for pair in run.values() for key in pair})


def _order(claim, values, resampled):
    keys, complete = claim.judge.keys, split(claim.judge.complete) if claim.judge.complete else []
    if (missing := _missing(keys, values)) is not None:
        return missing
    steps = np.diff([values[key] for key in keys])
    family = [name for name in values if complete and split(name)[: len(complete)] == complete]
    between = [name for name in family if name not in keys and values[name] > values[keys[-1]]]
    holds, reversed_ = (steps <= 0).all() and not between, (steps >= 0).all() and (steps > 0).any()
    shown, more = (
        [f"{key(*split(name)[len(complete) :])} {_number(values[name])}" for name in some] for some in (keys, between)
    )
    text = " ≥ ".join(shown) if holds else "; ".join([f"does not hold: {' ≥ '.join(shown)}", *more])
    verdict, alone = _at_most(REPRODUCED if holds else CONTRADICTED if reversed_ else DIFFERS, keys, {})
    return verdict, f"{text}{alone}", keys


def _middle(claim, values, resampled):
    ends = [key(claim.judge.key, end) for end in MIDDLE]
    if (missing := _missing(ends, values)) is not None:
        return missing
    low, high = (values[end] for end in ends)
    verdict = REPRODUCED if low <= claim.reported <= high else DIFFERS
    return verdict, f"{claim.reported:g} reported; nine pictures in ten have {low:g} to {high:g}", ends


def _quotients(claim, values, resampled):
    wrong = [row for row in claim.judge.rows if abs(row[0] / row[1] - row[2]) > claim.judge.tolerance]
    shown = "; ".join(f"{a:g} / {b:g} = {a / b:.4f}, printed {c:g}" for a, b, c in wrong or claim.judge.rows)
    return (INCONSISTENT if wrong else REPRODUCED), shown, []


def _document(claim, values, resampled):
    return INCONSISTENT, claim.contradiction, []


def _untestable(claim, values, resampled):
    return NOT_TESTABLE, claim.judge.missing, []


JUDGES: dict[str, Callable] = {
    "value": _value,
    "bound": _bound,
    "difference": _difference,
    "order": _order,
    "middle": _middle,
    "quotients": _quotients,
    "document": _document,
    "untestable": _untestable,
}


def _missing(keys, values):
    absent = [key for key in keys if key not in values or not np.isfinite(values[key])]
    return (NOT_RUN, f"{_what(absent[0])} was not measured here", []) if absent else None


def _what(name: str) -> str:
    """What a key is measured of: a retrieval, whose name has a hyphen; else the family and what it asks, `space/x`."""
    first, *rest = split(name)
    return first if "-" in first or len(rest) < 2 else key(first, rest[0])


def _at_most(verdict, keys, resampled):
    """The verdict that measurements allow, and what the evidence says of them: contradicting takes an interval."""
    sure = any(key in resampled or split(key)[0] == facts.FAMILY for key in keys)
    return (verdict, "") if sure or verdict != CONTRADICTED else (DIFFERS, " (no interval)")


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


def _worst(verdicts) -> str:
    """Of several verdicts that one statement rests on, the gravest."""
    return next((verdict for verdict in (CONTRADICTED, DIFFERS) if verdict in verdicts), REPRODUCED)


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
