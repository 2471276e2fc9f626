"""The encoders that come along: whole, told, and what `suite=own` takes."""

import json
import shutil

import clones
import numpy as np
import pytest
import yaml
from PIL import Image

from pipeline import app, params, paths
from pipeline.data import catalog, images
from pipeline.encoders import packed, weights
from pipeline.params import cards

NAMES = cards.published()
SAID = (
    "licence",
    "data",
    "learnt_from",
    "metrics",
    "intended_use",
    "limits",
    "encoder",
    "classes",
    "learnt",
    "fingerprint",
)


def test_two_come_along_and_one_of_them_is_taken_where_none_is_named():
    assert NAMES == ["small", "small_open"]
    assert cards.USUAL in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_its_card_says_all_and_its_weights_are_the_card_s(name):
    folder = packed.found(name, paths.ROOT)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert set(SAID) <= set(card)
    assert all(card[key] for key in SAID)
    assert card["fingerprint"] == weights.fingerprint(folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 16e6
    assert (folder / "README.md").read_text(encoding="utf-8").startswith(f"# {name}\n")


def test_the_suite_for_own_pictures_sees_them_as_the_card_says(tmp_path):
    study = params.load(clones.compose(tmp_path / "params.yaml", "suite=own"))
    for name, spec in study.encoders.items():
        source = study.weights[spec.weights]
        assert (source.source, source.path) == ("packed", name)
        told = packed.read_spec(packed.found(name, paths.ROOT)).model_dump(exclude={"weights", "batch_size"})
        assert spec.model_dump(exclude={"weights", "batch_size"}) == told
    assert yaml.safe_load((paths.SUITES / "suite/own.yaml").read_text(encoding="utf-8"))["weights"].keys() == set(NAMES)


ALIKE = {  # cosines of two of four drawn pictures
    "small": [0.3618, 0.5090, 0.1928, 0.8624, 0.2558, 0.2080],
    "small_open": [0.3583, 0.4933, 0.2510, 0.7886, 0.4405, 0.3830],
}
EMBEDDED = {  # of their embeddings alone
    "small": [0.1789, 0.3587, 0.1869, 0.7403, 0.2764, 0.2243],
    "small_open": [0.2577, 0.4075, 0.1315, 0.8343, 0.3581, 0.3224],
}


@pytest.fixture
def drawn(in_sample, monkeypatch):
    """Four drawn pictures of four kinds, as bytes."""
    monkeypatch.setattr(paths, "BUILD", clones.ROOT / "build")  # compiled once
    with paths.open_images("sample") as archive:
        return [archive.read(name) for name in ("10001", "10233", "10371", "10463")]


@pytest.mark.parametrize("name", NAMES)
def test_its_vectors_are_those_that_were_published(name, drawn):
    """Random weights, or those of another training, would still find a picture's own copy: these numbers they miss."""
    given = packed.load(name)
    vectors = given.encoder.run(np.stack([images.prepare(images.decode(data), given.spec) for data in drawn]))
    embedded = vectors[:, -384:] / np.linalg.norm(vectors[:, -384:], axis=1, keepdims=True)
    for found, expected in ((vectors, ALIKE[name]), (embedded, EMBEDDED[name])):
        np.testing.assert_allclose((found @ found.T)[np.triu_indices(4, 1)], expected, atol=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_its_readme_s_example_runs_as_it_is_written(name, drawn, tmp_path, monkeypatch):
    shutil.copytree(paths.PUBLISHED / name, tmp_path / name)
    (tmp_path / name / "photo.jpg").write_bytes(drawn[0])
    monkeypatch.chdir(tmp_path / name)
    made: dict = {}
    exec(
        (tmp_path / name / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0],
        made,
    )
    assert np.linalg.norm(made["vector"]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("name", "first"), [("small", 0.6), ("small_open", 0.9)])
def test_a_picture_finds_its_own_smaller_among_forty_drawn_ones(name, first, tmp_path, in_sample, monkeypatch):
    """Drawn pictures are far from photos, and near each other: it is one of the first two, and so often the first."""
    monkeypatch.setattr(paths, "BUILD", clones.ROOT / "build")  # compiled once
    gallery, photos = tmp_path / "gallery", tmp_path / "photos"
    gallery.mkdir()
    photos.mkdir()
    ids = catalog.load("sample").drop_duplicates(catalog.SHA256)[catalog.ID].tolist()[:40]
    with paths.open_images("sample") as archive:
        for shown in ids:
            (gallery / f"{shown}.jpg").write_bytes(archive.read(shown))
    for shown in ids[::4]:
        Image.open(gallery / f"{shown}.jpg").resize((45, 60)).save(photos / f"{shown}.jpg")
    asked = ["match", str(photos), str(tmp_path / "m.csv"), "--gallery", str(gallery), "--count", "2"]
    assert app.main(["--encoder", name, *asked]) == 0
    rows = [line.split(",") for line in (tmp_path / "m.csv").read_text(encoding="utf-8").splitlines()[1:]]
    assert len(rows) == 20 and sum(file == match for file, _, match, *_ in rows) == 10
    assert np.mean([file == match for file, rank, match, *_ in rows if rank == "1"]) >= first
