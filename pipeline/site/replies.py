"""What the API answers, as its schema says it."""

from typing import TYPE_CHECKING, Annotated, Literal

import pydantic
from pydantic import Field

from pipeline.data import catalog
from pipeline.site.snapshots import TOLD

Text = str | None


class _Product(pydantic.BaseModel):
    """A product: its id, name and labels; null where one is blank."""

    id: str


class _Result(pydantic.BaseModel):
    """A product that was found, and how far it is."""

    rank: Annotated[int, Field(ge=1)]
    id: str
    distance: Annotated[float, Field(ge=0)]


if TYPE_CHECKING:
    Product = _Product
    Result = _Result
else:
    SAID = {name: (Text, None) for name in TOLD if name != catalog.ID}
    Product = pydantic.create_model("Product", __base__=_Product, **SAID)
    Result = pydantic.create_model("Result", __base__=_Result, **SAID)


class Looked(Product):
    """A product that is asked for by its id."""

    added: Annotated[bool, Field(description="it is none of the catalogue's: taken away, it is gone for good")]


class Shows(pydantic.BaseModel):
    """What the nearest products' types say that is searched for: `predicted` by `votes` of `of`."""

    predicted: Text
    votes: int
    of: int


class Milliseconds(pydantic.BaseModel):
    """What a search took: until the photo was a vector, and from there."""

    encode: float
    search: float


class Answer(pydantic.BaseModel):
    """What a search found, nearest first."""

    encoder: str
    distance: str
    index: str
    box: Annotated[list[int] | None, Field(description="the part searched with: x, y, width, height in pixels")]
    articleType: Shows
    instead: Annotated[
        dict[str, list[str]],
        Field(
            description="words that describe no product, and those that were taken in their place; where there are "
            "none, the word was left out"
        ),
    ]
    threshold: Annotated[
        float | None,
        Field(
            description="the distance of best F1 on the study's train part; null for words, and where none was measured"
        ),
    ]
    results: list[Result]
    milliseconds: Milliseconds


class Matched(pydantic.BaseModel):
    """One photo of a batch: its answer, or why there is none."""

    file: str
    answer: Answer | None = None
    error: Text = None


class Batch(pydantic.BaseModel):
    """The answers to several photos, in their order."""

    answers: list[Matched]


class Kept(pydantic.BaseModel):
    """What a photo is called that was sent: its hash."""

    photo: str


class Examples(pydantic.BaseModel):
    """Photos to try a search with, by their names."""

    examples: list[str]


class Box(pydantic.BaseModel):
    """Where the product is in a photo: x, y, width, height in its pixels; null where nothing stands out."""

    box: list[int] | None


class Proposal(pydantic.BaseModel):
    """Where a product may be: x, y, width, height in the photo's pixels, and how likely, up to 1."""

    box: list[int]
    score: float


class Boxes(pydantic.BaseModel):
    """Where products may be in a photo, the likeliest first: those that colour tells, then those that a detector sees.

    `fault`: why the run's detector says nothing.
    """

    boxes: list[Proposal]
    fault: str | None = None


class Judgement(pydantic.BaseModel):
    """How right one ranking is, by article type: `relevant` of the products `among` which it searches are right."""

    relevant: int
    among: int
    AP: Annotated[float | None, Field(description="null where no product has the type")]
    chance: Annotated[float | None, Field(description="the AP of a random ranking")]
    precision: Annotated[dict[str, float | None], Field(description="by how many of the nearest are looked at")]


class Measured(pydantic.BaseModel):
    """What the study measured of an encoder by article type: means over its test queries."""

    mAP: float | None
    low: Annotated[float | None, Field(description="the 95 % interval's lower end")]
    high: float | None
    queries: int
    precision: dict[str, float | None]


class Study(pydantic.BaseModel):
    """How right a search is, beside what was measured of its encoder, and where it lies on the map."""

    encoder: str
    distance: str
    articleType: Annotated[Text, Field(description="what it is judged by; null where nobody says")]
    judged: Judgement | None
    measured: Annotated[Measured | None, Field(description="null where the study has no such retrieval")]
    near: Annotated[list[str], Field(description="ids of the map's nearest; one that is on it stands first")]


class Side(pydantic.BaseModel):
    """One picture of two: what each cell adds to their similarity, a list for each row of cells."""

    cells: list[list[float]]
    rest: Annotated[float, Field(description="what belongs to no cell")]
    frame: Annotated[
        list[float], Field(description="where the picture stands in the cells: x, y, width, height, each 0 to 1")
    ]


class Regions(pydantic.BaseModel):
    """Where in two pictures their cosine similarity comes from."""

    encoder: str
    similarity: float
    adds_up: Literal["exactly", "but for a rest", "about"]
    said: str
    box: Annotated[list[int] | None, Field(description="as in an answer")]
    asked: Side
    found: Side


class Map(pydantic.BaseModel):
    """An encoder's test pictures in two dimensions: a pair of numbers for each product, by the map's kind."""

    encoder: str
    maps: dict[str, list[list[float]]]
    products: list[Product]


class Curve(pydantic.BaseModel):
    """Precision, recall and F1 by distance on the study's test queries."""

    best: Annotated[float, Field(description="the threshold of best F1 on the train part")]
    threshold: list[float]
    precision: list[float]
    recall: list[float]
    F1: list[float]


class Listed(pydantic.BaseModel):
    """A page of the products: `total` are listed in all."""

    total: int
    offset: int
    products: list[Product]


class Hidden(pydantic.BaseModel):
    """The catalogue's products that were taken away."""

    products: list[Product]


class Status(pydantic.BaseModel):
    """What the site is doing, and, once its phase is `ready`, what can be asked of it."""

    phase: str
    fault: Text
    data: str
    encoders: list[str]
    loading: Annotated[list[str], Field(description="encoders that are being loaded")]
    writable: Annotated[bool, Field(description="products can be added and taken away")]
    token: Annotated[bool, Field(description="changes need one")]
    comparability: str | None = None
    products: int | None = None
    added: int | None = None
    hidden: int | None = None
    distances: list[str] | None = None
    indexes: list[str] | None = None
    filters: dict[str, list[str]] | None = None


class Changed(pydantic.BaseModel):
    """The id of a product that was added, removed or restored."""

    added: Text = None
    removed: Text = None
    restored: Text = None


class Fault(pydantic.BaseModel):
    """What was wrong and what would work, in one line."""

    error: str
