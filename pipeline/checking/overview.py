"""The page that a run ends with: the run, whether it is the published one, and the published study, clearly apart."""

import json
import os
from pathlib import Path
from typing import Any

from pipeline import files, paths
from pipeline.report import html

TEMPLATES = Path(__file__).with_name("templates")


def write(data: str, section: dict[str, Any] | None, why: str = "") -> Path:
    """Writes the page and returns its path.

    Args:
        section: what `commands.section` gives of a verification; None where there is nothing to hold the run against,
            as `why` then says.
    """
    target = paths.overview(data)
    text = html.page(
        "overview.html.j2",
        TEMPLATES,
        title=f"Fashion retrieval study: {data}",
        data=data,
        chapters=(paths.report(data) / "index.html").exists(),
        judged=_counts(paths.evaluation(data) / "verdicts.csv"),
        drawn=_drawn(paths.ingest_report(data)),
        published=[{**run, "href": _href(run["data"], target)} for run in _known()],
        why=why,
        **(section or {"receipt": None}),
    )
    files.write_text(target, text)
    return target


def _known() -> list[dict[str, Any]]:
    """What was published, in a few lines each; the drawn sample last."""
    from pipeline.report import publication, publish, published  # here: verify is quick without pandas

    return sorted(map(published.summed, map(publication.of, publish.published_names())), key=lambda run: run["drawn"])


def _counts(path: Path) -> list[tuple[str, int]]:
    """How many statements, as they were said, got which verdict in this run; nothing where it has judged none."""
    import pandas as pd

    from pipeline.claims.summary import VERDICTS, as_said

    if not path.exists():
        return []
    counted = as_said(pd.read_csv(path, usecols=["claim", "verdict"]))["verdict"].value_counts()
    return [(name, int(counted.get(name, 0))) for name in VERDICTS]


def _drawn(path: Path) -> bool:
    from pipeline.data.catalog import DRAWN

    return path.exists() and json.loads(path.read_text(encoding="utf-8"))["source"] == DRAWN


def _href(data: str, page: Path) -> str:
    from pipeline.report import published

    return Path(os.path.relpath(published.place() / f"{data}.html", page.parent)).as_posix()
