"""What retrievals find of each article type: means hide the tail."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import study
from pipeline.evaluation.metrics import AP, HIT_AT_1, MAP
from pipeline.evaluation.names import ALL, GALLERY, PROTOCOL, QUERY, RELEVANCE, RELEVANT, STRICT


def table(data: str, retrievals: list[str], names: np.ndarray) -> pd.DataFrame:
    """mAP by article type of several retrievals side by side, with how many queries and right images each type has.

    Strict protocol, all images. `chance` is the mAP of a random ranking. `names`: each image's type (G,).
    """
    where: dict[str, Any] = {PROTOCOL: STRICT, GALLERY: ALL, RELEVANCE: "articleType"}
    columns = {}
    for retrieval in retrievals:
        rows = study.scores(data, retrieval, **where)
        one = by_label(rows, names[rows[QUERY]]).set_index("label")
        columns[retrieval] = one[MAP]
    facts = one[["queries", "relevant"]].sort_index()
    chance = pd.Series(study.chance_of(AP, rows)).groupby(names[rows[QUERY]]).mean()
    return (
        facts.assign(chance=chance)
        .join(pd.DataFrame(columns))
        .sort_values("queries", ascending=False, kind="stable")
        .reset_index()
    )


def by_label(scores: pd.DataFrame, names: np.ndarray) -> pd.DataFrame:
    """Per label: queries, relevant items each, mAP and hit@1, worst first. `names`: each query's label."""
    answered = scores.assign(label=names)[(scores[RELEVANT] > 0).to_numpy()].groupby("label")
    table = answered.agg(queries=(AP, "size"), relevant=(RELEVANT, "mean"), mAP=(AP, "mean"), hit=(HIT_AT_1, "mean"))
    return table.sort_values(MAP).rename(columns={"hit": HIT_AT_1}).reset_index()
