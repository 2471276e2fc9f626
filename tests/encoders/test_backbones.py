"""The backbone table, and preprocessing inside the model."""

import functools
import types

import numpy as np
import pytest
from keras import applications, layers

from pipeline import params
from pipeline.encoders import backbones, concatenation
from pipeline.params import networks
from pipeline.params.backbones import BACKBONES, DESCRIPTORS

NAMES = list(BACKBONES)
NETWORKS = [name for name in NAMES if name not in DESCRIPTORS]  # test_descriptors.py has the others
UNIT = types.SimpleNamespace(preprocess_input=lambda x: x / 255)
TORCH = types.SimpleNamespace(preprocess_input=lambda x: (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225])
LITE = types.SimpleNamespace(preprocess_input=lambda x: (x - 127) / 128)
# name: whose preprocessing it takes, and its parameters without the classifier
KNOWN = {
    "mobilenet_v2": (applications.mobilenet_v2, 2_257_984),
    "mobilenet_v3_small": (applications.mobilenet_v3, 939_120),
    "mobilenet_v3_large": (applications.mobilenet_v3, 2_996_352),
    "resnet50": (applications.resnet50, 23_587_712),
    "resnet50_v15": (
        TORCH,
        25_557_032 - 2_049_000 + 53_120,
    ),  # torchvision's, its classifier less, with the moving statistics
    "resnet18": (TORCH, 11_689_512 - 513_000 + 9_600),
    "efficientnet_b0": (applications.efficientnet, 4_049_571),
    "efficientnet_lite0": (LITE, 4_694_024 - 1_281_000),
    "efficientnet_lite1": (LITE, 5_470_344 - 1_281_000),
    "efficientnet_lite2": (LITE, 6_150_168 - 1_281_000),
    "inception_v3": (applications.inception_v3, 21_802_784),
    "vgg16": (applications.vgg16, 14_714_688),
    "vgg19": (applications.vgg19, 20_024_384),
    "convnext_tiny": (applications.convnext, 27_820_128),
    "convnext_small": (applications.convnext, 49_454_688),
    "convnext_base": (applications.convnext, 87_566_464),
    "small_cnn": (UNIT, 240_832),
    "mawoneke_cnn": (UNIT, (3 * 3 * 3 + 1) * 32),
}


def side_of(name):
    """A small picture that leaves 2x2 feature maps, so that pooling has something to do."""
    return {"inception_v3": 107, "small_cnn": 32}.get(name, 64)


def network(name, **changes):
    given = {
        "backbone": name,
        "image_size": side_of(name),
        "resize": "pad",
        "pad_color": [0, 0, 0],
        "interpolation": "bicubic",
        "preprocessing": "own",
        "pooling": "avg",
        "head": [],
        **changes,
    }
    return params.Network(**given)


@functools.cache
def encoder_of(name):
    return backbones.encoder(network(name))


def close(mine, expected):
    """Random networks give features of 1e-11: what is near is told by the largest of them."""
    np.testing.assert_allclose(mine, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.fixture
def pictures(rng):
    return lambda height, width: rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)


def test_the_table_and_the_parameters_know_the_same_names():
    assert set(params.Backbone.__args__) == set(BACKBONES) == set(KNOWN) | set(DESCRIPTORS)


@pytest.mark.parametrize("name", NAMES)
def test_each_row_names_one_network_and_a_scaling_that_there_are(name):
    row = BACKBONES[name]
    places = [place for place in (backbones.OWN, vars(applications)) if row.constructor in place]
    assert len(places) == 1
    assert callable(places[0][row.constructor])
    assert row.scaling in backbones.SCALINGS


@pytest.mark.parametrize("name", NAMES)
def test_each_row_takes_bytes_and_gives_what_it_says(name, pictures):
    encoder = encoder_of(name)
    assert encoder.input.dtype == "uint8"
    vectors = encoder(pictures(side_of(name), side_of(name)), training=False).numpy()
    assert vectors.shape == (2, BACKBONES[name].features)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert np.ptp(vectors, axis=0).max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_each_row_is_the_network_of_its_name_at_its_own_side(name):
    row = BACKBONES[name]
    body = backbones.backbone(name, (row.side, row.side))
    assert body.input_shape == (None, row.side, row.side, 3)
    assert body.output_shape[-1] == row.features
    assert body.count_params() == (KNOWN[name][1] if name in KNOWN else 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_encoder_is_the_published_preprocessing_then_the_network_then_the_mean(name, pictures):
    encoder, data = encoder_of(name), pictures(side_of(name), side_of(name))
    given = KNOWN[name][0].preprocess_input(data.astype("float32"))
    maps = encoder.get_layer("backbone")(given, training=False).numpy()
    assert maps.shape[1:3] == ((32, 32) if name == "mawoneke_cnn" else (2, 2))  # one halving, where others have five
    close(encoder(data, training=False), maps.mean(axis=(1, 2)))


def test_lite_is_without_squeeze_and_excitation_and_clips_at_six():
    kinds = encoder_of("efficientnet_lite0").get_layer("backbone").layers
    assert {layer.max_value for layer in kinds if isinstance(layer, layers.ReLU)} == {6.0}
    assert {type(layer).__name__ for layer in kinds} == {
        "InputLayer",
        "Conv2D",
        "DepthwiseConv2D",
        "BatchNormalization",
        "ReLU",
        "Add",
    }


SCALES = {
    "own": lambda x: x / 127.5 - 1,
    "unit": lambda x: x / 255,
    "caffe": applications.resnet50.preprocess_input,
}


@pytest.mark.parametrize(("preprocessing", "scale"), SCALES.items())
@pytest.mark.parametrize(
    ("pooling", "pool"), [("avg", np.mean), ("max", np.max), ("flatten", lambda maps, axis: maps.reshape(2, -1))]
)
def test_the_encoder_is_preprocessing_network_and_pooling(preprocessing, scale, pooling, pool, pictures):
    spec = network("mobilenet_v2", preprocessing=preprocessing, pooling=pooling, image_size=[96, 64])
    encoder, data = backbones.encoder(spec), pictures(96, 64)
    maps = encoder.get_layer("backbone")(scale(data.astype("float32")), training=False).numpy()
    assert maps.shape[1:3] == (3, 2)
    close(encoder(data, training=False), pool(maps, axis=(1, 2)))


def test_a_head_follows_pooling(pictures):
    head = [networks.Layer(units=512, activation="relu"), networks.Layer(units=128, activation="linear")]
    encoder, data = backbones.encoder(network("mobilenet_v3_small", head=head)), pictures(64, 64)
    assert encoder.output_shape == (None, 128)
    dense = encoder.get_layer("head").layers
    assert [(layer.units, layer.activation.__name__) for layer in dense] == [(512, "relu"), (128, "linear")]
    pooled = encoder.get_layer("backbone")(data.astype("float32"), training=False).numpy().mean(axis=(1, 2))
    first, second = (layer.kernel.numpy() for layer in dense)
    close(encoder(data, training=False), np.maximum(pooled @ first, 0) @ second)


def test_a_rectangle_is_height_then_width():
    assert backbones.encoder(network("mobilenet_v3_small", image_size=[80, 64])).input_shape == (None, 80, 64, 3)


CLASSES = {"articleType": 5, "gender": 3}
SHARES = {"articleType": 0.3, "gender": 0.2}


def posterior(shares=SHARES, **changes):
    """The parameters of an encoder whose vectors begin with what its classifiers think."""
    head = [{"units": 8, "activation": "linear"}]
    given = network("mobilenet_v3_small", **{"head": head, **changes}).model_dump()
    return params.Encoder(**given, weights="x", posteriors=shares, batch_size=2)


@pytest.fixture(scope="module")
def with_posteriors():
    """An encoder with classifiers that have an opinion, and what it makes of four pictures."""
    encoder, rng = backbones.encoder(posterior(), CLASSES), np.random.default_rng(1)
    pictures = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    pooled = encoder.get_layer("backbone")(pictures.astype("float32"), training=False).numpy().mean(axis=(1, 2))
    kernel = rng.normal(size=(576, 8))
    encoder.get_layer("head").set_weights([kernel / np.abs(pooled @ kernel).max(), rng.normal(size=8) / 4])
    for label in CLASSES:
        part = encoder.get_layer(f"classifier_{label}")
        part.set_weights([rng.normal(size=weight.shape) for weight in part.get_weights()])
    return encoder, pictures, encoder(pictures, training=False).numpy().astype(float)


def blocks_of(vectors):
    """The class probabilities of each label in its order, then the embedding."""
    return np.split(vectors, np.cumsum(list(CLASSES.values())), axis=1)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_posteriors_stand_before_the_embedding_and_the_whole_has_length_1(with_posteriors):
    encoder, _, vectors = with_posteriors
    assert encoder.output_shape == (None, 5 + 3 + 8)
    assert encoder(with_posteriors[1]).dtype == "float32"
    assert np.ptp(vectors, axis=0).max() > 0.01
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_squared_length_of_each_block_is_its_share(with_posteriors):
    *posteriors, embedding = blocks_of(with_posteriors[2])
    for block, share in zip([*posteriors, embedding], [*SHARES.values(), 0.5], strict=True):
        np.testing.assert_allclose((block**2).sum(axis=1), share, atol=1e-6)
    assert all((block >= 0).all() for block in posteriors)


def test_a_cosine_is_the_weighted_sum_of_the_cosines_of_its_blocks(with_posteriors):
    vectors = with_posteriors[2]
    shares = [*SHARES.values(), 0.5]
    cosines = [unit(block) @ unit(block).T for block in blocks_of(vectors)]
    expected = sum(share * cosine for share, cosine in zip(shares, cosines, strict=True))
    np.testing.assert_allclose(unit(vectors) @ unit(vectors).T, expected, atol=1e-6)
    assert all(np.ptp(cosine) > 0 for cosine in cosines)


def test_posteriors_are_the_softmax_of_a_linear_layer_on_the_embedding_before_it_is_scaled(with_posteriors):
    encoder, pictures, vectors = with_posteriors
    pooled = encoder.get_layer("backbone")(pictures.astype("float32"), training=False).numpy().mean(axis=(1, 2))
    kernel, bias = encoder.get_layer("head").get_weights()
    embedding = pooled @ kernel + bias
    for label, block in zip(CLASSES, blocks_of(vectors), strict=False):
        kernel, bias = encoder.get_layer(f"classifier_{label}").get_weights()
        powers = np.exp((embedding @ kernel + bias).astype(float))
        np.testing.assert_allclose(block, SHARES[label] ** 0.5 * unit(powers), atol=1e-4)
    np.testing.assert_allclose(blocks_of(vectors)[-1], 0.5**0.5 * unit(embedding), atol=1e-4)


def test_without_posteriors_an_encoder_is_what_it_was(with_posteriors):
    encoder, pictures, vectors = with_posteriors
    plain, known = (
        backbones.encoder(posterior({})),
        backbones.encoder(network("mobilenet_v3_small", head=posterior().head)),
    )
    for part in ("backbone", "head"):
        for other in (plain, known):
            other.get_layer(part).set_weights(encoder.get_layer(part).get_weights())
    assert [layer.name for layer in plain.layers] == [layer.name for layer in known.layers]
    found = plain(pictures, training=False).numpy()
    np.testing.assert_array_equal(found, known(pictures, training=False).numpy())
    assert found.shape == (4, 8)
    np.testing.assert_allclose(blocks_of(vectors)[-1], 0.5**0.5 * unit(found), atol=1e-6)


def test_posteriors_need_no_head():
    encoder = backbones.encoder(posterior({"gender": 0.25}, head=[]), {"gender": 2})
    assert encoder.output_shape == (None, 2 + 576)
    assert encoder.get_layer("classifier_gender").input_shape == (None, 576)


BESIDE = {"gradients": 0.1, "pooled": 0.3}


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_stands_beside_an_embedding_is_what_concatenations_of_its_parts_are(mirrored, rng):
    """The features as the backbone has them, and a descriptor: the form `open` of suite=recommended, as one network."""

    def built(shares, **changes):
        given = {**posterior(shares, image_size=96, **changes).model_dump(), "mirrored": mirrored}
        return backbones.encoder(params.Encoder.model_validate({**given, **extra}), CLASSES)

    extra = {"beside": BESIDE}
    whole = built({"gender": 0.12})
    extra = {}
    parts = [built({"gender": 0.2}), built({}, head=[]), built({}, head=[], backbone="gradients")]
    for layer in whole.layers:
        if layer.weights:
            values = [rng.normal(size=weight.shape) for weight in layer.get_weights()]
            if layer.name != "backbone":
                layer.set_weights([value * (1e9 if layer.name == "head" else 1) for value in values])
            for part in parts[:2]:
                if layer.name in [one.name for one in part.layers]:
                    part.get_layer(layer.name).set_weights(layer.get_weights())
    pictures = rng.integers(0, 256, (4, 96, 96, 3), dtype=np.uint8)
    headed, pooled, gradients = (part(pictures, training=False).numpy() for part in parts)
    expected = concatenation.join(concatenation.join(pooled, gradients, 0.25), headed, 0.6)
    found = whole(pictures, training=False).numpy()
    assert found.shape == expected.shape == (4, 3 + 8 + 576 + gradients.shape[1])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-5)
    ends = np.cumsum([3, gradients.shape[1], 576])
    for block, share in zip(np.split(found, ends, axis=1), [0.12, *BESIDE.values(), 0.48], strict=True):
        np.testing.assert_allclose((block**2).sum(axis=1), share, atol=1e-5)


@pytest.mark.parametrize("shares", [{}, SHARES])
def test_a_mirrored_encoder_is_the_mean_of_both_views_and_cannot_tell_them_apart(shares, rng):
    def built(mirrored):
        given = {**posterior(shares).model_dump(), "mirrored": mirrored}
        return backbones.encoder(params.Encoder.model_validate(given), CLASSES)

    plain, mirrored = built(False), built(True)
    pictures = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    weighted = [layer for layer in plain.layers if layer.weights]
    assert {layer.name for layer in weighted} == {layer.name for layer in mirrored.layers if layer.weights}
    pooled = plain.get_layer("backbone")(pictures.astype("float32"), training=False).numpy().mean(axis=(1, 2))
    for layer in weighted:
        values = [rng.normal(size=weight.shape) for weight in layer.get_weights()]
        if layer.name == "head":  # a random network's features are of 1e-11
            values = [values[0] / np.abs(pooled @ values[0]).max(), values[1] / 4]
        layer.set_weights(layer.get_weights() if layer.name == "backbone" else values)
        mirrored.get_layer(layer.name).set_weights(layer.get_weights())
    seen, flipped = (plain(view, training=False).numpy() for view in (pictures, pictures[:, :, ::-1]))
    assert np.abs(seen - flipped).max() > 1e-4
    both = mirrored(pictures, training=False).numpy()
    np.testing.assert_allclose(both, mirrored(pictures[:, :, ::-1], training=False).numpy(), atol=1e-5)
    parts = [1.0] if not shares else [*shares.values(), 1 - sum(shares.values())]
    ends = [] if not shares else np.cumsum(list(CLASSES.values()))
    for share, block, one, other in zip(
        parts, *(np.split(x, ends, axis=1) for x in (both, seen, flipped)), strict=True
    ):
        np.testing.assert_allclose(block, share**0.5 * unit(unit(one) + unit(other)), atol=1e-5)


def test_the_maps_on_a_pictures_way_are_the_networks():
    """EfficientNet-Lite0's strides of 2, from 64 × 48 pixels on; widths by Tan and Le (2019), table 1, and the top."""
    seen = backbones.shapes(backbones.encoder(network("efficientnet_lite0", image_size=[64, 48])))
    assert [(height, width) for height, width, _ in seen] == [(64, 48), (32, 24), (16, 12), (8, 6), (4, 3), (2, 2)]
    assert (seen[0][2], seen[-1][2]) == (3, 1280)


def test_descriptors_have_no_maps_but_the_picture():
    assert backbones.shapes(backbones.encoder(network("colours", image_size=[64, 48])))[0] == (64, 48, 3)
