"""Bytes to RGB arrays: decode within bounds, then stretch, pad or keep the image's own pixels."""

import io
import math
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pipeline import params

MAX_PIXELS = 50_000_000  # Kaggle's largest image has 4.3 million; a bomb has hundreds
MAX_SIDE = 32_768  # a row costs time of its own: 50 million rows of one pixel take eight seconds
MAX_SCANS = 100  # of a JPEG: cameras and programs write 1 to 12, and each goes through the whole picture again
MAX_SCANNED = 600_000_000  # a JPEG's pixels times its scans
MAX_CHUNKS = 20_000  # of a PNG: one of ten megabytes has 1,300 where they are as large as libpng writes them
FORMATS = ("JPEG", "PNG", "WEBP")
MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")  # in a JPEG's scan; 0 is a stuffed byte, D0 to D7 go on
SCAN, END, ALONE = 0xDA, 0xD9, (0x01, 0xD8)  # a scan, the end, and the markers that no length follows
JPEG, PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112  # EXIF's tag
INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# stretched from a copy whose sides are first reduced to this part: what a smaller picture would have lost
REDUCED = {"three_quarters": 3 / 4, "half": 1 / 2, "quarter": 1 / 4}


class UnreadableImage(ValueError):
    """Bytes that are no usable image; the message says why."""


def decode(data: bytes) -> Image.Image:
    """An image as RGB, turned as its EXIF data say, on white where it is transparent.

    Raises:
        UnreadableImage: not a JPEG, PNG or WebP, cut short, or more than `MAX_PIXELS`, `MAX_SIDE`, `MAX_SCANS`,
            `MAX_SCANNED` or `MAX_CHUNKS` allow (read from the header and the markers, before memory is taken).
    """
    return _rgb(_opened(data))


def size(data: bytes) -> tuple[int, int]:
    """An image's own width and height, from the header alone. Raises UnreadableImage: as `decode`, from the header."""
    return _opened(data).size


def jpeg_size(data: bytes) -> tuple[int, int]:
    """A JPEG's width and height as `decode` would turn it, from the header alone; others' may stand behind the pixels.

    Raises:
        UnreadableImage: as `decode`, from the header.
    """
    image = _opened(data)
    try:
        turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    except Exception as error:  # as in `_opened`
        raise UnreadableImage(f"its EXIF data are damaged ({type(error).__name__})") from None
    return image.size[::-1] if turned else image.size


def reduced(data: bytes, least: int) -> Image.Image:
    """As `decode`, but a JPEG comes at 1/2, 1/4 or 1/8 of its size where its shorter side keeps `least` pixels.

    The decoder leaves out what is not wanted, so large photos take a third of the time; the pixels are others than
    those of `decode`, which alone makes the study's.

    Raises:
        UnreadableImage: as `decode`.
    """
    image = _opened(data)
    factor = least / min(image.size)
    image.draft("RGB", (math.ceil(image.width * factor), math.ceil(image.height * factor)))
    return _rgb(image)


def describe(data: bytes) -> tuple[int, int, str]:
    """An image's own width, height and colour mode, once it has been read to its last pixel.

    Raises:
        UnreadableImage: as `decode`.
    """
    image = _opened(data)
    _rgb(image)
    return image.width, image.height, image.mode


def resize(
    image: Image.Image,
    size: tuple[int, int],
    how: str,
    pad_color: Sequence[int] = (0, 0, 0),
    interpolation: str = "bicubic",
) -> np.ndarray:
    """An image brought to `size`, as uint8 (height, width, 3).

    Args:
        size: height and width in pixels.
        how: `stretch` ignores the aspect; `pad` scales to fit and fills the rest with `pad_color` (what the thesis's
            `ImageOps.pad` does, section 3.3); `native` scales only what is too large and centres it on the colour,
            so that "original pixels are not lost", which are the thesis's words for what its code does not do; a name
            in `REDUCED` stretches a picture that is first made smaller, for what its resolution is worth.
        interpolation: a name in `INTERPOLATIONS`. Keras's `load_img`, which the thesis most likely used, takes nearest.

    >>> resize(Image.new("RGB", (2, 1), "white"), (1, 4), "native", pad_color=(255, 0, 0))[0].tolist()
    [[255, 0, 0], [255, 255, 255], [255, 255, 255], [255, 0, 0]]
    """
    height, width = size
    method = INTERPOLATIONS[interpolation]
    if how == "stretch":
        fitted = image.resize((width, height), method)
    elif how == "pad":
        fitted = ImageOps.pad(image, (width, height), method, color=tuple(pad_color))
    elif how == "native":
        if image.width > width or image.height > height:
            image = ImageOps.contain(image, (width, height), method)
        fitted = Image.new("RGB", (width, height), tuple(pad_color))
        fitted.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    elif how in REDUCED:
        fewer = [max(round(side * REDUCED[how]), 1) for side in image.size]
        fitted = image.resize((fewer[0], fewer[1]), method).resize((width, height), method)
    else:
        allowed = ["stretch", "pad", "native", *REDUCED]
        raise ValueError(f"Unknown way to resize. Expected one of {allowed}. Received: how={how!r}")
    return np.asarray(fitted)


def prepare(image: Image.Image, network: params.Network) -> np.ndarray:
    """An image as a network sees it, uint8 (height, width, 3): the one preparation, of catalogue and query alike.

    What it costs to prepare the two in two ways: chapter 5 · Evaluation.
    """
    return resize(image, network.height_width, network.resize, network.pad_color, network.interpolation)


def placed(size: tuple[int, int], network: params.Network) -> tuple[float, float, float, float]:
    """Where a picture of this width and height stands in what a network sees: x, y, width, height, each 0 to 1.

    >>> placed((60, 80), params.Network.model_construct(image_size=80, resize="pad"))
    (0.125, 0.0, 0.75, 1.0)
    """
    if network.resize not in ("pad", "native"):
        return 0.0, 0.0, 1.0, 1.0
    height, width = network.height_width
    factor = min(width / size[0], height / size[1])
    factor = min(factor, 1.0) if network.resize == "native" else factor
    across, down = size[0] * factor / width, size[1] * factor / height
    return (1 - across) / 2, (1 - down) / 2, across, down


def _opened(data: bytes) -> Image.Image:
    if data.startswith(PNG):
        _check_chunks(data)
    scans = _scans(data) if data.startswith(JPEG) else 1  # before Pillow goes through its parts; it calls some MPO
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise UnreadableImage(str(error)) from None
    except Exception as error:  # Pillow's parsers raise many kinds on hostile bytes
        raise UnreadableImage(f"not a {', '.join(FORMATS)} picture ({type(error).__name__})") from None
    pixels, longer = image.width * image.height, max(image.size)
    if pixels > MAX_PIXELS or longer > MAX_SIDE:
        raise UnreadableImage(
            f"{image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are allowed, {MAX_SIDE:,} a side"
        )
    if scans > MAX_SCANS or scans * pixels > MAX_SCANNED:
        raise UnreadableImage(
            f"{scans} scans of {pixels:,} pixels; at most {MAX_SCANS} are allowed, {MAX_SCANNED:,} pixels in all"
        )
    return image


def _scans(data: bytes) -> int:
    """How often a JPEG goes through its picture, counted as the decoder finds them: to the first end marker.

    Raises:
        UnreadableImage: so many parts, each a turn of a slow loop.
    """
    scans, place = 0, 2
    for _ in range(MAX_CHUNKS):
        if not (found := MARKER.search(data, place)) or (marker := found[1][0]) == END:
            return scans
        scans += marker == SCAN
        length = int.from_bytes(data[found.end() : found.end() + 2])
        place = found.end() + (0 if marker in ALONE else length)
    raise UnreadableImage(f"a JPEG of more than {MAX_CHUNKS:,} parts")


def _check_chunks(data: bytes) -> None:
    """Raises UnreadableImage for a PNG of more than `MAX_CHUNKS` chunks: each is a turn of a slow loop."""
    place = len(PNG)
    for _ in range(MAX_CHUNKS + 1):
        if place >= len(data):
            return
        place += 12 + int.from_bytes(data[place : place + 4])
    raise UnreadableImage(f"a PNG of more than {MAX_CHUNKS:,} chunks")


def _rgb(image: Image.Image) -> Image.Image:
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16 bits of grey, of which Pillow would cut off all above 255
            image = Image.fromarray((np.asarray(image).astype(float) / 257).round().clip(0, 255).astype(np.uint8))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
        return image if image.mode == "RGB" else image.convert("RGB")  # it has been copied once
    except Exception as error:
        raise UnreadableImage(f"cut short or damaged ({error})") from None


def load(archive: Path, ids: list[str]) -> list[np.ndarray]:
    """Images of a catalogue at their own sizes, uint8 (height, width, 3) each: for looking at."""
    with zipfile.ZipFile(archive) as pictures:
        return [np.asarray(decode(pictures.read(image_id))) for image_id in ids]
