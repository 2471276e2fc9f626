"""CSV tables that came with the images: the header, checked for the columns that are needed, and the rows by it."""

import csv
import io
from collections.abc import Sequence


def header(
    names: Sequence[str], table: str, needed: list[str], error: type[ValueError], more: Sequence[str] = ()
) -> list[str]:
    """A table's header, each name without the blanks around it.

    Args:
        names: the first row. table: the file's name, for the error. more: columns that may be there, and are told too.

    Raises:
        `error`: columns that are needed are missing.
    """
    given = [name.strip() for name in names]
    if missing := [name for name in needed if name not in given]:
        raise error(
            f"{table} lacks the column{'s' * (len(missing) > 1)} {missing}. "
            f"Expected: {list(dict.fromkeys([*needed, *more]))}. Received: {given[:20]}"
        )
    return given


def rows(text: str, table: str, needed: list[str], error: type[ValueError], more: Sequence[str] = ()) -> csv.DictReader:
    """The rows of a table's text, by its header. Arguments and errors are those of `header`."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    reader.fieldnames = header(reader.fieldnames or [], table, needed, error, more)
    return reader
