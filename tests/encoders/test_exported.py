"""Encoders as files for other programs: the study's vectors, whoever runs them."""

import json
import shutil

import children
import clones
import numpy as np
import pytest

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import compiled, concatenation, exported, extract, packed, pretrained, store
from pipeline.params import cards

TINY = {**children.ENCODER.model_dump(), "weights": "tiny"}
COLOURS = {**TINY, "backbone": "colours", "weights": "colours"}
SMALLER = {**COLOURS, "image_size": 64}


@pytest.fixture(scope="module")
def study(workplace):
    """Two encoders and both as one, with their features; and one whose parts see pictures of two sizes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", workplace)
        patch.setattr(paths, "BUILD", workplace / "build")
        pretrained.make(params.Weights(source="none", backbone="colours"), paths.weights("sample", "colours"))
        quick = params.load()
        encoders = {"tiny": TINY, "colours": COLOURS, "smaller": SMALLER}
        both = {"first": "tiny", "second": "colours", "share": 0.3}
        made = quick.model_copy(
            update={
                "weights": {
                    "tiny": params.Weights(source="random", backbone="mobilenet_v2", seed=0),
                    "colours": params.Weights(source="none", backbone="colours"),
                },
                "encoders": {name: params.Encoder.model_validate(spec) for name, spec in encoders.items()},
                "concatenations": {
                    "both": params.Concatenation.model_validate(both),
                    "apart": params.Concatenation.model_validate({**both, "second": "smaller"}),
                },
            }
        )
        ids = catalog.load("sample")[catalog.ID].tolist()[:40]
        frame = catalog.load("sample")
        patch.setattr(catalog, "load", lambda data: frame[frame[catalog.ID].isin(ids)].reset_index(drop=True))
        for name, spec in made.encoders.items():
            extract.extract_features("sample", name, spec, ids, paths.features("sample", name))
        concatenation.concatenate("sample", "both", made.concatenations["both"])
        yield made


def of_both_files(folder, pictures):
    """What each of an encoder's files makes of pictures, LiteRT's first."""
    run = compiled.interpreted(folder / "model.tflite").run
    return run(pictures), exported.run_onnx(folder / "model.onnx", pictures)


@pytest.mark.parametrize("name", ["tiny", "both"])
def test_both_files_give_the_vectors_of_the_study(study, name):
    folder = exported.export(study, name)
    assert {path.name for path in folder.iterdir()} == {"model.tflite", "model.onnx", "card.json", "README.md"}
    known = store.read(paths.features("sample", name))
    with paths.open_images("sample") as archive:
        pictures = extract.load_pictures(archive, list(known.ids), study.encoders["tiny"])
    lengths = np.linalg.norm(known.vectors, axis=1).max()
    for found in of_both_files(folder, pictures):
        assert np.abs(found - known.vectors).max() < 1e-5 * lengths


@pytest.mark.parametrize("name", cards.published())
def test_one_that_comes_along_gives_its_own_vectors_in_both_files(study, name):
    """Each has a head, classifiers and descriptors in its graph; the two above have none."""
    source = params.Weights(source="packed", backbone="efficientnet_lite0", path=name)
    pretrained.make(source, paths.weights("sample", name))
    spec = packed.read_spec(packed.found(name, clones.ROOT)).model_copy(update={"weights": name})
    given = study.model_copy(update={"weights": {name: source}, "encoders": {name: spec}, "concatenations": {}})
    ids = catalog.load("sample")[catalog.ID].tolist()
    extract.extract_features("sample", name, spec, ids, paths.features("sample", name))
    folder = exported.export(given, name)
    with paths.open_images("sample") as archive:
        pictures = extract.load_pictures(archive, ids, spec)
    theirs = packed.load(name).encoder.run(pictures)
    for found in of_both_files(folder, pictures):
        assert np.abs(found - theirs).max() < 1e-5 * np.linalg.norm(theirs, axis=1).max()


def test_the_card_says_how_a_picture_is_prepared_and_what_the_parts_are(study):
    card = json.loads((exported.export(study, "both") / "card.json").read_text(encoding="utf-8"))
    assert card["input"]["height and width"] == list(study.encoders["tiny"].height_width)
    assert card["dimension"] == store.read(paths.features("sample", "both")).vectors.shape[1]
    assert {name: about["backbone"] for name, about in card["weights"].items()} == {
        "tiny": "mobilenet_v2",
        "colours": "colours",
    }
    assert {about["bytes"] > 0 for about in card["files"].values()} == {True}


def test_the_three_lines_of_the_example_run_and_give_the_vector(study, tmp_path, monkeypatch):
    folder = exported.export(study, "tiny")
    text = (folder / "README.md").read_text(encoding="utf-8")
    shutil.copytree(folder, tmp_path / "given")
    monkeypatch.chdir(tmp_path / "given")
    known = store.read(paths.features("sample", "tiny"))
    with paths.open_images("sample") as archive:
        (tmp_path / "given/photo.jpg").write_bytes(archive.read(known.ids[0]))
    space = {}
    exec(text.partition("```python\n")[2].partition("```")[0], space)
    assert space["vector"] == pytest.approx(known.vectors[0], abs=1e-5 * np.linalg.norm(known.vectors[0]))


def test_parts_that_see_two_sizes_are_no_single_network(study):
    with pytest.raises(exported.ExportError, match=r"tiny and smaller differ in \['height_width'\]"):
        exported.export(study, "apart")


def test_a_name_that_is_no_encoder_is_told_with_the_nearest(study):
    with pytest.raises(params.ParamsError, match=r"Received: 'tinny'\. Did you mean 'tiny'"):
        exported.export(study, "tinny")


def test_files_whose_vectors_are_not_the_study_s_are_refused_and_nothing_is_left(study, monkeypatch):
    shutil.rmtree(paths.exported("sample", "tiny"), ignore_errors=True)
    known = store.read(paths.features("sample", "tiny"))
    moved = store.FeatureSet(known.ids, known.vectors * np.float32(1.01), known.encoder_id)
    monkeypatch.setattr(store, "read", lambda path: moved)
    with pytest.raises(exported.ExportError, match=r"from the study's; allowed are 1e-05"):
        exported.export(study, "tiny")
    assert not paths.exported("sample", "tiny").exists()


def test_a_library_that_is_missing_is_named_with_how_to_get_it(monkeypatch):
    with pytest.raises(exported.ExportError, match="needs no_such_library. Install it with: pip install -e"):
        exported._library("no_such_library")
