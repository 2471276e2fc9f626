"""The files that DVC shows and git keeps of an evaluation."""

import pandas as pd

from pipeline import files, paths
from pipeline.evaluation.metrics import HIT_AT_1, MACRO, MAP, METRICS, parse, scored_as
from pipeline.evaluation.names import ALL, GALLERY, METRIC, RETRIEVAL, STRICT, THESIS
from pipeline.evaluation.tables import DECIMALS, VALUE, Measured, pick


def write(
    data: str, name: str | None, measured: Measured, tables: dict[str, pd.DataFrame], verdicts: pd.DataFrame
) -> None:
    """Writes the tables as CSV and what `dvc metrics` and `dvc plots` show.

    `metrics.csv` is the tidy table, `verdicts.csv` that of the claims; `tables` become `<name>.csv`.

    Args:
        name: of a trial, which has a folder of its own; None writes the study's own files.
    """
    folder = paths.evaluation(data, name)
    by_type = pick(measured.table, protocol=STRICT, gallery=ALL, relevance="articleType")
    bars = pick(by_type, metric=MAP)[[RETRIEVAL, VALUE]].rename(columns={VALUE: MAP})
    every = {"metrics": measured.table, "verdicts": verdicts, "mean_average_precision": bars}
    every["precision_at_k"] = _precision_at_k(by_type)
    for what, table in {**every, **tables}.items():
        files.write_csv(folder / f"{what}.csv", table.round(DECIMALS))
    counts = {
        "count": verdicts["verdict"].value_counts().to_dict(),
        "claim": dict(zip(verdicts["claim"], verdicts["verdict"], strict=True)),
    }
    files.write_json(folder / "metrics.json", _headline(measured.table, by_type))
    files.write_json(folder / "verdicts.json", counts)


def _precision_at_k(by_type: pd.DataFrame) -> pd.DataFrame:
    """The precision of each retrieval at each k that it was taken at."""
    parsed = {name: parse(scored_as(name)) for name in by_type[METRIC].unique()}
    cutoffs = {name: k for name, (metric, k) in parsed.items() if metric is METRICS["precision"]}
    rows = pick(by_type, metric=list(cutoffs))
    return pd.DataFrame({RETRIEVAL: rows[RETRIEVAL], "k": rows[METRIC].map(cutoffs), "precision": rows[VALUE]})


def _headline(table: pd.DataFrame, by_type: pd.DataFrame) -> dict[str, dict]:
    """The few numbers of each retrieval that `dvc metrics` compares."""
    thesis = pick(table, protocol=THESIS, relevance="articleType")
    headline = {}
    for name in table[RETRIEVAL].unique():
        strict = pick(by_type, retrieval=name).set_index(METRIC)[VALUE].round(DECIMALS)
        sizes = pick(thesis, retrieval=name, metric=MAP).set_index(GALLERY)[VALUE].round(DECIMALS)
        shown = strict[[MAP, MACRO, HIT_AT_1]].to_dict()
        headline[name] = {**shown, f"{THESIS} {MAP}": sizes.to_dict()}
    return headline
