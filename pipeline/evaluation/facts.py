"""Facts of the data by key, for claims about them: `data/labels/articleType`, `data/count/gender/Men`, …"""

import pandas as pd

from pipeline import paths
from pipeline.data import catalog
from pipeline.evaluation.keys import ANY, Pattern, key
from pipeline.evaluation.tables import Measured

FAMILY = "data"
FEW = (2, 5, 10, 100)
# the ids of the thesis's table 4.2.1, "the first 10 rows from the data csv files", as far as the copy at hand has them
TABLE_4_2_1 = ["15970", "39386", "59263", "21379", "53759", "1855", "30805", "26960", "29114"]
AS_IN_TABLE = "rows of table 4.2.1"
PAIRS = ((catalog.GENDER, catalog.MASTER), (catalog.MASTER, catalog.SEASON))
SINGLE = [
    "rows",
    "pictures",
    "columns",
    "width",
    "height",
    "groups of equal bytes",
    "first year",
    "last year",
    AS_IN_TABLE,
]
KEYS: list[Pattern] = [
    (FAMILY, SINGLE),
    (FAMILY, "labels", catalog.LABELS),
    (FAMILY, "count", catalog.LABELS, ANY),
    (FAMILY, "few", catalog.LABELS, [str(few) for few in FEW]),
    *((FAMILY, "pictures with", first, ANY, second, ANY) for first, second in PAIRS),
]


def facts(data: str) -> Measured:
    """Every fact by its key.

    `data/rows`, `data/pictures`, `data/columns`; `data/labels/<column>`: how many labels `styles.csv` uses;
    `data/count/<column>/<label>`: its rows; `data/pictures with/<column>/<label>/<column>/<label>`:
    images with both labels, of gender and masterCategory, and of masterCategory and season;
    `data/few/<column>/<n>`: labels with fewer than n rows; `data/first year`, `data/last year`; `data/width`,
    `data/height` in pixels, of the commonest size; `data/rows of table 4.2.1`: of the nine ids that it shows, how many
    stand in `styles.csv` where it says. The table is how often `styles.csv` uses each label.
    """
    frame, report = catalog.load(data), catalog.load_report(data)
    labels = pd.read_csv(paths.labels(data), keep_default_na=False)
    values: dict[str, float] = {
        key(FAMILY, "rows"): report["rows"],
        key(FAMILY, "pictures"): report["pictures"],
        key(FAMILY, "columns"): report["columns"],
        key(FAMILY, "width"): report["usual_size"][0],
        key(FAMILY, "height"): report["usual_size"][1],
        key(FAMILY, "groups of equal bytes"): len(report["equal_bytes"]),
    }
    if "first_ids" in report:  # reports of earlier days have none
        same = zip(report["first_ids"], TABLE_4_2_1, strict=False)
        values[key(FAMILY, AS_IN_TABLE)] = sum(one == other for one, other in same)
    for column, group in labels.groupby("column", sort=False):
        values[key(FAMILY, "labels", column)] = len(group)
        counts = zip(group["label"], group["rows"], strict=True)
        values |= {key(FAMILY, "count", column, label): int(rows) for label, rows in counts}
        values |= {key(FAMILY, "few", column, few): int((group["rows"] < few).sum()) for few in FEW}
    years = frame[catalog.YEAR].dropna()
    if len(years):
        values |= {key(FAMILY, "first year"): int(years.min()), key(FAMILY, "last year"): int(years.max())}
    for first, second in PAIRS:
        for (one, other), rows in frame.groupby([first, second]).size().items():
            values[key(FAMILY, "pictures with", first, one, second, other)] = int(rows)
    return Measured(labels, values)
