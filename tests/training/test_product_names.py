"""Names as vectors, and the contrast of pictures with them."""

import keras
import numpy as np
import pandas as pd
import pytest

from pipeline.data import name_vectors
from pipeline.training import losses

SAID = pd.Series(
    ["Puma Men Red Shirt", "Puma Men Red Shirt", "Puma Women Blue Tie", None, "Nike Men Red Shirt", "Xyzzy"]
)


def test_names_that_share_words_are_near_and_a_blank_is_nowhere():
    found = name_vectors.embedded(SAID, words=3, seed=0)
    assert found.shape == (6, 3)
    assert found.dtype == np.float32
    cosine = found @ found.T
    assert cosine[0, 1] == pytest.approx(1, abs=1e-5)
    assert cosine[0, 4] > cosine[0, 2]
    assert not found[3].any()
    assert not found[5].any()  # of a word that no other name has nothing is learnt
    assert np.array_equal(found, name_vectors.embedded(SAID, 3, 0))


def test_more_numbers_than_words_are_zeros_and_names_without_words_too():
    assert name_vectors.embedded(SAID, words=50, seed=0).shape == (6, 50)
    assert not name_vectors.embedded(pd.Series(["a1", None, "b2"]), 4, 0).any()


def slow(images, texts, numbers, temperature):
    """Both directions by loops, in float64."""
    images, texts = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (images, texts))
    both = []
    for one, other in ((images, texts), (texts, images)):
        terms = []
        for row in range(len(one)):
            scores = [np.dot(one[row], key) / temperature for key in other]
            right = [place for place, number in enumerate(numbers) if number == numbers[row] and number >= 0]
            if right:
                total = np.log(np.sum(np.exp(scores)))
                terms.append(-np.mean([scores[place] - total for place in right]))
        both.append(np.mean(terms) if terms else 0.0)
    return np.mean(both)


@pytest.mark.parametrize("numbers", [[0, 1, 2, 3, 4], [0, 0, 1, -1, 1], [-1, -1, -1, -1, -1]])
def test_image_text_equals_a_slow_loop(rng, numbers):
    images, texts = rng.normal(size=(2, 5, 4))
    numbers = np.array(numbers)
    same = (numbers[:, None] == numbers[None]) & (numbers[:, None] >= 0)
    found = losses.image_text(*(keras.ops.convert_to_tensor(x, "float32") for x in (images, texts)), same, 0.3)
    assert float(found) == pytest.approx(slow(images, texts, numbers, 0.3), abs=1e-5)
