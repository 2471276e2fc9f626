"""What chapter 5 measures besides means over queries, a family per function: its table, and its values by key.

Each family's keys stand in `KEYS` beside the function that makes them; `claims.families` unites the families.
"""

import json

import numpy as np
import pandas as pd

from pipeline import paths
from pipeline.evaluation import mistakes, protocols, separation, space, statistics, study, thresholds
from pipeline.evaluation.keys import NUMBER, Of, key, split
from pipeline.evaluation.metrics import AP
from pipeline.evaluation.tables import VALUE, Measured, TableError, pick, read

RETRIEVALS, FEATURES = Of(("retrievals",)), Of(("encoders", "concatenations"))
COUNTS = ["as extracted", "90 percent", "all", NUMBER]  # of principal components
CHOSEN = [
    "threshold",
    "train F1",
    "precision",
    "recall",
    "F1",
    "one picture, 5 %",
    "one picture, median",
    "one picture, 95 %",
    "one picture, F1",
    "right before the first miss",
]
GIVEN = ["matches", "precision", "recall", "F1", "right per query"]
KEYS = {
    "space": [("space", FEATURES, space.LABELS, separation.NAMES)],
    "pca": [("pca", FEATURES, COUNTS, "mAP"), ("pca", FEATURES, "90 percent", "components")],
    "threshold": [
        ("threshold", RETRIEVALS, "best", CHOSEN),
        ("threshold", RETRIEVALS, "one picture", "F1 lost"),
        ("threshold", RETRIEVALS, "pairs", "median"),
        ("threshold", RETRIEVALS, NUMBER, GIVEN),
    ],
    "mistakes": [("mistakes", RETRIEVALS, mistakes.KINDS)],
}


def self_match(table: pd.DataFrame) -> pd.DataFrame:
    """mAP and hit@1 of the thesis's protocol with the query in the gallery and without it, and the share it explains.

    The share is (with − without) / with: what part of the printed number is the query finding itself.
    """
    rows = pick(table, protocol=[protocols.THESIS, protocols.QUERY_OUT], metric=["mAP", "hit@1", "hit@5", "hit@10"])
    wide = rows.pivot(
        index=[study.RETRIEVAL, protocols.GALLERY, study.METRIC], columns=protocols.PROTOCOL, values=VALUE
    ).reset_index()
    wide = wide.rename(
        columns={protocols.GALLERY: "pictures", protocols.THESIS: "query in", protocols.QUERY_OUT: "query out"}
    )
    wide["pictures"] = wide["pictures"].astype(int)
    wide["share"] = (wide["query in"] - wide["query out"]) / wide["query in"]
    return wide.sort_values([study.RETRIEVAL, study.METRIC, "pictures"], ignore_index=True).rename_axis(None, axis=1)


def threshold_family(data: str, retrievals: list[str], wanted: list[str], relevance: str = "articleType") -> Measured:
    """Per retrieval the threshold of best F1 on the train part and what it does on the test queries, beside what the
    thresholds do that are each read off one test query, just before its first wrong neighbour.

    Args:
        wanted: keys that claims ask for; a threshold that one of them gives is measured too.
    """
    rows, values = [], {}
    for name in retrievals:
        counts, single = _distances(data, name), _single(data, name, relevance)
        row = _best_threshold(counts, single)
        rows.append({"retrieval": name, **row})
        values |= {key("threshold", name, "best", what): value for what, value in row.items()}
        values[key("threshold", name, "one picture", "F1 lost")] = row["F1"] - row["one picture, F1"]
        below = counts[thresholds.TEST_ALL].cumsum()
        middle = int((below >= below.iloc[-1] / 2).argmax())
        values[key("threshold", name, "pairs", "median")] = counts[thresholds.DISTANCE][middle]
    values |= _given_thresholds(data, retrievals, wanted, relevance)
    return Measured(pd.DataFrame(rows), values)


def _best_threshold(counts: pd.DataFrame, single: pd.DataFrame) -> dict[str, float]:
    train, test = (row for _, row in thresholds.best(counts).iterrows())
    transferred = thresholds.transferred(counts, single[protocols.FIRST_MISS].to_numpy())
    low, middle, high = single[protocols.FIRST_MISS].quantile([0.05, 0.5, 0.95], interpolation="lower")
    values = [
        test["threshold"],
        train["F1"],
        test["precision"],
        test["recall"],
        test["F1"],
        low,
        middle,
        high,
        float(np.median(transferred)),
        single[protocols.BEFORE_MISS].median(),
    ]
    return dict(zip(CHOSEN, values, strict=True))


def _given_thresholds(data: str, retrievals: list[str], wanted: list[str], relevance: str) -> dict[str, float]:
    """What the thresholds do that claims name, such as `threshold/<retrieval>/0.22/precision`."""
    values = {}
    for text in wanted:
        family, *rest = split(text)
        if family != "threshold" or rest[0] not in retrievals or not NUMBER.fullmatch(rest[1]):
            continue
        counts = _distances(data, rest[0])
        at = thresholds.at(counts, float(rest[1]))
        queries = len(_single(data, rest[0], relevance))
        at["right per query"] = at["recall"] * counts[thresholds.TEST_RIGHT].sum() / queries
        values[text] = float(at[rest[2]])
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


def separation_family(data: str, encoders: list[str]) -> Measured:
    """Per encoder and label: each of `separation.NAMES` with the value that shuffled labels give."""
    rows = [
        {"encoder": encoder, "label": label, "measure": name, **pair}
        for encoder in encoders
        for label, values in _measures(data, encoder)["separation"].items()
        for name, pair in values.items()
    ]
    values = {key("space", row["encoder"], row["label"], row["measure"]): row["value"] for row in rows}
    return Measured(pd.DataFrame(rows), values)


def component_family(data: str, encoders: list[str], products: np.ndarray, resamples: int, seed: int) -> Measured:
    """mAP against the number of principal components, with the share of variance kept.

    `components` 0 is the features as extracted; in keys `as extracted`, `90 percent` and `all` stand for counts.

    Args:
        products: a number per image of the catalogue, drawn as one.
    """
    tables, values, resampled = [], {}, {}
    for encoder in encoders:
        variance = _measures(data, encoder)["pca"]["variance"]
        wide = _space(data, encoder, "pca").pivot(index=protocols.QUERY, columns="components", values=AP)
        draws = statistics.draws(len(wide), resamples, seed, products[wide.index])
        samples = statistics.resampled_means(draws, wide.to_numpy())
        low, high = statistics.interval(samples)
        kept = [variance.get(str(count), 1.0) for count in wide.columns]
        means = wide.mean().to_numpy()
        columns = {"components": wide.columns, "variance": kept, "mAP": means, "low": low, "high": high}
        tables.append(pd.DataFrame({"encoder": encoder, **columns}))
        named = _named_counts(tables[-1])
        names = [(count, str(count)) for count in wide.columns] + [(count, name) for name, count in named.items()]
        for count, name in names:
            place = wide.columns.get_loc(count)
            values[key("pca", encoder, name, "mAP")] = means[place]
            resampled[key("pca", encoder, name, "mAP")] = samples[:, place].astype(np.float32)
        values[key("pca", encoder, "90 percent", "components")] = named["90 percent"]
    return Measured(pd.concat(tables, ignore_index=True), values, resampled)


def class_table(data: str, retrievals: list[str], names: np.ndarray) -> pd.DataFrame:
    """mAP by article type of several retrievals side by side, with how many queries and right images each type has.

    Strict protocol, all images. `chance` is the mAP of a random ranking. `names`: each image's type (G,).
    """
    where = {protocols.PROTOCOL: protocols.STRICT, protocols.GALLERY: "all", protocols.RELEVANCE: "articleType"}
    columns = {}
    for retrieval in retrievals:
        rows = study.scores(data, retrieval, **where)
        table = study.by_label(rows, names[rows[protocols.QUERY]]).set_index("label")
        columns[retrieval] = table["mAP"]
    facts = table[["queries", "relevant"]].sort_index()
    chance = pd.Series(study.chance_of(AP, rows)).groupby(names[rows[protocols.QUERY]]).mean()
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


def mistake_family(data: str, retrievals: list[str], frame: pd.DataFrame, first: int) -> Measured:
    """Per retrieval: what share of first neighbours has the right type, gender and colour, and what fault the rest."""
    shares = {}
    for name in retrievals:
        neighbours = read(paths.neighbours(data, name), f"knn_retrieval@{name}")
        shares[name] = mistakes.shares(mistakes.kinds(neighbours, frame, first))
    table = pd.DataFrame(shares).T.rename_axis("retrieval").reset_index()
    values = {
        key("mistakes", row["retrieval"], kind): row[kind] for _, row in table.iterrows() for kind in mistakes.KINDS
    }
    return Measured(table, values)


def _single(data: str, retrieval: str, relevance: str) -> pd.DataFrame:
    """The strict queries' first misses among all images; a query that nothing wrong can be found for is left out."""
    where = {protocols.PROTOCOL: protocols.STRICT, protocols.GALLERY: "all", protocols.RELEVANCE: relevance}
    rows = study.scores(data, retrieval, **where)
    return rows[np.isfinite(rows[protocols.FIRST_MISS])]


def _named_counts(rows: pd.DataFrame) -> dict[str, int]:
    """The counts of components that have names, in one encoder's rows of `component_family`."""
    enough = rows[(rows["components"] > 0) & (rows["variance"] >= space.ENOUGH)]["components"].min()
    return {"as extracted": 0, "all": int(rows["components"].max()), "90 percent": int(enough)}


def _distances(data: str, retrieval: str) -> pd.DataFrame:
    return read(paths.distances(data, retrieval), f"knn_retrieval@{retrieval}")


def _space(data: str, encoder: str, name: str) -> pd.DataFrame:
    return read(paths.embedding_space(data, encoder) / f"{name}.parquet", f"embedding_space@{encoder}")


def _measures(data: str, encoder: str) -> dict:
    path = paths.embedding_space(data, encoder) / "measures.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(
            f"{encoder}/measures.json is missing or damaged ({error}). "
            f"Make it with: dvc repro -f -s embedding_space@{encoder}"
        ) from None
