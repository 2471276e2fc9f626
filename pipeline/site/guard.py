"""Who may ask for what: names that the site is called by, other web pages, and changes by whoever runs it.

Light to import: it answers before the study's libraries are loaded.
"""

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_AT_WORK = 500  # questions without a body that are answered at once; photos are counted by their turns
RETRY = {"retry-after": "2"}  # seconds
HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    b"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}
FRESH = (b"cache-control", b"no-cache")  # of an answer that says nothing else


@dataclass(frozen=True)
class Writing:
    """Whether products may be added and taken away, and with which token: without one by everyone who comes."""

    on: bool = False
    token: str | None = None

    def check(self, authorization: str | None) -> None:
        """Raises HTTPException unless a request with this header may change products: 403 where none may, else 401."""
        if not self.on:
            raise HTTPException(403, "this site is to be looked at. Whoever runs it may start it with --writable")
        if self.token is None:
            return
        given = (authorization or "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            headers = {"www-authenticate": "Bearer"}
            raise HTTPException(401, "changes need the site's token: Authorization: Bearer …", headers)


class Guard:
    """Refuses names that are not the site's and what other web pages ask for; puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp, names: Iterable[str], public: Iterable[str] = ()) -> None:
        """Guards a program.

        Args:
            names: what the site is called, beside addresses: another web page cannot reach it under a name of its own.
            public: names that a proxy gives it; a page of such a name is the site's own, whatever the proxy makes of
                the request's host.
        """
        self.app = app
        self.public = {name.lower() for name in public}
        self.names = {name.lower() for name in names} | self.public
        self.at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = guarded(message["headers"])
            await send(message)

        asks = scope["method"] in ("GET", "HEAD")
        answer = self._refusal(scope, asks)
        if answer is None:
            self.at_work += asks
            try:  # the server leaves out the body of an answer to HEAD
                await self.app({**scope, "method": "GET"} if asks else scope, receive, with_headers)
            finally:
                self.at_work -= asks
        else:
            await answer(scope, receive, with_headers)

    def _refusal(self, scope: Scope, asks: bool) -> JSONResponse | None:
        sent = dict(scope["headers"])
        host = sent.get(b"host", b"").decode("latin-1")
        if not _is_called(host, self.names):
            return fault(400, f"this site is not called {host[:80]!r}. Whoever runs it may start it with --name")
        harmless = asks and (not scope["path"].startswith("/api") or sent.get(b"sec-fetch-mode") == b"navigate")
        if not harmless and self._foreign(sent, host):
            return fault(403, "another web page may not use this site")
        if asks and self.at_work >= MOST_AT_WORK:
            return fault(503, f"{MOST_AT_WORK} questions are being answered already; ask again in a moment", RETRY)
        return None

    def _foreign(self, sent: dict[bytes, bytes], host: str) -> bool:
        if sent.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            return True
        origin = sent.get(b"origin", b"").decode("latin-1")
        return bool(origin) and origin.split("//")[-1] != host and _name(origin.split("//")[-1]) not in self.public


def fault(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A fault as every one is told: one line under `error`."""
    return JSONResponse({"error": message}, status, headers)


def guarded(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """An answer's headers and what each answer has; unless it says how long it may be kept, it is asked for anew."""
    kept = any(name == FRESH[0] for name, _ in headers)
    return [*headers, *HEADERS.items(), *([] if kept else [FRESH])]


def _is_called(host: str, names: set[str]) -> bool:
    """Whether a request's host is one of the names or an address: no other page can have its own name point at one."""
    name = _name(host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
