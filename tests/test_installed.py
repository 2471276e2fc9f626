"""The program as `pip install .` installs it, outside a checkout: what it can do there, and what it says it cannot."""

import csv
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from pathlib import Path

import clones
import httpx
import numpy as np
import psutil
import pytest
from children import gone
from PIL import Image

pytest.importorskip("pip")
NAME = "fashion-retrieval"
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture(scope="session")
def copy(tmp_path_factory):
    """A copy of the checkout: a build leaves its own files beside the code."""
    return clones.make(tmp_path_factory.mktemp("copy"))


@pytest.fixture(scope="session")
def wheel(copy, tmp_path_factory):
    made = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-c", BUILD, str(made)], cwd=copy, check=True, capture_output=True)
    (built,) = made.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def programs(wheel, tmp_path_factory):
    """The programs of a fresh environment that has the wheel, and this one's libraries but not its project."""
    place = tmp_path_factory.mktemp("fresh") / "environment"
    venv.create(place)
    variables = {"base": str(place), "platbase": str(place)}
    scripts, packages = (Path(sysconfig.get_path(kind, "venv", variables)) for kind in ("scripts", "purelib"))
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(scripts / "python")]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--force-reinstall", str(wheel)], check=True)
    return scripts


@pytest.fixture
def elsewhere(tmp_path, rng):
    """A folder that is no checkout, with twelve pictures, a photo of one of them and a home of its own."""
    (tmp_path / "my pictures").mkdir()
    (tmp_path / "photos").mkdir()
    for number in range(12):
        pixels = np.kron(rng.integers(0, 256, (4, 3, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        Image.fromarray(pixels).save(tmp_path / "my pictures" / f"{number:02}.png")
    Image.fromarray(pixels).save(tmp_path / "photos" / "asked.png", compress_level=1)
    (tmp_path / "my pictures" / "notes.txt").write_text("no picture", encoding="utf-8")
    return tmp_path


def started(programs, elsewhere, *command):
    kept = {"XDG_CACHE_HOME": str(elsewhere / "cache"), "HOME": str(elsewhere / "home"), "PYTHONPATH": ""}
    variables = {**os.environ, **kept}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([programs / command[0], *command[1:]], cwd=elsewhere, env=variables, **pipes)


def ended(programs, elsewhere, *command):
    process = started(programs, elsewhere, *command)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def test_the_wheel_has_the_code_with_what_it_needs_and_nothing_else(copy, wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"pipeline", f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"}
    code = {path.relative_to(copy).as_posix() for path in (copy / "pipeline").rglob("*") if path.is_file()}
    assert {name for name in names if name.startswith("pipeline/")} == code


def test_photos_are_matched_outside_a_checkout(programs, elsewhere):
    match = ["match", "photos", "matches.csv", "--gallery", "my pictures", "--count", "2"]
    code, out, err = ended(programs, elsewhere, "python", "-m", "pipeline.app", *match)
    assert (code, "1 photos matched among 12 pictures, 1 left out" in out) == (1, True), err
    with (elsewhere / "matches.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["rank"], row["match"] == "11.png") for row in rows] == [("1", True), ("2", False), ("", False)]
    assert rows[2]["file"] == "notes.txt" and rows[2]["fault"]
    assert {path.name for path in elsewhere.iterdir()} <= {"cache", "home", "matches.csv", "my pictures", "photos"}


def test_the_site_shows_a_folder_of_pictures(programs, elsewhere):
    process = started(programs, elsewhere, NAME, "--gallery", "my pictures", "--port", "0")
    try:
        address = re.match(r"http://[\d.:]+", process.stdout.readline())[0]
        with httpx.Client(base_url=address, timeout=120) as client:
            assert client.get("/").text.startswith("<!doctype html>")
            while (status := client.get("/api/v1/status").json())["phase"] != "ready":
                assert not status["fault"] and process.poll() is None
                time.sleep(0.2)
            assert status["products"] == 12
            found = client.post("/api/v1/search", content=(elsewhere / "photos/asked.png").read_bytes())
            first = found.raise_for_status().json()["results"][0]
            assert first["productDisplayName"] == "11.png"
            picture = client.get(f"/api/v1/products/{first['id']}/picture").content
            assert picture == (elsewhere / "my pictures/11.png").read_bytes()
    finally:
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert "left out: notes.txt: " in err
    assert "absl" not in err  # TensorFlow greets whoever loads it


def test_a_site_that_is_stopped_waits_for_no_network_that_is_compiled(programs, elsewhere):
    process = started(programs, elsewhere, NAME, "--gallery", "my pictures", "--port", "0")
    until, compiling = time.monotonic() + 120, []
    while not compiling and time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
        children = psutil.Process(process.pid).children()
        compiling = [child for child in children if "pipeline.site.apart" in child.cmdline()]
    compiling[0].suspend()  # and takes for ever
    process.terminate()
    process.communicate(timeout=60)
    psutil.wait_procs(compiling, timeout=30)
    assert gone(compiling[0].pid)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["python", "-m", "pipeline.run", "repro"], "repro: this works in a checkout of the study"),
        (["python", "-m", "pipeline.run", "graph"], "graph: this works in a checkout of the study"),
        ([NAME, "--port", "0"], "no run lies beside the installed program"),
        ([NAME, "match", "photos", "m.csv"], "no run lies beside the installed program"),
        ([NAME, "load"], "load works in a checkout of the study"),
    ],
)
def test_what_needs_a_checkout_says_so_in_a_line(programs, elsewhere, command, said):
    code, _, err = ended(programs, elsewhere, *command)
    lines = [line for line in err.splitlines() if said in line]
    assert (code, len(lines), "Traceback" in err) == (1, 1, False), err


def test_python_finds_the_installed_code_there(programs, elsewhere):
    _, out, err = ended(programs, elsewhere, "python", "-c", "import pipeline; print(pipeline.__file__)")
    assert Path(out.strip()).is_relative_to(programs.parent), err
    assert shutil.which(NAME, path=str(programs))
