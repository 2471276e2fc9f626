"""A source becomes one validated catalogue: a row per readable image, its labels, its split.

Nothing is lost in silence: rows that were repaired, rows without an image, grey, odd-sized and unreadable images, equal
bytes and blank labels are counted and listed by id in the ingest report.
"""

import csv
import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from charset_normalizer import from_bytes
from sklearn.model_selection import GroupShuffleSplit

from pipeline import files, params, paths
from pipeline.data import csv_tables, near, queries
from pipeline.data.catalog import (
    ARTICLE,
    COLUMNS,
    HEIGHT,
    ID,
    ID_PATTERN,
    LABELS,
    MODE,
    PRODUCT,
    SEEN,
    SHA256,
    SPLIT,
    SUB,
    TEMPORAL_SPLIT,
    TEST,
    TRAIN,
    TYPE_SPLIT,
    WIDTH,
    YEAR,
    CatalogError,
)
from pipeline.data.groups import split_groups
from pipeline.data.images import UnreadableImage, describe
from pipeline.data.sources import Source, SourceError, open_source
from pipeline.progress import progress

COUNTED = [
    "rows_repaired",
    "rows_left_out",
    "rows_without_picture",
    "pictures_unreadable",
    "grey",
    "odd_size",
    "equal_bytes",
    "near_copies",
    "near_copies_left_out",
]


def run(study: params.Study) -> None:
    """The stage: reads the source, and prints how many images there are and how many of them needed a word."""
    report = ingest(study.data)
    print(json.dumps({"pictures": report["pictures"], **{name: len(report[name]) for name in COUNTED}}))


def ingest(data: params.Data) -> dict:
    """Reads a source and writes `catalog.parquet`, `images.zip`, `user_photos.zip` and the report; returns the report.

    Raises:
        SourceError, CatalogError: before anything is written.
    """
    source = open_source(data)
    rows, report = read_styles(source.styles)
    if rows[ARTICLE].isna().all():
        raise CatalogError(
            f"{source.origin} has no {ARTICLE} in any row (of gallery.csv: product_id, of train.csv: group), so no "
            "search could be judged. To match photos without labels: python -m pipeline.app match PHOTOS TABLE.csv "
            "--gallery PICTURES"
        )
    frame, pictures = _with_pictures(rows, source, paths.images(data.name), report)
    if frame.empty:
        paths.images(data.name).unlink(missing_ok=True)
        raise CatalogError(
            f"{source.origin} gives an empty catalogue: {len(rows)} rows in styles.csv, {len(source.images)} "
            "pictures in images/, and no row has a readable picture of its id"
        )
    frame, copies = _without_near_copies(frame, data)
    frame = add_splits(frame, data.test_share, data.seed)
    photos = queries.collect(source, paths.user_photos(data.name))
    report = {"source": source.origin, **report, **pictures, **copies, **_counts(frame), **photos}
    files.write_csv(paths.labels(data.name), label_counts(rows))
    files.write_parquet(paths.catalog(data.name), frame)
    files.write_json(paths.ingest_report(data.name), report)
    return report


def read_styles(data: bytes) -> tuple[pd.DataFrame, dict]:
    """A `styles.csv` as a frame of text, and what was repaired or left out on the way.

    A row with more fields than the header has an unquoted comma in its last column, the product's name: the
    surplus is joined back (22 rows of Kaggle's file). "NA" is a label; an empty field is a missing value.

    Raises:
        CatalogError: unknown encoding, a missing column, or no row.
    """
    text, encoding = _decoded(data)
    lines = _rows(text)
    header = csv_tables.header(next(lines)[1], "styles.csv", COLUMNS, CatalogError)
    rows: dict[str, list[str | None]] = {}
    repaired, bad = [], []
    for number, fields in lines:
        if len(fields) > len(header) and header[-1] == PRODUCT:
            fields[len(header) - 1 :] = [",".join(fields[len(header) - 1 :])]
            repaired.append(fields[header.index(ID)].strip())
        row = dict(zip(header, (field.strip() for field in fields), strict=False))
        if fields and (fault := _fault(row, fields, header, rows)):
            bad.append(f"line {number}: {fault}")
        elif fields:
            rows[row[ID]] = [row[name] or None for name in COLUMNS]
    if not rows:
        raise CatalogError(
            "styles.csv has a header and no usable row" + (f"; the first fault: {bad[0]}" if bad else "")
        )
    frame = pd.DataFrame(list(rows.values()), columns=COLUMNS, dtype="str")
    frame[YEAR] = frame[YEAR].str[:4].astype("Int64")
    counts = {"encoding": encoding, "columns": len(header), "rows": len(rows) + len(bad), "first_ids": list(rows)[:10]}
    return frame, {**counts, "rows_repaired": repaired, "rows_left_out": bad}


def _fault(row: dict[str, str], fields: list[str], header: list[str], known: dict) -> str:
    """Why a row of the table cannot be used; '' where it can."""
    if len(fields) != len(header):
        return f"{len(fields)} fields, expected {len(header)}"
    if not ID_PATTERN.fullmatch(row[ID]):
        return f"id {row[ID][:64]!r} is not letters, digits, '-' and '_'"
    if row[ID] in known:
        return f"id {row[ID]} again; the first row is kept"
    if row[YEAR] and not re.fullmatch(r"\d{4}(\.0)?", row[YEAR]):
        return f"year {row[YEAR][:64]!r} is not a year"
    return ""


def label_counts(rows: pd.DataFrame) -> pd.DataFrame:
    """How often each label stands in the table: `column`, `label`, `rows`, most first; a blank is no label."""
    tables = []
    for column in LABELS:
        counts = rows[column].dropna().astype(str).value_counts()
        counts = counts.sort_index().sort_values(ascending=False, kind="stable")
        tables.append(pd.DataFrame({"column": column, "label": counts.index, "rows": counts.to_numpy()}))
    return pd.concat(tables, ignore_index=True)


def add_splits(frame: pd.DataFrame, test_share: float, seed: int) -> pd.DataFrame:
    """The frame with `split`, `temporal_split` and `type_split`; the first two part no group of related images.

    `split`: train and test by group, of which `test_share` are for testing. `temporal_split`: even years train, odd
    years test; an image of an odd year whose group an even year has is `seen`, for it asks for nothing new; blank
    without a year. `type_split`: as `held_out` draws it.
    """
    together = split_groups(frame)
    chooser = GroupShuffleSplit(n_splits=1, test_size=test_share, random_state=seed)
    split = np.full(len(frame), TRAIN, dtype=object)
    if len(np.unique(together)) > 1:
        split[next(chooser.split(frame, groups=together))[1]] = TEST
    remainder = (frame[YEAR] % 2).to_numpy(float, na_value=np.nan)
    learnt = np.isin(together, together[remainder == 0])
    temporal = np.full(len(frame), None, dtype=object)
    temporal[remainder == 0] = TRAIN
    temporal[remainder == 1] = np.where(learnt, SEEN, TEST)[remainder == 1]
    parts = {SPLIT: split, TEMPORAL_SPLIT: temporal, TYPE_SPLIT: held_out(frame, seed)}
    return frame.assign(**{name: pd.Series(part, dtype="str") for name, part in parts.items()})


def held_out(frame: pd.DataFrame, seed: int) -> np.ndarray:
    """`test` for the images of held-out article types, `train` for the others', blank without a type; (G,).

    Of each sub-category's types half are drawn, the odd one of every second such sub-category among them: what is held
    out has relatives that are learnt. A type belongs to the sub-category that most of its images have.
    """
    home = frame.dropna(subset=[ARTICLE]).groupby(ARTICLE)[SUB].agg(lambda names: names.mode().min())
    chosen, drawn, more = np.random.default_rng([seed, len(home)]), set(), True
    for _, types in home.fillna("").groupby(home.fillna("")):
        held = (len(types) + more) // 2
        more ^= len(types) % 2 == 1
        drawn |= set(chosen.permutation(sorted(types.index))[:held])
    return frame[ARTICLE].map(lambda name: TEST if name in drawn else TRAIN, na_action="ignore").to_numpy(object)


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each line's number and fields. A line is a row: a quote that never closes spoils its own row and no other."""
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        try:
            yield number, next(csv.reader([line]), [])
        except csv.Error as error:  # a field of megabytes
            raise CatalogError(f"styles.csv is damaged at line {number}: {error}") from None


def _decoded(data: bytes) -> tuple[str, str]:
    """The table's text and the encoding that was found."""
    try:
        return data.decode("utf-8-sig"), "utf-8 with byte-order mark" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
    except UnicodeDecodeError:
        guess = from_bytes(
            data[:1_000_000], cp_isolation=["cp1252", "latin_1"] if b"\0" not in data[:1000] else None
        ).best()
        if guess is None:
            raise CatalogError("styles.csv is in no known text encoding. Save it as UTF-8") from None
        try:
            return data.decode(guess.encoding).removeprefix("\ufeff"), guess.encoding
        except UnicodeDecodeError as error:
            raise CatalogError(
                f"styles.csv is neither UTF-8 nor {guess.encoding} ({error.reason}). Save it as UTF-8"
            ) from None


def _with_pictures(rows: pd.DataFrame, source: Source, target: Path, report: dict) -> tuple[pd.DataFrame, dict]:
    """The rows that have a readable image, with its facts, in the order of ids; the images go into `target`.

    The zip is stored, in the order of ids and with fixed dates, so that the same pictures give the same bytes.
    """
    rows = rows.sort_values(ID, key=_natural, ignore_index=True)
    facts, unreadable, without = {}, {}, [image_id for image_id in rows[ID] if image_id not in source.images]
    present = [image_id for image_id in rows[ID] if image_id in source.images]
    with files.whole_file(target) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for image_id in progress(present, "reading images", "image", len(present)):
            try:
                data = source.read(image_id)
                facts[image_id] = (*describe(data), hashlib.sha256(data).hexdigest())
            except (SourceError, UnreadableImage) as error:
                unreadable[image_id] = str(error)
                continue
            archive.writestr(zipfile.ZipInfo(image_id), data)
    frame = rows[rows[ID].isin(facts.keys())].reset_index(drop=True)
    columns = pd.DataFrame.from_dict(facts, orient="index", columns=[WIDTH, HEIGHT, MODE, SHA256]).reset_index(
        drop=True
    )
    known = set(rows[ID])
    return pd.concat([frame, columns], axis=1), {
        "rows_without_picture": without,
        "pictures_without_row": sorted(set(source.images) - known, key=lambda name: (len(name), name)),
        "pictures_unreadable": unreadable,
    }


def _without_near_copies(frame: pd.DataFrame, data: params.Data) -> tuple[pd.DataFrame, dict]:
    """The catalogue without the near copies that are to be left out; all of them by kind and id for the report."""
    found = near.pairs(frame, paths.images(data.name))
    left_out = near.surplus(found, data.leave_out, len(frame))
    ids = frame[ID].to_numpy()
    named = [[row.kind, ids[row.one], ids[row.other]] for row in found.itertuples()]
    report = {"near_copies": named, "near_copies_left_out": ids[left_out].tolist()}
    return frame[~left_out].reset_index(drop=True), report


def _counts(frame: pd.DataFrame) -> dict:
    """What the report says of the images and labels that remain."""
    sizes = frame[[WIDTH, HEIGHT]].value_counts()
    usual = sizes.index[0] if len(sizes) else (0, 0)
    odd = frame[(frame[WIDTH] != usual[0]) | (frame[HEIGHT] != usual[1])]
    copies = frame[frame.duplicated(SHA256, keep=False)].groupby(SHA256, sort=False)[ID].agg(list)
    return {
        "pictures": len(frame),
        "usual_size": [int(side) for side in usual],
        "grey": frame.loc[frame[MODE].isin(["L", "LA", "1", "I;16"]), ID].tolist(),
        "odd_size": {row[ID]: [int(row[WIDTH]), int(row[HEIGHT])] for _, row in odd.iterrows()},
        "equal_bytes": copies.tolist(),
        "blank_labels": {name: frame.loc[frame[name].isna(), ID].tolist() for name in [*LABELS, PRODUCT]},
        "groups": len(np.unique(split_groups(frame))),
        "train": int((frame[SPLIT] == TRAIN).sum()),
        "test": int((frame[SPLIT] == TEST).sum()),
        "temporal": _temporal_counts(frame),
        "held_out_types": sorted(frame[ARTICLE][frame[TYPE_SPLIT] == TEST].unique()),
    }


def _temporal_counts(frame: pd.DataFrame) -> dict[str, int]:
    """The images of the temporal split's parts, and those of odd years whose article type no even year has."""
    part = frame[TEMPORAL_SPLIT]
    new = ~frame[ARTICLE].isin(frame[ARTICLE][part == TRAIN]) & frame[ARTICLE].notna()
    counts = {name: int((part == name).sum()) for name in (TRAIN, TEST, SEEN)}
    return {
        **counts,
        "test_of_new_types": int((new & (part == TEST)).sum()),
        "seen_of_new_types": int((new & (part == SEEN)).sum()),
    }


def _natural(ids: pd.Series) -> pd.Series:
    """A sort key under which id 9 comes before id 10: numbers by value, then the rest by spelling."""
    return ids.map(lambda name: (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name))
