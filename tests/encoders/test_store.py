"""Features on disk: exact, whole, checked."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.encoders import store
from pipeline.encoders.store import FeatureSet, StoreError

META = {"encoder_id": "e:1", "dimension": "3", "encoder": "e"}


def written(path, vectors, parts=1):
    connection = store.create(path.with_suffix(".working"), META)
    ids = [f"id{row}" for row in range(len(vectors))]
    for rows in np.array_split(np.arange(len(vectors)), parts):
        store.append(connection, [ids[row] for row in rows], vectors[rows])
    store.finish(connection, path)
    path.with_suffix(".working").unlink()
    return path


@pytest.fixture
def vectors(rng):
    return rng.normal(size=(50, 3)).astype(np.float32)


def test_what_is_written_is_read_to_the_last_bit(tmp_path, vectors):
    features = store.read(written(tmp_path / "f.sqlite", vectors))
    assert (features.vectors == vectors).all()
    assert features.ids.tolist() == [f"id{row}" for row in range(50)]
    assert features.encoder_id == "e:1"
    assert not features.vectors.flags.writeable


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None, max_examples=40)
@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 6), st.just(3)), elements=FLOATS), st.data())
def test_every_number_and_every_id_come_back_in_their_order(tmp_path_factory, values, data):
    ids = data.draw(st.lists(TEXT, min_size=len(values), max_size=len(values), unique=True))
    folder = tmp_path_factory.mktemp("store")
    connection = store.create(folder / "working", META)
    store.append(connection, ids, values)
    store.finish(connection, folder / "f.sqlite")
    features = store.read(folder / "f.sqlite")
    assert features.vectors.tobytes() == values.tobytes()
    assert features.ids.tolist() == ids


def test_a_batch_is_added_whole_or_not_at_all(tmp_path, vectors):
    connection = store.create(tmp_path / "working", META)
    store.append(connection, ["a", "b"], vectors[:2])
    with pytest.raises(sqlite3.IntegrityError):
        store.append(connection, ["c", "d", "a"], vectors[:3])
    connection.close()
    with sqlite3.connect(tmp_path / "working") as again:
        assert [name for (name,) in again.execute("SELECT image_name FROM image_features")] == ["a", "b"]


def test_finishing_where_nothing_can_be_written_leaves_no_part(tmp_path, vectors):
    (tmp_path / "f.sqlite/taken").mkdir(parents=True)
    connection = store.create(tmp_path / "working", META)
    store.append(connection, ["a"], vectors[:1])
    with pytest.raises(OSError):
        store.finish(connection, tmp_path / "f.sqlite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.sqlite", "working"]


@pytest.mark.parametrize("older", [True, False])
def test_a_file_that_could_not_be_packed_to_its_end_takes_no_place(tmp_path, vectors, older):
    if older:
        written(tmp_path / "f.sqlite", vectors)
    connection = store.create(tmp_path / "working", META)
    store.append(connection, [f"{row}" for row in range(40_000)], np.zeros((40_000, 3), np.float32))
    connection.set_progress_handler(lambda: 1, 200_000)  # SQLite gives up in the middle
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        store.finish(connection, tmp_path / "f.sqlite")
    assert sorted(path.name for path in tmp_path.iterdir()) == (["f.sqlite", "working"] if older else ["working"])
    if older:
        assert len(store.read(tmp_path / "f.sqlite").ids) == 50


def test_a_part_left_by_a_killed_run_is_replaced(tmp_path, vectors):
    (tmp_path / "f.sqlite.partial").write_bytes(b"half a file")
    assert len(store.read(written(tmp_path / "f.sqlite", vectors)).ids) == 50
    assert [path.name for path in tmp_path.iterdir()] == ["f.sqlite"]


def test_bytes_depend_on_the_rows_and_not_on_how_often_they_were_committed(tmp_path, vectors):
    files = [written(tmp_path / f"{parts}.sqlite", vectors, parts) for parts in (1, 7, 50)]
    assert len({file.read_bytes() for file in files}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.sqlite", "50.sqlite", "7.sqlite"]


def test_what_ends_while_a_file_is_begun_leaves_no_table_without_its_facts(tmp_path):
    with pytest.raises(sqlite3.IntegrityError):
        store.create(tmp_path / "working", {**META, "encoder_id": None})
    with closing(sqlite3.connect(tmp_path / "working")) as left:
        assert left.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_a_missing_file_says_its_stage(tmp_path):
    with pytest.raises(StoreError, match="dvc repro feature_extraction@e, or visual_words@e, or concatenation@e$"):
        store.read(tmp_path / "e.sqlite")


@pytest.mark.parametrize(
    "content", [b"", b"no database at all, but long enough to look at", b"SQLite format 3\0" + b"\0" * 200]
)
def test_a_file_that_holds_no_features_is_refused(tmp_path, content):
    (tmp_path / "e.sqlite").write_bytes(content)
    with pytest.raises(StoreError, match="no features file"):
        store.read(tmp_path / "e.sqlite")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.3, 0.5, 0.9])
def test_a_cut_file_is_refused(tmp_path, vectors, share):
    path = written(tmp_path / "e.sqlite", np.tile(vectors, (40, 1)))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(StoreError, match="no features file"):
        store.read(path)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE image_features",
        "DELETE FROM meta WHERE key = 'dimension'",
        "UPDATE meta SET value = 'many' WHERE key = 'dimension'",
        "UPDATE image_features SET features = '0.5,0.25,0.5'",
    ],
)
def test_a_file_of_another_make_is_refused_by_name(tmp_path, vectors, statement):
    path = written(tmp_path / "e.sqlite", vectors)
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(StoreError, match="e.sqlite"):
        store.read(path)


def test_a_damaged_page_is_said(tmp_path, vectors):
    path = written(tmp_path / "e.sqlite", np.tile(vectors, (40, 1)))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(data)
    with pytest.raises(StoreError, match="e.sqlite"):
        store.read(path)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE meta SET value = '0' WHERE key = 'schema'", "another schema"),
        ("UPDATE image_features SET features = x'00000000' WHERE image_name = 'id7'", "id7 has 1 numbers, expected 3"),
    ],
)
def test_another_schema_and_wrong_rows_are_refused(tmp_path, vectors, statement, words):
    path = written(tmp_path / "e.sqlite", vectors)
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(StoreError, match=words):
        store.read(path)


@pytest.mark.parametrize(
    ("ids", "values", "words"),
    [
        (["a", "b"], np.zeros((2, 3)), "float32"),
        (["a", "b"], np.zeros(2, "f4"), "float32"),
        (["a"], np.zeros((2, 3), "f4"), "one length"),
        (["a", "a"], np.zeros((2, 3), "f4"), "unique"),
        (["a", "b"], np.array([[0, 1], [np.nan, 0]], "f4"), "1 rows that are not"),
    ],
)
def test_a_feature_set_checks_itself(ids, values, words):
    with pytest.raises(ValueError, match=words):
        FeatureSet(np.array(ids, object), values, "e:1")


def test_take_keeps_rows_together(tmp_path, vectors):
    features = store.read(written(tmp_path / "f.sqlite", vectors))
    part = features.take(np.array([4, 2]))
    assert part.ids.tolist() == ["id4", "id2"]
    assert (part.vectors == vectors[[4, 2]]).all()


def test_a_copy_gets_the_features_of_its_original_and_nobody_else_does(tmp_path, vectors):
    path = written(tmp_path / "g.sqlite", vectors)
    with sqlite3.connect(path) as connection:
        store.repeat(connection, {"id3": "id1", "id4": "id1"})
    connection.close()
    features = store.read(path)
    assert features.ids.tolist() == [f"id{number}" for number in range(len(vectors))]
    assert (features.vectors == vectors[[0, 1, 2, 1, 1, *range(5, len(vectors))]]).all()
