"""What a student asks: a search judged as chapter 4 judges it, cells that add up, the map, and several products."""

import io
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image, ImageDraw

from pipeline import files, paths
from pipeline.data import catalog, images
from pipeline.data.boxes import Box
from pipeline.data.cropper import overlap
from pipeline.encoders import store
from pipeline.evaluation import protocols
from pipeline.params.backbones import BACKBONES
from pipeline.params.systems import UserPhotos
from pipeline.site import encoders
from pipeline.site import study as module
from pipeline.site.questions import Judged, NotReady, Pair
from pipeline.site.site import Site
from pipeline.systems import detector

ASKED = """
import types, threading, numba, numpy as np
from pipeline.site import study
told = np.array([["a", *["Shirts"] * 20], ["b", *["Shoes"] * 20]] * 2000, object)
now, far = types.SimpleNamespace(told=told), np.random.default_rng(0).random(4000)
expected = study.scored(now, far, "Shoes", [10])
assert numba.threading_layer() == "workqueue"

def ask():
    for _ in range(200):
        assert study.scored(now, far, "Shoes", [10]) == expected

people = [threading.Thread(target=ask) for _ in range(8)]
[one.start() for one in people], [one.join() for one in people]
"""


def encoded(image, kind="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def cosine(one, other):
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_a_search_is_judged_as_chapter_4_judges_it(client, site):
    frame, features = site.catalogue.frame, store.read(paths.features("sample", "padded"))
    rows = catalog.rows_of(frame, catalog.TEST)[:20]
    expected = protocols.precisions(features.take(rows), features, frame, rows, ["articleType"])["articleType"]
    for row, value in zip(rows, expected, strict=True):
        answer = client.get("/api/v1/study", params={"like": site.ids[row], "encoder": "padded"}).json()
        assert answer["articleType"] == frame[catalog.ARTICLE][row]
        assert answer["judged"]["AP"] == pytest.approx(value, abs=1e-3)  # but for near ties
        found = client.get("/api/v1/search", params={"like": site.ids[row], "count": 10}).json()["results"]
        right = sum(one["articleType"] == answer["articleType"] for one in found)
        assert answer["judged"]["precision"]["10"] == pytest.approx(right / 10)


def test_a_photo_is_judged_by_the_type_that_is_named(client, site):
    photo = site.picture(site.ids[0])
    nameless = client.post("/api/v1/study", content=photo).json()
    assert (nameless["articleType"], nameless["judged"]) == (None, None)
    kind = site.catalogue.frame[catalog.ARTICLE][0]
    judged = client.post("/api/v1/study", content=photo, params={"articleType": kind}).json()["judged"]
    assert judged["precision"]["1"] == 1  # it is its own nearest: a photo is not the catalogue's
    other = client.post("/api/v1/study", content=photo, params={"articleType": "Nonesuch"}).json()["judged"]
    assert (other["relevant"], other["AP"], other["precision"]["1"]) == (0, None, None)
    assert 0 < judged["chance"] < judged["AP"] <= 1


def test_what_is_hidden_is_not_judged(site):
    like, other = site.ids[:2]
    before = module.judge(site, Judged(like=like))["judged"]["among"]
    site.remove(other)
    assert module.judge(site, Judged(like=like))["judged"]["among"] == before - 1


def test_the_measured_numbers_are_those_of_the_run(client, site):
    assert client.get("/api/v1/study", params={"like": site.ids[0]}).json()["measured"] is None
    row = {
        "encoder": "padded",
        "distance": "cosine",
        "protocol": "strict",
        "gallery": "all",
        "relevance": "articleType",
    }
    row |= {"low": 0.5, "high": 0.7, "queries": 12}
    others = [row | changed | {"metric": "mAP", "value": 0.1} for changed in ({"gallery": "test"}, {"encoder": "both"})]
    rows = [*others, row | {"metric": "mAP", "value": 0.625}, row | {"metric": "precision@5", "value": 0.75}]
    path = paths.evaluation("sample") / "metrics.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    measured = client.get("/api/v1/study", params={"like": site.ids[0]}).json()["measured"]
    assert measured == {"mAP": 0.625, "low": 0.5, "high": 0.7, "queries": 12, "precision": {"5": 0.75}}
    elsewhere = client.get("/api/v1/study", params={"like": site.ids[0], "distance": "manhattan"}).json()
    assert elsewhere["measured"] is None


@pytest.mark.parametrize("encoder", ["padded", "stretched"])
def test_cells_add_up_to_the_similarity(site, encoder):
    like, of = site.ids[4], site.ids[9]
    vectors = store.read(paths.features("sample", encoder)).vectors
    found = module.regions(site, Pair(like=like, of=of, encoder=encoder))
    assert found["adds_up"] == "exactly"
    assert found["similarity"] == pytest.approx(cosine(vectors[4], vectors[9]), abs=1e-5)
    for side in ("asked", "found"):
        assert np.sum(found[side]["cells"]) == pytest.approx(found["similarity"], abs=1e-4)
        assert found[side]["rest"] == pytest.approx(0, abs=1e-4)
    photo = module.regions(site, Pair(of=of, encoder=encoder), site.picture(like))
    np.testing.assert_allclose(photo["asked"]["cells"], found["asked"]["cells"], atol=1e-4)


def test_cells_are_those_of_the_box(client, site):
    photo, params = site.picture(site.ids[4]), {"of": site.ids[9], "box": "5,5,30,40"}
    answer = client.post("/api/v1/regions", content=photo, params=params)
    while answer.status_code == 503:  # they are loaded when they are first asked for
        time.sleep(0.2)  # whoever asks without a pause takes the processor from what is asked for
        answer = client.post("/api/v1/regions", content=photo, params=params)
    part = images.decode(photo).crop((5, 5, 35, 45))
    alone = module.regions(site, Pair(of=site.ids[9]), encoded(part))
    assert answer.json()["box"] == [5, 5, 30, 40]
    assert answer.json()["asked"] == alone["asked"]


def test_cells_that_are_loaded_block_nobody_and_are_let_go(client, site):
    params = {"like": site.ids[0], "of": site.ids[1]}
    first = client.get("/api/v1/regions", params=params)
    assert (first.status_code, first.headers["retry-after"]) == (503, "2")
    assert "padded's cells" in first.json()["error"]
    site.cells("padded")
    assert client.get("/api/v1/regions", params=params).status_code == 200
    assert client.get("/api/v1/regions", params={**params, "of": "nobody"}).status_code == 404
    joined = client.get("/api/v1/regions", params={**params, "encoder": "both"})
    assert (joined.status_code, "Ask padded or stretched" in joined.json()["error"]) == (422, True)


def test_where_a_picture_stands_in_the_cells_is_where_it_is_prepared(study):
    others = {how: study.encoders["padded"].model_copy(update={"resize": how}) for how in ("native", "half")}
    for name, spec in {**study.encoders, **others}.items():
        for size in [(60, 80), (80, 60), (33, 300)]:
            seen = images.prepare(Image.new("RGB", size, "white"), spec).any(axis=-1)
            rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
            x, y, width, height = images.placed(size, spec)
            high, wide = seen.shape
            assert (x * wide, y * high) == pytest.approx((columns[0], rows[0]), abs=1), (name, size)
            assert (width * wide, height * high) == pytest.approx((len(columns), len(rows)), abs=1), (name, size)


def test_the_map_is_the_runs_and_a_search_has_its_place_on_it(client, site):
    absent = client.get("/api/v1/map")
    assert (absent.status_code, "has no map of 'padded'" in absent.json()["error"]) == (404, True)
    assert client.get("/api/v1/study", params={"like": site.ids[0]}).json()["near"] == []
    rows = list(range(0, 40, 2))
    folder = paths.embedding_space("sample", "padded")
    folder.mkdir(parents=True)
    points = {"tsne_x": [0.5 * row for row in rows], "tsne_y": [1.0] * len(rows), "row": rows}
    pd.DataFrame(points).to_parquet(folder / "map.parquet")
    site.remove(site.ids[2])
    drawn = client.get("/api/v1/map").json()
    assert [one["id"] for one in drawn["products"]] == [site.ids[row] for row in rows if row != 2]
    assert (list(drawn["maps"]), drawn["maps"]["tsne"][1]) == (["tsne"], [2.0, 1.0])
    on_it = client.get("/api/v1/study", params={"like": site.ids[4]}).json()["near"]
    assert (on_it[0], len(on_it)) == (site.ids[4], 3)
    vectors = store.read(paths.features("sample", "padded")).vectors
    beside = client.get("/api/v1/study", params={"like": site.ids[5]}).json()["near"]
    nearest = sorted((row for row in rows if row != 2), key=lambda row: -cosine(vectors[5], vectors[row]))
    assert beside == [site.ids[row] for row in nearest[:3]]


@pytest.mark.parametrize(("kind", "size"), [("PNG", (600, 400)), ("JPEG", (3000, 2000))])
def test_products_that_lie_apart_are_boxes_that_can_be_searched_with(client, kind, size):
    photo = Image.new("RGB", size, "white")
    scale = size[0] / 600
    wanted = [[60, 80, 120, 200], [380, 100, 150, 150]]
    for (x, y, width, height), colour in zip(wanted, ["navy", "crimson"], strict=True):
        corners = [x * scale, y * scale, (x + width) * scale - 1, (y + height) * scale - 1]
        ImageDraw.Draw(photo).rectangle(corners, fill=colour)
    found = client.post("/api/v1/boxes", content=encoded(photo, kind)).json()["boxes"]
    assert len(found) == 2
    for box in wanted:
        nearest = min(found, key=lambda one: abs(one["box"][0] - box[0] * scale))
        np.testing.assert_allclose(nearest["box"], np.array(box) * scale, atol=8 * scale)
        said = ",".join(map(str, nearest["box"]))
        answer = client.post("/api/v1/search", content=encoded(photo, kind), params={"box": said, "count": 1})
        assert answer.json()["box"] == nearest["box"]
    assert client.post("/api/v1/boxes", content=encoded(Image.new("RGB", (50, 50)))).json() == {
        "boxes": [],
        "fault": None,
    }
    assert client.post("/api/v1/boxes", content=b"no picture").status_code == 415


def with_detector(study, network=None, side=224):
    """A site whose run has trained a detector, of weights that say yes more often than not."""
    run = UserPhotos.model_construct(encoders=["padded"])
    keras.utils.set_random_seed(0)
    head = detector._head((7, 7, BACKBONES["mobilenet_v2"].features))
    head.set_weights([array + (0.5 if array.shape == (5,) else 0) for array in head.get_weights()])
    network = network or detector.network_of("sample", study.encoders["padded"], side)
    files.write_bytes(paths.detector("sample", "photos"), detector.kept(head, network, side))
    site = Site(study.model_copy(update={"user_photos": {"photos": run}}))
    site.start()
    return site


def test_a_trained_detector_proposes_what_colour_does_not(site, study):
    """On a photo of many colours; what both see is proposed once."""
    photo = encoded(Image.effect_noise((300, 200), 90).convert("RGB"))
    plain = site.find_boxes(photo)["boxes"]
    trained = with_detector(study)
    with pytest.raises(NotReady, match="the detector of photos is being loaded"):
        trained.find_boxes(photo, wait=False)
    found, fault = trained.find_boxes(photo).values()
    assert found[: len(plain)] == plain and len(found) > len(plain) and fault is None
    for number, one in enumerate(found):
        x, y, width, height = one["box"]
        assert 0 <= x < x + width <= 300 and 0 <= y < y + height <= 200 and 0 < one["score"] <= 1
        before = [Box(*other["box"]) for other in found[:number]]
        assert all(overlap(Box(*one["box"]), other) <= 0.55 for other in before)


def test_a_long_thin_photo_takes_no_memory(study, place):
    site = with_detector(study)
    site.find_boxes(encoded(Image.new("RGB", (50, 50))))
    before = psutil.Process().memory_info().rss
    site.find_boxes(encoded(Image.new("RGB", (32_000, 1), "red")))
    assert psutil.Process().memory_info().rss - before < 300_000_000


def test_a_detector_of_another_network_is_told_once_beside_what_colour_finds(study, place, monkeypatch):
    photo = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(photo).rectangle((40, 40, 120, 160), fill="red")
    site = with_detector(study, "another")
    found = site.find_boxes(encoded(photo))
    assert len(found["boxes"]) == 1 and "trained on another network" in found["fault"]
    monkeypatch.setattr(encoders, "detector", lambda *given: pytest.fail("it was tried again"))
    assert site.find_boxes(encoded(photo)) == found


def test_a_machine_without_openmp_answers_several_people():
    """numba then counts with threads of its own, and ends a process in which two ask them at once."""
    command = ["env", "NUMBA_THREADING_LAYER=workqueue", sys.executable, "-c", ASKED]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
