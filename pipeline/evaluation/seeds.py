"""What chance alone moves: finetunes that differ in nothing but their seed."""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.evaluation.exam import QUESTIONS
from pipeline.evaluation.finetunes import BOUNDS, PLACES, REACHED, SETTINGS
from pipeline.evaluation.keys import key
from pipeline.evaluation.tables import HIGH, LOW

Made = Mapping[str, params.Concatenation | params.Expansion]  # of other encoders, by name
OTHERS = ("first", "second", "encoder")  # what of those names the encoders that it is made of
COLUMNS = ["encoder", "measure", "seeds", "mean", "lowest", "highest", LOW, HIGH]


def table(cards: dict[str, dict], made: Made, rows: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """Finetunes that differ in seed alone, and what is made of such: the mean, lowest and highest of what they reach.

    `seeds` counts those that a measure is known of: not every seed's encoder need be searched with. One alone is no
    spread. `low` and `high`, of the exam's questions and of the accuracy, are the means of the seeds' bounds: over
    other products the interval of the seeds' mean is about as wide or narrower. They know nothing of other seeds.

    Args:
        cards: as `finetunes.cards` gives them. made: the concatenations and the expansions.
        rows: what `finetunes.table` and `concatenated.table` make of them.
        asked: as `exam.table` gives it; what it asks too is told by its words.
    """
    reached = rows.melt(["encoder", *BOUNDS], REACHED, var_name="measure")
    reached = reached.rename(columns=dict(zip(BOUNDS, (LOW, HIGH), strict=True)))
    reached.loc[reached["measure"] != "accuracy", [LOW, HIGH]] = np.nan
    asked = asked.rename(columns={"question": "measure"})[["encoder", "measure", "value", LOW, HIGH]]
    told = {key(*QUESTIONS[question]) for question in asked["measure"].unique() if question in QUESTIONS}
    twice = [name for name, place in PLACES.items() if place in told]
    long = pd.concat([asked, reached[~reached["measure"].isin(twice)]], ignore_index=True)
    long = long[long["encoder"].isin([*cards, *made])].dropna(subset="value")
    recipes = {name: _recipe(name, cards, made) for name in long["encoder"].unique()}
    first = {recipe: name for name, recipe in reversed(recipes.items())}
    long["encoder"] = [first[recipes[name]] for name in long["encoder"]]
    by_measure = long.groupby(["encoder", "measure"], sort=False)
    kept = by_measure["value"].agg(["count", "mean", "min", "max"]).join(by_measure[[LOW, HIGH]].mean())
    return kept[kept["count"] > 1].reset_index().set_axis(COLUMNS, axis=1)


def _recipe(name: str, cards: dict[str, dict], made: Made) -> str:
    """How an encoder was made but for the seed, the same text for the same recipe."""
    if name in made:
        spec = made[name].model_dump()
        return json.dumps([_recipe(value, cards, made) if key in OTHERS else value for key, value in spec.items()])
    return json.dumps([cards[name][setting] for setting in SETTINGS if setting != "seed"]) if name in cards else name
