"""Executed notebooks → pages with their code folded, and an index that links them."""

import hashlib
import json
import re
from importlib.metadata import version
from pathlib import Path

import nbformat
import pandas as pd
from traitlets.config import Config

from pipeline import files, params, paths, stages
from pipeline.claims.summary import VERDICTS, as_said, counts
from pipeline.evaluation.headline import headline
from pipeline.report import formulas, html

TEMPLATES = Path(__file__).with_name("templates")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
NAMES = {"mAP low": "95 % interval", "mAP high": "", "mAP chance": "chance", "thesis hit@1": "thesis “Recall@1”"}
LIBRARIES = ["tensorflow", "keras", "scikit-learn", "numpy", "pandas", "pillow", "papermill", "dvc"]


class PagesError(RuntimeError):
    """A report or publication that lacks what it is made from."""


def run(study: params.Study) -> None:
    """The stage: writes the report and prints where its index is."""
    print(render(study).relative_to(paths.ROOT))


def render(study: params.Study) -> Path:
    """Writes the report of a finished run and returns its index page.

    Raises:
        PagesError: no executed notebook.
    """
    data = study.data.name
    notebooks, folder = executed(study), paths.report(data)
    named = {path: path.relative_to(paths.notebooks(data)).with_suffix(".html").as_posix() for path in notebooks}
    with files.whole_folder(folder) as partial:
        for path, name in named.items():
            files.write_text(partial / name, page_of(path, _from(name, list(named.values()))))
        files.write_text(partial / "index.html", _index(study, notebooks))
    return folder / "index.html"


def executed(study: params.Study) -> list[Path]:
    """The executed notebooks of the study's own items, in reading order.

    Raises:
        PagesError: one that has not been executed.
    """
    pages = [
        paths.executed(study.data.name, stage.notebook, item)
        for stage in stages.chapters()
        for item in ((stages.items_of(study, stage) or []) if stage.each else [None])
    ]
    if missing := [path for path in pages if not path.exists()]:
        raise PagesError(f"{missing[0].relative_to(paths.ROOT)} has not been executed. Run: dvc repro")
    return pages


def page_of(notebook: Path, chapters: dict[str, str] | None = None) -> str:
    """One executed notebook as a self-contained page, code folded, parameters open.

    `chapters`: where the pages of other notebooks are, by their names; a link to anything else is its words alone.
    """
    config = Config({"TemplateExporter": {"extra_template_basedirs": [str(TEMPLATES)]}})
    exporter = formulas.exporter(config=config, template_name="folded")
    body, _ = exporter.from_notebook_node(
        _described(_linked(nbformat.read(notebook, as_version=4), chapters or {})),
        {"metadata": {"name": _title(notebook)}},
    )
    return body


def _from(page: str, pages: list[str]) -> dict[str, str]:
    """Where each notebook's page is, seen from one of them: its own, or the index where it has one for each item.

    >>> _from("04_hybrid/s002.html", ["01_eda.html", "04_hybrid/s002.html"])
    {'01_eda': '../01_eda.html', '04_hybrid': '../index.html'}
    """
    up = "../" * page.count("/")
    parts = [(name.removesuffix(".html").partition("/"), name) for name in pages]
    return {chapter: up + ("index.html" if item else name) for (chapter, _, item), name in parts}


def _linked(notebook: nbformat.NotebookNode, chapters: dict[str, str]) -> nbformat.NotebookNode:
    """A notebook whose links lead to pages: those to another notebook to its page, those to what is none nowhere."""

    def led(match: re.Match) -> str:
        words, (place, mark, anchor) = match[1], match[2].partition("#")
        if not place or ":" in place:  # within the page, or a whole address
            return match[0]
        page = chapters.get(place.removesuffix(".ipynb")) if place.endswith(".ipynb") else None
        return f"[{words}]({page}{mark}{anchor})" if page else words

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(led, cell.source)
    return notebook


def _described(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook whose pictures have a text for who does not see them: the last paragraph before their cell."""
    before = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            before = " ".join(re.sub(r"[*`#]", "", cell.source.rpartition("\n\n")[2]).split())
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.metadata.setdefault("image/png", {})["alt"] = f"Figure of the cell {cell.id}: {before}"
    return notebook


def heading(notebook: Path) -> tuple[str, str]:
    """A chapter's title and its question, as its first text has them; '' where it asks none."""
    first = next(cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "markdown")
    question = first.partition("**Question.** ")[2].partition("\n\n")[0]
    return first.splitlines()[0].lstrip("# "), " ".join(question.split())


def _index(study: params.Study, notebooks: list[Path]) -> str:
    data = study.data.name
    ingest = json.loads(paths.ingest_report(data).read_text(encoding="utf-8"))
    results = headline(pd.read_csv(paths.evaluation(data) / "metrics.csv"))
    text = paths.PARAMS.read_text(encoding="utf-8")
    sources = sorted({paths.source_notebook(_chapter(path, data)) for path in notebooks})
    return html.page(
        "index.html.j2",
        script=True,
        title="Fashion retrieval study: this run",
        data=study.data,
        ingest=ingest,
        pictures=f"{ingest['pictures']:,}",
        findings=findings(ingest),
        chapters=_chapters(notebooks, data),
        params_text=text,
        params_digest=_digest(text.encode()),
        queries=f"{ingest['test']:,}",
        not_run=study.not_run,
        **_verdicts(data, notebooks),
        results=results_table(results),
        sources=[(path.name, _digest(_source_text(path))) for path in sources],
        versions=[(name, version(name)) for name in LIBRARIES],
    )


def _verdicts(data: str, notebooks: list[Path]) -> dict:
    """The claims by verdict, each linked to the cell it rests on if its chapter ran, and their counts by document."""
    ran = {path.relative_to(paths.notebooks(data)).with_suffix("").as_posix() for path in notebooks}
    table = pd.read_csv(paths.evaluation(data) / "verdicts.csv", dtype={"document": str}, keep_default_na=False)
    table["href"] = [
        f"{chapter}.html#cell-id={cell}" if chapter in ran else ""
        for chapter, _, cell in table["see"].str.partition("#").to_numpy()
    ]
    counted = counts(table)
    return {
        "verdict_names": VERDICTS,
        "said": len(as_said(table)),
        "documents": sorted(table["document"].unique()),
        "verdicts": table.to_dict("records"),
        "verdict_counts": [[name, *(count or "·" for count in row)] for name, row in counted.iterrows()],
    }


def _chapters(notebooks: list[Path], data: str) -> list[dict]:
    chapters: dict[str, dict] = {}
    for path in notebooks:
        name = _chapter(path, data)
        item = path.stem if path.stem != name else None
        title, question = heading(path)
        chapter = chapters.setdefault(name, {"title": title, "pages": [], "question": question})
        chapter["pages"].append({"item": item, "href": f"{name}/{item}.html" if item else f"{name}.html"})
    return list(chapters.values())


def results_table(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """The headline as columns and rows of words, three decimals."""
    columns = ["retrieval", *(NAMES.get(name, name) for name in table.columns)]
    return columns, [[str(name), *map(_number, row)] for name, row in zip(table.index, table.to_numpy(), strict=True)]


def findings(ingest: dict) -> list[tuple[str, str]]:
    """What ingestion found, as rows of words."""
    blank = {name: len(ids) for name, ids in ingest["blank_labels"].items() if ids}
    return [
        ("rows in styles.csv", f"{ingest['rows']:,} ({ingest['encoding']})"),
        ("rows repaired (an unquoted comma in the name)", f"{len(ingest['rows_repaired']):,}"),
        ("rows left out", f"{len(ingest['rows_left_out']):,}"),
        (
            "rows without a picture",
            f"{len(ingest['rows_without_picture']):,}: {', '.join(ingest['rows_without_picture'][:10])}",
        ),
        (
            "pictures that cannot be read",
            f"{len(ingest['pictures_unreadable']):,}: {', '.join(list(ingest['pictures_unreadable'])[:10])}",
        ),
        ("grey pictures", f"{len(ingest['grey']):,}"),
        ("pictures of another size than " + "×".join(map(str, ingest["usual_size"])), f"{len(ingest['odd_size']):,}"),
        ("groups of pictures with equal bytes", f"{len(ingest['equal_bytes']):,}"),
        ("blank labels", ", ".join(f"{name}: {count}" for name, count in blank.items()) or "none"),
    ]


def _chapter(path: Path, data: str) -> str:
    return path.relative_to(paths.notebooks(data)).parts[0].removesuffix(".ipynb")


def _title(path: Path) -> str:
    return path.stem if path.parent.name == "notebooks" else f"{path.parent.name} · {path.stem}"


def _source_text(path: Path) -> bytes:
    notebook = nbformat.read(path, as_version=4)
    return "\n".join(cell.source for cell in notebook.cells).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _number(value: float | None) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:.3f}"
