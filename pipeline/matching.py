"""Matches between two folders of pictures with a packed encoder: no catalogue, no run; and how folders of photos are
read and matches written, whoever finds them."""

import csv
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import params
from pipeline.data import images
from pipeline.encoders.packed import Packed
from pipeline.encoders.store import FeatureSet
from pipeline.files import plain, whole_file
from pipeline.progress import ahead, progress
from pipeline.retrieval import ranking
from pipeline.retrieval.distances import DISTANCES

MOST_BYTES = 50_000_000  # of one picture
COLUMNS = ["file", "rank", "match", "distance", "fault", "folder"]
PHOTOS, GALLERY = "photos", "gallery"
AHEAD = 2  # batches of decoded pictures


@dataclass(frozen=True)
class Folder:
    """A folder's pictures as vectors, in the order of their names, and what could not be read, by name."""

    features: FeatureSet
    faults: dict[str, str]


def write(photos: Path, gallery: Path, target: Path, packed: Packed, count: int, distance: str = "cosine") -> int:
    """The nearest pictures of the gallery for each photo, as CSV; a file that is no picture has its row with the fault.

    A photo that lies in the gallery does not find itself.

    Returns:
        0, or 1 where a file could not be read.

    Raises:
        ValueError: no such distance or folder, nothing in it, or no picture that can be read.
    """
    if count < 1:
        raise ValueError(f"--count is a number of matches, 1 or more. Received: {count}")
    if distance not in DISTANCES:
        raise ValueError(
            f"--distance is one of {list(DISTANCES)}. Received: {distance!r}.{params.nearest(distance, DISTANCES)}"
        )
    among, shown = listed(gallery, target), listed(photos, target)  # both, before any work
    kept = read(gallery, *among, packed)
    one = photos.resolve() == gallery.resolve()
    asked = kept if one else read(photos, *shown, packed)
    rows = list(_matched(asked, kept, shown[0], among[0], count, distance))
    rows += [{"file": name, "fault": fault, "folder": PHOTOS} for name, fault in asked.faults.items()]
    if not one:
        rows += [{"file": name, "fault": fault, "folder": GALLERY} for name, fault in kept.faults.items()]
    return write_table(target, COLUMNS, rows, f"photos matched among {len(kept.features.ids)} pictures")


def _matched(
    asked: Folder, kept: Folder, photos: dict[str, Path], pictures: dict[str, Path], count: int, distance: str
):
    """A row for each match, or for each photo without one, where the gallery holds no other picture."""
    places: dict[tuple[int, int], set[str]] = {}
    for name in kept.features.ids:
        places.setdefault(_file(pictures[name]), set()).add(name)
    itself = [places.get(_file(photos[name]), set()) for name in asked.features.ids]
    more = count + max(map(len, itself))
    found = ranking.search(asked.features, kept.features, distance, more)
    for name, own, matches, distances in zip(found.query_ids, itself, found.gallery_ids, found.distances, strict=True):
        others = [(match, far) for match, far in zip(matches, distances, strict=True) if match not in own][:count]
        for rank, (match, far) in enumerate(others, start=1):
            yield {"file": name, "rank": rank, "match": match, "distance": f"{far:.6f}", "folder": PHOTOS}
        if not others:
            yield {"file": name, "fault": "the gallery holds no other picture", "folder": PHOTOS}


def _file(path: Path) -> tuple[int, int]:
    """What tells a file from all others, whatever it is called."""
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def write_table(target: Path, columns: list[str], rows: Iterable[dict], what: str) -> int:
    """Writes matches and faults as CSV in UTF-8 and says how many there are; 1 where there is a fault, else 0.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    matched: set[tuple] = set()
    faults: set[tuple] = set()
    with whole_file(target) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        for row in rows:
            (faults if row.get("fault") else matched).add((row.get("folder"), row["file"]))
            writer.writerow({name: plain(value) for name, value in row.items()})
    print(f"{shown_as(target)}: {len(matched)} {what}, {len(faults)} left out with their fault")
    return 1 if faults else 0


def shown_as(path: Path) -> str:
    """A path as text that every table and terminal takes: what is no UTF-8 in it as \\xNN, byte by byte."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def read(folder: Path, pictures: dict[str, Path], faults: dict[str, str], packed: Packed) -> Folder:
    """The vectors of a folder's pictures, decoded ahead by threads, a batch at a time.

    Args:
        faults: what is known to be none of them, by name.

    Raises:
        ValueError: none of them can be read.
    """
    faults, names = dict(faults), list(pictures)
    ids: list[str] = []
    parts: list[np.ndarray] = []
    size = packed.spec.batch_size

    def decode(start: int) -> list[tuple[str, np.ndarray | str]]:
        return [(name, _seen(pictures[name], packed)) for name in names[start : start + size]]

    bar = f"reading {shown_as(folder)}", f"x{size} pictures", -(-len(names) // size)
    with warnings.catch_warnings():  # Pillow's bound on pixels is looser than ours
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        for batch in ahead(decode, progress(range(0, len(names), size), *bar), AHEAD):
            faults |= {name: seen for name, seen in batch if isinstance(seen, str)}
            seen_ones = [(name, seen) for name, seen in batch if not isinstance(seen, str)]
            if seen_ones:
                ids += [name for name, _ in seen_ones]
                parts.append(packed.encoder.run(np.stack([seen for _, seen in seen_ones])))
    if not ids:
        name, fault = next(iter(faults.items()))
        raise ValueError(f"{folder} has no picture that can be read. The first of {len(faults)}: {name}: {fault}")
    return Folder(FeatureSet(np.array(ids, object), np.concatenate(parts), packed.name), faults)


def listed(folder: Path, target: Path | None = None) -> tuple[dict[str, Path], dict[str, str]]:
    """The files of a folder and of those in it, by name, and what cannot be one, with why; hidden ones are no pictures.

    Args:
        target: the table that is written, if any: no picture either.

    Raises:
        ValueError: no such folder, or nothing in it.
    """
    found: dict[str, Path] = {}
    faults: dict[str, str] = {}

    def name_of(path: Path) -> str:
        return shown_as(path.relative_to(folder))

    def unread(error: OSError) -> None:
        faults[name_of(Path(error.filename))] = f"a folder that cannot be read ({error.strerror})"

    for place, folders, names in os.walk(folder, onerror=unread if folder.is_dir() else None):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(place, name) for name in [*folders, *names] if not name.startswith(".")):
            if path.is_dir():
                if path.is_symlink():
                    faults[name_of(path)] = "a link to a folder, which is not followed"
            elif not path.is_file():
                faults[name_of(path)] = "a link that leads nowhere" if path.is_symlink() else "no plain file"
            elif target is None or path.resolve() != target.resolve():
                found[name_of(path)] = path
    if not found and not faults:
        raise ValueError(f"{folder} is no folder with pictures in it")
    return {name: found[name] for name in sorted(found)}, faults


def content(path: Path, most: int) -> bytes:
    """A picture's bytes. Raises UnreadableImage: more than `most`. OSError."""
    if (size := path.stat().st_size) > most:
        raise images.UnreadableImage(f"{size:,} bytes; at most {most:,} are allowed")
    return path.read_bytes()


def _seen(path: Path, packed: Packed) -> np.ndarray | str:
    """A picture as the encoder sees it, or why it cannot be read."""
    try:
        return images.prepare(images.decode(content(path, MOST_BYTES)), packed.spec)
    except (images.UnreadableImage, OSError) as error:
        return str(error)
