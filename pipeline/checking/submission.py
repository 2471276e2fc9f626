"""A submission, opened so that nothing in it can do harm: bounded, without links, nothing outside its folder.

Nothing of it is executed, imported or unpickled: its notebooks, tables and locks are read as data.
"""

import json
import os
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Any

from pyarrow import ArrowException, parquet

from pipeline import params, paths
from pipeline.checking import runs
from pipeline.checking.runs import LOCK, PARAMETERS
from pipeline.params.sections import read_yaml

FILES, TOTAL = 20_000, 2**32  # of a submission, at most
NOTEBOOK, TEXT = 2**26, 2**22  # bytes of one notebook, of one lock or parameter file, at most
ALIAS = re.compile(r"(?m)(?:^|[\s,\[{:-])[&*][A-Za-z0-9_]")  # of YAML: a few of them unfold to any size
TABLE, CELLS = 2**28, 10**8  # bytes of a table, and what it may have in rows times columns, at most
RECORDS = {paths.machine("x").name, paths.made("x").name}  # what a run says of its machine and of its stages
SKIPPED = {".git", ".venv", ".dvc", "build"}  # folders at its top of which nothing is read
PICTURES = ("name", "source", "path", "watch", "handle")  # of the parameters of data: where pictures come from
COPIED = 2**20  # bytes of an archive's member that are unpacked at once


class Refused(ValueError):
    """A submission that is not opened, or a file of it that is not read; says why."""


@dataclass(frozen=True)
class Submission:
    """A submission's name, its folder, and its files by their paths there."""

    name: str
    place: Path
    files: dict[str, Path]

    def find(self, notebook: str) -> Path | None:
        """The notebook of a chapter or an item: one that the study executed first, then the nearest to the top."""
        name = f"{notebook}.ipynb"
        found = [path for path in self.files if path == name or path.endswith(f"/{name}")]
        found = found or [path for path in self.files if PurePosixPath(path).name == PurePosixPath(name).name]
        best = min(found, key=lambda path: ("outputs/" not in path, path.count("/"), path), default=None)
        return self.files[best] if best else None

    def at(self, path: str) -> Path | None:
        """What lies at a path that its lock names; None where nothing does that was looked at when it was opened."""
        first = PurePosixPath(path).parts[:1]
        return None if not first or first[0] in SKIPPED else runs.at(self.place, path)


@contextmanager
def opened(path: Path) -> Iterator[Submission]:
    """A folder, a zip or a single notebook, ready to be read; what was unpacked is removed afterwards.

    Raises:
        Refused: links, paths that lead out of it, too many files or bytes, something that is no submission.
    """
    if path.is_symlink():
        raise Refused(f"{path.name} is a symbolic link")
    if path.is_dir():
        yield Submission(path.name, _root(path), _listed(_root(path)))
    elif path.suffix == ".ipynb" and path.is_file():
        yield Submission(path.stem, path.parent, {path.name: path})
    elif zipfile.is_zipfile(path):
        with tempfile.TemporaryDirectory(prefix="submission-") as folder:
            _unpack(path, Path(folder))
            root = _root(Path(folder))
            yield Submission(path.stem, root, _listed(root))
    else:
        raise Refused(f"{path.name} is no folder, no zip and no notebook")


def _root(folder: Path) -> Path:
    """The folder that the study lies in: of an archive often the only one at its top."""
    inner = [path for path in folder.iterdir() if path.name != "__MACOSX"]
    return inner[0] if len(inner) == 1 and inner[0].is_dir() and not inner[0].is_symlink() else folder


def _listed(root: Path) -> dict[str, Path]:
    """The files of a folder.

    Raises:
        Refused: anything that is no plain file, or more than is read.
    """
    found: dict[str, Path] = {}
    total = 0
    for place, folders, names in os.walk(root):
        if Path(place) == root:  # further down a lock may name what holds such a folder
            folders[:] = [name for name in folders if name not in SKIPPED]
        for path in (Path(place) / name for name in [*folders, *names]):
            status = path.lstat()
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "no plain file"
                raise Refused(f"{path.relative_to(root).as_posix()} is {kind}")
            if stat.S_ISREG(status.st_mode):
                found[path.relative_to(root).as_posix()] = path
                total += status.st_size
        _bound(len(found), total)
    return found


def _bound(files: int, total: int) -> None:
    if files > FILES or total > TOTAL:
        raise Refused(f"it has more than {FILES:,} files or {TOTAL:,} bytes")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip, each member checked before the first is written, and its bytes counted as they come."""
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            _bound(len(members), sum(member.file_size for member in members))
            for member in members:
                _check(member)
            total = 0
            for member in members:
                target = folder / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as source, target.open("xb") as written:
                    while part := source.read(COPIED):
                        total += len(part)
                        _bound(0, total)
                        written.write(part)
    except (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise Refused(f"the zip cannot be unpacked: {str(error)[:100]}") from None


def _check(member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in member.filename or "\0" in member.filename:
        raise Refused(f"its path {member.filename[:80]!r} leads out of the submission")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise Refused(f"{member.filename[:80]} is a symbolic link")


def notebook(path: Path) -> dict[str, Any]:
    """A notebook's values, with cells as far as a notebook has them.

    Raises:
        Refused: too large to be read, or no notebook.
    """
    if path.stat().st_size > NOTEBOOK:
        raise Refused(f"{path.name} has {path.stat().st_size:,} bytes; {NOTEBOOK:,} are read at most")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        cells = [cell for cell in found["cells"] if isinstance(cell, dict)]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refused(f"{path.name} is no notebook") from None
    return {**found, "cells": cells}


def table(path: Path) -> Path:
    """The same path, once it is known that a table there can be read.

    Raises:
        Refused: too large to be read, or no table.
    """
    if path.stat().st_size > TABLE:
        raise Refused(f"{path.name} has {path.stat().st_size:,} bytes; {TABLE:,} are read at most")
    if path.suffix == ".parquet":
        try:
            described = parquet.read_metadata(path)
        except (ArrowException, OSError):
            raise Refused(f"{path.name} is no table") from None
        if described.num_rows * described.num_columns > CELLS:
            raise Refused(f"{path.name} has {described.num_rows:,} rows: more than are read")
    return path


def check_texts(given: Submission) -> None:
    """Refuses a lock or parameters that are too large, that unfold when read, or that name data by no plain name."""
    for name, record in given.files.items():
        if (record.name in RECORDS or name in (LOCK, PARAMETERS)) and record.stat().st_size > TEXT:
            raise Refused(f"{name} has {record.stat().st_size:,} bytes; {TEXT:,} are read at most")
    for name in (LOCK, PARAMETERS):
        path = given.files.get(name)
        if path is None:
            continue
        if ALIAS.search(path.read_text(encoding="utf-8", errors="replace")):
            raise Refused(f"{name} has anchors or aliases, which nothing here writes")
        if name == PARAMETERS:
            data = str(read_yaml(path)["data"]["name"])
            if not re.fullmatch(r"[\w-]+", data) or data in SKIPPED:
                raise Refused(f"{name} names data {data[:80]!r}")


def check_reach(asked: params.Study, here: params.Study) -> None:
    """Refuses to run parameters that lead out of the clone: to files, a download, a scheduler or a cluster's jobs."""
    own, other = ({name: getattr(study.data, name) for name in PICTURES} for study in (here, asked))
    moved = [f"data.{name}" for name in PICTURES if own[name] != other[name]]
    files = {weights.path for weights in here.weights.values()} | {None}
    moved += [f"weights.{name}.path" for name, weights in asked.weights.items() if weights.path not in files]
    moved += ["scale"] if asked.scale != here.scale else []
    if moved:
        raise Refused(f"not executed: its parameters lead elsewhere than those here: {', '.join(moved)}")
