"""Compiled encoders: TensorFlow's values, the same bytes whatever the threads and the batch, compiled once."""

import shutil
import threading
from pathlib import Path

import children
import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline import params, paths
from pipeline.data import images
from pipeline.encoders import backbones, compiled, pretrained, weights
from pipeline.params.backbones import BACKBONES

HEAD = [{"units": 16, "activation": "relu"}, {"units": 8, "activation": "linear"}]
# each kind of layer that an encoder may have: (what differs from the plain encoder, classes)
KINDS = {
    "plain": ({}, {}),
    "head": ({"head": HEAD}, {}),
    "mirrored": ({"mirrored": True}, {}),
    "posteriors": ({"head": HEAD, "posteriors": {"gender": 0.3}, "mirrored": True}, {"gender": 5}),
    "beside": ({"head": HEAD, "beside": {"pooled": 0.3, "gradients": 0.1}}, {}),
    "max": ({"pooling": "max", "preprocessing": "caffe"}, {}),
    "flatten": ({"pooling": "flatten", "preprocessing": "unit"}, {}),
}


def pictures(count, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def network(changes, classes, backbone="mobilenet_v2", size=96):
    """An encoder of random weights, normalised by what it has not learnt either."""
    given = {**children.ENCODER.model_dump(), "backbone": backbone, "image_size": size, **changes}
    weights.start_afresh(0)
    model, rng = backbones.encoder(params.Encoder.model_validate(given), classes), np.random.default_rng(1)
    for weight in model.weights:
        if "moving" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def run(path, batch, threads, images):
    encoder = compiled.interpreted(path, threads)
    return np.concatenate([encoder.run(images[at : at + batch]) for at in range(0, len(images), batch)])


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_tensorflows_and_of_the_same_bytes_for_any_threads_and_batch(kind, tmp_path):
    model, images = network(*KINDS[kind]), pictures(9, 96)
    path = tmp_path / "network.tflite"
    path.write_bytes(compiled.converted(model))
    features = run(path, 9, 1, images)
    expected = compiled.frozen(model)(images)
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(features, model(images, training=False), rtol=0, atol=1e-5 * np.abs(expected).max())
    for batch, threads in [(1, 1), (1, 2), (4, 2), (9, 4), (8, 1)]:
        assert run(path, batch, threads, images).tobytes() == features.tobytes()
    assert compiled.interpreted(path).dimension == features.shape[1]


DEEPER = {"convnext_small", "convnext_base", "vgg19"}  # more of the very layers of another one


@pytest.mark.slow
@pytest.mark.parametrize("backbone", sorted(set(BACKBONES) - DEEPER))
def test_every_backbone_compiles_to_what_tensorflow_gives(backbone, tmp_path):
    model, images = network({}, {}, backbone, 96), pictures(3, 96)
    path = tmp_path / "network.tflite"
    path.write_bytes(compiled.converted(model))
    expected = compiled.frozen(model)(images)
    one, other = run(path, 3, 1, images), run(path, 1, 2, images)
    np.testing.assert_allclose(one, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert one.tobytes() == other.tobytes()


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Random weights, and nothing compiled yet."""
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    folder = tmp_path / "weights"
    pretrained.make(params.Weights(source="random", backbone="mobilenet_v2", seed=0), folder)
    return folder


def test_an_encoder_is_compiled_once_for_its_weights(made, monkeypatch):
    first = compiled.compiled(children.ENCODER, made).run(pictures(2, 96))
    (path,) = (paths.BUILD / "compiled").iterdir()
    with monkeypatch.context() as patched:
        patched.setattr(compiled, "converted", lambda model: pytest.fail("compiled again"))
        again = compiled.compiled(children.ENCODER.model_copy(update={"batch_size": 3}), made).run(pictures(2, 96))
    assert again.tobytes() == first.tobytes()
    compiled.compiled(children.ENCODER.model_copy(update={"pooling": "max"}), made)
    pretrained.make(params.Weights(source="random", backbone="mobilenet_v2", seed=1), made)
    other = compiled.compiled(children.ENCODER, made).run(pictures(2, 96))
    assert other.tobytes() != first.tobytes()
    assert len(list((paths.BUILD / "compiled").iterdir())) == 3
    assert path.exists()


def test_what_was_compiled_by_other_code_is_not_taken(made, tmp_path, monkeypatch):
    folder, decoding = tmp_path / "encoders", tmp_path / "images.py"
    shutil.copytree(Path(compiled.__file__).parent, folder, ignore=shutil.ignore_patterns("published"))
    shutil.copyfile(images.__file__, decoding)
    monkeypatch.setattr(compiled, "__file__", str(folder / "compiled.py"))
    monkeypatch.setattr(images, "__file__", str(decoding))
    seen = []
    for edited in (folder / "compiled.py", folder / "backbones.py", decoding):
        edited.write_text(f"{edited.read_text(encoding='utf-8')}# edited\n", encoding="utf-8")
        compiled.code.cache_clear()
        seen.append(compiled.place(children.ENCODER, made))
    compiled.code.cache_clear()
    assert len(set(seen)) == 3


def test_where_there_is_a_gpu_tensorflow_runs(made, monkeypatch):
    expected = compiled.compiled(children.ENCODER, made)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    monkeypatch.setattr(compiled, "interpreted", lambda path: pytest.fail("LiteRT has no GPU here"))
    encoder = compiled.compiled(children.ENCODER, made)
    assert encoder.dimension == expected.dimension == 1280
    values = expected.run(pictures(3, 96))
    np.testing.assert_allclose(encoder.run(pictures(3, 96)), values, rtol=0, atol=1e-5 * np.abs(values).max())


@keras.saving.register_keras_serializable("test")
class Sorted(keras.layers.Layer):
    """An operation that LiteRT has not: singular values."""

    def call(self, x):
        return tf.linalg.svd(x, compute_uv=False)


def test_an_operation_that_does_not_convert_is_said_and_runs_in_tensorflow(made, monkeypatch, capsys):
    given = keras.Input((96, 96, 3), dtype="uint8", name="pictures")
    model = keras.Model(given, Sorted()(keras.ops.cast(given[..., 0], "float32")))
    monkeypatch.setattr(weights, "load_encoder", lambda spec, folder: model)
    encoder = compiled.compiled(children.ENCODER, made)
    assert encoder.dimension == 96
    assert encoder.run(pictures(2, 96)).shape == (2, 96)
    assert "mobilenet_v2 runs in TensorFlow, since LiteRT lacks one of its operations" in capsys.readouterr().out
    assert not (paths.BUILD / "compiled").exists()


def test_threads_that_share_an_encoder_do_not_disturb_each_other(made):
    encoder = compiled.compiled(children.ENCODER, made)
    asked = [pictures(1 + number % 3, 96, number) for number in range(12)]
    expected, answers = [encoder.run(images).tobytes() for images in asked], [None] * 12

    def ask(number):
        answers[number] = encoder.run(asked[number]).tobytes()

    for _ in range(3):
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == expected
