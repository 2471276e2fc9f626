"""Answers as a table: a row per product that was found for a photo."""

import csv
import io
from typing import Any

from pipeline import files
from pipeline.data import catalog

COLUMNS = ["file", "rank", catalog.ID, catalog.PRODUCT, catalog.ARTICLE, "distance", "instead", "fault"]


def written(answers: list[dict[str, Any]]) -> str:
    """A batch's answers as CSV by `COLUMNS`; a photo that could not be searched with has one row, with its fault.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    table.writeheader()
    for one in answers:
        table.writerows(
            {name: files.plain(value) for name, value in {"file": one["file"], **row}.items()}
            for row in (found(one["answer"]) if one["answer"] else [{"fault": one["error"]}])
        )
    return text.getvalue()


def found(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """An answer's rows, each with the words that were searched for in place of those that describe no product."""
    instead = "; ".join(f"{word}: {' '.join(others) or 'left out'}" for word, others in answer["instead"].items())
    return [{**row, "instead": instead} for row in answer["results"]]
