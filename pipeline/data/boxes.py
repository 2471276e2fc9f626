"""Boxes around the product in a user's photo: read from `queries.csv`, checked, clipped, cropped.

The form is document 003's (AIcrowd's Visual Product Recognition, 2023): `user_img_id`, `img_path`, `bbox_x`, `bbox_y`,
`bbox_w`, `bbox_h` in pixels, x and y being the upper left corner. A box that cannot be used is reported by its photo's
id.
"""

import csv
import io
import json
import math
import zipfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from pipeline import files
from pipeline.data import images
from pipeline.data.sources import Source, SourceError

COLUMNS = ["user_img_id", "img_path", "bbox_x", "bbox_y", "bbox_w", "bbox_h"]
SIDES = COLUMNS[2:]
TABLE = "queries.json"  # beside the photos in their zip


class BoxError(ValueError):
    """A table of queries that cannot be read, or a box that holds no pixel of its image."""


class Box(NamedTuple):
    """A rectangle of whole pixels: the upper left corner, width and height."""

    x: int
    y: int
    width: int
    height: int


def read_queries(text: str) -> tuple[list[dict], list[str]]:
    """The rows of a `queries.csv` that can be used, and what was wrong with the others, by id.

    Each row has the columns of the file and `box`: four numbers as they stand there, or None where all four are blank
    (the whole photo asks).

    Raises:
        BoxError: no table, or columns missing.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = [name.strip() for name in reader.fieldnames or []]
    if missing := [name for name in COLUMNS if name not in header]:
        raise BoxError(f"queries.csv lacks the columns {missing}. Expected: {COLUMNS}. Received: {header[:20]}")
    reader.fieldnames = header
    rows, faults, seen = [], [], set()
    for number, row in enumerate(reader, 2):
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
    kept, faults, changed = [], [], {}
    if source.queries is not None:
        rows, faults = read_queries(source.queries.decode("utf-8-sig", errors="replace"))
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


def clip(numbers: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[Box, str]:
    """The whole pixels of an image that a box touches, and what had to be changed for it ('' for nothing).

    Args:
        numbers: x, y, width, height; fractions are taken to the pixels they touch, a negative width or height means
            that another corner was given.
        size: the image's width and height.

    Raises:
        BoxError: the box has no extent, or lies outside the image.
    """
    x, y, width, height = numbers
    changes = []
    if width < 0 or height < 0:
        changes.append("corners swapped")
        x, width = min(x, x + width), abs(width)
        y, height = min(y, y + height), abs(height)
    if width == 0 or height == 0:
        raise BoxError(f"the box {_said(numbers)} has no extent")
    if any(value != int(value) for value in numbers):
        changes.append("fractions taken to whole pixels")
    left, top, right, bottom = math.floor(x), math.floor(y), math.ceil(x + width), math.ceil(y + height)
    inside = max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1])
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise BoxError(f"the box {_said(numbers)} lies outside its picture of {size[0]}×{size[1]} pixels")
    if inside != (left, top, right, bottom):
        changes.append("clipped to the picture")
    return Box(inside[0], inside[1], inside[2] - inside[0], inside[3] - inside[1]), ", ".join(changes)


def crop(image: Image.Image, box: Box, margin: float = 0.0) -> Image.Image:
    """The image's part in a box, widened on each side by `margin` times the box's longer side, within the image."""
    around = round(margin * max(box.width, box.height))
    return image.crop(
        (
            max(box.x - around, 0),
            max(box.y - around, 0),
            min(box.x + box.width + around, image.width),
            min(box.y + box.height + around, image.height),
        )
    )


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
    return tuple(values)


def _said(numbers: tuple) -> str:
    return "(" + ", ".join(f"{value:g}" for value in numbers) + ")"
