"""What the study follows from: the chapters without their outputs, and the code that each stage runs.

A stage follows from the modules that its notebook or its function imports, and those that these import, as far as they
are the project's, less `PLUMBING`. Their digests are one file for each stage, which `dvc.yaml` names: an edit of a
module changes the files of those stages that run it, and only these run again.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import nbformat

from pipeline import files, notebooks, paths, stages
from pipeline.params import Study
from pipeline.stages import Stage

# Code whose edits rerun no stage: it writes, names and carries what others compute, or declares parameters, which DVC
# follows key by key, by their values; what a parameter's default or its check makes of a value is not followed. Of
# `params` the tables of facts are followed, `backbones` and `columns`, and wherever code imports them by name the two
# modules that say what a network and a finetune are.
PLUMBING = {
    "pipeline",
    "pipeline.environment",
    "pipeline.files",
    "pipeline.graph",
    "pipeline.notebooks",
    "pipeline.params",
    "pipeline.params.cards",
    "pipeline.params.chapters",
    "pipeline.params.kinds",
    "pipeline.params.loading",
    "pipeline.params.references",
    "pipeline.params.scale",
    "pipeline.params.sections",
    "pipeline.params.study",
    "pipeline.params.suites",
    "pipeline.params.systems",
    "pipeline.paths",
    "pipeline.progress",
    "pipeline.reproduce",
    "pipeline.run",
    "pipeline.scale",
    "pipeline.sources",
    "pipeline.stages",
    "pipeline.warm",
}


def run(study: Study) -> None:
    """The stage: every chapter's source without outputs, and the digests of every stage's code."""
    for stage in stages.chapters():
        notebooks.clean(paths.source_notebook(stage.notebook), paths.clean_notebook(stage.notebook))
    for stage in stages.following():
        files.write_text(paths.code(stage.name), code_text(stage))


def code_text(stage: Stage) -> str:
    """The digests of a stage's code as the graph follows them."""
    return json.dumps(digests(stage), indent=1) + "\n"


def digests(stage: Stage) -> dict[str, str]:
    """The SHA-256 of each file of the project's code that a stage follows from, by its path."""
    return {file: hashlib.sha256((paths.ROOT / file).read_bytes()).hexdigest() for file in files_of(stage)}


def files_of(stage: Stage) -> list[str]:
    """The files of the project's code that a stage follows from, by their paths."""
    return [file_of(module).relative_to(paths.ROOT).as_posix() for module in code_of(stage)]


def code_of(stage: Stage) -> list[str]:
    """The project's modules that a stage follows from, by their names, sorted."""
    if stage.notebook:
        chapter = paths.source_notebook(stage.notebook)
        start = imported(notebook_source(chapter), chapter.name)
    else:
        start = {stage.work.split(":")[0]}
    return sorted(closure(start) - PLUMBING)


def closure(modules: Iterable[str]) -> set[str]:
    """Some modules with all of the project's that they import; through `PLUMBING` nothing is followed."""
    reached, waiting = set(), list(modules)
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += [] if module in PLUMBING else imports_of(module)
    return reached


@cache
def imports_of(module: str) -> list[str]:
    """The project's modules that a module imports, anywhere in it."""
    return sorted(imported(file_of(module).read_text(encoding="utf-8"), module))


def imported(source: str, where: str = "the text") -> set[str]:
    """The project's modules that a text of Python imports.

    Raises:
        ValueError: one that does not exist; a text that is no Python, `where` being its name.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ValueError(f"{where} is no Python: {error.msg}: {(error.text or '').strip()!r}") from None
    modules = {_module(name) for name in _names(tree)}
    return {module for module in modules if file_of(module).name != "__init__.py" or module in PLUMBING}


def notebook_source(path: Path) -> str:
    """The code of a notebook as one text, without lines that are for IPython alone.

    Raises:
        ValueError: a file that is no notebook.
    """
    try:
        cells = nbformat.read(path, as_version=4).cells
    except ValueError as error:
        raise ValueError(f"{path.name} is no notebook: {str(error)[:80]}") from None
    lines = [line for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


def file_of(module: str) -> Path:
    """The file of one of the project's modules."""
    place = paths.ROOT.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _module(name: str) -> str:
    """The module that an imported name is, or stands in."""
    module = next((module for module in (name, name.rpartition(".")[0]) if file_of(module).exists()), None)
    if module is None:
        raise ValueError(f"{name} is imported, and there is no such module")
    return module


def _names(tree: ast.AST) -> Iterator[str]:
    """What is imported of `pipeline`, modules and names inside them alike."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "pipeline")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pipeline":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
