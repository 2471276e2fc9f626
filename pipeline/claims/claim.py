"""A claim: what a document says, and the kinds of measurement that a statement can be held by."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.sections import Section

Text = Annotated[str, Field(min_length=1)]


class Value(Section):
    """Judged by a value: reproduced within `tolerance` of what was reported, or when its interval holds it."""

    kind: Literal["value"]
    key: Text
    tolerance: Annotated[float, Field(ge=0)]


class Bound(Section):
    """Judged by one bound or two: reproduced when the value's interval lies on the claim's side, contradicted on the
    other.

    A value without an interval that lies on the other side differs, unless it is a count of the data.
    """

    kind: Literal["bound"]
    key: Text
    at_least: float | None = None
    at_most: float | None = None


class Difference(Section):
    """Judged by differences, first − second, of every pair that was run: paired by query where both have the same
    queries, else of independent draws.

    `above` 0: reproduced when every interval lies above `margin`, contradicted when one lies below −margin.
    `within`: reproduced when every interval lies within ± margin, contradicted when one lies wholly outside.
    """

    kind: Literal["difference"]
    pairs: Annotated[list[Annotated[list[Text], Field(min_length=2, max_length=2)]], Field(min_length=1)]
    at: Text
    expect: Literal["above", "within"]
    margin: Annotated[float, Field(ge=0)] = 0.0


class Order(Section):
    """Judged by the order of values without intervals: each must be at least the next.

    Reversed counts of the data contradict; other values, which have no interval here, differ.

    `complete`: the family of keys that holds them; no other of it may stand before the last.
    """

    kind: Literal["order"]
    keys: Annotated[list[Text], Field(min_length=2)]
    complete: Text | None = None


class Middle(Section):
    """Judged by where `reported`, the count of one picture, stands among the counts of others: reproduced within the
    middle 90 % of them, `<key>/5 %` to `<key>/95 %`; else it differs, since one picture in ten lies outside.
    """

    kind: Literal["middle"]
    key: Text


class Quotients(Section):
    """Judged by what the document prints: rows of dividend, divisor and quotient, each right to `tolerance`."""

    kind: Literal["quotients"]
    rows: Annotated[list[Annotated[list[float], Field(min_length=3, max_length=3)]], Field(min_length=1)]
    tolerance: Annotated[float, Field(gt=0)]


class Document(Section):
    """Not measured: the document contradicts itself, as `contradiction` says."""

    kind: Literal["document"]


class Untestable(Section):
    """Not measured: something is missing from the document or from what can be had."""

    kind: Literal["untestable"]
    missing: Text


class Claim(Section):
    """One statement of one document. `words` are the document's own, with `...` where some are left out."""

    document: Literal["000", "001", "002", "003", "004"]
    place: Text
    words: Text
    meaning: Text
    reported: float | str | None = None
    judge: Annotated[
        Value | Bound | Difference | Order | Middle | Quotients | Document | Untestable, Field(discriminator="kind")
    ]
    contradiction: str | None = None
    how: str | None = None
    see: str | None = None
    headline: bool = False
