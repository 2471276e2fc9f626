"""The site over HTTP: the page, and the same searches for programs.

A photo is the body of a request, or the file of a form; it never touches the disk. The page asks for nothing from
another host, and tells the browser so.
"""

import asyncio
import io
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.routing import APIRoute
from PIL import Image
from pydantic import Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect

from pipeline.data import catalog
from pipeline.data.boxes import BoxError
from pipeline.data.images import UnreadableImage
from pipeline.data.text import TextError
from pipeline.encoders.card import WeightsError
from pipeline.encoders.store import StoreError
from pipeline.retrieval.database import DatabaseError
from pipeline.site import bodies, kept, manual, pages, photos, replies, study, tables
from pipeline.site.apart import CompileError
from pipeline.site.guard import HEADERS, RETRY, Guard, Writing, fault
from pipeline.site.products import LONGEST, Conflict, Missing, ProductError
from pipeline.site.questions import (
    Judged,
    Known,
    KnownJudged,
    KnownPair,
    NotReady,
    Page,
    Pair,
    Question,
    SearchError,
    Several,
)
from pipeline.site.site import Site
from pipeline.site.turns import Busy, Turns

STATUS = {
    Missing: 404,
    Conflict: 409,
    UnreadableImage: 415,
    SearchError: 422,
    BoxError: 422,
    TextError: 422,
    ProductError: 422,
    StoreError: 500,
    WeightsError: 500,
    CompileError: 500,
    ClientDisconnect: 408,
    NotReady: 503,
    Busy: 503,
    DatabaseError: 503,
}


def _faults(told: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """What the schema says of some faults, by status."""
    return {status: {"model": replies.Fault, "description": what} for status, what in told.items()}


FAULTS = _faults(
    {
        400: "a name that the site is not called",
        403: "another web page asks, or the site is not writable",
        422: "a question that cannot be answered",
        500: "the site failed",
        503: "not ready or too busy: Retry-After says when to ask again",
    }
)
ABSENT = _faults({404: "there is no such product"})
SENDING = _faults({408: "the photo did not come in time", 413: "too many bytes", 415: "no picture, or a damaged one"})
OF_KEPT = _faults({404: "there is no such product, or no such photo any more", 415: "a damaged picture"})
CHANGING = _faults(
    {
        401: "the site's token is wanted",
        409: "it does not go with what is there",
        507: "the disk is full or may not be written",
    }
)
FORM = {
    bodies.FORM: {
        "schema": {
            "type": "object",
            "required": ["photo"],
            "properties": {"photo": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}},
        }
    }
}
KINDS = ("image/jpeg", "image/png", "image/webp")
PHOTO = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary", "maxLength": photos.MOST_BYTES}} for kind in KINDS
        }
        | FORM,
    }
}
PICTURE = ABSENT | {200: {"content": {kind: {} for kind in KINDS}, "description": "a picture"}}
TIDIED = 60.0  # seconds between two looks at the kept photos, of which nobody may ask again
KEPT, KEPT_ADDED = "private, max-age=3600", "private, max-age=60"  # an added product may be another's tomorrow
Sent = Annotated[str, Query(max_length=64, description="what /api/v1/photos called a photo that was sent there")]
Fact = Annotated[str | None, Field(max_length=LONGEST)]


class _Facts(pydantic.BaseModel):
    """What is said of a new product; what is not said is blank."""

    model_config = pydantic.ConfigDict(extra="forbid")


if TYPE_CHECKING:
    Facts = _Facts
else:
    Facts = pydantic.create_model(
        "Facts", __base__=_Facts, **{name: (Fact, None) for name in [catalog.PRODUCT, *catalog.CLASSES]}
    )


def service(site: Site, names: Sequence[str], public: Sequence[str] = (), writing: Writing | None = None) -> FastAPI:
    """The program that answers.

    Args:
        names, public: what the site is called, as `Guard` says.
        writing: whether products may be changed; not, unless it says so.
    """
    app = FastAPI(
        title="Fashion reverse image search",
        description="Products by a photo, by words, or like one another. A fault is one line under `error`.",
        version="1",
        openapi_url="/api/schema",
        docs_url=None,
        redoc_url=None,
        responses=FAULTS,
    )
    app.state.site, app.state.writing = site, writing or Writing()
    app.state.bodies, app.state.turns = bodies.Bodies(), Turns(site.at_once)
    app.state.kept, app.state.timer = kept.Kept(), None
    for kind, status in STATUS.items():
        app.add_exception_handler(kind, _answer_with(status))
    app.add_exception_handler(sqlite3.OperationalError, _store)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]  # it is called with this kind alone
    app.add_exception_handler(StarletteHTTPException, _http)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(GZipMiddleware, minimum_size=500, compresslevel=5)
    app.add_middleware(Guard, names=names, public=public)
    app.include_router(router, prefix="/api/v1")
    app.include_router(router, prefix="/api", include_in_schema=False)  # as it was before it had a version
    app.include_router(outside)
    _name_encoders(app, site.names)
    return app


def _name_encoders(app: FastAPI, names: Sequence[str]) -> None:
    """Says in the schema which encoders may be asked for, which differ from run to run."""
    schema = app.openapi()  # it is kept by the app, and given to whoever asks
    for operation in (one for path in schema["paths"].values() for one in path.values()):
        for parameter in operation.get("parameters", []):
            if parameter["name"] == "encoder":
                parameter["schema"]["enum"] = [*names, *([] if parameter.get("required") else [None])]


def _tidied(app: FastAPI) -> None:
    """Lets go of photos that were kept long enough, now and then while any is kept, whether or not anybody asks."""
    app.state.kept.tidy()
    later = asyncio.get_running_loop().call_later
    app.state.timer = later(TIDIED, _tidied, app) if app.state.kept.held else None


async def _site(request: Request) -> Site:
    return request.app.state.site


async def _writing(request: Request, authorization: Annotated[str | None, Header()] = None) -> None:
    request.app.state.writing.check(authorization)


router, outside = APIRouter(), APIRouter(include_in_schema=False)
Asked = Annotated[Site, Depends(_site)]
Wanted = Annotated[Question, Query()]
CHANGES = [Depends(_writing)]


@router.get("/status", response_model_exclude_unset=True)
def status(site: Asked, request: Request) -> replies.Status:
    """What the site is doing, and what can be asked of it."""
    writing = request.app.state.writing
    return replies.Status(**site.status(), writable=writing.on, token=writing.token is not None)


@router.get("/search", responses=OF_KEPT)
async def search(site: Asked, request: Request, question: Annotated[Known, Query()]) -> replies.Answer:
    """Products like a product (`like`) or a photo that was sent before (`photo`), or described by words (`text`).

    One of the three has to be said, and not both of the first two.
    """
    if question.photo is None:
        return await request.app.state.turns.run(request, lambda: site.search(question, wait=False), "searches")
    photo = request.app.state.kept.get(question.photo)
    return await _in_turn(request, photo, lambda: site.search(question, photo, wait=False))


@router.post("/search", openapi_extra=PHOTO, responses=SENDING)
async def search_by_photo(site: Asked, request: Request, question: Wanted) -> replies.Answer:
    """Products like the photo in the body; `text` may be mixed in."""
    async with request.app.state.bodies.read(request) as data:
        photo = bodies.photo(data, request.headers.get("content-type", ""))
        return await _in_turn(request, photo, lambda: site.search(question, photo, wait=False))


@router.post("/photos", openapi_extra=PHOTO, status_code=201, responses=SENDING)
async def keep(request: Request) -> replies.Kept:
    """Keeps the photo in the body for a while, in memory: `photo=` of a search is then what the answer says."""
    async with request.app.state.bodies.read(request) as data:
        photo = bodies.photo(data, request.headers.get("content-type", ""))
        await run_in_threadpool(photos.large, photo)  # no image is refused before it is kept
        mark = request.app.state.kept.keep(photo)
        if request.app.state.timer is None:
            _tidied(request.app)
        return replies.Kept(photo=mark)


@router.get("/photos/{mark}", response_class=Response, responses=PICTURE)
async def kept_photo(request: Request, mark: str) -> Response:
    """A photo that was sent a while ago, for one who was given the address of a search with it."""
    return _picture(request, request.app.state.kept.get(mark), KEPT)


@router.get("/examples")
def examples(site: Asked) -> replies.Examples:
    """Photos to try a search with: those that came with the data, else some of the catalogue."""
    return replies.Examples(examples=site.examples())


@router.get("/examples/{name}", response_class=Response, responses=PICTURE)
def example(site: Asked, request: Request, name: str) -> Response:
    """One of those photos."""
    return _picture(request, site.example(name), KEPT)


@router.post(
    "/batch",
    openapi_extra={"requestBody": {"required": True, "content": FORM}},
    responses=SENDING | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def batch(site: Asked, request: Request, question: Annotated[Several, Query()]) -> replies.Batch:
    """Products like each of several photos, as JSON or, with `table=csv`, a row per product."""
    answers = []
    async with request.app.state.bodies.read(request, bodies.MOST_OF_ALL) as data:
        for name, photo in bodies.forms_files(data, request.headers.get("content-type", "")):
            answers.append({"file": name, "answer": None, "error": None})
            try:
                work = lambda photo=photo: site.search(question, photo, wait=False)  # noqa: E731
                answers[-1]["answer"] = await _in_turn(request, photo, work)
            except (UnreadableImage, BoxError) as error:
                answers[-1]["error"] = str(error)
    if question.table == "csv":
        return Response(tables.written(answers), media_type="text/csv; charset=utf-8")  # type: ignore[return-value]
    return {"answers": answers}  # type: ignore[return-value]


@router.post("/box", openapi_extra=PHOTO, responses=SENDING)
async def box(site: Asked, request: Request) -> replies.Box:
    """Where the product is in the photo in the body: x, y, width, height in its pixels, or null."""
    async with request.app.state.bodies.read(request) as data:
        photo = bodies.photo(data, request.headers.get("content-type", ""))
        return await _in_turn(request, photo, lambda: {"box": site.find_box(photo)})


@router.get("/box", responses=OF_KEPT)
async def box_of_kept(site: Asked, request: Request, photo: Sent) -> replies.Box:
    """Where the product is in a photo that was sent before."""
    data = request.app.state.kept.get(photo)
    return await _in_turn(request, data, lambda: {"box": site.find_box(data)})


@router.get("/boxes", responses=OF_KEPT)
async def boxes_of_kept(site: Asked, request: Request, photo: Sent) -> replies.Boxes:
    """Where products may be in a photo that was sent before."""
    data = request.app.state.kept.get(photo)
    return await _in_turn(request, data, lambda: site.find_boxes(data, wait=False))


@router.post("/boxes", openapi_extra=PHOTO, responses=SENDING)
async def boxes(site: Asked, request: Request) -> replies.Boxes:
    """Where products may be in the photo in the body: each box can be searched with."""
    async with request.app.state.bodies.read(request) as data:
        photo = bodies.photo(data, request.headers.get("content-type", ""))
        return await _in_turn(request, photo, lambda: site.find_boxes(photo, wait=False))


@router.get("/study", responses=OF_KEPT)
async def judged(site: Asked, request: Request, question: Annotated[KnownJudged, Query()]) -> replies.Study:
    """How right a search for products like one (`like`) or a photo that was sent before (`photo`) is, by article type,
    beside what the study measured. One of the two has to be said."""
    if question.photo is None:
        return await request.app.state.turns.run(request, lambda: study.judge(site, question, wait=False), "searches")
    photo = request.app.state.kept.get(question.photo)
    return await _in_turn(request, photo, lambda: study.judge(site, question, photo, wait=False))


@router.post("/study", openapi_extra=PHOTO, responses=SENDING)
async def judged_by_photo(site: Asked, request: Request, question: Annotated[Judged, Query()]) -> replies.Study:
    """How right a search with the photo in the body is, where `articleType` says what it shows."""
    async with request.app.state.bodies.read(request) as data:
        photo = bodies.photo(data, request.headers.get("content-type", ""))
        return await _in_turn(request, photo, lambda: study.judge(site, question, photo, wait=False))


@router.get("/regions", responses=OF_KEPT)
async def regions(site: Asked, request: Request, pair: Annotated[KnownPair, Query()]) -> replies.Regions:
    """Where in the pictures of two products (`like`, `of`), or of a photo that was sent before (`photo`) and a product,
    their cosine similarity comes from."""
    if pair.photo is None:
        return await request.app.state.turns.run(request, lambda: study.regions(site, pair, wait=False), "photos")
    photo = request.app.state.kept.get(pair.photo)
    return await _in_turn(request, photo, lambda: study.regions(site, pair, photo, wait=False))


@router.post("/regions", openapi_extra=PHOTO, responses=SENDING | ABSENT)
async def regions_of_photo(site: Asked, request: Request, pair: Annotated[Pair, Query()]) -> replies.Regions:
    """Where in the photo in the body, and in the picture of the product `of`, their similarity comes from."""
    async with request.app.state.bodies.read(request) as data:
        photo = bodies.photo(data, request.headers.get("content-type", ""))
        return await _in_turn(request, photo, lambda: study.regions(site, pair, photo, wait=False))


@router.get("/map", responses=ABSENT)
def drawn(site: Asked, encoder: Annotated[str | None, Query(max_length=64)] = None) -> replies.Map:
    """An encoder's test pictures as the study drew them in two dimensions, by UMAP and t-SNE."""
    return study.maps(site, encoder)  # type: ignore[return-value]


@router.get("/curve", responses=ABSENT)
def curve(
    site: Asked, encoder: Annotated[str, Query(max_length=64)], distance: Annotated[str, Query(max_length=20)]
) -> replies.Curve:
    """Precision, recall and F1 of every threshold on the study's test queries."""
    steps = site.curve(encoder, distance)
    if steps is None:
        raise Missing(f"the study has no retrieval of {encoder!r} by {distance!r}")
    return steps  # type: ignore[return-value]


@router.get("/products")
def listed(site: Asked, page: Annotated[Page, Query()]) -> replies.Listed:
    """The products, some at a time."""
    return site.gallery.listed(page)  # type: ignore[return-value]


@router.get("/hidden", dependencies=CHANGES, responses=CHANGING)
def hidden(site: Asked) -> replies.Hidden:
    """The catalogue's products that were taken away; each can be restored."""
    return {"products": site.gallery.hidden()}  # type: ignore[return-value]


@router.get("/products/{identity}", responses=ABSENT)
def product(site: Asked, identity: str) -> replies.Looked:
    """A product's name and labels, and whether it was added."""
    return site.gallery.product(identity)  # type: ignore[return-value]


@router.get("/products/{identity}/picture", response_class=Response, responses=PICTURE)
def picture(site: Asked, request: Request, identity: str) -> Response:
    """A product's picture."""
    data, catalogued = site.kept_picture(identity)
    return _picture(request, data, KEPT if catalogued else KEPT_ADDED)


@router.put(
    "/products/{identity}",
    openapi_extra=PHOTO,
    status_code=201,
    dependencies=CHANGES,
    responses=SENDING | CHANGING,
    response_model_exclude_none=True,
)
async def add(site: Asked, request: Request, identity: str, facts: Annotated[Facts, Query()]) -> replies.Changed:
    """Adds a product with the picture in the body; the next search finds it. It replaces none: an id that is taken is
    refused."""
    given = {name: value for name, value in facts.model_dump().items() if value}
    async with request.app.state.bodies.read(request) as data:
        photo = bodies.photo(data, request.headers.get("content-type", ""))
        await _in_turn(request, photo, lambda: site.add(identity, given, photo))
    return replies.Changed(added=identity)


@router.delete(
    "/products/{identity}", dependencies=CHANGES, responses=ABSENT | CHANGING, response_model_exclude_none=True
)
def remove(site: Asked, identity: str) -> replies.Changed:
    """Takes a product away: an added one for good, one of the catalogue until it is restored."""
    site.remove(identity)
    return replies.Changed(removed=identity)


@router.post("/products/{identity}/restore", dependencies=CHANGES, responses=CHANGING, response_model_exclude_none=True)
def restore(site: Asked, identity: str) -> replies.Changed:
    """Shows a hidden product of the catalogue again."""
    site.restore(identity)
    return replies.Changed(restored=identity)


@outside.get("/api")
def documentation(request: Request) -> HTMLResponse:
    """The API as a page."""
    return HTMLResponse(manual.written(request.app.openapi()))


@outside.get("/vendor/{name}")
def library(request: Request, name: str) -> Response:
    """A library that the page is shipped with."""
    return pages.page(f"vendor/{name}", request.headers)


@outside.get("/")
@outside.get("/{name}")
def page(request: Request, name: str = "") -> Response:
    """The page and what it is made of."""
    return pages.page(name, request.headers)


def _picture(request: Request, data: bytes, kept_for: str) -> Response:
    kind = Image.open(io.BytesIO(data)).get_format_mimetype() or "application/octet-stream"
    kind = "image/jpeg" if kind == "image/mpo" else kind  # a phone's JPEG with a second picture behind the first
    return pages.known(request.headers, data, kind, kept_for)


async def _in_turn(request: Request, photo: bytes, work) -> Any:
    """What is made of a photo, when it is its turn; a damaged head or a large size is told before."""
    large = await run_in_threadpool(photos.large, photo)
    return await request.app.state.turns.run(request, work, "large photos" if large else "photos")


def _answer_with(status: int):
    """An error's own message as the answer: `{"error": …}`."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return fault(status, str(error), RETRY if status == 503 else None)

    return answer


async def _store(request: Request, error: sqlite3.OperationalError) -> JSONResponse:
    """What SQLite says of the added products' file: another process writes it just now, or it cannot be written."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return fault(503, f"another process changes the products ({error}); ask again in a moment", RETRY)
    return fault(507, f"the products cannot be stored: {error}")


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """What is wrong with each parameter, in one line."""
    said = [f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in error.errors()[:5]]
    return fault(422, "; ".join(said))


async def _http(request: Request, error: HTTPException) -> JSONResponse:
    headers = dict(error.headers or {})
    if error.status_code == 405:  # Starlette names the methods of the first route of a path alone
        path = request.scope["path"].removeprefix("/api").removeprefix("/v1")
        routes = (route for route in router.routes if isinstance(route, APIRoute) and route.path_regex.match(path))
        if methods := sorted({method for route in routes for method in route.methods or ()}):
            headers["Allow"] = ", ".join(methods)
    return JSONResponse({"error": error.detail}, error.status_code, headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    """What nobody foresaw; the log has it whole. It passes the guard by."""
    headers = {name.decode(): value.decode() for name, value in HEADERS.items()}
    headers["connection"] = "close"  # the server does so
    return fault(500, f"the site failed ({type(error).__name__}); its log says where", headers)
