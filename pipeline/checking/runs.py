"""A run to look at, wherever it is: what its lock says of each stage, its parameters, and its files by their hashes.

A run is a folder (this one, a clone), a commit or an experiment of DVC's, or what was published in `reference/`. Bytes
are hashed here and not by DVC, which takes a file for unchanged while its size and time are: a forger sets these.
"""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pathspec import PathSpec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline import files, paths
from pipeline.params.sections import read_yaml

LOCK, PARAMETERS = "dvc.lock", "params.yaml"
CACHE = Path(".dvc/cache/files/md5")
FOLDER = ".dir"  # how the hash of a folder ends: it is that of the list of its files
METRICS = "metrics.csv"
LARGEST_LIST = 2**26  # bytes of such a list
IGNORED = ".dvcignore"  # of a checkout: what in it is no part of a folder's hash


class RunError(ValueError):
    """A run that is not there, or whose files cannot be read."""


@dataclass(frozen=True)
class Entry:
    """What the lock says of one stage: hashes by path, and the parameters that it was given."""

    deps: dict[str, str] = field(default_factory=dict)
    outs: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run: its name, its lock's text and entries by stage, its parameters, its machine (empty where it does not say).

    `find`: a file with what the run had at a path, whose hash is given; None where there is none here.
    """

    name: str
    lock: bytes
    stages: dict[str, Entry]
    params: dict[str, Any]
    machine: dict[str, Any]
    find: Callable[[str, str], Path | None]

    def outs(self) -> dict[str, str]:
        """The hash of everything that the run made, by path."""
        return {path: known for entry in self.stages.values() for path, known in entry.outs.items()}


def named(name: str) -> Run:
    """A run by what a person calls it: a checkout's folder, `reference/<data>`, or else a commit or an experiment.

    Raises:
        RunError: there is no such run.
    """
    if name.startswith("reference/"):
        return published(name.removeprefix("reference/").strip("/"))
    return of_folder(Path(name)) if (Path(name) / LOCK).exists() else of_commit(name)


def of_folder(place: Path) -> Run:
    """The run whose results lie in a checkout.

    Raises:
        RunError: nothing was run there.
    """
    lock = place / LOCK
    if not lock.exists() or not (place / PARAMETERS).exists():
        raise RunError(f"{place} has no {LOCK} or no {PARAMETERS}: nothing was run. Run: python -m pipeline.run repro")

    values, text = read_yaml(place / PARAMETERS), lock.read_bytes()
    machine = at(place, f"outputs/{values['data']['name']}/{paths.machine('x').name}")
    name = "this folder" if place.resolve() == paths.ROOT.resolve() else str(place)
    described = _json(machine) if machine else {}
    return Run(name, text, entries(text), values, described, lambda path, known: at(place, path))


def at(place: Path, path: str) -> Path | None:
    """What lies in a checkout at a path that its lock names; None where nothing does, or the path leads out of it."""
    if Path(path).is_absolute() or ".." in Path(path).parts:
        return None
    return place / path if (place / path).exists() else None


def published(data: str) -> Run:
    """The published run of some data, its files those that git keeps in `reference/`, or DVC's cache has.

    Raises:
        RunError: none was published.
    """
    place = paths.reference(data)
    if not (place / LOCK).exists():
        known = sorted(path.parent.name for path in place.parent.glob(f"*/{LOCK}"))
        raise RunError(
            f"nothing was published of {data!r}, so there is nothing to hold this run against. Known: {known}"
        )

    values, text = read_yaml(place / PARAMETERS), (place / LOCK).read_bytes()

    def find(path: str, known: str) -> Path | None:
        copy = published_copy(place, data, path)
        if copy.name == METRICS and not copy.exists():
            copy = _joined(place, list(values["retrievals"]))
        return copy if copy.is_file() and hash_of(copy) == known else in_cache(known)

    return Run(f"reference/{data}", text, entries(text), values, _json(place / "machine.json"), find)


def _joined(place: Path, retrievals: list[str]) -> Path:
    """The table of all metrics, which a publication cuts into a file per retrieval, as the one that it was."""
    target = paths.BUILD / place.name / METRICS
    parts = [place / "metrics" / f"{name}.csv" for name in retrievals]
    texts = [part.read_text(encoding="utf-8").partition("\n") for part in parts if part.exists()]
    if texts:
        files.write_text(target, f"{texts[0][0]}\n{''.join(rows for _, _, rows in texts)}")
    return target


def published_copy(place: Path, data: str, path: str) -> Path:
    """Where a published run keeps its copy of what it made at a path; a copy need not be there."""
    return place / path.removeprefix(f"outputs/{data}/").removeprefix("evaluation/")


def of_commit(revision: str) -> Run:
    """The run of a commit, a branch, a tag or an experiment's name: its lock from git, its files from DVC's cache.

    Raises:
        RunError: git knows no such commit, or nothing was run there.
    """
    if not re.fullmatch(r"[\w][\w./^~@{}-]*", revision):
        raise RunError(f"{revision!r} names no commit, branch, tag or experiment, and is no folder")
    commit = _revision(revision)
    text, parameters = _shown(commit, LOCK, revision), _shown(commit, PARAMETERS, revision)
    return Run(
        revision, text, entries(text), YAML(typ="safe").load(parameters), {}, lambda path, known: in_cache(known)
    )


def _revision(name: str) -> str:
    """The commit that a name stands for; an experiment's name is looked for where DVC keeps them."""
    for asked in (name, f"refs/exps/*/*/{name}"):
        found = git("for-each-ref", "--format=%(objectname)", asked) if "*" in asked else None
        answer = (found or git("rev-parse", "--verify", "--quiet", f"{asked}^{{commit}}") or "").split()
        if answer:
            return answer[0]
    raise RunError(f"git knows no commit, branch, tag or experiment {name!r}, and there is no such folder")


def _shown(commit: str, path: str, name: str) -> bytes:
    text = git("show", f"{commit}:{path}")
    if text is None:
        raise RunError(f"{name} has no {path}: nothing was run there")
    return text.encode()


def git(*arguments: str) -> str | None:
    """What git says, None where it fails or is not there."""
    try:
        said = subprocess.run(["git", *arguments], cwd=paths.ROOT, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout.decode(errors="replace") if said.returncode == 0 else None


def entries(lock: bytes) -> dict[str, Entry]:
    """What a lock says of each stage.

    Raises:
        RunError: a text that is no lock of DVC's.
    """
    try:
        stages = YAML(typ="safe").load(lock.decode())["stages"]
        return {
            name: Entry(
                {dep["path"]: dep["md5"] for dep in entry.get("deps", [])},
                {out["path"]: out["md5"] for out in entry.get("outs", [])},
                entry.get("params", {}).get(PARAMETERS, {}),
            )
            for name, entry in stages.items()
        }
    except (YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"dvc.lock cannot be read as DVC writes it: {' '.join(str(error).split())[:120]}") from None


def hash_of(path: Path) -> str:
    """The hash that DVC gives a file or a folder: MD5 of the bytes, of a folder that of the list of its files."""
    if path.is_dir():
        listed = [{"md5": known, "relpath": name} for name, known in sorted(members(path).items())]
        return hashlib.md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + FOLDER
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def members(folder: Path) -> dict[str, str]:
    """The hash of each file of a folder, by its path there, without those that DVC ignores."""
    root = next((parent for parent in folder.absolute().parents if (parent / IGNORED).exists()), None)
    lines = (root / IGNORED).read_text(encoding="utf-8").splitlines() if root else []
    ignored = PathSpec.from_lines("gitwildmatch", lines)
    return {
        path.relative_to(folder).as_posix(): hash_of(path)
        for path in _files(folder)
        if root is None or not ignored.match_file(path.absolute().relative_to(root).as_posix())
    }


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in names)


def listed(known: str) -> dict[str, str] | None:
    """The hash of each file of a folder whose hash is known; None where DVC's cache lacks its list."""
    path = in_cache(known)
    if path is None or path.stat().st_size > LARGEST_LIST:
        return None
    return {file["relpath"]: file["md5"] for file in json.loads(path.read_text(encoding="utf-8"))}


def in_cache(known: str) -> Path | None:
    """The file of a hash in DVC's cache, None where it is not there or is not what its name says."""
    path = paths.ROOT / CACHE / known[:2] / known[2:]
    return path if path.is_file() and hash_of(path) == known.removesuffix(FOLDER) else None


def leaves(value: Any, name: str = "", between: str = "/") -> dict[str, Any]:
    """The values of nested mappings and lists by their way there, joined by `between`.

    >>> leaves({"joint": {"mAP": 0.5, "hits": [1, 2]}})
    {'joint/mAP': 0.5, 'joint/hits/0': 1, 'joint/hits/1': 2}
    """
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {name: value}
    flat: dict[str, Any] = {}
    for key, part in items:
        flat |= leaves(part, f"{name}{between}{key}" if name else str(key), between)
    return flat


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
