"""Where a likeness lies: cells of the last map add up to the cosine where the network is linear behind them."""

import children
import numpy as np
import pytest

from pipeline import params, paths
from pipeline.encoders import backbones, regions, weights
from pipeline.params.networks import BACKBONE, CLASSIFIER, HEAD


def encoder_like(**changes):
    return params.Encoder.model_validate({**children.ENCODER.model_dump(), **changes})


def cosine(one, other):
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    """Where graphs are kept: nobody's yet."""
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)


def cells_and_vectors(spec, pictures, folder):
    """What the cells of the first picture add, and both pictures' vectors by the whole encoder."""
    weights.start_afresh(0)
    model = backbones.encoder(spec, dict.fromkeys(spec.posteriors, 5))
    parts = [layer for layer in model.layers if layer.name in (BACKBONE, HEAD) or layer.name.startswith(CLASSIFIER)]
    drawn = np.random.default_rng(1)
    for bias in (weight for part in parts for weight in part.weights if "bias" in weight.name):
        bias.assign(drawn.normal(0, 0.3, bias.shape))  # else it is zero, and nobody's
    weights.save(parts, folder / "weights", {"backbone": spec.backbone})
    vectors = model.predict(pictures, verbose=0)
    return regions.comparing(spec, folder / "weights")(pictures[0], vectors[1]), vectors


@pytest.mark.parametrize("changes", [{}, {"mirrored": True}, {"pooling": "flatten"}], ids=str)
def test_cells_add_up_to_the_cosine_exactly_where_nothing_follows_the_mean(changes, pictures, tmp_path):
    spec = encoder_like(**changes)
    cells, vectors = cells_and_vectors(spec, pictures, tmp_path)
    assert regions.adds_up(spec) == "exactly"
    assert cells.sum() == pytest.approx(cosine(*vectors), abs=1e-5)


def test_a_cells_share_is_its_own_product_with_the_other_vector(pictures, tmp_path):
    spec = encoder_like(image_size=64)
    large = np.kron(pictures, np.ones((1, 2, 2, 1), np.uint8))
    cells, vectors = cells_and_vectors(spec, large, tmp_path)
    model = backbones.encoder(spec)
    weights.load(model, tmp_path / "weights")
    shown = backbones.SCALINGS["tf"](large[:1].astype(np.float32))
    maps = model.get_layer(BACKBONE).predict(shown, verbose=0)[0]
    expected = maps @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1]) / maps[..., 0].size
    assert cells.shape == (2, 2)
    np.testing.assert_allclose(cells, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "adds"),
    [
        ({"head": [{"units": 8, "activation": "linear"}]}, "but for a rest"),
        ({"head": [{"units": 8, "activation": "linear"}], "posteriors": {"articleType": 0.3}}, "but for a rest"),
        ({"beside": {"gradients": 0.2}}, "but for a rest"),
        ({"head": [{"units": 8, "activation": "relu"}]}, "about"),
        ({"pooling": "max"}, "about"),
        ({"also": ["gem"], "squeeze": 4, "head": [{"units": 8, "activation": "linear"}]}, "about"),
    ],
    ids=str,
)
def test_an_encoder_says_where_cells_do_not_add_up(changes, adds):
    assert regions.adds_up(encoder_like(**changes)) == adds


def test_behind_a_linear_head_the_rest_is_its_constants_share(pictures, tmp_path):
    spec = encoder_like(head=[{"units": 8, "activation": "linear"}])
    cells, (one, other) = cells_and_vectors(spec, pictures, tmp_path)
    model = backbones.encoder(spec)
    weights.load(model, tmp_path / "weights")
    constant = model.get_layer(HEAD).layers[-1].bias.numpy()
    rest = constant @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert abs(rest) > 0.01
    assert cosine(one, other) - cells.sum() == pytest.approx(rest, abs=1e-4)


@pytest.mark.parametrize("parts", [{"posteriors": {"articleType": 0.3}}, {"beside": {"pooled": 0.1, "gradients": 0.2}}])
def test_what_stands_before_an_embedding_belongs_to_no_cell(pictures, tmp_path, parts):
    spec = encoder_like(head=[{"units": 8, "activation": "linear"}], mirrored=True, **parts)
    cells, (one, other) = cells_and_vectors(spec, pictures, tmp_path)
    one, other = (np.concatenate([np.zeros(5), vector[-8:]]) for vector in (one, other))
    model = backbones.encoder(spec.model_copy(update={"posteriors": {}, "beside": {}, "mirrored": False}))
    weights.load(model, tmp_path / "weights")
    views = model.predict(np.stack([pictures[0], pictures[0][:, ::-1]]), verbose=0)
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    constant = model.get_layer(HEAD).layers[-1].bias.numpy()
    assert one[5:] @ other[5:] == pytest.approx(0.7 * cosine(one[5:], other[5:]), abs=1e-5)
    lengths = np.linalg.norm(model.predict(np.stack([pictures[0], pictures[0][:, ::-1]]), verbose=0), axis=1)
    shares = 0.7**0.5 * (constant @ other[5:]) * (1 / lengths).sum() / np.linalg.norm(views.sum(axis=0))
    assert cells.sum() == pytest.approx(one[5:] @ other[5:] - shares, abs=1e-4)


def test_a_mirrored_pictures_cells_are_mirrored(pictures, tmp_path):
    spec = encoder_like(image_size=64, mirrored=True)
    large = np.kron(pictures, np.ones((1, 2, 2, 1), np.uint8))
    cells, vectors = cells_and_vectors(spec, large, tmp_path)
    turned = regions.comparing(spec, tmp_path / "weights")(large[0][:, ::-1], vectors[1])
    assert np.abs(cells - cells[:, ::-1]).max() > 1e-3
    np.testing.assert_allclose(turned, cells[:, ::-1], atol=1e-5)


def test_a_graph_is_made_once_for_its_weights_and_opened_after_that(pictures, tmp_path, monkeypatch):
    spec, folder = encoder_like(backbone="small_cnn"), tmp_path / "weights"
    cells, vectors = cells_and_vectors(spec, pictures, tmp_path)
    place = regions.place(spec, folder)
    assert list((paths.BUILD / "compiled").iterdir()) == [place]
    assert regions.place(encoder_like(backbone="small_cnn", mirrored=True), folder) == place  # the same view, twice
    with monkeypatch.context() as patched:
        patched.setattr(regions, "_frozen", lambda encoder: pytest.fail("made again"))
        np.testing.assert_array_equal(regions.comparing(spec, folder)(pictures[0], vectors[1]), cells)
    weights.start_afresh(1)
    other = backbones.encoder(spec)
    weights.save([other.get_layer(BACKBONE)], folder, {"backbone": spec.backbone})
    assert regions.place(spec, folder) != place
    assert not np.array_equal(regions.comparing(spec, folder)(pictures[0], vectors[1]), cells)
