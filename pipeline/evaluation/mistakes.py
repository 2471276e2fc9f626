"""What went wrong: the nearest images of each query by what they share with it, and the queries found worst."""

import numpy as np
import pandas as pd

from pipeline import paths, stages
from pipeline.data import catalog
from pipeline.evaluation.keys import Of, Pattern, key
from pipeline.evaluation.metrics import AP
from pipeline.evaluation.tables import Measured, read
from pipeline.retrieval.ranking import DISTANCE, NEIGHBOUR, QUERY, RANK, Neighbours

RIGHT, COLOUR, GENDER, TYPE = "type, gender and colour right", "wrong colour", "wrong gender", "wrong type"
KINDS = [RIGHT, COLOUR, GENDER, TYPE]
KEYS: list[Pattern] = [("mistakes", Of(("retrievals",)), KINDS)]


def measure(data: str, retrievals: list[str], frame: pd.DataFrame, first: int) -> Measured:
    """Per retrieval: what share of first neighbours has the right type, gender and colour, and what fault the rest."""
    found = {}
    for name in retrievals:
        neighbours = read(paths.neighbours(data, name), stages.makers(paths.neighbours, name))
        found[name] = shares(kinds(neighbours, frame, first))
    table = pd.DataFrame(found).T.rename_axis("retrieval").reset_index()
    values = {key("mistakes", row["retrieval"], kind): row[kind] for _, row in table.iterrows() for kind in KINDS}
    return Measured(table, values)


def kinds(neighbours: pd.DataFrame, frame: pd.DataFrame, first: int) -> pd.Series:
    """What each of the first neighbours shares with its query, one of `KINDS`, by its worst fault.

    A wrong type outweighs a wrong gender, and that a wrong colour. The index is that of `neighbours`' rows.
    """
    near = neighbours[neighbours[RANK] <= first]
    labels = frame.set_index(catalog.ID)[[catalog.ARTICLE, catalog.GENDER, catalog.COLOUR]].fillna("")
    wanted, got = labels.loc[near[QUERY]].to_numpy(), labels.loc[near[NEIGHBOUR]].to_numpy()
    same = (wanted == got) & (wanted != "")  # a blank is no label, like everywhere
    worst_fault = pd.Series(RIGHT, index=near.index)
    for column, fault in ((2, COLOUR), (1, GENDER), (0, TYPE)):  # the gravest is written last and stays
        worst_fault[~same[:, column]] = fault
    return worst_fault


def shares(faults: pd.Series) -> pd.Series:
    """The share of each of `KINDS`, in their order. `faults`: as `kinds` gives them."""
    return faults.value_counts(normalize=True).reindex(KINDS, fill_value=0.0)


def worst(scores: pd.DataFrame, neighbours: pd.DataFrame, frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """The queries of lowest AP, one per label so that one bad label does not fill the table, and what they found.

    Args:
        scores: one row per query of one retrieval, protocol, gallery and relevance.
    """
    labels = frame[[catalog.ID, catalog.ARTICLE, catalog.GENDER, catalog.COLOUR]]
    rows = scores[scores["relevant"] > 0].sort_values(AP, kind="stable")
    rows = rows.join(labels, on="query").drop_duplicates(catalog.ARTICLE).head(count)
    first = neighbours[neighbours[RANK] == 1].set_index(QUERY)[NEIGHBOUR]
    described = labels.set_index(catalog.ID).fillna("").agg(" · ".join, axis=1)
    fault = kinds(neighbours, frame, 1)
    fault.index = neighbours.loc[fault.index, QUERY]
    return pd.DataFrame(
        {
            "query": rows[catalog.ID].to_numpy(),
            "is": described.loc[rows[catalog.ID]].to_numpy(),
            "found first": described.loc[first.loc[rows[catalog.ID]]].to_numpy(),
            "what went wrong": fault.loc[rows[catalog.ID]].to_numpy(),
            "relevant": rows["relevant"].to_numpy(),
            "AP": rows[AP].to_numpy(),
        }
    )


def neighbours_of(neighbours: pd.DataFrame, queries: list[str]) -> Neighbours:
    """The saved neighbours of some queries, in the order given: what `panel` shows."""
    rows = neighbours[neighbours[QUERY].isin(queries)].pivot(index=QUERY, columns=RANK).loc[queries]
    return Neighbours(np.array(queries, object), rows[NEIGHBOUR].to_numpy(), rows[DISTANCE].to_numpy())
