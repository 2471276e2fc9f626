"""Features on disk: exact, whole, checked."""

import sqlite3

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.encoders import mapped, store
from pipeline.encoders.store import FeatureSet, StoreError

META = {"encoder_id": "e:1", "dimension": "3", "encoder": "e"}


def written(path, vectors, parts=1, **more):
    ids = [f"id{row}" for row in range(len(vectors))]
    rows = [part for part in np.array_split(np.arange(len(vectors)), parts) if len(part)]
    store.write(path, META, len(vectors), [([ids[row] for row in part], vectors[part]) for part in rows], **more)
    return path


@pytest.fixture(params=["a file", "a folder"])
def form(request, monkeypatch):
    """Both forms that features are kept in, whatever their number."""
    if request.param == "a folder":
        monkeypatch.setattr(store, "LARGE", 0)
        monkeypatch.setattr(mapped, "ROWS", 8)
    return request.param


@pytest.fixture
def vectors(rng):
    return rng.normal(size=(50, 3)).astype(np.float32)


def test_what_is_written_is_read_to_the_last_bit(tmp_path, vectors, form):
    path = written(tmp_path / "f.sqlite", vectors)
    features = store.read(path)
    assert path.is_dir() == isinstance(features.vectors, np.memmap) == (form == "a folder")
    assert (features.vectors == vectors).all()
    assert features.ids.tolist() == [f"id{row}" for row in range(50)]
    assert features.encoder_id == "e:1" == store.meta(path)["encoder_id"]
    assert not features.vectors.flags.writeable


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 20), st.just(3)), elements=FLOATS), st.data())
def test_every_number_and_every_id_come_back_in_their_order(tmp_path_factory, form, values, data):
    ids = data.draw(st.lists(TEXT, min_size=len(values), max_size=len(values), unique=True))
    folder = tmp_path_factory.mktemp("store")
    store.write(folder / "f.sqlite", META, len(ids), [(ids, values)])
    features = store.read(folder / "f.sqlite")
    assert features.vectors.tobytes() == values.tobytes()
    assert features.ids.tolist() == ids


def broken(vectors):
    yield ["a", "b"], vectors[:2]
    raise OSError("no more")


@pytest.mark.parametrize("older", [True, False])
def test_what_could_not_be_written_to_its_end_takes_no_place(tmp_path, vectors, form, older):
    if older:
        written(tmp_path / "f.sqlite", vectors)
    with pytest.raises(OSError, match="no more"):
        store.write(tmp_path / "f.sqlite", META, 50, broken(vectors))
    assert [path.name for path in tmp_path.iterdir()] == (["f.sqlite"] if older else [])
    if older:
        assert len(store.read(tmp_path / "f.sqlite").ids) == 50


@pytest.mark.parametrize("most", [0, 100])
def test_what_could_not_be_written_takes_no_place_of_the_other_form(tmp_path, vectors, monkeypatch, most):
    monkeypatch.setattr(store, "LARGE", most)
    written(tmp_path / "f.sqlite", vectors)
    monkeypatch.setattr(store, "LARGE", 100 - most)
    with pytest.raises(OSError, match="no more"):
        store.write(tmp_path / "f.sqlite", META, 50, broken(vectors))
    assert (store.read(tmp_path / "f.sqlite").vectors == vectors).all()


def test_finishing_where_nothing_can_be_written_leaves_no_part(tmp_path, vectors):
    (tmp_path / "f.sqlite/taken").mkdir(parents=True)
    with pytest.raises(OSError):
        written(tmp_path / "f.sqlite", vectors)
    assert [path.name for path in tmp_path.iterdir()] == ["f.sqlite"]


def test_a_file_that_could_not_be_packed_to_its_end_takes_no_place(tmp_path, vectors, monkeypatch):
    written(tmp_path / "f.sqlite", vectors)
    create = store._create

    def gives_up(path, meta):
        connection = create(path, meta)
        connection.set_progress_handler(lambda: 1, 200_000)  # SQLite gives up in the middle
        return connection

    monkeypatch.setattr(store, "_create", gives_up)
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        written(tmp_path / "f.sqlite", np.zeros((40_000, 3), np.float32), parts=200)
    assert [path.name for path in tmp_path.iterdir()] == ["f.sqlite"]
    assert len(store.read(tmp_path / "f.sqlite").ids) == 50


@pytest.mark.parametrize("left", ["a file", "a folder"])
def test_parts_left_by_a_killed_run_in_either_form_are_replaced(tmp_path, vectors, form, left):
    for word in ("partial", "working"):
        if left == "a folder":
            (tmp_path / f"f.sqlite.{word}/half").mkdir(parents=True)
        else:
            (tmp_path / f"f.sqlite.{word}").write_bytes(b"half a file")
    assert len(store.read(written(tmp_path / "f.sqlite", vectors)).ids) == 50
    assert [path.name for path in tmp_path.iterdir()] == ["f.sqlite"]


def test_bytes_depend_on_the_rows_and_not_on_the_parts_they_came_in(tmp_path, vectors, form):
    made = [written(tmp_path / f"{parts}.sqlite", vectors, parts) for parts in (1, 7, 50)]
    assert len({b"".join(file.read_bytes() for file in files_of(path)) for path in made}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.sqlite", "50.sqlite", "7.sqlite"]


def files_of(path):
    return sorted(path.iterdir()) if path.is_dir() else [path]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([(["a"], np.zeros((1, 4), np.float32))], r"shape \(1, 3\). Received: \(1, 4\)"),
        ([(["a", "b"], np.zeros((1, 3), np.float32))], r"shape \(2, 3\). Received: \(1, 3\)"),
        ([(["a"], np.zeros((1, 3), np.float32))], "must be 2 pictures. Received: 1"),
        ([([one], np.zeros((1, 3), np.float32)) for one in "abc"], "must be 2 pictures. Received: 3"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path, form, parts, words):
    with pytest.raises(ValueError, match=words):
        store.write(tmp_path / "f.sqlite", META, 2, parts)
    assert not list(tmp_path.iterdir())


def test_more_pictures_than_before_or_fewer_take_the_place_of_the_other_form(tmp_path, vectors, monkeypatch):
    for most, form in ((10, "dir"), (100, "file"), (10, "dir")):
        monkeypatch.setattr(store, "LARGE", most)
        path = written(tmp_path / "f.sqlite", vectors)
        assert getattr(path, f"is_{form}")() and (store.read(path).vectors == vectors).all()
    assert [path.name for path in tmp_path.iterdir()] == ["f.sqlite"]


def test_a_missing_file_says_its_stage(tmp_path):
    with pytest.raises(
        StoreError, match="dvc repro feature_extraction@e, or visual_words@e, or concatenation@e, or expansion@e$"
    ):
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


def test_a_copy_gets_the_features_of_its_original_and_nobody_else_does(tmp_path, vectors, form):
    path = written(tmp_path / "g.sqlite", vectors, parts=20, copies={"id3": "id1", "id4": "id1", "id2": "id49"})
    features = store.read(path)
    assert features.ids.tolist() == [f"id{number}" for number in range(len(vectors))]
    assert (features.vectors == vectors[[0, 1, 49, 1, 1, *range(5, len(vectors))]]).all()
