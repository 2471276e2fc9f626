"""A folder of pictures as the site shows it."""

import shutil

import children
import numpy as np
import pytest
from PIL import Image

from pipeline import app, own, params, paths
from pipeline.data import catalog
from pipeline.encoders import extract, packed, store
from pipeline.site.questions import Page, Question
from pipeline.site.site import Site


@pytest.fixture
def encoder(here):
    """The folder of a small packed encoder."""
    plain = params.Encoder.model_validate({**children.ENCODER.model_dump(), "weights": "tiny"})
    drawn = {"tiny": params.Weights(source="random", backbone=plain.backbone, seed=0)}
    return packed.pack(params.load().model_copy(update={"encoders": {"plain": plain}, "weights": drawn}), "plain")


@pytest.fixture
def gallery(tmp_path, rng):
    """Nine pictures, one of them twice, and two files that are none."""
    folder = tmp_path / "my pictures ü"
    (folder / "below").mkdir(parents=True)
    for number in range(9):
        pixels = np.kron(rng.integers(0, 256, (4, 3, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        Image.fromarray(pixels).save((folder / "below" if number % 2 else folder) / f"{number}.png")
    shutil.copyfile(folder / "4.png", folder / "again.png")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:60])
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    return folder


def shown(gallery, encoder):
    site = Site(own.study(gallery, str(encoder)))
    site.start()
    return site


def test_every_picture_is_a_product_called_as_its_file_and_finds_itself(gallery, encoder, capsys):
    site = shown(gallery, encoder)
    files = {path.relative_to(gallery).as_posix(): path for path in gallery.rglob("*.png") if path.name != "cut.png"}
    products = {one["productDisplayName"]: one["id"] for one in site.gallery.listed(Page(count=100))["products"]}
    assert products.keys() == files.keys() and len(set(products.values())) == 10
    for name, identity in products.items():
        assert site.picture(identity) == files[name].read_bytes()
        found = site.search(Question(), files[name].read_bytes())["results"][0]
        assert found["distance"] < 1e-6 and site.picture(found["id"]) == files[name].read_bytes()
    assert paths.user_photos(site.data).exists()  # an empty one: none came with the pictures
    told = capsys.readouterr().err
    assert "left out: cut.png: " in told and "left out: notes.txt: " in told
    assert catalog.load_report(site.data)["left_out"].keys() == {"cut.png", "notes.txt"}


def test_a_second_start_computes_nothing_and_a_changed_picture_is_seen_anew(gallery, encoder, monkeypatch):
    first = own.study(gallery, str(encoder))
    before = store.read(paths.features(first.data.name, "plain"))
    with monkeypatch.context() as patch:
        patch.setattr(extract, "extract_features", lambda *given: pytest.fail("computed again"))
        assert own.study(gallery, str(encoder)).data.name == first.data.name
    shutil.copyfile(gallery / "0.png", gallery / "2.png")
    own.study(gallery, str(encoder))
    after = store.read(paths.features(first.data.name, "plain"))
    assert len(after.ids) == len(before.ids) and after.ids.tolist() != before.ids.tolist()
    assert shown(gallery, encoder).ids == after.ids.tolist()


def test_folders_of_one_name_are_kept_apart_and_names_are_plain(gallery, encoder, tmp_path):
    other = tmp_path / "elsewhere" / gallery.name
    shutil.copytree(gallery, other)
    names = {own.study(folder, str(encoder)).data.name for folder in (gallery, other)}
    assert len(names) == 2
    assert all(name.startswith("my_pictures-") for name in names)
    assert params.Data.model_fields.keys() == own.study(other, str(encoder)).data.model_dump().keys()


def test_the_first_faults_are_said_and_the_report_has_all(gallery, encoder, capsys):
    for number in range(own.SHOWN):
        (gallery / f"x{number}.txt").write_text("none", encoding="utf-8")
    study = own.study(gallery, str(encoder))
    told = capsys.readouterr().err
    assert told.count("left out: ") == own.SHOWN + 1 and "left out: 2 more: " in told
    assert len(catalog.load_report(study.data.name)["left_out"]) == own.SHOWN + 2


def test_a_folder_without_a_picture_is_refused_and_leaves_nothing(tmp_path, encoder):
    (tmp_path / "none").mkdir()
    (tmp_path / "none/notes.txt").write_text("no picture", encoding="utf-8")
    with pytest.raises(ValueError, match=r"none has no picture that can be read\. The first of 1: notes\.txt: not a"):
        own.study(tmp_path / "none", str(encoder))
    with pytest.raises(ValueError, match="nowhere is no folder"):
        own.study(tmp_path / "nowhere", str(encoder))
    assert not [path for path in (paths.ROOT / "outputs").glob("none-*/*") if path.is_file()]


def test_the_gallery_may_be_named_before_match(gallery, encoder, tmp_path):
    command = ["--encoder", str(encoder), "--gallery", str(gallery), "match", str(gallery), str(tmp_path / "m.csv")]
    assert app.main(command) == 1  # two files that are no pictures
    assert "below/1.png" in (tmp_path / "m.csv").read_text(encoding="utf-8")
