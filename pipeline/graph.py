"""`dvc.yaml` from the table of stages: what each stage runs, what it follows from, and what it makes.

A stage follows from the code that it runs: the modules that its notebook or its function imports, and those that these
import, as far as they are the project's, less `PLUMBING`.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import nbformat
from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from pipeline import files, paths, stages
from pipeline.stages import DATA, ITEM, KEY, STAGES, Stage, chapters

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
    "pipeline.params.chapters",
    "pipeline.params.kinds",
    "pipeline.params.loading",
    "pipeline.params.references",
    "pipeline.params.sections",
    "pipeline.params.study",
    "pipeline.params.suites",
    "pipeline.params.systems",
    "pipeline.paths",
    "pipeline.progress",
    "pipeline.reproduce",
    "pipeline.run",
    "pipeline.stages",
    "pipeline.warm",
}
HEADER = (
    "# The study as a graph, written by `python -m pipeline.run graph` from pipeline/stages.py: edit that, not this.\n"
    "# `dvc repro` runs what has changed; `dvc dag` draws it; `dvc status` says what is stale.\n"
)


def write() -> None:
    """Writes `dvc.yaml`."""
    files.write_text(paths.GRAPH, text())


def check() -> None:
    """Raises ValueError unless `dvc.yaml` is what the table of stages and the code say."""
    if paths.GRAPH.read_text(encoding="utf-8") != text():
        raise ValueError(
            "dvc.yaml is not what pipeline/stages.py and the imports of the code say. Write it anew with: "
            "python -m pipeline.run graph"
        )


def text() -> str:
    """What `dvc.yaml` holds."""
    stages.check()
    yaml, stream = YAML(), StringIO()
    yaml.representer.ignore_aliases = lambda *_: True  # a file is written out wherever it is named
    yaml.default_flow_style, yaml.width = False, 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump({"stages": {stage.name: _entry(stage) for stage in STAGES}}, stream)
    return HEADER + stream.getvalue()


def code_of(stage: Stage) -> list[str]:
    """The project's modules that a stage follows from, by their names, sorted."""
    if stage.notebook:
        start = imported(notebook_source(paths.source_notebook(stage.notebook)))
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
    return sorted(imported(file_of(module).read_text(encoding="utf-8")))


def imported(source: str) -> set[str]:
    """The project's modules that a text of Python imports.

    Raises:
        ValueError: one that does not exist.
    """
    modules = {_module(name) for name in _names(ast.parse(source))}
    return {module for module in modules if file_of(module).name != "__init__.py" or module in PLUMBING}


def notebook_source(path: Path) -> str:
    """The code of a notebook as one text."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


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


def _entry(stage: Stage) -> dict:
    """One stage as DVC reads it."""
    does = {"desc": stage.does, "cmd": f"python -m pipeline.run {stage.name} {stage.each}".rstrip()}
    parts = {"params": _params(stage), "deps": _deps(stage), "outs": _outs(stage)}
    parts |= {kind: [_file(file) for file in getattr(stage, kind)] for kind in ("metrics", "plots")}
    entry = {**does, **{kind: part for kind, part in parts.items() if part}}
    return {"foreach": f"${{{stage.section}}}", "do": entry} if stage.each else entry


def _params(stage: Stage) -> list[str]:
    own = [] if not stage.section or stage.each == ITEM else [f"{stage.section}.{KEY}" if stage.each else stage.section]
    data = ["data.name"] if stage.section not in ("", "data") else []
    return [*own, *stage.params, *data]


def _deps(stage: Stage) -> list:
    notebook = [_relative(_clean(stage))] if stage.notebook else []
    code = [_relative(file_of(module)) for module in code_of(stage)]
    return list(dict.fromkeys([*notebook, *map(_file, stage.reads), *code, *stage.also]))


def _outs(stage: Stage) -> list:
    if stage.name == "notebooks":
        return [_relative(_clean(chapter)) for chapter in chapters()]
    executed = [_relative(paths.executed(DATA, stage.notebook, stage.each or None))] if stage.notebook else []
    return [*map(_file, stage.writes), *executed]


def _clean(stage: Stage) -> Path:
    return paths.clean_notebook(stage.notebook)


def _file(file: tuple) -> str | dict:
    """A file of the table as DVC names it, with its options where there are any."""
    function, *arguments = file
    options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else None
    place = _relative(function(DATA, *arguments))
    return {place: options} if options else place


def _relative(path: Path) -> str:
    return path.relative_to(paths.ROOT).as_posix()
