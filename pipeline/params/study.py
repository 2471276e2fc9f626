"""The whole of `params.yaml` as one model, and what a notebook was given of it."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline.params.chapters import Chapters, Retrieval
from pipeline.params.expansion import Expansion
from pipeline.params.finetuning import Finetune
from pipeline.params.kinds import Name, Near, Seed
from pipeline.params.networks import Bag, Concatenation, Encoder, Weights
from pipeline.params.scale import Scale
from pipeline.params.sections import S, Section, check, fingerprint
from pipeline.params.systems import Systems


class Data(Section):
    """Which images the study is about.

    `leave_out`: kinds of nearly equal pictures, of which the first by its id is kept.
    """

    name: Name
    source: Literal["drawn", "kaggle", "folder"]
    path: str | None
    watch: str
    handle: str | None = None
    seed: Seed
    test_share: Annotated[float, Field(gt=0, lt=1)]
    leave_out: list[Near] = []


class _Sections(Section):
    """What every study is made of; `not_run` names configurations that a suite leaves out, each with why."""

    data: Data
    weights: dict[Name, Weights]
    finetunes: dict[Name, Finetune]
    encoders: Annotated[dict[Name, Encoder], Field(min_length=1)]
    bags: dict[Name, Bag] = {}
    concatenations: dict[Name, Concatenation]
    expansions: dict[Name, Expansion] = {}
    retrievals: Annotated[dict[Name, Retrieval], Field(min_length=1)]
    not_run: dict[Name, str]
    scale: Scale = Scale()  # what was published before there was a choice was computed where it was started


class Study(Systems, Chapters, _Sections):
    """All sections of `params.yaml`."""


def version() -> str:
    """A fingerprint of what `params.yaml` may hold: it changes when a parameter is added, dropped or bounded anew."""
    return fingerprint(Study)


def from_notebook(model: type[S], namespace: dict[str, Any], **extra: type) -> S:
    """The parameters that a notebook's parameter cells assigned, as a validated `model`.

    `papermill -p` only warns about a name the notebook does not have; here it is an error. Call it before
    anything else is assigned. `namespace` is the notebook's `globals()`; `extra` are further names with their types.
    """
    literal = (str, int, float, bool, list, dict, type(None))
    given = [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and name not in ("In", "Out") and isinstance(value, literal)
    ]
    # Run again in JupyterLab, the cell sees names that later cells made: only the first run's names count.
    names = namespace.setdefault("_parameter_names", given)
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in extra.items()}
    model = pydantic.create_model(model.__name__, __base__=model, **fields)
    return check(model, {name: namespace[name] for name in names}, f"notebook {model.__name__}")
