"""What chance alone moves: finetunes that differ in nothing but their seed."""

import json

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.evaluation.finetunes import REACHED, SETTINGS

COLUMNS = ["encoder", "measure", "seeds", "mean", "lowest", "highest"]


def table(cards: dict[str, dict], concatenations: dict[str, params.Concatenation], rows: pd.DataFrame) -> pd.DataFrame:
    """Finetunes that differ in seed alone, and concatenations of such: the mean, lowest and highest of what they reach.

    `seeds` counts those that a measure is known of: not every seed's encoder need be searched with. One alone is no
    spread.

    Args:
        cards: as `finetunes.cards` gives them.
        rows: what `finetunes.table` and `concatenated.table` make of them.
    """
    same = np.array([_recipe(name, cards, concatenations) for name in rows["encoder"]], object)
    groups = [
        group.assign(encoder=group["encoder"].iloc[0]) for _, group in rows.groupby(same, sort=False) if len(group) > 1
    ]
    if not groups:
        return pd.DataFrame(columns=COLUMNS)
    long = pd.concat(groups).melt(["encoder"], REACHED, var_name="measure")
    kept = long.groupby(["encoder", "measure"], sort=False)["value"].agg(["count", "mean", "min", "max"])
    return kept[kept["count"] > 1].reset_index().set_axis(COLUMNS, axis=1)


def _recipe(name: str, cards: dict[str, dict], concatenations: dict[str, params.Concatenation]) -> str:
    """How an encoder was made but for the seed, the same text for the same recipe."""
    if name in concatenations:
        spec = concatenations[name]
        parts = [_recipe(part, cards, concatenations) for part in (spec.first, spec.second)]
        return json.dumps([*parts, spec.share])
    return json.dumps([cards[name][setting] for setting in SETTINGS if setting != "seed"]) if name in cards else name
