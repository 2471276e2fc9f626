"""Numbers in a page's prose, each held against the published run: where one moves, its sentence is to be read again.

A section ends with a comment that lists what numbers its sentences have, and where the published run has each:

    <!-- numbers fashion_small_fresh
    .404 [.383, .424] = seeds closed; same listing
    .880 = finetunes[accuracy] closed_head
    +.063 = exam open; held-out types - exam pretrained; held-out types
    44,441 = data/pictures
    .710 = finetuning/years[test_accuracy]
    .671 = least */strict/all/articleType/hit@1
    .65 : not published, `python -m benchmarks.bench`
    -->

A source is a key of a metric or measurement; or a table, the column where it is not the usual one, and cells that one
row alone has, in any column or in one, `weight=0.7`; or a finetune's numbers, or those of `ingest`; or the difference
that a verdict's evidence begins with, `evidence 001-6.1-product`; or the least, the most or the mean of all that a name
with * or a table's cells select. `0 - SOURCE` is a difference turned round, with its interval. Numbers are .404, 44,441
and 78 %; an interval belongs to the number before it.
"""

import fnmatch
import json
import math
import re
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from pipeline import params
from pipeline.report import publication
from pipeline.report.publication import Published

NUMBER = re.compile(
    r"(?<![\w.,])(?:(?P<sign>[+−]?)(?P<decimal>\.\d+)(?P<interval>\s\[[+−]?\.\d+,\s[+−]?\.\d+\])?"
    r"|(?P<count>\d{1,3}(?:,\d{3})+)|(?P<percent>\d+(?:\.\d+)?) %)(?![\w,]\d|\w)"
)
LIST = re.compile(r"<!-- numbers (?P<data>\w+)\n(?P<lines>.*?)-->", re.DOTALL)
HIDDEN = [  # what is no prose: made anew by the program, comments, code, addresses
    re.compile(r"^<!-- begin (\w+) -->.*?^<!-- end \1 -->", re.DOTALL | re.MULTILINE),
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE),
    re.compile(r"`[^`\n]+`"),
    re.compile(r"\]\([^)]*\)"),
]
SEVERAL: dict[str, Callable[[list[float]], float]] = {"least": min, "most": max, "mean": statistics.fmean}
NOTHING, EVIDENCE = "0", "evidence"
DIFFERENCE = re.compile(r": ([+-][\d.]+) \[([+-][\d.]+), ([+-][\d.]+)\]")
USUAL = ["value", "mean", "difference"]  # a table's column of numbers, the first that it has, of which low and high are


@dataclass(frozen=True)
class Line:
    """One line of a list: a number as it is said, and its sources: the second is taken off; none: not published."""

    said: str
    sources: tuple[str, ...]


def faults(page: str) -> list[str]:
    """What is wrong with a page's numbers, a sentence each: not listed, not said, not what the published run has."""
    return [f"{name}: {fault}" for name, text in sections(page) for fault in _section(text)]


def sections(page: str) -> list[tuple[str, str]]:
    """The page's sections, each with its heading's words; what comes before the second heading is the first."""
    prose = re.sub(r"^```.*?^```", lambda code: " " * len(code[0]), page, flags=re.DOTALL | re.MULTILINE)
    heads = list(re.finditer(r"^#+ (.+)$", prose, re.MULTILINE))
    ends = [head.start() for head in heads[1:]] + [len(page)]
    return [(head[1], page[head.start() : end]) for head, end in zip(heads, ends, strict=True)]


def said(text: str) -> list[str]:
    """The numbers of a text's sentences, in their order.

    >>> said("It finds .404 [.383, .424] of 8,784, +.024 more (78 %), see `x .5`.")
    ['.404 [.383, .424]', '8,784', '+.024', '78 %']
    """
    for hidden in HIDDEN:
        text = hidden.sub(" ", text)
    return [" ".join(match[0].split()) for match in NUMBER.finditer(text)]


def _section(text: str) -> Iterator[str]:
    """The faults of one section."""
    found, listed = said(text), []
    for block in LIST.finditer(text):
        run = publication.of(block["data"])
        for number in block["lines"].strip().splitlines():
            line = _line(number)
            listed.append(line.said)
            yield from _line_faults(line, run)
    yield from (f"{one} is said, and no line tells where it comes from" for one in sorted({*found} - {*listed}))
    yield from (f"{one} is listed, and no sentence says it" for one in sorted({*listed} - {*found}))


def _line(text: str) -> Line:
    """A line of a list.

    Raises:
        ValueError: it has neither a source nor a reason, or too many sources.
    """
    number, mark, rest = re.match(r"(.*?)(?: ([=:]) (.*))?$", text.strip()).groups()  # type: ignore[union-attr]
    if mark is None:
        raise ValueError(f"a line is 'NUMBER = SOURCE' or 'NUMBER : why it is not published'; found {text!r}")
    sources = tuple(rest.split(" - ")) if mark == "=" else ()
    if len(sources) > 2 or sources == (NOTHING,):
        raise ValueError(f"a source is one, or one less another; found {rest!r}")
    return Line(number, sources)


def _line_faults(line: Line, run: Published) -> Iterator[str]:
    """What the published run has in place of a line's number, where it is something else."""
    match = NUMBER.fullmatch(line.said)
    if match is None:
        yield f"{line.said} is no number of the forms .404 [.383, .424], 44,441 and 78 %"
        return
    try:
        found = [values(source.strip(), run) for source in line.sources]
    except LookupError as error:
        yield f"{line.said}: {error.args[0]}"
        return
    if found:
        one = found[0] if len(found) == 1 else [found[0][0] - found[1][0]]
        if line.sources[0] == NOTHING:
            one = [-value for value in (found[1][0], *found[1][:0:-1])]
        if (shown := _shown(one, match)) != line.said:
            yield f"{line.said} is said, {run.data} has {shown}: read its sentences again"


def values(source: str, run: Published) -> list[float]:
    """What a source has: the number, and its interval where the table has one.

    Raises:
        LookupError: there is no such key, table or column, or not one row with those cells.
    """
    word, _, many = source.partition(" ")
    if word in SEVERAL:
        numbers = [one[0] for one in _selected(many, run) if not math.isnan(one[0])]
        if not numbers:
            raise LookupError(f"{many!r} has empty cells alone")
        return [SEVERAL[word](numbers)]
    found = _selected(source, run)
    if len(found) != 1:
        raise LookupError(f"{len(found)} numbers are {source!r}; one should be")
    return found[0]


def _selected(source: str, run: Published) -> list[list[float]]:
    """Every number that a source selects, each with its interval where there is one.

    Raises:
        LookupError: there is no such key, table, column or row.
    """
    if source == NOTHING:
        return [[0.0]]
    if keys := fnmatch.filter(run.values, source) if "*" in source else [source] if source in run.values else []:
        return [[run.values[key], *run.intervals.get(key, ())] for key in keys]
    parts = re.fullmatch(r"([\w/-]+)(?:\[([^]]+)\])?(?: (.*))?", source)
    if parts is None:
        raise LookupError(f"no key of {run.data} is like {source!r}, and it is no 'table[column] cell; cell'")
    name, column, cells = parts.groups("")
    if name == EVIDENCE:
        return [_evidence(cells, run)]
    if name == "ingest" and column in run.ingest:
        return [[run.ingest[column]]]
    if column and (trained := run.place / name / "metrics.json").exists():
        return [[json.loads(trained.read_text(encoding="utf-8"))[column]]]
    table = run.table(name)
    if table.empty:
        raise LookupError(f"{run.data} has no key and no table {name!r}.{params.nearest(source, run.values)}")
    column = column or next((one for one in USUAL if one in table), "")
    if column not in table:
        raise LookupError(f"{name}.csv has no column {column!r}. Allowed: {list(table)}")
    wanted = [cell.strip() for cell in cells.split(";")]
    rows = table[table.apply(lambda row: all(_has(row, cell) for cell in wanted), axis=1)]
    if rows.empty:
        raise LookupError(f"no row of {name}.csv has the cells {wanted}")
    own, usual = [f"{column} low", f"{column} high"], ["low", "high"] if column in USUAL else []
    ends = own if {*own} <= {*table} else usual if {*usual} <= {*table} else []
    return rows[[column, *ends]].astype(float).to_numpy().tolist()


def _evidence(claim: str, run: Published) -> list[float]:
    """The difference that a verdict's evidence begins with, and its interval.

    Raises:
        LookupError: there is no such claim, or its evidence has none.
    """
    verdicts = run.verdicts.set_index("claim")["evidence"]
    found = DIFFERENCE.search(str(verdicts.get(claim, "")))
    if found is None:
        raise LookupError(f"no difference is in the evidence of {claim!r}.{params.nearest(claim, verdicts.index)}")
    return [float(number) for number in found.groups()]


def _has(row: pd.Series, cell: str) -> bool:
    """Whether a row has a cell: in any column, or in the one that is named, `weight=0.0`."""
    column, mark, value = cell.partition("=")
    return str(row[column]) == value if mark and column in row.index else cell in map(str, row)


def _shown(values: list[float], match: re.Match) -> str:
    """The values as the number that was said is written: its sign, as many digits, an interval if it has one."""
    if match["count"]:
        return f"{values[0]:,.0f}"
    if match["percent"]:
        digits = len(match["percent"].partition(".")[2])
        return f"{100 * values[0]:.{digits}f} %"
    digits = len(match["decimal"]) - 1
    if not match["interval"]:
        return decimal(values[0], digits, bool(match["sign"]))
    ends = [decimal(end, digits, bool(match["sign"])) for end in values[1:3]]
    return f"{decimal(values[0], digits, bool(match['sign']))} [{', '.join(ends)}]"


def decimal(value: float, digits: int = 3, signed: bool = False) -> str:
    """A number without its leading zero; with a sign where it is a difference, a dash where there is none.

    >>> decimal(0.4042), decimal(-0.033, 2, True), decimal(0.0, signed=True), decimal(float("nan"))
    ('.404', '−.03', '+.000', '–')
    """
    if math.isnan(value):
        return "–"
    sign = "−" if value < 0 else "+" if signed else ""
    return sign + f"{abs(value):.{digits}f}".removeprefix("0")


def signed(value: float) -> str:
    """A difference with its sign, three decimals."""
    return decimal(value, signed=True)
