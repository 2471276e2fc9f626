"""The site over HTTP: the page, and the same searches for programs.

A photo is the body of a request and nothing else: it has no file name, and it never touches the disk. The page asks for
nothing from another host, and tells the browser so.
"""

import asyncio
import io
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from PIL import Image
from pydantic import Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.data import catalog
from pipeline.data.boxes import BoxError
from pipeline.data.images import UnreadableImage
from pipeline.data.text import TextError
from pipeline.encoders.card import WeightsError
from pipeline.encoders.store import StoreError
from pipeline.site.photos import MOST_BYTES
from pipeline.site.products import LONGEST, ProductError
from pipeline.site.questions import Question, SearchError
from pipeline.site.site import NotReady, Site

SECONDS_TO_SEND = 30  # a photo has to have come
PAGE = {
    "": ("index.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "style.css": ("style.css", "text/css"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    b"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}
STATUS = {
    SearchError: 422,
    BoxError: 422,
    TextError: 422,
    UnreadableImage: 415,
    ProductError: 409,
    NotReady: 503,
    StoreError: 500,
    WeightsError: 500,
}
Fact = Annotated[str | None, Field(max_length=LONGEST)]
PHOTO = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary", "maxLength": MOST_BYTES}}
            for kind in ("image/jpeg", "image/png", "image/webp")
        },
    }
}


class _Facts(pydantic.BaseModel):
    """What is said of a new product; what is not said is blank."""

    model_config = pydantic.ConfigDict(extra="forbid")


if TYPE_CHECKING:
    Facts = _Facts
else:
    Facts = pydantic.create_model(
        "Facts", __base__=_Facts, **{name: (Fact, None) for name in [catalog.PRODUCT, *catalog.CLASSES]}
    )


class Guard:
    """Refuses changes that another web page asks for, and puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = dict(scope["headers"])
        foreign = sent.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin")
        if b"origin" in sent and sent[b"origin"].split(b"//")[-1] != sent.get(b"host"):
            foreign = True

        async def with_headers(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS.items()]
            await send(message)

        if foreign and scope["method"] not in ("GET", "HEAD"):
            answer = JSONResponse({"error": "another web page may not use this site"}, 403)
            await answer(scope, receive, with_headers)
        else:
            await self.app(scope, receive, with_headers)


def service(site: Site, hosts: list[str]) -> FastAPI:
    """The program that answers.

    Args:
        hosts: the names that the site may be called by: another web page cannot reach it under a name of its own.
    """
    app = FastAPI(
        title="Fashion reverse image search", version="1", openapi_url="/api/schema", docs_url=None, redoc_url=None
    )
    app.state.site = site
    for kind, status in STATUS.items():
        app.add_exception_handler(kind, _answer_with(status))
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]  # it is called with this kind alone
    app.add_exception_handler(StarletteHTTPException, _http)  # type: ignore[arg-type]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    app.add_middleware(Guard)
    app.include_router(router)
    return app


async def _site(request: Request) -> Site:
    return request.app.state.site


router = APIRouter()
Asked = Annotated[Site, Depends(_site)]


@router.get("/api/status")
def status(site: Asked) -> dict[str, Any]:
    """What the site is doing, and what can be asked of it."""
    return site.status()


@router.get("/api/search")
def search(site: Asked, question: Annotated[Question, Query()]) -> dict[str, Any]:
    """Products like a product (`like`), or described by words (`text`), or both."""
    return site.search(question)


@router.post("/api/search", openapi_extra=PHOTO)
async def search_by_photo(site: Asked, request: Request, question: Annotated[Question, Query()]) -> dict[str, Any]:
    """Products like the photo in the body."""
    data = await _body(request)
    return await run_in_threadpool(lambda: site.search(question, site.photo(data)))


@router.post("/api/box", openapi_extra=PHOTO)
async def box(site: Asked, request: Request) -> dict[str, Any]:
    """Where the product is in the photo in the body: x, y, width, height in its pixels, or null."""
    data = await _body(request)
    return await run_in_threadpool(lambda: {"box": site.find_box(site.photo(data))})


@router.get("/api/curve")
def curve(
    site: Asked, encoder: Annotated[str, Query(max_length=64)], distance: Annotated[str, Query(max_length=20)]
) -> dict[str, Any]:
    """Precision, recall and F1 of every threshold on the study's test queries."""
    steps = site.curve(encoder, distance)
    if steps is None:
        raise SearchError(f"the study has no retrieval of {encoder!r} by {distance!r}")
    return steps


@router.get("/api/products/{identity}")
def product(site: Asked, identity: str) -> dict[str, Any]:
    """A product's name and labels."""
    snapshot = site.snapshot()
    return snapshot.facts(snapshot.row(identity))


@router.get("/api/products/{identity}/picture", response_class=Response)
def picture(site: Asked, identity: str) -> Response:
    """A product's picture."""
    data = site.picture(identity)
    kind = Image.open(io.BytesIO(data)).get_format_mimetype()
    return Response(data, media_type=kind, headers={"cache-control": "private, max-age=60"})


@router.put("/api/products/{identity}", openapi_extra=PHOTO, status_code=201)
async def add(site: Asked, request: Request, identity: str, facts: Annotated[Facts, Query()]) -> dict[str, Any]:
    """Adds a product with the picture in the body; the next search finds it."""
    data = await _body(request)
    given = {name: value for name, value in facts.model_dump().items() if value}
    await run_in_threadpool(lambda: site.add(identity, given, site.photo(data)))
    return {"added": identity}


@router.delete("/api/products/{identity}")
def remove(site: Asked, identity: str) -> dict[str, Any]:
    """Takes a product away: an added one for good, one of the catalogue until it is restored."""
    site.remove(identity)
    return {"removed": identity}


@router.post("/api/products/{identity}/restore")
def restore(site: Asked, identity: str) -> dict[str, Any]:
    """Shows a product of the catalogue again."""
    site.restore(identity)
    return {"restored": identity}


@router.get("/", include_in_schema=False)
@router.get("/{name}", include_in_schema=False)
def page(name: str = "") -> Response:
    """The page and what it is made of."""
    if name not in PAGE:
        raise HTTPException(404, f"there is no page {name[:80]!r}")
    file, kind = PAGE[name]
    return Response(files("pipeline.site").joinpath("page", file).read_bytes(), media_type=f"{kind}; charset=utf-8")


async def _body(request: Request) -> bytes:
    """A request's body, never more of it than is allowed, and not for longer."""
    too_large = HTTPException(413, f"the photo is too large. At most {MOST_BYTES:,} bytes are allowed")
    stated = request.headers.get("content-length", "0")
    if stated.isdigit() and int(stated) > MOST_BYTES:
        raise too_large
    parts, length = [], 0
    try:
        async with asyncio.timeout(SECONDS_TO_SEND):
            async for part in request.stream():
                length += len(part)
                if length > MOST_BYTES:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, f"the photo did not come within {SECONDS_TO_SEND} seconds") from None
    if not length:
        raise HTTPException(422, "the body is empty. Send the photo's bytes: curl --data-binary @photo.jpg …")
    return b"".join(parts)


def _answer_with(status: int):
    """An error's own message as the answer: `{"error": …}`."""
    headers = {"retry-after": "1"} if status == 503 else {}

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status, headers)

    return answer


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """What is wrong with each parameter, in one line."""
    said = [f"{'.'.join(str(part) for part in fault['loc'][1:])}: {fault['msg']}" for fault in error.errors()[:5]]
    return JSONResponse({"error": "; ".join(said)}, 422)


async def _http(request: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)
