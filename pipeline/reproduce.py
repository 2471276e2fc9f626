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
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from pipeline import environment, files, paths, schedule, warm

RUNNING = re.compile(r"^Running stage '(.+)':")
CACHED = re.compile(r"^Stage '(.+)' is cached")
AS_IT_WAS = re.compile(r"^Stage '(.+)' didn't change")
ENDED = "\0the stage has ended well\n"  # what a worker says when it is ready for the next one
PATIENCE = 30.0  # seconds that an interrupted stage may take to end
AGAIN = 0.02  # seconds until a worker looks again whether the other one has left DVC's lock
SHOWN = 30  # lines of what a failed stage said


class Busy(RuntimeError):
    """Another run works in this folder."""


RAN, KEPT = "ran", "from cache"  # how a stage came about


def reproduce(options: list[str], jobs: int = 1) -> tuple[int, dict[str, dict]]:
    """`dvc repro` with this environment's Python, also where there is no git: its exit code, and of the stages that it
    ran, or took from an earlier run, which of the two it was, and the seconds.

    `jobs`: so many stages beside each other; with more than one, of DVC's options only `--force`.

    Raises:
        Busy: another run is at work here.
    """
    log = paths.BUILD / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    variables = _variables()
    with _alone(), log.open("w", encoding="utf-8") as written, _owner(variables, written) as owner:
        _match_git(variables)
        told = Told(written)

        def start(*command: str) -> subprocess.Popen:
            return _start(command, variables, owner)

        code = _one_by_one(options, start, told) if jobs == 1 else _together(options, jobs, start, told)
        told.end(code, log)
    return code, told.made


def _start(command: Iterable[str], variables: dict[str, str], owner: IO[bytes] | None) -> subprocess.Popen:
    """A process of this Python, which ends when this one does."""
    work = subprocess.Popen(
        [sys.executable, *command],
        cwd=paths.ROOT,
        env=variables,
        start_new_session=os.name != "nt",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if owner is not None:
        owner.write(f"{work.pid} ".encode())
    return work


def _one_by_one(options: list[str], start: Callable[..., subprocess.Popen], told: "Told") -> int:
    """DVC's own order."""
    work = start("-m", "dvc", "repro", *options)
    assert work.stdin is not None and work.stdout is not None  # they were asked for
    work.stdin.close()
    try:
        for line in _lines(work.stdout.fileno()):
            told.line(line)
        return work.wait()
    except KeyboardInterrupt:
        _interrupt([work])
        raise


def _together(options: list[str], jobs: int, start: Callable[..., subprocess.Popen], told: "Told") -> int:
    """Some processes of DVC, each of which runs one stage after the other as they become ready."""
    workers = [start("-m", "pipeline.reproduce", *options) for _ in range(jobs)]
    follows, told.same = _stale(bool(options))
    plan = schedule.Schedule(follows)
    with ThreadPoolExecutor(jobs) as threads:
        try:
            codes = list(threads.map(lambda worker: _give(plan, worker, told), workers))
        except KeyboardInterrupt:  # the threads wait for what the workers say
            plan.stop()
            _interrupt(workers)
            raise
    return next((code for code in codes if code), 0)


def _give(plan: schedule.Schedule, worker: subprocess.Popen, told: "Told") -> int:
    """Gives a worker stages until there is none left, or one fails; its exit code, 1 or more where it was killed."""
    assert worker.stdin is not None and worker.stdout is not None  # they were asked for
    lines = _lines(worker.stdout.fileno())
    try:
        while name := plan.take():
            with contextlib.suppress(OSError):  # it has gone: then it says nothing, below
                worker.stdin.write(f"{name}\n".encode())
                worker.stdin.flush()
            for line in lines:
                if line == ENDED:
                    told.over(worker.pid)
                    break
                told.line(line, worker.pid)
            else:
                told.failed(name)
                return abs(worker.wait()) or 1
            plan.done(name)
    finally:
        plan.stop()  # all is done; or nobody shall wait for a stage that will not end
    with contextlib.suppress(OSError):
        worker.stdin.close()
    return abs(worker.wait())


def _stale(every: bool) -> tuple[dict[str, set[str]], int]:
    """The stages that DVC finds changed, with those that follow from them: what each follows from; and how many others.

    `every`: all stages, whatever DVC finds.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from networkx import ancestors

    try:
        with Repo(paths.ROOT) as repo:
            graph = repo.index.graph  # from each stage to those that it follows from
            status = {} if every else repo.status()
    except DvcException as error:
        raise RuntimeError(f"{error} (DVC works here already, or dvc.yaml cannot be read)") from error
    follows = {stage.name: {other.name for other in graph.successors(stage)} for stage in graph}
    if every:
        return follows, 0
    changed = [stage for stage in graph if stage.addressing in status]
    stale = {stage.name for stage in changed}.union(*({s.name for s in ancestors(graph, stage)} for stage in changed))
    return {name: follows[name] for name in follows if name in stale}, len(follows) - len(stale)


def _work(options: list[str]) -> int:
    """A worker's life: runs the stages whose names it reads, until one fails."""
    from dvc import lock
    from dvc.cli import main

    lock.DEFAULT_TIMEOUT = 6 * AGAIN  # of which DVC takes a sixth between two looks, half a second if it is left alone
    with os.fdopen(os.dup(0)) as names, Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)  # a stage reads no names
        for name in names:
            if code := main(["--wait-for-lock", "repro", "--single-item", *options, name.strip()]):
                return code
            print(ENDED, end="", flush=True)
    return 0


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


@dataclass
class Working:
    """What one process of DVC is at: its stage, since when, and what has been said of it."""

    stage: str | None = None
    since: float = 0.0
    said: list[str] = field(default_factory=list)


class Told:
    """What is shown of a run, line by line, and written to its log."""

    def __init__(self, log: IO[str]):
        self.log, self.begun = log, time.monotonic()
        self.working: dict[int, Working] = {}
        self.ran = self.cached = self.same = 0
        self.made: dict[str, dict] = {}
        self._one_at_a_time = threading.RLock()

    def line(self, line: str, process: int = 0) -> None:
        """Takes a line of what DVC and the stages say; one that ends in a carriage return is a bar."""
        with self._one_at_a_time:
            working = self.working.setdefault(process, Working())
            if line.endswith("\r") or "\r" in line.strip("\r\n"):
                self._passing(line.strip().rpartition("\r")[2])
                return
            self.log.write(line)
            self.log.flush()
            working.said.append(line)
            if match := RUNNING.match(line):
                self.over(process)
                self.working[process] = Working(match[1], time.monotonic())
                self._passing(f"{match[1]} …")
            elif match := CACHED.match(line):
                self.over(process)
                self.cached += 1
                self.made[match[1]] = {"how": KEPT, "seconds": None}
                self._say(f"{match[1]:<58} kept from an earlier run")
            elif AS_IT_WAS.match(line):
                self.over(process)
                self.same += 1

    def over(self, process: int) -> None:
        """The stage that a process was running has ended well."""
        with self._one_at_a_time:
            working = self.working[process]
            if working.stage:
                self.ran += 1
                seconds = time.monotonic() - working.since
                self.made[working.stage] = {"how": RAN, "seconds": round(seconds, 1)}
                self._say(f"{working.stage:<58} {_duration(seconds):>10}")
            working.stage = None

    def failed(self, stage: str) -> None:
        """A stage has failed while others may be at work."""
        with self._one_at_a_time:
            self._say(f"{stage:<58} failed; what else is at work is waited for")

    def end(self, code: int, log: Path) -> None:
        """The last lines: what a failed stage said, or how many stages there were."""
        if code:
            self._passing("")
            failed = [working for working in self.working.values() if working.stage] or list(self.working.values())
            for working in failed:
                print("".join(working.said[-SHOWN:]), file=sys.stderr)
            names = "".join(f"{working.stage} failed. " for working in failed if working.stage)
            print(f"{names}All that was said: {log.relative_to(paths.ROOT)}", file=sys.stderr)
            return
        for process in self.working:
            self.over(process)
        parts = [(self.ran, "ran"), (self.cached, "kept from an earlier run"), (self.same, "as they were")]
        counts = ", ".join(f"{count} {what}" for count, what in parts if count)
        print(f"\nStages: {counts}. {_duration(time.monotonic() - self.begun)}. The log: {log.relative_to(paths.ROOT)}")

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
    """Lines as they come, each with its end; a carriage return ends one too, so that bars are seen as they grow.

    Windows ends a line with both: they count as one.
    """
    rest = b""
    while part := os.read(said, 65536):
        *whole, rest = re.split(rb"(?<=\n)|(?<=\r)(?=[^\n])", rest + part)
        yield from (line.decode(errors="replace").replace("\r\n", "\n") for line in whole)
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
        variables |= {warm.ADDRESS: address, warm.SERVER: str(owner.pid)}
        try:
            yield owner.stdin
        finally:
            owner.communicate()  # closes its input, and waits


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Says which process runs here, and stops where another one does."""
    note, lock = paths.BUILD / "run.pid", FileLock(paths.BUILD / "run.lock", blocking=False)
    note.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire()  # the system lets it go when its process ends, however it does
    except Timeout:
        other = note.read_text(encoding="utf-8").strip() if note.exists() else "?"
        raise Busy(
            f"process {other} is at work in {paths.ROOT}. Wait for it, or end it and what it started: kill {other}"
        ) from None
    try:
        files.write_text(note, f"{os.getpid()}\n")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _interrupt(workers: list[subprocess.Popen]) -> None:
    """Passes an interruption on, waits until what is finished has been kept, and ends who does not end by then."""
    if os.name != "nt":
        for worker in workers:
            _send(worker, signal.SIGINT)
    until = time.monotonic() + PATIENCE
    for worker in workers:
        try:
            worker.wait(max(until - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            worker.kill() if os.name == "nt" else _send(worker, signal.SIGKILL)


def _send(worker: subprocess.Popen, number: int) -> None:
    """A signal to a worker and to what it started in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, number)


def _match_git(variables: dict[str, str]) -> None:
    """DVC needs to be told where there is no git checkout (a downloaded zip), and again once there is one."""
    local = paths.ROOT / ".dvc" / "config.local"
    without_git = local.exists() and "no_scm" in local.read_text(encoding="utf-8")
    if (paths.ROOT / ".git").exists() == without_git:
        setting = ["--unset", "core.no_scm"] if without_git else ["core.no_scm", "true"]
        command = [sys.executable, "-m", "dvc", "config", "--local", *setting]
        subprocess.run(command, cwd=paths.ROOT, env=variables, check=True)


if __name__ == "__main__":
    sys.exit(_work(sys.argv[1:]))
