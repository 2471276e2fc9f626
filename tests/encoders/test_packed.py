"""Encoders to give away: half the bytes, nearly the same vectors, nothing that is not theirs."""

import json
import re
import shutil

import children
import h5py
import numpy as np
import pytest

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import backbones, compiled, concatenation, extract, packed, pretrained, weights
from pipeline.encoders.card import WeightsError
from pipeline.params import cards

POSTERIORS = {"articleType": 0.2}


@pytest.fixture
def study(here, taught):
    """An encoder with a head and a classifier, and one with neither."""
    quick = params.load()
    plain = {**children.ENCODER.model_dump(), "weights": "tiny"}
    encoders = {"plain": plain, "taught": {**plain, **taught}}
    yield quick.model_copy(
        update={
            "encoders": {k: params.Encoder.model_validate(v) for k, v in encoders.items()},
            "weights": {"tiny": params.Weights(source="random", backbone="mobilenet_v2", seed=0)},
            "finetunes": {"taught": children.finetune_like(head=taught["head"], seed=4)},
        }
    )
    shutil.rmtree(paths.packed("sample", "taught"), ignore_errors=True)
    shutil.rmtree(paths.packed("sample", "plain"), ignore_errors=True)


@pytest.fixture
def taught(here):
    """Weights as a finetune leaves them: a backbone's, a head's and a classifier's."""
    head = [{"units": 8, "activation": "relu"}]
    spec = children.ENCODER.model_copy(update={"weights": "taught", "posteriors": POSTERIORS})
    spec = params.Encoder.model_validate({**spec.model_dump(), "head": head})
    names = ["Belts", "Shirts", "Tshirts"]
    weights.start_afresh(3)
    model = backbones.encoder(spec, {"articleType": len(names)})
    parts = [model.get_layer(name) for name in ("backbone", "head", "classifier_articleType")]
    about = {
        "source": "finetune",
        "licence": "ours",
        "data": "sample",
        "classes": {"articleType": names, "gender": ["Men"]},
    }
    weights.save(parts, paths.weights("sample", "taught"), {**about, "backbone": spec.backbone})
    yield {"weights": "taught", "head": head, "posteriors": POSTERIORS}
    shutil.rmtree(paths.weights("sample", "taught"))


def pictures(spec):
    with paths.open_images("sample") as archive:
        return extract.load_pictures(archive, catalog.load("sample")[catalog.ID].tolist()[:12], spec)


@pytest.mark.parametrize("name", ["plain", "taught"])
def test_a_packed_encoder_gives_nearly_the_vectors_of_the_study_in_half_the_bytes(study, name):
    spec = study.encoders[name]
    folder, source = packed.pack(study, name), paths.weights("sample", spec.weights)
    given = packed.load(folder)
    assert given.spec.model_dump(exclude={"weights"}) == spec.model_dump(exclude={"weights"})
    expected = compiled.compiled(spec, source).run(pictures(spec))
    found = given.encoder.run(pictures(spec))
    assert np.abs(found - expected).max() < 5e-3 * np.linalg.norm(expected, axis=1).max()
    assert (found != expected).any()
    assert (folder / "backbone.weights.h5").stat().st_size < 0.6 * (source / "backbone.weights.h5").stat().st_size
    used = {"backbone"} if name == "plain" else {"backbone", "head", "classifier_articleType"}
    assert {path.name for path in folder.iterdir()} == {f"{part}.weights.h5" for part in used} | {
        "card.json",
        "README.md",
    }


@pytest.fixture
def joined(study):
    """The study with what `suite=recommended` calls open: edges and the bare network, with a taught part."""
    taught = study.encoders["taught"]
    bare = taught.model_copy(update={"head": [], "posteriors": {}})
    edges = bare.model_copy(update={"backbone": "gradients", "weights": "edges"})
    pretrained.make(params.Weights(source="none", backbone="gradients"), paths.weights("sample", "edges"))
    both = {
        "untaught": params.Concatenation(first="bare", second="edges", share=0.25),
        "open": params.Concatenation(first="untaught", second="taught", share=0.6),
    }
    encoders = {**study.encoders, "bare": bare, "edges": edges}
    yield study.model_copy(update={"encoders": encoders, "concatenations": both})
    for folder in (paths.weights("sample", "edges"), paths.packed("sample", "open")):
        shutil.rmtree(folder, ignore_errors=True)


def test_a_concatenation_is_packed_as_one_network_with_its_cosines(joined):
    spec = packed.as_one(joined, "open")
    assert spec.posteriors == pytest.approx({"articleType": 0.12})
    assert spec.beside == pytest.approx({"gradients": 0.1, "pooled": 0.3})
    shown = pictures(spec)
    parts = {
        name: compiled.compiled(one, paths.weights("sample", one.weights)).run(shown)
        for name, one in joined.encoders.items()
    }
    untaught = concatenation.join(parts["bare"], parts["edges"], 0.25)
    expected = concatenation.join(untaught, parts["taught"], 0.6)
    whole = compiled.compiled(spec, paths.weights("sample", spec.weights)).run(shown)
    np.testing.assert_allclose(whole @ whole.T, expected @ expected.T, atol=1e-5)
    folder = packed.pack(joined, "open")
    found = packed.load(folder).encoder.run(shown)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=5e-3)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert [one["seed"] for one in card["learnt"]] == [4]
    assert card["encoder"]["beside"] == spec.beside


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bare": {"weights": "tiny"}}, "bare and taught are packed as one network, and their backbones' weights are"),
        ({"bare": {"image_size": 64}}, "which sees a picture once: image_size must be 32. Received: 64"),
        ({"edges": {"resize": "stretch"}}, "resize must be 'pad'. Received: 'stretch'"),
        ({"bare": {"pooling": "max"}}, "pooling must be 'avg'. Received: 'max'"),
        ({"bare": {"posteriors": POSTERIORS}}, "bare stands beside taught and has no posteriors of its own"),
        ({"edges": {"preprocessing": "unit"}}, "preprocessing must be 'own'. Received: 'unit'"),
        ({"bare": {"also": ["gem"], "squeeze": 9}}, "bare stands beside taught and has no also of its own"),
        ({"taught": {"head": []}}, r"of which one part has a head. Received: \[\]"),
        ({"bare": {"head": [{"units": 8}]}}, r"one part has a head. Received: \['bare', 'taught'\]"),
    ],
)
def test_a_concatenation_that_is_not_one_networks_is_refused_with_why(joined, changes, words):
    encoders = {name: one.model_copy(update=changes.get(name, {})) for name, one in joined.encoders.items()}
    with pytest.raises(ValueError, match=words):
        packed.pack(joined.model_copy(update={"encoders": encoders}), "open")
    assert not paths.packed("sample", "open").exists()


def test_the_card_says_what_it_is_for_and_names_the_classes_that_it_uses(study):
    card = json.loads((packed.pack(study, "taught") / "card.json").read_text(encoding="utf-8"))
    assert card["classes"] == {"articleType": ["Belts", "Shirts", "Tshirts"]}
    assert (card["licence"], card["data"]) == ("ours", "sample")
    assert card["intended_use"] == packed.USE
    assert card["limits"].startswith("Learnt from the pictures of sample")
    data = {"data": "sample", "source": "drawn", "data_seed": study.data.seed, "test_share": study.data.test_share}
    assert card["learnt"] == [{**data, "split": "product", "seed": 4}]
    plain = json.loads((packed.pack(study, "plain") / "card.json").read_text(encoding="utf-8"))
    assert plain["learnt"] == []
    assert plain["limits"].startswith("Has learnt from no product's photos")


def test_the_example_of_its_readme_gives_its_vector(study, tmp_path, monkeypatch):
    folder = packed.pack(study, "plain")
    text = (folder / "README.md").read_text(encoding="utf-8")
    shutil.copytree(folder, tmp_path / "given")
    example = text.partition("```python\n")[2].partition("```")[0]
    image_id = catalog.load("sample")[catalog.ID][0]
    with paths.open_images("sample") as archive:
        (tmp_path / "given/photo.jpg").write_bytes(archive.read(image_id))
    monkeypatch.chdir(tmp_path / "given")
    made: dict = {}
    exec(example, made)  # noqa: S102
    spec = study.encoders["plain"]
    expected = packed.load(folder).encoder.run(pictures(spec)[:1])[0]
    np.testing.assert_array_equal(made["vector"], expected)


def test_a_study_takes_a_packed_encoder_for_its_own(study, here):
    packed.pack(study, "taught")
    spec = study.encoders["taught"].model_copy(update={"weights": "theirs"})
    source = params.Weights(source="packed", backbone="mobilenet_v2", path="outputs/sample/packed/taught")
    card = pretrained.make(source, paths.weights("sample", "theirs"))
    assert (card["source"], card["licence"]) == ("packed", "ours")
    given = packed.load(paths.packed("sample", "taught")).encoder.run(pictures(spec))
    taken = compiled.compiled(spec, paths.weights("sample", "theirs")).run(pictures(spec))
    np.testing.assert_array_equal(taken, given)
    shutil.rmtree(paths.weights("sample", "theirs"))


def test_a_packed_encoder_of_another_backbone_is_refused(study):
    packed.pack(study, "plain")
    source = params.Weights(source="packed", backbone="resnet50", path="outputs/sample/packed/plain")
    with pytest.raises(WeightsError, match=r"plain has the backbone mobilenet_v2\. Received: resnet50"):
        pretrained.make(source, paths.weights("sample", "theirs"))
    assert not paths.weights("sample", "theirs").exists()


def test_names_that_are_none_are_refused_with_those_that_are(study):
    with pytest.raises(ValueError, match=r"Received: 'taughd'\. Did you mean 'taught'"):
        packed.pack(study, "taughd")
    with pytest.raises(WeightsError, match=re.escape(f"Allowed: {cards.published()}, or a folder")):
        packed.load("nowhere")


def damaged(folder, how):
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    if how == "no card":
        (folder / "card.json").unlink()
    elif how == "no json":
        (folder / "card.json").write_text("{", encoding="utf-8")
    elif how == "no encoder":
        (folder / "card.json").write_text(json.dumps({"licence": "x"}), encoding="utf-8")
    elif how == "other pixels":
        (folder / "card.json").write_text(
            json.dumps({**card, "encoder": {**card["encoder"], "image_size": 5}}), "utf-8"
        )
    elif how == "other weights":
        with h5py.File(folder / "head.weights.h5", "a") as file:
            file.attrs["more"] = 1
    elif how == "a huge card":
        (folder / "card.json").write_bytes(b" " * (cards.MOST_CARD + 1))
    elif how == "a deep card":
        (folder / "card.json").write_text("[" * 200_000, encoding="utf-8")
    elif how == "a linked card":
        (folder / "card.json").unlink()
        (folder / "card.json").symlink_to("/dev/zero")
    elif how == "linked weights":
        (folder / "head.weights.h5").unlink()
        (folder / "head.weights.h5").symlink_to(folder / "backbone.weights.h5")
    elif how == "a folder for weights":
        (folder / "more.weights.h5").mkdir()
    elif how in ALTERED:
        (folder / "card.json").write_text(json.dumps(ALTERED[how](card)), encoding="utf-8")


ALTERED = {
    "classes that are none": lambda card: {**card, "classes": {"articleType": 3}},
    "no classes of a posterior": lambda card: {**card, "classes": {}},
    "nothing learnt": lambda card: {key: value for key, value in card.items() if key != "learnt"},
    "a list": lambda card: [1, 2],
    "a wide head": lambda card: {
        **card,
        "encoder": {**card["encoder"], "head": [{"units": 10**9, "activation": "relu"}]},
    },
    "another head": lambda card: {**card, "encoder": {**card["encoder"], "head": [{"units": 9, "activation": "relu"}]}},
    "large batches": lambda card: {**card, "encoder": {**card["encoder"], "batch_size": 10**9}},
}
DAMAGES = {
    "no card": "taught/card.json cannot be read",
    "no json": "taught/card.json cannot be read",
    "no encoder": "key 'encoder' is missing",
    "other pixels": "image_size",
    "other weights": "the weights are not those that its card.json names",
    "a huge card": "taught/card.json has 1,000,001 bytes; at most 1,000,000 are allowed",
    "a deep card": "taught/card.json cannot be read",
    "a linked card": "taught/card.json is no plain file",
    "linked weights": "taught/head.weights.h5 is no plain file",
    "a folder for weights": "taught/more.weights.h5 is no plain file",
    "classes that are none": "classes.articleType",
    "no classes of a posterior": "posteriors of articleType need its classes",
    "nothing learnt": "key 'learnt' is missing",
    "a list": "taught/card.json cannot be read",
    "a wide head": "at most|16,384 numbers",
    "another head": "a head of 9 units is not that of head.weights.h5",
    "large batches": "16,384 numbers",
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_folder_that_is_no_packed_encoders_is_refused_by_name(study, how):
    folder = packed.pack(study, "taught")
    damaged(folder, how)
    with pytest.raises(WeightsError, match=DAMAGES[how]):
        packed.load(folder)


CHANGES = {
    "head": [{"units": 8, "activation": "linear"}],
    "image_size": 64,
    "resize": "stretch",
    "pad_color": [1, 2, 3],
    "interpolation": "nearest",
    "preprocessing": "unit",
    "pooling": "max",
}


@pytest.mark.parametrize("field", CHANGES)
def test_a_study_s_encoder_sees_pictures_as_the_card_of_its_packed_weights_says(study, field):
    packed.pack(study, "taught")
    folder = paths.weights("sample", "theirs")
    pretrained.make(
        params.Weights(source="packed", backbone="mobilenet_v2", path="outputs/sample/packed/taught"), folder
    )
    spec = params.Encoder.model_validate({**study.encoders["taught"].model_dump(), field: CHANGES[field]})
    with pytest.raises(WeightsError, match=rf"encoder\.{field} must be what the card of its weights .* Received"):
        weights.load_encoder(spec, folder)
    shutil.rmtree(folder)


def test_numbers_that_half_precision_cannot_hold_are_refused_and_leave_nothing(study):
    path = paths.weights("sample", "taught") / "head.weights.h5"

    def enlarge(_, item):
        if isinstance(item, h5py.Dataset):
            item[...] = 1e6

    with h5py.File(path, "a") as file:
        file.visititems(enlarge)
    with pytest.raises(WeightsError, match=r"head\.weights\.h5: .* has numbers that float16 cannot hold"):
        packed.pack(study, "taught")
    assert not paths.packed("sample", "taught").exists()
