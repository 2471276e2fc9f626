"""A search as it is asked: its fields, their bounds, and which of them go together."""

from typing import TYPE_CHECKING, Annotated, Literal, get_args

import pydantic
from PIL import Image
from pydantic import Field
from pydantic.config import JsonDict

from pipeline import params
from pipeline.data import catalog
from pipeline.site import products

FILTERS = [label for label in catalog.CLASSES if label != catalog.SUB]  # what a search may be narrowed to
# Indexes that a site has no use for: slower ways to the exact answer, IVF's idea without its library, a library that is
# no dependency, and those in a database, which a site asks as a gallery. One that `params.Index` gains is offered; the
# ball tree, the slowest (docs/systems.md), stands last.
NOT_OFFERED = {"brute", "kd_tree", "flat", "clusters", "annoy", "postgres", "postgres_hnsw"}
OFFERED = [kind for kind in get_args(params.Index) if kind not in NOT_OFFERED]
if TYPE_CHECKING:
    Index = params.Index
else:
    Index = Literal[tuple(sorted(OFFERED, key=lambda kind: kind == "ball_tree"))]
MOST_SHOWN, FARTHEST_PAGE = 100, 100_000  # products of an answer, and how many may stand before them
# for programs that read the schema; what is sent is looked at where the photo is, and told in plainer words
BOX: JsonDict = {"pattern": r"^ *-?[0-9]+(\.[0-9]+)?( *, *-?[0-9]+(\.[0-9]+)?){3} *$"}
Some = Annotated[list[Annotated[str, Field(max_length=products.LONGEST)]], Field(max_length=50)]


class SearchError(ValueError):
    """A search that cannot be made; the message says what would work."""


class NotReady(RuntimeError):
    """The site is still loading what a search needs."""


class _Question(pydantic.BaseModel):
    """What is searched, and how. A photo comes beside it; without one, `like` or `text` must say what is wanted."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    encoder: Annotated[
        str | None, Field(max_length=64, description="a name that /api/status lists; its first if none")
    ] = None
    distance: params.Distance = "cosine"
    index: Annotated[
        Index,
        Field(
            description="all but `exact` search by cosine, without words, and give the catalogue's 1,000 nearest, "
            "among which filters choose; over a database the index goes on until enough pass, 1,000 at most, or 20,000 "
            "were looked at"
        ),
    ] = "exact"
    count: Annotated[int, Field(ge=1, le=MOST_SHOWN, description="products to return at most")] = 12
    offset: Annotated[int, Field(ge=0, le=FARTHEST_PAGE, description="nearer products to leave out: the next page")] = 0
    like: Annotated[str | None, Field(max_length=64, description="the id of a product, to find others like it")] = None
    text: Annotated[str | None, Field(max_length=products.LONGEST, description="words; cosine only")] = None
    image_weight: Annotated[float, Field(ge=0, le=1, description="of picture and words, the picture's part")] = 0.7
    farthest: Annotated[float | None, Field(ge=0, description="leave out what is farther away")] = None
    box: Annotated[
        str | None,
        Field(max_length=80, json_schema_extra=BOX, description="x,y,width,height: the photo's part to search with"),
    ] = None


class _Page(pydantic.BaseModel):
    """Which products are listed, in the catalogue's order, those that were added last."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    count: Annotated[int, Field(ge=1, le=MOST_SHOWN, description="products to return at most")] = MOST_SHOWN
    offset: Annotated[int, Field(ge=0, description="products to leave out: the next page")] = 0


if TYPE_CHECKING:
    Question = _Question
    Page = _Page
else:  # a search and a list that may also be narrowed by each filter
    Question = pydantic.create_model("Question", __base__=_Question, **{name: (Some, []) for name in FILTERS})
    Page = pydantic.create_model("Page", __base__=_Page, **{name: (Some, []) for name in FILTERS})


class _Sent(pydantic.BaseModel):
    """A question about a photo that was sent before, or about none."""

    photo: Annotated[
        str | None, Field(max_length=64, description="what /api/v1/photos called a photo that was sent there")
    ] = None


class Known(Question, _Sent):
    """A search with a photo that was sent before, or without one."""


class Several(Question):
    """What is searched with each of several photos, and how the answers are written."""

    table: Annotated[Literal["json", "csv"], Field(description="how the answers are written")] = "json"


class Judged(pydantic.BaseModel):
    """A search that is judged by its article types."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    encoder: Annotated[str | None, Field(max_length=64, description="as for a search")] = None
    distance: params.Distance = "cosine"
    like: Annotated[str | None, Field(max_length=64, description="the id of a product")] = None
    box: Annotated[str | None, Field(max_length=80, json_schema_extra=BOX, description="as for a search")] = None
    articleType: Annotated[
        str | None, Field(max_length=products.LONGEST, description="what the photo shows; a product's own if none")
    ] = None


class Pair(pydantic.BaseModel):
    """A product or a photo, and the product `of` which it is asked where its likeness lies."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    of: Annotated[str, Field(max_length=64, description="the id of the product that was found")]
    encoder: Annotated[str | None, Field(max_length=64, description="as for a search")] = None
    like: Annotated[str | None, Field(max_length=64, description="the id of a product")] = None
    box: Annotated[str | None, Field(max_length=80, json_schema_extra=BOX, description="as for a search")] = None


class KnownJudged(Judged, _Sent):
    """A search that is judged, with a photo that was sent before, or without one."""


class KnownPair(Pair, _Sent):
    """A product, or a photo that was sent before, and the product `of` which is asked."""


def narrowed(asked: Question | Page) -> dict[str, list[str]]:
    """The values that each filter lets through, by its column; without those that let everything."""
    return {name: getattr(asked, name) for name in FILTERS if getattr(asked, name)}


def searched(asked: Judged | Pair) -> Question:
    """The search that is asked about."""
    return Question(**asked.model_dump(include={"encoder", "distance", "like", "box"}))


def check(question: Question, photo: Image.Image | bytes | None) -> None:
    """Raises SearchError where there is nothing to search with, or parts do not go together."""
    if photo is None and question.like is None and not question.text:
        raise SearchError("nothing to search with. Send a photo, or like=<a product's id>, or text=<words>")
    if photo is not None and question.like is not None:
        raise SearchError("a photo and like= both say what is searched. Send one of them")
    if photo is None and question.box is not None:
        raise SearchError(f"box= is a photo's part, and there is no photo. Received: {question.box!r}")
    if question.text and question.distance != "cosine":
        raise SearchError(f"words are compared by cosine. Received: distance={question.distance}")
    if question.index != "exact" and (question.text or question.distance != "cosine"):
        raise SearchError(f"the index {question.index} searches by cosine and without words. Use index=exact")
