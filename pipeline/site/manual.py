"""The API as a page that is read in a browser, written from its schema: without a script, and without a network."""

from html import escape
from typing import Any

HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: the API</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<link rel="stylesheet" href="vendor/pico.css"><link rel="stylesheet" href="style.css">'
    "</head><body><main class=manual><h1>{title}: the API</h1><p>{description}</p>"
    '<p>The schema for programs: <a href="api/schema">api/schema</a></p>'
)


def written(schema: dict[str, Any]) -> str:
    """An OpenAPI schema as HTML: each operation with its parameters, its body and its answers, then what these hold."""
    info = {name: escape(schema["info"].get(name, "")) for name in ("title", "description")}
    parts = [HEAD.format(**info)]
    for path, operations in schema["paths"].items():
        parts += [_operation(path, method, one) for method, one in operations.items()]
    for name, one in schema["components"]["schemas"].items():
        parts.append(f'<h2 id="{escape(name)}">{escape(name)}</h2><p>{escape(one.get("description", ""))}</p>')
        parts.append(_table([(field, _kind(kind), kind) for field, kind in one.get("properties", {}).items()]))
    return "".join([*parts, "</main></body></html>"])


def _operation(path: str, method: str, one: dict[str, Any]) -> str:
    rows = [(row["name"], _kind(row["schema"]), row | row["schema"]) for row in one.get("parameters", [])]
    body = " or ".join(escape(kind) for kind in one.get("requestBody", {}).get("content", {}))
    answers = [
        (status, " or ".join(_kind(kind.get("schema", {})) or escape(name) for name, kind in said.items()), answer)
        for status, answer in one["responses"].items()
        if (said := answer.get("content", {})) is not None
    ]
    return (
        f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(one.get('description', ''))}</p>{_table(rows)}"
        + (f"<p>Body: {body}</p>" if body else "")
        + f"<h3>Answers</h3>{_table(answers)}"
    )


def _table(rows: list[tuple[str, str, dict[str, Any]]]) -> str:
    """Rows of a name, a kind (HTML already) and what else is known of it."""
    said = [
        f"<tr><th>{escape(name)}</th><td>{kind}</td><td>{escape(one.get('description', ''))}{_bounds(one)}</td></tr>"
        for name, kind, one in rows
    ]
    return f"<table>{''.join(said)}</table>" if said else ""


def _kind(schema: dict[str, Any]) -> str:
    """A kind of value as HTML: a link to one that has a name."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(escape(str(value)) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("type", "")))


def _bounds(one: dict[str, Any]) -> str:
    names = {"default": "default", "minimum": "at least", "maximum": "at most", "maxLength": "letters at most"}
    said = [f"{word} {one[name]}" for name, word in names.items() if one.get(name) not in (None, [])]
    return escape(f" ({', '.join(said)})") if said else ""
