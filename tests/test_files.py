"""Writing: whole or not at all, whatever fails and whenever it is killed; the same bytes on every system."""

import _pyio
import builtins
import inspect
import io
import json
import locale
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from pipeline import files

ROOT = Path(__file__).parents[1]
PARTS = 12  # files in a folder
DISK = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}  # Python's audit events of what changes a disk
FAULTS = [OSError("no space left"), KeyboardInterrupt()]


def fill(folder, text):
    for number in range(PARTS):
        (folder / f"{number}.txt").write_text(text)


def content(folder):
    """What a folder was filled with; fails where it is not whole."""
    texts = [(folder / f"{number}.txt").read_text() for number in range(PARTS)]
    assert len(set(texts)) == 1
    assert len(list(folder.iterdir())) == PARTS
    return texts[0]


def names(place):
    return sorted(path.name for path in place.iterdir())


def write_file(path, text):
    """A file written in two goes, so that it can be half there."""
    with files.whole_file(path) as partial, partial.open("w") as file:
        for number in range(2):
            file.write(f"{text}{number}")
            file.flush()


def write_folder(folder, text):
    with files.whole_folder(folder) as partial:
        fill(partial, text)


@pytest.fixture
def folder(tmp_path):
    """A folder with what was written before."""
    write_folder(tmp_path / "made", "old")
    return tmp_path / "made"


def test_a_file_is_written_where_no_folder_was_and_takes_the_place_of_an_older_one(tmp_path):
    path = tmp_path / "a/b/made.txt"
    for text in ("old", "new"):
        with files.whole_file(path) as partial:
            partial.write_text(text)
            assert not path.exists() if text == "old" else path.read_text() == "old"
        assert path.read_text() == text
        assert names(path.parent) == ["made.txt"]


def test_a_folder_is_filled_where_none_was_and_holds_nothing_of_an_older_one(tmp_path):
    folder = tmp_path / "a/b/made"
    with files.whole_folder(folder) as partial:
        (partial / "only in the old one").write_text("")
        assert not folder.exists()
    with files.whole_folder(folder) as partial:
        assert names(partial) == []
        fill(partial, "new")
        assert names(folder) == ["only in the old one"]
    assert content(folder) == "new"
    assert names(folder.parent) == ["made"]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("before", ["old", None])
def test_a_fault_while_a_file_is_written_leaves_what_was_there_and_no_part(tmp_path, fault, before):
    path = tmp_path / "made.txt"
    if before:
        path.write_text(before)
    with pytest.raises(type(fault)), files.whole_file(path) as partial:
        partial.write_text("half")
        raise fault
    assert names(tmp_path) == (["made.txt"] if before else [])
    assert not before or path.read_text() == before


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("before", ["old", None])
def test_a_fault_while_a_folder_is_filled_leaves_what_was_there_and_no_part(tmp_path, fault, before):
    folder = tmp_path / "made"
    if before:
        write_folder(folder, before)
    with pytest.raises(type(fault)), files.whole_folder(folder) as partial:
        (partial / "0.txt").write_text("half")
        raise fault
    assert names(tmp_path) == (["made"] if before else [])
    assert not before or content(folder) == before


def test_a_part_that_a_kill_left_is_no_hindrance(tmp_path):
    (tmp_path / "made.txt.partial").write_text("half, and longer than what is written next")
    (tmp_path / "made.partial/deep").mkdir(parents=True)
    (tmp_path / "made.partial/13.txt").write_text("half")
    write_file(tmp_path / "made.txt", "new")
    write_folder(tmp_path / "made", "new")
    assert (tmp_path / "made.txt").read_text() == "new0new1"
    assert content(tmp_path / "made") == "new"
    assert names(tmp_path) == ["made", "made.txt"]


def test_a_part_is_gone_before_its_block_begins(tmp_path):
    (tmp_path / "made.txt.partial").write_text("half")
    with files.whole_file(tmp_path / "made.txt") as partial:
        assert not partial.exists()
        partial.write_text("new")


def fail_at_rename(patch, which):
    """The `which`-th rename from now on raises."""
    rename, calls = Path.replace, []

    def failing(path, target):
        calls.append(target)
        if len(calls) == which:
            raise OSError("interrupted")
        return rename(path, target)

    patch.setattr(Path, "replace", failing)


@pytest.fixture
def between(folder, monkeypatch):
    """A folder of which the old one has gone and the new one has not come."""
    with monkeypatch.context() as patch:
        fail_at_rename(patch, 2)
        with pytest.raises(OSError, match="interrupted"):
            write_folder(folder, "new")
    assert not folder.exists()
    return folder


def test_a_folder_interrupted_between_its_two_renames_comes_back(between):
    files.recover(between)
    assert content(between) == "old"
    assert names(between.parent) == ["made"]


def test_whoever_fills_a_folder_next_has_the_interrupted_one_back_first(between):
    with pytest.raises(OSError, match="no space"), files.whole_folder(between):
        assert content(between) == "old"
        raise OSError("no space left")
    assert content(between) == "old"
    write_folder(between, "new")
    assert content(between) == "new"
    assert names(between.parent) == ["made"]


def test_a_folder_that_cannot_be_moved_away_stays(folder, monkeypatch):
    with monkeypatch.context() as patch:
        fail_at_rename(patch, 1)
        with pytest.raises(OSError, match="interrupted"):
            write_folder(folder, "new")
    assert content(folder) == "old"
    assert names(folder.parent) == ["made"]


def test_an_old_folder_that_was_not_cleared_away_does_not_come_back(folder):
    write_folder(folder.with_name("made.earlier"), "older")
    files.recover(folder)
    assert content(folder) == "old"
    assert names(folder.parent) == ["made"]


def test_where_nothing_was_interrupted_there_is_nothing_to_recover(folder):
    files.recover(folder)
    files.recover(folder.with_name("other"))
    assert content(folder) == "old"
    assert names(folder.parent) == ["made"]


def child(last, *arguments):
    """A light process that imports `files` alone, knows the functions it needs, and does a last line."""
    head = f"import os, signal, sys\nfrom pathlib import Path\nfrom pipeline import files\n{PARTS = }\n{DISK = }\n"
    known = (fill, content, write_file, write_folder, kill_before, write_for_ever)
    program = head + "\n".join(map(inspect.getsource, known)) + last
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill_before(moment):
    """This process is killed before the `moment`-th thing that it does to the disk from now on."""
    left = moment

    def count(event, _):
        nonlocal left
        if event in DISK:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def after_each_kill(path, write):
    """Kills a child that writes anew before each thing that it does, until one ends; whether this one did."""
    for moment in range(200):
        line = f"kill_before(int(sys.argv[2])); {write.__name__}(Path(sys.argv[1]), 'new')"
        with child(line, path, moment) as writer:
            assert writer.wait(60) in (0, -signal.SIGKILL)
        yield writer.returncode == 0
        if writer.returncode == 0:
            return
    raise AssertionError("no child came to its end")


def test_a_folder_is_the_old_one_or_the_new_one_whenever_its_writer_is_killed(folder):
    found, missing = [], 0
    for ended in after_each_kill(folder, write_folder):
        missing += not folder.exists()
        files.recover(folder)
        found.append(content(folder))
        assert not folder.with_name("made.earlier").exists()
        assert not ended or names(folder.parent) == ["made"]
        write_folder(folder, "old")  # with all that the kill left
        assert content(folder) == "old"
        assert names(folder.parent) == ["made"]
    assert missing  # some were killed between the two renames
    assert found == sorted(found, key=["old", "new"].index)
    assert found.count("old") > PARTS and found.count("new") > PARTS


def test_a_file_is_the_old_one_or_the_new_one_whenever_its_writer_is_killed(tmp_path):
    path, found = tmp_path / "made", []
    write_file(path, "old")
    for ended in after_each_kill(path, write_file):
        found.append(path.read_text())
        assert not ended or names(tmp_path) == ["made"]
        write_file(path, "old")
        assert names(tmp_path) == ["made"]
    assert set(found) == {"old0old1", "new0new1"}


def write_for_ever(folder):
    """Folder after folder, each with a number that is told once it is written."""
    files.recover(folder)
    number = int(content(folder))
    while True:
        number += 1
        write_folder(folder, str(number))
        print(number, flush=True)


def test_twenty_kills_at_random_moments_leave_the_last_folder_whole_or_the_one_after_it(tmp_path):
    folder, moments = tmp_path / "made", random.Random(0)
    write_folder(folder, "0")
    for _ in range(20):
        with child("write_for_ever(Path(sys.argv[1]))", folder) as writer:
            told = writer.stdout.readline()  # it has begun
            time.sleep(moments.uniform(0, 0.05))
            writer.kill()
            told += writer.communicate(timeout=60)[0]
        files.recover(folder)
        last = int(told.split()[-1])
        assert int(content(folder)) in (last, last + 1)


@pytest.fixture
def elsewhere(monkeypatch):
    """A system whose files have other line ends and another encoding where none are named."""
    for module in (io, builtins):
        monkeypatch.setattr(module, "open", _pyio.open)
    monkeypatch.setattr(os, "linesep", "\r\n")
    monkeypatch.setattr(locale, "getencoding", lambda: "cp1252")


@pytest.fixture
def table():
    """Rows that were chosen out of more, with what spoils a careless file: commas, quotes, lines, blanks, thirds."""
    return pd.DataFrame(
        {
            "id": ["1", "2", "3", "4"],
            "name": ["Größe · 42", 'a "quoted", name', "two\nlines", None],
            "count": [3, -1, 0, 2**53 + 1],
            "value": [1 / 3, 1e-300, None, -0.1],
        },
        index=[7, 3, 5, 4],
    )


def test_elsewhere_is_another_system(tmp_path, elsewhere):
    (tmp_path / "made.txt").write_text("Größe\n")
    assert (tmp_path / "made.txt").read_bytes() == b"Gr\xf6\xdfe\r\n"


def test_text_is_utf_8_with_unix_line_ends_on_every_system(tmp_path, elsewhere):
    text = "Größe · 42 → 43\n\nlast\n"
    files.write_text(tmp_path / "made.txt", text)
    assert (tmp_path / "made.txt").read_bytes() == text.encode("utf-8")
    assert b"\r" not in (tmp_path / "made.txt").read_bytes()


def test_bytes_are_written_as_they_are(tmp_path, elsewhere):
    files.write_bytes(tmp_path / "made", bytes(range(256)) + b"\r\n\n")
    assert (tmp_path / "made").read_bytes() == bytes(range(256)) + b"\r\n\n"


def test_json_comes_back_and_has_a_line_per_entry(tmp_path, elsewhere):
    values = {"name": "Größe\n", "share": 1 / 3, "ids": ["a", "b"], "none": None}
    files.write_json(tmp_path / "made.json", values)
    written = (tmp_path / "made.json").read_bytes()
    assert json.loads(written) == values
    assert written.count(b"\n") == 9 and written.endswith(b"}\n") and b"\r" not in written


def test_a_csv_comes_back_without_its_index(tmp_path, table, elsewhere):
    files.write_csv(tmp_path / "made.csv", table)
    written = (tmp_path / "made.csv").read_bytes()
    assert written.startswith(b"id,name,count,value\n")
    assert "Größe · 42".encode() in written and b"\r" not in written
    found = pd.read_csv(io.BytesIO(written), dtype={"id": str}, float_precision="round_trip")
    pd.testing.assert_frame_equal(found, table.reset_index(drop=True), check_exact=True)


def test_a_parquet_comes_back_without_its_index(tmp_path, table):
    files.write_parquet(tmp_path / "made.parquet", table)
    found = pd.read_parquet(tmp_path / "made.parquet")
    pd.testing.assert_frame_equal(found, table.reset_index(drop=True), check_exact=True)


class Unwritable:
    """A value that no file can hold."""

    def __str__(self):
        raise OSError("cannot be written")


@pytest.mark.parametrize(
    ("write", "values"),
    [
        (files.write_bytes, "no bytes"),
        (files.write_text, "\ud800"),
        (files.write_json, {"a": Unwritable()}),
        (files.write_csv, pd.DataFrame({"a": [Unwritable()]})),
        (files.write_parquet, pd.DataFrame({"a": ["x" * 100_000, Unwritable()]})),
    ],
)
def test_what_cannot_be_written_leaves_the_older_file_and_no_part(tmp_path, write, values):
    (tmp_path / "made").write_text("old")
    with pytest.raises(Exception, match=r"."):
        write(tmp_path / "made", values)
    assert (tmp_path / "made").read_text() == "old"
    assert names(tmp_path) == ["made"]
