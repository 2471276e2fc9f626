"""A folder of pictures as the site shows it: a catalogue without labels, and a packed encoder's features; no run."""

import hashlib
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pandas as pd

from pipeline import files, matching, params, paths
from pipeline.data import catalog, images
from pipeline.encoders import extract, packed, store
from pipeline.params import cards
from pipeline.progress import progress
from pipeline.site import apart

KEPT = [catalog.ID, catalog.PRODUCT, catalog.WIDTH, catalog.HEIGHT, catalog.MODE, catalog.SHA256]
SHOWN = 10  # faults that the terminal is told; the report has all
WEIGHTS = "packed"
CUTOFFS = [1, 5, 10, 15]  # as params/config.yaml has them


def study(gallery: Path, encoder: str | None = None) -> params.Study:
    """Reads a folder's pictures, has a packed encoder see them, and returns what the site has to know of both.

    A copy of the pictures is kept with their features, so a second start reads them and computes nothing anew.

    Args:
        encoder: a published one's name, or a folder; the usual one where None.

    Raises:
        ValueError: no such folder, no picture in it, or no such encoder. OSError: the disk.
        CompileError: the network was not compiled.
    """
    folder = packed.found(encoder or cards.USUAL, Path())
    spec, name, data = packed.read_spec(folder), _word(folder), _data(gallery)
    ids = _catalogue(gallery, data)
    packed.copy(str(folder.resolve()), spec.backbone, paths.weights(data, WEIGHTS))
    target = paths.features(data, name)
    identity = extract.encoder_id(data, name, spec, paths.weights(data, WEIGHTS))
    if not _are(target, identity, ids):
        apart.encoder(spec, paths.weights(data, WEIGHTS))  # compiled here, it would keep the page from being answered
        extract.extract_features(data, name, spec, ids, target)
    told = params.Data(name=data, source="folder", path=str(gallery), watch=str(gallery), seed=0, test_share=0.5)
    none: dict = {"concatenations": {}, "retrievals": {}, "user_photos": {}}
    knn_retrieval = params.KnnRetrieval.model_construct(cutoffs=CUTOFFS)
    return params.Study.model_construct(data=told, encoders={name: spec}, knn_retrieval=knn_retrieval, **none)


def _are(target: Path, identity: str, ids: list[str]) -> bool:
    """Whether a features file is there, and is of these pictures by this encoder."""
    if not target.exists():
        return False
    kept = store.read(target)
    return kept.encoder_id == identity and kept.ids.tolist() == ids


def _data(gallery: Path) -> str:
    """What a folder's outputs are called: its name, and what tells it from others of that name."""
    place = gallery.resolve()
    return f"{_word(place)}-{hashlib.sha256(str(place).encode(errors='surrogateescape')).hexdigest()[:8]}"


def _word(folder: Path) -> str:
    """A folder's name with nothing in it that a parameter's name may not have."""
    return re.sub(r"[^A-Za-z0-9]+", "_", folder.resolve().name).strip("_")[:40] or "pictures"


def _catalogue(gallery: Path, data: str) -> list[str]:
    """Writes the catalogue, the pictures and the report, and returns the pictures' ids.

    An id is of a picture's bytes, so that features of equal ids are of equal pictures.
    """
    found, faults = matching.listed(gallery)
    rows: list[dict] = []
    seen: Counter[str] = Counter()
    with files.whole_file(paths.images(data)) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, path in progress(found.items(), "reading pictures", "picture", len(found)):
            try:
                content = matching.content(path, matching.MOST_BYTES)
                width, height, mode = images.describe(content)
            except (images.UnreadableImage, OSError) as error:
                faults[name] = str(error)
                continue
            digest = hashlib.sha256(content).hexdigest()
            seen[digest] += 1
            identity = digest[:24] + (f"-{seen[digest]}" if seen[digest] > 1 else "")
            rows.append(dict(zip(KEPT, (identity, name, width, height, mode, digest), strict=True)))
            archive.writestr(zipfile.ZipInfo(identity), content)
        _tell(gallery, data, len(rows), faults)  # before the pictures have their name: without any they have none
    with files.whole_file(paths.user_photos(data)) as partial, zipfile.ZipFile(partial, "w"):
        pass  # no photos came with the pictures
    frame = pd.DataFrame(rows, columns=[*catalog.COLUMNS, *KEPT[2:]])
    text = {name: "str" for name in catalog.COLUMNS} | {catalog.YEAR: "Int64"}
    files.write_parquet(paths.catalog(data), frame.astype(text))
    return frame[catalog.ID].tolist()


def _tell(gallery: Path, data: str, count: int, faults: dict[str, str]) -> None:
    """Keeps what was left out and says the first of it.

    Raises:
        ValueError: there is nothing else.
    """
    lines = [f"{name}: {fault}" for name, fault in faults.items()]
    if not count:
        raise ValueError(f"{gallery} has no picture that can be read. The first of {len(lines)}: {lines[0]}")
    files.write_json(
        paths.ingest_report(data), {"source": gallery.name, "rows": count, "pictures": count, "left_out": faults}
    )
    more = [f"{len(lines) - SHOWN} more: {paths.ingest_report(data)}"] if len(lines) > SHOWN else []
    for line in [*lines[:SHOWN], *more]:
        print(f"left out: {line}", file=sys.stderr)
