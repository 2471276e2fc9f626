"""`dvc repro` as a person sees it: a line for each stage with its time, a bar for long work, a log of all the rest.

Everything that runs has one owner (`warm`): when this process ends, however it ends, all of it ends.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pipeline import environment, files, paths, warm

RUNNING = re.compile(r"^Running stage '(.+)':")
CACHED = re.compile(r"^Stage '(.+)' is cached")
AS_IT_WAS = re.compile(r"^Stage '(.+)' didn't change")
SHOWN = 30  # lines of what a failed stage said


class Busy(RuntimeError):
    """Another run works in this folder."""


def reproduce(options: list[str]) -> int:
    """`dvc repro` with this environment's Python, also where there is no git.

    Raises:
        Busy: another run is at work here.
    """
    log = paths.BUILD / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    variables = _variables()
    with _alone(), log.open("w", encoding="utf-8") as written, _owner(variables, written) as owner:
        _match_git(variables)
        command = [sys.executable, "-m", "dvc", "repro", *options]
        work = subprocess.Popen(
            command,
            cwd=paths.ROOT,
            env=variables,
            start_new_session=os.name != "nt",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if owner is not None:
            owner.write(f"{work.pid} ".encode())
        assert work.stdout is not None  # it was asked for
        told = Told(written)
        try:
            for line in _lines(work.stdout.fileno()):
                told.line(line)
            code = work.wait()
        except KeyboardInterrupt:
            _interrupt(work)
            raise
        told.end(code, log)
    return code


def _variables() -> dict[str, str]:
    """The environment that DVC, stages and kernels run in."""
    python = Path(sys.executable).parent
    return {
        **os.environ,
        **environment.variables(),
        "PATH": f"{python}{os.pathsep}{os.environ.get('PATH', '')}",
        "DVC_NO_ANALYTICS": "1",
        "PYTHONUNBUFFERED": "1",
    }


class Told:
    """What is shown of a run, line by line, and written to its log."""

    def __init__(self, log: IO[str]):
        self.log, self.begun = log, time.monotonic()
        self.stage: str | None = None
        self.said: list[str] = []
        self.ran = self.cached = self.same = 0

    def line(self, line: str) -> None:
        """Takes a line of what DVC and the stages say; one that ends in a carriage return is a bar."""
        if line.endswith("\r") or "\r" in line.strip("\r\n"):
            self._passing(line.strip().rpartition("\r")[2])
            return
        self.log.write(line)
        self.log.flush()
        self.said.append(line)
        if match := RUNNING.match(line):
            self._finish()
            self.stage, self.since, self.said = match[1], time.monotonic(), []
            self._passing(f"{self.stage} …")
        elif match := CACHED.match(line):
            self._finish()
            self.cached += 1
            self._say(f"{match[1]:<58} kept from an earlier run")
        elif AS_IT_WAS.match(line):
            self._finish()
            self.same += 1

    def end(self, code: int, log: Path) -> None:
        """The last lines: what a failed stage said, or how many stages there were."""
        if code:
            self._passing("")
            failed = f"{self.stage} failed. " if self.stage else ""
            print("".join(self.said[-SHOWN:]), file=sys.stderr)
            print(f"{failed}All that was said: {log.relative_to(paths.ROOT)}", file=sys.stderr)
            return
        self._finish()
        parts = [(self.ran, "ran"), (self.cached, "kept from an earlier run"), (self.same, "as they were")]
        counts = ", ".join(f"{count} {what}" for count, what in parts if count)
        print(f"\nStages: {counts}. {_duration(time.monotonic() - self.begun)}. The log: {log.relative_to(paths.ROOT)}")

    def _finish(self) -> None:
        """The stage that was running has ended well: the next one begins only then."""
        if self.stage:
            self.ran += 1
            self._say(f"{self.stage:<58} {_duration(time.monotonic() - self.since):>10}")
        self.stage = None

    def _say(self, line: str) -> None:
        self._passing("")
        print(line, flush=True)

    def _passing(self, line: str) -> None:
        """A line that the next one overwrites; nothing where no person looks."""
        if sys.stdout.isatty():
            print(f"\r\033[K{line[:100]}", end="", flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)} min {int(rest)} s" if minutes else f"{rest:.1f} s"


def _lines(said: int) -> Iterator[str]:
    """Lines as they come, each with its end; a carriage return ends one too, so that bars are seen as they grow."""
    rest = b""
    while part := os.read(said, 65536):
        *whole, rest = re.split(rb"(?<=[\r\n])", rest + part)
        yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace") + "\n"


@contextlib.contextmanager
def _owner(variables: dict[str, str], log: IO[str]) -> Iterator[IO[bytes] | None]:
    """The process that stages are forked from, named in `variables`; None where there can be none.

    It ends what it forked, and what is named in its input, when that input is closed: by this process's end at the
    latest.
    """
    if sys.platform != "linux":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as folder:
        address = f"{folder}/warm"
        command = [sys.executable, "-m", "pipeline.warm", "serve", address]
        owner = subprocess.Popen(
            command,
            cwd=paths.ROOT,
            env=variables,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            bufsize=0,
        )
        variables[warm.ADDRESS] = address
        try:
            yield owner.stdin
        finally:
            owner.communicate()  # closes its input, and waits


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Says which process runs here, and stops where another one does."""
    note = paths.BUILD / "run.pid"
    other = note.read_text(encoding="utf-8").strip() if note.exists() else ""
    if other.isdigit() and int(other) != os.getpid() and _runs(int(other)):
        raise Busy(
            f"process {other} is at work in {paths.ROOT}. Wait for it, or end it and what it started: kill {other}"
        )
    files.write_text(note, f"{os.getpid()}\n")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    import psutil

    with contextlib.suppress(psutil.Error):
        return "pipeline.run" in psutil.Process(process).cmdline()
    return False


def _interrupt(work: subprocess.Popen) -> None:
    """Passes an interruption on, and waits until what is finished has been kept."""
    if os.name != "nt":
        os.killpg(work.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        work.wait(30)


def _match_git(variables: dict[str, str]) -> None:
    """DVC needs to be told where there is no git checkout (a downloaded zip), and again once there is one."""
    local = paths.ROOT / ".dvc" / "config.local"
    without_git = local.exists() and "no_scm" in local.read_text(encoding="utf-8")
    if (paths.ROOT / ".git").exists() == without_git:
        setting = ["--unset", "core.no_scm"] if without_git else ["core.no_scm", "true"]
        command = [sys.executable, "-m", "dvc", "config", "--local", *setting]
        subprocess.run(command, cwd=paths.ROOT, env=variables, check=True)
