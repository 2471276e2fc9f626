"""Connections as uvicorn keeps them, but for those that say nothing or take nothing: they are closed."""

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.site.guard import HEADERS

SILENT = 10  # seconds in which a request's head has to come
UNREAD = 30  # seconds in which some of an answer has to be taken


class Connection(H11Protocol):
    """One that is closed where no request comes in `SILENT` seconds, and answers what is no HTTP as any other fault."""

    _silence: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._listen()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._listen()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hear()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._offer(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def _offer(self, left: int) -> None:
        self._taken()
        self._unread = self.loop.call_later(UNREAD, self._look, left)

    def _look(self, left: int) -> None:
        """Ends a connection that has taken nothing of its answer, which would be held for ever."""
        self._unread = None
        now = self.transport.get_write_buffer_size()
        if now >= left:
            self.transport.abort()
        else:
            self._offer(now)

    def _taken(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def send_400_response(self, msg: str) -> None:
        headers = [(b"content-type", b"application/json"), (b"connection", b"close"), *HEADERS.items()]
        parts = [
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=json.dumps({"error": msg}).encode()),
            h11.EndOfMessage(),
        ]
        for part in parts:
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def _listen(self) -> None:
        """Begins to wait for a request's head where none is answered; what has come of it makes no difference, nor does
        what comes of a body that was answered without it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._hear()
        elif self._silence is None:
            self._silence = self.loop.call_later(SILENT, self._give_up)

    def _hear(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _give_up(self) -> None:
        self._silence = None
        self.transport.close()
