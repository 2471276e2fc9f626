"""Answers as a table: a row per product that was found for a photo."""

import csv
import io
from typing import Any

from pipeline import files
from pipeline.data import catalog

COLUMNS = ["file", "rank", catalog.ID, catalog.PRODUCT, catalog.ARTICLE, "distance", "fault"]


def written(answers: list[dict[str, Any]]) -> str:
    """A batch's answers as CSV by `COLUMNS`; a photo that could not be searched with has one row, with its fault.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    table.writeheader()
    for one in answers:
        results = one["answer"]["results"] if one["answer"] else [{"fault": one["error"]}]
        table.writerows(
            {name: files.plain(value) for name, value in {"file": one["file"], **row}.items()} for row in results
        )
    return text.getvalue()
