"""Turns of searches and photos: so many are at work at once, so many may wait, and each kind waits for its own."""

import asyncio
import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

from starlette.requests import ClientDisconnect, Request

CORES = os.cpu_count() or 1
MOST_WAITING = 200  # of a kind; each is an answer that somebody still waits for
M_MMAP_THRESHOLD, GIVEN_BACK = -3, 2**20  # glibc's number of the setting, and bytes
Kind = Literal["searches", "photos", "large photos"]
Given = TypeVar("Given")


class Busy(RuntimeError):
    """There is more to do than can be done soon."""


class Turns:
    """What takes long is done in its turn, so many of a kind at once: this bounds memory, and answers come sooner.

    Searches without a photo, photos and large photos each wait for their own kind alone. Photos have as many threads as
    cores: with more, each waits for all.
    """

    def __init__(self, searches: int = CORES) -> None:
        """
        Args:
            searches: how many without a photo are at work at once.
        """
        give_back()
        threads = {"searches": searches, "photos": CORES, "large photos": max(1, CORES - 1)}
        self._lanes = {kind: _Lane(many) for kind, many in threads.items()}

    async def run(self, request: Request, work: Callable[[], Given], kind: Kind) -> Given:
        """What `work` gives, once it is its turn.

        Args:
            request: who asks; work for someone who has left meanwhile is not begun.

        Raises:
            Busy: too many wait already. ClientDisconnect: nobody waits for the answer.
        """
        lane = self._lanes[kind]
        if lane.waiting >= MOST_WAITING:
            raise Busy(f"{MOST_WAITING} {kind} are waiting already; ask again in a moment")
        lane.waiting += 1
        try:
            async with lane.free:
                if await request.is_disconnected():
                    raise ClientDisconnect
                return await asyncio.get_running_loop().run_in_executor(lane.pool, work)
        finally:
            lane.waiting -= 1


class _Lane:
    def __init__(self, threads: int) -> None:
        self.waiting = 0
        self.free = asyncio.Semaphore(threads)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="turn")


def give_back() -> None:
    """Has the C library give large pieces of memory back to the system when they are freed, where it is glibc.

    Else what the largest photo took stays with the process until it ends.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, GIVEN_BACK)
