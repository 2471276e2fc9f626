"""One process with the libraries loaded, from which stages and kernels are forked: none of them loads TensorFlow anew.

It is also the owner of all that runs: when the command that started it ends, in whatever way, it ends them. Linux
alone; elsewhere stages start as processes of their own, as they do under a plain `dvc repro`.

    python -m pipeline.warm serve SOCKET           the process itself; `reproduce` starts it
    python -m pipeline.warm MODULE [ARGUMENT …]    like `python -m MODULE …`, as a fork of that process
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

MODULE = "pipeline.warm"
ADDRESS = "PIPELINE_WARM"  # in the environment: the socket of the process to fork from
SERVER = "PIPELINE_WARM_PROCESS"  # in the environment: that process
FORK = "PIPELINE_WARM_FORK"  # in a fork's environment: the fork itself, which asks for no other in its place
# Libraries alone: the project's own code is read by each stage, as it is when the stage starts.
LIBRARIES = (
    "sqlite3",  # first: TensorFlow brings an SQLite of its own, whose files differ in bytes
    "pydantic",
    "yaml",
    "papermill.execute",
    "nbconvert",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "seaborn",
    "pyarrow.parquet",
    "sklearn.metrics",
    "sklearn.manifold",
    "numba",
    "tensorflow",
    "keras",
)
LOADING = 120.0  # seconds that loading may take
GRACE = 3.0  # seconds between the request to end and the end
WHAT = "the process that stages are forked from"
AGAIN = "What it said is in build/run.log; start the run again"
_LONGEST = 1 << 20  # bytes of a request: arguments and environment


def available() -> bool:
    """Whether this process may ask for a fork: it was told where, and is none itself."""
    return ADDRESS in os.environ and os.environ.get(FORK) != str(os.getpid())


def run(module: str, arguments: list[str]) -> int:
    """Runs a module as a fork of the warm process, with this process's streams, folder and environment.

    Returns:
        Its exit code; negative: the signal that ended it.

    Raises:
        RuntimeError: the warm process has died, or does not answer in time.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # one that comes early is passed on once it can be
    _await(Path(os.environ[ADDRESS]), os.environ.get(SERVER))
    request = {"module": module, "arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    message = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(os.environ[ADDRESS])
            socket.send_fds(connection, [len(message).to_bytes(4, "big")], [0, 1, 2])
            connection.sendall(message)
            fork = int.from_bytes(_exactly(connection, 4), "big")
        except OSError as error:
            raise RuntimeError(f"{WHAT} has died ({error}). {AGAIN}") from None
        signal.signal(signal.SIGINT, lambda *_: _send(fork, signal.SIGINT))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return _answer(connection)


def _await(address: Path, server: str | None) -> None:
    """Waits until the warm process has loaded its libraries and is heard; RuntimeError where that cannot be."""
    until = time.monotonic() + LOADING
    while not address.exists():
        if time.monotonic() > until:
            raise RuntimeError(f"{WHAT} was not ready in {LOADING:.0f} seconds. {AGAIN}")
        if not address.parent.exists() or (server and not _lives(int(server))):
            raise RuntimeError(f"{WHAT} died while it was loading. {AGAIN}")
        time.sleep(0.02)


def serve(address: str) -> dict | None:
    """Forks for whoever asks at `address`, until standard input ends; then ends all forks, and what is named there.

    A fork whose asker is gone is ended too: nobody waits for its answer.

    Returns:
        In a fork: what it shall become. None once all is over.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command decides what an interruption ends
    _load()
    forks: dict[int, socket.socket] = {}
    told = b""
    with socket.socket(socket.AF_UNIX) as door, _ended() as ended, selectors.DefaultSelector() as watched:
        door.bind(f"{address}-")
        door.listen()
        Path(f"{address}-").rename(address)  # who sees it is heard
        for source in (door, ended, sys.stdin):
            watched.register(source, selectors.EVENT_READ)
        while True:
            for source in [key.fileobj for key, _ in watched.select()]:
                if source is sys.stdin:
                    told += (words := os.read(0, 64))
                    if not words:
                        _end([*forks, *map(int, told.split())])
                        return None
                elif source is door:
                    if request := _open(door, forks, watched):
                        return request
                elif source is ended:
                    ended.recv(4096)
                    _reap(forks, watched)
                else:  # nothing is said there: the asker has gone
                    _end([pid for pid, asker in forks.items() if asker is source])
                    watched.unregister(source)


@contextlib.contextmanager
def _ended() -> Iterator[socket.socket]:
    """Something to read from whenever a child has ended."""
    read, written = socket.socketpair()
    with read, written:
        read.setblocking(False)
        written.setblocking(False)
        signal.set_wakeup_fd(written.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        yield read
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _load() -> None:
    for library in LIBRARIES:
        importlib.import_module(library)
    importlib.import_module("pandas").set_option("display.max_columns", 20)  # as in a kernel; here it saw no notebook
    gc.collect()
    gc.freeze()  # no fork looks through all of this again, and copies its pages


def _open(door: socket.socket, forks: dict[int, socket.socket], watched: selectors.BaseSelector) -> dict | None:
    """Takes one request and forks for it; in the fork it returns the request, with its streams in place."""
    asker, _ = door.accept()
    try:
        length, streams, _, _ = socket.recv_fds(asker, 4, 3)
        request = json.loads(_exactly(asker, min(int.from_bytes(length, "big"), _LONGEST)))
    except (OSError, ValueError):
        asker.close()
        return None
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        for other in (asker, *forks.values()):
            other.close()
        return request
    for stream in streams:
        os.close(stream)
    with contextlib.suppress(OSError):
        asker.sendall(pid.to_bytes(4, "big"))
    forks[pid] = asker
    watched.register(asker, selectors.EVENT_READ)
    return None


def _become(request: dict) -> None:
    """The fork's own life: a module run as the command line would run it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    os.environ[FORK] = str(os.getpid())
    sys.path[0], sys.argv = request["folder"], [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _live(request: dict) -> None:
    """The fork from its beginning to its end, which does not take the loaded libraries down piece by piece: seconds."""
    code = 1
    try:
        _become(request)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        # what the interpreter does at its end: it waits for threads, and calls who asked for it
        threading._shutdown()  # type: ignore[attr-defined]  # no public name says it
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code & 0xFF)


def _reap(forks: dict[int, socket.socket], watched: selectors.BaseSelector) -> None:
    """Tells the askers of ended forks how they ended."""
    for pid in list(forks):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            asker = forks.pop(pid)
            with contextlib.suppress(OSError):
                asker.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
            with contextlib.suppress(KeyError):
                watched.unregister(asker)
            asker.close()


def _end(groups: list[int]) -> None:
    """Ends processes with all that they started in their group: asks first, and kills what has not ended in time."""
    for group in groups:
        _send(group, signal.SIGTERM, os.killpg)
    until = time.monotonic() + GRACE
    while time.monotonic() < until and any(_lives(group) for group in groups):
        time.sleep(0.05)
    for group in groups:
        _send(group, signal.SIGKILL, os.killpg)


def _lives(group: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{group}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _send(process: int, number: int, how=os.kill) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        how(process, number)


def _answer(connection: socket.socket) -> int:
    """The exit code, once there is one; the end of this process's parent is the end of the fork."""
    parent = os.getppid()
    connection.settimeout(1)
    while True:
        try:
            answer = connection.recv(4)
        except TimeoutError:
            if os.getppid() != parent:
                return 1
            continue
        return int.from_bytes(answer, "big", signed=True) if len(answer) == 4 else -signal.SIGKILL


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise OSError("the other side has gone")
        parts += part
    return parts


def _main() -> int:
    if sys.argv[1] == "serve":
        if request := serve(sys.argv[2]):
            _live(request)
        shutil.rmtree(Path(sys.argv[2]).parent, ignore_errors=True)  # who made it may have been killed
        return 0
    try:
        code = run(sys.argv[1], sys.argv[2:])
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    if code < 0:  # ended by a signal: so does this process, for whoever watches it
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(_main())
