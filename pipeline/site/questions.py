"""A search as it is asked: its fields, their bounds, and which of them go together."""

from typing import TYPE_CHECKING, Annotated, Literal, get_args

import pydantic
from PIL import Image
from pydantic import Field

from pipeline import params
from pipeline.data import catalog
from pipeline.site import products

FILTERS = [label for label in catalog.CLASSES if label != catalog.SUB]  # what a search may be narrowed to
# Indexes that a site has no use for: slower ways to the exact answer, and a library that is no dependency. One that
# `params.Index` gains is offered; the ball tree, the slowest (docs/systems.md), stands last.
NOT_OFFERED = {"brute", "kd_tree", "flat", "annoy"}
OFFERED = [kind for kind in get_args(params.Index) if kind not in NOT_OFFERED]
if TYPE_CHECKING:
    Index = params.Index
else:
    Index = Literal[tuple(sorted(OFFERED, key=lambda kind: kind == "ball_tree"))]
Some = Annotated[list[Annotated[str, Field(max_length=products.LONGEST)]], Field(max_length=50)]


class SearchError(ValueError):
    """A search that cannot be made; the message says what would work."""


class _Question(pydantic.BaseModel):
    """What is searched, and how. A photo comes beside it; without one, `like` or `text` must say what is wanted."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    encoder: Annotated[
        str | None, Field(max_length=64, description="a name that /api/status lists; its first if none")
    ] = None
    distance: params.Distance = "cosine"
    index: Annotated[Index, Field(description="all but `exact` search by cosine, without words")] = "exact"
    count: Annotated[int, Field(ge=1, le=100, description="products to return at most")] = 12
    like: Annotated[str | None, Field(max_length=64, description="the id of a product, to find others like it")] = None
    text: Annotated[str | None, Field(max_length=products.LONGEST, description="words; cosine only")] = None
    image_weight: Annotated[float, Field(ge=0, le=1, description="of picture and words, the picture's part")] = 0.7
    farthest: Annotated[float | None, Field(ge=0, description="leave out what is farther away")] = None
    box: Annotated[
        str | None, Field(max_length=80, description="x,y,width,height: the photo's part to search with")
    ] = None


if TYPE_CHECKING:
    Question = _Question
else:  # a search that may also be narrowed by each filter
    Question = pydantic.create_model("Question", __base__=_Question, **{name: (Some, []) for name in FILTERS})


def check(question: Question, photo: Image.Image | None) -> None:
    """Raises SearchError where there is nothing to search with, or parts do not go together."""
    if photo is None and question.like is None and not question.text:
        raise SearchError("nothing to search with. Send a photo, or like=<a product's id>, or text=<words>")
    if photo is not None and question.like is not None:
        raise SearchError("a photo and like= both say what is searched. Send one of them")
    if question.text and question.distance != "cosine":
        raise SearchError(f"words are compared by cosine. Received: distance={question.distance}")
    if question.index != "exact" and (question.text or question.distance != "cosine"):
        raise SearchError(f"the index {question.index} searches by cosine and without words. Use index=exact")
