"""Extraction: the same vectors as the plain model, the same bytes after any kill, clear errors."""

import hashlib
import json
import random
import shutil
import sqlite3
import time

import children
import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import backbones, compiled, extract, pretrained, store, weights
from pipeline.evaluation import scoring
from pipeline.retrieval import ranking


def test_twenty_kills_at_random_moments_end_with_the_same_bytes(here):
    target = paths.features("sample", "tiny")
    began = time.monotonic()
    children.run(children.extract, here)
    whole, took = target.read_bytes(), time.monotonic() - began
    moments, kills, finished = random.Random(0), 0, 0
    target.unlink()
    while kills < 20 or not target.exists():
        child = children.start(children.extract, here, here / "build")
        child.join(moments.uniform(0, took) if kills < 20 else None)
        if child.is_alive():
            child.kill()
            child.join()
            kills += 1
        if target.exists():
            assert target.read_bytes() == whole
            finished += 1
            if kills < 20:
                target.unlink()
    assert finished >= 1


def test_vectors_equal_the_plain_model_and_follow_the_catalogue(here):
    ids = catalog.load("sample")[catalog.ID].tolist()[:21]
    features = extract.extract_features("sample", "plain", children.ENCODER, ids, paths.features("sample", "plain"))
    model = weights.load_encoder(children.ENCODER, paths.weights("sample", "tiny"))
    with paths.open_images("sample") as archive:
        expected = model.predict(extract.load_pictures(archive, ids, children.ENCODER), verbose=0)
    np.testing.assert_allclose(features.vectors, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert features.ids.tolist() == ids
    with sqlite3.connect(paths.features("sample", "plain")) as file:
        columns = [row[1] for row in file.execute("PRAGMA table_info(image_features)")]
    assert columns == ["image_name", "features"]
    assert not list((paths.BUILD / "features").glob("sample-plain-*"))


def test_very_many_pictures_are_mapped_and_rank_as_those_in_a_file_do(here, monkeypatch):
    monkeypatch.setattr(extract, "SHARD_ROWS", 16)
    frame, kept = catalog.load("sample"), {}
    ids, run = frame[catalog.ID].tolist(), params.load().knn_retrieval.model_copy(update={"thesis_sizes": [200]})
    for form, most in (("file", len(ids)), ("folder", len(ids) - 1)):
        monkeypatch.setattr(store, "LARGE", most)
        features = extract.extract_features("sample", "many", children.ENCODER, ids, paths.features("sample", "many"))
        assert (
            isinstance(features.vectors, np.memmap) == (form == "folder") == paths.features("sample", "many").is_dir()
        )
        where = params.Scale(gallery="blocks" if form == "folder" else "whole")
        kept[form] = features.vectors.tobytes(), scoring.evaluate(features, frame, "cosine", run, where)
    (one, calm), (other, found) = kept["file"], kept["folder"]
    assert one == other
    pd.testing.assert_frame_equal(found.scores, calm.scores, check_exact=True)
    pd.testing.assert_frame_equal(found.neighbours.frame(), calm.neighbours.frame(), check_exact=True)
    assert not list((paths.BUILD / "features").glob("sample-many-*"))


def test_pictures_with_equal_bytes_have_one_vector_though_the_network_adds_noise_and_rank_by_id(here, monkeypatch):
    frame = catalog.load("sample")
    copied = frame[frame.duplicated(catalog.SHA256, keep=False)]
    first, second = copied[catalog.ID].iloc[:2]
    assert copied[catalog.SHA256].nunique() == 1
    ids, noise = frame[catalog.ID].tolist(), np.random.default_rng(0)
    exact = extract.extract_features("sample", "exact", children.ENCODER, ids, paths.features("sample", "exact"))
    compile_ = compiled.compiled

    def noisy(spec, folder):
        encoder = compile_(spec, folder)
        shaken = lambda pictures: encoder.run(pictures) * noise.uniform(1, 1.001, (len(pictures), 1)).astype("f4")  # noqa: E731
        return compiled.Compiled(shaken, encoder.dimension)

    monkeypatch.setattr(compiled, "compiled", noisy)
    features = extract.extract_features("sample", "noisy", children.ENCODER, ids, paths.features("sample", "noisy"))
    one, other = ids.index(first), ids.index(second)
    assert features.vectors[one].tobytes() == features.vectors[other].tobytes()
    assert features.ids.tolist() == ids
    apart = np.delete(np.arange(len(ids)), [one, other])
    assert (features.vectors[apart] != exact.vectors[apart]).any(axis=1).all()
    _, order, distances = next(ranking.rank(features.take(np.array([0])), features, "cosine"))
    place = order[0].tolist().index(one)
    assert order[0, place + 1] == other and distances[0, one] == distances[0, other]


def test_copies_in_different_batches_have_one_vector_before_any_is_repeated(here, monkeypatch):
    monkeypatch.setattr(extract, "_copies", lambda data, ids: {})
    frame = catalog.load("sample")
    first, second = frame[frame.duplicated(catalog.SHA256, keep=False)][catalog.ID].iloc[:2]
    others = [image_id for image_id in frame[catalog.ID] if image_id not in (first, second)]
    ids = [*others[:3], first, *others[3:30], second, others[30]]
    features = extract.extract_features("sample", "apart", children.ENCODER, ids, paths.features("sample", "apart"))
    one, other = ids.index(first), ids.index(second)
    assert one // children.ENCODER.batch_size != other // children.ENCODER.batch_size
    assert features.vectors[one].tobytes() == features.vectors[other].tobytes()


def test_each_change_of_what_a_picture_becomes_changes_the_fingerprint(here):
    folder = paths.weights("sample", "tiny")
    changes = [
        {"image_size": 64},
        {"resize": "stretch"},
        {"pad_color": [255, 255, 255]},
        {"interpolation": "nearest"},
        {"preprocessing": "unit"},
        {"pooling": "max"},
    ]
    names = {
        extract.encoder_id("sample", "e", children.ENCODER.model_copy(update=change), folder)
        for change in [{}, *changes]
    }
    assert len(names) == len(changes) + 1
    assert extract.encoder_id("sample", "e", children.ENCODER.model_copy(update={"batch_size": 5}), folder) in names


def test_features_of_other_data_have_another_fingerprint_and_each_encoder_its_own_name(here):
    """Two catalogues may have the same ids: their features are not comparable."""
    folder = paths.weights("sample", "tiny")
    first, name, data = (
        extract.encoder_id(*place, children.ENCODER, folder).split(":")
        for place in (("sample", "e"), ("sample", "f"), ("thesis", "e"))
    )
    assert [first[0], name[0], data[0]] == ["e", "f", "e"]
    assert len({first[1], name[1], data[1]}) == 3


def test_other_weights_change_the_fingerprint(here):
    first = extract.encoder_id("sample", "e", children.ENCODER, paths.weights("sample", "tiny"))
    other = params.Weights(source="random", backbone="mobilenet_v2", seed=1)
    pretrained.make(other, paths.weights("sample", "other"))
    assert extract.encoder_id("sample", "e", children.ENCODER, paths.weights("sample", "other")) != first


def test_weights_of_another_network_are_refused_by_name(here):
    spec = children.ENCODER.model_copy(update={"backbone": "mobilenet_v3_small"})
    with pytest.raises(weights.WeightsError, match="has weights of mobilenet_v2. Received: mobilenet_v3_small"):
        extract.extract_features("sample", "wrong", spec, ["10001"], paths.features("sample", "wrong"))


def test_a_disk_too_small_is_said_before_the_work(here, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(extract.ExtractError, match="0 MB are free"):
        extract.extract_features("sample", "full", children.ENCODER, ["10001"], paths.features("sample", "full"))
    assert not paths.features("sample", "full").exists()


def test_a_disk_that_fills_up_keeps_what_is_done_and_leaves_nothing_that_looks_whole(here):
    children.run(fill_the_disk, here)
    assert not paths.features("sample", "tiny-full").exists()


def fill_the_disk():
    """No file of this process may grow past 200 kB: SQLite meets a full disk in the middle of its work."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    ids = catalog.load("sample")[catalog.ID].tolist()
    extract.SHARD_ROWS = 16
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    with pytest.raises(extract.ExtractError, match="What is done is kept"):
        extract.extract_features("sample", "tiny-full", children.ENCODER, ids, paths.features("sample", "tiny-full"))
    assert list((paths.BUILD / "features").glob("sample-tiny-full-*/*.json"))


def test_shards_of_two_kinds_of_machine_are_not_joined(here, monkeypatch):
    monkeypatch.setattr(extract, "SHARD_ROWS", 8)
    kinds = iter(["LiteRT on x86_64", "LiteRT on aarch64"])
    monkeypatch.setattr(compiled, "made_by", lambda: next(kinds))
    ids, target = catalog.load("sample")[catalog.ID].tolist()[:16], paths.features("sample", "mixed")
    with pytest.raises(extract.ExtractError, match="computed by LiteRT on aarch64 and by LiteRT on x86_64"):
        extract.extract_features("sample", "mixed", children.ENCODER, ids, target)
    assert not target.exists()


CLASSES = {"articleType": ["Caps", "Heels", "Jeans", "Ties"], "gender": ["Men", "Women"]}
SHARES = {"articleType": 0.4, "gender": 0.1}


def opinionated(shares=SHARES, **changes):
    """An encoder of the weights `classified`."""
    given = {"backbone": "mobilenet_v3_small", "weights": "classified", "head": [{"units": 6, "activation": "linear"}]}
    return params.Encoder.model_validate({**children.ENCODER.model_dump(), **given, "posteriors": shares, **changes})


@pytest.fixture(scope="module")
def classified(tmp_path_factory):
    """What training leaves: a backbone, a head, a classifier per label with its dropout, and the classes' names."""
    weights.start_afresh(0)
    encoder, rng = backbones.encoder(opinionated({})), np.random.default_rng(3)
    head = encoder.get_layer("head")
    head.set_weights([weight * 1e10 for weight in head.get_weights()])  # a random backbone gives features of 1e-10
    classifiers = [backbones.classifier(label, 6, len(names), 0.5, seed=1) for label, names in CLASSES.items()]
    for part in classifiers:
        for weight in part.trainable_weights:
            weight.assign(rng.normal(size=weight.shape))
    folder = tmp_path_factory.mktemp("made") / "classified"
    parts = [encoder.get_layer("backbone"), head, *classifiers]
    weights.save(parts, folder, {"source": "finetune", "classes": CLASSES})
    return folder


@pytest.fixture
def copied(classified, tmp_path):
    """The same folder, to be damaged."""
    shutil.copytree(classified, tmp_path / "classified")
    return tmp_path / "classified"


def saved(folder, part):
    """The kernel and the bias of the one dense layer in a weights file."""
    with h5py.File(folder / f"{part}.weights.h5") as file:
        layer = file["layers/dense/vars"]
        return layer["0"][...].astype(float), layer["1"][...].astype(float)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_an_encoder_with_posteriors_is_what_its_saved_parts_say(classified, rng):
    encoder = weights.load_encoder(opinionated(), classified)
    assert encoder.output_shape == (None, 4 + 2 + 6)
    pictures = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    pooled = encoder.get_layer("backbone")(pictures.astype("float32"), training=False).numpy().mean(axis=(1, 2))
    kernel, bias = saved(classified, "head")
    embedding, blocks = pooled @ kernel + bias, []
    for label, share in SHARES.items():
        kernel, bias = saved(classified, f"classifier_{label}")
        assert kernel.shape == (6, len(CLASSES[label]))
        powers = np.exp(embedding @ kernel + bias)
        blocks.append(share**0.5 * unit(powers / powers.sum(axis=1, keepdims=True)))
    expected = np.concatenate([*blocks, (1 - sum(SHARES.values())) ** 0.5 * unit(embedding)], axis=1)
    np.testing.assert_allclose(encoder(pictures, training=False), expected, atol=1e-4)
    assert np.ptp(expected, axis=0).min() > 0.01


def test_an_encoder_may_take_some_of_the_classifiers_or_none(classified, rng):
    pictures = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    one = weights.load_encoder(opinionated({"articleType": 0.4}), classified)(pictures, training=False).numpy()
    none = weights.load_encoder(opinionated({}), classified)(pictures, training=False).numpy()
    both = weights.load_encoder(opinionated(), classified)(pictures, training=False).numpy()
    np.testing.assert_allclose(one[:, :4], both[:, :4], atol=1e-6)
    np.testing.assert_allclose(one[:, 4:], 0.6**0.5 * unit(none), atol=1e-6)


def test_extracted_features_with_posteriors_are_the_plain_models_at_length_1(here, classified):
    shutil.copytree(classified, paths.weights("sample", "classified"), dirs_exist_ok=True)
    ids, spec = catalog.load("sample")[catalog.ID].tolist()[:11], opinionated()
    features = extract.extract_features("sample", "opinions", spec, ids, paths.features("sample", "opinions"))
    with paths.open_images("sample") as archive:
        pictures = extract.load_pictures(archive, ids, spec)
    expected = weights.load_encoder(spec, classified)(pictures, training=False)
    np.testing.assert_allclose(features.vectors, expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(features.vectors, axis=1), 1, atol=1e-5)


def test_a_folder_without_that_classifier_is_refused(copied):
    (copied / "classifier_gender.weights.h5").unlink()
    weights.load_encoder(opinionated({"articleType": 0.4}), copied)
    with pytest.raises(weights.WeightsError, match="classifier_gender.weights.h5 is missing in classified/"):
        weights.load_encoder(opinionated(), copied)


def test_a_classifier_with_other_classes_than_the_card_names_is_refused(copied):
    (copied / "card.json").write_text(json.dumps({"classes": {**CLASSES, "gender": ["Men", "Women", "Unisex"]}}))
    with pytest.raises(weights.WeightsError, match="classifier_gender.weights.h5 does not fit classifier_gender"):
        weights.load_encoder(opinionated(), copied)


@pytest.mark.parametrize("shares", [{}, SHARES])
def test_weights_without_their_card_are_refused(copied, shares):
    (copied / "card.json").unlink()
    with pytest.raises(weights.WeightsError, match="classified has no card.json.*dvc repro"):
        weights.load_encoder(opinionated(shares), copied)


def test_plain_vectors_need_no_classes(copied):
    (copied / "card.json").write_text("{}")
    weights.load_encoder(opinionated({}), copied)


@pytest.mark.parametrize(
    "content", ["", '{"classes": {"gen', "{}", '{"classes": {"articleType": ["Caps", "Ties"]}}', "[]"]
)
def test_a_card_that_does_not_name_the_classes_is_refused(copied, content):
    (copied / "card.json").write_text(content)
    with pytest.raises(weights.WeightsError, match="classified"):
        weights.load_encoder(opinionated(), copied)


def test_each_share_changes_the_fingerprint(classified):
    shares = [
        {},
        SHARES,
        {**SHARES, "gender": 0.2},
        {**SHARES, "articleType": 0.5},
        {"gender": 0.1},
        {"articleType": 0.1},
    ]
    assert len({extract.encoder_id("sample", "e", opinionated(share), classified) for share in shares}) == len(shares)


def test_labels_in_another_order_give_the_same_vectors_or_another_fingerprint(classified, rng):
    specs = [opinionated(SHARES), opinionated(dict(reversed(SHARES.items())))]
    pictures = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    one, other = (weights.load_encoder(spec, classified)(pictures, training=False).numpy() for spec in specs)
    first, second = (extract.encoder_id("sample", "e", spec, classified) for spec in specs)
    assert first != second or np.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("change", [{"mirrored": True}, {"beside": {"pooled": 0.3}}])
def test_an_encoder_without_it_keeps_the_name_that_it_had_before_there_were_such_ones(here, change):
    folder = paths.weights("sample", "tiny")
    facts = children.ENCODER.model_dump(exclude={"weights", "batch_size", "mirrored", "beside"})
    facts = json.dumps({**facts, "data": "sample", "name": "e", "weights": weights.fingerprint(folder)}, sort_keys=True)
    assert (
        extract.encoder_id("sample", "e", children.ENCODER, folder)
        == f"e:{hashlib.sha256(facts.encode()).hexdigest()[:16]}"
    )
    changed = children.ENCODER.model_copy(update=change)
    assert extract.encoder_id("sample", "e", changed, folder) != extract.encoder_id(
        "sample", "e", children.ENCODER, folder
    )
