"""Where pictures and labels come from: the drawn sample, Kaggle, Kaggle's zip, or a folder.

Every source is hostile until shown otherwise: no path may leave it, no member may grow past its bounds, and a
member's own name is never used to write a file.
"""

import io
import lzma
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline import params, paths
from pipeline.data import sample

MAX_MEMBERS = 1_000_000
MAX_MEMBER_BYTES = 64 * 2**20  # one picture; Kaggle's largest has a few MB
MAX_STYLES_BYTES = 512 * 2**20
MAX_RATIO = 200  # unpacked to packed bytes, for members above 1 MB; a zip bomb has over 1,000
DRAWN = "drawn sample"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class SourceError(ValueError):
    """A source that cannot be used; the message says what is wrong and what is expected."""


@dataclass(frozen=True)
class Source:
    """A place to read bytes from: `styles` is the label table's, `images` maps an image id to its place."""

    origin: str
    styles: bytes
    images: dict[str, str]
    read: Callable[[str], bytes]


def open_source(data: params.Data) -> Source:
    """The source that the parameters name.

    Raises:
        SourceError: nothing there, no `styles.csv`, an unsafe or damaged archive, or a download that failed.
    """
    if data.source == "drawn":
        return _zip(io.BytesIO(sample.draw(data.seed)), DRAWN)
    if data.path is not None:
        place = (paths.ROOT / data.path).resolve()
    elif data.source == "kaggle":
        place = _download(data.handle)
    else:
        raise SourceError(
            "data.path is missing. Allowed: a folder or a zip with styles.csv and images/. Received: null"
        )
    if place.is_dir():
        return _folder(place)
    if place.is_file():
        return _zip(place, place.name)
    raise SourceError(
        f"data.path leads to nothing. Allowed: a folder or a zip with styles.csv and images/. Received: {data.path!r}"
    )


def _download(handle: str | None) -> Path:
    """Kaggle's folder, from kagglehub's cache or the network (kagglehub shows its own progress and resumes)."""
    import kagglehub  # imported late: it looks for credentials as it loads

    try:
        print(f"downloading {handle} from Kaggle (kagglehub keeps it for the next time)", file=sys.stderr)
        return Path(kagglehub.dataset_download(handle)).resolve()
    except Exception as error:  # kagglehub and requests raise many kinds
        raise SourceError(
            f"Kaggle's {handle} could not be downloaded ({type(error).__name__}: {str(error).splitlines()[0]}). "
            "Download archive.zip from the dataset's page and name it in data.path, for instance "
            "dvc exp run -S data=fashion_small -S data.path=data/archive.zip"
        ) from None


def _folder(place: Path) -> Source:
    """A folder with `styles.csv` and `images/`; links that lead out of it are refused."""
    tables = sorted(place.rglob("styles.csv"), key=lambda path: (len(path.parts), path))
    if not tables:
        raise SourceError(f"{place.name}/ has no styles.csv. Expected styles.csv and images/<id>.jpg")
    root = tables[0].parent
    if not tables[0].resolve().is_relative_to(place):
        raise SourceError("styles.csv is a link that leads out of the folder; copy the table instead")
    if tables[0].stat().st_size > MAX_STYLES_BYTES:
        raise SourceError(f"styles.csv is larger than {MAX_STYLES_BYTES // 2**20} MB")
    images = {}
    for path in sorted((root / "images").iterdir()) if (root / "images").is_dir() else []:
        if path.suffix.lower() in SUFFIXES:
            if not path.resolve().is_relative_to(place):
                raise SourceError(
                    f"images/{path.name} is a link that leads out of the folder; copy the picture instead"
                )
            images.setdefault(path.stem, str(path))

    def read(image_id: str) -> bytes:
        try:
            with Path(images[image_id]).open("rb") as file:
                return _bounded(file.read(MAX_MEMBER_BYTES + 1), image_id)
        except OSError as error:
            raise SourceError(f"{image_id} cannot be opened ({error.strerror})") from None

    return Source(place.name, tables[0].read_bytes(), images, read)


def _zip(place: Path | io.BytesIO, origin: str) -> Source:
    """A zip in Kaggle's layout, checked before anything is read; Kaggle's second copy of everything is left alone."""
    try:
        archive = zipfile.ZipFile(place)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SourceError(f"{origin} is no complete zip ({error}). Download or copy it again") from None
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise SourceError(f"{origin} holds {len(members):,} members; at most {MAX_MEMBERS:,} are allowed")
    for member in members:
        _check_member(member, origin)
    by_name = {member.filename: member for member in members}
    tables = sorted(
        (name for name in by_name if PurePosixPath(name).name == "styles.csv"), key=lambda name: (name.count("/"), name)
    )
    if not tables:
        raise SourceError(f"{origin} has no styles.csv. Expected styles.csv and images/<id>.jpg")
    folder = str(PurePosixPath(tables[0]).parent / "images")
    images = {}
    for name in sorted(by_name):
        path = PurePosixPath(name)
        if str(path.parent) == folder and path.suffix.lower() in SUFFIXES:
            images.setdefault(path.stem, name)

    def read(image_id: str) -> bytes:
        return _read_member(archive, by_name[images[image_id]], image_id)

    return Source(origin, _read_member(archive, by_name[tables[0]], "styles.csv", MAX_STYLES_BYTES), images, read)


def _check_member(member: zipfile.ZipInfo, origin: str) -> None:
    name = member.filename
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in member.orig_filename:
        raise SourceError(f"{origin} holds {name!r}, a path that leaves the archive. It is refused whole")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise SourceError(f"{origin} holds {name!r}, a symbolic link. It is refused whole")
    if member.file_size > 2**20 and member.file_size > MAX_RATIO * max(member.compress_size, 1):
        raise SourceError(f"{origin} holds {name!r}, which unpacks {member.file_size // max(member.compress_size, 1):,} "
                          f"times larger: a zip bomb. At most {MAX_RATIO} times is allowed. It is refused whole")  # fmt: skip


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, what: str, limit: int = MAX_MEMBER_BYTES) -> bytes:
    """A member's bytes; the header's size is not believed."""
    try:
        with archive.open(member) as file:
            return _bounded(file.read(limit + 1), what, limit)
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{what} cannot be read from the zip ({error})") from None


def _bounded(data: bytes, what: str, limit: int = MAX_MEMBER_BYTES) -> bytes:
    if len(data) > limit:
        raise SourceError(f"{what} is larger than {limit // 2**20} MB")
    return data
