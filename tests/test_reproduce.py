"""What a person sees of a run, and that nothing of it lives on when its command has ended, in whatever way."""

import io
import os
import re
import signal
import subprocess
import sys
import time

import clones
import psutil
import pytest
from clones import ran, stage

from pipeline import environment, machine, paths, reproduce


def shown(lines, code=0, capture=None):
    """What is printed for some lines of DVC and the stages, and what the log has."""
    log = io.StringIO()
    told = reproduce.Told(log)
    for line in lines:
        told.line(line)
    told.end(code, paths.BUILD / "run.log")
    return capture.readouterr(), log.getvalue()


def test_a_stage_is_one_line_with_its_time_and_the_rest_is_in_the_log(capsys):
    lines = ["Running stage 'a':\n", "> python -m a\n", "W0000 a warning\n", "\r 5%|#  | 1/2\r", "Updating lock\n"]
    lines += ["Stage 'b' didn't change, skipping\n", "Stage 'c' is cached - skipping run\n", "Running stage 'd@e':\n"]
    (out, err), log = shown(lines, capture=capsys)
    assert ran(out) == ["a", "d@e"]
    assert "warning" not in out + err
    assert "5%" not in out + err + log
    assert "W0000 a warning\n" in log
    assert "Stages: 2 ran, 1 kept from an earlier run, 1 as they were." in out
    assert len(out.strip().splitlines()) == 5


def test_a_failed_stage_shows_what_it_said_and_not_what_others_said(capsys):
    lines = ["Running stage 'a':\n", "noise of a\n", "Running stage 'b':\n", "b: no such picture\n", "ERROR: failed\n"]
    (out, err), _ = shown(lines, 255, capsys)
    assert "b: no such picture" in err
    assert "noise" not in out + err
    assert "b failed. All that was said: build/run.log" in err
    assert ran(out) == ["a"]


def test_two_processes_speak_at_once_and_the_one_that_failed_is_heard(capsys):
    log = io.StringIO()
    told = reproduce.Told(log)
    for process, line in [(1, "Running stage 'a':\n"), (2, "Running stage 'b':\n"), (1, "of a\n"), (2, "of b\n")]:
        told.line(line, process)
    told.over(1)
    told.line("Stage 'c' didn't change, skipping\n", 1)
    told.end(1, paths.BUILD / "run.log")
    out, err = capsys.readouterr()
    assert ran(out) == ["a"]
    assert "of b" in err and "of a" not in err
    assert "b failed." in err and "a failed" not in err
    assert (told.ran, told.same) == (1, 1)


def test_what_ran_is_told_from_what_was_kept():
    told = reproduce.Told(io.StringIO())
    for line in [
        "Running stage 'a':\n",
        "Stage 'b' is cached - skipping run\n",
        "Stage 'c' didn't change\n",
        "Running stage 'd':\n",
    ]:
        told.line(line)
    assert {name: made["how"] for name, made in told.made.items()} == {"a": reproduce.RAN, "b": reproduce.KEPT}
    assert told.made["a"]["seconds"] >= 0


def test_lines_end_at_a_carriage_return_too_and_split_characters_are_whole():
    read, write = os.pipe()
    os.write(write, b"one\n10%\r20%\rzw" + "ö".encode()[:1])
    lines = reproduce._lines(read)
    assert [next(lines), next(lines), next(lines)] == ["one\n", "10%\r", "20%\r"]
    os.write(write, "ö".encode()[1:] + b"lf")
    os.close(write)
    assert list(lines) == ["zwölf\n"]
    os.close(read)


def test_windows_ends_a_line_with_two_characters_that_count_as_one():
    read, write = os.pipe()
    for part in (b"a\r\nb\r", b"\n10%\r", b"20%\r\n"):
        os.write(write, part)
    os.close(write)
    assert list(reproduce._lines(read)) == ["a\n", "b\n", "10%\r", "20%\n"]
    os.close(read)


WORKER = """
import sys, time, os
for name in sys.stdin:
    name = name.strip()
    print("Running stage '" + name + "':", flush=True)
    {what}
    print({ended!r}, end="", flush=True)
"""


def together(monkeypatch, capsys, follows, *what):
    """The exit code, what was shown and the stages that were begun, with a worker for each of some ways to work."""
    monkeypatch.setattr(reproduce, "_stale", lambda every: (follows, 0))
    ways = iter(what)

    def start(*command):
        code = WORKER.format(what=next(ways), ended=reproduce.ENDED)
        return subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, start_new_session=True)

    log = io.StringIO()
    told = reproduce.Told(log)
    code = reproduce._together([], len(what), start, told)
    told.end(code, paths.BUILD / "run.log")
    return code, capsys.readouterr(), re.findall("Running stage '(.+)'", log.getvalue())


CHAIN = {"a": set(), "b": set(), "after a": {"a"}, "after b": {"b"}, "last": {"after a", "after b"}}


def test_workers_share_the_stages_and_end_well(monkeypatch, capsys):
    code, (out, _), begun = together(monkeypatch, capsys, CHAIN, "time.sleep(.1)", "time.sleep(.1)")
    assert code == 0
    assert sorted(begun) == sorted(CHAIN)
    assert "Stages: 5 ran" in out


@pytest.mark.parametrize(
    ("how", "code"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", 9), ("os._exit(0)", 1)], ids=str
)
def test_a_worker_that_ends_in_a_stage_fails_the_run_and_the_other_takes_no_more(monkeypatch, capsys, how, code):
    found, (out, err), begun = together(monkeypatch, capsys, CHAIN, "time.sleep(.5)", f"time.sleep(.1); {how}")
    assert found == code
    assert len(begun) == 2
    assert "failed; what else is at work is waited for" in out
    assert " failed. All that was said" in err
    assert len(ran(out)) == 1


def test_a_worker_that_has_gone_before_its_first_stage_fails_the_run(monkeypatch, capsys):
    monkeypatch.setattr(sys.modules[__name__], "WORKER", "{what}")
    code, (out, _), begun = together(monkeypatch, capsys, CHAIN, "raise SystemExit(4)", "raise SystemExit(4)")
    assert (code, begun) == (4, [])


def test_a_fault_here_leaves_nobody_waiting(monkeypatch, capsys):
    monkeypatch.setattr(reproduce.Told, "over", lambda self, process: 1 / 0)
    begun = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        together(monkeypatch, capsys, {"a": set(), "b": {"a"}}, "time.sleep(.1)", "time.sleep(.1)")
    assert time.monotonic() - begun < 20


@pytest.mark.skipif(os.name == "nt", reason="there are no process groups")
def test_who_does_not_end_when_interrupted_is_ended(monkeypatch):
    monkeypatch.setattr(reproduce, "PATIENCE", 1.0)
    deaf = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE, start_new_session=True) for _ in range(2)
    ]
    assert all(worker.stdout.readline() == b"here\n" for worker in workers)
    begun = time.monotonic()
    reproduce._interrupt(workers)
    assert [worker.wait() for worker in workers] == [-9, -9]
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(("seconds", "words"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (206, "3 min 26 s")])
def test_durations(seconds, words):
    assert reproduce._duration(seconds) == words


def test_another_run_is_named_and_a_note_of_one_that_is_gone_is_not(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    (tmp_path / "run.pid").write_text("1\n")  # of one that was killed
    with reproduce._alone():
        assert (tmp_path / "run.pid").read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / "run.pid").exists()
    works = f"""
import sys, time
from pathlib import Path
from pipeline import paths, reproduce
paths.BUILD = Path({str(tmp_path)!r})
with reproduce._alone():
    print("here", flush=True)
    time.sleep(60)
"""
    other = subprocess.Popen([sys.executable, "-c", works], cwd=paths.ROOT, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"here\n"
    with pytest.raises(reproduce.Busy, match=f"process {other.pid} is at work.*kill {other.pid}"), reproduce._alone():
        pass
    other.kill()
    other.wait()
    with reproduce._alone():  # it has left its note, and no lock
        assert (tmp_path / "run.pid").read_text() == f"{os.getpid()}\n"


def test_what_processes_are_started_with_is_the_same_whatever_the_person_has_set(monkeypatch):
    for name in environment.CHOSEN:
        monkeypatch.delenv(name, raising=False)
    expected = environment.variables()
    for name in set(expected) - set(environment.CHOSEN):
        monkeypatch.setenv(name, "another")
    assert not environment.is_set()
    assert reproduce._variables().items() >= expected.items()


def test_threads_and_onednn_are_as_a_person_sets_them_and_the_receipt_says_so(monkeypatch):
    for name in environment.CHOSEN:
        monkeypatch.setenv(name, "1")
        assert reproduce._variables()[name] == machine.describe()["variables"][name] == "1"


PARTS = """
stages:
  one: {cmd: cat a > one, deps: [a], outs: [one]}
  two: {cmd: cat one b > two, deps: [one, b], outs: [two]}
  three: {cmd: cat two > three, deps: [two], outs: [three]}
  other: {cmd: cat b > other, deps: [b], outs: [other]}
  apart: {cmd: cat c > apart, deps: [c], outs: [apart]}
"""


def test_stages_that_are_stale_are_those_that_changed_and_all_that_follow(tmp_path, monkeypatch):
    (tmp_path / "dvc.yaml").write_text(PARTS)
    for name in "abc":
        (tmp_path / name).write_text(name)
    clones.call(tmp_path, "dvc", "init", "-q", "--no-scm")
    clones.call(tmp_path, "dvc", "repro", "-q")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert reproduce._stale(every=False) == ({}, 5)
    (tmp_path / "a").write_text("changed")
    (tmp_path / "apart").unlink()
    follows = {"one": set(), "two": {"one"}, "three": {"two"}, "apart": set()}
    assert reproduce._stale(every=False) == (follows, 1)
    assert reproduce._stale(every=True) == (follows | {"other": set()}, 0)


@pytest.mark.parametrize("becomes", [True, False], ids=["becomes", "waits"])
def test_a_process_that_starts_anew_is_waited_for_and_tells_how_the_new_one_ended(tmp_path, becomes):
    (tmp_path / "work.py").write_text(
        "import sys, time\nfrom pipeline import environment\nassert environment.is_set()\ntime.sleep(1)\n"
        "print(sys.argv[1:])\nsys.exit(7)"
    )
    code = f"from pipeline import environment\nenvironment.BECOMES = {becomes}\nenvironment.restart('work', ['a b'])"
    plain = {name: value for name, value in os.environ.items() if name not in environment.variables()}
    variables = {**plain, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(clones.ROOT)])}
    result = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)
    assert (result.stdout, result.returncode) == ("['a b']\n", 7), result.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A clone in which nothing has run."""
    place = clones.make(tmp_path_factory.mktemp("stopped"))
    clones.git(place, "add", "-A")
    clones.git(place, "commit", "-q", "-m", "as it is")
    return place


def at_work(place):
    """Processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd().startswith(str(place)):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="stages are forked on Linux alone")
@pytest.mark.xdist_group("stopped")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
@pytest.mark.parametrize(
    ("options", "awaited"), [(["-f", "eda"], "eda"), (["-f", "--jobs", "2"], "ingest")], ids=["one", "two"]
)
def test_a_run_that_is_ended_leaves_nobody_at_work_and_the_next_one_goes_on(place, options, awaited, how):
    command = [sys.executable, "-m", "pipeline.run", "repro", *options]
    log = place / "build/run.log"
    log.unlink(missing_ok=True)
    run = subprocess.Popen(command, cwd=place, env=clones.ENVIRONMENT, stdout=-1, stderr=-1, start_new_session=True)
    while f"Running stage '{awaited}'" not in (log.read_text() if log.exists() else ""):
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    time.sleep(1)  # its kernel has begun
    assert len(at_work(place)) >= 4  # the command, DVC, the stage, its kernel
    run.send_signal(how)
    begun = time.monotonic()
    run.communicate(timeout=60)
    assert time.monotonic() - begun < 20
    assert run.returncode == (130 if how == signal.SIGINT else -how)
    end = time.monotonic() + 15
    while at_work(place) and time.monotonic() < end:
        time.sleep(0.1)
    assert at_work(place) == []
    assert "The report:" in stage(place, "repro", "eda").stdout


@pytest.mark.skipif(os.name == "nt", reason="there `dvc repro` needs an activated environment")
def test_a_python_without_the_libraries_gives_over_to_the_environments_own_or_says_what_to_do(place):
    bare = [sys.executable, "-S", "-m", "pipeline.run", "ingest", "twice"]  # what a plain `dvc repro` may find
    result = clones.call(place, *bare, check=False)
    assert result.returncode == 1
    assert "Activate the environment that the study is installed in" in result.stderr
    (place / ".venv").symlink_to(sys.prefix)
    result = clones.call(place, *bare, check=False)
    assert "ingest takes no item. Received: ['twice']" in result.stderr
