"""The backbone table, and preprocessing inside the model."""

import keras
import numpy as np
import pytest

from pipeline import params
from pipeline.encoders import backbones

SIDES = {"inception_v3": 75}


def network(name, **changes):
    side = SIDES.get(name, 32)
    given = {
        "backbone": name, "image_size": side, "resize": "pad", "pad_color": [0, 0, 0], "interpolation": "bicubic",
        "preprocessing": "own", "pooling": "avg", "head": [], **changes,
    }  # fmt: skip
    return params.Network(**given)


@pytest.fixture
def pictures(rng):
    return lambda side: rng.integers(0, 256, (2, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_each_row_takes_bytes_and_gives_what_it_says(name, pictures):
    encoder = backbones.encoder(network(name))
    assert encoder.input.dtype == "uint8"
    vectors = encoder(pictures(SIDES.get(name, 32)), training=False)
    assert vectors.shape == (2, backbones.BACKBONES[name].features)
    assert vectors.dtype == "float32"
    assert np.isfinite(vectors.numpy()).all()


def test_the_table_and_the_parameters_know_the_same_names():
    assert set(params.Backbone.__args__) == set(backbones.BACKBONES)


OWN = {
    "mobilenet_v2": keras.applications.mobilenet_v2, "resnet50": keras.applications.resnet50,
    "vgg16": keras.applications.vgg16, "vgg19": keras.applications.vgg19,
    "inception_v3": keras.applications.inception_v3, "mobilenet_v3_small": keras.applications.mobilenet_v3,
    "efficientnet_b0": keras.applications.efficientnet, "convnext_tiny": keras.applications.convnext,
}  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_preprocessing_is_keras_own(name, rng):
    pixels = rng.integers(0, 256, (1, 4, 4, 3)).astype("float32")
    expected = OWN[name].preprocess_input(pixels.copy())
    mine = np.asarray(backbones.BACKBONES[name].preprocess(keras.ops.convert_to_tensor(pixels)))
    np.testing.assert_allclose(mine, expected, atol=1e-4)


@pytest.mark.parametrize(("preprocessing", "scale"), [("own", lambda x: x / 127.5 - 1), ("unit", lambda x: x / 255)])
@pytest.mark.parametrize(("pooling", "pool"), [("avg", np.mean), ("max", np.max)])
def test_the_encoder_is_preprocessing_network_and_pooling(preprocessing, scale, pooling, pool, pictures):
    encoder = backbones.encoder(network("mobilenet_v2", preprocessing=preprocessing, pooling=pooling))
    data = pictures(32)
    maps = encoder.get_layer("backbone")(scale(data.astype("f4")), training=False).numpy()
    np.testing.assert_allclose(encoder(data, training=False), pool(maps, axis=(1, 2)), rtol=1e-4, atol=1e-6)


def test_a_head_follows_pooling():
    head = [params.Layer(units=512, activation="relu"), params.Layer(units=128, activation="linear")]
    encoder = backbones.encoder(network("mobilenet_v3_small", head=head))
    assert encoder.output_shape == (None, 128)
    dense = encoder.get_layer("head").layers
    assert [(layer.units, layer.activation.__name__) for layer in dense] == [(512, "relu"), (128, "linear")]


def test_a_rectangle_is_height_then_width():
    assert backbones.encoder(network("mobilenet_v3_small", image_size=[80, 64])).input_shape == (None, 80, 64, 3)
