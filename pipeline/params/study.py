"""The whole of `params.yaml`: read, checked, and handed on.

Every stage loads and checks the whole file before it does any work. An error is one line that names the file, the key,
what is allowed, what was received and, for a misspelt name, the nearest known one.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline import paths
from pipeline.params.chapters import CHAPTERS, Retrieval
from pipeline.params.finetuning import Finetune
from pipeline.params.kinds import Name, Seed
from pipeline.params.networks import Concatenation, Encoder, Weights
from pipeline.params.references import check_references
from pipeline.params.sections import ParamsError, S, Section, check, fingerprint, read_yaml
from pipeline.params.systems import SYSTEMS


class Data(Section):
    """Which images the study is about."""

    name: Name
    source: Literal["drawn", "kaggle", "folder"]
    path: str | None
    watch: str
    handle: str | None = None
    seed: Seed
    test_share: Annotated[float, Field(gt=0, lt=1)]


class _Sections(Section):
    """What every study is made of; `not_run` names configurations that a suite leaves out, each with why."""

    data: Data
    weights: dict[Name, Weights]
    finetunes: dict[Name, Finetune]
    encoders: Annotated[dict[Name, Encoder], Field(min_length=1)]
    concatenations: dict[Name, Concatenation]
    retrievals: Annotated[dict[Name, Retrieval], Field(min_length=1)]
    not_run: dict[Name, str]


# and a section per chapter, and one per system, which holds the system's items by name
Study = pydantic.create_model(
    "Study",
    __base__=_Sections,
    **{section: (model, ...) for section, model in CHAPTERS.items()},
    **{section: (dict[Name, model], ...) for section, model in SYSTEMS.items()},
)


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
    check_references(study, Path(path).name)
    return study


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
    model = pydantic.create_model(model.__name__, __base__=model, **{name: (kind, ...) for name, kind in extra.items()})
    return check(model, {name: namespace[name] for name in names}, f"notebook {model.__name__}")
