"""Labels joined with full rankings: who asks, who answers, what is relevant, and what is left out.

Strict: test queries; gallery `all` or `test`; the query and every picture with the query's bytes are removed.
Thesis: a seeded subset is queries and gallery at once, with the query left in. It shows what the thesis most likely
measured: a query that finds itself makes Recall@1 = 1.0 for every model.
"""

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics
from pipeline.retrieval.index import rank

PROTOCOL, GALLERY, RELEVANCE, METRIC, VALUE, CHANCE = "protocol", "gallery", "relevance", "metric", "value", "chance"
QUERIES, LEFT_OUT = "queries", "left_out"
STRICT, THESIS = "strict", "thesis"
AP, AP_1000, RELEVANT, SIZE = "AP", "AP@1000", "relevant", "size"


def strict(features: FeatureSet, frame: pd.DataFrame, distance: str, evaluation: params.Evaluation) -> pd.DataFrame:
    """Scores of every test query, a row per query, gallery and relevance; columns are the metrics."""
    is_test = (frame[catalog.SPLIT] == catalog.TEST).to_numpy()
    if not is_test.any():
        raise ValueError("the catalogue has no test part: it needs pictures of two products or more")
    members = {gallery: np.ones(len(frame), bool) if gallery == "all" else is_test for gallery in evaluation.galleries}
    return _scores(features, frame, np.flatnonzero(is_test), members, distance, evaluation, copies_of(frame), STRICT)


def thesis(features: FeatureSet, frame: pd.DataFrame, distance: str, evaluation: params.Evaluation) -> pd.DataFrame:
    """Scores under the thesis's likely protocol: every picture of a seeded subset finds itself first."""
    size = min(evaluation.thesis_size, len(frame))
    chosen = np.sort(np.random.default_rng(evaluation.seed).choice(len(frame), size, replace=False))
    subset = frame.iloc[chosen].reset_index(drop=True)
    members = {f"{size} with the query": np.ones(size, bool)}
    return _scores(features.take(chosen), subset, np.arange(size), members, distance, evaluation, None, THESIS)


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """The tidy table: a row per protocol, gallery, relevance and metric, each with its chance level.

    `mAP` is the mean over queries; `macro mAP` first averages within a label. Queries with nothing to find are left
    out, and counted; where that is all of them the value is nan.
    """
    rows = []
    for (protocol, gallery, relevance), group in scores.groupby([PROTOCOL, GALLERY, RELEVANCE], sort=False):
        answered = group[group[RELEVANT] > 0]
        place = {PROTOCOL: protocol, GALLERY: gallery, RELEVANCE: relevance}
        count = {QUERIES: len(answered), LEFT_OUT: len(group) - len(answered)}
        for name, mean_name in _means(group):
            chances = pd.Series(_chance(name, answered), index=answered.index)
            rows.append({**place, METRIC: mean_name, VALUE: answered[name].mean(), CHANCE: chances.mean(), **count})
            if name == AP:
                labelled = answered.assign(**{CHANCE: chances}).groupby("label")
                macro = {VALUE: labelled[AP].mean().mean(), CHANCE: labelled[CHANCE].mean().mean()}
                rows.append({**place, METRIC: "macro mAP", **macro, **count})
    return pd.DataFrame(rows)


def by_label(scores: pd.DataFrame) -> pd.DataFrame:
    """Per label: queries, relevant items each, mean AP and hit@1, worst first; `scores` of one protocol and relevance."""
    answered = scores[scores[RELEVANT] > 0].groupby("label")
    table = answered.agg(
        queries=(AP, "size"), relevant=(RELEVANT, "mean"), mAP=(AP, "mean"), hit_at_1=("hit@1", "mean")
    )
    return table.sort_values("mAP").rename(columns={"hit_at_1": "hit@1"}).reset_index()


def removed(scores: pd.DataFrame) -> dict[str, int]:
    """How many gallery items strict queries did not see: themselves, and other pictures with the same bytes."""
    one = (
        scores[scores[RELEVANCE] == scores[RELEVANCE].iloc[0]]
        .groupby(GALLERY, sort=False)["copies"]
        .agg(["size", "sum"])
    )
    return {
        gallery: {"the query itself": int(row["size"]), "copies of it": int(row["sum"] - row["size"])}
        for gallery, row in one.iterrows()
    }


def copies_of(frame: pd.DataFrame) -> np.ndarray:
    """A number per picture, equal where the bytes are equal; int64 (G,). A picture is a copy of itself."""
    return pd.factorize(frame[catalog.SHA256])[0].astype(np.int64)


def _scores(features, frame, asking, members, distance, evaluation, copies, protocol) -> pd.DataFrame:
    """Ranks the whole catalogue once per query and reads every gallery and relevance off that ranking.

    Args:
        asking: positions of the queries (Q,).
        members: gallery name → bool (G,).
    """
    if features.ids.tolist() != frame[catalog.ID].tolist():
        raise ValueError(
            f"features and catalogue hold different pictures: {len(features.ids)} and {len(frame)}. Run feature_extraction again"
        )
    codes = {relevance: catalog.label_codes(frame, relevance) for relevance in evaluation.relevances}
    labels = {relevance: _label_names(frame, relevance) for relevance in evaluation.relevances}
    both = None if copies is None else (copies[asking], copies)
    parts = []
    for part, order, _ in rank(features.take(asking), features, distance, both):
        rows = asking[part]
        for gallery, member in members.items():
            inside = order if member.all() else order[member[order]].reshape(len(order), -1)
            size = _count_copies(copies, rows, member)
            for relevance, code in codes.items():
                hits = metrics.relevant_hits(inside, code[rows], code, inside.shape[1] - size)
                parts.append(_chunk(hits, evaluation.cutoffs).assign(**{
                    "query": features.ids[rows], "label": labels[relevance][rows], "copies": size,
                    SIZE: inside.shape[1] - size, PROTOCOL: protocol, GALLERY: gallery, RELEVANCE: relevance,
                }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _chunk(hits: np.ndarray, cutoffs: list[int]) -> pd.DataFrame:
    relevant = hits.sum(axis=1)
    values = {
        RELEVANT: relevant,
        AP: metrics.average_precision(hits, relevant),
        AP_1000: metrics.average_precision(hits, relevant, 1000),
    }
    for k in cutoffs:
        values[f"hit@{k}"] = metrics.hit_at(hits, relevant, k)
        values[f"recall@{k}"] = metrics.recall_at(hits, relevant, k)
        values[f"precision@{k}"] = metrics.precision_at(hits, relevant, k)
    return pd.DataFrame(values)


def _count_copies(copies: np.ndarray | None, rows: np.ndarray, member: np.ndarray) -> np.ndarray:
    """How many items of a gallery are each query or a copy of it; int (Q,)."""
    if copies is None:
        return np.zeros(len(rows), np.int64)
    return np.bincount(copies[member], minlength=copies.max() + 1)[copies[rows]]


def _label_names(frame: pd.DataFrame, relevance: str) -> np.ndarray:
    columns = [catalog.PRODUCT] if relevance == "product" else relevance.split("+")
    return (
        frame[columns].fillna("").agg(" · ".join, axis=1).to_numpy()
        if len(columns) > 1
        else frame[columns[0]].fillna("").to_numpy()
    )


def _means(group: pd.DataFrame) -> list[tuple[str, str]]:
    """Columns of per-query values and the names of their means."""
    cutoffs = [name for name in group.columns if name.split("@")[0] in ("hit", "recall", "precision")]
    return [(AP, "mAP"), (AP_1000, "mAP@1000"), *((name, name) for name in cutoffs)]


def _chance(name: str, answered: pd.DataFrame) -> np.ndarray:
    relevant, size = answered[RELEVANT].to_numpy(), answered[SIZE].to_numpy()
    kind, _, k = name.partition("@")
    if kind == "AP":
        return metrics.chance_average_precision(relevant, size, int(k) if k else None)
    formula = {
        "hit": metrics.chance_hit_at,
        "recall": metrics.chance_recall_at,
        "precision": metrics.chance_precision_at,
    }
    return formula[kind](relevant, size, int(k))
