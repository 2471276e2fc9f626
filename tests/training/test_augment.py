"""Random changes of a picture: each alone does what it says, together they do not disturb one another."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from pipeline.params.finetuning import Augment
from pipeline.training.augment import changed

some = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 40)
shares = st.floats(0, 0.99)
bounds = st.builds(
    Augment,
    flip=st.booleans(),
    crop=shares,
    pad=shares,
    rotation=st.floats(0, 180),
    brightness=shares,
    contrast=shares,
    colour=shares,
)
NOTHING = Augment(flip=False, crop=0, pad=0, rotation=0, brightness=0, contrast=0, colour=0)


def only(**some_bounds):
    return NOTHING.model_copy(update=some_bounds)


def shown(picture, augment, seed):
    return changed(picture, augment, np.random.default_rng(seed))


def noise(seed, height=24, width=17, most=256):
    return np.random.default_rng(seed).integers(0, most, (height, width, 3), dtype=np.uint8)


def plain(height, width):
    return np.full((height, width, 3), (10, 20, 30), np.uint8)


@some
@given(seeds, sides, sides)
def test_bounds_of_zero_change_no_byte(seed, height, width):
    picture = noise(seed, height, width)
    np.testing.assert_array_equal(shown(picture, NOTHING, seed), picture)


@some
@given(bounds, seeds, sides, sides)
def test_any_setting_gives_the_same_bytes_for_the_same_numbers_and_leaves_the_picture_alone(
    augment, seed, height, width
):
    picture = noise(seed, height, width)
    before = picture.copy()
    first, second = shown(picture, augment, seed), shown(picture, augment, seed)
    assert first.shape == picture.shape and first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(picture, before)


@some
@given(bounds, seeds)
def test_a_picture_takes_the_same_count_of_random_numbers_whatever_is_switched_on(augment, seed):
    one, other = np.random.default_rng(seed), np.random.default_rng(seed)
    changed(noise(0), augment, one)
    changed(noise(0), NOTHING, other)
    assert one.bit_generator.state == other.bit_generator.state


def test_a_flip_mirrors_about_half_of_the_pictures():
    picture = noise(0)
    mirrored = 0
    for seed in range(100):
        result = shown(picture, only(flip=True), seed)
        if not (result == picture).all():
            np.testing.assert_array_equal(result, picture[:, ::-1])
            mirrored += 1
    assert 30 < mirrored < 70


@pytest.mark.parametrize(
    "name,bound",
    [("crop", 0.5), ("pad", 0.5), ("rotation", 20), ("brightness", 0.5), ("contrast", 0.5), ("colour", 0.5)],
)
def test_each_change_alone_differs_from_seed_to_seed(name, bound):
    picture = noise(0)
    results = {shown(picture, only(**{name: bound}), seed).tobytes() for seed in range(30)}
    assert len(results) >= 10  # crop acts on one half of the seeds, pad on the other


@some
@given(bounds, seeds, sides, sides)
def test_no_colour_is_shown_that_the_picture_has_not(augment, seed, height, width):
    picture = plain(height, width)
    moved = augment.model_copy(update={"brightness": 0, "contrast": 0, "colour": 0})
    np.testing.assert_array_equal(shown(picture, moved, seed), picture)


def ramp(side):
    """Red is the place across and green the place down, so that a result says where it came from."""
    across = np.broadcast_to(np.arange(side), (side, side))
    return np.stack([across, across.T, np.zeros_like(across)], axis=2).astype(np.uint8)


def test_a_crop_shows_a_window_of_the_picture_at_any_place():
    windows = []
    for seed in range(200):
        result = shown(ramp(201), only(crop=0.5), seed).astype(int)
        (left, right), (top, bottom) = result[100, [0, -1], 0], result[[0, -1], 100, 1]
        assert abs((right - left) - (bottom - top)) <= 2
        assert 98 <= right - left <= 200
        windows.append((left, right, top, bottom))
    left, right, top, bottom = np.array(windows).T
    assert left.min() == 0 and top.min() == 0 and right.max() == 200 and bottom.max() == 200
    assert (right - left).min() < 110
    assert max(left.max(), top.max()) > 70 and min(right.min(), bottom.min()) < 130
    smaller = right - left < 190
    assert 60 < smaller.sum() < 120
    assert abs(np.corrcoef((left + right)[smaller], (top + bottom)[smaller])[0, 1]) < 0.4


@some
@given(seeds, shares)
def test_a_pad_shows_the_whole_picture(seed, pad):
    across, down = shown(ramp(61), only(pad=pad), seed)[30, :, 0], shown(ramp(61), only(pad=pad), seed)[:, 30, 1]
    for values in (across.astype(int), down.astype(int)):
        assert (np.diff(values) >= 0).all() and values[0] <= 1 and values[-1] >= 59


def test_a_pad_goes_on_with_the_edge_for_about_half_of_the_pictures_and_on_every_side():
    sides = []
    for seed in range(100):
        result = shown(ramp(61), only(pad=0.5), seed)
        lines = [result[30, :, 0], result[30, ::-1, 0], result[:, 30, 1], result[::-1, 30, 1]]
        sides.append([(line[:4] == line[0]).all() for line in lines])
    touched = np.array(sides)
    assert 30 < touched.any(axis=1).sum() < 70
    assert (touched.sum(axis=0) > 15).all()


def turned(rotation, seed):
    """Where a spot on the right of the middle goes: degrees and its distance from the middle."""
    picture = np.zeros((61, 61, 3), np.uint8)
    picture[29:32, 49:52] = 255
    result = changed(picture, only(rotation=rotation), np.random.default_rng(seed))
    light = result[..., 0].astype(float)
    down, across = (np.average(place, weights=light) - 30 for place in np.mgrid[:61, :61])
    return math.degrees(math.atan2(down, across)), math.hypot(down, across)


@pytest.mark.parametrize("rotation", [10, 45, 180])
def test_a_rotation_turns_about_the_middle_to_both_sides_and_within_its_bound(rotation):
    angles, distances = np.array([turned(rotation, seed) for seed in range(100)]).T
    assert abs(angles).max() <= rotation + 0.5
    assert angles.max() > 0.85 * rotation and angles.min() < -0.85 * rotation
    assert abs(np.mean(angles)) < 0.25 * rotation
    np.testing.assert_allclose(distances, 20, atol=0.3)


@pytest.mark.parametrize("seed", range(12))
def test_a_turned_and_padded_picture_is_scipys_with_its_edge_repeated(seed):
    picture = np.repeat(np.repeat(noise(seed, 8, 6), 5, axis=0), 5, axis=1)
    result = shown(picture, only(rotation=45, pad=0.6), seed)
    _, angle, scale, x, y, *_ = np.random.default_rng(seed).uniform(-1, 1, 8)
    angle, scale = math.radians(45 * angle), 1 + max(scale, 0) * 0.6
    height, width = picture.shape[:2]
    down, across = np.mgrid[:height, :width] + 0.5
    down, across = down - height / 2, across - width / 2
    place_down = scale * (math.cos(angle) * down - math.sin(angle) * across) + height / 2 * (1 + y * abs(1 - scale))
    place_across = scale * (math.cos(angle) * across + math.sin(angle) * down) + width / 2 * (1 + x * abs(1 - scale))
    places = np.stack([place_down - 0.5, place_across - 0.5])
    for channel in range(3):
        expected = map_coordinates(picture[..., channel].astype(float), places, order=1, mode="nearest")
        assert (abs(result[..., channel] - expected) <= 1).mean() > 0.99


def stretched_by_one_number(values, moved, bound):
    """One number within 1 ± bound takes all values to what they became, but for rounding."""
    far = abs(values) > 1e-3
    below, above = ((moved[far] + half * np.sign(values[far])) / values[far] for half in (-0.51, 0.51))
    assert max(below.max(), 1 - bound) <= min(above.min(), 1 + bound)


@some
@given(seeds, shares)
def test_brightness_multiplies_every_value_by_one_number_within_its_bound(seed, bound):
    picture = noise(seed, most=120) + np.uint8(1)
    result = shown(picture, only(brightness=bound), seed)
    stretched_by_one_number(picture, result, bound)


def test_brightness_goes_up_and_down_and_stops_at_white():
    dim, bright = np.full((4, 4, 3), 40, np.uint8), np.full((4, 4, 3), 240, np.uint8)
    up = 0
    for seed in range(100):
        small, large = (int(shown(picture, only(brightness=0.9), seed)[0, 0, 0]) for picture in (dim, bright))
        assert large == pytest.approx(min(255, small * 6), abs=4)
        up += small > 40
    assert 30 < up < 70


@some
@given(seeds, shares)
def test_contrast_stretches_about_the_mean_by_one_number_within_its_bound(seed, bound):
    picture = noise(seed, most=80) + np.uint8(80)
    away = picture - picture.mean()
    stretched_by_one_number(away, shown(picture, only(contrast=bound), seed) - picture.mean(), bound)


@some
@given(seeds, shares)
def test_colour_stretches_about_each_pixels_grey_by_one_number_within_its_bound(seed, bound):
    picture = noise(seed, most=80) + np.uint8(80)
    grey = picture.mean(axis=2, keepdims=True)
    stretched_by_one_number(picture - grey, shown(picture, only(colour=bound), seed) - grey, bound)


@some
@given(seeds, shares)
def test_what_has_no_contrast_and_no_colour_keeps_its_bytes(seed, bound):
    flat, grey = np.full((6, 5, 3), seed % 256, np.uint8), np.repeat(noise(seed)[..., :1], 3, axis=2)
    np.testing.assert_array_equal(shown(flat, only(contrast=bound), seed), flat)
    np.testing.assert_array_equal(shown(grey, only(colour=bound), seed), grey)


GEOMETRY, LIGHT = {"flip", "crop", "pad", "rotation"}, {"brightness", "contrast", "colour"}


@some
@given(bounds, seeds)
def test_light_changes_what_the_geometry_gave_and_neither_moves_the_others_draws(augment, seed):
    picture = noise(seed)
    geometry = NOTHING.model_copy(update=augment.model_dump(include=GEOMETRY))
    light = NOTHING.model_copy(update=augment.model_dump(include=LIGHT))
    in_steps = shown(shown(picture, geometry, seed), light, seed)
    np.testing.assert_array_equal(shown(picture, augment, seed), in_steps)


@some
@given(seeds, shares, shares, st.floats(1, 180))
def test_a_flip_mirrors_the_same_window_that_is_shown_without_it(seed, crop, pad, rotation):
    smooth = np.repeat(np.repeat(noise(seed, 6, 4), 5, axis=0), 5, axis=1)
    without = shown(smooth, only(crop=crop, pad=pad, rotation=rotation), seed)
    flipped = shown(smooth, only(flip=True, crop=crop, pad=pad, rotation=rotation), seed)
    if (shown(smooth, only(flip=True), seed) != smooth).any():
        without = without[:, ::-1]
    assert (abs(flipped.astype(int) - without) <= 1).mean() > 0.99


@pytest.mark.parametrize("off", ["brightness", "contrast", "colour"])
def test_switching_one_light_off_leaves_the_draws_of_the_others(off):
    picture = noise(3, most=40) + np.uint8(100)
    rest = sorted(LIGHT - {off})
    for seed in range(10):
        both = shown(picture, only(**dict.fromkeys(rest, 0.2)), seed).astype(int)
        numbers = {
            name: 1 + np.random.default_rng(seed).uniform(-1, 1, 8)[5 + place] * 0.2
            for place, name in enumerate(["brightness", "contrast", "colour"])
            if name != off
        }
        values = picture * numbers.get("brightness", 1.0)
        values = values.mean() + (values - values.mean()) * numbers.get("contrast", 1.0)
        grey = values.mean(axis=2, keepdims=True)
        values = grey + (values - grey) * numbers.get("colour", 1.0)
        np.testing.assert_allclose(both, values, atol=0.6)
