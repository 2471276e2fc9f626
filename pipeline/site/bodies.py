"""A request's body, never more of it than is allowed: a photo's bytes, or files of a form."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import Message
from email.parser import HeaderParser
from pathlib import PurePath

from starlette.exceptions import HTTPException
from starlette.requests import Request

from pipeline.site.photos import MOST_BYTES
from pipeline.site.questions import SearchError
from pipeline.site.turns import Busy

SECONDS_TO_SEND = 30  # a body has to have come
MOST_HELD = 400_000_000  # bytes of all bodies that have come and are not done with
MOST_FILES = 20  # of a form
MOST_OF_ALL = 50_000_000  # bytes of a form
FORM = "multipart/form-data"


class Bodies:
    """The bodies that are held at one moment."""

    def __init__(self) -> None:
        self.held = 0

    @asynccontextmanager
    async def read(self, request: Request, most: int = MOST_BYTES) -> AsyncIterator[bytes]:
        """A request's body, held until its answer is made.

        Raises:
            HTTPException: too large (413), too slow (408) or empty (422). Busy: others' bodies are too many already.
        """
        stated = request.headers.get("content-length", "0")
        if stated.isdigit() and int(stated) > most:
            raise _too_large(most)
        parts: list[bytes] = []
        length = 0
        try:
            try:
                async with asyncio.timeout(SECONDS_TO_SEND):
                    async for part in request.stream():
                        length, self.held = length + len(part), self.held + len(part)
                        if length > most:
                            raise _too_large(most)
                        if self.held > MOST_HELD:
                            raise Busy(f"photos of {MOST_HELD:,} bytes are held already; ask again in a moment")
                        parts.append(part)
            except TimeoutError:
                raise HTTPException(408, f"the photo did not come within {SECONDS_TO_SEND} seconds") from None
            if not length:
                raise HTTPException(422, "the body is empty. Send the photo's bytes: curl --data-binary @photo.jpg …")
            data = b"".join(parts)
            parts.clear()
            yield data
        finally:
            self.held -= length


def photo(data: bytes, kind: str) -> bytes:
    """The photo of a body: all of it, or the one file of a form. Raises SearchError: a form of none or of several."""
    if not kind.startswith(FORM):
        return data
    sent = forms_files(data, kind)
    if len(sent) != 1:
        raise SearchError(f"one photo is searched with here, several at /api/v1/batch. Received: {len(sent)} files")
    return sent[0][1]


def forms_files(data: bytes, kind: str) -> list[tuple[str, bytes]]:
    """The files of a form, names without folders and contents, in their order.

    Args:
        kind: the body's content type, which names what stands between the files.

    Raises:
        SearchError: no form, one that is cut short, or with too many files or a field that is no file.
    """
    header = Message()
    header["content-type"] = kind
    boundary = header.get_boundary("")
    if not kind.startswith(FORM) or not boundary:
        raise SearchError(f"several photos come as {FORM}: curl -F photo=@one.jpg -F photo=@two.jpg …")
    parts = (b"\r\n" + data).split(b"\r\n--" + boundary.encode("latin-1", "replace"), MOST_FILES + 1)
    if not parts[-1].startswith(b"--"):
        raise SearchError(f"the form is cut short, or has more than {MOST_FILES} files")
    return [_file(part) for part in parts[1:-1]]


def _file(part: bytes) -> tuple[str, bytes]:
    head, _, content = part.partition(b"\r\n\r\n")
    headers = HeaderParser().parsestr(head[:2000].decode("utf-8", "replace").lstrip())
    name = PurePath(str(headers.get_filename("")).replace("\\", "/")).name
    if not name:
        raise SearchError("a form holds photos alone. What else is asked stands in the address: ?count=5")
    return "".join(letter for letter in name[:100] if letter.isprintable()), content


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"the photo is too large. At most {most:,} bytes are allowed")
