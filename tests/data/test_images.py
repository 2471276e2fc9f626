"""Bytes to arrays."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.data import images


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture
def picture(rng):
    return Image.fromarray(rng.integers(0, 256, (80, 60, 3), dtype=np.uint8))


@pytest.mark.parametrize("how", ["stretch", "pad", "native"])
@pytest.mark.parametrize("size", [(224, 224), (80, 64), (32, 48), (128, 300)])
def test_the_size_is_height_and_width(picture, how, size):
    array = images.resize(picture, size, how)
    assert array.shape == (*size, 3)
    assert array.dtype == np.uint8


def test_pad_is_pillows(picture):
    expected = np.asarray(ImageOps.pad(picture, (224, 224), Image.Resampling.BICUBIC, color=(9, 8, 7)))
    assert (images.resize(picture, (224, 224), "pad", (9, 8, 7)) == expected).all()
    assert (expected[:, 0] == (9, 8, 7)).all()


def test_native_keeps_every_pixel_and_centres_it(picture):
    array = images.resize(picture, (100, 70), "native", (255, 255, 255))
    assert (array[10:90, 5:65] == np.asarray(picture)).all()
    assert (array[:10] == 255).all()
    assert (array[:, :5] == 255).all()


def test_native_reduces_only_what_is_too_large(picture):
    assert images.resize(picture, (40, 40), "native").shape == (40, 40, 3)


def test_interpolation_matters(picture):
    arrays = [images.resize(picture, (99, 99), "stretch", interpolation=name) for name in images.INTERPOLATIONS]
    assert len({array.tobytes() for array in arrays}) == len(arrays)


def test_an_unknown_way_is_named(picture):
    with pytest.raises(ValueError, match="how='crop'"):
        images.resize(picture, (9, 9), "crop")


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "RGBA", "LA"])
def test_every_mode_becomes_rgb(picture, mode):
    form = "JPEG" if mode == "CMYK" else "PNG"
    image = images.decode(encoded(picture.convert(mode), form))
    assert image.mode == "RGB"
    assert image.size == (60, 80)


def test_what_is_transparent_is_white():
    image = images.decode(encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 0))))
    assert (np.asarray(image) == 255).all()


def test_a_picture_is_turned_as_its_camera_says(picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert images.decode(encoded(picture, "JPEG", exif=exif)).size == (80, 60)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff", b"GIF89a" + b"\0" * 40])
def test_what_is_no_picture_is_said(data):
    with pytest.raises(images.UnreadableImage):
        images.decode(data)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_cut_picture_is_said(picture, share):
    data = encoded(picture, "JPEG", quality=90)
    with pytest.raises(images.UnreadableImage):
        images.describe(data[: int(len(data) * share)])


def test_a_huge_picture_is_refused_from_its_header():
    data = encoded(Image.new("L", (20_000, 20_000)), "PNG")
    with pytest.raises(images.UnreadableImage, match="20000x20000|exceeds limit|decompression bomb"):
        images.decode(data)


def test_describe_gives_the_pictures_own_mode(picture):
    assert images.describe(encoded(picture.convert("L"), "JPEG")) == (60, 80, "L")
