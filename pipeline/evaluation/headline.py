"""The headline: one row of results per retrieval, for chapter 5, the report and the README."""

import pandas as pd

from pipeline.evaluation.metrics import HIT_AT_1, MACRO, MAP, METRICS, column
from pipeline.evaluation.names import ALL, GALLERY, METRIC, RETRIEVAL, STRICT, THESIS
from pipeline.evaluation.tables import CHANCE, HIGH, LOW, VALUE, pick

MOST_IMAGES = 1000  # of the thesis's protocol: the largest subset up to this many is shown
OF_THESIS = [MAP, HIT_AT_1]  # what is shown of it
SHOWN = [column(metric.mean, k) for metric in METRICS.values() for k in metric.headline]
# the first metric with its interval, its chance level and its macro mean, then the others' values
COLUMNS = [*((SHOWN[0], kind) for kind in (VALUE, LOW, HIGH, CHANCE)), *((mean, VALUE) for mean in (MACRO, *SHOWN[1:]))]


def headline(table: pd.DataFrame, gallery: str = ALL) -> pd.DataFrame:
    """A row per retrieval: strict protocol by articleType, and two numbers of the thesis's protocol.

    Args:
        table: the tidy table of `study.measure`, or as it was published.
        gallery: who answers, `all` images or the `test` part.
    """
    typed = pick(table, relevance="articleType")
    strict = pick(typed, protocol=STRICT, gallery=gallery).set_index([RETRIEVAL, METRIC])
    subsets = pick(typed, protocol=THESIS)
    sizes = subsets[GALLERY].astype(str)
    size = max((size for size in sizes if int(size) <= MOST_IMAGES), key=int)
    thesis = subsets[sizes == size].set_index([RETRIEVAL, METRIC])
    measured = set(strict.index.get_level_values(METRIC))  # a study that was published may be older than a metric
    shown = [(metric, kind) for metric, kind in COLUMNS if metric in measured]
    rows = {}
    for retrieval in table[RETRIEVAL].unique():
        rows[retrieval] = {
            f"{metric} {kind}".removesuffix(f" {VALUE}"): strict[kind].get((retrieval, metric))
            for metric, kind in shown
        }
        rows[retrieval] |= {f"{THESIS} {metric}": thesis[VALUE].get((retrieval, metric)) for metric in OF_THESIS}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(RETRIEVAL)


def markdown(table: pd.DataFrame) -> str:
    """The headline of the first distance's retrievals as a table for a README, three decimals."""
    return headline(table[table["distance"] == table["distance"].iloc[0]]).to_markdown(floatfmt=".3f")
