"""What a published run's encoders reach in the exam, for the front page, results and the published pages."""

import math

import pandas as pd

from pipeline.evaluation.named import NAMES
from pipeline.evaluation.names import ENCODER, HELD_OUT
from pipeline.evaluation.tables import CHANCE, HIGH, LOW, VALUE
from pipeline.report.numbers import decimal, values
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
# what the plan wants: by whom, what, at least
AIMS = [
    ("closed_and_tuned", "same listing", 0.45),
    ("closed_and_tuned", "type and colour", 0.36),
    ("closed_and_tuned", "gender and type", 0.77),
    ("closed_and_tuned", "articleType", 0.85),
    ("closed_and_tuned", "22 types, query in, mAP", 0.75),
    ("closed_and_tuned", "22 types, precision@15", 0.87),
    ("closed_and_tuned", "accuracy", 0.89),
    ("closed_and_tuned", "macro F1", 0.68),
    ("closed", "odd years, accuracy of learnt types", 0.84),
    ("open", "held-out types, among all", 0.60),
    ("open", "held-out types, first neighbour among all", 0.86),
    ("open", "held-out types, same listing among all", 0.18),
]
SOURCES = {  # where a run has those that are no question of the exam, if not among the means of seeds
    "accuracy": "concatenations[accuracy] encoder=closed_and_tuned",
    "macro F1": "concatenations[macro F1] encoder=closed_and_tuned",
    "odd years, accuracy of learnt types": "finetuning/years[test_accuracy_learnable]",
}


def whole(run: Published) -> pd.DataFrame:
    """What those of `SHOWN` that the run has reach in each question, the mean of several seeds, and chance."""
    asked, rows = run.exam, _reached(run)
    cells = rows[rows[LOW].notna()].map(decimal)
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


def aims(*runs: Published) -> tuple[list[str], list[list[str]]]:
    """What the plan wants and what each run's encoders reach of it, with its interval where it has one; bold: met."""
    said = {name: words.partition(":")[0] for name, _, words in SHOWN}
    reached = [_reached(run) for run in runs]
    rows = []
    for encoder, question, least in AIMS:
        cells = [_aimed(run, table, encoder, question, least) for run, table in zip(runs, reached, strict=True)]
        rows.append([question, f"≥ {decimal(least, 2)}", said[encoder], *cells])
    return ["question", "aim", "by", *(f"`{run.data}`" for run in runs)], rows


def _aimed(run: Published, reached: pd.DataFrame, encoder: str, question: str, least: float) -> str:
    """What a run has of one aim; nothing where it was not asked."""
    if (encoder, question) in reached.index:
        value, *ends = reached.loc[(encoder, question)]
    else:
        try:
            value, *ends = values(SOURCES[question], run)
        except LookupError:
            return ""
    shown = f"**{decimal(value)}**" if value >= least else decimal(value)
    known = [decimal(end) for end in ends if not math.isnan(end)]
    return shown + (f" [{', '.join(known)}]" if known else "")


def _reached(run: Published) -> pd.DataFrame:
    """Value, low and high by encoder and question: the mean of several seeds where the run has that."""
    means = run.table("seeds").rename(columns={"measure": "question", "mean": VALUE})
    rows = pd.concat([run.exam, means.reindex(columns=run.exam.columns)])
    rows = rows.drop_duplicates([ENCODER, "question"], keep="last")
    return rows.set_index([ENCODER, "question"])[[VALUE, LOW, HIGH]]


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
