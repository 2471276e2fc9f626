"""A rubric: what is asked of a submission, and how many points each is worth."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.params.sections import Section, check, read_yaml

Points = Annotated[float, Field(ge=0, le=1000)]


class Executed(Section):
    """A chapter, or its item, executed in order and without errors, its last cell's assertions in it as given."""

    notebook: str
    points: Points


class Cell(Section):
    """A cell of a chapter: a figure that must be there, or a text that must stay."""

    notebook: str
    cell: str
    points: Points


class Heading(Section):
    """A section that must be there, by its heading's words."""

    notebook: str
    heading: str
    points: Points


class Answer(Cell):
    """A cell with a written answer: whether it was answered is seen here, what it is worth by the instructor."""

    words: Annotated[int, Field(ge=1)] = 10


class Metric(Section):
    """A mean over test queries: as the submission's own scores give it, and as its parameters should."""

    retrieval: str
    metric: str
    points: Points
    relevance: str = "articleType"
    tolerance: Annotated[float, Field(ge=0)] = 0.002


class Library(Section):
    """The tested code, which a submission leaves as it is; `may_change`: files that it need not."""

    points: Points
    may_change: list[str] = []


class Rubric(Section):
    """All that is asked."""

    title: str
    executed: list[Executed] = []
    sections: list[Heading] = []
    figures: list[Cell] = []
    metrics: list[Metric] = []
    answers: list[Answer] = []
    library: Library | None = None


def load(path: Path) -> Rubric:
    """A rubric's file, checked.

    Raises:
        ParamsError: with one line per fault.
        FileNotFoundError.
    """
    return check(Rubric, read_yaml(path), path.name)
