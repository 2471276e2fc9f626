"""A search whose queries are encoded otherwise, against loops."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score
from small_world import keep

from pipeline import paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import mismatch, scoring, tables


def slow(frame, asked, answering, leave_out=catalog.SHA256):
    """AP of each test picture, one after another: everything but its own bytes answers."""
    asked, answering = (own / np.linalg.norm(own, axis=1, keepdims=True) for own in (asked, answering))
    types, values = frame[catalog.ARTICLE], {}
    for query in np.flatnonzero(frame[catalog.SPLIT] == catalog.TEST):
        others = np.flatnonzero(frame[leave_out] != frame[leave_out].iloc[query])
        wanted = [bool(types.notna().iloc[query]) and types.iloc[row] == types.iloc[query] for row in others]
        found = average_precision_score(wanted, answering[others] @ asked[query]) if any(wanted) else np.nan
        values[query] = found
    return np.array(list(values.values()))


WAYS = [("right", "right"), ("wrong", "wrong"), ("wrong", "right")]


def test_a_search_with_queries_encoded_otherwise_is_the_slow_loops(shop):
    frame, vectors = shop
    table = mismatch.served("sample", "right", ["wrong"], frame, 1000, 0)
    assert list(table[["queries by", "gallery by"]].itertuples(index=False, name=None)) == WAYS
    assert table["queries"].tolist() == [10] * 3
    expected = [np.nanmean(slow(frame, vectors[ask], vectors[answer])) for ask, answer in WAYS]
    assert table["mAP"].tolist() == pytest.approx(expected)
    copies_in = [np.nanmean(slow(frame, vectors[ask], vectors[answer], catalog.ID)) for ask, answer in WAYS]
    assert np.abs(np.subtract(expected, copies_in)).min() > 1e-3


def test_each_other_way_of_encoding_is_told_and_the_right_one_once(shop):
    frame, vectors = shop
    table = mismatch.served("sample", "right", ["wrong", "third"], frame, 1000, 0)
    ways = [*WAYS, ("third", "third"), ("third", "right")]
    assert list(table[["queries by", "gallery by"]].itertuples(index=False, name=None)) == ways
    expected = [np.nanmean(slow(frame, vectors[ask], vectors[answer])) for ask, answer in ways]
    assert table["mAP"].tolist() == pytest.approx(expected)


def test_an_encoder_against_itself_is_the_strict_protocol(shop, run):
    frame, vectors = shop
    table = mismatch.served("sample", "right", ["wrong"], frame, 1000, 0)
    for name, value in zip(("right", "wrong"), table["mAP"], strict=False):
        features = FeatureSet(frame[catalog.ID].to_numpy(object), vectors[name], name)
        scores = scoring.evaluate(features, frame, "cosine", run).scores
        strict = tables.pick(scores, protocol="strict", gallery="all", relevance="articleType")["AP"]
        assert value == pytest.approx(strict.mean())


def test_some_seeded_test_queries_ask_all_three_ways(shop):
    frame, vectors = shop
    alone = np.array([slow(frame, vectors[ask], vectors[answer]) for ask, answer in WAYS])
    chosen = set()
    for seed in range(3):
        table = mismatch.served("sample", "right", ["wrong"], frame, 6, seed)
        assert table["queries"].tolist() == [6] * 3
        pd.testing.assert_frame_equal(mismatch.served("sample", "right", ["wrong"], frame, 6, seed), table)
        fits = [
            rows
            for rows in combinations(range(10), 6)
            if np.allclose(np.nanmean(alone[:, rows], axis=1), table["mAP"], atol=1e-6)
        ]
        assert fits
        chosen.add(fits[0])
    assert len(chosen) > 1


@pytest.mark.parametrize("name", ["right", "wrong"])
def test_features_of_other_pictures_are_refused(shop, name):
    frame, vectors = shop
    paths.features("sample", name).unlink()
    keep(name, frame[catalog.ID].tolist()[::-1], vectors[name])
    with pytest.raises(ValueError, match="features and catalogue hold different pictures"):
        mismatch.served("sample", "right", ["wrong"], frame, 5, 0)


def test_features_that_were_not_taken_are_named_with_how_to_take_them(shop):
    with pytest.raises(
        store.StoreError, match="none.sqlite is missing. Make it with: dvc repro feature_extraction@none"
    ):
        mismatch.served("sample", "right", ["wrong", "none"], shop[0], 5, 0)


def test_every_encoder_that_is_served_has_its_rows(shop):
    served = {"right": ["wrong"], "third": ["right", "wrong"]}
    table = mismatch.table("sample", served, shop[0], 1000, 0)
    parts = [mismatch.served("sample", encoder, others, shop[0], 1000, 0) for encoder, others in served.items()]
    pd.testing.assert_frame_equal(table, pd.concat(parts, ignore_index=True))
    assert len(table) == 3 + 5
    assert mismatch.table("sample", {}, shop[0], 1000, 0).empty
