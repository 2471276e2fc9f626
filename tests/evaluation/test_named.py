"""The exam by product names alone, against loops over scikit-learn's TF-IDF."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline.data import catalog
from pipeline.evaluation import exam, named
from pipeline.evaluation.names import HELD_OUT, STRICT, TEST, UNSEEN

ASKED = ["same listing", "articleType", "gender and type", "held-out types, first neighbour"]


@pytest.fixture
def shop_names(world):
    """The small catalogue with names that tell something of types and genders; two of them blank."""
    frame = world[0].copy()
    rng = np.random.default_rng(2)
    said = frame[catalog.ARTICLE].fillna("Thing").where(rng.random(len(frame)) < 0.3, "Piece")
    said += " for " + frame[catalog.GENDER].fillna("all").where(rng.random(len(frame)) < 0.5, "you")
    words = [" ".join(rng.choice(["blue", "slim", "sport", "city"], 2)) for _ in range(len(frame))]
    frame[catalog.PRODUCT] = (said + " " + pd.Series(words)).where(frame[catalog.PRODUCT].notna())
    return frame


def asked(questions=ASKED):
    return pd.DataFrame({"question": questions, "encoder": "e", "value": 0.5, "low": 0.4, "high": 0.6, "chance": 0.1})


def slow(frame, question):
    """The mean by the definition, on the exact TF-IDF: nearest first, ties in the catalogue's order."""
    protocol, gallery, relevance, metric = exam.QUESTIONS[question]
    names = frame[catalog.PRODUCT].fillna("")
    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(names).toarray()
    alike = (vectors @ vectors.T).round(6)
    codes, values = catalog.label_codes(frame, relevance), []
    held = (frame[catalog.TYPE_SPLIT] == catalog.TEST).to_numpy()
    test = (frame[catalog.SPLIT] == catalog.TEST).to_numpy()
    member = {TEST: test, UNSEEN: held}[gallery]
    for query in np.flatnonzero(test & (held if protocol == HELD_OUT else test)):
        others = [g for g in np.flatnonzero(member) if frame[catalog.SHA256][g] != frame[catalog.SHA256][query]]
        others.sort(key=lambda g: (-alike[query, g], g))
        hits = np.array([codes[g] == codes[query] >= 0 for g in others])
        if hits.any():
            precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            values.append(precision[hits].mean() if metric == "mAP" else float(hits[0]))
    return np.mean(values)


def test_names_are_asked_what_encoders_are_but_for_the_same_listing(shop_names):
    table = named.table(shop_names, asked(), 300, 0)
    assert table.columns.tolist() == exam.COLUMNS
    assert table["question"].tolist() == ASKED[1:]
    assert set(table["encoder"]) == {named.NAMES}
    assert set(table["chance"]) == {0.1}
    for _, row in table.iterrows():
        assert row["value"] == pytest.approx(slow(shop_names, row["question"]), abs=1e-6), row["question"]
        if row["value"] < 1:  # the only held-out type is right wherever it is found
            assert row["low"] < row["value"] < row["high"]
    assert (table["value"] < 1).sum() == 2


def test_a_catalogue_without_names_has_no_row(shop_names):
    assert named.table(shop_names.assign(**{catalog.PRODUCT: None}), asked(), 300, 0).empty
    assert named.table(shop_names, asked(["same listing"]), 300, 0).empty
    assert named.table(shop_names, asked([]), 300, 0).empty


def test_the_protocols_asked_here_are_the_exam_s():
    assert {exam.QUESTIONS[question][0] for question in ASKED} == {STRICT, HELD_OUT}
