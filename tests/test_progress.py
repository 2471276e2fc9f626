"""Progress: it yields what it is given, shows how far it is, and is silent where it is told to be."""

import threading

import pytest

from pipeline.progress import FILE, ahead, hidden, progress


def test_everything_is_yielded_and_counted(capsys):
    assert list(progress(iter("abc"), "reading", "letter", 3)) == ["a", "b", "c"]
    shown = capsys.readouterr().err
    assert "reading: 100%" in shown
    assert "3.00/3.00" in shown


def test_a_resumed_count_starts_where_it_stopped(capsys):
    counted = progress(range(4), "reading", "letter", 10, 6)
    next(counted)
    assert "reading:  60%" in capsys.readouterr().err
    assert list(counted) == [1, 2, 3]
    assert "10.0/10.0" in capsys.readouterr().err


def test_a_file_gets_the_lines_where_one_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(FILE, str(tmp_path / "lines"))
    assert list(progress(range(2), "first", "thing", 2)) == [0, 1]
    assert list(progress(range(4), "second", "thing", 10, 6)) == [0, 1, 2, 3]
    text = (tmp_path / "lines").read_text()
    assert "first: 100%" in text and "second:  60%" in text and "10.0/10.0" in text
    assert capsys.readouterr() == ("", "")


def test_hidden_progress_yields_the_same_and_shows_nothing(capsys, monkeypatch, tmp_path):
    with hidden():
        with hidden():
            assert list(progress(range(3), "inner", "thing", 3)) == [0, 1, 2]
        assert list(progress(range(3), "outer", "thing", 3)) == [0, 1, 2]
        monkeypatch.setenv(FILE, str(tmp_path / "lines"))
        assert list(progress(range(3), "file", "thing", 3)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
    assert not (tmp_path / "lines").exists()


def test_after_hidden_work_bars_are_shown_again_even_where_it_failed(capsys):
    with pytest.raises(ZeroDivisionError), hidden():
        _ = 1 / 0
    list(progress(range(3), "again", "thing", 3))
    assert "again: 100%" in capsys.readouterr().err


def test_a_bar_that_is_open_stays_open_through_hidden_work(capsys):
    counted = progress(range(2), "outer", "thing", 2)
    next(counted)
    with hidden():
        list(progress(range(3), "inner", "thing", 3))
    assert list(counted) == [1]
    shown = capsys.readouterr().err
    assert "outer: 100%" in shown
    assert "inner" not in shown


@pytest.mark.parametrize("most", [0, 1, 4, 100])
def test_work_ahead_comes_in_the_order_of_its_items_and_no_more_of_it_is_held_than_is_said(most):
    taken, used = [], []

    def items():
        for item in range(20):
            taken.append(item)
            assert len(taken) - len(used) <= most + 1
            yield item

    for result in ahead(lambda item: item**2, items(), most):
        used.append(result)
    assert used == [item**2 for item in range(20)]


def test_the_next_item_is_worked_on_while_one_is_used():
    second = threading.Event()
    found = ahead(lambda item: second.set() if item else None, range(2), 1)
    next(found)
    assert second.wait(10)


def test_a_fault_of_the_work_ahead_comes_in_its_place():
    found = ahead(lambda item: 1 / (2 - item), range(4), 3)
    assert [next(found), next(found)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert list(found) == []
