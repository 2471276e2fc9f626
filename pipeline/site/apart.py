"""Networks compiled in a process of their own: LiteRT's converter holds the interpreter's lock for seconds, in which a
server answers nobody.

The process leaves the very file that `compiled` or `regions` would have written, and this one opens it. Light to
import: what needs TensorFlow is imported where it is wanted.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import params, paths
from pipeline.encoders.card import WeightsError

if TYPE_CHECKING:
    from pipeline.encoders.compiled import Compiled
    from pipeline.encoders.regions import Compare

LONGEST = 900  # seconds that a network may take
NO_WEIGHTS = 3  # how the process ends where the weights are at fault
BEHIND = 10  # how far it steps back behind those who are answered


class CompileError(RuntimeError):
    """A network that the process for it did not compile."""


def encoder(spec: params.Encoder, weights_folder: Path) -> "Compiled":
    """As `compiled.compiled`; on a GPU, or where LiteRT lacks an operation, this process does the work itself.

    Raises:
        WeightsError: no weights, or those of another network. CompileError: the process died or took too long.
    """
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


def _write(what: str, path: Path, spec: params.Encoder, weights_folder: Path) -> None:
    """Has a process write a file, unless it is there."""
    if path.exists():
        return
    given = [what, spec.model_dump_json(), str(weights_folder.resolve()), str(paths.BUILD.resolve())]
    command = [sys.executable, "-m", "pipeline.site.apart", *given]
    none = subprocess.DEVNULL
    try:
        ended = subprocess.run(
            command, env=_variables(), timeout=LONGEST, stdin=none, stdout=none, stderr=subprocess.PIPE
        )
    except subprocess.TimeoutExpired:
        raise CompileError(f"{spec.backbone} was not compiled in {LONGEST} seconds. Ask again to try again") from None
    except OSError as error:
        raise CompileError(f"no process could be started that compiles {spec.backbone} ({error})") from None
    said = (ended.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1][:300]
    if ended.returncode == NO_WEIGHTS:
        raise WeightsError(said)
    if ended.returncode < 0:
        said = f"{signal.strsignal(-ended.returncode)}, as where memory is short"
    if ended.returncode:
        raise CompileError(f"the process that compiles {spec.backbone} died: {said}. Ask again to try again")


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
