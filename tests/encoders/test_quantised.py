"""Product-quantised ResNets: the network against one written with NumPy alone, and files that are not what they say."""

import zipfile

import numpy as np
import pytest

from pipeline import params, paths
from pipeline.encoders import backbones, pretrained, quantised, weights
from pipeline.encoders.card import WeightsError, read_card

BLOCK = {1: 8, 3: 18, 7: 49}  # numbers of a codebook's row, by the side of the kernel


def convolve(x, kernel, stride):
    """(height, width, in) and (out, in, k, k) → (height', width', out), padded by half a kernel on each side."""
    side = kernel.shape[-1]
    x = np.pad(x, [(side // 2, side // 2)] * 2 + [(0, 0)])
    seen = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(0, 1))[::stride, ::stride]
    return np.einsum("hwikl,oikl->hwo", seen, kernel)


class Numpy:
    """A ResNet of torchvision's from its state's names, as its paper and its documentation say."""

    def __init__(self, arrays):
        self.arrays = arrays

    def kernel(self, name):
        if f"{name}.weight" in self.arrays:
            return self.arrays[f"{name}.weight"]
        codes, book = self.arrays[f"{name}.codes_matrix"], self.arrays[f"{name}.codebook"]
        rows = np.array([[number for code in row for number in book[code]] for row in codes], float)
        side = 3 if name.endswith(self.threes) else 1
        return rows.reshape(len(rows), -1, side, side)

    def step(self, x, name, stride=1):
        normal = name.replace("conv", "bn") if "conv" in name else name.replace("downsample.0", "downsample.1")
        scale, shift = self.arrays[f"{normal}.weight"], self.arrays[f"{normal}.bias"]
        return convolve(x, self.kernel(name), stride) / np.sqrt(1 + 1e-5) * scale + shift

    def __call__(self, x, repeats, bottleneck):
        self.threes = ("conv2",) if bottleneck else ("conv1", "conv2")
        x = np.maximum(self.step(x, "conv1", 2), 0)
        x = np.pad(x, [(1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
        x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2].max(axis=(-1, -2))
        for stage, count in enumerate(repeats, 1):
            for number in range(count):
                name, stride = f"layer{stage}.{number}", 2 if number == 0 and stage > 1 else 1
                strides = [1, stride, 1] if bottleneck else [stride, 1]
                y = x
                for place, step in enumerate(strides, 1):
                    y = self.step(y, f"{name}.conv{place}", step)
                    y = y if place == len(strides) else np.maximum(y, 0)
                own = f"{name}.downsample.1.weight" in self.arrays
                x = np.maximum((self.step(x, f"{name}.downsample.0", stride) if own else x) + y, 0)
        return x


def drawn(name, rng):
    """Codes, codebooks and folded normalisation for every layer of a network, as the published files have them."""
    arrays = {}
    for layer in backbones.backbone(name, (64, 64)).layers:
        if "bn" in layer.name or layer.name.endswith("downsample.1"):
            arrays[f"{layer.name}.weight"] = rng.uniform(0.5, 1.5, layer.gamma.shape).astype("float32")
            arrays[f"{layer.name}.bias"] = rng.normal(0, 0.1, layer.gamma.shape).astype("float32")
        elif layer.weights:
            side, _, into, out = layer.kernel.shape
            size = into * side * side
            if layer.name == "conv1":
                arrays["conv1.weight"] = rng.normal(0, 0.1, (out, into, side, side)).astype("float32")
                continue
            block = BLOCK[side]
            arrays[f"{layer.name}.codes_matrix"] = rng.integers(0, 200, (out, size // block), dtype=np.uint8)
            arrays[f"{layer.name}.codebook"] = rng.normal(0, size**-0.5, (200, block)).astype("float16")
    return arrays


@pytest.mark.parametrize(
    ("name", "repeats", "bottleneck"), [("resnet18", [2] * 4, False), ("resnet50_v15", [3, 4, 6, 3], True)]
)
def test_a_network_and_its_file_give_what_numpy_gives(name, repeats, bottleneck, tmp_path, rng):
    """Strides, padding, decoding and axes at once: an odd size, so that padding on one side alone would show."""
    arrays = drawn(name, rng)
    np.savez(tmp_path / "codes.npz", **arrays)
    network = backbones.backbone(name, (75, 61))
    quantised.load(network, tmp_path / "codes.npz")
    picture = rng.normal(size=(75, 61, 3)).astype("float32")
    expected = Numpy(arrays)(picture.astype(float), repeats, bottleneck)
    found = network(picture[None], training=False).numpy()[0]
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


@pytest.fixture
def small(tmp_path, rng):
    """A file of ResNet18, and a way to write it anew with some arrays changed."""
    arrays = drawn("resnet18", rng)

    def write(**changes):
        np.savez(
            tmp_path / "codes.npz", **{key: value for key, value in (arrays | changes).items() if value is not None}
        )
        return tmp_path / "codes.npz"

    return write


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layer1.0.bn1.weight": np.ones(65)}, "layer1.0.bn1"),
        ({"layer4.1.conv2.codes_matrix": None, "layer4.1.conv2.codebook": None}, "only one of them has layer4.1.conv2"),
        ({"fc.weight": np.ones(3)}, "only one of them has fc"),
        ({"layer1.0.conv1.codes_matrix": np.full((64, 32), 255, np.uint8)}, "layer1.0.conv1"),
        ({"layer1.0.conv1.codebook": None}, "layer1.0.conv1"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_the_layer(small, changes, said):
    with pytest.raises(WeightsError, match=f"codes.npz does not fit .*{said}"):
        quantised.load(backbones.backbone("resnet18", (32, 32)), small(**changes))


def test_what_is_no_file_of_arrays_is_refused(tmp_path, small, monkeypatch):
    network = backbones.backbone("resnet18", (32, 32))
    with pytest.raises(WeightsError, match="is missing"):
        quantised.load(network, tmp_path / "none.npz")
    with pytest.raises(WeightsError, match="no .npz"):
        (tmp_path / "text.npz").write_text("no archive", encoding="utf-8")
        quantised.load(network, tmp_path / "text.npz")
    with pytest.raises(WeightsError, match="no .npz"):
        quantised.load(network, small(**{"bn1.bias": np.array([{}], dtype=object)}))  # would be unpickled
    with pytest.raises(WeightsError, match="unpacks to"):
        with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("conv1.weight.npy", bytes(quantised.LARGEST + 1))
        quantised.load(network, tmp_path / "bomb.npz")


def test_weights_of_one_resnet50_are_refused_by_the_other(monkeypatch, tmp_path):
    """Each weight of the one has a shape of the other's, so they would load and be wrong."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    folder = tmp_path / "theirs"
    pretrained.make(params.Weights(source="random", backbone="resnet50_v15", seed=0), folder)
    assert read_card(folder)["backbone"] == "resnet50_v15"
    spec = params.Encoder(
        **{"backbone": "resnet50", "weights": "theirs", "image_size": 32, "resize": "pad", "pad_color": [0, 0, 0]},
        **{"interpolation": "bicubic", "preprocessing": "own", "pooling": "avg", "head": [], "batch_size": 2},
    )
    with pytest.raises(WeightsError, match="resnet50_v15.*Received: resnet50"):
        weights.load_encoder(spec, folder)
