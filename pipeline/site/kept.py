"""Photos that were sent a while ago, by their hash: a search is repeated, and its address passed on, without them."""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from pipeline.site.products import Missing

MOST_BYTES = 200_000_000  # of all that are kept: the one asked for longest ago goes first
SECONDS = 3600  # since it was last asked for


class Kept:
    """The photos that are kept at one moment, in memory alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.held = 0
        self._clock = clock
        self._key = secrets.token_bytes(32)  # else whoever has a photo could ask whether somebody searched with it
        self._photos: OrderedDict[str, tuple[float, bytes]] = OrderedDict()  # asked for longest ago first

    def keep(self, photo: bytes) -> str:
        """Keeps a photo, and gives its hash: 32 hexadecimal digits, which nobody guesses."""
        mark = hashlib.blake2b(photo, key=self._key, digest_size=16).hexdigest()
        self._forget(mark)
        self._photos[mark] = self._clock(), photo
        self.held += len(photo)
        self.tidy()
        return mark

    def get(self, mark: str) -> bytes:
        """A photo by its hash. Raises Missing: it was never sent here, or too long ago."""
        self.tidy()
        if mark not in self._photos:
            raise Missing(
                f"this photo is no longer known here: it is kept in memory for {SECONDS // 60} minutes after it was "
                "last asked for, fewer where many are sent. Choose it once more"
            )
        photo = self._photos.pop(mark)[1]
        self._photos[mark] = self._clock(), photo
        return photo

    def tidy(self) -> None:
        """Lets go of what is kept too long, or is too much."""
        now = self._clock()
        while self._photos:
            mark, (asked, _) = next(iter(self._photos.items()))
            if now - asked <= SECONDS and self.held <= MOST_BYTES:
                return
            self._forget(mark)

    def _forget(self, mark: str) -> None:
        if mark in self._photos:
            self.held -= len(self._photos.pop(mark)[1])
