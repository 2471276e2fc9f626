"""Long loops: how far they are, with an estimate, wherever they run; and their items worked on ahead by threads.

An estimate is shown on the terminal, in JupyterLab, and out of a notebook that runs under the graph.
"""

import contextlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

FILE = "PIPELINE_PROGRESS"  # run.py names a file here and shows its lines: an executed notebook must hold no timings
T = TypeVar("T")
R = TypeVar("R")
_hidden: list[bool] = []


def progress(items: Iterable[T], what: str, unit: str, total: int | None = None, initial: int = 0) -> Generator[T]:
    """Yields `items` and shows how many of `total` are done, at what speed, and how long the rest will take."""
    if _hidden:
        yield from items
        return
    options = {"desc": what, "unit": unit, "total": total, "initial": initial, "unit_scale": True}
    if FILE in os.environ:
        with Path(os.environ[FILE]).open("a", encoding="utf-8") as file:
            yield from tqdm(items, file=file, mininterval=2, ncols=100, **options)
    else:
        yield from tqdm(items, ncols=100, mininterval=1, **options)


def ahead(work: Callable[[T], R], items: Iterable[T], most: int) -> Iterator[R]:
    """Yields `work(item)` of each item, in the items' order; a thread per core works on those that follow.

    Args:
        most: results that are held or under way while one is used: it bounds the memory.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Within it nothing is shown: for short work inside a long one that has a bar of its own."""
    _hidden.append(True)
    try:
        yield
    finally:
        _hidden.pop()
