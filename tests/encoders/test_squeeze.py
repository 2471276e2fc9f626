"""What is squeezed: against principal components of scikit-learn, and what its two promises are."""

import keras
import numpy as np
import pytest
from sklearn.decomposition import PCA

from pipeline import params
from pipeline.encoders import backbones, squeeze
from pipeline.params.backbones import BACKBONES


@pytest.fixture
def features(rng):
    """Two parts, of which one is a thousand times the other."""
    low = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 12)) + 3
    return np.concatenate([low, 1000 * rng.normal(size=(60, 3)) @ rng.normal(size=(3, 20))], axis=1).astype(np.float32)


def test_components_are_those_of_parts_with_one_length_each_divided_by_the_root_of_its_spread(features):
    mean, projection = squeeze.fitted(features, [12, 20], 5, seed=0)
    found = (features - mean) @ projection
    centred = features - features.mean(axis=0, dtype=float)
    scaled = [part / np.sqrt(np.square(part).sum(axis=1).mean()) for part in np.split(centred, [12], axis=1)]
    pca = PCA(5).fit(np.concatenate(scaled, axis=1))
    deviation = np.sqrt(pca.explained_variance_ * 59 / 60)
    expected = pca.transform(np.concatenate(scaled, axis=1)) / np.sqrt(deviation + squeeze.FLOOR * deviation[0])
    expected /= expected.std()
    assert np.abs(found) == pytest.approx(np.abs(expected), abs=1e-4)  # a component's sign is nobody's
    assert found.std() == pytest.approx(1, abs=1e-5)


def test_no_part_drowns_another(features):
    mean, projection = squeeze.fitted(features, [12, 20], 7, seed=0)
    moved = features.copy()
    moved[:, 12:] = 0
    alone = (moved - np.where(np.arange(32) < 12, mean, 0)) @ projection
    assert alone.std() > 0.3


def test_components_that_few_pictures_cannot_give_are_0(features):
    _, projection = squeeze.fitted(features[:6], [12, 20], 9, seed=0)
    assert projection.shape == (32, 9)
    assert projection[:, :5].any(axis=0).all()
    assert not projection[:, 5:].any()


def test_the_pictures_that_are_looked_at_are_drawn(features, monkeypatch):
    monkeypatch.setattr(squeeze, "ROWS", 20)
    first, again, other = (squeeze.fitted(features, [12, 20], 3, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_layer_keeps_the_first_numbers_and_cuts_off_what_is_far(features):
    layer = squeeze.Squeeze(kept=2, squeezed=3)
    network = keras.Sequential([keras.Input((32,)), layer])
    mean, projection = squeeze.fitted(features[:, 2:], [10, 20], 3, seed=0)
    layer.set_weights([mean, projection])
    found = network(features).numpy()
    assert found[:, :2] == pytest.approx(features[:, :2])
    assert found[:, 2:] == pytest.approx(0.35 * (features[:, 2:] - mean) @ projection, abs=1e-4)
    far = network(features * 1e6).numpy()[:, 2:]
    assert np.abs(far).max() == pytest.approx(0.35 * 6)
    assert not layer.trainable_weights


def network(**changes):
    given = {
        "backbone": "efficientnet_lite0",
        "image_size": 64,
        "resize": "stretch",
        "pad_color": [0, 0, 0],
        "interpolation": "bicubic",
        "preprocessing": "own",
        "pooling": "avg",
        "head": [],
        **changes,
    }
    return params.Network(**given)


ALSO = ["block15_project_bn/quarters", "gem", "block3_expand_relu", "colours", "block5_expand_relu"]


def test_an_encoder_also_sees_what_it_is_told_to(rng):
    spec = network(also=ALSO, squeeze=7)
    pictures = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    encoder = backbones.encoder(spec)
    found = encoder(pictures).numpy()
    sizes = backbones.part_sizes(spec)
    assert sizes == [1280, 1280, 144, 144, 240, 240, 360]
    assert found.shape == (3, 1280 + sum(sizes))
    maps = [part.numpy() for part in encoder.get_layer("backbone")((pictures.astype(np.float32) - 127) / 128)]
    gem = np.cbrt(np.mean(np.maximum(maps[0], 1e-6).astype(float) ** 3, axis=(1, 2)))
    assert found[:, :1280] == pytest.approx(maps[0].mean(axis=(1, 2)), abs=1e-5)
    assert found[:, 1280:2560] == pytest.approx(gem, rel=1e-3, abs=1e-5)
    corner = maps[1][:, :1, :1].mean(axis=(1, 2))  # of 2 × 2 cells
    assert found[:, 2560:2880] == pytest.approx(corner, abs=1e-4)
    assert found[:, 3840:3984] == pytest.approx(maps[2].mean(axis=(1, 2)), abs=1e-5)
    colours = backbones.backbone("colours", (64, 64))(pictures.astype(np.float32)).numpy()[:, 0, 0]
    assert found[:, -360:] == pytest.approx(colours, abs=1e-6)


def test_quarters_are_means_of_corners_that_overlap_in_the_middle():
    feature_map = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    assert backbones._quarters(feature_map).numpy().ravel().tolist() == [2, 3, 5, 6]


def test_a_layer_that_is_not_there_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"Received: 'block3_expand_rel'\. Did you mean 'block3_expand_relu'"):
        backbones.encoder(network(also=["block3_expand_rel"], squeeze=4))


def test_a_head_stands_on_the_pooled_and_the_squeezed_features():
    encoder = backbones.encoder(network(also=["gem"], squeeze=9, head=[{"units": 5, "activation": "linear"}]))
    dense = encoder.get_layer("head").layers[-1]
    assert dense.kernel.shape == (BACKBONES["efficientnet_lite0"].features + 9, 5)


@pytest.mark.parametrize("given", [{"also": ["gem"]}, {"squeeze": 9}])
def test_also_and_squeeze_go_together(given):
    with pytest.raises(ValueError, match="also and squeeze go together"):
        network(**given)
