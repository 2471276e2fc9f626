"""Parameters of what the four smaller documents build: indexes (000), image and text (002)."""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from pipeline.networks import Count, Label, Name, Relevance, Seed
from pipeline.sections import Section

IndexKind = Literal["exact", "brute", "ball_tree", "kd_tree", "flat", "ivf", "hnsw", "annoy"]
Column = Label | Literal["productDisplayName"]


class IndexStudy(Section):
    """What indexes cost and miss on one encoder's features."""

    encoder: Name
    indexes: Annotated[list[IndexKind], Field(min_length=1)]
    components: Annotated[list[Count | None], Field(min_length=1)]  # of PCA; null: the features as they are
    sizes: list[Count]  # parts of the gallery, besides all of it
    replicated: Annotated[int, Field(ge=0)]  # jittered copies up to so many vectors; 0: none
    replicated_components: Count | None
    neighbours: Count
    queries: Count
    batch: Count
    seconds: Annotated[float, Field(gt=0)]  # at most, to ask one index in one way
    seed: Seed


class HybridText(Section):
    """What a picture's description is made of, and the labels whose words are taken out of it."""

    columns: Annotated[list[Column], Field(min_length=1)]
    without: list[Column]


class Hybrid(Section):
    """Image and text similarity, mixed with every weight."""

    encoder: Name
    texts: Annotated[dict[Name, HybridText], Field(min_length=1)]
    modes: Annotated[list[Literal["own", "typed", "pseudo"]], Field(min_length=1)]
    typed: Annotated[list[Column], Field(min_length=1)]
    weights: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=2)]  # the image's part
    relevances: Annotated[list[Relevance], Field(min_length=1)]
    queries: Count
    pseudo_neighbours: Count
    resamples: Annotated[int, Field(ge=200)]
    seed: Seed

    @pydantic.field_validator("weights")
    @classmethod
    def _image_alone_last(cls, weights: list[float]) -> list[float]:
        if weights != sorted(set(weights)) or weights[-1] != 1:
            raise ValueError("the weights must rise and end with 1.0, the image alone, which all others are compared with")
        return weights
