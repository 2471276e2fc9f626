"""Which picture did the thesis search with? The question turned round: which have all the counts that it reports.

Its section 4.3 a to c searches with one picture, which it shows and does not name, and counts what lies within eleven
thresholds of three distances, all by one network. Every picture of the catalogue is asked for the same counts here.
The picture itself counts, or it does not: nobody knows which the thesis did. What luck gives is read off other counts
that are as exact as the thesis's, one more or less by each distance.
"""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline import paths
from pipeline.encoders import store
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation.keys import Of, Pattern, key, split
from pipeline.evaluation.protocols import check_same_images
from pipeline.evaluation.tables import Measured
from pipeline.evaluation.within import counts

FAMILY = "sample picture"
# by distance, the thresholds and the counts of section 4.3 a to c. At 20 "one extra" beside the three at 19; at 360
# "an image" beside the four at 350. Similarity .78 is a distance of .22.
REPORTED: dict[str, dict[float, int]] = {
    "euclidean": {18: 2, 19: 3, 20: 4},
    "cosine": {0.22: 4},
    "manhattan": {300: 2, 350: 4, 360: 5},
}
# what is told without a number: (distance, threshold, the least or the same number as within another)
SAME = ("cosine", 0.15, 0.2)  # above .80 "exactly same as the output received with similarity >0.85"
MORE = (("euclidean", 22, 20), ("cosine", 0.25, 0.22))  # "so many outputs" at 22; "some output" more above .75
# the thesis's choice of each; in the order in which they are measured, the cheapest of all pictures
FINAL = {"cosine": 0.22, "euclidean": 19, "manhattan": 350}
SHIFTS = (-1, 0, 1)
IN, OUT = "query in", "query out"
WHAT = [
    *(f"{which}, {whether}" for which in ("final counts", "counts", "all") for whether in (IN, OUT)),
    *(f"{which}, other counts" for which in ("final counts", "counts", "all")),
]
KEYS: list[Pattern] = [(FAMILY, Of(("encoders",)), WHAT)]


def measure(data: str, retrievals: dict[str, Any], frame: pd.DataFrame, wanted: list[str]) -> Measured:
    """Of the encoders that claims ask for, where all three distances are run: how many pictures have the counts.

    `final counts`: those of the three thresholds that the thesis ends with; `counts`: all seven that it gives a number
    for; `all`: also what it tells without one. `other counts`: the mean over counts that are shifted by −1, 0 or 1 by
    each distance, those with and without the query left out. The table has a row per encoder and shift.
    """
    tables: list[pd.DataFrame] = []
    values: dict[str, float] = {}
    for encoder in dict.fromkeys(split(text)[1] for text in wanted if split(text)[0] == FAMILY):
        run = {spec.distance for spec in retrievals.values() if spec.encoder == encoder}
        if not set(REPORTED) <= run:
            continue
        features = store.read(paths.features(data, encoder))
        check_same_images(features, frame)
        table = fitting(near(features))
        tables.append(table.assign(encoder=encoder))
        values |= {key(FAMILY, encoder, what): value for what, value in summed(table).items()}
    columns = ["encoder", *REPORTED, "final counts", "counts", "all", "pictures"]
    return Measured(pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns), values)


def near(features: FeatureSet) -> pd.DataFrame:
    """Every count of the pictures whose final counts are the thesis's or differ from them by one, a row per picture.

    A sieve: each distance is measured from those pictures alone that the distances before it leave.

    Returns:
        A column (distance, threshold) for each, the picture itself counted; the index is the picture's id.
    """
    left = np.arange(len(features.ids))
    columns: dict[tuple[str, float], np.ndarray] = {}
    for distance, final in FINAL.items():
        below = asked(distance)
        counted = counts(features.take(left), features, distance, below)
        kept = np.abs(counted[:, below.index(final)] - REPORTED[distance][final]) <= max(SHIFTS)
        columns = {name: column[kept] for name, column in columns.items()}
        columns |= {(distance, limit): counted[kept, place] for place, limit in enumerate(below)}
        left = left[kept]
    return pd.DataFrame(columns, index=features.ids[left])


def asked(distance: str) -> list[float]:
    """The thresholds of one distance that a count is reported for, or that a sentence compares."""
    compared = [limit for what, *limits in (SAME, *MORE) if what == distance for limit in limits]
    return sorted({*REPORTED[distance], *compared})


def fitting(table: pd.DataFrame) -> pd.DataFrame:
    """How many pictures have the thesis's counts shifted by −1, 0 or 1 by each distance, and which; a row per shift.

    Args:
        table: as `near` gives it.
    """
    told = (table[SAME[0], SAME[1]] == table[SAME[0], SAME[2]]).to_numpy()
    for distance, wide, narrow in MORE:
        told = told & (table[distance, wide] > table[distance, narrow]).to_numpy()
    rows = []
    for shift in product(SHIFTS, repeat=len(REPORTED)):
        final, every = np.ones(len(table), bool), np.ones(len(table), bool)
        for by, (distance, reported) in zip(shift, REPORTED.items(), strict=True):
            fits = {limit: (table[distance, limit] == count + by).to_numpy() for limit, count in reported.items()}
            final &= fits[FINAL[distance]]
            every &= np.all(list(fits.values()), axis=0)
        found = {"final counts": final.sum(), "counts": every.sum(), "all": (every & told).sum()}
        pictures = " ".join(map(str, table.index[every]))
        rows.append({**dict(zip(REPORTED, shift, strict=True)), **found, "pictures": pictures})
    return pd.DataFrame(rows)


def summed(table: pd.DataFrame) -> dict[str, float]:
    """The values of `WHAT` from the rows of `fitting`: without the picture itself each of its counts is one less."""
    shifts = table[list(REPORTED)].to_numpy()
    whether = {IN: (shifts == 0).all(axis=1), OUT: (shifts == 1).all(axis=1)}
    others = ~(whether[IN] | whether[OUT])
    which = ("final counts", "counts", "all")
    values = {f"{what}, {name}": float(table[what][rows].sum()) for what in which for name, rows in whether.items()}
    return values | {f"{what}, other counts": float(table[what][others].mean()) for what in which}
