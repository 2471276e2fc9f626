"""Where images and labels come from: the drawn sample, Kaggle, Kaggle's zip, or a folder.

Every source is hostile until shown otherwise: no path may leave it, no member may grow past its bounds, and a
member's own name is never used to write a file.
"""

import csv
import io
import lzma
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline import params, paths
from pipeline.data import csv_tables, sample
from pipeline.data.catalog import ARTICLE, COLUMNS, DRAWN, ID, PRODUCT

MAX_MEMBERS = 1_000_000
MAX_MEMBER_BYTES = 64 * 2**20  # one picture; Kaggle's largest has a few MB
MAX_STYLES_BYTES = 512 * 2**20
MAX_RATIO = 200  # unpacked to packed bytes, for members above 1 MB; a zip bomb has over 1,000
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
QUERIES = "queries.csv"


class SourceError(ValueError):
    """A source that cannot be used; the message says what is wrong and what is expected."""


class Gallery(NamedTuple):
    """A label table of another form than Kaggle's: the columns of an image's id, place, product and kind."""

    identity: str
    place: str
    product: str
    kind: str
    folder: str = ""  # that the places lie in


# to add a layout, add a row: document 003's form, which has no kinds, and Products-10k's
GALLERIES = {
    "gallery.csv": Gallery("seller_img_id", "img_path", "product_id", "product_id"),
    "train.csv": Gallery("name", "name", "class", "group", "train/"),
}
TABLES = ["styles.csv", *GALLERIES]  # label tables that are known; of several at one depth the first
EXPECTED = f"Expected styles.csv and images/<id>.jpg, or one of {list(GALLERIES)} as docs/data.md describes it"


@dataclass(frozen=True)
class Source:
    """A place to read bytes from: `styles` is the label table's, `images` maps an image id to its place.

    `queries`: the bytes of `queries.csv`, where there is one; `file` reads what its `img_path` names.
    """

    origin: str
    styles: bytes
    images: dict[str, str]
    read: Callable[[str], bytes]
    queries: bytes | None
    file: Callable[[str], bytes]


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
        raise SourceError(f"data.path is missing. Allowed: a folder or a zip. {EXPECTED}. Received: null")
    if place.is_dir():
        return _folder(place)
    if place.is_file():
        return _zip(place, place.name)
    raise SourceError(f"data.path leads to nothing. Allowed: a folder or a zip. {EXPECTED}. Received: {data.path!r}")


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
    """A folder with a label table and images; links that lead out of it are refused."""
    tables = {path.relative_to(place).as_posix(): path for name in TABLES for path in place.rglob(name)}
    table = tables[_first_table(tables, f"{place.name}/")]
    root = table.parent

    def file(name: str) -> bytes:
        try:
            return _whole(root / _inside(name), place, MAX_MEMBER_BYTES)
        except OSError as error:
            raise SourceError(f"{name} cannot be opened ({error.strerror})") from None

    queries = _whole(root / QUERIES, place) if (root / QUERIES).exists() else None
    if table.name != "styles.csv":
        return _gallery(place.name, table.name, _whole(table, place), file, queries)
    images = _folder_images(root / "images", place)

    def read(image_id: str) -> bytes:
        try:
            with Path(images[image_id]).open("rb") as opened:
                return _bounded(opened.read(MAX_MEMBER_BYTES + 1), image_id)
        except OSError as error:
            raise SourceError(f"{image_id} cannot be opened ({error.strerror})") from None

    return Source(place.name, _whole(table, place), images, read, queries, file)


def _first_table(names: Iterable[str], origin: str) -> str:
    """The label table of a source: the one that lies highest, and of several there the first of `TABLES`."""
    tables = [name for name in names if PurePosixPath(name).name in TABLES]
    if not tables:
        raise SourceError(f"{origin} has no styles.csv. {EXPECTED}")
    return min(tables, key=lambda name: (name.count("/"), TABLES.index(PurePosixPath(name).name), name))


def _whole(path: Path, place: Path, limit: int = MAX_STYLES_BYTES) -> bytes:
    """A file of a folder, unless it is a link that leads out of `place`, or too large."""
    if not path.resolve().is_relative_to(place):
        raise SourceError(f"{path.name} is a link that leads out of the folder; copy the table instead")
    if path.stat().st_size > limit:
        raise SourceError(f"{path.name} is larger than {limit // 2**20} MB")
    return path.read_bytes()


def _folder_images(folder: Path, place: Path) -> dict[str, str]:
    """Where each image of a folder is, by its id."""
    images: dict[str, str] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix.lower() in SUFFIXES:
            if not path.resolve().is_relative_to(place):
                raise SourceError(
                    f"images/{path.name} is a link that leads out of the folder; copy the picture instead"
                )
            images.setdefault(path.stem, str(path))
    return images


def _zip(place: Path | io.BytesIO, origin: str) -> Source:
    """A zip in Kaggle's layout, checked before anything is read; Kaggle's second copy of everything is left alone."""
    archive = _opened(place, origin)
    by_name = {member.filename: member for member in archive.infolist()}
    table = _first_table(by_name, origin)
    root = PurePosixPath(table).parent

    def file(name: str) -> bytes:
        try:
            return _read_member(archive, by_name[str(root / _inside(name))], name)
        except KeyError:
            raise SourceError(f"{name} is not in the zip") from None

    def whole(name: str) -> bytes:
        return _read_member(archive, by_name[name], PurePosixPath(name).name, MAX_STYLES_BYTES)

    queries = whole(str(root / QUERIES)) if str(root / QUERIES) in by_name else None
    if PurePosixPath(table).name != "styles.csv":
        return _gallery(origin, PurePosixPath(table).name, whole(table), file, queries)
    images: dict[str, str] = {}
    for name in sorted(by_name):
        path = PurePosixPath(name)
        if path.parent == root / "images" and path.suffix.lower() in SUFFIXES:
            images.setdefault(path.stem, name)

    def read(image_id: str) -> bytes:
        return _read_member(archive, by_name[images[image_id]], image_id)

    return Source(origin, whole(table), images, read, queries, file)


def _opened(place: Path | io.BytesIO, origin: str) -> zipfile.ZipFile:
    """A zip whose every member has been looked at, by its header."""
    try:
        archive = zipfile.ZipFile(place)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SourceError(f"{origin} is no complete zip ({error}). Download or copy it again") from None
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise SourceError(f"{origin} holds {len(members):,} members; at most {MAX_MEMBERS:,} are allowed")
    for member in members:
        _check_member(member, origin)
    return archive


def _gallery(origin: str, name: str, table: bytes, file: Callable[[str], bytes], queries: bytes | None) -> Source:
    """A gallery in document 003's form, or Products-10k's, as a label table: the product stands for the display name.

    `gallery.csv`: `seller_img_id`, `img_path` and, where it is known, `product_id`, which has to stand for the
    articleType as well. Products-10k's `train.csv`: `name`, `class` (the product) and `group` (the articleType), images
    in `train/`.
    """
    layout = GALLERIES[name]
    columns = [layout.identity, layout.place, layout.product, layout.kind]
    reader = csv_tables.rows(table.decode("utf-8-sig", errors="replace"), name, columns[:2], SourceError, columns[2:])
    images: dict[str, str] = {}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in reader:
        given = {column: (row.get(column) or "").strip() for column in columns}
        named = layout.identity == layout.place  # the file's name is the id
        image_id = PurePosixPath(given[layout.identity]).stem if named else given[layout.identity]
        images.setdefault(image_id, f"{layout.folder}{given[layout.place]}")
        labels = {ID: image_id, ARTICLE: given[layout.kind], PRODUCT: given[layout.product]}
        writer.writerow([labels.get(column, "") for column in COLUMNS])
    return Source(origin, text.getvalue().encode(), images, lambda image_id: file(images[image_id]), queries, file)


def _inside(name: str) -> PurePosixPath:
    """A path that a table names, within the source.

    Raises:
        SourceError: it leads out.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name:
        raise SourceError(f"{name[:80]!r} is a path that leaves the source")
    return path


def _check_member(member: zipfile.ZipInfo, origin: str) -> None:
    name = member.filename
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in member.orig_filename:
        raise SourceError(f"{origin} holds {name!r}, a path that leaves the archive. It is refused whole")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise SourceError(f"{origin} holds {name!r}, a symbolic link. It is refused whole")
    if member.file_size > 2**20 and member.file_size > MAX_RATIO * max(member.compress_size, 1):
        raise SourceError(
            f"{origin} holds {name!r}, which unpacks {member.file_size // max(member.compress_size, 1):,} "
            f"times larger: a zip bomb. At most {MAX_RATIO} times is allowed. It is refused whole"
        )


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
