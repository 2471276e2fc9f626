"""A bag of visual words: corners, the words learnt from train pictures alone, and shares of each word."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import store, visual_words

SPEC = params.Bag(image_size=128, corners=60, words=8, pictures=4, seed=0)


def checked(size, rng):
    """Squares on white, whose corners ORB finds."""
    image = Image.new("RGB", (60, 80), "white")
    draw = ImageDraw.Draw(image)
    for top in range(8, 72, 2 * size):
        for left in range(8, 52, 2 * size):
            draw.rectangle((left, top, left + size, top + size), fill=tuple(int(v) for v in rng.integers(0, 200, 3)))
    return image


@pytest.fixture
def shop(tmp_path, monkeypatch, rng):
    """Six pictures, of which the first four are learnt from, and one that is all white."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    pictures = [checked(size, rng) for size in (4, 4, 8, 8, 4)] + [Image.new("RGB", (60, 80), "white")]
    ids = [f"{number}.png" for number in range(6)]
    paths.images("sample").parent.mkdir(parents=True)
    with zipfile.ZipFile(paths.images("sample"), "w") as archive:
        for one, picture in zip(ids, pictures, strict=True):
            buffer = io.BytesIO()
            picture.save(buffer, "PNG")
            archive.writestr(one, buffer.getvalue())
    split = [catalog.TRAIN] * 4 + [catalog.TEST] * 2
    frame = pd.DataFrame({catalog.ID: ids, catalog.SHA256: ids, catalog.SPLIT: split})
    monkeypatch.setattr(catalog, "load", lambda data: frame)
    return pictures


def test_a_histogram_counts_the_nearest_word_of_each_corner():
    words = np.zeros((3, visual_words.BITS), np.float32)
    words[1], words[2, :128] = 1, 1  # a longer word has the same product with half of itself as the half has
    found = np.concatenate([np.zeros((1, 256)), words[[2, 2, 1]]]).astype(np.uint8)
    assert visual_words.histogram(found, words) == pytest.approx(np.sqrt([0.25, 0.25, 0.5]))
    assert not visual_words.histogram(found[:0], words).any()


def test_every_picture_has_its_words_and_one_without_corners_has_none(shop):
    found = visual_words.words("sample", "orb", SPEC)
    assert found.ids.tolist() == [f"{number}.png" for number in range(6)]
    assert found.vectors.shape == (6, 8)
    assert np.linalg.norm(found.vectors[:5], axis=1) == pytest.approx(1, abs=1e-6)
    assert not found.vectors[5].any()
    before = paths.features("sample", "orb").read_bytes()
    again = visual_words.words("sample", "orb", SPEC)
    assert paths.features("sample", "orb").read_bytes() == before
    assert again.encoder_id == found.encoder_id == store.read(paths.features("sample", "orb")).encoder_id
    other = SPEC.model_copy(update={"words": 6})
    assert visual_words.words("sample", "orb", other).encoder_id != found.encoder_id


def test_words_are_learnt_from_the_train_part_alone(shop, monkeypatch):
    seen = []
    whole = visual_words.vocabulary
    monkeypatch.setattr(visual_words, "vocabulary", lambda found, spec: seen.append(len(found)) or whole(found, spec))
    everything = SPEC.model_copy(update={"pictures": 100})
    visual_words.words("sample", "orb", everything)
    assert seen == [4]


def test_more_words_than_corners_are_refused_with_both_numbers(shop):
    many = SPEC.model_copy(update={"words": 20_000})
    with pytest.raises(ValueError, match="20000 words need as many corners. Found: "):
        visual_words.words("sample", "orb", many)
