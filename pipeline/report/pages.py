"""Executed notebooks → pages with their code folded, an index that links them, and numbers published to `reference/`."""

import hashlib
import json
import re
import shutil
from importlib.metadata import version
from pathlib import Path

import jinja2
import nbconvert
import nbformat
import pandas as pd
from traitlets.config import Config

from pipeline import params, paths
from pipeline.evaluation import claims
from pipeline.systems_params import SYSTEMS

TEMPLATES = Path(__file__).with_name("templates")
LIBRARIES = ["tensorflow", "keras", "scikit-learn", "numpy", "pandas", "pillow", "papermill", "dvc"]
HEADLINE = [
    ("mAP", "value"),
    ("mAP", "low"),
    ("mAP", "high"),
    ("mAP", "chance"),
    ("macro mAP", "value"),
    ("hit@1", "value"),
    ("hit@10", "value"),
    ("precision@10", "value"),
]


class PagesError(RuntimeError):
    """A report or publication that lacks what it is made from."""


def render(study: params.Study) -> Path:
    """Writes the report of a finished run and returns its index page.

    Raises:
        PagesError: no executed notebook.
    """
    data = study.data.name
    folder = paths.report(data)
    partial = folder.with_name("report.partial")
    shutil.rmtree(partial, ignore_errors=True)
    notebooks = executed(study)
    for path in notebooks:
        page = partial / path.relative_to(paths.outputs(data) / "notebooks").with_suffix(".html")
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(page_of(path), encoding="utf-8", newline="\n")
    (partial / "index.html").write_text(_index(study, notebooks), encoding="utf-8", newline="\n")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    return folder / "index.html"


def executed(study: params.Study) -> list[Path]:
    """The executed notebooks of the study's own encoders, finetunes and retrievals, in reading order."""
    items = {"01_eda": [None], "02_feature_extraction": study.encoders, "03_finetuning": study.finetunes,
             "04_knn_retrieval": study.retrievals,
             **{f"04_{stage}": getattr(study, section) for stage, section in SYSTEMS.items()},
             "05_evaluation": [None]}  # fmt: skip
    found = [paths.executed(study.data.name, notebook, item) for notebook, names in items.items() for item in names]
    if missing := [path for path in found if not path.exists()]:
        raise PagesError(f"{missing[0].relative_to(paths.ROOT)} has not been executed. Run: dvc repro")
    return found


def page_of(notebook: Path) -> str:
    """One executed notebook as a self-contained page, code folded, parameters open."""
    config = Config({"TemplateExporter": {"extra_template_basedirs": [str(TEMPLATES)]}})
    exporter = nbconvert.HTMLExporter(config=config, template_name="folded", embed_images=True)
    # mathematics and widgets would be fetched from a public server; no page here needs them
    exporter.mathjax_url = exporter.require_js_url = exporter.jquery_url = exporter.mermaid_js_url = ""
    body, _ = exporter.from_notebook_node(
        nbformat.read(notebook, as_version=4), {"metadata": {"name": _title(notebook)}}
    )
    return body


def publish(study: params.Study) -> Path:
    """Copies a finished run's numbers to `reference/<data>/`, where git keeps them: no picture, no model.

    `metrics.csv`, a row per number, is cut into a file per retrieval: as a whole it is too large to be read or compared there.

    Raises:
        PagesError: the run is not finished.
    """
    data, target = study.data.name, paths.reference(study.data.name)
    files = {paths.PARAMS: "params.yaml", paths.ROOT / "dvc.lock": "dvc.lock", paths.ingest_report(data): "ingest.json"}
    metrics = paths.evaluation(data) / "metrics.csv"
    files |= {path: path.name for path in sorted(paths.evaluation(data).glob("*.*")) if path != metrics}
    for name in study.finetunes:
        files |= {path: f"finetuning/{name}/{path.name}" for path in sorted(paths.finetuning(data, name).glob("*.*"))}
    for stage, section in SYSTEMS.items():
        for name in getattr(study, section):
            tables = sorted(paths.system(data, stage, name).glob("*.csv"))
            files |= {path: f"systems/{stage}/{name}/{path.name}" for path in tables}
    executed(study)
    if missing := [path for path in files if not path.exists()]:
        raise PagesError(f"{missing[0].relative_to(paths.ROOT)} is missing. Finish the run first: dvc repro")
    table = pd.read_csv(metrics, dtype=str, keep_default_na=False)  # as it stands there, digit by digit
    shutil.rmtree(target, ignore_errors=True)
    for path, name in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name)
    (target / "metrics").mkdir()
    for retrieval, rows in table.groupby("retrieval", sort=False):
        rows.to_csv(target / "metrics" / f"{retrieval}.csv", index=False, lineterminator="\n")
    return target


def published_metrics(place: Path, retrievals: list[str]) -> pd.DataFrame:
    """The table of a published run's numbers, in the order of its retrievals."""
    return pd.concat([pd.read_csv(place / "metrics" / f"{name}.csv") for name in retrievals], ignore_index=True)


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """One row per retrieval: the strict protocol over all pictures by articleType, and two numbers of the thesis's protocol."""
    typed = table[table["relevance"] == "articleType"]
    strict = typed[(typed["protocol"] == "strict") & (typed["gallery"] == "all")].set_index(["retrieval", "metric"])
    size = max(
        (size for size in typed.loc[typed["protocol"] == "thesis", "gallery"].astype(str) if int(size) <= 1000), key=int
    )
    thesis = typed[(typed["protocol"] == "thesis") & (typed["gallery"].astype(str) == size)].set_index(
        ["retrieval", "metric"]
    )
    rows = {}
    for retrieval in table["retrieval"].unique():
        rows[retrieval] = {
            f"{metric} {kind}".removesuffix(" value"): strict[kind].get((retrieval, metric))
            for metric, kind in HEADLINE
        }
        rows[retrieval] |= {f"thesis {metric}": thesis["value"].get((retrieval, metric)) for metric in ("mAP", "hit@1")}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("retrieval")


def markdown(table: pd.DataFrame) -> str:
    """The headline of the first distance's retrievals as a table for a README, three decimals."""
    return headline(table[table["distance"] == table["distance"].iloc[0]]).to_markdown(floatfmt=".3f")


def _index(study: params.Study, notebooks: list[Path]) -> str:
    data = study.data.name
    ingest = json.loads(paths.ingest_report(data).read_text(encoding="utf-8"))
    table = pd.read_csv(paths.evaluation(data) / "metrics.csv")
    results = headline(table)
    text = paths.PARAMS.read_text(encoding="utf-8")
    sources = sorted({paths.ROOT / "notebooks" / f"{_chapter(path, data)}.ipynb" for path in notebooks})
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    return environment.get_template("index.html.j2").render(
        data=study.data, ingest=ingest, pictures=f"{ingest['pictures']:,}", findings=_findings(ingest),
        chapters=_chapters(notebooks, data), params_text=text, params_digest=_digest(text.encode()),
        queries=f"{ingest['test']:,}", not_run=study.not_run,
        **_verdicts(data, notebooks),
        results=[{"retrieval": name, "values": [_number(value) for value in row]} for name, row in results.iterrows()],
        sources=[(path.name, _digest(_source_text(path))) for path in sources],
        versions=[(name, version(name)) for name in LIBRARIES],
    )  # fmt: skip


def _verdicts(data: str, notebooks: list[Path]) -> dict:
    """The claims by verdict, each with a link to the cell it rests on where its chapter ran, and their counts by document."""
    ran = {path.relative_to(paths.outputs(data) / "notebooks").with_suffix("").as_posix() for path in notebooks}
    table = pd.read_csv(paths.evaluation(data) / "verdicts.csv", dtype={"document": str}, keep_default_na=False)
    table["see"] = [
        f"{chapter}.html#cell-id={cell}" if chapter in ran else ""
        for chapter, _, cell in table["see"].str.partition("#").to_numpy()
    ]
    counted = claims.counts(table)
    return {
        "claims": len(table),
        "verdict_names": claims.VERDICTS,
        "verdicts": {verdict: table[table["verdict"] == verdict].to_dict("records") for verdict in claims.VERDICTS},
        "verdict_counts": [{"document": name, "counts": row.tolist()} for name, row in counted.iterrows()],
    }


def _chapters(notebooks: list[Path], data: str) -> list[dict]:
    chapters: dict[str, dict] = {}
    for path in notebooks:
        name = _chapter(path, data)
        item = path.stem if path.stem != name else None
        first = next(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
        question = re.search(r"\*\*Question\.\*\* (.+?)\n\n", first, re.DOTALL)
        chapter = chapters.setdefault(
            name,
            {"title": first.splitlines()[0].lstrip("# "), "pages": [], "question": question[1] if question else ""},
        )
        chapter["pages"].append({"item": item, "href": f"{name}/{item}.html" if item else f"{name}.html"})
    return list(chapters.values())


def _findings(ingest: dict) -> list[tuple[str, str]]:
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
    return path.relative_to(paths.outputs(data) / "notebooks").parts[0].removesuffix(".ipynb")


def _title(path: Path) -> str:
    return path.stem if path.parent.name == "notebooks" else f"{path.parent.name} · {path.stem}"


def _source_text(path: Path) -> bytes:
    notebook = nbformat.read(path, as_version=4)
    return "\n".join(cell.source for cell in notebook.cells).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _number(value: float | None) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:.3f}"
