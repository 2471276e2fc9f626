"""Dask's scheduler and workers as a person starts them, for tests, and forty shards to extract on them."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import children
import pytest

from pipeline import environment, params, paths, scale
from pipeline.data import catalog
from pipeline.encoders import extract

ROOT = Path(__file__).parents[1]
SLOWER = children.ENCODER.model_copy(update={"image_size": 224})
SHARDS, ROWS = 40, 16
REQUIRED = os.environ.get("CLUSTER_TESTS") == "required"


def needed():
    """Skips what needs Dask where it is not installed, unless CLUSTER_TESTS=required says that it has to be."""
    if REQUIRED:
        import dask_jobqueue  # noqa: F401
        import distributed  # noqa: F401
    else:
        pytest.importorskip("distributed", reason="Dask is not installed: pip install -e .[cluster]")


@contextlib.contextmanager
def scheduler(folder, host="127.0.0.1"):
    """A scheduler, as parameters that name its file."""
    file = folder / "scheduler.json"
    options = ["--scheduler-file", str(file), "--port", "0", "--host", host]
    with process("scheduler", options, folder):
        yield params.Scale(engine="dask", scheduler=str(file), patience=60)


@contextlib.contextmanager
def process(kind, options, folder, *before):
    """One process of Dask's, by `python -m pipeline.scale`, with words before that; what it says is in the folder."""
    with (folder / f"{kind}.log").open("a") as log:
        command = [*before, sys.executable, "-m", "pipeline.scale", kind, *options]
        child = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, 9)
            child.wait()


def worker(place, folder, *before):
    """A worker without a nanny, so that one that is killed stays away."""
    options = ["--scheduler-file", place.scheduler, "--no-nanny", "--local-directory", str(folder)]
    return process("worker", options, folder, *before)


def until(true, seconds=60.0):
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


@pytest.fixture
def as_stages(monkeypatch):
    """The variables that stages and workers are started with."""
    needed()
    for name, value in environment.variables().items():
        monkeypatch.setenv(name, value)
    scale.facts.cache_clear()
    yield
    scale.facts.cache_clear()


@pytest.fixture
def forty(here, monkeypatch):
    """Extracts forty shards at a place; the bytes of the file, and the times at which its shards were written."""
    monkeypatch.setattr(extract, "SHARD_ROWS", ROWS)
    parts, times = extract._parts, {}

    def noted(folder, *rest):
        times.update({file.name: file.stat().st_mtime_ns for file in folder.glob("*.npy")})
        return parts(folder, *rest)

    monkeypatch.setattr(extract, "_parts", noted)

    def extracted(where):
        times.clear()
        target = paths.features("sample", "forty")
        target.unlink(missing_ok=True)
        extract.extract_features("sample", "forty", SLOWER, forty_ids(), target, where)
        return target.read_bytes(), dict(times)

    return extracted


def forty_ids():
    return catalog.load("sample")[catalog.ID].tolist()[: SHARDS * ROWS]


def done():
    """The shards that are whole."""
    return list((paths.BUILD / "features").glob("sample-forty-*/*.json"))
