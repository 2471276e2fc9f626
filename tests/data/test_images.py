"""Bytes to arrays."""

import io
import struct
import time
import zlib

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


def test_native_keeps_the_aspect_of_what_it_reduces():
    array = images.resize(Image.new("RGB", (100, 400), "white"), (80, 64), "native")
    white = (array == 255).all(axis=2)
    assert white.sum() == 80 * 20
    assert white[:, 22:42].all()
    wide = images.resize(Image.new("RGB", (200, 50), "white"), (80, 64), "native")  # too wide, and not too high
    assert (wide == 255).all(axis=2).sum() == 64 * 16
    assert (wide[32:48] == 255).all()


def test_pad_shows_the_whole_picture_between_two_equal_bars():
    array = images.resize(Image.new("RGB", (80, 40), "white"), (160, 160), "pad", (1, 2, 3))
    assert (array[40:120] == 255).all()
    assert (array[:40] == (1, 2, 3)).all()
    assert (array[120:] == (1, 2, 3)).all()


def test_stretch_fills_the_size_and_turns_nothing(picture):
    array = images.resize(picture, (160, 180), "stretch", interpolation="nearest")
    assert (array == np.asarray(picture).repeat(2, axis=0).repeat(3, axis=1)).all()


@pytest.mark.parametrize("name", images.INTERPOLATIONS)
def test_interpolations_are_those_of_their_names(picture, name):
    expected = picture.resize((64, 90), Image.Resampling[name.upper()])
    assert (images.resize(picture, (90, 64), "stretch", interpolation=name) == np.asarray(expected)).all()


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


def test_what_is_half_transparent_is_half_white():
    image = images.decode(encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 128))))
    np.testing.assert_allclose(np.asarray(image)[0, 0], [255, 127, 127], atol=1)


def test_a_transparent_colour_of_a_palette_is_white():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((2, 1), 1)
    array = np.asarray(images.decode(encoded(image, transparency=0)))
    assert array[1, 2].tolist() == [40, 50, 60]
    assert array[0, 0].tolist() == [255, 255, 255]


def test_colours_survive_palette_grey_and_print_colours(picture):
    few = picture.quantize(16)
    assert (np.asarray(images.decode(encoded(few))) == np.asarray(few.convert("RGB"))).all()
    grey = np.asarray(images.decode(encoded(picture.convert("L"))))
    assert (grey == np.asarray(picture.convert("L"))[:, :, None]).all()
    cyan = images.decode(encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG", quality=100))
    np.testing.assert_allclose(np.asarray(cyan)[4, 4], [0, 255, 255], atol=3)


def test_grey_of_sixteen_bits_keeps_its_shades():
    shades = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    array = np.asarray(images.decode(encoded(Image.fromarray(shades))))
    np.testing.assert_allclose(array[..., 0], shades / 257, atol=1)


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(1, lambda a: a), (2, np.fliplr), (3, lambda a: np.rot90(a, 2)), (6, lambda a: np.rot90(a, -1)), (8, np.rot90)],
)
def test_a_picture_is_turned_as_its_camera_says(picture, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = images.decode(encoded(picture, "PNG", exif=exif))
    assert (np.asarray(image) == upright(np.asarray(picture))).all()


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff", b"GIF89a" + b"\0" * 40])
def test_what_is_no_picture_is_said(data):
    with pytest.raises(images.UnreadableImage):
        images.decode(data)


def test_formats_that_no_shop_serves_are_refused(picture):
    for form in ("GIF", "TIFF", "BMP"):
        with pytest.raises(images.UnreadableImage, match="not a JPEG, PNG, WEBP picture"):
            images.decode(encoded(picture, form))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_cut_picture_is_said(picture, share):
    data = encoded(picture, "JPEG", quality=90)
    with pytest.raises(images.UnreadableImage):
        images.describe(data[: int(len(data) * share)])


@pytest.mark.parametrize("side", [8_000, 20_000, 65_000])
def test_a_huge_picture_is_refused_from_its_header(picture, side):
    data = bytearray(encoded(picture, "JPEG"))
    at = data.find(b"\xff\xc0") + 5  # the frame header: height and width
    assert data[at : at + 4] == struct.pack(">HH", 80, 60)
    data[at : at + 4] = struct.pack(">HH", side, side)
    with pytest.raises(images.UnreadableImage, match=f"{side}x{side} pixels; at most 50,000,000|exceeds limit"):
        images.decode(bytes(data))


def test_the_largest_picture_allowed_is_read_and_one_pixel_more_is_not(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    assert images.describe(encoded(Image.new("RGB", (20, 5)))) == (20, 5, "RGB")
    with pytest.raises(images.UnreadableImage, match="101x1 pixels; at most 100 are allowed"):
        images.describe(encoded(Image.new("RGB", (101, 1))))


def test_describe_gives_the_pictures_own_mode(picture):
    assert images.describe(encoded(picture.convert("L"), "JPEG")) == (60, 80, "L")


def progressive(scans, side=64):
    """A progressive JPEG that goes through its picture so often: its last scan again and again."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    assert data.count(b"\xff\xda") == 10  # as Pillow writes them
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (scans - 10) + data[-2:]


def test_so_many_scans_are_read_and_one_more_is_not(monkeypatch):
    monkeypatch.setattr(images, "MAX_SCANS", 20)
    assert images.decode(progressive(20)).size == (64, 64)
    for read in (images.decode, images.describe):
        with pytest.raises(images.UnreadableImage, match="21 scans"):
            read(progressive(21))


def test_scans_are_counted_with_the_pixels_that_each_goes_through(monkeypatch):
    monkeypatch.setattr(images, "MAX_SCANNED", 12 * 64 * 64)
    assert images.decode(progressive(12)).size == (64, 64)
    with pytest.raises(images.UnreadableImage, match="13 scans of 4,096 pixels"):
        images.decode(progressive(13))


def test_what_only_looks_like_a_scan_is_not_counted():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", comment=b"\xff\xda" * 500)
    film = b"\xff\xda\x00\x02" * 40_000  # as phones append one after the picture's end
    assert images.decode(buffer.getvalue() + film).size == (8, 8)
    hidden = progressive(150).replace(b"\xff\xda", b"\xff\xff\xda")  # filled up, which a decoder skips
    with pytest.raises(images.UnreadableImage, match="150 scans"):
        images.decode(hidden)


def test_a_long_side_and_a_png_of_crumbs_are_refused_unread(monkeypatch):
    buffer = io.BytesIO()
    Image.new("1", (1, images.MAX_SIDE + 1)).save(buffer, "PNG")
    with pytest.raises(images.UnreadableImage, match="32,768 a side"):
        images.decode(buffer.getvalue())
    crumb = struct.pack(">I", 0) + b"tEXt" + struct.pack(">I", zlib.crc32(b"tEXt"))
    buffer = io.BytesIO()
    Image.new("RGB", (3, 3)).save(buffer, "PNG")
    data = buffer.getvalue()
    with pytest.raises(images.UnreadableImage, match="20,000 chunks"):
        images.decode(data[:33] + crumb * images.MAX_CHUNKS + data[33:])
    monkeypatch.setattr(images, "MAX_CHUNKS", 3)  # header, pixels, end
    assert images.decode(data).size == (3, 3)


@pytest.mark.parametrize(
    "parts",
    [b"\xff\xfe\0\2" * 2_500_000, b"\xff\x01" * 5_000_000, b"\xff\xda\0\2" + b"\xff\xd8" * 5_000_000],
    ids=["comments", "without length", "behind a scan"],
)
def test_a_jpeg_of_many_parts_is_refused_before_each_is_a_turn_of_a_loop(parts):
    buffer = io.BytesIO()
    Image.new("RGB", (60, 80)).save(buffer, "JPEG")
    whole = buffer.getvalue()
    began = time.perf_counter()
    with pytest.raises(images.UnreadableImage):
        images.decode(whole[:2] + parts + whole[2:])
    assert time.perf_counter() - began < 1


def test_a_reduced_photo_is_smaller_upright_and_looks_the_same():
    exif = Image.Exif()
    exif[images.ORIENTATION] = 6
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((3000, 2000)).convert("RGB").save(buffer, "JPEG", exif=exif, quality=95)
    data = buffer.getvalue()
    whole, small = images.decode(data), images.reduced(data, 500)
    assert images.jpeg_size(data) == whole.size == (2000, 3000)
    assert (images.size(data), small.size) == ((3000, 2000), (500, 750))
    apart = np.abs(np.asarray(small).astype(int) - np.asarray(whole.resize(small.size, Image.Resampling.BOX)))
    assert apart.max() <= 4
    assert images.reduced(data, 1001).size == (2000, 3000)
