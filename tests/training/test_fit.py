"""Finetuning: what it learns from, that it learns, and that a kill changes nothing."""

import json
import shutil
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import children
import h5py
import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import backbones, extract, weights
from pipeline.evaluation import classification, validation
from pipeline.training import batches, fit

AUGMENT = {"flip": True, "crop": 0.1, "pad": 0.1, "rotation": 5.0, "brightness": 0.1, "contrast": 0.1, "colour": 0.1}
CLASSES = {"kind": "cross_entropy", "by": "articleType", "weight": 1.0}
MEMORY = {
    "kind": "contrastive",
    "by": "product",
    "weight": 0.5,
    "margin": 0.3,
    "memory": {"size": 64, "warm_up": 2},
}
VIEWS = {"kind": "sup_con", "by": "view", "weight": 0.5, "temperature": 0.1}
EVERYTHING = children.finetune_like(
    init="lively",
    preprocessing="own",
    objective=[CLASSES, VIEWS, MEMORY],
    augment=AUGMENT,
    epochs=4,
    patience=3,
    monitor=["articleType", "product"],
    batches={"size": 32, "together": "product", "per_group": 2, "class_power": 0.5},
    optimiser={"learning_rate": 0.001, "weight_decay": 0.01, "schedule": "cosine", "warm_up": 0.5},
)
OPTIMISER = {"learning_rate": 0.01, "weight_decay": 0.0, "schedule": "constant", "warm_up": 0.0}
HEAD = children.finetune_like(
    init="lively",
    frozen="backbone",
    preprocessing="own",
    head=[{"units": 16, "activation": "linear"}],
    objective=[CLASSES, MEMORY],
    optimiser=OPTIMISER,
    epochs=2,
)
LAYER = "block_6_project_BN"


class Validate:
    """Validates as training does, or gives the values it is told to; keeps what it was shown."""

    def __init__(self, *values):
        self.values, self.rows, self.embeddings = values, [], []

    def __call__(self, rows, embeddings, relevances):
        self.rows.append(rows)
        self.embeddings.append(embeddings)
        if not self.values:
            return validation.mean_average_precision(rows, embeddings, relevances)
        value = self.values[len(self.rows) - 1]
        if isinstance(value, BaseException):
            raise value
        return dict.fromkeys(relevances, value)


def like(spec, **changes):
    return params.Finetune.model_validate({**spec.model_dump(), **changes})


def fitted(name, spec, validate=None, frame=None):
    frame = catalog.load("sample") if frame is None else frame
    return fit.finetune_encoder("sample", name, spec, frame, validate or Validate())


def tuned(name, spec, validate=None, frame=None):
    """The history and the metrics."""
    return fitted(name, spec, validate, frame)[:2]


def served(name, spec, ids):
    """Embeddings of pictures by the encoder that retrieval loads from the saved folder."""
    network = {key: getattr(spec, key) for key in params.Network.model_fields}
    encoder = params.Encoder(**network, weights=name, batch_size=32)
    model = weights.load_encoder(encoder, paths.weights("sample", name))
    with paths.open_images("sample") as archive:
        return model.predict(extract.load_pictures(archive, list(ids), encoder), verbose=0)


def numbers(name, part="backbone"):
    """Every array of a weights file by its place in it."""
    found = {}
    with h5py.File(paths.weights("sample", name) / f"{part}.weights.h5") as file:
        file.visititems(lambda key, item: found.update({key: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def equal(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[key], second[key]) for key in first)


def near(first, second):
    """Whether embeddings are the same but for rounding, and are not all alike."""
    assert np.ptp(second, axis=0).max() > 0.01 * np.abs(second).max()
    return np.allclose(first, second, rtol=0, atol=1e-3 * np.abs(second).max())


def fingerprint(name):
    return weights.fingerprint(paths.weights("sample", name))


@pytest.fixture(scope="module")
def place(workplace):
    """The whole file's tests work in one place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", workplace)
        patch.setattr(paths, "BUILD", workplace / "build")
        enliven()
        yield workplace


def enliven():
    """Random weights whose batch normalisation fits the pictures: without it a random network's features are alike."""
    weights.start_afresh(0)
    model = weights.load_encoder(children.ENCODER, paths.weights("sample", "tiny"))
    backbone = model.get_layer("backbone")
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    with paths.open_images("sample") as archive:
        pictures = extract.load_pictures(archive, catalog.load("sample")[catalog.ID].tolist()[::5], children.ENCODER)
    model(pictures, training=True)
    weights.save([backbone], paths.weights("sample", "lively"), {"source": "random", "licence": "none"})


@pytest.fixture(scope="module")
def headed(place):
    """A head trained on a frozen backbone: its validation, history and metrics."""
    validate = Validate()
    return validate, *tuned("headed", HEAD, validate)


@pytest.fixture(scope="module")
def layered(place):
    """A network trained from a layer on: its validation, history, metrics, and the pictures read before the last."""
    read, before, validate = [], set(), Validate()

    class Watched(zipfile.ZipFile):
        def read(self, name, *rest):
            read.append(name)
            return super().read(name, *rest)

    def validated(*shown):
        before.update(read)
        return validate(*shown)

    spec = like(HEAD, frozen=LAYER, objective=[CLASSES], epochs=1, optimiser={**OPTIMISER, "learning_rate": 0.0003})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "open_images", lambda data: Watched(paths.images(data)))
        return spec, validate, *tuned("layered", spec, validated), before, set(read)


def test_a_killed_run_goes_on_after_its_last_epoch_and_ends_the_same(here):
    folder, result = paths.weights("sample", "tuned"), here / "build" / "result.json"
    children.run(children.finetune, here)
    whole = (weights.fingerprint(folder), result.read_text())
    shutil.rmtree(folder)
    child = children.start(children.finetune, here, here / "build")
    until = time.monotonic() + 120
    while not list((here / "build" / "training").glob("sample-tuned-*/history.json")) and time.monotonic() < until:
        time.sleep(0.05)
    child.kill()
    child.join()
    kept = json.loads(next((here / "build" / "training").glob("sample-tuned-*/history.json")).read_text())
    assert 1 <= len(kept) < children.FINETUNE.epochs
    assert not folder.exists()
    children.run(children.finetune, here)
    assert (weights.fingerprint(folder), result.read_text()) == whole
    assert not list((here / "build" / "training").glob("sample-tuned-*"))
    card = json.loads((folder / "card.json").read_text())
    assert card["fingerprint"] == whole[0]
    assert card["objective"] == [{"kind": "cross_entropy", "by": "articleType", "weight": 1.0}]
    assert (folder / "head.weights.h5").exists() and (folder / "classifier_articleType.weights.h5").exists()


def test_one_class_is_refused_before_the_work(here):
    frame = catalog.load("sample")
    with pytest.raises(fit.FitError, match="two or more"):
        fit.finetune_encoder("sample", "one", children.FINETUNE, frame[frame[catalog.ARTICLE] == "Tshirts"], None)


def everything():
    history, metrics = tuned("everything", EVERYTHING)
    (paths.BUILD / "everything.json").write_text(history.to_json() + str(metrics))


def test_a_run_with_everything_that_has_a_state_goes_on_after_a_kill_and_ends_the_same(place):
    result, kept = place / "build" / "everything.json", place / "build" / "training"
    children.run(everything, place)
    whole = (fingerprint("everything"), result.read_text())
    shutil.rmtree(paths.weights("sample", "everything"))
    child = children.start(everything, place, place / "build")
    until = time.monotonic() + 120
    while not list(kept.glob("sample-everything-*/history.json")) and time.monotonic() < until:
        time.sleep(0.05)
    child.kill()
    child.join()
    done = json.loads(next(kept.glob("sample-everything-*/history.json")).read_text())
    assert 1 <= len(done) < EVERYTHING.epochs
    assert {"sup_con_view", "contrastive_product_memory", "validation_mAP_product"} <= done[0].keys()
    children.run(everything, place)
    assert (fingerprint("everything"), result.read_text()) == whole


def test_one_seed_gives_the_same_bytes_and_another_seed_other_ones(headed):
    _, history, metrics = headed
    again, same = tuned("again", HEAD)
    assert fingerprint("again") == fingerprint("headed")
    assert again.equals(history) and same == metrics
    tuned("other", like(HEAD, seed=1))
    assert fingerprint("other") != fingerprint("headed")


def test_training_learns(headed):
    _, history, _ = headed
    assert history["cross_entropy_articleType"].iloc[-1] < 0.9 * history["cross_entropy_articleType"].iloc[0]


def test_patience_stops_and_gives_back_the_best_epoch(place):
    validate, spec = Validate(0.1, 0.5, 0.3, 0.4, 0.9), like(HEAD, epochs=5, patience=2)
    history, metrics = tuned("patient", spec, validate)
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert (metrics["best_epoch"], metrics["epochs"], metrics["validation_mAP"]) == (2, 4, 0.5)
    assert metrics["loss"] == history["loss"][1]
    found = served("patient", spec, validate.rows[0][catalog.ID])
    assert near(found, validate.embeddings[1])
    assert not near(found, validate.embeddings[3])


def test_without_patience_the_last_epoch_is_the_result_however_bad(place):
    validate = Validate(0.9, 0.1)
    _, metrics = tuned("last", HEAD, validate)
    assert (metrics["best_epoch"], metrics["epochs"], metrics["validation_mAP"]) == (2, 2, 0.1)
    found = served("last", HEAD, validate.rows[0][catalog.ID])
    assert near(found, validate.embeddings[1])
    assert not near(found, validate.embeddings[0])


def test_an_interrupted_run_goes_on_behind_its_best_epoch(place):
    values, spec = (0.1, 0.5, 0.3, 0.6), like(HEAD, epochs=4, patience=2)
    history, metrics = tuned("in-one-go", spec, Validate(*values))
    with pytest.raises(KeyboardInterrupt):
        tuned("interrupted", spec, Validate(*values[:3], KeyboardInterrupt()))
    rest = Validate(values[3])
    again, same = tuned("interrupted", spec, rest)
    assert len(rest.rows) == 1
    assert again.equals(history) and same == metrics
    assert fingerprint("interrupted") == fingerprint("in-one-go")


def test_a_result_that_could_not_be_written_is_written_without_training_again(headed, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(weights, "save", full)
        with pytest.raises(OSError, match="no space"):
            tuned("unwritten", HEAD)
    validate = Validate()
    history, metrics = tuned("unwritten", HEAD, validate)
    assert not validate.rows
    assert metrics == headed[2] and history.equals(headed[1])
    assert fingerprint("unwritten") == fingerprint("headed")


def test_a_run_does_not_go_on_from_a_history_of_other_validated_labels(place):
    frame = catalog.load("sample")
    with pytest.raises(KeyboardInterrupt):
        tuned("relabelled", HEAD, Validate(0.1, KeyboardInterrupt()), frame)
    validated = batches.parts(frame, HEAD)["validate"].index
    frame.loc[validated, catalog.ARTICLE] = np.roll(frame.loc[validated, catalog.ARTICLE], 1)
    validate = Validate()
    tuned("relabelled", HEAD, validate, frame)
    assert len(validate.rows) == HEAD.epochs


def test_a_frozen_backbone_stays_as_it_was(headed):
    assert equal(numbers("headed"), numbers("lively"))
    assert (paths.weights("sample", "headed") / "head.weights.h5").exists()


def pooled(spec):
    """What the backbone that it starts from makes of the validated part."""
    validated = batches.parts(catalog.load("sample"), spec)["validate"][catalog.ID]
    return served(spec.init, like(spec, head=[], frozen=None), validated)


@pytest.mark.parametrize("frozen", ["backbone", LAYER])
def test_before_training_a_new_head_is_left_out_and_after_it_vectors_are_those_of_the_result(place, frozen):
    slowly = {**OPTIMISER, "learning_rate": 0.001}
    spec, validate = like(HEAD, frozen=frozen, epochs=3, patience=1, optimiser=slowly), Validate(0.5, 0.1)
    made = fitted("compared", spec, validate)
    assert near(made.before, pooled(spec))
    assert near(made.after, served("compared", spec, validate.rows[0][catalog.ID]))
    assert near(made.after, validate.embeddings[0])  # the best epoch's, which is not the last
    assert not near(made.after, validate.embeddings[1])


def test_before_training_a_head_that_it_starts_from_counts(headed):
    spec = like(HEAD, init="headed", epochs=1)
    made = fitted("further", spec)
    validated = batches.parts(catalog.load("sample"), spec)["validate"][catalog.ID]
    assert near(made.before, served("headed", HEAD, validated))
    bare = like(HEAD, head=[], frozen=LAYER, epochs=1)
    assert near(fitted("bare", bare).before, pooled(bare))


def test_a_run_that_goes_on_has_the_vectors_of_its_beginning(headed):
    with pytest.raises(KeyboardInterrupt):
        tuned("stopped", HEAD, Validate(0.1, KeyboardInterrupt()))
    assert near(fitted("stopped", HEAD).before, pooled(HEAD))
    spec = like(HEAD, init="headed", seed=5)
    with pytest.raises(KeyboardInterrupt):
        tuned("stopped-again", spec, Validate(0.1, KeyboardInterrupt()))
    validated = batches.parts(catalog.load("sample"), spec)["validate"][catalog.ID]
    assert near(fitted("stopped-again", spec).before, served("headed", HEAD, validated))


def test_features_of_a_frozen_backbone_are_taken_once(place):
    tuned("first", like(HEAD, epochs=1, seed=3, preprocessing="unit"))
    files = {path: path.stat().st_mtime_ns for path in (place / "build" / "training").glob("*.sqlite")}
    tuned("second", like(HEAD, epochs=1, seed=3, preprocessing="unit"))
    assert {path: path.stat().st_mtime_ns for path in (place / "build" / "training").glob("*.sqlite")} == files


def test_of_two_finetunes_beside_each_other_one_takes_the_features_and_the_other_waits(place, monkeypatch):
    take, taken = fit.extract.extract_features, []

    def slowly(*arguments):
        taken.append(arguments)
        time.sleep(1)
        return take(*arguments)

    monkeypatch.setattr(fit.extract, "extract_features", slowly)
    spec, frame = like(HEAD, image_size=64), catalog.load("sample").head(20)
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda _: fit.frozen_features("sample", spec, frame), range(2)))
    assert len(taken) == 1
    np.testing.assert_array_equal(both[0].vectors, both[1].vectors)


def test_what_training_validated_is_what_retrieval_serves_on_a_frozen_backbone(headed):
    validate = headed[0]
    assert near(served("headed", HEAD, validate.rows[0][catalog.ID]), validate.embeddings[-1])


def test_a_head_on_squeezed_features_learns_names_and_serves_what_was_validated(place):
    term = {"kind": "names", "weight": 1.0, "temperature": 0.1, "words": 12}
    also = ["gem", "colours", "block_3_expand_relu"]
    spec = like(HEAD, also=also, squeeze=24, objective=[CLASSES, term], epochs=3)
    validate = Validate()
    history, _ = tuned("squeezed", spec, validate)
    assert (np.diff(history["names_product"]) < 0).all()
    assert near(served("squeezed", spec, validate.rows[0][catalog.ID]), validate.embeddings[-1])
    first = fingerprint("squeezed")
    tuned("squeezed", spec)  # its features are there this time: nothing that is drawn may depend on it
    assert fingerprint("squeezed") == first


def test_what_is_squeezed_is_fitted_to_what_is_learnt_from(place):
    frame, spec = catalog.load("sample"), like(HEAD, also=["colours"], squeeze=6, objective=[CLASSES], epochs=1)
    tuned("squeezed", spec)
    mean = next(value for key, value in numbers("squeezed", "head").items() if value.shape == (360,))
    learnt = frame[catalog.ID].isin(batches.parts(frame, spec)["learn"][catalog.ID]).to_numpy()
    features = fit.frozen_features("sample", spec, frame).vectors[:, -360:]
    assert mean == pytest.approx(features[learnt].mean(axis=0), abs=1e-5)
    assert np.abs(mean - features.mean(axis=0)).max() > 1e-4


def test_what_training_validated_is_what_retrieval_serves_of_a_whole_network(layered):
    spec, validate = layered[:2]
    assert near(served("layered", spec, validate.rows[0][catalog.ID]), validate.embeddings[-1])


def test_layers_up_to_the_frozen_one_stay_and_later_ones_learn(layered):
    before, after = numbers("lively"), numbers("layered")
    model = backbones.backbone("mobilenet_v2", (32, 32))
    first, second = keras.models.clone_model(model), keras.models.clone_model(model)
    first.load_weights(paths.weights("sample", "lively") / "backbone.weights.h5")
    second.load_weights(paths.weights("sample", "layered") / "backbone.weights.h5")
    last = [layer.name for layer in first.layers].index(LAYER)
    assert before.keys() == after.keys()
    for place, (old, new) in enumerate(zip(first.layers, second.layers, strict=True)):
        if old.weights:
            same = [np.array_equal(a, b) for a, b in zip(old.get_weights(), new.get_weights(), strict=True)]
            assert all(same) if place <= last else not any(same), old.name


def test_a_wrong_layer_is_refused_with_the_nearest(place):
    with pytest.raises(fit.FitError, match="frozen names no layer.*'block_6_projectBN'.*mean 'block_6_project_BN'"):
        tuned("wrong", like(HEAD, frozen="block_6_projectBN"))


def test_pictures_of_the_test_part_are_not_read_before_the_end(layered):
    *_, before, whole = layered
    frame = catalog.load("sample")
    test = set(frame.loc[frame[catalog.SPLIT] == catalog.TEST, catalog.ID])
    assert not before & test
    assert test <= whole


def test_labels_of_the_test_part_change_nothing_but_its_own_numbers(headed):
    frame = catalog.load("sample")
    test = frame[catalog.SPLIT] == catalog.TEST
    frame.loc[test, [catalog.ARTICLE, catalog.PRODUCT]] = "garbage"
    history, metrics = tuned("garbage", HEAD, frame=frame)
    assert history.equals(headed[1])
    assert equal(numbers("garbage", "head"), numbers("headed", "head"))
    assert metrics["test_accuracy"] == 0 != headed[2]["test_accuracy"]


def test_accuracy_and_macro_f1_are_those_of_the_saved_classifier(headed):
    card = json.loads((paths.weights("sample", "headed") / "card.json").read_text())
    kernel, bias = sorted(numbers("headed", "classifier_articleType").values(), key=lambda value: -value.ndim)
    frame = catalog.load("sample")
    for part, key in (("test", "test_"), ("validate", "validation_")):
        rows = batches.parts(frame, HEAD)[part]
        scores = served("headed", HEAD, rows[catalog.ID]) @ kernel + bias
        right = rows[catalog.ARTICLE].to_numpy(str)
        said = np.array(card["classes"]["articleType"])[scores.argmax(axis=1)]
        assert len(set(said)) > 2
        macro = f1_score(right, said, labels=np.unique(right), average="macro", zero_division=0)
        assert headed[2][f"{key}accuracy"] == pytest.approx(accuracy_score(right, said), abs=1e-6)
        assert headed[2][f"{key}macro_f1"] == pytest.approx(macro, abs=1e-6)
    assert card["metrics"] == headed[2]


def test_by_year_the_accuracy_has_its_ceiling_beside_it_and_what_was_seen_counts_apart(place):
    frame = catalog.load("sample")
    odd = frame.index[(frame[catalog.YEAR] % 2 == 1).fillna(False)]
    frame.loc[odd[::3], catalog.TEMPORAL_SPLIT] = catalog.SEEN
    frame.loc[odd[1::6], catalog.ARTICLE] = "a type of odd years"
    spec = like(HEAD, objective=[CLASSES], split="temporal", epochs=1)
    _, metrics = tuned("by_year", spec, frame=frame)
    kernel, bias = sorted(numbers("by_year", "classifier_articleType").values(), key=lambda value: -value.ndim)
    classes = np.array(
        json.loads((paths.weights("sample", "by_year") / "card.json").read_text())["classes"]["articleType"]
    )
    asked = frame.loc[odd]
    said = classes[(served("by_year", spec, asked[catalog.ID]) @ kernel + bias).argmax(axis=1)]
    right, new = said == asked[catalog.ARTICLE], asked[catalog.ARTICLE] == "a type of odd years"
    test = asked[catalog.TEMPORAL_SPLIT] == catalog.TEST
    even = set(frame.loc[frame[catalog.TEMPORAL_SPLIT] == catalog.TRAIN, catalog.ARTICLE])
    assert set(asked.loc[~new, catalog.ARTICLE]) <= even
    expected = {
        "test_accuracy": right[test].mean(),
        "test_learnable": 1 - new[test].mean(),
        "test_accuracy_learnable": right[test & ~new].mean(),
        "ungrouped_accuracy": right.mean(),
    }
    assert len(set(expected.values())) == 4
    assert {key: metrics[key] for key in expected} == pytest.approx(expected, abs=1e-6)
    for name, some in (("accuracy", test), ("accuracy_learnable", test & ~new)):
        products = catalog.products(asked[test])[some[test].to_numpy()]
        ends = classification.accuracy_interval(np.ones(some.sum()), right[some].to_numpy(float), products)
        assert [metrics[f"test_{name}_low"], metrics[f"test_{name}_high"]] == pytest.approx(ends, abs=1e-6)
    assert metrics["ungrouped_macro_f1"] != metrics["test_macro_f1"]


def test_the_split_by_product_has_nothing_that_was_seen(headed):
    assert not [key for key in headed[2] if key.startswith("ungrouped")]
    assert headed[2]["test_accuracy_learnable"] >= headed[2]["test_accuracy"]


def test_blank_labels_are_left_out(place):
    frame, some = catalog.load("sample"), np.arange(0, 650, 3)
    frame.loc[some, catalog.ARTICLE] = None
    arcface = {"kind": "arcface", "by": "articleType", "weight": 0.5, "scale": 8.0, "margin": [0.1, 0.3]}
    spec = like(
        HEAD,
        objective=[CLASSES, arcface, {**MEMORY, "by": "articleType"}],
        epochs=1,
        batches={"size": 32, "together": "articleType", "per_group": 4, "class_power": 0.5},
    )
    history, metrics = tuned("blank", spec, frame=frame)
    assert np.isfinite(history.to_numpy(float)).all()
    test = batches.parts(frame, spec)["test"].dropna(subset=[catalog.ARTICLE])
    assert metrics["test_accuracy_low"] < metrics["test_accuracy"] < metrics["test_accuracy_high"]
    assert metrics["test_accuracy"] * len(test) == pytest.approx(round(metrics["test_accuracy"] * len(test)), abs=1e-3)


def test_a_validated_part_without_any_label_does_not_end_the_run(place):
    frame = catalog.load("sample")
    frame.loc[batches.parts(frame, HEAD)["validate"].index, catalog.ARTICLE] = None
    history, _ = tuned("unlabelled", like(HEAD, epochs=1), frame=frame)
    assert history["validation_mAP_articleType"].tolist() == [0]


def test_a_catalogue_without_a_test_part_can_be_learnt(place):
    frame = catalog.load("sample")
    _, metrics = tuned("untested", like(HEAD, epochs=1), frame=frame[frame[catalog.SPLIT] == catalog.TRAIN])
    assert "test_accuracy" not in metrics


def test_a_finetune_starts_from_the_backbone_the_head_and_the_classifier_of_another(layered):
    spec = like(HEAD, init="layered", objective=[CLASSES], epochs=1, optimiser={**OPTIMISER, "learning_rate": 1e-9})
    tuned("second", spec)
    assert equal(numbers("second"), numbers("layered"))
    for part in ("head", "classifier_articleType"):
        for key, value in numbers("layered", part).items():
            np.testing.assert_allclose(numbers("second", part)[key], value, atol=1e-6)
    assert not equal(numbers("layered"), numbers("lively"))


def test_half_precision_saves_single_precision_and_leaves_nothing_behind(headed):
    history, _ = tuned("half", like(HEAD, precision="mixed_bfloat16"))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert history["loss"].iloc[0] != headed[1]["loss"].iloc[0]
    assert keras.config.dtype_policy().name == "float32"
    for part in ("backbone", "head", "classifier_articleType"):
        floats = [value.dtype for value in numbers("half", part).values() if value.dtype.kind == "f"]
        assert set(floats) == {np.dtype("float32")}
    tuned("after-half", HEAD)
    assert fingerprint("after-half") == fingerprint("headed")


def test_a_loss_that_is_no_number_names_the_learning_rate(place):
    deep = [{"units": 64, "activation": "linear"}] * 30
    spec = like(HEAD, head=deep, objective=[CLASSES], optimiser={**OPTIMISER, "learning_rate": 1.0})
    with pytest.raises(fit.FitError, match="loss of epoch 1 is nan; lower optimiser.learning_rate. Received: 1.0"):
        tuned("exploded", spec)
    assert not paths.weights("sample", "exploded").exists()


def test_too_little_memory_names_the_batch_size_and_the_precision_is_what_it_was(place):
    spec = like(HEAD, head=[{"units": 10**12, "activation": "linear"}], precision="mixed_bfloat16")
    with pytest.raises(fit.FitError, match="out of memory with batches of 32 pictures of 32; lower batches.size"):
        tuned("huge", spec)
    assert keras.config.dtype_policy().name == "float32"


def test_memory_that_python_lacks_names_the_batch_size(place):
    with pytest.raises(fit.FitError, match="lower batches.size"):
        tuned("small", like(HEAD, epochs=1), Validate(MemoryError()))


def two_devices():
    import tensorflow as tf

    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    tuned("devices", like(HEAD, devices="all"))


def test_two_devices_train_what_one_can_load(place):
    children.run(two_devices, place)
    assert served("devices", HEAD, catalog.load("sample")[catalog.ID][:8]).shape == (8, 16)
