"""Networks compiled in a process of their own: LiteRT's converter holds the interpreter's lock for seconds, in which a
server answers nobody.

The process leaves the very file that `compiled` or `regions` would have written, and this one opens it. Light to
import: what needs TensorFlow is imported where it is wanted.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import environment, params, paths
from pipeline.encoders.card import WeightsError

if TYPE_CHECKING:
    from pipeline.encoders.compiled import Compiled
    from pipeline.encoders.regions import Compare

LONGEST = 900  # seconds that a network may take
NO_WEIGHTS = 3  # how the process ends where the weights are at fault
BEHIND = 10  # how far it steps back behind those who are answered

_working: set[subprocess.Popen] = set()
_stopped = threading.Event()


class CompileError(RuntimeError):
    """A network that the process for it did not compile."""


def encoder(spec: params.Encoder, weights_folder: Path) -> "Compiled":
    """As `compiled.compiled`; on a GPU, or where LiteRT lacks an operation, this process does the work itself.

    Raises:
        WeightsError: no weights, or those of another network. CompileError: the process died or took too long.
    """
    # it greets whoever loads it; else no moment is silent, since others may have something to say
    with nullcontext() if "tensorflow" in sys.modules else environment.quiet():
        from pipeline.encoders import compiled

    if not compiled.tf.config.list_physical_devices("GPU"):
        _write("encoder", compiled.place(spec, weights_folder), spec, weights_folder)
    return compiled.compiled(spec, weights_folder)


def cells(spec: params.Encoder, weights_folder: Path) -> "Compare":
    """As `regions.comparing`.

    Raises:
        WeightsError: no weights, or those of another network. CompileError: the process died or took too long.
    """
    from pipeline.encoders import regions

    _write("cells", regions.place(spec, weights_folder), spec, weights_folder)
    return regions.comparing(spec, weights_folder)


def stop() -> None:
    """Ends what is being compiled, and has nothing compiled from now on: a program that ends waits for none of it."""
    _stopped.set()
    for process in list(_working):
        process.kill()


def _write(what: str, path: Path, spec: params.Encoder, weights_folder: Path) -> None:
    """Has a process write a file, unless it is there."""
    if path.exists():
        return
    given = [what, spec.model_dump_json(), str(weights_folder.resolve()), str(paths.BUILD.resolve())]
    code, said = _run([sys.executable, "-m", "pipeline.site.apart", *given], spec.backbone)
    last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1][:300]
    if code == NO_WEIGHTS:
        raise WeightsError(last)
    if code < 0:
        last = f"{signal.strsignal(-code)}, as where memory is short"
    if code:
        raise CompileError(f"the process that compiles {spec.backbone} died: {last}. Ask again to try again")


def _run(command: list[str], backbone: str) -> tuple[int, bytes]:
    """How a process ended, and what it said of faults."""
    none = subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, env=_variables(), stdin=none, stdout=none, stderr=subprocess.PIPE)
    except OSError as error:
        raise CompileError(f"no process could be started that compiles {backbone} ({error})") from None
    with process:
        _working.add(process)
        try:
            if _stopped.is_set():
                raise CompileError(f"{backbone} is not compiled: the program ends")
            said = process.communicate(timeout=LONGEST)[1]
            return process.returncode, said
        except subprocess.TimeoutExpired:
            raise CompileError(f"{backbone} was not compiled in {LONGEST} seconds. Ask again to try again") from None
        finally:
            process.kill()
            _working.discard(process)


def _variables() -> dict[str, str]:
    """The environment of the process: this one's own code, and no GPU, since the file is of none."""
    own = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(own), "CUDA_VISIBLE_DEVICES": "-1"}


def _main(what: str, spec: str, weights_folder: str, build: str) -> int:
    """Writes one file, as the process that `_write` starts."""
    from pipeline.encoders import compiled, regions

    if hasattr(os, "nice"):
        os.nice(BEHIND)
    paths.BUILD = Path(build)
    work = {"encoder": compiled.compiled, "cells": regions.comparing}[what]
    try:
        work(params.Encoder.model_validate_json(spec), Path(weights_folder))
    except WeightsError as error:
        print(error, file=sys.stderr)
        return NO_WEIGHTS
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
