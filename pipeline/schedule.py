"""Which stage is next for several workers: one that can run, and of these the one that most others wait for."""

import threading
from collections.abc import Mapping
from graphlib import TopologicalSorter


class Schedule:
    """Stages, each given out once and not before all are done that it follows from; after a fault none any more."""

    def __init__(self, follows: Mapping[str, set[str]]):
        """`follows`: for every stage those that it follows from; the ones that are no keys are done already."""
        follows = {name: before & set(follows) for name, before in follows.items()}
        self._order = TopologicalSorter(follows)
        self._order.prepare()
        self._waiting = _waiting(follows)
        self._ready: list[str] = []
        self._changed = threading.Condition()
        self._stopped = False

    def take(self) -> str | None:
        """The next stage, waited for until there is one; None when all are done, or one has failed."""
        with self._changed:
            while not self._stopped and self._order.is_active():
                self._ready += self._order.get_ready()
                if self._ready:
                    name = max(self._ready, key=self._waiting.__getitem__)
                    self._ready.remove(name)
                    return name
                self._changed.wait()
            return None

    def done(self, name: str) -> None:
        """Notes a stage's good end: what follows from it may run."""
        with self._changed:
            self._order.done(name)
            self._changed.notify_all()

    def stop(self) -> None:
        """Gives out no stage any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


def _waiting(follows: Mapping[str, set[str]]) -> dict[str, int]:
    """How many stages follow from each, however far.

    >>> _waiting({"a": set(), "b": {"a"}, "c": {"b", "a"}})
    {'a': 2, 'b': 1, 'c': 0}
    """
    after: dict[str, set[str]] = {name: set() for name in follows}
    for name in reversed(list(TopologicalSorter(follows).static_order())):
        for before in follows[name]:
            after[before] |= after[name] | {name}
    return {name: len(others) for name, others in after.items()}
