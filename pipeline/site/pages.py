"""The page's files, as they are sent; and what is answered while the rest of the program is being loaded.

Light to import: the page is there at once.
"""

import hashlib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.site.guard import RETRY, Guard, fault

KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def _files() -> dict[str, tuple[Traversable, str]]:
    """The page's files and the libraries it is shipped with, by their names in an address, and their kinds."""
    here = files("pipeline.site").joinpath("page")
    all_files = [("", one) for one in here.iterdir()] + [("vendor/", one) for one in here.joinpath("vendor").iterdir()]
    found = {at + one.name: (one, KINDS.get(PurePath(one.name).suffix, "")) for at, one in all_files}
    found[""] = found["index.html"]
    return {name: (file, kind) for name, (file, kind) in found.items() if kind}


FILES = _files()


def page(name: str, headers: Headers) -> Response:
    """A file of the page by its name in the address; 404 where there is none."""
    if name not in FILES:
        return fault(404, f"there is no page {name[:80]!r}")
    file, kind = FILES[name]
    return known(headers, file.read_bytes(), f"{kind}; charset=utf-8", "no-cache")


def known(headers: Headers, data: bytes, kind: str, kept: str) -> Response:
    """An answer with the mark of what it says (ETag); 304 for one who has it.

    Args:
        headers: the request's.
        kept: how long it may be used without asking, as Cache-Control says it.
    """
    mark = f'W/"{hashlib.blake2b(data, digest_size=12).hexdigest()}"'
    said = {"etag": mark, "cache-control": kept}
    if mark in headers.get("if-none-match", ""):
        return Response(status_code=304, headers=said)
    return Response(data, media_type=kind, headers=said)


class Opening:
    """The page and the site's state from the first second, and the whole `app` once it is there."""

    def __init__(self, names: Iterable[str], public: Iterable[str] = ()) -> None:
        """Answers to these names, as `Guard` says."""
        self.app: ASGIApp | None = None
        self._first = Guard(_first, names, public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.app or self._first)(scope, receive, send)


async def _first(scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["path"]
    if path in ("/api/v1/status", "/api/status"):
        said: dict[str, object] = {
            "phase": "loading the program",
            "fault": None,
            "data": "",
            "encoders": [],
            "loading": [],
        }
        answer: Response = JSONResponse({**said, "writable": False, "token": False})
    elif path.startswith("/api"):
        answer = fault(503, "the site is loading the program; ask again in a moment", RETRY)
    else:
        answer = page(path[1:], Headers(scope=scope))
    await answer(scope, receive, send)
