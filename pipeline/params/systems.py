"""Parameters of what the four smaller documents build: indexes (000), image and text (002), user photos (003), classify
and recommend (004)."""

from typing import Annotated, get_args

import pydantic
from pydantic import Field

from pipeline.params.kinds import (
    Column,
    Count,
    Crop,
    EncoderName,
    FeaturesName,
    Index,
    Label,
    Name,
    PhotoKind,
    PhotoSource,
    Relevance,
    RerankingKind,
    Seed,
    TextMode,
)
from pipeline.params.sections import Section


class IndexStudy(Section):
    """What indexes cost and miss on one encoder's features."""

    encoder: FeaturesName
    indexes: Annotated[list[Index], Field(min_length=1)]
    components: Annotated[list[Count | None], Field(min_length=1)]  # of PCA; null: the features as they are
    sizes: list[Count]  # parts of the gallery, besides all of it
    replicated: Annotated[int, Field(ge=0)]  # so many times the gallery, as jittered copies; 0: none
    replicated_components: Count | None
    neighbours: Count
    queries: Count
    batch: Count
    seconds: Annotated[float, Field(gt=0)]  # at most, to ask one index in one way
    seed: Seed


class HybridText(Section):
    """What an image's description is made of, and the labels whose words are taken out of it."""

    columns: Annotated[list[Column], Field(min_length=1)]
    without: list[Column]


class Hybrid(Section):
    """Image and text similarity, mixed with every weight."""

    encoder: FeaturesName
    texts: Annotated[dict[Name, HybridText], Field(min_length=1)]
    modes: Annotated[list[TextMode], Field(min_length=1)]
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
            raise ValueError(
                "the weights must rise and end with 1.0, the image alone, which all others are compared with"
            )
        return weights


class Reranking(Section):
    """What is done to a ranking after the search."""

    kind: RerankingKind
    neighbours: Count  # that are added; of k-reciprocal re-ranking k1
    alpha: Annotated[float, Field(ge=0)] = 0.0  # the power of the similarity that weighs them
    second: Count = 1  # k2 of k-reciprocal re-ranking
    share: Annotated[float, Field(ge=0, le=1)] = 0.0  # its λ


class Composites(Section):
    """Photos of several products, each of which is to be found: the pictures are drawn from the catalogue."""

    count: Count  # of test pictures, for each ground
    products: Annotated[list[Annotated[int, Field(ge=1, le=6)]], Field(min_length=2, max_length=2)]  # fewest and most
    learnt: Count  # of train pictures, for each ground: what the detector learns from
    epochs: Count

    @pydantic.field_validator("products")
    @classmethod
    def _fewest_first(cls, products: list[int]) -> list[int]:
        if products[0] > products[1]:
            raise ValueError(f"the fewest products come first, then the most. Received: {products}")
        return products


class UserPhotos(Section):
    """Photos that users take, with a box around the product, searched in the catalogue."""

    encoders: Annotated[list[EncoderName], Field(min_length=1)]
    source: PhotoSource
    kinds: Annotated[list[PhotoKind], Field(min_length=1)]  # of simulated photos
    queries: Count  # simulated: test images, each in a photo of every kind; given: at most so many
    crops: Annotated[list[Crop], Field(min_length=1)]
    margin: Annotated[float, Field(ge=0, le=1)]  # around the box, in parts of its longer side
    top: Count
    relevances: Annotated[list[Relevance], Field(min_length=1)]
    better: dict[Annotated[str, Field(pattern=r"^[a-z][a-z \-]{0,40}$")], Reranking]
    composites: Composites = Composites(count=6, products=[2, 4], learnt=24, epochs=10)  # older parameters name none
    resamples: Annotated[int, Field(ge=200)]
    seed: Seed


class Recommendation(Section):
    """Classify an image, then recommend what is most like it.

    `forest`: the encoder by whose features a random forest tells the same label; none without one.
    """

    encoder: EncoderName
    forest: EncoderName | None = None
    trees: Count = 100
    label: Label
    asked: Count  # images, drawn by the seed, that something is recommended for
    shown: Count
    predicted: Count  # images whose prediction is shown
    classes: Count  # of the confusion matrix, the commonest; all others stand as one
    seed: Seed


class Systems(Section):
    """The sections of `params.yaml` that hold the items of one stage, by their names."""

    index_studies: dict[Name, IndexStudy]
    hybrids: dict[Name, Hybrid]
    user_photos: dict[Name, UserPhotos]
    recommendations: dict[Name, Recommendation]


SYSTEMS = {section: get_args(field.annotation)[1] for section, field in Systems.model_fields.items()}
