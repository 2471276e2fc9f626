"""Bytes to RGB arrays: decode within bounds, then stretch, pad or keep the image's own pixels."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pipeline import params

MAX_PIXELS = 50_000_000  # Kaggle's largest image has 4.3 million; a bomb has hundreds
FORMATS = ("JPEG", "PNG", "WEBP")
INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


class UnreadableImage(ValueError):
    """Bytes that are no usable image; the message says why."""


def decode(data: bytes) -> Image.Image:
    """An image as RGB, turned as its EXIF data say, on white where it is transparent.

    Raises:
        UnreadableImage: not a JPEG, PNG or WebP, cut short, or of more than `MAX_PIXELS` pixels (the size is read
            from the header, before any memory is taken).
    """
    return _rgb(_opened(data))


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
            so that "original pixels are not lost", which are the thesis's words for what its code does not do.
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
    else:
        raise ValueError(f"Unknown way to resize. Expected one of ['native', 'pad', 'stretch']. Received: how={how!r}")
    return np.asarray(fitted)


def prepare(image: Image.Image, network: params.Network) -> np.ndarray:
    """An image as a network sees it, uint8 (height, width, 3): the one preparation, of catalogue and query alike.

    The thesis's finetuned model looked random on its site because the two were prepared in two ways (chapters 4 and 5).
    """
    return resize(image, network.height_width, network.resize, network.pad_color, network.interpolation)


def _opened(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise UnreadableImage(str(error)) from None
    except Exception as error:  # Pillow's parsers raise many kinds on hostile bytes
        raise UnreadableImage(f"not a {', '.join(FORMATS)} picture ({type(error).__name__})") from None
    if image.width * image.height > MAX_PIXELS:
        raise UnreadableImage(f"{image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are allowed")
    return image


def _rgb(image: Image.Image) -> Image.Image:
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16 bits of grey, of which Pillow would cut off all above 255
            image = Image.fromarray((np.asarray(image).astype(float) / 257).round().clip(0, 255).astype(np.uint8))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
        return image.convert("RGB")
    except Exception as error:
        raise UnreadableImage(f"cut short or damaged ({error})") from None


def load(archive: Path, ids: list[str]) -> list[np.ndarray]:
    """Images of a catalogue at their own sizes, uint8 (height, width, 3) each: for looking at."""
    with zipfile.ZipFile(archive) as pictures:
        return [np.asarray(decode(pictures.read(image_id))) for image_id in ids]
