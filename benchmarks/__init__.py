"""Speed as ratios: each piece of work beside another way to do it, in one run on one machine."""

import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One comparison: so many times as fast as another way; `bar` is what was aimed at."""

    work: str
    against: str
    ours: float
    theirs: float
    unit: str  # of both, the more the better
    bar: float | None

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return self.ours / self.theirs


def rate(work: Callable[[], object], count: float, rounds: int = 3) -> float:
    """How many a second, in the best of some rounds; what is compiled or loaded at first does not count."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return count / best
