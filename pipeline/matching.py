"""Matches between two folders of pictures with a packed encoder: no catalogue, no run."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import params
from pipeline.data import images
from pipeline.encoders.packed import Packed
from pipeline.encoders.store import FeatureSet
from pipeline.files import whole_file
from pipeline.progress import ahead, progress
from pipeline.retrieval import ranking
from pipeline.retrieval.distances import DISTANCES

MOST_BYTES = 50_000_000  # of one picture
COLUMNS = ["file", "rank", "match", "distance", "fault"]
AHEAD = 2  # batches of decoded pictures


@dataclass(frozen=True)
class Folder:
    """A folder's pictures as vectors, in the order of their names, and what could not be read, by name."""

    features: FeatureSet
    faults: dict[str, str]


def write(photos: Path, gallery: Path, target: Path, packed: Packed, count: int, distance: str = "cosine") -> int:
    """The nearest pictures of the gallery for each photo, as CSV; a file that is no picture has its row with the fault.

    Where both folders are one, a photo does not find itself.

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
    paths = {folder: _files(folder) for folder in (gallery, photos)}  # both, before any work
    same = photos.resolve() == gallery.resolve()
    kept = read(gallery, paths[gallery], packed)
    asked = kept if same else read(photos, paths[photos], packed)
    alone = (np.arange(len(kept.features.ids)),) * 2 if same else None
    found = ranking.search(asked.features, kept.features, distance, count, alone)
    faults = [*kept.faults.items(), *([] if same else asked.faults.items())]
    with whole_file(target) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name, matches, distances in zip(found.query_ids, found.gallery_ids, found.distances, strict=True):
            for rank, (match, far) in enumerate(zip(matches, distances, strict=True), start=1):
                writer.writerow([name, rank, match, f"{far:.6f}", ""])
        writer.writerows([name, "", "", "", fault] for name, fault in faults)
    print(
        f"{target}: {len(asked.features.ids)} photos matched among {len(kept.features.ids)} pictures, "
        f"{len(faults)} left out with their fault"
    )
    return 1 if faults else 0


def read(folder: Path, files: list[Path], packed: Packed) -> Folder:
    """The vectors of a folder's pictures, decoded ahead by threads, a batch at a time.

    Raises:
        ValueError: none of them can be read.
    """
    faults: dict[str, str] = {}
    ids: list[str] = []
    parts: list[np.ndarray] = []
    size = packed.spec.batch_size

    def decode(start: int) -> list[tuple[str, np.ndarray | str]]:
        return [(path.relative_to(folder).as_posix(), _seen(path, packed)) for path in files[start : start + size]]

    batches = progress(range(0, len(files), size), f"reading {folder}", f"x{size} pictures", -(-len(files) // size))
    for batch in ahead(decode, batches, AHEAD):
        faults |= {name: seen for name, seen in batch if isinstance(seen, str)}
        pictures = [(name, seen) for name, seen in batch if not isinstance(seen, str)]
        if pictures:
            ids += [name for name, _ in pictures]
            parts.append(packed.encoder.run(np.stack([seen for _, seen in pictures])))
    if not ids:
        name, fault = next(iter(faults.items()))
        raise ValueError(f"{folder} has no picture that can be read. The first of {len(faults)}: {name}: {fault}")
    return Folder(FeatureSet(np.array(ids, object), np.concatenate(parts), packed.name), faults)


def _files(folder: Path) -> list[Path]:
    """The files of a folder and of those in it, by name; hidden ones are no pictures."""
    found = (path for path in folder.rglob("*") if path.is_file())
    files = sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    if not files:
        raise ValueError(f"{folder} is no folder with pictures in it")
    return files


def _seen(path: Path, packed: Packed) -> np.ndarray | str:
    """A picture as the encoder sees it, or why it cannot be read."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise images.UnreadableImage(f"{path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are allowed")
        return images.prepare(images.decode(path.read_bytes()), packed.spec)
    except (images.UnreadableImage, OSError) as error:
        return str(error)
