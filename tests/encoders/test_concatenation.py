"""Two encoders' features as one: a cosine that is the weighted sum of theirs, of the same pictures, whole on disk."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline import params, paths
from pipeline.encoders import concatenation, store

SPEC = params.Concatenation(first="one", second="other", share=0.3)
PICTURES = concatenation.ROWS + 7  # more than are joined at once


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")


def keep(name, vectors, ids=None):
    meta, ids = {"encoder_id": f"{name}:1", "encoder": name}, ids or [f"{row}.jpg" for row in range(len(vectors))]
    meta["dimension"] = str(vectors.shape[1])
    store.write(paths.features("sample", name), meta, len(ids), [(ids, vectors)])


@pytest.fixture
def parts(rng):
    made = {
        "one": rng.normal(size=(PICTURES, 3)).astype(np.float32),
        "other": rng.normal(size=(PICTURES, 5)).astype(np.float32),
    }
    for name, vectors in made.items():
        keep(name, vectors * 7)
    return made


def cosine(one, other):
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def test_a_cosine_is_the_weighted_sum_of_the_parts_cosines(parts):
    joined = concatenation.concatenate("sample", "both", SPEC)
    assert joined.vectors.shape == (PICTURES, 8)
    assert joined.ids.tolist() == [f"{row}.jpg" for row in range(PICTURES)]
    for a, b in ((0, 1), (5, 5), (3, PICTURES - 1), (concatenation.ROWS - 1, concatenation.ROWS)):
        expected = 0.7 * cosine(parts["one"][a], parts["one"][b]) + 0.3 * cosine(parts["other"][a], parts["other"][b])
        assert cosine(joined.vectors[a], joined.vectors[b]) == pytest.approx(expected, abs=1e-6)
    assert np.linalg.norm(joined.vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_what_is_returned_lies_on_disk_and_the_same_again(parts):
    joined = concatenation.concatenate("sample", "both", SPEC)
    target = paths.features("sample", "both")
    before = target.read_bytes()
    kept = store.read(paths.features("sample", "both"))
    assert (kept.vectors == joined.vectors).all()
    assert kept.encoder_id == joined.encoder_id
    target.with_name("both.sqlite.working").write_bytes(b"left by a killed run")
    concatenation.concatenate("sample", "both", SPEC)
    assert target.read_bytes() == before
    assert sorted(path.name for path in target.parent.iterdir()) == ["both.sqlite", "one.sqlite", "other.sqlite"]


def test_the_parts_and_their_share_make_the_identity(parts, rng):
    def identity(**changes):
        return concatenation.concatenate("sample", "both", SPEC.model_copy(update=changes)).encoder_id

    first = identity()
    assert first.startswith("both:")
    keep("third", rng.normal(size=(PICTURES, 5)).astype(np.float32))
    assert len({first, identity(share=0.4), identity(second="third"), identity(first="other", second="one")}) == 4


def test_a_part_may_be_a_concatenation(parts):
    both = concatenation.concatenate("sample", "both", SPEC)
    again = concatenation.concatenate("sample", "all", params.Concatenation(first="both", second="one", share=0.5))
    expected = 0.5 * cosine(both.vectors[2], both.vectors[9]) + 0.5 * cosine(parts["one"][2], parts["one"][9])
    assert cosine(again.vectors[2], again.vectors[9]) == pytest.approx(expected, abs=1e-6)


def test_parts_of_other_pictures_are_refused_and_leave_nothing(parts):
    keep("other", parts["other"], [f"{row}.png" for row in range(PICTURES)])
    with pytest.raises(store.StoreError, match="one and other must have features of the same pictures"):
        concatenation.concatenate("sample", "both", SPEC)
    assert not paths.features("sample", "both").exists()


def test_a_part_that_is_missing_is_named_with_its_stage():
    with pytest.raises(
        store.StoreError, match=r"one.sqlite is missing. Make it with: dvc repro feature_extraction@one"
    ):
        concatenation.concatenate("sample", "both", SPEC)


NUMBERS = st.floats(-1e6, 1e6, width=32)


@settings(deadline=None)
@given(
    arrays.arrays(np.float32, (4, 3), elements=NUMBERS),
    arrays.arrays(np.float32, (4, 2), elements=NUMBERS),
    st.floats(0.01, 0.99),
)
def test_every_part_has_its_share_of_the_length_and_zeros_stay_zeros(first, second, share):
    joined = concatenation.join(first, second, share)
    assert joined.dtype == np.float32
    for part, own, length in ((joined[:, :3], first, 1 - share), (joined[:, 3:], second, share)):
        lengths = np.where(np.abs(own).max(axis=1) > 0, length, 0)
        assert (part.astype(float) ** 2).sum(axis=1) == pytest.approx(lengths, abs=1e-5)
