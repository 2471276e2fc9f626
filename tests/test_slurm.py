"""Extraction in jobs of a real SLURM, which are lost: `tests/slurm.sh python -m pytest tests/test_slurm.py`.

Any SLURM that answers will do; the script starts one of two processors from Debian's packages, as root.
"""

import contextlib
import hashlib
import shutil
import subprocess
import sys
import threading

import dasks
import pytest
from dasks import SHARDS, as_stages, done, forty  # noqa: F401

from pipeline import params

JOB = {"cores": 1, "memory": "2GB", "walltime": "00:20:00", "directives": ["--mem=0"]}


@pytest.fixture(autouse=True)
def slurm():
    """Skips where no SLURM answers."""
    dasks.needed()
    if not shutil.which("sinfo") or subprocess.run(["sinfo"], capture_output=True).returncode:
        assert not dasks.REQUIRED
        pytest.skip("no SLURM answers here: as root, tests/slurm.sh python -m pytest tests/test_slurm.py")


def jobs():
    """The numbers of the jobs that run."""
    command = ["squeue", "--noheader", "--states=RUNNING", "--format=%i"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_jobs_that_are_lost_are_replaced_and_the_bytes_are_the_same(forty, as_stages):  # noqa: F811
    calm, _ = forty(params.Scale())
    seen = set()

    def lose():
        dasks.until(lambda: len(done()) >= 6 and len(jobs()) == 2, seconds=300)
        seen.update(jobs())
        subprocess.run(["scancel", "--signal=KILL", "--full", *jobs()], check=True)  # one would be done without
        dasks.until(lambda: set(jobs()) - seen, seconds=300)
        seen.update(jobs())

    loser = threading.Thread(target=lose)
    loser.start()
    found, times = forty(params.Scale(engine="dask", patience=120, slurm={**JOB, "jobs": 2}))
    loser.join()
    assert hashlib.sha256(found).hexdigest() == hashlib.sha256(calm).hexdigest()
    assert len(times) == SHARDS and len(seen) > 2


def test_workers_of_srun_are_found_by_the_schedulers_file(forty, as_stages, tmp_path):  # noqa: F811
    calm, _ = forty(params.Scale())
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(dasks.scheduler(tmp_path))
        options = ["--scheduler-file", place.scheduler, "--local-directory", str(tmp_path)]
        command = ["srun", "--ntasks=2", "--mem=0", sys.executable, "-m", "pipeline.scale", "worker", *options]
        workers = subprocess.Popen(command, cwd=dasks.ROOT)
        stack.callback(workers.wait)
        stack.callback(workers.terminate)
        found, _ = forty(place)
    assert found == calm
