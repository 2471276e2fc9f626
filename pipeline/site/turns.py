"""Turns of photos: so many are decoded and encoded at once, so many may wait, and large ones wait for large ones."""

import asyncio
import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

CORES = os.cpu_count() or 1
MOST_WAITING = 200  # photos; each is an answer that somebody still waits for
M_MMAP_THRESHOLD, GIVEN_BACK = -3, 2**20  # glibc's number of the setting, and bytes
Given = TypeVar("Given")


class Busy(RuntimeError):
    """There is more to do than can be done soon."""


class Turns:
    """A photo is decoded, cut and encoded in one turn, on as many threads as cores: this bounds memory and work."""

    def __init__(self) -> None:
        give_back()
        self._waiting = 0
        self._lanes = {large: _Lane(max(1, CORES - large)) for large in (False, True)}

    async def run(self, request: Request, work: Callable[[], Given], large: bool = False) -> Given:
        """What `work` gives, once it is its turn.

        Args:
            request: who asks; work for someone who has left meanwhile is not begun.
            large: it takes long, and waits for others that do.

        Raises:
            Busy: too many wait already. ClientDisconnect: nobody waits for the answer.
        """
        if self._waiting >= MOST_WAITING:
            raise Busy(f"{MOST_WAITING} photos are waiting already; ask again in a moment")
        lane = self._lanes[large]
        self._waiting += 1
        try:
            async with lane.free:
                if await request.is_disconnected():
                    raise ClientDisconnect
                return await asyncio.get_running_loop().run_in_executor(lane.pool, work)
        finally:
            self._waiting -= 1


class _Lane:
    def __init__(self, threads: int) -> None:
        self.free = asyncio.Semaphore(threads)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="photo")


def give_back() -> None:
    """Has the C library give large pieces of memory back to the system when they are freed, where it is glibc.

    Else what the largest photo took stays with the process until it ends.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, GIVEN_BACK)
