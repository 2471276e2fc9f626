"""The shelf of added products, and the snapshots that follow it: what is new is read, and nothing else."""

import sqlite3

import numpy as np
import pandas as pd
import pytest

from pipeline.data import catalog, text
from pipeline.site import products, snapshots

FACTS = {"articleType": "Kimonos", "gender": "Men", "productDisplayName": "Quaint thing"}


@pytest.fixture
def shelf(tmp_path):
    return tmp_path / "a place" / "p?.sqlite"


@pytest.fixture
def begun():
    """Four products of the catalogue; the second has no type."""
    blank = dict.fromkeys(catalog.COLUMNS)
    rows = [
        {**blank, "id": f"{row}", "articleType": kind, "gender": "Men"}
        for row, kind in enumerate(["Shirts", None, "Ties", "Shirts"])
    ]
    return snapshots.begin(pd.DataFrame(rows).assign(sha256=list("abcd")))


def same(one, other):
    """Whether two snapshots say the same of every product."""
    assert one.told.tolist() == other.told.tolist()
    assert one.hidden.tolist() == other.hidden.tolist()
    assert one.choices == other.choices
    assert one.added == other.added
    for name in one.values:
        for value in {*one.choices[name], *other.choices[name]}:
            assert one.having({name: [value]}).tolist() == other.having({name: [value]}).tolist()
    for asked in ("kimono", "shirts men", "quaint"):
        found = [now.words @ now.vocabulary.transform([asked]).toarray().ravel() for now in (one, other)]
        np.testing.assert_allclose(*found, atol=1e-6)
    assert len(set(one.duplicates)) == len(one.told)
    assert {name: part.tolist() for name, part in one.features.items()} == {
        name: part.tolist() for name, part in other.features.items()
    }


def vectors(shelf, identity="e"):
    """Of all that are on a shelf, in their order."""
    ids = [one for _, one, _ in products.look(shelf).new]
    found = products.features(shelf, identity, ids)
    return {identity: np.stack([found[one] for one in ids]) if ids else np.empty((0, 2), np.float32)}


def test_a_snapshot_that_followed_every_change_is_that_of_one_who_comes_at_the_end(shelf, begun):
    now = snapshots.renewed(snapshots.first(begun), products.look(shelf), {"e": np.empty((0, 2), np.float32)})
    now.features["e"] = np.empty((0, 2), np.float32)
    changes = [
        lambda: products.add(shelf, "x", FACTS, b"p", {"e": np.float32([1, 2])}),
        lambda: products.add(shelf, "y", {"gender": "Women"}, b"p", {"e": np.float32([3, 4])}),
        lambda: products.remove(shelf, "2", catalogued=True),
        lambda: products.remove(shelf, "x", catalogued=False),
        lambda: products.add(shelf, "x", {"gender": "Boys"}, b"p", {"e": np.float32([5, 6])}),
        lambda: products.restore(shelf, "2"),
        lambda: products.remove(shelf, "3", catalogued=True),
    ]
    for change in changes:
        change()
        found = products.look(shelf, since=max((number for number, _ in now.added), default=0))
        new = products.features(shelf, "e", [one for _, one, _ in found.new])
        now = snapshots.renewed(now, found, {"e": np.float32(list(new.values())).reshape(-1, 2)})
        late = snapshots.first(begun)
        late.features["e"] = np.empty((0, 2), np.float32)
        same(now, snapshots.renewed(late, products.look(shelf), vectors(shelf)))
    assert [identity for _, identity in now.added] == ["y", "x"]


def test_one_product_more_has_one_text_read(shelf, begun, monkeypatch):
    for number in range(20):
        products.add(shelf, f"p-{number}", FACTS, b"p", {})
    now = snapshots.renewed(snapshots.first(begun), products.look(shelf), {})
    products.add(shelf, "one", FACTS, b"p", {})
    read = []
    monkeypatch.setattr(text, "stems", lambda said, real=text.stems: read.append(said) or real(said))
    found = products.look(shelf, since=now.added[-1][0])
    assert [identity for _, identity, _ in found.new] == ["one"]
    snapshots.renewed(now, found, {})
    assert 0 < len(read) <= 2


def test_every_change_has_a_number_of_its_own_and_looking_has_none(shelf):
    seen = [products.version(shelf)]
    for change in (
        lambda: products.add(shelf, "x", {}, b"p", {}),
        lambda: products.remove(shelf, "x", catalogued=False),
        lambda: products.add(shelf, "x", {}, b"p", {}),
        lambda: products.remove(shelf, "5", catalogued=True),
        lambda: products.restore(shelf, "5"),
    ):
        change()
        products.look(shelf)
        seen.append(products.version(shelf))
    assert seen == sorted(set(seen))
    for change in (
        lambda: products.remove(shelf, "nobody", catalogued=False),
        lambda: products.restore(shelf, "5"),
        lambda: products.add(shelf, "x", {}, b"p", {}),
    ):
        with pytest.raises(ValueError, match="no product|not taken away|taken"):
            change()
    assert products.version(shelf) == seen[-1]


def test_a_shelf_of_before_versions_goes_on(shelf):
    shelf.parent.mkdir()
    with sqlite3.connect(shelf) as file:
        file.executescript(products.TABLES)
        file.execute("INSERT INTO added VALUES (7, 'old', '{}', 'p')")
    products.add(shelf, "new", {}, b"p", {})
    assert [row[:2] for row in products.look(shelf).new] == [(7, "old"), (8, "new")]


def test_looking_writes_nothing(shelf):
    assert products.look(shelf) == products.Shelf(0, set(), [], set())
    assert products.version(shelf) == 0 and products.features(shelf, "e", ["x"]) == {}
    with pytest.raises(products.Missing):
        products.picture(shelf, "x")
    assert not shelf.parent.exists()


def test_features_of_a_product_that_is_gone_are_not_kept_for_the_next_of_its_name(shelf):
    products.add(shelf, "x", {}, b"p", {})
    number = products.look(shelf).new[0][0]
    products.remove(shelf, "x", catalogued=False)
    products.add(shelf, "x", {}, b"other", {})
    products.keep(shelf, "e", {(number, "x"): np.float32([1])})
    assert products.features(shelf, "e", ["x"]) == {}
