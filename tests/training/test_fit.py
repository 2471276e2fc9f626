"""Finetuning: what it learns from, that it learns, and that a kill changes nothing."""

import json
import shutil
import time

import children
import numpy as np
import pytest

from pipeline import paths
from pipeline.data import catalog
from pipeline.encoders import weights
from pipeline.training import batches, fit


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
    assert card["objective"] == "classification"
    assert (folder / "head.weights.h5").exists()


def test_nothing_of_the_test_part_is_learnt_or_validated_on(here):
    frame = catalog.load("sample")
    learn, validate = batches.learn_and_validate(frame, catalog.ARTICLE, seed=0)
    products = [set(part[catalog.PRODUCT]) for part in (learn, validate, frame[frame[catalog.SPLIT] == catalog.TEST])]
    assert not products[0] & products[1]
    assert not (products[0] | products[1]) & products[2]
    assert 0.03 < len(validate) / (len(learn) + len(validate)) < 0.2


def test_batches_hold_each_picture_once_with_its_label(here):
    frame = catalog.load("sample").head(50)
    labels = np.arange(50, dtype=np.int32)
    order = batches.shuffled(50, seed=3, epoch=1)
    with paths.open_images("sample") as archive:
        data = batches.LabelBatches(archive, frame[catalog.ID].tolist(), labels, order, children.FINETUNE)
        shown = [data[number] for number in range(len(data))]
    assert np.concatenate([y for _, y in shown]).tolist() == order.tolist()
    assert [x.shape for x, _ in shown] == [(32, 32, 32, 3), (18, 32, 32, 3)]


def test_the_order_follows_from_seed_and_epoch_alone():
    assert (batches.shuffled(99, 0, 1) == batches.shuffled(99, 0, 1)).all()
    assert (batches.shuffled(99, 0, 1) != batches.shuffled(99, 0, 2)).any()
    assert (batches.shuffled(99, 0, 1) != batches.shuffled(99, 1, 1)).any()
    assert sorted(batches.shuffled(99, 0, 1)) == list(range(99))


def test_one_class_is_refused_before_the_work(here):
    frame = catalog.load("sample")
    with pytest.raises(fit.FitError, match="two or more"):
        fit.finetune_encoder("sample", "one", children.FINETUNE, frame[frame[catalog.ARTICLE] == "Tshirts"])


def test_the_classifier_is_the_thesiss(here):
    from pipeline.encoders import backbones

    model = fit.classification(backbones.encoder(children.FINETUNE), children.FINETUNE, 7)
    assert [layer.name for layer in model.layers[-3:]] == ["head", "dropout", "classifier"]
    assert model.output_shape == (None, 7)
    assert model.loss == "sparse_categorical_crossentropy"
    assert type(model.optimizer).__name__ == "Adam"
