"""The benchmarks run: each at a size that takes seconds, in a process as it is called by hand."""

import subprocess
import sys

import pytest
from clones import ROOT

from benchmarks import Row, rate

SMALL = {
    "ranking": "GALLERY, QUERIES, REFERENCE, DIMENSION = 600, 128, 4, 16",
    "indexes": "GALLERY, QUERIES, NEIGHBOURS = 600, 20, 5",
    "features": 'CASES = [("mobilenet_v2", 32, 64, (1, 1, 1))]',
    "site": "PRODUCTS = 700",
}


def test_a_ratio_is_of_two_rates():
    assert Row("a", "b", ours=6.0, theirs=2.0, unit="x/s", bar=None).ratio == 3


def test_a_rate_is_of_the_best_round(monkeypatch):
    times = iter([0.0, 4.0, 10.0, 12.0, 20.0, 25.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    assert rate(lambda: None, count=10) == 5


@pytest.mark.parametrize("part", SMALL)
def test_a_part_gives_rows_with_a_speed(part):
    code = (
        f"from benchmarks import {part} as part\n"
        f"exec({SMALL[part]!r}, vars(part))\n"
        "rows = list(part.rows())\n"
        "assert rows and all(row.ours > 0 and row.theirs > 0 and row.unit for row in rows), rows\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]


def test_features_have_one_sequence_of_bytes():
    code = (
        "from benchmarks import features\n"
        "features.CASES = [('mobilenet_v2', 32, 64, (1, 1, 1))]\n"
        "assert list(features.same_bytes()) == [{'network': 'mobilenet_v2 at 32', 'settings': 9, 'different': 1}]\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]


def test_memory_is_told_for_each_piece_of_work():
    command = [sys.executable, "-m", "benchmarks.memory", "--pictures", "700"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    assert [line.partition(":")[0] for line in result.stdout.splitlines()] == [
        f"700 pictures, {work}" for work in ("ingest", "extract", "evaluate")
    ]
