"""The files that DVC shows and git keeps of an evaluation."""

import pandas as pd

from pipeline import files, paths
from pipeline.evaluation import protocols
from pipeline.evaluation.study import GALLERY, MACRO, METRIC, RETRIEVAL
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
    by_type = pick(measured.table, protocol=protocols.STRICT, gallery=protocols.ALL, relevance="articleType")
    bars = pick(by_type, metric="mAP")[[RETRIEVAL, VALUE]].rename(columns={VALUE: "mAP"})
    precision = by_type[by_type[METRIC].str.startswith("precision@")]
    cutoffs = precision[METRIC].str.split("@").str[1]
    curve = pd.DataFrame({RETRIEVAL: precision[RETRIEVAL], "k": cutoffs, "precision": precision[VALUE]})
    every = {"metrics": measured.table, "verdicts": verdicts, "mean_average_precision": bars, "precision_at_k": curve}
    for what, table in {**every, **tables}.items():
        files.write_csv(folder / f"{what}.csv", table.round(DECIMALS))
    counts = {
        "count": verdicts["verdict"].value_counts().to_dict(),
        "claim": dict(zip(verdicts["claim"], verdicts["verdict"], strict=True)),
    }
    files.write_json(folder / "metrics.json", _headline(measured.table, by_type))
    files.write_json(folder / "verdicts.json", counts)


def _headline(table: pd.DataFrame, by_type: pd.DataFrame) -> dict[str, dict]:
    """The few numbers of each retrieval that `dvc metrics` compares."""
    thesis = pick(table, protocol=protocols.THESIS, relevance="articleType")
    headline = {}
    for name in table[RETRIEVAL].unique():
        strict = pick(by_type, retrieval=name).set_index(METRIC)[VALUE].round(DECIMALS)
        sizes = pick(thesis, retrieval=name, metric="mAP").set_index(GALLERY)[VALUE].round(DECIMALS)
        headline[name] = {**strict[["mAP", MACRO, "hit@1"]].to_dict(), "thesis mAP": sizes.to_dict()}
    return headline
