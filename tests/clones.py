"""Copies of the project that tests run in, and the commands that a person would type there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
}


def call(place, *command, check=True):
    result = subprocess.run(command, cwd=place, env=ENVIRONMENT, capture_output=True, text=True)
    assert not check or result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result


def stage(place, *arguments, check=True):
    return call(place, sys.executable, "-m", "pipeline.run", *arguments, check=check)


def git(place, *arguments):
    return call(place, "git", "-c", "user.name=test", "-c", "user.email=test@example.org", *arguments).stdout


def ran(output):
    """The stages that ran, by what DVC says (`dvc exp run`) or our command (`repro`)."""
    said = re.findall(r"Running stage '([^']+)'", output)
    return said or re.findall(r"^(\S+) +(?:\d+ min )?[\d.]+ s$", output, re.MULTILINE)


def make(place):
    """A clone's content in the folder `place`, uncommitted changes included, as a repository without a commit."""
    tracked = call(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.split("\n")
    for name in filter(None, tracked):
        if (ROOT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, place / name)
    git(place, "init", "-q", "-b", "main")
    return place


def compose(target, *overrides):
    """A parameter file as the command writes it."""
    from dvc.utils.hydra import compose_and_dump  # here: conftest.py imports this module, and DVC changes the streams

    compose_and_dump(str(target), str(ROOT / "params"), None, "config", str(target.parent), list(overrides))
    return target
