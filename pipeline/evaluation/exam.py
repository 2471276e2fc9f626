"""What an encoder is asked where labels cannot have been memorised: each question with its chance level and interval.

The gallery is the test part, or holds types that a finetune with `split: types` never saw. mAP by articleType against
all pictures is not among the questions: four fifths of that gallery were learnt from (`labelled`).
"""

import pandas as pd

from pipeline.evaluation.metrics import HIT_AT_1, MAP
from pipeline.evaluation.names import (
    ALL,
    DISTANCE,
    ENCODER,
    GALLERY,
    HELD_OUT,
    METRIC,
    PROTOCOL,
    RELEVANCE,
    STRICT,
    TEST,
    UNSEEN,
    UPC,
    UPC_IN,
)
from pipeline.evaluation.tables import CHANCE, HIGH, LOW, VALUE

# the question's name: protocol, gallery, relevance, metric
QUESTIONS = {
    "same listing": (STRICT, TEST, "product", MAP),
    "type and colour": (STRICT, TEST, "articleType+baseColour", MAP),
    "gender and type": (STRICT, TEST, "gender+articleType", MAP),
    "articleType": (STRICT, TEST, "articleType", MAP),
    "subCategory": (STRICT, TEST, "subCategory", MAP),
    "masterCategory": (STRICT, TEST, "masterCategory", MAP),
    "held-out types, among themselves": (HELD_OUT, UNSEEN, "articleType", MAP),
    "held-out types, first neighbour": (HELD_OUT, UNSEEN, "articleType", HIT_AT_1),
    "held-out types, among all": (HELD_OUT, ALL, "articleType", MAP),
    "held-out types, first neighbour among all": (HELD_OUT, ALL, "articleType", HIT_AT_1),
    "held-out types, same listing among all": (HELD_OUT, ALL, "product", MAP),
    "22 types, query in, mAP": (UPC_IN, TEST, "articleType", MAP),
    "22 types, precision@15": (UPC, TEST, "articleType", "precision@15"),
}
COLUMNS = ["question", ENCODER, VALUE, LOW, HIGH, CHANCE]


def table(measured: pd.DataFrame) -> pd.DataFrame:
    """A row per question and encoder by cosine: value, interval and chance; a question nobody was asked has none.

    Args:
        measured: the tidy table of `study.measure`.
    """
    by_place = measured[measured[DISTANCE] == "cosine"].set_index([PROTOCOL, GALLERY, RELEVANCE, METRIC]).sort_index()
    rows = [
        by_place.loc[[place]].assign(question=question)
        for question, place in QUESTIONS.items()
        if place in by_place.index
    ]
    whole = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)
    return whole[COLUMNS]


def side_by_side(asked: pd.DataFrame) -> pd.DataFrame:
    """A row per encoder, a column per question; chance is the last row.

    Args:
        asked: as `table` gives it.
    """
    wide = asked.pivot(index=ENCODER, columns="question", values=VALUE)
    wide = wide.loc[list(asked[ENCODER].unique()), list(asked["question"].unique())]
    wide.loc[CHANCE] = asked.groupby("question")[CHANCE].first()
    return wide
