"""Every retrieval's scores as one tidy table with intervals, and the differences between them.

A measurement's key is `retrieval/protocol/gallery/relevance/metric`, for instance
`efficientnet_lite0_pad-cosine/strict/all/articleType/mAP`; claims refer to it by that.
"""

from typing import Any, get_args

import numpy as np
import pandas as pd

from pipeline import params, paths, stages
from pipeline.data import catalog
from pipeline.evaluation import metrics, statistics
from pipeline.evaluation.keys import COUNT, Of, Pattern, key
from pipeline.evaluation.metrics import AP, MACRO, MAP
from pipeline.evaluation.names import (
    ALL,
    CHANCE_OF,
    COPIES_IN,
    DISTANCE,
    ENCODER,
    EVEN_YEARS,
    FACTS,
    GRADED,
    HELD_OUT,
    LEFT_OUT,
    METRIC,
    PLACE,
    PRODUCT_OUT,
    QUERIES,
    QUERY,
    QUERY_OUT,
    RELEVANCE,
    RELEVANT,
    RETRIEVAL,
    SIZE,
    STRICT,
    TEMPORAL,
    TEST,
    THESIS,
    UNSEEN,
    UPC,
    UPC_IN,
)
from pipeline.evaluation.tables import CHANCE, HIGH, LOW, VALUE, Measured, TableError, read
from pipeline.params.kinds import Relevance
from pipeline.progress import progress

OF = Of(("retrievals",))
# by protocol, its galleries; the graded metrics are the strict protocol's
KEYS: list[Pattern] = [
    (OF, STRICT, [ALL, TEST], list(get_args(Relevance)), metrics.plain_mean),
    (OF, STRICT, [ALL, TEST], GRADED, metrics.graded_mean),
    (OF, [COPIES_IN, PRODUCT_OUT], ALL, list(get_args(Relevance)), metrics.plain_mean),
    (OF, TEMPORAL, [ALL, EVEN_YEARS], list(get_args(Relevance)), metrics.plain_mean),
    (OF, HELD_OUT, [UNSEEN, ALL], ["articleType", "product"], metrics.plain_mean),
    (OF, [UPC, UPC_IN], TEST, "articleType", metrics.plain_mean),
    (OF, [THESIS, QUERY_OUT], COUNT, list(get_args(Relevance)), metrics.plain_mean),
]
MAIN = key(STRICT, ALL, "articleType", MAP)


def measure(data: str, retrievals: dict[str, params.Retrieval], run: params.Evaluation) -> Measured:
    """Summarises the scores of all retrievals, one place (protocol, gallery, relevance) at a time.

    The table has a row per retrieval, protocol, gallery, relevance and metric, with its interval and chance level.

    Raises:
        TableError: scores that have not been made, or with a column that is no metric.
    """
    if missing := [name for name in retrievals if not paths.scores(data, name).exists()]:
        command = f"dvc repro {stages.makers(paths.scores, missing[0])}"
        raise TableError(f"{missing[0]} has no scores. Make them with: {command}")
    frame = catalog.load(data)
    places = scores(data, next(iter(retrievals)), columns=PLACE).drop_duplicates().itertuples(index=False)
    products = catalog.products(frame)
    draws: dict[bytes, np.ndarray] = {}
    tables: list[pd.DataFrame] = []
    resampled: dict[str, np.ndarray] = {}
    for place in progress(list(places), "bootstrap", "place"):
        where: dict[str, Any] = dict(zip(PLACE, place, strict=True))
        one = {name: scores(data, name, **where) for name in retrievals}
        rows = next(iter(one.values()))[QUERY].to_numpy()
        if rows.tobytes() not in draws:
            draws[rows.tobytes()] = statistics.draws(len(rows), run.resamples, run.seed, products[rows])
        labels = labels_of(frame, where[RELEVANCE])[rows]
        table, samples = summarise(one, labels, draws[rows.tobytes()], products[rows], run.seed)
        tables.append(table.assign(**where))
        resampled |= {key(name, *place, metric): column for (name, metric), column in samples.items()}
    table = _in_order(pd.concat(tables, ignore_index=True), retrievals)
    return Measured(table, dict(zip(keys(table), table[VALUE], strict=True)), resampled)


def _in_order(table: pd.DataFrame, retrievals: dict[str, params.Retrieval]) -> pd.DataFrame:
    """The tidy table with each retrieval's encoder and distance, in the order of the retrievals."""
    table[ENCODER] = table[RETRIEVAL].map({name: retrieval.encoder for name, retrieval in retrievals.items()})
    table[DISTANCE] = table[RETRIEVAL].map({name: retrieval.distance for name, retrieval in retrievals.items()})
    order = {name: position for position, name in enumerate(retrievals)}
    table = table.sort_values(RETRIEVAL, key=lambda names: names.map(order), kind="stable", ignore_index=True)
    return table[[RETRIEVAL, ENCODER, DISTANCE, *PLACE, METRIC, VALUE, LOW, HIGH, CHANCE, QUERIES, LEFT_OUT]]


def scores(data: str, retrieval: str, columns: list[str] | None = None, **where) -> pd.DataFrame:
    """The rows of one retrieval's scores that have all the values given; of one relevance, only its own metrics."""
    filters = [(column, "==", value) for column, value in where.items()]
    stage = stages.makers(paths.scores, retrieval)
    table = read(paths.scores(data, retrieval), stage, columns=columns, filters=filters or None)
    for column in set(PLACE) & set(table.columns):
        table[column] = table[column].astype(str)
    return own_metrics(table, where[RELEVANCE]) if RELEVANCE in where else table


def metric_columns(table: pd.DataFrame) -> list[str]:
    """The columns of scores that hold a metric, in their order.

    Raises:
        TableError: a column that is neither a fact of the query nor a metric of the table; names it and the nearest.
    """
    names = [name for name in table.columns if name not in FACTS]
    for name in names:
        try:
            metrics.parse(name.removeprefix(CHANCE_OF))
        except ValueError as error:
            raise TableError(f"the scores have a column {name!r}, but {error}") from None
    return [name for name in names if not name.startswith(CHANCE_OF)]


def own_metrics(table: pd.DataFrame, relevance: str) -> pd.DataFrame:
    """Scores of one relevance without the columns of metrics that it lacks: graded ones are the graded one's alone."""
    graded = relevance == GRADED
    others = [name for name in metric_columns(table) if metrics.parse(name)[0].graded != graded]
    chances = [name for name in table.columns if name.startswith(CHANCE_OF) and not graded]
    return table.drop(columns=[*others, *chances])


def labels_of(frame: pd.DataFrame, relevance: str) -> np.ndarray:
    """The labels that a relevance's macro mean is over, one number per image; (G,)."""
    return catalog.label_codes(frame, "articleType" if relevance == GRADED else relevance)


def summarise(
    one: dict[str, pd.DataFrame], labels: np.ndarray, draws: np.ndarray, products: np.ndarray, seed: int
) -> tuple[pd.DataFrame, dict[tuple[str, str], np.ndarray]]:
    """Means over queries of several retrievals at one place: values, intervals and chance levels, and the resamples.

    `mAP` is the mean over queries; `macro mAP` first averages within a label. Queries with nothing to find are left
    out, and counted; where that is all of them the value is nan.

    Args:
        one: by retrieval, a row per query; the queries are the same in all.
        labels: a number per query, for the macro mean.
        draws: (R, Q).
        products: a number per query, drawn as one.
        seed: of the macro mean's own resamples.
    """
    first = next(iter(one.values()))
    names = metric_columns(first)
    values = np.concatenate([table[names].to_numpy(float) for table in one.values()], axis=1)
    means_of = [(retrieval, metrics.mean_name(name)) for retrieval in one for name in names]
    answered = first[RELEVANT].to_numpy() > 0
    chances = {metrics.mean_name(name): _mean(chance_of(name, first)) for name in names}
    means, samples = np.array([_mean(column) for column in values.T]), statistics.resampled_means(draws, values)
    if AP in names and answered.any():
        macro = values[:, names.index(AP) :: len(names)]
        means_of += [(retrieval, MACRO) for retrieval in one]
        means = np.concatenate([means, [_macro(column, labels) for column in macro.T]])
        macro_samples = statistics.resampled_macro_means(macro, labels, len(draws), seed, products)
        samples = np.concatenate([samples, macro_samples], axis=1)
        chances[MACRO] = _macro(chance_of(AP, first), labels)
    low, high = statistics.interval(samples)
    table = pd.DataFrame(means_of, columns=[RETRIEVAL, METRIC]).assign(
        **{
            VALUE: means,
            LOW: low,
            HIGH: high,
            CHANCE: [chances[metric] for _, metric in means_of],
            QUERIES: int(answered.sum()),
            LEFT_OUT: int((~answered).sum()),
        }
    )
    return table, dict(zip(means_of, samples.T.astype(np.float32), strict=True))


def differences(measured: Measured, pairs: pd.DataFrame) -> pd.DataFrame:
    """Paired differences `first` − `second` (keys), each with its own interval and with one that holds for all at once.

    Args:
        pairs: the columns `first` and `second` and any others, which are kept. Both keys of a pair must have been
            measured on the same queries.
    """
    if pairs.empty:
        return pairs.assign(**{column: [] for column in ("difference", LOW, HIGH, "low of all", "high of all")})
    values = measured.values
    estimates = np.array([values[a] - values[b] for a, b in zip(pairs["first"], pairs["second"], strict=True)])
    samples = np.stack(
        [
            measured.resampled[a].astype(float) - measured.resampled[b]
            for a, b in zip(pairs["first"], pairs["second"], strict=True)
        ],
        axis=1,
    )
    low, high = statistics.difference_interval(estimates, samples)
    all_low, all_high = statistics.simultaneous(estimates, samples)
    return pairs.assign(
        **{
            "difference": estimates,
            LOW: low,
            HIGH: high,
            "low of all": all_low,
            "high of all": all_high,
        }
    )


def told(rows: pd.DataFrame) -> str:
    """A sentence on some `differences`: how many are clear of 0 when all are looked at at once, and how far they go."""
    if rows.empty:
        return "nothing to compare"
    up, down = int((rows["low of all"] > 0).sum()), int((rows["high of all"] < 0).sum())
    ends = f"{rows['difference'].min():+.3f} to {rows['difference'].max():+.3f}"
    return f"of {len(rows)} differences ({ends}) {up} better, {down} worse, {len(rows) - up - down} cannot be told"


def pairs_of(
    measured: Measured, weights: dict[str, str], place: str = MAIN, expanded: dict[str, str] | None = None
) -> pd.DataFrame:
    """The differences that the thesis argues about: each with all else equal.

    `preparation`: an encoder against the first with the same weights, under the same distance; `distance`: a distance
    against the encoder's first; `weights`: the first encoder of some weights against that of the first weights;
    `neighbours`: an encoder expanded by its neighbours against the same as it is, under the same distance.

    Args:
        weights: by encoder, the name of its weights.
        expanded: by expansion, the name of its encoder.
    """
    plain = expanded or {}
    known = (
        measured.table[[RETRIEVAL, ENCODER, DISTANCE]]
        .drop_duplicates()
        .assign(weights=lambda t: t[ENCODER].map(weights).fillna("joined: " + t[ENCODER]))  # stands for itself alone
    )
    pairs = []
    first_of = known.groupby("weights", sort=False)[ENCODER].first()
    for row in known.itertuples(index=False):
        rivals = {
            "preparation": known[(known[ENCODER] == first_of[row.weights]) & (known[DISTANCE] == row.distance)],
            "distance": known[known[ENCODER] == row.encoder].head(1),
        }
        if row.encoder in plain:
            rivals["neighbours"] = known[(known[ENCODER] == plain[row.encoder]) & (known[DISTANCE] == row.distance)]
        elif row.encoder == first_of[row.weights]:
            rivals["weights"] = known[(known[ENCODER] == first_of.iloc[0]) & (known[DISTANCE] == row.distance)]
        for what, rival in rivals.items():
            if len(rival) and rival[RETRIEVAL].iloc[0] != row.retrieval:
                first, second = (key(retrieval, place) for retrieval in (row.retrieval, rival[RETRIEVAL].iloc[0]))
                pairs.append({"what": what, "first": first, "second": second})
    return pd.DataFrame(pairs, columns=["what", "first", "second"]).sort_values(
        "what", kind="stable", ignore_index=True
    )


def keys(table: pd.DataFrame) -> list[str]:
    """The key of each row of a tidy table."""
    columns = [table[column].astype(str) for column in [RETRIEVAL, *PLACE, METRIC]]
    return [key(*parts) for parts in zip(*columns, strict=True)]


def chance_of(name: str, rows: pd.DataFrame) -> np.ndarray:
    """The expected value of a metric for a random ranking, per query."""
    metric, k = metrics.parse(name)
    if metric.graded:
        return rows[f"{CHANCE_OF}{name}"].to_numpy()
    return metric.chance(rows[RELEVANT].to_numpy(), rows[SIZE].to_numpy(), k)


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _macro(values: np.ndarray, labels: np.ndarray) -> float:
    known = np.isfinite(values)
    return float(pd.Series(values[known]).groupby(labels[known]).mean().mean())
