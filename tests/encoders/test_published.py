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


def test_one_comes_along_and_is_the_one_that_match_takes():
    assert NAMES == ["small"]


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


ALIKE = [0.3832, 0.5493, 0.1959, 0.8168, 0.3590, 0.3131]  # cosines of two of four drawn pictures
EMBEDDED = [0.2392, 0.3863, 0.0374, 0.7506, 0.3755, 0.2918]  # of their vectors without the classifiers' opinions


@pytest.fixture
def drawn(in_sample, monkeypatch):
    """Four drawn pictures of four kinds, as bytes."""
    monkeypatch.setattr(paths, "BUILD", clones.ROOT / "build")  # compiled once
    with paths.open_images("sample") as archive:
        return [archive.read(name) for name in ("10001", "10233", "10371", "10463")]


def test_its_vectors_are_those_that_were_published(drawn):
    """Random weights, or those of another training, would still find a picture's own copy: these numbers they miss."""
    small = packed.load("small")
    vectors = small.encoder.run(np.stack([images.prepare(images.decode(data), small.spec) for data in drawn]))
    embedded = vectors[:, -384:] / np.linalg.norm(vectors[:, -384:], axis=1, keepdims=True)
    for found, expected in ((vectors, ALIKE), (embedded, EMBEDDED)):
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


def test_it_tells_kinds_apart_that_it_was_taught_and_colours(tmp_path, in_sample, monkeypatch):
    """Drawn pictures are far from photos: that a picture finds its own, smaller, is what can be asked of them."""
    monkeypatch.setattr(paths, "BUILD", clones.ROOT / "build")  # compiled once
    gallery, photos = tmp_path / "gallery", tmp_path / "photos"
    gallery.mkdir()
    photos.mkdir()
    ids = catalog.load("sample").drop_duplicates(catalog.SHA256)[catalog.ID].tolist()[:40]
    with paths.open_images("sample") as archive:
        for name in ids:
            (gallery / f"{name}.jpg").write_bytes(archive.read(name))
    for name in ids[::4]:
        Image.open(gallery / f"{name}.jpg").resize((45, 60)).save(photos / f"{name}.jpg")
    assert app.main(["match", str(photos), str(tmp_path / "m.csv"), "--gallery", str(gallery), "--count", "1"]) == 0
    rows = [line.split(",") for line in (tmp_path / "m.csv").read_text(encoding="utf-8").splitlines()[1:]]
    assert np.mean([file == match for file, _, match, *_ in rows]) >= 0.9
