"""The published runs as pages: from `reference/<data>/` alone, with no photograph, no data and no run.

A page of a publication has its verdicts, the thesis's tables, the figures of chapter 5 and of the smaller systems that
can be drawn from published numbers, its parameters and its provenance. Whoever reads it needs a browser.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import files, params, paths
from pipeline.claims import summary
from pipeline.evaluation import reenactment
from pipeline.evaluation.headline import headline
from pipeline.report import exam_table, html, publish
from pipeline.report.pages import findings, results_table
from pipeline.report.publication import Published, of

INDEX = "index.html"
LARGEST = 5_000_000  # bytes of a page
THESIS_TABLES = {"5.2.1": "table-521", "5.2.2": "table-522", "6.1.1": "table-611"}


def place() -> Path:
    """Where the pages stand."""
    return paths.ROOT / "docs" / "published"


def write() -> list[Path]:
    """Writes a page for each publication and one that links them; the files that were written."""
    pages = texts()
    for path, text in pages.items():
        files.write_text(path, text)
    return list(pages)


def texts() -> dict[Path, str]:
    """The pages by where they stand.

    Raises:
        ValueError: a page that is too large to be opened on a phone.
    """
    runs = [of(name) for name in publish.published_names()]
    pages = {place() / f"{run.data}.html": page(run) for run in runs}
    pages[place() / INDEX] = html.page(
        "published_index.html.j2", title="The published runs", runs=[summed(run) for run in runs]
    )
    for path, text in pages.items():
        if len(text.encode()) >= LARGEST:
            raise ValueError(f"{path.name} has {len(text.encode()):,} bytes; a page has fewer than {LARGEST:,}")
    return pages


def summed(run: Published) -> dict[str, Any]:
    """A publication in a few lines: its pictures, how many claims got which verdict, and its best retrievals."""
    said = summary.as_said(run.verdicts)
    counted = said["verdict"].value_counts()
    means = run.table("mean_average_precision")
    best = publish.published_metrics(run.place, means.nlargest(3, "mAP")["retrieval"].tolist())
    return {
        "data": run.data,
        "drawn": run.drawn,
        "pictures": f"{run.ingest['pictures']:,}",
        "queries": f"{run.ingest['test']:,}" if "test" in run.ingest else "",
        "claims": len(said),
        "substitutes": len(run.verdicts) - len(said),
        "retrievals": len(means),
        "counts": [(name, int(counted.get(name, 0))) for name in summary.VERDICTS],
        "best": results_table(headline(best)),
        "exam": _exam(run),
    }


def _exam(run: Published) -> tuple[list[str], list[list[str]]] | None:
    """The exam's table, where a run has sat it."""
    if not exam_table.has(run):
        return None
    columns, rows = exam_table.short(run)
    return columns, [[cell.replace("*", "") for cell in row] for row in rows]


def page(run: Published) -> str:
    """One publication's page."""
    from pipeline.report import drawings  # here: it loads matplotlib, and a summary needs none of it

    shown = drawings.shown(run)
    counted = summary.counts(run.verdicts)
    return html.page(
        "published.html.j2",
        script=True,
        title=f"Published study: {run.data}",
        about=summed(run),
        verdicts=_verdicts(run, {one.place for one in shown}),
        verdict_names=summary.VERDICTS,
        documents=sorted(run.verdicts["document"].unique()),
        counts=[[name, *(count or "·" for count in row)] for name, row in counted.iterrows()],
        thesis=[(name, anchor(f"07_thesis#{cell}"), _reported(run, name)) for name, cell in THESIS_TABLES.items()],
        results=results_table(headline(run.metrics)),
        shown=[_entry(run, one) for one in shown],
        findings=findings(run.ingest),
        params_text=(run.place / "params.yaml").read_text(encoding="utf-8"),
        provenance=_provenance(run),
        stages=_stages(run),
    )


def anchor(place: str) -> str:
    """A cell's name in a page.

    >>> anchor("04_hybrid/s002#modes")
    '04_hybrid-s002-modes'
    """
    return place.replace("/", "-").replace("#", "-")


def _verdicts(run: Published, places: set[str]) -> list[dict[str, Any]]:
    """The rows of verdicts, each linked to its figure on the page."""
    links = [f"#{anchor(see)}" if see in places else "" for see in run.verdicts["see"]]
    return run.verdicts.assign(href=links).to_dict("records")


def _reported(run: Published, name: str) -> list[dict[str, Any]]:
    """The statements of one of the thesis's tables: reported, measured and why."""
    rows = reenactment.at(run.verdicts, f"table {name}").to_dict("records")
    return [{**row, "measured": _measured(run, row["keys"])} for row in rows]


def _measured(run: Published, keys: str) -> str:
    """The number that a verdict rests on, where it is one."""
    return f"{run.values[keys]:.3f}" if keys in run.values else ""


def _entry(run: Published, one: Any) -> dict[str, Any]:
    """A figure, a table or a reason as the template shows it."""
    from pipeline.figures import svg  # here, as in `page`

    chapter, _, cell = one.place.partition("#")
    entry = {
        "id": anchor(one.place),
        "title": one.title,
        "says": one.says,
        "files": [name for name in one.files if (run.place / name).exists()],  # an older run has fewer
        "notebook": chapter.partition("/")[0],
        "cell": cell,
        "documents": _documents().get(f"{chapter.partition('/')[0]}#{cell}", []),
        "drawing": "",
        "table": None,
        "why": one.made if isinstance(one.made, str) else "",
    }
    if isinstance(one.made, pd.DataFrame):
        entry["table"] = ([str(name) for name in one.made.columns], one.made.map(_shown).to_numpy().tolist())
    elif not entry["why"]:
        entry["drawing"] = svg.inline(one.made, entry["id"], f"{one.title}. {one.says}")
    return entry


@cache
def _documents() -> dict[str, list[str]]:
    """By cell, the documents' tables and figures that it reproduces."""
    by_cell: dict[str, list[str]] = {}
    for document, entries in params.read_yaml(paths.ROOT / "docs" / "manifest.yaml").items():
        for name, entry in entries.items():
            if "cell" in entry:
                by_cell.setdefault(entry["cell"], []).append(f"{document}, {name}")
    return by_cell


def _shown(value: Any) -> str:
    """A table's field: three decimals of a number that is not whole, nothing where there is none."""
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:,.0f}" if value.is_integer() and abs(value) > 1 else f"{value:.3f}"
    return str(value)


def _provenance(run: Published) -> list[tuple[str, str]]:
    lock = (run.place / "dvc.lock").read_bytes()
    version = json.loads((run.place / publish.VERSION).read_text(encoding="utf-8"))
    machine = run.place / "machine.json"
    said = json.loads(machine.read_text(encoding="utf-8")) if machine.exists() else {}
    libraries = ", ".join(f"{name} {number}" for name, number in said.get("libraries", {}).items())
    return [
        ("SHA-256 of dvc.lock", hashlib.sha256(lock).hexdigest()),
        ("version of the parameters", version["parameters"]),
        ("version of the claims", version["claims"]),
        ("processor", said.get("processor", "not recorded")),
        ("cores", str(said.get("cores", "not recorded"))),
        ("Python and libraries", f"{said['python']}, {libraries}" if said else "not recorded"),
    ]


def _stages(run: Published) -> list[tuple[str, list[str]]]:
    """Each stage that the lock names, with the hashes of what it made."""
    entries = params.read_yaml(run.place / "dvc.lock")["stages"]
    return [
        (name, [f"{out['path']} {out['md5']}" for out in entry.get("outs", [])])
        for name, entry in entries.items()
        if entry.get("outs")
    ]
