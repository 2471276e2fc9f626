"""Two folders of pictures matched without a run."""

import io
import os
from pathlib import Path

import children
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline import app, matching, paths
from pipeline.data import images
from pipeline.encoders import compiled, packed


@pytest.fixture
def encoder(here):
    return packed.Packed("tiny", children.ENCODER, compiled.compiled(children.ENCODER, paths.weights("sample", "tiny")))


@pytest.fixture
def folders(tmp_path, rng):
    """Twenty-one pictures, some in a folder below, and of five of them smaller copies as photos."""
    gallery, photos = tmp_path / "my pictures", tmp_path / "Fotos ä"
    (gallery / "below").mkdir(parents=True)
    photos.mkdir()
    for number in range(21):
        pixels = np.kron(rng.integers(0, 256, (4, 3, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        place = gallery / "below" if number % 3 else gallery
        Image.fromarray(pixels).save(place / f"{number:02}.png")
        if number % 5 == 0:
            Image.fromarray(pixels).resize((33, 44)).save(photos / f"photo {number:02}.jpg", quality=95)
    return gallery, photos


def test_each_photo_finds_its_picture_first_and_the_order_is_by_cosine(encoder, folders, tmp_path):
    gallery, photos = folders
    assert matching.write(photos, gallery, tmp_path / "m.csv", encoder, 4) == 0
    table = pd.read_csv(tmp_path / "m.csv")
    assert table.columns.tolist() == matching.COLUMNS
    vectors = {}
    for path in [*gallery.rglob("*.png"), *photos.iterdir()]:
        seen = images.prepare(images.decode(path.read_bytes()), encoder.spec)
        vector = encoder.encoder.run(seen[None])[0].astype(float)
        vectors[path.name] = vector / np.linalg.norm(vector)
    for photo, rows in table.groupby("file"):
        far = {name: 1 - vectors[photo] @ vector for name, vector in vectors.items() if name.endswith(".png")}
        expected = sorted(far, key=far.__getitem__)[:4]
        assert [match.rpartition("/")[2] for match in rows["match"]] == expected
        assert rows["rank"].tolist() == [1, 2, 3, 4]
        np.testing.assert_allclose(rows["distance"], [far[name] for name in expected], atol=2e-6)
    assert table["file"].unique().tolist() == [f"photo {number:02}.jpg" for number in (0, 5, 10, 15, 20)]


def test_within_one_folder_no_picture_finds_itself_and_all_others_are_found(encoder, folders, tmp_path):
    gallery, _ = folders
    matching.write(gallery, gallery, tmp_path / "m.csv", encoder, 50)
    table = pd.read_csv(tmp_path / "m.csv")
    assert (table["file"] != table["match"]).all()
    assert table.groupby("file")["match"].nunique().tolist() == [20] * 21


def test_photos_in_the_gallery_s_own_folder_below_do_not_find_themselves(encoder, folders, tmp_path):
    gallery, _ = folders
    matching.write(gallery / "below", gallery, tmp_path / "m.csv", encoder, 50)
    table = pd.read_csv(tmp_path / "m.csv")
    assert (("below/" + table["file"]) != table["match"]).all()
    assert table.groupby("file")["match"].nunique().tolist() == [20] * 14


def test_one_picture_alone_has_a_row_that_says_so(encoder, folders, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "a.jpg").write_bytes((folders[1] / "photo 00.jpg").read_bytes())
    for _ in range(2):  # the table that the first writes into the folder is no photo to the second
        assert matching.write(alone, alone, alone / "m.csv", encoder, 5) == 1
        table = pd.read_csv(alone / "m.csv")
        assert table[["file", "fault", "folder"]].to_numpy().tolist() == [
            ["a.jpg", "the gallery holds no other picture", "photos"]
        ]


def test_links_that_are_not_followed_are_told_by_name(encoder, folders, tmp_path):
    gallery, photos = folders
    (photos / "all").symlink_to(gallery, target_is_directory=True)
    (photos / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert matching.write(photos, gallery, tmp_path / "m.csv", encoder, 1) == 1
    table = pd.read_csv(tmp_path / "m.csv")
    assert table.loc[table["fault"].notna(), ["file", "fault", "folder"]].to_numpy().tolist() == [
        ["all", "a link to a folder, which is not followed", "photos"],
        ["gone.jpg", "a link that leads nowhere", "photos"],
    ]


def test_a_name_that_is_no_utf_8_is_matched_and_written_byte_by_byte(encoder, folders, tmp_path):
    gallery, photos = folders
    named = os.fsencode(photos) + b"/caf\xe9.jpg"
    try:
        Path(os.fsdecode(named)).write_bytes((photos / "photo 00.jpg").read_bytes())
    except OSError:
        pytest.skip("this system has no such names")
    assert matching.write(photos, gallery, tmp_path / "m.csv", encoder, 1) == 0
    assert "caf\\xe9.jpg" in pd.read_csv(tmp_path / "m.csv")["file"].tolist()


def test_what_is_no_picture_has_a_row_with_its_fault(encoder, folders, tmp_path, capsys):
    gallery, photos = folders
    (gallery / "note.txt").write_text("no picture", encoding="utf-8")
    (gallery / ".hidden").write_text("not looked at", encoding="utf-8")
    whole = io.BytesIO()
    Image.new("RGB", (90, 90), "red").save(whole, "JPEG")
    (photos / "cut.jpg").write_bytes(whole.getvalue()[:300])
    assert matching.write(photos, gallery, tmp_path / "m.csv", encoder, 1) == 1
    table = pd.read_csv(tmp_path / "m.csv")
    faults = table[table["fault"].notna()]
    assert faults[["file", "folder"]].to_numpy().tolist() == [["cut.jpg", "photos"], ["note.txt", "gallery"]]
    assert faults[["rank", "match", "distance"]].isna().all(axis=None)
    assert len(table) == 5 + 2
    assert "5 photos matched among 21 pictures, 2 left out" in capsys.readouterr().out


def test_a_picture_of_too_many_bytes_is_left_out_unread(encoder, folders, tmp_path, monkeypatch):
    gallery, photos = folders
    largest = max(photos.iterdir(), key=lambda path: path.stat().st_size)
    monkeypatch.setattr(matching, "MOST_BYTES", largest.stat().st_size - 1)
    sizes = {path.name: path.stat().st_size for path in photos.iterdir()}
    matching.write(photos, gallery, tmp_path / "m.csv", encoder, 1)
    table = pd.read_csv(tmp_path / "m.csv")
    said = f"{largest.stat().st_size:,} bytes; at most {matching.MOST_BYTES:,} are allowed"
    assert table.loc[table["file"] == largest.name, "fault"].tolist() == [said]
    assert set(table["file"]) >= set(sizes)


@pytest.mark.parametrize("what", ["no folder", "an empty one", "no picture"])
def test_folders_without_pictures_are_refused_before_anything_is_written(encoder, folders, tmp_path, what):
    gallery, photos = folders
    other = tmp_path / "other"
    if what != "no folder":
        other.mkdir()
    if what == "no picture":
        (other / "note.txt").write_text("x", encoding="utf-8")
    for places in ((other, gallery), (photos, other)):
        with pytest.raises(ValueError, match="is no folder with pictures|has no picture that can be read"):
            matching.write(*places, tmp_path / "m.csv", encoder, 1)
    assert not (tmp_path / "m.csv").exists()


def test_the_command_takes_a_packed_folder_and_says_what_there_is(here, folders, tmp_path, monkeypatch, capsys):
    gallery, photos = folders
    study = app.params.load()
    plain = app.params.Encoder.model_validate({**children.ENCODER.model_dump(), "weights": "tiny"})
    drawn = {"tiny": app.params.Weights(source="random", backbone=plain.backbone, seed=0)}
    packed.pack(study.model_copy(update={"encoders": {"plain": plain}, "weights": drawn}), "plain")
    monkeypatch.chdir(paths.packed("sample", "plain").parent)  # a folder is named from where the command is typed
    command = ["match", str(photos), str(tmp_path / "m.csv"), "--gallery", str(gallery), "--count", "2"]
    assert app.main(["--encoder", "plain", *command]) == 0
    assert len(pd.read_csv(tmp_path / "m.csv")) == 10
    assert app.main(["--encoder", "nobody", *command]) == 1
    assert "no packed encoder. Allowed:" in capsys.readouterr().err
    assert app.main(["--encoder", "plain", *command, "--distance", "cosin"]) == 1
    said = capsys.readouterr().err
    assert (
        "--distance is one of ['cosine', 'euclidean', 'manhattan']. Received: 'cosin'. Did you mean 'cosine'?" in said
    )
    assert app.main(["--encoder", "plain", *command[:-1], "0"]) == 1
    assert "--count is a number of matches, 1 or more. Received: 0" in capsys.readouterr().err


def test_a_table_of_matches_holds_no_formula(tmp_path):
    rows = [{"file": "=a.jpg", "rank": 1, "match": "@b.jpg", "distance": "0.5"}, {"file": "-c.jpg", "fault": "+cut"}]
    assert matching.write_table(tmp_path / "m.csv", ["file", "rank", "match", "fault"], rows, "photos matched") == 1
    assert (tmp_path / "m.csv").read_text().splitlines() == [
        "file,rank,match,fault",
        "'=a.jpg,1,'@b.jpg,",
        "'-c.jpg,,,'+cut",
    ]
