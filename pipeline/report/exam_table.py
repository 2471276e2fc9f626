"""What a published run's encoders reach in the exam, for the front page, results and the published pages."""

import pandas as pd

from pipeline.evaluation.named import NAMES
from pipeline.evaluation.names import ENCODER, HELD_OUT
from pipeline.evaluation.tables import CHANCE, HIGH, LOW, VALUE
from pipeline.report.numbers import decimal
from pipeline.report.publication import Published

# what is shown: the encoder's name there, the same where types were held out (none: it has learnt them
# all, and so was not asked), and what it is
SHOWN = [
    ("pretrained", "pretrained", "EfficientNet-Lite0, pretrained"),
    ("closed", "closed_on_new_types", "**closed**: the types are known"),
    ("closed_and_tuned", None, "**closed and tuned**: the network too"),
    ("open", "open", "**open**: types are yet to come"),
    ("open_expanded", "open_expanded", "**open**, with its neighbours' help"),
]
NEEDED = {"pretrained", "closed", "closed_on_new_types", "open"}  # of those, without which nothing is shown
BASELINES = {  # what needs no training, and what it is
    "hash": "perceptual hash",
    "colours": "colour histogram",
    "gradients": "edges",
    "untrained": "EfficientNet-Lite0, untrained",
    "pretrained": "pretrained",
    "pretrained_and_colours": "pretrained and a tenth colours",
    "pretrained_and_gradients": "pretrained and a quarter edges",
    "pretrained_and_gradients_expanded": "the same, with its neighbours' help",
    NAMES: "product names, no picture",
}
SHORT = {  # the exam's questions that the front page shows, and what it calls them
    "same listing": "same listing",
    "type and colour": "type and colour",
    "articleType": "article type",
    "held-out types, among themselves": "new types",
    "held-out types, among all": "new types among all",
    "held-out types, same listing among all": "their listing",
}


def whole(run: Published) -> pd.DataFrame:
    """What those of `SHOWN` that the run has reach in each question, the mean of several seeds, and chance."""
    asked, spread = run.exam, run.table("seeds")
    means = spread.dropna(subset=[LOW]) if LOW in spread else spread
    means = means.rename(columns={"measure": "question", "mean": VALUE})
    rows = pd.concat([asked, means]).drop_duplicates([ENCODER, "question"], keep="last")
    rows = rows.set_index([ENCODER, "question"])
    cells = rows[[VALUE, LOW, HIGH]].map(decimal)
    found = cells[VALUE] + " [" + cells[LOW] + ", " + cells[HIGH] + "]"
    chance = asked[asked[ENCODER] == SHOWN[0][0]].set_index("question")[CHANCE].map(decimal)
    columns = {
        said: ["" if one is None else found[one, question] for question, one in _names(chance.index, name, other)]
        for name, other, said in SHOWN
        if name in set(asked[ENCODER])
    }
    return pd.DataFrame({**columns, "*a random ranking*": chance}, index=chance.index)


def baselines(run: Published) -> pd.DataFrame:
    """What those of `BASELINES` that the run has reach in each question, without intervals, and chance.

    The rows of the names are those that the run wrote: they are no retrieval, and the metrics have none of them.
    """
    written = run.table("exam")
    rows = pd.concat([run.exam, written[written[ENCODER] == NAMES]])
    wide = rows.pivot(index="question", columns=ENCODER, values=VALUE)
    chance = run.exam.groupby("question", sort=False)[CHANCE].first()
    columns = {said: wide[name] for name, said in BASELINES.items() if name in wide}
    shown = pd.DataFrame({"a random ranking": chance, **columns}, index=chance.index)
    return shown.map(lambda value: "" if pd.isna(value) else decimal(value))


def another(run: Published, first: Published) -> pd.DataFrame:
    """What each encoder reaches on another split, and in brackets what the same recipe reached on the first."""
    here, there = whole(run), whole(first).map(lambda cell: cell.partition(" ")[0])
    return here.apply(
        lambda column: [f"{cell} ({there.at[at, column.name]})" if cell else "" for at, cell in column.items()]
    )


def short(run: Published) -> tuple[list[str], list[list[str]]]:
    """Some of the questions without intervals, as columns and a row for each encoder, chance last."""
    shown = whole(run).loc[list(SHORT)].map(lambda cell: cell.partition(" ")[0])
    return ["mAP", *SHORT.values()], [[name, *column] for name, column in shown.items()]


def has(run: Published) -> bool:
    """Whether a run asked what is shown: the network that nothing taught, and both forms."""
    return not run.exam.empty and {*run.exam[ENCODER]} >= NEEDED


def _names(questions: pd.Index, name: str, other: str | None) -> list[tuple[str, str | None]]:
    """Each question with the encoder that it is asked of."""
    return [(question, other if question.startswith(HELD_OUT) else name) for question in questions]
