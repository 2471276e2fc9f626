"""The study run again from nothing, in a clone that is removed afterwards, with no cache to take results from."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pipeline import params, paths
from pipeline.checking import runs
from pipeline.checking.runs import RunError

MEMORY, FILE = 2**34, 2**32  # bytes of one process and of one file of a run with limits, where the system can hold it


@contextmanager
def rerun(jobs: int, parameters: Path, seconds: float | None = None) -> Iterator[Path]:
    """A clone of this commit, with a file of parameters, in which the whole study has been run.

    Files that the parameters name and git does not keep, as downloaded pictures and weights, are linked into it.

    `seconds`: what it may take; a run with this limit has bounds of memory and files as well.

    Raises:
        RunError: no git; a stage that failed; a run that took too long. What the run says is shown as it comes.
    """
    with tempfile.TemporaryDirectory(prefix="from-scratch-", ignore_cleanup_errors=True) as folder:
        place = Path(folder).resolve() / "study"
        if runs.git("clone", "--quiet", str(paths.ROOT), str(place)) is None:
            raise RunError("--from-scratch clones this repository, and git does not: is this a clone with a commit?")
        shutil.copyfile(parameters, place / paths.PARAMS.name)
        _link(_given(parameters), place)
        command = [sys.executable, "-m", "pipeline.run", "repro", "--jobs", str(jobs)]
        limited = partial(limit, MEMORY, FILE) if seconds and sys.platform != "win32" else None
        try:
            # its lines are progress: what a command was asked for stands alone on standard output
            code = subprocess.run(command, cwd=place, timeout=seconds, preexec_fn=limited, stdout=sys.stderr).returncode
        except subprocess.TimeoutExpired:  # killed; its stages and kernels end with it
            raise RunError(f"the study was stopped in the clone after {seconds:g} seconds") from None
        if code:
            raise RunError("the study did not run to its end in the clone: what it said stands above")
        yield place


def _given(parameters: Path) -> list[str]:
    """The files of one's own that parameters name: the pictures, and weights."""
    read = params.read_yaml(parameters)
    sections = [read.get("data"), *(read.get("weights") or {}).values()] if isinstance(read, dict) else []
    return [str(section["path"]) for section in sections if isinstance(section, dict) and section.get("path")]


def _link(names: list[str], place: Path) -> None:
    """Links what lies in this checkout and the clone has not, where the clone will look for it."""
    for name in names:
        here, there = paths.ROOT / name, place / name
        if here.exists() and not there.exists() and there.resolve().is_relative_to(place):
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(here.resolve())


def limit(memory: int, file: int) -> None:
    """Bounds the process that calls it, and all that it starts: bytes of each one's memory, and of a file it writes."""
    import resource

    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, file), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def left_out() -> list[str]:
    """The changes that are not committed and that a clone therefore lacks."""
    changed = (runs.git("status", "--porcelain") or "").splitlines()
    own = {paths.PARAMS.name, runs.LOCK}
    return [line[3:] for line in changed if line[3:] not in own]
