"""Long work in pieces, done here or by Dask's workers on other machines, through `concurrent.futures`' interface.

A piece gives the same bytes whoever does it and however often, so a worker that is lost costs its time alone.

    python -m pipeline.scale scheduler [OPTION …]            Dask's scheduler, with this project's settings
    python -m pipeline.scale worker [ADDRESS] [OPTION …]     a worker of one thread; both take Dask's own options
"""

import hashlib
import os
import queue
import shlex
import shutil
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline import environment, machine, params, paths, progress
from pipeline.params.scale import HERE

VARIABLE = "PIPELINE_SCALE"  # a stage tells its notebook here: among a notebook's parameters it would change its bytes
LOOKED = 5  # seconds after which it is looked whether there is a worker, where no piece has ended
RETRIES = 2  # of a piece that ends with a fault; one whose worker is lost is given to others
SETTINGS = {
    "distributed.scheduler.allowed-failures": 100,  # a node that is taken away says nothing of its task
    "distributed.scheduler.worker-ttl": "60s",  # one that says nothing for so long is lost
    "distributed.scheduler.work-stealing": False,  # a piece is long, and the next is sent when it ends
    "distributed.scheduler.unknown-task-duration": "60s",  # a young job is not cancelled for having little to do
    "distributed.comm.timeouts.tcp": "30s",  # of less than about 11 s Dask says "Timeout too low", and waits for ever
    "distributed.worker.memory.terminate": False,  # the system decides who has too much
}
Each = Callable[[Callable, Iterable[tuple]], Iterator]


class ScaleError(RuntimeError):
    """Workers that cannot be had, or cannot be used."""


def chosen() -> params.Scale:
    """The place that this stage was told; a notebook that is run by hand computes here."""
    return params.Scale.model_validate_json(os.environ.get(VARIABLE, "{}"))


@contextmanager
def workers(place: params.Scale) -> Iterator[Each]:
    """What does a piece of work for each of some tasks, `each(work, tasks)`: their results, as they end.

    `work` is a function of a module, called with a task's values. Here they end in their order.

    Raises:
        ScaleError: no Dask, no scheduler, no worker, or one with other code, libraries or variables.
    """
    if place.engine == HERE:
        yield lambda work, tasks: (work(*task) for task in tasks)
        return
    with _client(place) as client:
        pool, expected = client.get_executor(pure=False, retries=RETRIES), facts()

        def each(work: Callable, tasks: Iterable[tuple]) -> Iterator:
            return _as_they_end(client, place, {pool.submit(_done, expected, work, task) for task in tasks})

        try:
            yield each
        finally:
            pool.shutdown(wait=False)  # after a fault: what has not begun is not begun


def _as_they_end(client: Any, place: params.Scale, pieces: set[Future]) -> Iterator:
    """The results of some pieces. Raises ScaleError: there is nobody left who would do the rest."""
    left, alone, ended = len(pieces), None, _ended(pieces)
    try:
        while left:
            try:
                fault, result = ended.get(timeout=LOOKED)
            except queue.Empty:
                alone = None if client.scheduler_info()["workers"] else alone or time.monotonic()
                if alone and time.monotonic() - alone > place.patience:
                    raise ScaleError(
                        f"no worker has been there for {place.patience} s; what is done is kept, run again. What Dask "
                        f"says is in {paths.BUILD / 'dask.log'}"
                    ) from None
                continue
            left, alone = left - 1, None
            if fault:
                raise fault
            yield result
    except CancelledError:
        raise ScaleError("the scheduler was lost; what is done is kept, run again") from None


def _ended(pieces: set[Future]) -> queue.SimpleQueue[tuple[Exception | None, Any]]:
    """Where the fault or the result of each piece comes, which is let go: as long as somebody holds it, Dask has a
    worker keep the result."""
    ended: queue.SimpleQueue[tuple[Exception | None, Any]] = queue.SimpleQueue()

    def end(piece: Future) -> None:
        pieces.discard(piece)
        try:
            ended.put((None, piece.result()))
        except Exception as fault:
            ended.put((fault, None))

    for piece in [*pieces]:
        piece.add_done_callback(end)
    return ended


@contextmanager
def shared(value: Any, place: params.Scale) -> Iterator[Any]:
    """A value as a task may carry it: itself here, else a file that `opened` maps, on a disk that all machines see."""
    if place.engine == HERE:
        yield value
        return
    import joblib

    (paths.BUILD / "scale").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.BUILD / "scale", ignore_cleanup_errors=True) as folder:
        joblib.dump(value, Path(folder) / "value")
        yield Path(folder) / "value"


def opened(value: Any) -> Any:
    """What `shared` was given; its arrays are mapped from disk where it was written to one."""
    return _mapped(value) if isinstance(value, Path) else value


@lru_cache(maxsize=2)
def _mapped(path: Path) -> Any:
    import joblib

    return joblib.load(path, mmap_mode="r")


@lru_cache(maxsize=1)
def facts() -> dict[str, Any]:
    """What results may depend on besides their parameters: the code as it was first read, libraries, variables."""
    code = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.rglob("*.py"))))
    variables = {name: os.environ.get(name) for name in (*environment.X86, environment.THREADS)}
    return {"the project's code": code.hexdigest()[:12], **machine.describe()["libraries"], **variables}


def _done(expected: dict[str, Any], work: Callable, task: tuple) -> Any:
    """One piece, by a worker that is as the process that sent it."""
    own = facts()
    differing = [f"{name}: {own.get(name)}, not {value}" for name, value in expected.items() if own.get(name) != value]
    if differing:
        raise ScaleError(
            f"the worker on {socket.gethostname()} would give other bytes ({'; '.join(differing)}). "
            "Start workers anew with: python -m pipeline.scale worker"
        )
    with progress.hidden():
        return work(*task)


@contextmanager
def _client(place: params.Scale) -> Iterator[Any]:
    """A client of the scheduler, once it has a worker; what Dask says goes to `build/dask.log`, not into a notebook."""
    if shutil.which("sbatch") is None and place.slurm:
        raise ScaleError("scale.slurm needs SLURM's commands, and there is no sbatch here")
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        dask = _dask()
        stack.enter_context(dask.config.set(SETTINGS))
        from distributed import Client

        until = time.monotonic() + place.patience
        try:
            address = stack.enter_context(_slurm(place.slurm)) if place.slurm else _address(place.scheduler, until)
            client = stack.enter_context(Client(address, timeout=max(until - time.monotonic(), 1)))
            client.wait_for_workers(1, timeout=max(until - time.monotonic(), 1))
        except OSError as error:  # among them every TimeoutError
            where = place.scheduler or "the scheduler that SLURM's jobs look for"
            raise ScaleError(
                f"no worker came within {place.patience} s to {where} ({error}). What Dask says is in "
                f"{paths.BUILD / 'dask.log'}"
            ) from None
        yield client


def _dask() -> Any:
    """Dask, set to write its log to a file."""
    try:
        import dask

        (log := paths.BUILD / "dask.log").parent.mkdir(parents=True, exist_ok=True)
        handlers = {"file": {"class": "logging.FileHandler", "filename": str(log), "delay": True}}
        logger = {"level": "INFO", "handlers": ["file"], "propagate": False}
        names = {"distributed": logger, "dask_jobqueue": logger, "tornado": logger, "asyncio": logger}
        said = {"version": 1, "disable_existing_loggers": False, "handlers": handlers, "loggers": names}
        dask.config.set({"logging": said})
        import distributed  # noqa: F401  # it reads how to log when it is loaded
    except ModuleNotFoundError as error:
        raise ScaleError(f"engine: dask needs Dask ({error}). Install it with: pip install -e .[cluster]") from None
    return dask


def _address(scheduler: str | None, until: float) -> str:
    """A scheduler's address, as it is given or as the scheduler has written it to its file."""
    assert scheduler is not None  # engine: dask without one is no parameter
    if "://" in scheduler:
        return scheduler
    import json

    while True:  # started at the same time as the scheduler, this may be first
        try:
            return json.loads(Path(scheduler).read_text(encoding="utf-8"))["address"]
        except (OSError, ValueError):
            if time.monotonic() > until:
                raise
        time.sleep(0.2)


def _slurm(wanted: params.Slurm) -> Any:
    """A cluster of SLURM's jobs, as many as there is work for; one that is lost is replaced."""
    from dask_jobqueue import SLURMCluster

    hours, minutes, seconds = map(int, wanted.walltime.split(":"))
    ends = max(3600 * hours + 60 * minutes + seconds - 300, 60)  # before SLURM ends it, so that no piece is half done
    cluster = SLURMCluster(
        queue=wanted.partition,
        account=wanted.account,
        cores=1,  # threads of Dask's: a piece uses all cores by itself
        job_cpu=wanted.cores,
        processes=1,
        memory=wanted.memory,
        walltime=wanted.walltime,
        job_extra_directives=[*(["--gres=gpu:1"] if wanted.gpu else []), *wanted.directives],
        python=sys.executable,
        job_script_prologue=[
            f"cd {shlex.quote(str(Path(__file__).parents[1]))}",
            *(f"export {name}={shlex.quote(value)}" for name, value in variables().items()),
        ],
        worker_extra_args=["--lifetime", f"{ends}s", "--lifetime-stagger", f"{min(240, ends // 2)}s", "--no-dashboard"],
        log_directory=str(paths.BUILD / "slurm"),
        scheduler_options={"dashboard": False},
    )
    cluster.adapt(minimum_jobs=1, maximum_jobs=wanted.jobs)
    return cluster


def variables() -> dict[str, str]:
    """The environment of a scheduler and of its workers: the project's own, and Dask's settings as it reads them."""
    dask = {f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": str(it) for name, it in SETTINGS.items()}
    return {**environment.variables(), **dask}


def _main(arguments: list[str]) -> int:
    """Becomes Dask's scheduler or one of its workers."""
    if not arguments or arguments[0] not in ("scheduler", "worker"):
        print(f"{__doc__}\nReceived: {arguments}", file=sys.stderr)
        return 2
    kind, *options = arguments
    own = ["--no-dashboard", *(["--nthreads", "1"] if kind == "worker" and "--nthreads" not in options else [])]
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *own, *options]
    return os.execve(sys.executable, command, {**os.environ, **variables()})


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
