"""A search as it is asked, all products at one moment, and which of them it finds."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pydantic
from pydantic import Field
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline import params
from pipeline.data import catalog
from pipeline.retrieval import text
from pipeline.retrieval.ranking import ascending
from pipeline.site import products

DIGITS = 6  # of a distance, as it is shown
VOTERS = 10  # nearest products that say what a photo shows
FILTERS = [label for label in catalog.CLASSES if label != catalog.SUB]  # what a search may be narrowed to
NOWHERE = np.float32(np.inf)
Index = Literal["exact", "ivf", "hnsw", "ball_tree"]  # of `params.Index`, those that pay on a site
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


# a search that may also be narrowed by each filter
Question = pydantic.create_model("Question", __base__=_Question, **{name: (Some, []) for name in FILTERS})


@dataclass(frozen=True)
class Snapshot:
    """All products at one moment, the catalogue's and then the added ones: replaced by a change, never changed itself.

    `hidden`: bool (G,), what was taken away. `duplicates`: a number per product, equal where the images' bytes are.
    `words`: TF-IDF rows of what describes each, (G, V), by the words of `vocabulary`. `added`: the added products'
    features (A, D) by encoder id.
    """

    frame: pd.DataFrame
    hidden: np.ndarray
    duplicates: np.ndarray
    vocabulary: TfidfVectorizer
    words: sparse.csr_matrix
    added: dict[str, np.ndarray]
    catalogued: int

    @cached_property
    def rows(self) -> dict[str, int]:
        return {identity: row for row, identity in enumerate(self.frame[catalog.ID])}

    def row(self, identity: str) -> int:
        """Where a product stands. Raises SearchError: there is none of that id, or it was taken away."""
        row = self.rows.get(identity)
        if row is None or self.hidden[row]:
            raise SearchError(f"there is no product {identity[:80]!r}")
        return row

    def facts(self, row: int) -> dict[str, Any]:
        """A product's id, name and labels; None where one is blank."""
        facts = self.frame.iloc[row][[catalog.ID, catalog.PRODUCT, *catalog.LABELS]]
        return {name: None if pd.isna(value) else str(value) for name, value in facts.items()}


def described(frame: pd.DataFrame) -> list[str]:
    """What can be said of each product: the words of its name and its labels."""
    return text.descriptions(frame, [catalog.PRODUCT, *FILTERS])


def with_added(frame: pd.DataFrame, added: list[tuple[str, dict]]) -> pd.DataFrame:
    """The catalogue's products and then the added ones, in the catalogue's columns."""
    new = pd.DataFrame([{catalog.ID: identity, **facts} for identity, facts in added], columns=catalog.COLUMNS)
    return pd.concat([frame[catalog.COLUMNS].astype(object), new.astype(object)], ignore_index=True)


def nearest(
    snapshot: Snapshot, distances: np.ndarray, question: Question, row: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of the products that are shown and of those that vote, nearest first, and the distances.

    Args:
        distances: the distance of every product, (G,); equal ones stand in the catalogue's order.
        row: the product that asks, which is not found, nor is a copy of its image; None for a photo or words.
    """
    distances = distances.astype(np.float32)
    distances[snapshot.hidden] = NOWHERE
    if row is not None:
        distances[snapshot.duplicates == snapshot.duplicates[row]] = NOWHERE
    order = ascending(distances[None])[0]
    order = order[np.isfinite(distances[order])]
    wanted = np.ones(len(distances), bool)
    for name in FILTERS:
        if chosen := getattr(question, name):
            wanted &= snapshot.frame[name].isin(chosen).to_numpy()
    if question.farthest is not None:
        wanted &= (
            distances.round(DIGITS) <= question.farthest
        )  # as it is shown, so that a shown distance finds its product
    return order[wanted[order]][: question.count], order[:VOTERS], distances
