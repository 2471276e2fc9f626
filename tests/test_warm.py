"""The warm process: a fork is a module run as the command line would run it, and nothing outlives its owner."""

import os
import signal
import subprocess
import sys
import time

import pytest
from children import gone
from clones import ROOT

from pipeline import environment, warm

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="stages are forked on Linux alone"),
    pytest.mark.xdist_group("warm"),
]


def served(folder):
    """A warm process whose socket is `folder`/warm, and the environment in which one asks it."""
    variables = {**os.environ, **environment.variables(), warm.ADDRESS: str(folder / "warm")}
    command = [sys.executable, "-m", "pipeline.warm", "serve", str(folder / "warm")]
    return subprocess.Popen(command, cwd=ROOT, env=variables, stdin=subprocess.PIPE, bufsize=0), variables


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """The environment in which one asks a warm process."""
    owner, variables = served(tmp_path_factory.mktemp("socket"))
    yield variables
    owner.stdin.close()
    assert owner.wait(20) == 0


def start(place, variables, code, *arguments):
    """Runs a module of that code through the warm process."""
    (place / "work.py").write_text(code)
    (place / "pipeline").mkdir(exist_ok=True)
    for name in ("__init__.py", "warm.py"):
        (place / "pipeline" / name).write_text((ROOT / "pipeline" / name).read_text())
    command = [sys.executable, "-m", "pipeline.warm", "work", *arguments]
    return subprocess.Popen(command, cwd=place, env=variables, stdout=-1, stderr=-1, stdin=-1, text=True)


def until(true, seconds=20):
    """Whether something becomes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not true():
        time.sleep(0.05)
    return true()


def test_a_fork_has_the_askers_words_folder_environment_and_streams(asked, tmp_path):
    code = (
        "import os, sys\nprint(__name__, sys.argv[1:], os.getcwd(), os.environ['MINE'], sys.stdin.read())\n"
        "print('said', file=sys.stderr)\nsys.exit(7)"
    )
    process = start(tmp_path, {**asked, "MINE": "é"}, code, "one", "zwei drei")
    out, err = process.communicate("typed", timeout=60)
    assert out == f"__main__ ['one', 'zwei drei'] {tmp_path} é typed\n"
    assert err == "said\n"
    assert process.returncode == 7


def test_a_fork_finds_tensorflow_loaded_and_the_projects_code_not(asked, tmp_path):
    code = (
        "import sys\nprint('tensorflow' in sys.modules, [n for n in sys.modules if n.startswith('pipeline.')])\n"
        "import sqlite3, pandas\nprint(sqlite3.sqlite_version, pandas.get_option('display.max_columns'))"
    )
    out, err = start(tmp_path, asked, code).communicate(timeout=60)
    cold = subprocess.run(
        [sys.executable, "-c", "import sqlite3; print(sqlite3.sqlite_version)"], capture_output=True, text=True
    ).stdout.strip()
    assert out.splitlines() == ["True []", f"{cold} 20"], err


def test_a_fork_that_fails_shows_why_and_its_threads_and_exit_calls_are_waited_for(asked, tmp_path):
    code = (
        "import atexit, threading, time\natexit.register(print, 'at the end')\n"
        "threading.Thread(target=lambda: (time.sleep(.5), print('thread'))).start()\nraise ValueError('wrong')"
    )
    process = start(tmp_path, asked, code)
    out, err = process.communicate(timeout=60)
    assert out == "thread\nat the end\n"
    assert "ValueError: wrong" in err
    assert process.returncode == 1


def test_an_interruption_reaches_the_fork(asked, tmp_path):
    code = (
        "import time\ntry:\n    print('here', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    raise SystemExit(130)"
    )
    process = start(tmp_path, asked, code)
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130


def test_a_fork_that_is_killed_is_told_by_its_signal(asked, tmp_path):
    process = start(tmp_path, asked, "import os\nos.kill(os.getpid(), 9)")
    assert process.wait(20) == -signal.SIGKILL


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_fork_ends_with_its_asker(asked, tmp_path, how):
    process = start(tmp_path, asked, "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
    fork = int(process.stdout.readline())
    assert not gone(fork)
    process.send_signal(how)
    assert until(lambda: gone(fork))


def test_all_forks_and_what_was_named_end_with_the_owner_even_those_that_do_not_want_to(tmp_path):
    owner, variables = served(tmp_path)
    code = (
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True)\ntime.sleep(60)"
    )
    process = start(tmp_path, variables, code)
    fork = int(process.stdout.readline())
    other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    owner.stdin.write(f"{other.pid} ".encode())
    owner.stdin.close()
    assert until(lambda: gone(fork) and gone(other.pid))
    assert owner.wait(20) == 0
    assert not tmp_path.exists()  # the socket's folder goes too: who made it may have been killed


@pytest.mark.parametrize("when", ["while it loads", "later"])
def test_a_warm_process_that_has_died_is_told_at_once(tmp_path, when):
    owner, variables = served(tmp_path)
    if when == "later":
        assert until(lambda: (tmp_path / "warm").exists(), 60)
    owner.kill()  # not fetched: it is a zombie, as that of a command that has not looked
    assert until(lambda: gone(owner.pid))
    began = time.monotonic()
    command = [sys.executable, "-m", "pipeline.run", "eda"]
    result = subprocess.run(
        command, cwd=ROOT, env={**variables, warm.SERVER: str(owner.pid)}, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "the process that stages are forked from" in result.stderr and "died" in result.stderr
    assert "Traceback" not in result.stderr
    assert time.monotonic() - began < 30
    owner.wait()
