"""The Makefile's choice of a Python, and where it installs."""

import os
import shutil
import subprocess

import pytest
from clones import ROOT


def interpreter(path, version):
    """A program that says that it is this Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho Python {version}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not there")
@pytest.mark.parametrize(("version", "anew"), [("3.11.7", False), ("3.13.0", True)])
def test_a_python_that_is_named_and_is_another_has_the_environment_made_anew(tmp_path, version, anew):
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(ROOT / name, tmp_path)
    interpreter(tmp_path / ".venv/bin/python", "3.11.7")
    (tmp_path / ".venv/installed").touch()
    named = interpreter(tmp_path / "a path/python", version)
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    for given in ([f"PYTHON={named}"], []):
        command = ["make", "--no-print-directory", "-n", "lab", *given]
        said = subprocess.run(command, cwd=tmp_path, env=outer, capture_output=True, text=True, check=True)
        assert (f'"{named}" -m venv --clear .venv' in said.stdout) == (anew and bool(given)), said.stdout
        assert said.stdout.endswith("-m jupyterlab notebooks\n")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not there")
def test_an_environment_that_is_a_link_is_not_emptied(tmp_path):
    place, other = tmp_path / "clone", tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    place.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(ROOT / name, place)
    (place / ".venv").symlink_to(other)
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = subprocess.run(["make", "lab"], cwd=place, env=outer, capture_output=True, text=True)
    assert made.returncode
    assert f".venv is a link to {other}" in made.stderr
    assert (other / "kept").exists()
