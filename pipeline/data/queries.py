"""User photos that came with the data: read from `queries.csv`, each with its box, and kept in one zip.

The form is document 003's (AIcrowd's Visual Product Recognition, 2023): `user_img_id`, `img_path`, `bbox_x`, `bbox_y`,
`bbox_w`, `bbox_h` in pixels, x and y being the upper left corner. A box that cannot be used is reported by its photo's
id.
"""

import json
import zipfile
from pathlib import Path

from pipeline import files
from pipeline.data import csv_tables, images
from pipeline.data.boxes import TABLE, Box, BoxError, clip
from pipeline.data.sources import Source, SourceError

HEADER = ["user_img_id", "img_path", "bbox_x", "bbox_y", "bbox_w", "bbox_h"]
SIDES = HEADER[2:]


def read(text: str) -> tuple[list[dict], list[str]]:
    """The rows of a `queries.csv` that can be used, and what was wrong with the others, by id.

    Each row has the columns of the file and `box`: four numbers as they stand there, or None where all four are blank
    (the whole photo asks).

    Raises:
        BoxError: no table, or columns missing.
    """
    rows, faults, seen = [], [], set()
    for number, row in enumerate(csv_tables.rows(text, "queries.csv", HEADER, BoxError), 2):
        name = (row["user_img_id"] or "").strip()
        if not name or None in row or None in row.values():
            faults.append(
                f"line {number}: {'no user_img_id' if not name else f'{name}: not as many fields as columns'}"
            )
        elif name in seen:
            faults.append(f"{name} (line {number}): again; the first row is kept")
        else:
            seen.add(name)
            try:
                rows.append({**row, "user_img_id": name, "box": _numbers(row)})
            except BoxError as error:
                faults.append(f"{name} (line {number}): {error}")
    return rows, faults


def collect(source: Source, target: Path) -> dict:
    """Writes a source's user photos with their boxes into the zip `target`, an empty one where it has none.

    Returns:
        `user_photos`: how many; `user_photos_left_out` and `boxes_changed`: which and why, by id.

    Raises:
        BoxError: `queries.csv` is no such table.
    """
    faults: list[str] = []
    kept, changed = [], {}
    if source.queries is not None:
        rows, faults = read(source.queries.decode("utf-8-sig", errors="replace"))
        for row in rows:
            try:
                data, box, changes = _usable(source, row)
            except (BoxError, images.UnreadableImage, SourceError) as error:
                faults.append(f"{row['user_img_id']}: {error}")
                continue
            if changes:
                changed[row["user_img_id"]] = changes
            kept.append(
                ({"id": row["user_img_id"], "box": box, "product": (row.get("product_id") or "").strip()}, data)
            )
    with files.whole_file(target) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(TABLE), json.dumps([facts for facts, _ in kept]))
        for number, (_, data) in enumerate(kept):
            archive.writestr(zipfile.ZipInfo(str(number)), data)
    return {"user_photos": len(kept), "user_photos_left_out": faults, "boxes_changed": changed}


def _usable(source: Source, row: dict) -> tuple[bytes, Box | None, str]:
    """A photo's bytes, its box in whole pixels of the upright photo, and what had to be changed for that."""
    data = source.file(row["img_path"].strip())
    size = images.decode(data).size
    return (data, None, "") if row["box"] is None else (data, *clip(row["box"], size))


def _numbers(row: dict) -> tuple[float, float, float, float] | None:
    given = [row[side].strip() for side in SIDES]
    if not any(given):
        return None
    values = []
    for side, text in zip(SIDES, given, strict=True):
        try:
            value = float(text)
        except ValueError:
            raise BoxError(f"{side} is not a number. Received: {text[:40]!r}") from None
        if not abs(value) <= 1e9:  # nan as well
            raise BoxError(f"{side} is not a number of pixels. Received: {text[:40]!r}")
        values.append(value)
    x, y, width, height = values
    return x, y, width, height
