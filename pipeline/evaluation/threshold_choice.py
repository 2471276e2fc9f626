"""The threshold that is chosen on the train part, beside those that are each read off one query."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline import paths, stages
from pipeline.evaluation import study, thresholds
from pipeline.evaluation.keys import NUMBER, Of, Pattern, key, split
from pipeline.evaluation.names import ALL, BEFORE_MISS, FIRST_MISS, GALLERY, PROTOCOL, RELEVANCE, STRICT
from pipeline.evaluation.tables import Measured, read

FAMILY = "threshold"
RETRIEVALS = Of(("retrievals",))
CHOSEN = [
    "threshold",
    "train F1",
    "precision",
    "recall",
    "F1",
    "one picture, 5 %",
    "one picture, median",
    "one picture, 95 %",
    "one picture, F1",
    "right before the first miss",
]
GIVEN = ["matches", "precision", "recall", "F1", "right per query"]
KEYS: list[Pattern] = [
    (FAMILY, RETRIEVALS, "best", CHOSEN),
    (FAMILY, RETRIEVALS, "one picture", "F1 lost"),
    (FAMILY, RETRIEVALS, "pairs", "median"),
    (FAMILY, RETRIEVALS, NUMBER, GIVEN),
]


def measure(data: str, retrievals: list[str], wanted: list[str], relevance: str = "articleType") -> Measured:
    """Per retrieval the threshold of best F1 on the train part and what it does on the test queries, beside what the
    thresholds do that are each read off one test query, just before its first wrong neighbour.

    Args:
        wanted: keys that claims ask for; a threshold that one of them gives is measured too.
    """
    rows: list[dict] = []
    values: dict[str, float] = {}
    for name in retrievals:
        counts, single = _distances(data, name), _single(data, name, relevance)
        row = _best_threshold(counts, single)
        rows.append({"retrieval": name, **row})
        values |= {key(FAMILY, name, "best", what): value for what, value in row.items()}
        values[key(FAMILY, name, "one picture", "F1 lost")] = row["F1"] - row["one picture, F1"]
        below = counts[thresholds.TEST_ALL].cumsum()
        middle = int((below >= below.iloc[-1] / 2).argmax())
        values[key(FAMILY, name, "pairs", "median")] = counts[thresholds.DISTANCE][middle]
    values |= _given_thresholds(data, retrievals, wanted, relevance)
    return Measured(pd.DataFrame(rows), values)


def curves(data: str, retrievals: list[str], points: int = 200) -> pd.DataFrame:
    """Precision and recall of thresholds of all sizes, per retrieval and part; `best` marks the one chosen on train."""
    tables = []
    for name in retrievals:
        counts = _distances(data, name)
        chosen = int(thresholds.curve(counts, thresholds.TRAIN_ALL)["F1"].to_numpy().argmax())
        for part in (thresholds.TRAIN_ALL, thresholds.TEST_ALL):
            curve = thresholds.curve(counts, part)
            kept = np.unique([*np.searchsorted(curve["recall"], np.linspace(0, 0.999, points)), chosen])
            table = curve.iloc[kept].assign(best=kept == chosen, part=part, retrieval=name)
            tables.append(table[["retrieval", "part", "threshold", "precision", "recall", "best"]])
    return pd.concat(tables, ignore_index=True).dropna()


def _best_threshold(counts: pd.DataFrame, single: pd.DataFrame) -> dict[str, float]:
    train, test = (row for _, row in thresholds.best(counts).iterrows())
    transferred = thresholds.transferred(counts, single[FIRST_MISS].to_numpy())
    low, middle, high = single[FIRST_MISS].quantile([0.05, 0.5, 0.95], interpolation="lower")
    values = [
        test["threshold"],
        train["F1"],
        test["precision"],
        test["recall"],
        test["F1"],
        low,
        middle,
        high,
        float(np.median(transferred)),
        single[BEFORE_MISS].median(),
    ]
    return dict(zip(CHOSEN, values, strict=True))


def _given_thresholds(data: str, retrievals: list[str], wanted: list[str], relevance: str) -> dict[str, float]:
    """What the thresholds do that claims name, such as `threshold/<retrieval>/0.22/precision`."""
    values = {}
    for text in wanted:
        family, *rest = split(text)
        if family != FAMILY or rest[0] not in retrievals or not NUMBER.fullmatch(rest[1]):
            continue
        counts = _distances(data, rest[0])
        at = thresholds.at(counts, float(rest[1]))
        queries = len(_single(data, rest[0], relevance))
        at["right per query"] = at["recall"] * counts[thresholds.TEST_RIGHT].sum() / queries
        values[text] = float(at[rest[2]])
    return values


def _single(data: str, retrieval: str, relevance: str) -> pd.DataFrame:
    """The strict queries' first misses among all images; a query that nothing wrong can be found for is left out."""
    where: dict[str, Any] = {PROTOCOL: STRICT, GALLERY: ALL, RELEVANCE: relevance}
    rows = study.scores(data, retrieval, **where)
    return rows[np.isfinite(rows[FIRST_MISS])]


def _distances(data: str, retrieval: str) -> pd.DataFrame:
    return read(paths.distances(data, retrieval), stages.makers(paths.distances, retrieval))
