"""Descriptors beside slow oracles of other libraries, and as the encoders that they are."""

import cv2
import keras
import numpy as np
import pytest
from PIL import Image
from scipy.fft import dct, dctn

from pipeline import params
from pipeline.encoders import compiled, descriptors, pretrained
from pipeline.params.backbones import BACKBONES, DESCRIPTORS

SHAPE = (80, 60, 3)


def drawn(rng, count=6):
    """Products on white: a few patches of colour, light noise, and one picture that is all white."""
    pictures = np.full((count, *SHAPE), 255, np.uint8)
    for picture in pictures[:-1]:
        for _ in range(3):
            top, left = rng.integers(0, 50), rng.integers(0, 40)
            picture[top : top + 30, left : left + 20] = rng.integers(0, 256, 3)
        noisy = picture.astype(int) + rng.integers(-6, 7, SHAPE)
        picture[:] = np.clip(noisy, 0, 255)
    return pictures


def of(network, pictures):
    """What a descriptor gives, (B, D)."""
    return network(pictures.astype(np.float32)).numpy()[:, 0, 0]


def test_colours_are_the_roots_of_opencvs_histograms(rng):
    pictures = drawn(rng)
    found = of(descriptors.Colours(SHAPE), pictures)
    for picture, ours in zip(pictures, found, strict=True):
        shown = (picture.min(axis=2) < descriptors.PAPER).astype(np.uint8)
        mask = shown if shown.any() else np.ones_like(shown)
        rgb = cv2.calcHist([picture], [0, 1, 2], mask, [6, 6, 6], [0, 256] * 3).ravel()
        hsv = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)  # hue in degrees
        hsv[..., 0] = np.minimum(hsv[..., 0], 359.999)
        by_hue = cv2.calcHist([hsv], [0, 1, 2], mask, [8, 6, 3], [0, 360, 0, 1.000001, 0, 256 / 255]).ravel()
        assert ours[:216] == pytest.approx(np.sqrt(rgb / rgb.sum() / 2), abs=1e-6)
        moved = np.abs(np.square(ours[216:]) - by_hue / by_hue.sum() / 2).sum()
        assert moved < 0.05  # a colour on the edge of two bins may fall to either
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)


def test_colours_do_not_count_the_white_ground_nor_where_a_product_is(rng):
    picture = np.full(SHAPE, 255, np.uint8)
    picture[10:30, 5:25] = (200, 30, 40)
    moved = np.full(SHAPE, 240, np.uint8)
    moved[40:60, 30:50] = (200, 30, 40)
    both = of(descriptors.Colours(SHAPE), np.stack([picture, moved]))
    assert both[0] == pytest.approx(both[1], abs=1e-6)


def test_gradients_equal_a_loop_over_pixels(rng):
    pictures = drawn(rng, count=2)
    found = of(descriptors.Gradients(SHAPE), pictures).reshape(2, 8, 6, 8)
    grey = pictures.astype(float).mean(axis=3) / 255
    for picture, ours in zip(grey, found, strict=True):
        cells = np.zeros((8, 6, 8))
        for y in range(80):
            for x in range(60):
                down = picture[y + 1, x] - picture[y - 1, x] if 0 < y < 79 else 0
                right = picture[y, x + 1] - picture[y, x - 1] if 0 < x < 59 else 0
                along = [abs(right * np.cos(k * np.pi / 8) + down * np.sin(k * np.pi / 8)) for k in range(8)]
                cells[y // 10, x // 10, int(np.argmax(np.float32(along)))] += np.hypot(right, down)
        cells /= np.sqrt(np.square(cells).sum(axis=2, keepdims=True) + 1)
        assert np.abs(ours - cells).max() < 0.02
        assert np.abs(ours - cells).mean() < 1e-4


def test_the_hash_is_phash(rng):
    pictures = np.stack([np.asarray(Image.fromarray(p).resize((32, 32), Image.Resampling.LANCZOS)) for p in drawn(rng)])
    found = of(descriptors.Hash((32, 32, 3)), pictures)
    for picture, ours in list(zip(pictures, found, strict=True))[:-1]:  # of the white one only rounding is left
        grey = picture.astype(float) @ [0.299, 0.587, 0.114]
        low = dct(dct(grey, axis=0), axis=1)[:8, :8].ravel()
        near = np.abs(low - np.median(low)) < 1e-2
        assert np.array_equal(np.where(low > np.median(low), 1, -1)[~near], ours[~near])
        assert set(ours) == {-1.0, 1.0}


def test_the_layout_is_a_histogram_of_each_cell_of_the_products_box(rng):
    pictures = drawn(rng)
    found = of(descriptors.Layout(SHAPE), pictures).reshape(-1, 4, 3, 64)
    for picture, ours in zip(pictures, found, strict=True):
        shown = picture.min(axis=2) < descriptors.PAPER
        shown = shown if shown.any() else np.ones_like(shown)
        rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        counts = np.zeros((4, 3, 64))
        for y, x in zip(*np.nonzero(shown), strict=True):
            cell = (y - rows[0]) * 4 // (np.ptp(rows) + 1), (x - columns[0]) * 3 // (np.ptp(columns) + 1)
            red, green, blue = picture[y, x] // 64
            counts[(*cell, red * 16 + green * 4 + blue)] += 1
        assert ours == pytest.approx(np.sqrt(counts / shown.sum()), abs=1e-5)


def test_the_layout_goes_with_the_product(rng):
    product = rng.integers(0, 200, (24, 18, 3), dtype=np.uint8)
    both = np.full((2, *SHAPE), 255, np.uint8)
    both[0, 10:34, 5:23], both[1, 50:74, 40:58] = product, product
    found = of(descriptors.Layout(SHAPE), both)
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_the_thumbnail_is_opencvs_area_mean(rng):
    pictures = drawn(rng)
    found = of(descriptors.Thumbnail(SHAPE), pictures).reshape(-1, 3, 16, 12)
    for picture, ours in zip(pictures, found, strict=True):
        small = cv2.resize(picture.astype(np.float32) / 255, (12, 16), interpolation=cv2.INTER_AREA)
        assert ours == pytest.approx(small.transpose(2, 0, 1), abs=1e-5)


def test_jpegs_numbers_are_scipys_cosines_of_pillows_channels(rng):
    pictures = rng.integers(0, 256, (3, 64, 48, 3), dtype=np.uint8)
    found = of(descriptors.Jpeg((64, 48, 3)), pictures).reshape(3, 8, 6, 8)
    for picture, ours in zip(pictures, found, strict=True):
        channels = np.asarray(Image.fromarray(picture).convert("YCbCr")) / 255 - [0.5, 128 / 255, 128 / 255]
        for row, column in ((0, 0), (3, 5), (7, 2)):
            block = channels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            light, blue, red = (dctn(block[..., channel], norm="ortho") for channel in range(3))
            low = [light[0, 0], light[0, 1], light[1, 0], light[2, 0], light[1, 1], light[0, 2], blue[0, 0], red[0, 0]]
            assert ours[row, column] == pytest.approx(low, abs=0.02)  # Pillow rounds its channels to bytes


def test_texture_counts_patterns_of_lighter_neighbours(rng):
    pictures = drawn(rng, count=3)
    found = of(descriptors.Texture(SHAPE), pictures)
    around = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    for picture, ours in zip(pictures[:-1], found[:-1], strict=True):
        grey, counts = picture.astype(np.float32).mean(axis=2) / np.float32(255), np.zeros(256)
        for y in range(1, 79):
            for x in range(1, 59):
                if picture[y, x].min() < descriptors.PAPER:
                    lighter = [grey[y + down, x + right] > grey[y, x] + descriptors.LIGHTER for down, right in around]
                    counts[sum(1 << bit for bit, yes in enumerate(lighter) if yes)] += 1
        assert np.abs(ours - np.sqrt(counts / counts.sum())).max() < 0.05  # a difference of exactly that much
    assert found[-1, 0] == pytest.approx(1)  # an even surface is one pattern


def test_a_large_picture_is_reduced_by_whole_numbers(rng):
    small = rng.integers(0, 200, (2, *SHAPE), dtype=np.uint8)
    large = small.repeat(3, axis=1).repeat(3, axis=2)
    for name in ("Colours", "Jpeg", "Layout", "Gradients", "Texture", "Thumbnail"):
        network = getattr(descriptors, name)
        assert of(network((240, 180, 3)), large) == pytest.approx(of(network(SHAPE), small), abs=1e-5), name


def on_edges(rng, count):
    """Pictures whose means of 3 × 3 pixels lie on edges of bins and a ninth beside them: pixels, and nine times the
    means, (B, h, w, 3)."""
    edges = np.concatenate([np.arange(1, 6) * 384, np.arange(1, 3) * 768, [9 * descriptors.PAPER, 0, 9 * 128, 9 * 255]])
    sums = np.clip(rng.choice(edges, (count, *SHAPE)) + rng.integers(-1, 2, (count, *SHAPE)), 0, 9 * 255)
    sums[:, ::2, :, 1] = (sums[:, ::2, :, 0] + 3 * sums[:, ::2, :, 2]) // 4  # hues on edges, and close to them
    pixels = (sums[..., None] + np.arange(9)) // 9  # nine whole numbers of that sum
    blocks = pixels.reshape(*sums.shape, 3, 3).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(count, 3 * SHAPE[0], 3 * SHAPE[1], 3).astype(np.uint8), sums


def exact_colours(sums):
    """The descriptor of one picture by whole numbers alone, from nine times its means (h, w, 3)."""
    flat = sums.reshape(-1, 3).astype(np.int64)
    flat = flat[flat.min(axis=1) < 9 * descriptors.PAPER]
    rgb = np.minimum(flat * 6 // (256 * 9), 5)
    red, green, blue = flat.T
    value, spread = flat.max(axis=1), flat.max(axis=1) - flat.min(axis=1)
    by = np.maximum(spread, 1)
    turn = np.where(
        value == red, (green - blue) % (6 * by), np.where(value == green, blue - red + 2 * by, red - green + 4 * by)
    )
    hue = np.where(spread > 0, np.minimum(turn * 8 // (6 * by), 7), 0)
    saturation = np.minimum(spread * 6 // np.maximum(value, 1), 5)
    bins = [
        (rgb[:, 0] * 6 + rgb[:, 1]) * 6 + rgb[:, 2],
        (hue * 6 + saturation) * 3 + np.minimum(value * 3 // (256 * 9), 2),
    ]
    counts = [np.bincount(found, minlength=size) for found, size in zip(bins, (216, 144), strict=True)]
    return np.sqrt(np.concatenate(counts) / len(flat) / 2)


@pytest.mark.parametrize("engine", ["tensorflow", "litert"])
def test_a_colour_on_a_bins_edge_counts_for_the_upper_bin_whichever_engine_runs_it(engine, rng, tmp_path):
    pixels, sums = on_edges(rng, 4)
    network = descriptors.Colours(pixels.shape[1:])
    if engine == "litert":
        inputs = keras.Input(pixels.shape[1:], dtype="uint8")
        whole = keras.Model(inputs, keras.layers.Flatten()(network(keras.ops.cast(inputs, "float32"))))
        (tmp_path / "colours.tflite").write_bytes(compiled.converted(whole))
        found = compiled.interpreted(tmp_path / "colours.tflite").run(pixels)
    else:
        found = of(network, pixels)
    for ours, of_one in zip(found, sums, strict=True):
        assert ours == pytest.approx(exact_colours(of_one), abs=1e-6)


@pytest.mark.parametrize("name", sorted(DESCRIPTORS))
def test_a_descriptor_is_an_encoder_that_litert_runs(name, rng, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.paths.BUILD", tmp_path)
    folder = tmp_path / name
    pretrained.make(params.Weights(source="none", backbone=name), folder)
    spec = params.Encoder(
        backbone=name,
        weights=name,
        image_size=[80, 60],
        resize="native",
        pad_color=[255, 255, 255],
        interpolation="bicubic",
        preprocessing="own",
        pooling="avg",
        head=[],
        batch_size=4,
    )
    run = compiled.compiled(spec, folder)
    pictures = drawn(rng, count=11)
    assert run.dimension == BACKBONES[name].features
    whole = run.run(pictures)
    assert np.array_equal(whole, np.concatenate([run.run(pictures[:3]), run.run(pictures[3:])]))
    network = getattr(descriptors, name.title())(SHAPE)
    differ = np.abs(whole - of(network, pictures)).max(axis=1)
    assert (differ[:-1] < 1e-5).all()


def test_a_descriptor_has_no_weights():
    assert descriptors.Colours(SHAPE).count_params() == 0
    with pytest.raises(ValueError, match="neither a classifier nor weights"):
        descriptors.Hash(SHAPE, weights="imagenet")
    assert isinstance(descriptors.Gradients(SHAPE), keras.Model)
