"""Parameters of the chapters that every study has: EDA, retrieval, the embedding space, evaluation."""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from pipeline.params.kinds import Count, Distance, EncoderName, FeaturesName, Graded, Relevance, RetrievalName, Seed
from pipeline.params.sections import Section


class Retrieval(Section):
    """One encoder's features, a concatenation's or an expansion's, under one distance."""

    encoder: FeaturesName
    distance: Distance


class Eda(Section):
    """What notebook 01 shows."""

    top: Count


class KnnRetrieval(Section):
    """What notebook 04 searches, scores and shows, the same for every retrieval."""

    neighbours: Count
    panel_queries: Count
    panel_neighbours: Count
    relevances: Annotated[list[Relevance], Field(min_length=1)]
    cutoffs: Annotated[list[Count], Field(min_length=1)]
    galleries: Annotated[list[Literal["all", "test"]], Field(min_length=1)]
    gains: dict[Graded, Annotated[float, Field(ge=0)]]
    gain_cutoffs: list[Count]
    thesis_sizes: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]
    threshold_queries: Count
    seed: Seed

    @pydantic.model_validator(mode="after")
    def _headline(self):
        if 1 not in self.cutoffs or self.galleries[0] != "all" or self.relevances[0] != "articleType":
            raise ValueError(
                "cutoffs need 1 among them, galleries all first, relevances articleType first: the headline numbers "
                f"are those. Received: {self.cutoffs}, {self.galleries}, {self.relevances}"
            )
        return self

    @pydantic.field_validator("gains")
    @classmethod
    def _type_first(cls, gains: dict[str, float]) -> dict[str, float]:
        if gains and gains.get("articleType", 0) <= 0:
            raise ValueError("gains need an articleType above 0: a picture of another type has no gain")
        return {"articleType": gains["articleType"], **gains} if gains else gains


class EmbeddingSpace(Section):
    """What is measured of an encoder's features whatever the distance, and what is drawn of them."""

    pictures: Annotated[int, Field(ge=20)]
    perplexity: Annotated[float, Field(gt=1)]
    umap_neighbours: Annotated[int, Field(ge=2)]
    encoders: list[FeaturesName]
    umap_encoders: list[FeaturesName]
    components: Annotated[list[Count], Field(min_length=1)]
    pca_queries: Count
    seed: Seed


class Evaluation(Section):
    """What notebook 05 makes of it."""

    resamples: Annotated[int, Field(ge=200)]
    worst_classes: Count
    worst_queries: Count
    serving: dict[EncoderName, Annotated[list[EncoderName], Field(min_length=1)]]
    serving_queries: Count
    seed: Seed


class Within(Section):
    """A threshold that the thesis tried, and how many pictures it then saw; of a cosine the similarity."""

    threshold: float
    images: Annotated[int, Field(ge=0)]


class ThesisModel(Section):
    """Which retrieval of this study stands for a model of the thesis, and the thresholds that were tried with it."""

    retrieval: RetrievalName
    within: list[Within] = []


class Reenactment(Section):
    """The thesis's experiment on one picture, and on `drawn` others; notebook 07.

    `crossed`: case d, two networks of which each is asked with the other's vectors; none where it is left out.
    """

    models: dict[Literal["a", "b", "c", "e", "f", "g", "h", "i"], ThesisModel]  # d has vectors of two networks
    crossed: list[EncoderName] = []
    queries: Count
    neighbours: Count
    drawn: Count
    seed: Seed

    @pydantic.field_validator("crossed")
    @classmethod
    def _two(cls, crossed: list[str]) -> list[str]:
        if len(crossed) not in (0, 2) or len(set(crossed)) != len(crossed):
            raise ValueError(f"case d takes two encoders, or none. Received: {crossed}")
        return crossed


class Chapters(Section):
    """The sections of `params.yaml` that hold a chapter's settings."""

    eda: Eda
    knn_retrieval: KnnRetrieval
    embedding_space: EmbeddingSpace
    evaluation: Evaluation
    # what was published before this section was re-enacts nothing
    reenactment: Reenactment = Reenactment(models={}, queries=1, neighbours=1, drawn=1, seed=0)


CHAPTERS = {section: field.annotation for section, field in Chapters.model_fields.items()}
