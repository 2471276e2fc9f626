"""Every retrieval of the study under both protocols: the tidy table, the scores behind it, and the files DVC shows."""

import json
from dataclasses import dataclass

import pandas as pd

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.evaluation import protocols
from pipeline.evaluation.protocols import GALLERY, METRIC, RELEVANCE, STRICT, THESIS, VALUE

RETRIEVAL, ENCODER, DISTANCE = "retrieval", "encoder", "distance"
DECIMALS = 6  # what two machines with the same lock agree on


@dataclass(frozen=True)
class Measured:
    """The study's results: `table` is tidy; `scores` has a row per strict query over all pictures by articleType."""

    table: pd.DataFrame
    scores: pd.DataFrame
    removed: dict[str, dict[str, int]]


def measure(data: str, retrievals: dict[str, params.Retrieval], evaluation: params.Evaluation) -> Measured:
    """Ranks the catalogue for every retrieval; one encoder's features are in memory at a time.

    Raises:
        StoreError: features that have not been extracted.
    """
    frame = catalog.load(data)
    tables, kept, features = [], [], None
    for name, retrieval in sorted(retrievals.items(), key=lambda entry: entry[1].encoder):
        if features is None or not features.encoder_id.startswith(f"{retrieval.encoder}:"):
            features = store.read(paths.features(data, retrieval.encoder))
        place = {RETRIEVAL: name, ENCODER: retrieval.encoder, DISTANCE: retrieval.distance}
        strict = protocols.strict(features, frame, retrieval.distance, evaluation)
        thesis = protocols.thesis(features, frame, retrieval.distance, evaluation)
        summary = pd.concat([protocols.summarise(strict), protocols.summarise(thesis)])
        tables.append(summary.assign(**place)[[*place, *summary.columns]])
        first = strict[(strict[GALLERY] == evaluation.galleries[0]) & (strict[RELEVANCE] == evaluation.relevances[0])]
        kept.append(first.assign(**place))
    order = {name: position for position, name in enumerate(retrievals)}
    table = pd.concat(tables).sort_values(
        RETRIEVAL, key=lambda names: names.map(order), kind="stable", ignore_index=True
    )
    return Measured(table, pd.concat(kept, ignore_index=True), protocols.removed(strict))


def pick(table: pd.DataFrame, **where) -> pd.DataFrame:
    """The rows of a tidy table that have all the values given, for instance `pick(table, metric="mAP", gallery="all")`."""
    for column, value in where.items():
        table = table[table[column].isin(value) if isinstance(value, list) else table[column] == value]
    return table


def precision_curve(table: pd.DataFrame) -> pd.DataFrame:
    """Precision and chance against k, per retrieval: strict, all pictures, articleType."""
    rows = pick(table, protocol=STRICT, gallery="all", relevance="articleType")
    rows = rows[rows[METRIC].str.startswith("precision@")]
    return pd.DataFrame(
        {RETRIEVAL: rows[RETRIEVAL], "k": rows[METRIC].str.split("@").str[1].astype(int), "precision": rows[VALUE]}
    )


def write(data: str, measured: Measured) -> None:
    """Writes `metrics.csv` (tidy), `metrics.json` (what `dvc metrics` shows) and the data of `dvc plots`."""
    folder = paths.evaluation(data)
    folder.mkdir(parents=True, exist_ok=True)
    table = measured.table.round(DECIMALS)
    _csv(table, folder / "metrics.csv")
    by_type = pick(table, protocol=STRICT, gallery="all", relevance="articleType")
    bars = pick(by_type, metric="mAP")[[RETRIEVAL, VALUE]].rename(columns={VALUE: "mAP"})
    _csv(bars, folder / "mean_average_precision.csv")
    _csv(precision_curve(table), folder / "precision_at_k.csv")
    headline = {}
    for name in table[RETRIEVAL].unique():
        strict = pick(by_type, retrieval=name).set_index(METRIC)[VALUE]
        thesis = pick(table, protocol=THESIS, relevance="articleType", retrieval=name).set_index(METRIC)[VALUE]
        headline[name] = {
            **strict[["mAP", "macro mAP", "hit@1"]].to_dict(),
            "thesis mAP": thesis["mAP"],
            "thesis hit@1": thesis["hit@1"],
        }
    text = json.dumps(headline, indent=1) + "\n"
    (folder / "metrics.json").write_text(text, encoding="utf-8", newline="\n")


def _csv(table: pd.DataFrame, path) -> None:
    table.to_csv(path, index=False, lineterminator="\n")
