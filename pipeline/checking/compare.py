"""Two runs side by side: what was chosen otherwise, whether a metric's change is real, and what became of claims.

A metric is paired by query, as both runs asked the same pictures; its interval is over products, and holds for all rows
of the table at once. Figures and notebooks are compared cell by cell, by the ids that cells keep. nbdime would draw the
same from a notebook server's files; a table of cells and Python's own diff do without.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.checking import moved, runs
from pipeline.checking.means import PLACE
from pipeline.checking.runs import Run
from pipeline.data import catalog
from pipeline.evaluation import metrics, statistics
from pipeline.evaluation.names import QUERY, RELEVANCE

SHOWN = [
    ("articleType", metrics.AP),
    ("articleType", "hit@1"),
    ("articleType", "precision@10"),
    ("product", metrics.AP),
]
RESAMPLES, SEED = 2000, 0
LONGEST, WIDEST = 200, 500  # lines of a cell's diff, and letters of a line
FIGURES, DIFFS = 4_000_000, 200_000  # letters that a page has room for, of pictures and of cells' diffs
ABSENT, NOT_HERE = "absent", "not here"
FETCH = (
    f"What is {NOT_HERE}: of a commit, `dvc fetch` brings it where it was stored. Of a run that another machine made, "
    "nothing may be: run it here, commit that (git commit -am 'my run'), and compare with the commit."
)
OTHER_PICTURES = "the runs are of other pictures or another split: no query can be paired"


@dataclass
class Compared:
    """What differs between two runs; `left_out`: what could not be compared, and why."""

    first: str
    second: str
    parameters: list[tuple[str, Any, Any]]
    metrics: pd.DataFrame
    verdicts: list[tuple[str, str, str]]
    cells: list[dict[str, Any]]
    figures: list[dict[str, Any]]
    left_out: list[str] = field(default_factory=list)


def compare(first: Run, second: Run) -> Compared:
    """Everything that differs between two runs."""
    left_out: list[str] = []
    cells = list(_cells(first, second, left_out))
    figures = [cell for cell in cells if cell["pictures"]]
    shown = _fitting(figures, lambda cell: sum(map(len, sum(cell["pictures"], []))), FIGURES)
    if len(figures) > shown:
        left_out.append(f"{len(figures) - shown} pairs of figures more than the {shown} that the page has room for")
    words = [cell for cell in cells if cell["diff"]]
    for cell in words[_fitting(words, lambda cell: sum(map(len, cell["diff"])), DIFFS) :]:
        cell["diff"] = [f"… {cell['lines']} lines, for which the page has no room"]
    one, other = (runs.leaves(run.params, between=".") for run in (first, second))
    chosen = [(name, one.get(name, ABSENT), other.get(name, ABSENT)) for name in {**one, **other}]
    found = Compared(
        first.name,
        second.name,
        [row for row in chosen if row[1] != row[2]],
        _metrics(first, second, left_out),
        _verdicts(first, second, left_out),
        words,
        figures[:shown],
        left_out,
    )
    left_out += [FETCH] if any(NOT_HERE in text for text in left_out) else []
    return found


def _fitting(cells: list[dict[str, Any]], size: Callable[[dict[str, Any]], int], room: int) -> int:
    """How many of the cells, from the first on, there is room for."""
    return sum(total <= room for total in accumulate(map(size, cells)))


def _file(run: Run, path: str) -> Path | None:
    """What a run has at a path below its data's outputs."""
    whole = f"outputs/{run.params['data']['name']}/{path}"
    known = run.outs().get(whole)
    return None if known is None else run.find(whole, known)


def _metrics(first: Run, second: Run, left_out: list[str]) -> pd.DataFrame:
    """A row per retrieval of both runs and metric: both means, the paired difference, its interval, if it is real."""
    pictures = _pictures_of_both(first, second, left_out)
    if pictures is None:
        return pd.DataFrame()
    products = catalog.products(pictures)
    rows, samples = [], []
    for retrieval in _retrievals(first, second, left_out):
        for row, drawn in _paired(first, second, retrieval, products, left_out):
            rows.append({"retrieval": retrieval, **row})
            samples.append(drawn)
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows)
    table["low"], table["high"] = statistics.simultaneous(table["difference"].to_numpy(), np.stack(samples, axis=1))
    table["real"] = (table["low"] > 0) | (table["high"] < 0)
    return table


def _pictures_of_both(first: Run, second: Run, left_out: list[str]) -> pd.DataFrame | None:
    """The catalogue, where both runs have the same; None where queries cannot be paired."""
    places = [_file(run, "catalog.parquet") for run in (first, second)]
    if places[0] is None or places[1] is None:
        left_out.append(f"a run's catalogue is {NOT_HERE}")
        return None
    if runs.hash_of(places[0]) != runs.hash_of(places[1]):
        left_out.append(OTHER_PICTURES)
        return None
    return pd.read_parquet(places[0])


def _retrievals(first: Run, second: Run, left_out: list[str]) -> list[str]:
    one, other = (list(run.params["retrievals"]) for run in (first, second))
    for run, names in ((first, set(one) - set(other)), (second, set(other) - set(one))):
        left_out += [f"{name}: in {run.name} alone" for name in sorted(names)]
    return [name for name in one if name in other]


def _paired(
    first: Run, second: Run, retrieval: str, products: np.ndarray, left_out: list[str]
) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """For each metric that is shown: its means and their difference, and the resampled differences (R,)."""
    places = [_file(run, f"scores/{retrieval}.parquet") for run in (first, second)]
    if places[0] is None or places[1] is None:
        lacking = [run.name for run, place in zip((first, second), places, strict=True) if place is None]
        left_out.append(f"{retrieval}: scores of {' and '.join(lacking)} are {NOT_HERE}")
        return
    tables = [pd.read_parquet(place, filters=[(name, "==", word) for name, word in PLACE.items()]) for place in places]
    for relevance, metric in SHOWN:
        one, other = (table[table[RELEVANCE] == relevance].set_index(QUERY) for table in tables)
        if metric not in one or metric not in other or not one.index.equals(other.index):
            left_out.append(f"{retrieval} {relevance} {metric}: not of the same queries in both")
            continue
        values = np.stack([one[metric].to_numpy(float), other[metric].to_numpy(float)], axis=1)
        values = values[:, 1:] - values[:, :1]
        drawn = statistics.draws(len(values), RESAMPLES, SEED, products[one.index.to_numpy()])
        means = {"first": one[metric].mean(), "second": other[metric].mean(), "difference": float(np.nanmean(values))}
        named = {"relevance": relevance, "metric": metrics.mean_name(metric)}
        yield named | means, statistics.resampled_means(drawn, values)[:, 0]


def _verdicts(first: Run, second: Run, left_out: list[str]) -> list[tuple[str, str, str]]:
    """The claims whose verdict is another."""
    places = [_file(run, "evaluation/verdicts.json") for run in (first, second)]
    if places[0] is None or places[1] is None:
        left_out.append(f"a run's verdicts are {NOT_HERE}")
        return []
    one, other = (json.loads(place.read_text(encoding="utf-8"))["claim"] for place in places if place)
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return [(name, one.get(name, ABSENT), other.get(name, ABSENT)) for name in names]


def _cells(first: Run, second: Run, left_out: list[str]) -> Iterator[dict[str, Any]]:
    """The cells that differ, notebook by notebook: a diff of code and words, and the pictures of both."""
    for path in {**first.outs(), **second.outs()}:
        if not (path.startswith("outputs/") and path.endswith(".ipynb")):
            continue
        hashes = [run.outs().get(path) for run in (first, second)]
        if hashes[0] == hashes[1]:
            continue
        places = [run.find(path, known) if known else None for run, known in zip((first, second), hashes, strict=True)]
        if places[0] is None or places[1] is None:
            left_out.append(f"{path}: in one run alone, or {NOT_HERE}")
            continue
        one, other = moved.cells(places[0]), moved.cells(places[1])
        for name in {**one, **other}:
            yield from _cell(path, name, one.get(name, {}), other.get(name, {}))


def _cell(path: str, name: str, one: dict, other: dict) -> Iterator[dict[str, Any]]:
    was, now = _lines(one), _lines(other)
    diff = [line[:WIDEST] for line in difflib.unified_diff(was, now, lineterm="", n=1)][2:]
    lines = len(diff)
    pictures = [_pictures(one), _pictures(other)]
    if len(diff) > LONGEST:
        diff = [*diff[:LONGEST], f"… {len(diff) - LONGEST} lines more"]
    if diff or pictures[0] != pictures[1]:
        place = path.split("/notebooks/", 1)[-1]
        shown = pictures if pictures[0] != pictures[1] else []
        yield {"notebook": place, "cell": name, "diff": diff, "lines": lines, "pictures": shown}


def _lines(cell: dict) -> list[str]:
    """A cell's code, and below it the words that it printed or showed."""
    lines = moved.source_of(cell).splitlines()
    for output in cell.get("outputs", []):
        shown = output.get("text") or output.get("data", {}).get("text/plain", "")
        lines += (shown if isinstance(shown, str) else "".join(shown)).splitlines()
    return lines


def _pictures(cell: dict) -> list[str]:
    found = [output.get("data", {}).get("image/png") for output in cell.get("outputs", [])]
    return [re.sub(r"[^A-Za-z0-9+/=]", "", picture) for picture in found if isinstance(picture, str)]


def markdown(found: Compared) -> str:
    """The comparison for a pull request."""
    lines = [f"## {found.first} → {found.second}", ""]
    lines += _table(["parameter", found.first, found.second], found.parameters, "No parameter differs.")
    heads = ["retrieval", "metric", found.first, found.second, "difference [95 %, of all]", "real"]
    lines += _table(heads, rows(found), "No metric that is paired differs.")
    lines += _table(["claim", found.first, found.second], found.verdicts, "No verdict differs.")
    cells = [(cell["notebook"], cell["cell"], cell["lines"]) for cell in found.cells]
    lines += _table(["notebook", "cell", "lines that differ"], cells, "No cell differs in words.")
    lines += [f"{len(found.figures)} figures that differ are on the page.", ""]
    lines += ["Not compared:", "", *(f"* {text}" for text in found.left_out)] if found.left_out else []
    return "\n".join(lines) + "\n"


def rows(found: Compared) -> list[tuple]:
    """The metrics that differ, in words."""
    return [_row(row) for row in found.metrics.to_dict("records") if row["difference"]]


def _row(row: dict[str, Any]) -> tuple:
    interval = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
    metric = f"{row['metric']}, {row['relevance']}"
    means = f"{row['first']:.3f}", f"{row['second']:.3f}"
    return row["retrieval"], metric, *means, interval, "yes" if row["real"] else "no"


def _table(heads: list[str], rows: list[tuple], nothing: str) -> list[str]:
    if not rows:
        return [nothing, ""]
    lines = [heads, ["---"] * len(heads), *rows]
    return [*(f"| {' | '.join(str(word).replace('|', chr(92) + '|') for word in line)} |" for line in lines), ""]
