"""Descriptions as vectors: which words count, which are taken out, what stands in where there is no text."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from pipeline.data import catalog, text


@pytest.fixture
def frame():
    rows = [
        ("Men", "Apparel", "Topwear", "Tshirts", "Navy Blue", "Puma Men's Navy-Blue Graphic T-shirt Tshirt 2"),
        ("Women", "Apparel", "Dress", "Dresses", "Red", "Mango Women Red Dress"),
        ("Women", "Accessories", "Watches", "Watches", None, "Casio Watch — 50 m"),
        ("Unisex", "Accessories", "Bags", "Backpacks", "Black", None),
    ]
    names = [catalog.GENDER, catalog.MASTER, catalog.SUB, catalog.ARTICLE, catalog.COLOUR, catalog.PRODUCT]
    return pd.DataFrame(rows, columns=names).assign(
        **{catalog.SEASON: "Summer", catalog.YEAR: 2011, catalog.USAGE: "Casual"}
    )


def test_a_description_is_its_columns_words_and_a_blank_says_nothing(frame):
    said = text.descriptions(frame, [catalog.PRODUCT, catalog.COLOUR])
    assert said[0] == "puma men s navy blue graphic t shirt tshirt 2 navy blue"
    assert said[2:] == ["casio watch 50 m", "black"]


def test_label_words_are_taken_out_whoever_they_belong_to(frame):
    said = text.descriptions(frame, [catalog.PRODUCT], [catalog.ARTICLE, catalog.COLOUR, catalog.GENDER])
    assert said == ["puma s graphic t shirt 2", "mango", "casio 50 m", ""]
    several = frame.assign(**{catalog.PRODUCT: "Two Watches, a Dress, Backpacks"})  # in the plural and not, as it comes
    assert set(text.descriptions(several, [catalog.PRODUCT], [catalog.ARTICLE])) == {"two a"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("dresses", "dress"),
        ("dress", "dress"),
        ("watches", "watch"),
        ("shirts", "shirt"),
        ("accessories", "accessory"),
        ("boxes", "box"),
        ("brushes", "brush"),
        ("shoes", "shoe"),
        ("glass", "glass"),
        ("is", "is"),
        ("s", "s"),
        ("men", "men"),
    ],
)
def test_a_plural_has_the_stem_of_its_word(word, expected):
    assert text.stem(word) == expected


@given(st.text(max_size=30))
def test_any_text_has_words_and_stems(value):
    assert text.stems(value) == [text.stem(word) for word in text.words(value)]
    assert all(word and word == word.casefold() for word in text.words(value))


def test_rare_words_weigh_more_and_rows_have_length_1():
    train = ["red shirt", "red dress", "red watch", "blue watch"]
    vectorizer = text.fit(train)
    rows = vectorizer.transform([*train, "shirts reds", "hat", ""])
    place = vectorizer.vocabulary_
    assert rows[0, place["shirt"]] > rows[0, place["red"]] > 0
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    assert lengths == pytest.approx([1, 1, 1, 1, 1, 0, 0])  # words that were never learnt say nothing
    assert (rows[4] != rows[0]).nnz == 0
    expected = np.log((1 + 4) / (1 + np.array([3, 1]))) + 1  # scikit-learn's smoothed idf of red and shirt
    expected /= np.linalg.norm(expected)
    assert [rows[0, place["red"]], rows[0, place["shirt"]]] == pytest.approx(expected.tolist(), abs=1e-6)


@given(st.lists(st.text("abc s", max_size=9), max_size=5), st.lists(st.text("acd s", max_size=9), max_size=4))
def test_words_counted_in_two_parts_weigh_what_they_do_together(first, then):
    counts, columns = text.counted(first, {})
    more, all_columns = text.counted(then, columns)
    assert list(all_columns)[: len(columns)] == list(columns)  # those known keep their places
    counts.resize(len(first), len(all_columns))
    together = sparse.vstack([counts, more], "csr")
    if not any(map(text.stems, [*first, *then])):
        with pytest.raises(text.TextError, match=f"none of {len(first) + len(then)} descriptions has a word"):
            text.weighted(together, all_columns)
        return
    vectorizer, rows = text.weighted(together, all_columns)
    whole = text.fit([*first, *then])
    asked = ["a bs", "d d c", "e", *first, *then]
    expected = whole.transform([*first, *then]) @ whole.transform(asked).T
    assert (rows @ vectorizer.transform(asked).T).toarray() == pytest.approx(expected.toarray(), abs=1e-6)


def test_descriptions_without_a_word_are_refused():
    with pytest.raises(text.TextError, match="none of 2 descriptions has a word"):
        text.fit(["", " — "])


@pytest.mark.parametrize(
    ("columns", "without", "received"),
    [(["name"], [], r"\['name'\]"), ([catalog.PRODUCT], ["colour"], r"\['colour'\]"), ([], [], r"\[\]")],
)
def test_columns_that_there_are_not_are_named_with_those_that_there_are(frame, columns, without, received):
    with pytest.raises(text.TextError, match=f"Allowed: .*productDisplayName.* Received: {received}$"):
        text.descriptions(frame, columns, without)
