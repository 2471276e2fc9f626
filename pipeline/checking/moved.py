"""Which numbers differ between two files of one kind, by how much, and whether that is within what hardware does.

Only files whose bytes differ come here. Words are compared exactly, numbers within `TOLERANCES`, also those that stand
in the middle of a text. Nothing is executed or unpickled: tables, JSON, SQLite, HDF5's arrays and notebooks as data.
"""

import json
import math
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from pyarrow import parquet

from pipeline.checking.runs import leaves
from pipeline.evaluation.tables import HIGH, LOW, VALUE
from pipeline.vectors import unit

# one that stands by itself: what is part of a name (lite0, hit@1, seed_2) is a word
NUMBER = re.compile(r"(?<![\w@.])-?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?(?![\w@])")
PICTURE = re.compile(r"data:image/[^\"')\s]+")
# How far a number may be from the published one, as a share of 1 or of the number if that is larger, by what the path
# has in it: where nothing was trained anew, and where weights are others, though trained in the same way. Measured on
# the sample (docs/design.md). None: not for the file to say, as what a single query, point or weight has may jump where
# two distances are nearly equal; what follows from it is judged.
TOLERANCES: list[tuple[str, float | None, float | None]] = [
    (r"/(embedding_space|weights|scores|notebooks|report)/", None, None),
    (r"/features/[^/]+/", None, None),  # mapped from disk: too large to be read as numbers, and hashes of them
    (r"/(features|neighbours)/", 1e-5, None),
    (r"", 2e-3, 0.1),
]
ENDS = 2  # how many times as far the end of an interval may be: by a share near 1 it moves further than the share does
NAMES = {"id", "query", "row", "seed"}  # columns of numbers that only name something
FREE = {"neighbour"}  # columns of words that may differ where the numbers beside them do not: equally near pictures
LARGEST, GROWN = 2**30, 4  # bytes of a file that is read as numbers, and how many times the reference's it may have
SPARE = 2**20  # bytes that a small file may have more than that


@dataclass
class Moved:
    """What differs in one file: how many numbers of how many, the largest difference and where, how many words.

    `largest`: a share of 1, or of the number if that is larger; of an interval's end a half of it. `outside`: how many
    numbers lie outside the reference's interval. `trained`: as of `between`. `within`: whether all is within the
    tolerance; None where it is not for the file to say.
    """

    file: str
    numbers: int = 0
    of: int = 0
    largest: float = 0.0
    where: str = ""
    words: int = 0
    pictures: int = 0
    outside: int = 0
    tolerance: float | None = None
    trained: bool = False
    within: bool | None = None

    def number(self, was: float, now: float, where: str, rounded: float = 0.0, part: float = 1.0) -> None:
        """Counts two numbers that stand in one place.

        Args:
            rounded: one in the last place that is written.
            part: how much of their difference counts.
        """
        self.of += 1
        difference = part * max(abs(now - was) - rounded, 0.0)
        if was == now or (math.isnan(was) and math.isnan(now)):
            return
        self.numbers += 1
        difference = math.inf if math.isnan(difference) else difference / max(1.0, abs(was))
        if difference > self.largest:
            self.largest, self.where = difference, f"{where}: {was:.6g} → {now:.6g}"

    def __str__(self) -> str:
        if not self.of and not self.words:
            return f"{self.file}: other bytes"
        last = "" if self.largest else " in the last place that is written"
        parts = [f"{self.numbers} of {self.of} numbers moved{last}" if self.numbers else ""]
        parts += [f"at most by {self.largest:.2g} ({self.where})" if self.largest else ""]
        parts += [f"{self.outside} outside the reference's interval" if self.outside else ""]
        parts += [f"{self.words} words or rows are others" if self.words else ""]
        parts += [f"{self.pictures} pictures are others" if self.pictures else ""]
        return f"{self.file}: {', '.join(filter(None, parts)) or 'the same numbers, written otherwise'}"


def between(file: str, was: Path, now: Path, trained: bool = False) -> Moved:
    """What differs between the reference's file and the one that is here; `file` is the path that both have.

    `trained`: it follows from weights that were trained anew and are others.
    """
    bounds = next(bounds for pattern, *bounds in TOLERANCES if re.search(pattern, file))
    tolerance = bounds[trained]
    reader = READERS.get(Path(file).suffix)
    found = Moved(file, tolerance=tolerance, trained=trained)
    if reader is None or max(was.stat().st_size, now.stat().st_size) > LARGEST:
        return found
    try:
        if now.stat().st_size > GROWN * was.stat().st_size + SPARE:
            raise ValueError("much larger than the reference's")
        reader(was, now, found)
    except (ValueError, KeyError, OSError, sqlite3.Error, TypeError, AttributeError, RecursionError):
        return Moved(file, words=1, tolerance=tolerance, within=None if tolerance is None else False)  # no such file
    if tolerance is not None:
        found.within = bool(not found.words and not found.outside and found.largest <= tolerance)
    return found


def _frames(was: pd.DataFrame, now: pd.DataFrame, found: Moved) -> None:
    """Counts two tables, row by row."""
    if list(was.columns) != list(now.columns) or len(was) != len(now):
        found.words += max(1, abs(len(was) - len(now)))
        return
    numbers = [name for name in was if pd.api.types.is_numeric_dtype(was[name]) and was[name].dtype != bool]
    numeric = [name for name in numbers if name not in NAMES]
    words = [name for name in was if name not in numeric]
    for name in words:
        if name not in FREE:
            _column_of_words(was[name], now[name], name, found)
    ends = {LOW, HIGH} if {VALUE, LOW, HIGH} <= set(numeric) else set()
    if ends:
        found.outside += int(((now[VALUE] < was[LOW]) | (now[VALUE] > was[HIGH])).sum())
    for name in numeric:
        _column(was, now, name, words, found, 1 / ENDS if name in ends else 1.0)


def _column(was: pd.DataFrame, now: pd.DataFrame, name: str, words: list[str], found: Moved, part: float) -> None:
    one, other = was[name].to_numpy(float), pd.to_numeric(now[name], errors="coerce").to_numpy(float)
    differing = np.flatnonzero(~((one == other) | (np.isnan(one) & np.isnan(other))))
    found.of += len(one) - len(differing)
    if not len(differing):
        return
    apart = np.abs(one[differing] - other[differing]) / np.maximum(1, np.abs(np.nan_to_num(one[differing])))
    found.numbers, found.of = found.numbers + len(differing) - 1, found.of + len(differing) - 1
    row = differing[np.nan_to_num(apart, nan=np.inf).argmax()]  # counted last, as the largest of them
    label = "/".join(str(was[word].iloc[row])[:60] for word in words[:6]) or f"row {row}"
    found.number(one[row], other[row], f"{label} {name}", part=part)


def _column_of_words(was: pd.Series, now: pd.Series, name: str, found: Moved) -> None:
    one, other = was.astype(str).to_numpy(), now.astype(str).to_numpy()
    if name in NAMES:
        found.words += int((one != other).sum())
        return
    for row in np.flatnonzero(one != other):
        _texts(one[row], other[row], f"row {row} {name}", found)


def _texts(was: str, now: str, where: str, found: Moved) -> None:
    """Counts two texts: their words exactly, and the numbers in them, each but for one in its last decimal place."""
    if PICTURE.sub("", was) != was or PICTURE.sub("", now) != now:
        found.pictures += sum(
            one != other for one, other in zip(PICTURE.findall(was), PICTURE.findall(now), strict=False)
        )
        was, now = PICTURE.sub("", was), PICTURE.sub("", now)
    if NUMBER.sub("#", was) != NUMBER.sub("#", now):
        found.words += 1
        return
    for one, other in zip(NUMBER.findall(was), NUMBER.findall(now), strict=True):
        if one != other:
            places = len(one.partition(".")[2].partition("e")[0])
            first, second = (float(text.replace(",", "")) for text in (one, other))
            last = 1.01 * 10.0**-places if places or found.trained else 0.0  # a whole number is a count
            found.number(first, second, where, last)


def _csv(was: Path, now: Path, found: Moved) -> None:
    _frames(pd.read_csv(was), pd.read_csv(now), found)


def _parquet(was: Path, now: Path, found: Moved) -> None:
    one, other = (parquet.read_metadata(path) for path in (was, now))  # a few bytes may stand for any number of rows
    if one.num_rows != other.num_rows or one.schema != other.schema:
        found.words += max(1, abs(one.num_rows - other.num_rows))
        return
    _frames(pd.read_parquet(was), pd.read_parquet(now), found)


def _json(was: Path, now: Path, found: Moved) -> None:
    one, other = (leaves(json.loads(path.read_text(encoding="utf-8"))) for path in (was, now))
    found.words += len(one.keys() ^ other.keys())
    for name in one.keys() & other.keys():
        _leaf(one[name], other[name], name, found)


def _leaf(was: Any, now: Any, where: str, found: Moved) -> None:
    if isinstance(was, int | float) and isinstance(now, int | float) and not isinstance(was, bool):
        found.number(was, now, where)
    elif was != now:
        _texts(str(was), str(now), where, found)


def _features(was: Path, now: Path, found: Moved) -> None:
    """One minus the cosine between the two vectors of each image."""
    if _schema(was) != _schema(now):  # a view by the table's name may have rows without end
        found.words += 1
        return
    one, other = _vectors(was), _vectors(now)
    found.words += len(one.keys() ^ other.keys())
    names = sorted(one.keys() & other.keys())
    first, second = (unit(np.stack([vectors[name] for name in names]).astype(float)) for vectors in (one, other))
    for name, apart in zip(names, 1 - (first * second).sum(axis=1), strict=True):
        same = one[name].tobytes() == other[name].tobytes()
        found.number(0.0, 0.0 if same else max(float(apart), 1e-16), f"1 − cosine of image {name}")


def _schema(path: Path) -> list[tuple]:
    return _asked(path, "SELECT type, sql FROM sqlite_master WHERE name = 'image_features'")


def _vectors(path: Path) -> dict[str, np.ndarray]:
    rows = _asked(path, "SELECT image_name, features FROM image_features")
    return {name: np.frombuffer(blob, "<f4") for name, blob in rows}


def _asked(path: Path, question: str) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as store:
        return store.execute(question).fetchall()


def _weights(was: Path, now: Path, found: Moved) -> None:
    """The largest difference of each array, as a share of its largest number."""
    with h5py.File(was) as one, h5py.File(now) as other:
        first, second = _arrays(one), _arrays(other)
        found.words += len(first.keys() ^ second.keys())
        for name in first.keys() & second.keys():
            if not _plain(first[name], second[name]):  # before it is read: zeros are packed to next to nothing
                found.words += 1
                continue
            was_array, now_array = first[name][()], second[name][()]
            if was_array.size:
                share = np.abs(was_array - now_array).max() / max(float(np.abs(was_array).max()), 1e-12)
                found.number(0.0, float(share), f"share of the largest of {name}")


def _plain(was: h5py.Dataset, now: h5py.Dataset) -> bool:
    """Whether an array has the reference's form, and its numbers lie in its own file."""
    return (was.shape, was.dtype) == (now.shape, now.dtype) and not now.external and not now.is_virtual


def _arrays(store: h5py.File) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}
    store.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return found


def _notebook(was: Path, now: Path, found: Moved) -> None:
    """Cell by cell: code and text exactly, outputs as words and numbers, pictures counted."""
    one, other = cells(was), cells(now)
    found.words += len(one.keys() ^ other.keys())
    for name in one.keys() & other.keys():
        found.words += source_of(one[name]) != source_of(other[name])
        first, second = (leaves(cell.get("outputs", [])) for cell in (one[name], other[name]))
        found.words += len(first.keys() ^ second.keys())
        for key in first.keys() & second.keys():
            if first[key] != second[key] and "/data/image/" in f"/{key}":
                found.pictures += 1
            elif first[key] != second[key]:
                _leaf(first[key], second[key], f"cell {name}", found)


def cells(path: Path) -> dict[str, dict]:
    """A notebook's cells by their ids; one without an id by its place."""
    listed = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return {str(cell.get("id", number)): cell for number, cell in enumerate(listed)}


def source_of(cell: dict) -> str:
    """A cell's text, which a file may hold as lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(map(str, source))


def _text(was: Path, now: Path, found: Moved) -> None:
    _texts(was.read_text(encoding="utf-8"), now.read_text(encoding="utf-8"), "in the text", found)


READERS: dict[str, Callable[[Path, Path, Moved], None]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".json": _json,
    ".sqlite": _features,
    ".h5": _weights,
    ".ipynb": _notebook,
    ".html": _text,
}
