"""Near copies: each kind is planted and found as what it is; what only looks a little alike is not."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from pipeline.data import near


def product(seed, size=(60, 80)):
    """Coloured patches on white, which no two seeds share."""
    rng = np.random.default_rng(seed)
    patches = Image.fromarray(rng.integers(10, 190, (5, 4, 3), dtype=np.uint8)).resize(
        (36, 50), Image.Resampling.BICUBIC
    )
    picture = Image.new("RGB", size, "white")
    picture.paste(patches, (12, 14))
    return picture


def recoded(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return Image.open(buffer).convert("RGB")


def moved(picture):
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture.crop((10, 10, 50, 70)), (16, 4))
    return ground


def recoloured(picture):
    return ImageEnhance.Color(picture).enhance(0.2)


@pytest.mark.parametrize("change", [recoded, moved, recoloured])
@pytest.mark.parametrize("seed", range(5))
def test_a_planted_copy_is_found_as_what_it_is(change, seed):
    pictures = [*(product(100 + other) for other in range(30)), product(seed), change(product(seed))]
    found = near.compared(near.look(pictures), np.arange(len(pictures)))
    assert found.values.tolist() == [[30, 31, change.__name__]]


def test_equal_bytes_are_no_near_copies_and_empty_pictures_break_nothing():
    pictures = [product(0), product(0), Image.new("RGB", (60, 80), "white"), Image.new("RGB", (1, 1), "black")]
    assert not ((found := near.compared(near.look(pictures), np.array([0, 0, 1, 2])))["one"] == 0).any(), found


def test_more_pictures_than_are_compared_at_once(monkeypatch):
    monkeypatch.setattr(near, "AT_ONCE", 44)  # four of eleven with all others
    pictures = [*(product(seed) for seed in range(9)), recoded(product(2)), recoded(product(8))]
    found = near.compared(near.look(pictures), np.arange(len(pictures)))
    assert found[["one", "other"]].values.tolist() == [[2, 9], [8, 10]]


def test_where_many_look_alike_the_pairs_grow_with_the_pictures_and_all_but_the_first_are_surplus(monkeypatch):
    monkeypatch.setattr(near, "NEAREST", 3)
    monkeypatch.setattr(near, "AT_ONCE", 64)  # and of their pictures four
    looks = near.Looks(*(np.repeat(part, 40, axis=0) for part in near.look([product(0)])))
    found = near.compared(looks, np.arange(40))
    assert found["other"].value_counts().sort_index().tolist() == [1, 2, *[3] * 37]
    assert set(found["one"]) == {0, 1, 2}
    assert near.surplus(found, ["recoded"], 40).tolist() == [False, *[True] * 39]


def test_the_first_of_a_chain_is_kept_and_other_kinds_stay():
    pairs = pd.DataFrame({"one": [1, 3, 0], "other": [3, 4, 5], "kind": ["moved", "recoded", "recoloured"]})
    assert np.flatnonzero(near.surplus(pairs, ["moved", "recoded"], 6)).tolist() == [3, 4]
    assert np.flatnonzero(near.surplus(pairs, ["recoloured"], 6)).tolist() == [5]
    assert not near.surplus(pairs, [], 6).any()
