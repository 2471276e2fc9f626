"""Vectors expanded by their nearest of the train part: a slow loop's, and nothing of what is tested in them."""

import numpy as np
import pandas as pd
import pytest

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.retrieval import expansion

SPEC = params.Expansion(encoder="one", neighbours=3, alpha=2.0, share=0.4)
PICTURES = expansion.ROWS + 40  # more than are expanded at once


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")


def keep(vectors, ids=None):
    ids = ids or [f"{row}.jpg" for row in range(len(vectors))]
    meta = {"encoder_id": "one:1", "encoder": "one", "dimension": str(vectors.shape[1])}
    store.write(paths.features("sample", "one"), meta, len(ids), [(ids, vectors)])


@pytest.fixture
def world(rng):
    """Features at any length, and which pictures are of the train part."""
    vectors = rng.normal(size=(PICTURES, 6)).astype(np.float32) * 5
    parts = rng.choice([catalog.TRAIN, catalog.TEST], PICTURES, p=[0.3, 0.7])
    frame = pd.DataFrame({catalog.ID: [f"{row}.jpg" for row in range(PICTURES)], catalog.SPLIT: parts})
    keep(vectors)
    frame.to_parquet(paths.catalog("sample"), index=False)
    return vectors, parts == catalog.TRAIN


def unit(vector):
    return vector / np.linalg.norm(vector)


def by_hand(vectors, learnt, row, spec=SPEC):
    """One picture's vector, by a loop over all that may be added."""
    own = unit(vectors[row].astype(np.float64))
    near = sorted(((own @ unit(vectors[one]), one) for one in np.flatnonzero(learnt) if one != row), reverse=True)
    total = own.copy()
    for similarity, one in near[: spec.neighbours]:
        total += max(similarity, 0) ** spec.alpha * unit(vectors[one])
    parts = [own * (1 - spec.share) ** 0.5, unit(total) * spec.share**0.5]
    return np.concatenate(parts) if spec.share < 1 else unit(total)


def rows_of(vectors, context, spec=SPEC):
    """Every vector with its nearest of a few."""
    return np.concatenate([made for _, made in expansion.beside(vectors, np.array(context), spec)])


def test_every_vector_stands_beside_its_expanded_one_as_a_loop_makes_it(world):
    vectors, learnt = world
    made = expansion.expand("sample", "more", SPEC)
    assert made.ids.tolist() == [f"{row}.jpg" for row in range(PICTURES)]
    for row in (0, 1, 2, 3, expansion.ROWS - 1, expansion.ROWS, PICTURES - 1):
        assert made.vectors[row] == pytest.approx(by_hand(vectors, learnt, row), abs=1e-5)
    kept = store.read(paths.features("sample", "more"))
    assert (kept.vectors == made.vectors).all()
    assert kept.encoder_id == made.encoder_id


def test_a_share_of_one_leaves_nothing_else(world):
    vectors, learnt = world
    whole = SPEC.model_copy(update={"share": 1.0})
    made = expansion.expand("sample", "more", whole)
    assert made.vectors.shape == vectors.shape
    assert made.vectors[5] == pytest.approx(by_hand(vectors, learnt, 5, whole), abs=1e-5)


def test_a_test_picture_is_in_nobodys_vector_but_its_own(world):
    """So a test query that a protocol hides from the gallery has not left its mark there."""
    vectors, learnt = world
    before = expansion.expand("sample", "more", SPEC).vectors.copy()
    asked = np.flatnonzero(~learnt)[::2]
    others = vectors.copy()
    others[asked] = others[np.flatnonzero(learnt)[0]]  # as near to a train picture as can be
    keep(others)
    after = expansion.expand("sample", "more", SPEC).vectors
    untouched = np.setdiff1d(np.arange(PICTURES), asked)
    assert (before[untouched] == after[untouched]).all()
    assert not np.isclose(before[asked], after[asked]).all(axis=1).any()


def test_labels_are_not_looked_at(world):
    vectors, learnt = world
    before = expansion.expand("sample", "more", SPEC).vectors.copy()
    frame = catalog.load("sample")
    frame.assign(**{catalog.ARTICLE: "Tops"}).to_parquet(paths.catalog("sample"), index=False)
    assert (expansion.expand("sample", "more", SPEC).vectors == before).all()


def test_few_train_pictures_are_all_that_is_added_and_a_lone_one_stays_as_it_is(rng):
    vectors = rng.normal(size=(5, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = rows_of(vectors, [0, 3])
    learnt = np.isin(np.arange(5), [0, 3])
    assert made == pytest.approx(np.stack([by_hand(vectors, learnt, row) for row in range(5)]), abs=1e-6)
    alone = rows_of(vectors, [3], SPEC.model_copy(update={"share": 1.0}))
    assert alone[3] == pytest.approx(vectors[3], abs=1e-6)


def test_a_blank_vector_is_nobodys_neighbour_by_more_than_nothing(rng):
    vectors = rng.normal(size=(6, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[2] = 0
    made = rows_of(vectors, range(6))
    assert np.isfinite(made).all()
    assert not made[2].any()


def test_what_is_asked_for_makes_the_identity(world):
    def identity(**changes):
        return expansion.expand("sample", "more", SPEC.model_copy(update=changes)).encoder_id

    identities = [identity(), identity(neighbours=4), identity(alpha=1.0), identity(share=0.5)]
    assert len(set(identities)) == 4
    assert identity() == identities[0]
    frame = catalog.load("sample")
    frame.assign(**{catalog.SPLIT: frame[catalog.SPLIT].iloc[::-1].to_numpy()}).to_parquet(
        paths.catalog("sample"), index=False
    )
    assert identity() not in identities  # the same features, expanded by other pictures


def test_features_of_other_pictures_are_refused(world):
    vectors, _ = world
    turned = [f"{row}.jpg" for row in reversed(range(PICTURES))]
    for others, ids in ((vectors[:-1], None), (vectors, turned)):
        keep(others, ids)
        with pytest.raises(
            store.StoreError, match=r"one must have features of the catalogue's pictures.*Run its stage"
        ):
            expansion.expand("sample", "more", SPEC)


def test_a_catalogue_without_a_train_part_is_refused(world):
    frame = catalog.load("sample")
    frame.assign(**{catalog.SPLIT: catalog.TEST}).to_parquet(paths.catalog("sample"), index=False)
    with pytest.raises(ValueError, match=r"none of the catalogue's 1064 pictures is in its train part"):
        expansion.expand("sample", "more", SPEC)
