"""Every measurement that a claim may rest on and that is no mean over one retrieval's queries, by key; and its table.

`threshold/<retrieval>/…`, `space/<encoder>/<label>/…`, `pca/<encoder>/<components>/mAP`, `mistakes/<retrieval>/…`.
"""

import json
import re

import numpy as np
import pandas as pd

from pipeline import paths
from pipeline.evaluation import mistakes, protocols, space, statistics, study, thresholds

THRESHOLD_KEY = re.compile(r"threshold/(?P<retrieval>[^/]+)/(?P<distance>\d+(\.\d+)?)/(?P<what>.+)")


def self_match(table: pd.DataFrame) -> pd.DataFrame:
    """mAP and hit@1 of the thesis's protocol with the query in the gallery and without it, and the share it explains.

    The share is (with − without) / with: what part of the printed number is the query finding itself.
    """
    rows = study.pick(
        table, protocol=[protocols.THESIS, protocols.QUERY_OUT], metric=["mAP", "hit@1", "hit@5", "hit@10"]
    )
    wide = rows.pivot(
        index=[study.RETRIEVAL, protocols.GALLERY, study.METRIC], columns=protocols.PROTOCOL, values=study.VALUE
    ).reset_index()
    wide = wide.rename(
        columns={protocols.GALLERY: "pictures", protocols.THESIS: "query in", protocols.QUERY_OUT: "query out"}
    )
    wide["pictures"] = wide["pictures"].astype(int)
    wide["share"] = (wide["query in"] - wide["query out"]) / wide["query in"]
    return wide.sort_values([study.RETRIEVAL, study.METRIC, "pictures"], ignore_index=True).rename_axis(None, axis=1)


def threshold_table(data: str, retrievals: list[str], relevance: str = "articleType") -> pd.DataFrame:
    """Per retrieval: the threshold of best F1 on the train part and what it does on the test queries, beside what the
    thresholds do that are each read off one test query, just before its first wrong neighbour."""
    rows = []
    for name in retrievals:
        counts = _distances(data, name)
        train, test = (row for _, row in thresholds.best(counts).iterrows())
        single = _single(data, name, relevance)
        transferred = thresholds.transferred(counts, single[protocols.FIRST_MISS].to_numpy())
        low, middle, high = single[protocols.FIRST_MISS].quantile([0.05, 0.5, 0.95], interpolation="lower")
        rows.append({
            "retrieval": name, "threshold": test["threshold"], "train F1": train["F1"],
            "precision": test["precision"], "recall": test["recall"], "F1": test["F1"],
            "one picture, 5 %": low, "one picture, median": middle, "one picture, 95 %": high,
            "one picture, F1": float(np.median(transferred)), "right before the first miss": single[protocols.BEFORE_MISS].median(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def threshold_values(data: str, table: pd.DataFrame, wanted: list[str]) -> dict[str, float]:
    """The table by key, the median distance of two pictures, and any given threshold that a claim asks for."""
    values = {}
    for row in table.to_dict("records"):
        name = row.pop("retrieval")
        values |= {f"threshold/{name}/best/{what}": value for what, value in row.items()}
        values[f"threshold/{name}/one picture/F1 lost"] = row["F1"] - row["one picture, F1"]
        counts = _distances(data, name)
        below = counts[thresholds.TEST_ALL].cumsum()
        values[f"threshold/{name}/pairs/median"] = counts[thresholds.DISTANCE][
            int((below >= below.iloc[-1] / 2).argmax())
        ]
    for found in filter(None, map(THRESHOLD_KEY.fullmatch, wanted)):
        if found["retrieval"] in set(table["retrieval"]):
            counts = _distances(data, found["retrieval"])
            at = thresholds.at(counts, float(found["distance"]))
            queries = len(_single(data, found["retrieval"], "articleType"))
            at["right per query"] = at["recall"] * counts[thresholds.TEST_RIGHT].sum() / queries
            values[found.string] = float(at[found["what"]])
    return values


def threshold_curves(data: str, retrievals: list[str], points: int = 200) -> pd.DataFrame:
    """Precision and recall of thresholds of all sizes, per retrieval and part; `best` marks the one chosen on train."""
    tables = []
    for name in retrievals:
        counts = _distances(data, name)
        chosen = int(thresholds.curve(counts, thresholds.TRAIN_ALL)["F1"].to_numpy().argmax())
        for part in (thresholds.TRAIN_ALL, thresholds.TEST_ALL):
            curve = thresholds.curve(counts, part)
            kept = np.unique([*np.searchsorted(curve["recall"], np.linspace(0, 0.999, points)), chosen])
            table = curve.iloc[kept].assign(best=kept == chosen, part=part, retrieval=name)
            tables.append(table[["retrieval", "part", "threshold", "precision", "recall", "best"]])
    return pd.concat(tables, ignore_index=True).dropna()


def separation_table(data: str, encoders: list[str]) -> pd.DataFrame:
    """Per encoder and label: each of `separation.NAMES` with the value that shuffled labels give."""
    rows = []
    for encoder in encoders:
        for label, values in _measures(data, encoder)["separation"].items():
            rows += [{"encoder": encoder, "label": label, "measure": name, **pair} for name, pair in values.items()]
    return pd.DataFrame(rows)


def separation_values(table: pd.DataFrame) -> dict[str, float]:
    """The table by key."""
    return {f"space/{row.encoder}/{row.label}/{row.measure}": row.value for row in table.itertuples(index=False)}


def component_table(
    data: str, encoders: list[str], products: np.ndarray, resamples: int, seed: int
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """mAP against the number of principal components, with the share of variance kept; and the resampled means by key.

    `components` 0 is the features as extracted; the names `as extracted`, `90 percent` and `all` stand for counts.

    Args:
        products: a number per picture of the catalogue, drawn as one.
    """
    tables, resampled = [], {}
    for encoder in encoders:
        variance = _measures(data, encoder)["pca"]["variance"]
        wide = _space(data, encoder, "pca").pivot(index=protocols.QUERY, columns="components", values=protocols.AP)
        draws = statistics.draws(len(wide), resamples, seed, products[wide.index])
        samples = statistics.resampled_means(draws, wide.to_numpy())
        low, high = statistics.interval(samples)
        kept = [variance.get(str(count), 1.0) for count in wide.columns]
        tables.append(pd.DataFrame({"encoder": encoder, "components": wide.columns, "variance": kept,
                                    "mAP": wide.mean().to_numpy(), "low": low, "high": high}))  # fmt: skip
        names = _names(tables[-1])
        for place, count in enumerate(wide.columns):
            for name in [str(count), *(name for name, named in names.items() if named == count)]:
                resampled[f"pca/{encoder}/{name}/mAP"] = samples[:, place].astype(np.float32)
    return pd.concat(tables, ignore_index=True), resampled


def component_values(table: pd.DataFrame) -> dict[str, float]:
    """The table by key, under the counts and under the names that `component_table` gives them."""
    values = {}
    for encoder, rows in table.groupby("encoder", sort=False):
        at = rows.set_index("components")["mAP"]
        values |= {f"pca/{encoder}/{count}/mAP": value for count, value in at.items()}
        names = _names(rows)
        values |= {f"pca/{encoder}/{name}/mAP": at[count] for name, count in names.items()}
        values[f"pca/{encoder}/90 percent/components"] = names["90 percent"]
    return values


def class_table(data: str, retrievals: list[str], names: np.ndarray) -> pd.DataFrame:
    """mAP by article type of several retrievals side by side, with how many queries and right pictures each type has.

    Strict protocol, all pictures. `chance` is the mAP of a random ranking. `names`: each picture's type (G,).
    """
    where = {protocols.PROTOCOL: protocols.STRICT, protocols.GALLERY: "all", protocols.RELEVANCE: "articleType"}
    columns = {}
    for retrieval in retrievals:
        rows = study.scores(data, retrieval, **where)
        table = study.by_label(rows, names[rows[protocols.QUERY]]).set_index("label")
        columns[retrieval] = table["mAP"]
    facts = table[["queries", "relevant"]].sort_index()
    chance = pd.Series(study.chance_of(protocols.AP, rows)).groupby(names[rows[protocols.QUERY]]).mean()
    return (
        facts.assign(chance=chance)
        .join(pd.DataFrame(columns))
        .sort_values("queries", ascending=False, kind="stable")
        .reset_index()
    )


def map_table(
    data: str, encoder: str, kind: str, frame: pd.DataFrame, label: str, commonest: int | None = None
) -> pd.DataFrame:
    """A map's points `x`, `y` with their `label`; of the commonest labels only, where a number of them is given.

    Args:
        kind: `tsne` or `umap`; a map that was not drawn gives an empty table.
    """
    drawn = _space(data, encoder, "map")
    if f"{kind}_x" not in drawn:
        return pd.DataFrame({"x": [], "y": [], "label": []})
    names = frame[label].fillna("").to_numpy()[drawn["row"]]
    table = pd.DataFrame({"x": drawn[f"{kind}_x"], "y": drawn[f"{kind}_y"], "label": names})
    kept = table["label"].value_counts().index[: commonest or len(table)]
    return table[table["label"].isin(kept)]


def mistake_table(data: str, retrievals: list[str], frame: pd.DataFrame, first: int) -> pd.DataFrame:
    """Per retrieval: what share of the first neighbours has the right type, gender and colour, and what fault the rest."""
    shares = {
        name: mistakes.shares(
            mistakes.kinds(study.read(paths.neighbours(data, name), f"knn_retrieval@{name}"), frame, first)
        )
        for name in retrievals
    }
    return pd.DataFrame(shares).T.rename_axis("retrieval").reset_index()


def mistake_values(table: pd.DataFrame) -> dict[str, float]:
    """The table by key."""
    return {f"mistakes/{row['retrieval']}/{kind}": row[kind] for _, row in table.iterrows() for kind in mistakes.KINDS}


def _single(data: str, retrieval: str, relevance: str) -> pd.DataFrame:
    """The strict queries' first misses among all pictures; a query that nothing wrong can be found for is left out."""
    where = {protocols.PROTOCOL: protocols.STRICT, protocols.GALLERY: "all", protocols.RELEVANCE: relevance}
    rows = study.scores(data, retrieval, **where)
    return rows[np.isfinite(rows[protocols.FIRST_MISS])]


def _names(rows: pd.DataFrame) -> dict[str, int]:
    """The counts of components that have names, in one encoder's rows of `component_table`."""
    enough = rows[(rows["components"] > 0) & (rows["variance"] >= space.ENOUGH)]["components"].min()
    return {"as extracted": 0, "all": int(rows["components"].max()), "90 percent": int(enough)}


def _distances(data: str, retrieval: str) -> pd.DataFrame:
    return study.read(paths.distances(data, retrieval), f"knn_retrieval@{retrieval}")


def _space(data: str, encoder: str, name: str) -> pd.DataFrame:
    return study.read(paths.embedding_space(data, encoder) / f"{name}.parquet", f"embedding_space@{encoder}")


def _measures(data: str, encoder: str) -> dict:
    path = paths.embedding_space(data, encoder) / "measures.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise study.StudyError(f"{encoder}/measures.json is missing or damaged ({error}). "
                               f"Make it with: dvc repro -f -s embedding_space@{encoder}") from None  # fmt: skip
