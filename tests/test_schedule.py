"""The order in which stages are given to several workers: never before what they follow from, each once."""

import random
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.schedule import Schedule


def work_off(follows, workers, fails=None, takes=lambda name: 0):
    """What some workers did, each as (stage, when it began, when it ended)."""
    plan, done, one = Schedule(follows), [], threading.Lock()

    def work():
        while name := plan.take():
            begun = time.monotonic()
            time.sleep(takes(name))
            if name == fails:
                plan.stop()
                return
            with one:
                done.append((name, begun, time.monotonic()))
            plan.done(name)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    return done


@st.composite
def graphs(draw):
    """A few stages, each of which follows from some earlier ones."""
    count = draw(st.integers(1, 12))
    return {
        f"s{number}": {f"s{before}" for before in draw(st.sets(st.integers(0, max(number - 1, 0)))) if before < number}
        for number in range(count)
    }


@given(graphs(), st.integers(1, 4))
def test_each_stage_is_given_once_and_not_before_those_that_it_follows_from(follows, workers):
    order = [name for name, *_ in work_off(follows, workers)]
    assert sorted(order) == sorted(follows)
    assert all(order.index(before) < order.index(name) for name in follows for before in follows[name])


def test_two_stages_run_at_once_and_the_one_that_follows_from_both_waits():
    follows = {"a": set(), "b": set(), "both": {"a", "b"}}
    done = {name: (begun, ended) for name, begun, ended in work_off(follows, 2, takes=lambda name: 0.2)}
    assert done["b"][0] < done["a"][1] and done["a"][0] < done["b"][1]
    assert done["both"][0] >= max(done["a"][1], done["b"][1])


def test_of_those_that_can_run_the_one_that_most_wait_for_comes_first():
    wide = {"wide": set(), "one": {"wide"}, "two": {"wide"}}
    long = {"long": set(), "next": {"long"}, "then": {"next"}, "more": {"then"}, "last": {"more"}}
    assert [name for name, *_ in work_off({**wide, **long}, 1)][:3] == ["long", "next", "wide"]


def test_what_is_done_already_is_not_waited_for():
    assert [name for name, *_ in work_off({"b": {"a"}}, 1)] == ["b"]


def test_after_a_fault_no_stage_is_given_and_nobody_waits_on():
    follows = {"good": set(), "bad": set(), "after": {"bad"}, "later": {"good"}, "end": {"later", "after"}}
    takes = {"good": 0.3}
    done = [name for name, *_ in work_off(follows, 3, fails="bad", takes=lambda name: takes.get(name, 0))]
    assert done == ["good"]


def test_stages_in_a_circle_are_refused():
    with pytest.raises(ValueError, match="cycle"):
        Schedule({"a": {"b"}, "b": {"a"}})


def test_a_study_of_many_stages_is_planned_at_once():
    chance = random.Random(0)
    follows = {
        str(number): {str(chance.randrange(number)) for _ in range(3)} if number else set() for number in range(300)
    }
    begun = time.monotonic()
    plan = Schedule(follows)
    assert time.monotonic() - begun < 2
    assert plan.take() == "0"
