"""Facts of the data by key, for claims about them: `data/labels/articleType`, `data/count/gender/Men`, …"""

import pandas as pd

from pipeline import paths
from pipeline.data import catalog


def facts(data: str) -> dict[str, float]:
    """Every fact by its key.

    `data/rows`, `data/pictures`, `data/columns`; `data/labels/<column>`: how many labels `styles.csv` uses;
    `data/count/<column>/<label>`: its rows; `data/pictures with/<column>/<label>/<column>/<label>`:
    pictures with both labels, of gender and masterCategory, and of masterCategory and season;
    `data/few/<column>/<n>`: labels with fewer than n rows; `data/first year`, `data/last year`; `data/width`,
    `data/height` in pixels, of the commonest size.
    """
    frame, report = catalog.load(data), catalog.load_report(data)
    labels = pd.read_csv(paths.labels(data), keep_default_na=False)
    found: dict[str, float] = {
        "data/rows": report["rows"],
        "data/pictures": report["pictures"],
        "data/columns": report["columns"],
        "data/width": report["usual_size"][0],
        "data/height": report["usual_size"][1],
        "data/groups of equal bytes": len(report["equal_bytes"]),
    }
    for column, group in labels.groupby("column", sort=False):
        found[f"data/labels/{column}"] = len(group)
        found |= {
            f"data/count/{column}/{label}": int(rows) for label, rows in zip(group["label"], group["rows"], strict=True)
        }
        found |= {f"data/few/{column}/{few}": int((group["rows"] < few).sum()) for few in (2, 5, 10, 100)}
    years = frame[catalog.YEAR].dropna()
    if len(years):
        found |= {"data/first year": int(years.min()), "data/last year": int(years.max())}
    for first, second in ((catalog.GENDER, catalog.MASTER), (catalog.MASTER, catalog.SEASON)):
        for (one, other), rows in frame.groupby([first, second]).size().items():
            found[f"data/pictures with/{first}/{one}/{second}/{other}"] = int(rows)
    return found
