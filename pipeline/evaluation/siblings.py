"""How well the other listings of a product are found, by how many it has: a display name is a product only loosely.

In the real data a name such as "Lucera Women Silver Earrings" stands over 82 listings of as many pictures, and a fifth
of the queries are of such names; their mean is no mean over products.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import study
from pipeline.evaluation.metrics import AP
from pipeline.evaluation.names import GALLERY, PROTOCOL, RELEVANCE, RELEVANT, STRICT, TEST

LISTINGS = [2, 3, 5, 10, 20]  # of a name in the gallery, the query among them: where each row begins


def table(data: str, retrievals: list[str]) -> pd.DataFrame:
    """mAP by the number of listings, test pictures against test pictures: a row per size, a column per retrieval."""
    where: dict[str, Any] = {PROTOCOL: STRICT, GALLERY: TEST, RELEVANCE: "product"}
    columns = {}
    for retrieval in retrievals:
        rows = study.scores(data, retrieval, **where)
        rows = rows[rows[RELEVANT] > 0]
        sizes = named(rows[RELEVANT].to_numpy() + 1)
        columns[retrieval] = rows[AP].groupby(sizes).mean()
    chance = pd.Series(study.chance_of(AP, rows)).groupby(sizes).mean()
    facts = {"queries": rows[AP].groupby(sizes).size(), "chance": chance}
    order = [name for name in NAMES if name in chance.index]
    return pd.DataFrame({**facts, **columns}).loc[order].rename_axis("listings").reset_index()


def named(listings: np.ndarray) -> np.ndarray:
    """The name of each number's row, (N,).

    >>> list(named(np.array([2, 4, 19, 300])))
    ['2', '3 to 4', '10 to 19', '20 or more']
    """
    return np.array(NAMES, object)[np.searchsorted(LISTINGS, listings, side="right") - 1]


def _names() -> list[str]:
    spans = [(low, high - 1) for low, high in zip(LISTINGS, LISTINGS[1:], strict=False)]
    return [*(str(low) if low == high else f"{low} to {high}" for low, high in spans), f"{LISTINGS[-1]} or more"]


NAMES = _names()
