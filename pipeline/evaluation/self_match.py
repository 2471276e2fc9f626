"""What part of the thesis's numbers is a query finding itself."""

import pandas as pd

from pipeline.evaluation.metrics import HIT_AT_1, MAP, METRICS, column
from pipeline.evaluation.names import GALLERY, METRIC, PROTOCOL, QUERY_OUT, RETRIEVAL, THESIS
from pipeline.evaluation.tables import VALUE, pick

SHOWN = [MAP, HIT_AT_1, *(column(METRICS["hit"].mean, k) for k in (5, 10))]


def table(measured: pd.DataFrame) -> pd.DataFrame:
    """mAP and hit@k of the thesis's protocol with the query in the gallery and without it, and the share it explains.

    The share is (with − without) / with: what part of the printed number is the query finding itself.
    """
    rows = pick(measured, protocol=[THESIS, QUERY_OUT], metric=SHOWN)
    wide = rows.pivot(index=[RETRIEVAL, GALLERY, METRIC], columns=PROTOCOL, values=VALUE).reset_index()
    wide = wide.rename(columns={GALLERY: "pictures", THESIS: "query in", QUERY_OUT: "query out"})
    wide["pictures"] = wide["pictures"].astype(int)
    wide["share"] = (wide["query in"] - wide["query out"]) / wide["query in"]
    return wide.sort_values([RETRIEVAL, METRIC, "pictures"], ignore_index=True).rename_axis(None, axis=1)


def some(own: pd.DataFrame, most: int = 10) -> list[str]:
    """Retrievals to draw where there are many: from the lowest mAP to the highest in even steps, else all as they are.

    Args:
        own: as `table` gives it.
    """
    names = list(own[RETRIEVAL].unique())
    if len(names) <= most:
        return names
    reached = pick(own, metric=MAP).groupby(RETRIEVAL)["query out"].mean().sort_values(kind="stable").index
    return [reached[round(step * (len(names) - 1) / (most - 1))] for step in range(most)]
