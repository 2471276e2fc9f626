"""A section of a YAML file as a frozen, validated model, and its faults as sentences.

An error is one line that names the file, the key, what is allowed, what was received and, for a misspelt name, the
nearest known one.
"""

import difflib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import pydantic
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


class ParamsError(ValueError):
    """A parameter that cannot be used; the message says which, what is allowed, and what was received."""


class Section(pydantic.BaseModel):
    """A part of `params.yaml`: unknown names, wrong types and values out of range are errors."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)


S = TypeVar("S", bound=Section)


def read_yaml(path: Path) -> Any:
    """A YAML 1.2 file's values, as DVC reads them: `1e-4` is a number.

    Raises:
        ParamsError: it is not YAML.
        FileNotFoundError.
    """
    try:
        return YAML(typ="safe").load(Path(path).read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ParamsError(f"{Path(path).name} is not YAML: {' '.join(str(error).split())}") from None


def check(model: type[S], values: Any, where: str) -> S:
    """`values` as a validated `model`; `where` is the file or notebook to name in an error.

    Raises:
        ParamsError: with one line per fault.
    """
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as error:
        raise ParamsError("\n".join(dict.fromkeys(_explain(model, fault, where) for fault in error.errors()))) from None


def fingerprint(model: type[Section]) -> str:
    """Twelve letters that change when a model's fields, their types or their bounds do."""
    schema = json.dumps(model.model_json_schema(), sort_keys=True)
    return hashlib.sha256(schema.encode()).hexdigest()[:12]


def nearest(value: str, allowed: Iterable[str]) -> str:
    """The end of an error's line: the allowed name that is nearest to a wrong one, if one is near.

    >>> nearest("cosin", ["cosine", "euclidean", "manhattan"])
    " Did you mean 'cosine'?"
    """
    spelt = {name.casefold(): name for name in allowed}
    near = difflib.get_close_matches(str(value).casefold(), spelt, n=1)
    return f" Did you mean {spelt[near[0]]!r}?" if near else ""


def known(where: str, key: str, value: str, allowed: Iterable[str]) -> None:
    """Raises ParamsError for a name that is none of those allowed; `where` and `key` say where it stands."""
    if value not in (names := sorted(allowed)):
        raise ParamsError(
            f"{where}: {key} names nothing. Allowed: {names}. Received: {value!r}.{nearest(value, names)}"
        )


def _explain(model: type[Section], fault: ErrorDetails, where: str) -> str:
    """One pydantic fault as one line: file, key, allowed, received, nearest."""
    location = [str(part) for part in fault["loc"] if part not in ("int", "[key]") and "[" not in str(part)]
    written = _place(model, location)[1]
    key, kind, received = ".".join(written), fault["type"], fault["input"]
    if kind in ("extra_forbidden", "missing"):
        allowed = list(_place(model, location[:-1])[0].model_fields)
    if kind == "extra_forbidden":
        return (
            f"{where}: unknown key {key!r}. Allowed: {sorted(allowed)}. Received: {location[-1]!r}."
            f"{nearest(location[-1], allowed)}"
        )
    if kind == "missing":
        return f"{where}: key {key!r} is missing. Allowed: {sorted(allowed)}."
    text = f"{where}: {key}: {fault['msg'].removeprefix('Value error, ')}. Received: {received!r}."
    if kind == "literal_error":
        text += nearest(
            str(received), [part.strip(" '") for part in fault["ctx"]["expected"].replace(" or ", ", ").split(",")]
        )
    if isinstance(received, str) and kind in ("int_type", "float_type"):
        text += _number_hint(received)
    return text


def _number_hint(text: str) -> str:
    """YAML 1.1 readers, papermill's -f among them, take `1e-4` for text."""
    try:
        return f" It was read as text; write it as a number, without quotes: {float(text)!r}"
    except ValueError:
        return ""


def _place(model: type[Section], location: list[str]) -> tuple[type[Section], list[str]]:
    """The model at a place, and the place as it is in the file: pydantic adds the kind where several are allowed."""
    written: list[str] = []
    several: list[type[Section]] = []
    for part in location:
        tagged = [kind for kind in several if "kind" in kind.model_fields]
        named = [kind for kind in tagged if part in getattr(kind.model_fields["kind"].annotation, "__args__", ())]
        if named:
            model, several = named[0], []
            continue
        written.append(part)
        if part.isdigit():  # a list's index leads to what the list holds
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        kinds = [kind for kind in _kinds(annotation) if isinstance(kind, type) and issubclass(kind, Section)]
        several = kinds if len(kinds) > 1 else []
        model = kinds[0] if kinds else model  # a dictionary's key leads to the same model
    return model, written


def _kinds(annotation: Any) -> list[Any]:
    """All types inside an annotation such as `dict[Name, Encoder]`."""
    inner = getattr(annotation, "__args__", ())
    return [annotation, *(kind for part in inner for kind in _kinds(part))]
