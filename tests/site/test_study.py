"""How right a search is, asked by several people at once, each on a thread of the server's."""

import subprocess
import sys
from pathlib import Path

ASKED = """
import types, threading, numba, numpy as np
from pipeline.site import study
told = np.array([["a", *["Shirts"] * 20], ["b", *["Shoes"] * 20]] * 2000, object)
now, far = types.SimpleNamespace(told=told), np.random.default_rng(0).random(4000)
expected = study.scored(now, far, "Shoes", [10])
assert numba.threading_layer() == "workqueue"

def ask():
    for _ in range(200):
        assert study.scored(now, far, "Shoes", [10]) == expected

people = [threading.Thread(target=ask) for _ in range(8)]
[one.start() for one in people], [one.join() for one in people]
"""


def test_a_machine_without_openmp_answers_several_people():
    """numba then counts with threads of its own, and ends a process in which two ask them at once."""
    command = ["env", "NUMBA_THREADING_LAYER=workqueue", sys.executable, "-c", ASKED]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
