"""The study's parameters: one frozen, validated model per section of `params.yaml`.

Every stage loads and checks the whole file before it does any work. An error is one line that names the file,
the key, what is allowed, what was received and, for a misspelt name, the nearest known one.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline import paths
from pipeline.finetuning_params import Finetune
from pipeline.networks import Backbone, Count, Label, Name, Network, Relevance, Seed
from pipeline.sections import ParamsError, S, Section, check, nearest, read_yaml
from pipeline.systems_params import Hybrid, IndexStudy, Recommendation, UserPhotos

Distance = Literal["cosine", "euclidean", "manhattan"]
Graded = Literal["articleType", "gender", "baseColour", "usage"]


class Data(Section):
    """Which pictures the study is about."""

    name: Name
    source: Literal["drawn", "kaggle", "folder"]
    path: str | None
    watch: str
    handle: str | None = None
    seed: Seed
    test_share: Annotated[float, Field(gt=0, lt=1)]


class Weights(Section):
    """Where a backbone's weights come from."""

    source: Literal["imagenet", "lite", "random", "file"]
    backbone: Backbone
    path: str | None = None
    seed: Seed | None = None

    @pydantic.model_validator(mode="after")
    def _complete(self):
        if self.source == "file" and not self.path:
            raise ValueError("source: file needs a path to a .weights.h5")
        if self.source == "random" and self.seed is None:
            raise ValueError("source: random needs a seed")
        if self.source == "lite" and self.backbone != "efficientnet_lite0":
            raise ValueError(f"source: lite holds efficientnet_lite0 and no other backbone. Received: {self.backbone}")
        return self


class Encoder(Network):
    """One way to turn pictures into features.

    `posteriors`: {articleType: 0.3} gives 0.3 of the squared length to what the finetune's classifier thinks, the rest to
    the embedding. `mirrored` also looks at the mirror image, for twice the time, and takes the mean.
    """

    weights: Name
    posteriors: dict[Label, Annotated[float, Field(gt=0, lt=1)]] = {}
    mirrored: bool = False
    batch_size: Count

    @pydantic.field_validator("posteriors")
    @classmethod
    def _a_share_is_left(cls, posteriors: dict[str, float]) -> dict[str, float]:
        if math.fsum(posteriors.values()) >= 1:
            raise ValueError("the shares must add up to less than 1: the embedding has the rest")
        return dict(sorted(posteriors.items()))  # one order of the blocks, however they are written


class Concatenation(Section):
    """Two encoders' features side by side as one vector; a part may be a concatenation itself."""

    first: Name
    second: Name
    share: Annotated[float, Field(gt=0, lt=1)]  # of the cosine, for the second; the first has the rest


class Retrieval(Section):
    """One encoder's features, or a concatenation's, under one distance."""

    encoder: Name
    distance: Distance


class Eda(Section):
    """What notebook 01 shows."""

    top: Count


class KnnRetrieval(Section):
    """What notebook 04 finds, judges and shows, the same for every retrieval."""

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
            raise ValueError("cutoffs need 1 among them, galleries all first, relevances articleType first: the headline "
                             f"numbers are those. Received: {self.cutoffs}, {self.galleries}, {self.relevances}")  # fmt: skip
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
    encoders: list[Name]
    umap_encoders: list[Name]
    components: Annotated[list[Count], Field(min_length=1)]
    pca_queries: Count
    seed: Seed


class Evaluation(Section):
    """What notebook 05 makes of it."""

    resamples: Annotated[int, Field(ge=200)]
    worst_classes: Count
    worst_queries: Count
    serving: dict[Name, Annotated[list[Name], Field(min_length=1)]]
    serving_queries: Count
    seed: Seed


class Study(Section):
    """The whole of `params.yaml`; `not_run` names configurations of the thesis that a suite leaves out, each with why."""

    data: Data
    weights: dict[Name, Weights]
    finetunes: dict[Name, Finetune]
    encoders: Annotated[dict[Name, Encoder], Field(min_length=1)]
    concatenations: dict[Name, Concatenation]
    retrievals: Annotated[dict[Name, Retrieval], Field(min_length=1)]
    index_studies: dict[Name, IndexStudy]
    hybrids: dict[Name, Hybrid]
    user_photos: dict[Name, UserPhotos]
    recommendations: dict[Name, Recommendation]
    not_run: dict[Name, str]
    eda: Eda
    knn_retrieval: KnnRetrieval
    embedding_space: EmbeddingSpace
    evaluation: Evaluation


def load(path: Path = paths.PARAMS) -> Study:
    """Reads and checks a parameter file (YAML 1.2, as DVC reads it: `1e-4` is a number).

    Raises:
        ParamsError: with one line per fault.
    """
    try:
        values = read_yaml(path)
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing. Make it with: python -m pipeline.run compose") from None
    study = check(Study, values, Path(path).name)
    _check_names(study, Path(path).name)
    return study


def from_notebook(model: type[S], namespace: dict[str, Any], **extra: type) -> S:
    """The parameters that a notebook's parameter cells assigned, as a validated `model`.

    `papermill -p` only warns about a name the notebook does not have; here it is an error. Call it before
    anything else is assigned. `namespace` is the notebook's `globals()`; `extra` are further names with their types.
    """
    literal = (str, int, float, bool, list, dict, type(None))
    # Run again in JupyterLab, the cell sees names that later cells made: only the first run's names count.
    names = namespace.setdefault("_parameter_names", [
        name for name, value in namespace.items()
        if not name.startswith("_") and name not in ("In", "Out") and isinstance(value, literal)
    ])  # fmt: skip
    model = pydantic.create_model(model.__name__, __base__=model, **{name: (kind, ...) for name, kind in extra.items()})
    return check(model, {name: namespace[name] for name in names}, f"notebook {model.__name__}")


def _check_names(study: Study, where: str) -> None:
    """Every name that one section takes from another must exist, and must fit what it names."""
    for name in study.weights:
        if name in study.finetunes:
            raise ParamsError(f"{where}: {name!r} is in weights and in finetunes; the names of both must differ.")
    trained = {**study.weights, **study.finetunes}
    for name, finetune in study.finetunes.items():
        _known(where, f"finetunes.{name}.init", finetune.init, [other for other in trained if other != name])
        _fits(where, f"finetunes.{name}", finetune, finetune.init, trained[finetune.init])
        _ends(where, name, study.finetunes)
        _same_part(where, f"finetunes.{name}", finetune, trained[finetune.init])
    for name, encoder in study.encoders.items():
        _known(where, f"encoders.{name}.weights", encoder.weights, list(trained))
        _fits(where, f"encoders.{name}", encoder, encoder.weights, trained[encoder.weights])
        made = trained[encoder.weights]
        if isinstance(made, Finetune) and made.split == "temporal":
            raise ParamsError(f"{where}: encoders.{name}.weights must not have learnt from test pictures. A finetune with "
                              f"split: temporal has; it is there for its accuracy. Received: {encoder.weights!r}")  # fmt: skip
        classified = made.classified if isinstance(made, Finetune) else []
        for label in encoder.posteriors:
            _known(where, f"encoders.{name}.posteriors", label, classified)
        if encoder.head and (not isinstance(made, Finetune) or made.head != encoder.head):
            raise ParamsError(f"{where}: encoders.{name}.head must be [] or the head that {encoder.weights!r} was "
                              f"trained with. Received: {[layer.model_dump() for layer in encoder.head]}")  # fmt: skip
    _parts_exist(where, study)
    both = [*study.encoders, *study.concatenations]
    for name in study.embedding_space.encoders:
        _known(where, "embedding_space.encoders", name, both)
    for name in study.embedding_space.umap_encoders:
        _known(where, "embedding_space.umap_encoders", name, study.embedding_space.encoders)
    for right, others in study.evaluation.serving.items():
        for name in (right, *others):
            _known(where, "evaluation.serving", name, list(study.encoders))
            one, other = study.encoders[right], study.encoders[name]
            if (one.weights, one.head, one.posteriors) != (other.weights, other.head, other.posteriors):
                raise ParamsError(f"{where}: evaluation.serving needs encoders of the same weights, head and posteriors. "
                                  f"Received: {right}, {name}")  # fmt: skip
    for name, retrieval in study.retrievals.items():
        _known(where, f"retrievals.{name}.encoder", retrieval.encoder, both)
    _systems_fit(where, study, both)


def _known(where: str, key: str, value: str, allowed: list[str]) -> None:
    if value not in allowed:
        raise ParamsError(f"{where}: {key} names nothing. Allowed: {sorted(allowed)}. "
                          f"Received: {value!r}.{nearest(value, allowed)}")  # fmt: skip


def _ends(where: str, name: str, finetunes: dict[str, Finetune]) -> None:
    """A finetune starts from weights in the end, through however many other finetunes."""
    chain = [name]
    while (start := finetunes[chain[-1]].init) in finetunes:
        if start in chain:
            raise ParamsError(f"{where}: finetunes.{name}.init leads round in a circle: {' → '.join([*chain, start])}. "
                              "One of them must start from weights")  # fmt: skip
        chain.append(start)


def _parts_exist(where: str, study: Study) -> None:
    """A concatenation is made of encoders, and of concatenations that stand before it: so it never leads in a circle."""
    made = list(study.encoders)
    for name, concatenation in study.concatenations.items():
        if name in study.encoders:
            raise ParamsError(f"{where}: {name!r} is in encoders and in concatenations; the names of both must differ.")
        for key in ("first", "second"):
            _known(where, f"concatenations.{name}.{key}", getattr(concatenation, key), made)
        made.append(name)


def _systems_fit(where: str, study: Study, both: list[str]) -> None:
    """The four smaller documents' systems work on features that are there; photos need a network to encode them with."""
    for section in ("index_studies", "hybrids"):
        for name, system in getattr(study, section).items():
            _known(where, f"{section}.{name}.encoder", system.encoder, both)
    for name, encoder in ((name, encoder) for name, photos in study.user_photos.items() for encoder in photos.encoders):
        _known(where, f"user_photos.{name}.encoders", encoder, list(study.encoders))
    for name, recommendation in study.recommendations.items():
        key = f"recommendations.{name}"
        _known(where, f"{key}.encoder", recommendation.encoder, list(study.encoders))
        encoder = study.encoders[recommendation.encoder]
        made = study.finetunes.get(encoder.weights)
        if made is None or recommendation.label not in made.classified:
            raise ParamsError(f"{where}: {key}.encoder needs weights that were finetuned to tell {recommendation.label}. "
                              f"Received: {recommendation.encoder!r}")  # fmt: skip
        if encoder.head != made.head or encoder.posteriors:
            raise ParamsError(f"{where}: {key}.encoder must end at the layer before the classifier: the head of "
                              f"{encoder.weights!r} and no posteriors. Received: {recommendation.encoder!r}")  # fmt: skip


def _fits(where: str, key: str, network: Network, name: str, made: Weights | Finetune) -> None:
    if network.backbone != made.backbone:
        raise ParamsError(f"{where}: {key}.backbone must be that of its weights {name!r}, {made.backbone!r}. "
                          f"Received: {network.backbone!r}")  # fmt: skip


def _same_part(where: str, key: str, finetune: Finetune, start: Weights | Finetune) -> None:
    """What one run must not learn from, the run before it must not have learnt from either."""
    if isinstance(start, Finetune) and start.split != finetune.split:
        raise ParamsError(f"{where}: {key}.split must be that of the finetune it starts from, {start.split!r}: else it "
                          f"has seen what it is tested on. Received: {finetune.split!r}")  # fmt: skip
