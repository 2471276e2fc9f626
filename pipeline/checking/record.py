"""What is known of a run besides its lock: how its stages came about, and what is not as the sources are today."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from pipeline import files, params, paths, sources, stages
from pipeline.checking import runs
from pipeline.checking.runs import Run
from pipeline.checking.verify import parameters
from pipeline.params.sections import read_yaml


def write(data: str, made: dict[str, dict]) -> None:
    """Records how stages came about, each with the hashes of its products, so that an older record is not believed."""
    lock = paths.ROOT / runs.LOCK
    entries = runs.entries(lock.read_bytes()) if lock.exists() else {}
    new = {name: {**how, "outs": entries[name].outs} for name, how in made.items() if name in entries}
    files.write_json(paths.made(data), read(data) | new)


def read(data: str, place: Path | None = None) -> dict[str, dict]:
    """What was recorded, by stage, in this checkout or in another one."""
    found = runs.at(place or paths.ROOT, f"outputs/{data}/{paths.made(data).name}")
    return json.loads(found.read_text(encoding="utf-8")) if found else {}


def names(study: params.Study) -> list[str]:
    """The stages of a study as the lock names them, without the first, which writes down the sources."""
    return [name for stage in stages.following() for name in stages.names(study, stage)]


def today(study: params.Study, run: Run) -> dict[str, list[str]]:
    """For each stage, what of its parameters, its code and its chapter is not as the run was given it."""
    values = read_yaml(paths.PARAMS)
    found: dict[str, list[str]] = {}
    for stage in stages.following():
        now = _sources(stage)
        for name in stages.names(study, stage):
            if entry := run.stages.get(name):
                changed = [what for path, (hash_, what) in now.items() if entry.deps.get(path) != hash_]
                found[name] = [f"{what} has changed since" for what in changed] + _parameters(entry.params, values)
    return found


def _parameters(given: dict[str, Any], values: dict[str, Any]) -> list[str]:
    return [f"params.yaml: {text} since" for text in parameters(given, {name: _at(values, name) for name in given})]


def _at(values: Any, name: str) -> Any:
    for part in name.split("."):
        values = values.get(part, {}) if isinstance(values, dict) else {}
    return values


def _sources(stage: stages.Stage) -> dict[str, tuple[str, str]]:
    """What the stage would be given of today's code and chapter: by path in the graph, its hash and what it is."""
    from pipeline import notebooks  # here: with papermill it takes a second, which `repro` need not wait for

    given = {_relative(paths.code(stage.name)): (_hash(sources.code_text(stage).encode()), "its code")}
    if stage.notebook:
        source = paths.source_notebook(stage.notebook)
        with tempfile.TemporaryDirectory() as folder:
            clean = Path(folder) / source.name
            notebooks.clean(source, clean)
            given[_relative(paths.clean_notebook(stage.notebook))] = (_hash(clean.read_bytes()), _relative(source))
    return given


def _hash(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def _relative(path: Path) -> str:
    return path.relative_to(paths.ROOT).as_posix()
