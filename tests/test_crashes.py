"""What is said when a worker of the tests dies."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DIES = """
import {module}
def test_lives(): pass
def test_dies(): {statement}
"""


@pytest.mark.parametrize(
    ("module", "statement", "said"),
    [
        ("ctypes", "ctypes.string_at(0)", ["Segmentation fault", "in test_dies"]),
        ("os", "os.kill(os.getpid(), 9)", ["killed from outside"]),
    ],
)
def test_the_summary_has_the_stacks_of_a_worker_that_died(tmp_path, module, statement, said):
    shutil.copy(Path(__file__).parent / "crashes.py", tmp_path / "conftest.py")
    (tmp_path / "test_it.py").write_text(DIES.format(module=module, statement=statement))
    (tmp_path / "pytest.ini").write_text("[pytest]")
    command = [sys.executable, "-m", "pytest", "-n", "1", "--max-worker-restart=0", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    _, told = done.stdout.split("the stacks of gw0, which died")
    assert done.returncode == 1
    assert all(one in told for one in said), told
    assert "_pytest/" not in told
