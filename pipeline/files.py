"""The one way to write: a file or a folder under its name is always whole, as it is made under another and renamed."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole_file(path: Path, writer: str = "") -> Iterator[Path]:
    """A name to write to; it takes the place of `path` once the block has ended well, and is removed if it has not.

    Args:
        writer: its name, where others may write the same file at the same time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}{writer}.partial")
    partial.unlink(missing_ok=True)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; it takes the place of `folder` once the block has ended well.

    A kill at any moment leaves the old one or the new one whole: under its name, or beside it for `recover`.
    """
    partial, earlier = (folder.with_name(f"{folder.name}.{word}") for word in ("partial", "earlier"))
    recover(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            folder.replace(earlier)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(earlier, ignore_errors=True)


def recover(folder: Path) -> None:
    """Puts back a folder whose replacement was killed between the two renames; clears what another kill left."""
    earlier = folder.with_name(f"{folder.name}.earlier")
    if earlier.exists() and not folder.exists():
        earlier.replace(folder)
    shutil.rmtree(earlier, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Bytes as a whole file."""
    with whole_file(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Text as a whole file: UTF-8 with Unix line ends, on every system."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, values: Any) -> None:
    """Values as a whole JSON file, a line per entry, so that a change can be read in a diff."""
    write_text(path, json.dumps(values, indent=1) + "\n")


def write_csv(path: Path, table: Any) -> None:
    """A pandas frame without its index as a whole CSV file."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def plain(value: Any) -> Any:
    """A table's cell that no spreadsheet takes for a formula: a text that it would calculate has an apostrophe first.

    >>> plain("=1+1"), plain(-1)
    ("'=1+1", -1)
    """
    formula = ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if isinstance(value, str) and value.startswith(formula) else value


def write_parquet(path: Path, table: Any) -> None:
    """A pandas frame without its index as a whole Parquet file."""
    with whole_file(path) as partial:
        table.to_parquet(partial, index=False)
