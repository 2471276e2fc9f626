"""Names that one section takes from another: each must exist, and must fit what it names."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pipeline import paths
from pipeline.params import cards
from pipeline.params.finetuning import Finetune
from pipeline.params.kinds import Names, retrieval_name
from pipeline.params.networks import Encoder, Network, Weights
from pipeline.params.sections import ParamsError, Section, known
from pipeline.params.study import Study
from pipeline.params.systems import Recommendation

APART = [  # sections whose names must differ: what each makes lies side by side
    ("weights", "finetunes"),
    ("encoders", "concatenations"),
    ("encoders", "bags"),
    ("bags", "concatenations"),
    ("encoders", "expansions"),
    ("bags", "expansions"),
    ("concatenations", "expansions"),
]


def check_references(study: Study, where: str) -> None:
    """Checks every name and what it leads to; `where` is the file to name in an error.

    Raises:
        ParamsError: with the key, what is allowed, what was received and the nearest name.
    """
    for one, other in APART:
        if both := [name for name in getattr(study, one) if name in getattr(study, other)]:
            raise ParamsError(f"{where}: {both[0]!r} is in {one} and in {other}; the names of both must differ.")
    _parts_stand_before(where, study)
    for key, name, sections in _names(type(study), study, ""):
        known(where, key, name, [one for section in sections for one in getattr(study, section)])
    trained: dict[str, Weights | Finetune] = {**study.weights, **study.finetunes}
    for name, finetune in study.finetunes.items():
        _same_backbone(where, f"finetunes.{name}", finetune, finetune.init, trained[finetune.init])
        _ends(where, name, study.finetunes)
        if isinstance(start := trained[finetune.init], Finetune):
            cards.check_parts(where, f"finetunes.{name}", finetune, start)
    packed = {name for name, made in study.weights.items() if made.source == "packed"}
    for name, encoder in study.encoders.items():
        if encoder.weights not in packed:
            _encoder_fits(where, name, encoder, trained[encoder.weights])
    for name in packed:
        _packed_fits(where, name, study)
    for name in study.embedding_space.umap_encoders:
        known(where, "embedding_space.umap_encoders", name, study.embedding_space.encoders)
    _served_alike(where, study)
    for name, retrieval in study.retrievals.items():
        if name != (expected := retrieval_name(retrieval.encoder, retrieval.distance)):
            raise ParamsError(
                f"{where}: retrievals.{name} must be called after its encoder and its distance. "
                f"Allowed: {expected!r}. Received: {name!r}"
            )
    for name, recommendation in study.recommendations.items():
        _recommendation_fits(where, f"recommendations.{name}", recommendation, study)


def _names(model: type[Section], section: Section, place: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every name that a section takes from others: its key, the name, and the sections that it may stand in."""
    for field, info in model.model_fields.items():
        annotation = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        yield from _within(annotation, getattr(section, field), f"{place}{field}")


def _within(annotation: Any, value: Any, place: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The names in one value, whatever lists and dictionaries they lie in."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if isinstance(value, Section):
        yield from _names(type(value), value, f"{place}.")
    elif origin is Annotated:
        for mark in annotation.__metadata__:
            if isinstance(mark, Names):
                yield place, value, mark.sections
        yield from _within(inner[0], value, place)
    elif origin is list:
        for item in value:
            yield from _within(inner[0], item, place)
    elif origin is dict:
        for key, item in value.items():
            yield from _within(inner[0], key, place)
            yield from _within(inner[1], item, f"{place}.{key}" if isinstance(item, Section) else place)
    elif origin in (Union, types.UnionType) and value is not None:
        yield from _within(next(part for part in inner if part is not type(None)), value, place)


def _same_backbone(where: str, key: str, network: Network, name: str, made: Weights | Finetune) -> None:
    if network.backbone != made.backbone:
        raise ParamsError(
            f"{where}: {key}.backbone must be that of its weights {name!r}, {made.backbone!r}. "
            f"Received: {network.backbone!r}"
        )


def _ends(where: str, name: str, finetunes: dict[str, Finetune]) -> None:
    """A finetune starts from weights in the end, through however many other finetunes."""
    chain = [name]
    while (start := finetunes[chain[-1]].init) in finetunes:
        if start in chain:
            raise ParamsError(
                f"{where}: finetunes.{name}.init leads round in a circle: {' → '.join([*chain, start])}. "
                "One of them must start from weights"
            )
        chain.append(start)


def _packed_fits(where: str, name: str, study: Study) -> None:
    """Weights that come with a card: what it says of data, finetunes and encoders holds for those that take them."""
    weights = study.weights[name]
    try:
        card = cards.read(cards.found(weights.path or "", paths.ROOT))
    except ParamsError as error:
        raise ParamsError(f"{where}: weights.{name}.path: {error}") from None
    cards.check_data(where, f"weights.{name}", card, study.data)
    for key, finetune in study.finetunes.items():
        if finetune.init == name:
            cards.check_start(where, f"finetunes.{key}", finetune, card, study.data)
    for key, encoder in study.encoders.items():
        if encoder.weights == name:
            _same_backbone(where, f"encoders.{key}", encoder, name, weights)
            cards.check_encoder(where, f"encoders.{key}", encoder, card)
            if any(learnt.split == "temporal" and learnt.is_of(study.data) for learnt in card.learnt):
                raise _has_seen(where, key, name)


def _has_seen(where: str, encoder: str, weights: str) -> ParamsError:
    return ParamsError(
        f"{where}: encoders.{encoder}.weights must not have learnt from test pictures. A finetune with split: "
        f"temporal has; it is there for its accuracy. Received: {weights!r}"
    )


def _encoder_fits(where: str, name: str, encoder: Encoder, made: Weights | Finetune) -> None:
    _same_backbone(where, f"encoders.{name}", encoder, encoder.weights, made)
    if isinstance(made, Finetune) and made.split == "temporal":
        raise _has_seen(where, name, encoder.weights)
    classified = made.classified if isinstance(made, Finetune) else []
    for label in encoder.posteriors:
        known(where, f"encoders.{name}.posteriors", label, classified)
    if encoder.head and (not isinstance(made, Finetune) or _headed(made) != _headed(encoder)):
        raise ParamsError(
            f"{where}: encoders.{name}.head, also and squeeze must be those that {encoder.weights!r} was trained with, "
            f"or [], [] and null. Received: {_headed(encoder)}"
        )


def _headed(network: Network) -> tuple[list[dict], list[str], int | None]:
    """What stands between a network's feature maps and its vector."""
    return [layer.model_dump() for layer in network.head], network.also, network.squeeze


def _parts_stand_before(where: str, study: Study) -> None:
    """A concatenation is of encoders, and of concatenations that stand before it: so it never leads in a circle."""
    made = list(study.encoders)
    for name, concatenation in study.concatenations.items():
        for key in ("first", "second"):
            known(where, f"concatenations.{name}.{key}", getattr(concatenation, key), made)
        made.append(name)


def _served_alike(where: str, study: Study) -> None:
    """Queries that are encoded otherwise than the gallery differ in their preparation alone."""
    for right, others in study.evaluation.serving.items():
        for name in others:
            one, other = study.encoders[right], study.encoders[name]
            if _made_of(one) != _made_of(other):
                raise ParamsError(
                    f"{where}: evaluation.serving needs encoders of the same weights, head, posteriors and beside. "
                    f"Received: {right}, {name}"
                )


def _made_of(encoder: Encoder) -> tuple:
    """What a vector is made of, however the picture is prepared."""
    return encoder.weights, encoder.head, encoder.posteriors, encoder.beside


def _recommendation_fits(where: str, key: str, recommendation: Recommendation, study: Study) -> None:
    encoder = study.encoders[recommendation.encoder]
    made = study.finetunes.get(encoder.weights)
    if made is None or recommendation.label not in made.classified:
        raise ParamsError(
            f"{where}: {key}.encoder needs weights that were finetuned to tell {recommendation.label}. "
            f"Received: {recommendation.encoder!r}"
        )
    if encoder.head != made.head or encoder.posteriors or encoder.beside:
        raise ParamsError(
            f"{where}: {key}.encoder must end at the layer before the classifier: the head of {encoder.weights!r} and "
            f"nothing beside it. Received: {recommendation.encoder!r}"
        )
