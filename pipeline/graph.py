"""`dvc.yaml` from the table of stages: what each stage runs, what it follows from, and what it makes."""

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from pipeline import files, params, paths, sources, stages
from pipeline.stages import DATA, ITEM, KEY, SOURCES, STAGES, Stage, chapters, following

HEADER = (
    "# The study as a graph, written by `python -m pipeline.run graph` from pipeline/stages.py: edit that, not this.\n"
    "# `dvc repro` runs what has changed; `dvc dag` draws it; `dvc status` says what is stale: after an edit of code\n"
    "# `sources`, and once that has run the stages that run the code.\n"
)


def write() -> None:
    """Writes `dvc.yaml`."""
    files.write_text(paths.GRAPH, text())


def check() -> None:
    """Raises ValueError unless `dvc.yaml` is what the table of stages and the imports say."""
    if paths.GRAPH.read_text(encoding="utf-8") != text():
        raise ValueError(
            "dvc.yaml is not what pipeline/stages.py and imports say. Write it anew: python -m pipeline.run graph"
        )


def check_sections() -> None:
    """Raises ParamsError where `params.yaml` lacks a section whose items DVC would run, though it may be empty."""
    sections = {stage.section.partition(".")[0] for stage in STAGES if stage.each}
    if missing := sorted(sections - set(params.read_yaml(paths.PARAMS))):
        raise params.ParamsError(
            f"params.yaml lacks the section {missing[0]!r}, which studies have since it was written. Compose it anew, "
            f"or add the line: {missing[0]}: {{}}"
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
    if stage.name == SOURCES:
        return [*stage.also, *sorted({path for other in following() for path in sources.files_of(other)})]
    code = [_relative(paths.code(stage.name))]
    notebook = [_relative(paths.clean_notebook(stage.notebook))] if stage.notebook else []
    return [*code, *notebook, *map(_file, stage.reads), *stage.also]


def _outs(stage: Stage) -> list:
    if stage.name == SOURCES:
        clean = [_relative(paths.clean_notebook(chapter.notebook)) for chapter in chapters()]
        return [*clean, *(_relative(paths.code(other.name)) for other in following())]
    executed = [_relative(paths.executed(DATA, stage.notebook, stage.each or None))] if stage.notebook else []
    return [*map(_file, stage.writes), *executed]


def _file(file: tuple) -> str | dict:
    """A file of the table as DVC names it, with its options where there are any."""
    function, *arguments = file
    options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else None
    place = _relative(function(DATA, *arguments))
    return {place: options} if options else place


def _relative(path: Path) -> str:
    return path.relative_to(paths.ROOT).as_posix()
