"""User photos: AP against a slow loop, what may be found, the crops, and the re-rankings as they are written down."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.data import boxes, catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import keys
from pipeline.params.systems import Reranking, UserPhotos
from pipeline.systems import user_photos
from pipeline.systems.keys import ALL_KINDS, KEYS, OWN_PICTURE
from pipeline.systems.photos import Photo

RUN = UserPhotos(
    encoders=["e"],
    source="simulated",
    kinds=["placed", "small"],
    queries=5,
    crops=["whole"],
    margin=0.0,
    top=6,
    relevances=["product", "articleType"],
    better={},
    composites={"count": 2, "products": [2, 4], "learnt": 2, "epochs": 1},
    resamples=200,
    seed=0,
)


def photo(row, kind="placed", box=None, image=None):
    buffer = io.BytesIO()
    (image or Image.new("RGB", (20, 10), "red")).save(buffer, "PNG")
    return Photo(f"{row} {kind}", kind, row, box, buffer.getvalue())


def slow(order, row, frame, relevance, depth):
    """AP@depth read off a ranking item by item."""
    if row < 0:
        return np.nan
    label, digest = frame[relevance].iloc[row], frame[catalog.SHA256]
    others = [place for place in range(len(frame)) if digest[place] != digest[row]]
    relevant = {place for place in others if isinstance(label, str) and frame[relevance].iloc[place] == label}
    ranked = [place for place in order if place in others][:depth]
    hits = [place in relevant for place in ranked]
    sums = sum(sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit)
    return sums / len(relevant) if relevant else np.nan


def test_precisions_equal_a_slow_loop(world, rng):
    frame = world[0]
    rows = [0, 1, 6, 9, 12, 15, 18, -1]
    photos = [photo(row) for row in rows]
    order = np.stack([rng.permutation(len(frame)) for _ in rows]).astype(np.int32)
    found = user_photos.precisions(order[:, :12], photos, frame, ["product", "articleType"], 8)
    for relevance, column in (("product", catalog.PRODUCT), ("articleType", catalog.ARTICLE)):
        expected = [slow(ranking[:12], row, frame, column, 8) for ranking, row in zip(order, rows, strict=True)]
        assert found[relevance] == pytest.approx(expected, nan_ok=True)
    for ranking, row, value in zip(order, rows, found[OWN_PICTURE], strict=True):
        if row < 0:
            assert np.isnan(value)
            continue
        own = [frame[catalog.SHA256][place] == frame[catalog.SHA256][row] for place in ranking[:8]]
        total = (frame[catalog.SHA256] == frame[catalog.SHA256][row]).sum()
        assert value == pytest.approx(sum(sum(own[: r + 1]) / (r + 1) for r, hit in enumerate(own) if hit) / total)


def test_copies_under_another_label_are_not_counted_as_left_to_find(world):
    frame = world[0].copy()
    frame[catalog.ARTICLE] = "Ties"
    frame.loc[9, catalog.ARTICLE] = "Caps"  # 6 and 9 have the same bytes
    order = np.arange(len(frame), dtype=np.int32)[None]
    found = user_photos.precisions(order, [photo(6)], frame, ["articleType"], len(frame))
    assert found["articleType"][0] == pytest.approx(1.0)


def test_a_gallery_that_is_too_small_leaves_places_empty(world):
    order = np.full((1, 8), -1, np.int32)
    order[0, :2] = [2, 4]
    found = user_photos.precisions(order, [photo(0)], world[0], ["articleType"], 6)
    assert found["articleType"][0] == pytest.approx(slow([2, 4], 0, world[0], catalog.ARTICLE, 6))


def test_crops_are_the_whole_the_box_and_what_the_cropper_finds():
    image = Image.new("RGB", (100, 80), (240, 240, 240))
    image.paste((160, 20, 30), (30, 20, 60, 60))
    asked = [photo(0, box=boxes.Box(30, 20, 30, 40), image=image), photo(1, image=image)]
    whole, no_box = user_photos.crops(asked, "whole", 0.1)[0]
    assert (whole.size, no_box) == ((100, 80), None)
    (inside, box), (kept, none) = user_photos.crops(asked, "box", 0.1)
    assert box == (30, 20, 30, 40)
    assert inside.size == (38, 48)
    assert (kept.size, none) == ((100, 80), None)
    found = user_photos.crops(asked, "cropper", 0.0)[1][1]
    assert user_photos.cropper.overlap(found, boxes.Box(30, 20, 30, 40)) > 0.8


def test_a_hidden_picture_brings_up_nothing_by_expanding_the_query(world, monkeypatch):
    """Picture 0 is what the photo shows; 4 is like 0 alone, and would come up where 0 were added to the query."""
    frame = world[0]
    vectors = np.zeros((len(frame), 5), np.float32)
    vectors[:, 4] = 1
    asked, vectors[[0, 1]] = np.array([[1, 0, 0, 0, 0]], np.float32), [0.9, 0.9, 0, 0, 0]  # 1 has the bytes of 0
    vectors[4], vectors[5] = [0, 1, 0, 0, 0], [0.2, 0, 0, 0, 1]
    monkeypatch.setattr(user_photos, "encode", lambda *_: asked)
    features = FeatureSet(frame[catalog.ID].to_numpy(object), vectors, "e:1")
    found = {}
    for kind in ("query_expansion", "k_reciprocal", "database_augmentation"):
        better = Reranking(kind=kind, neighbours=2, alpha=1.0, second=2, share=0.0)
        run = RUN.model_copy(update={"better": {"again": better}, "top": 3})
        frame = frame.assign(**{catalog.PRODUCT: [f"{row in (0, 4)}" if row != 1 else "" for row in frame.index]})
        table, _, _ = user_photos.measure("sample", frame, run, {"e": None}, [photo(0)], lambda _: features)
        found[kind] = table[(table["better"] == "again")].set_index("relevance")["AP"]
    assert found["query_expansion"]["product"] == 0  # 4 is not among the first three
    assert all(values[OWN_PICTURE] > 0.8 for values in found.values())  # asked with nothing hidden


def test_a_summary_holds_means_intervals_and_what_is_kept(world, rng):
    rows = [0, 3, 6, 15, 9]
    table = pd.DataFrame(
        [
            {
                "encoder": "e",
                "crop": "box",
                "better": better,
                "kind": kind,
                "photo": f"{row} {kind}",
                "row": row,
                "relevance": "product",
                "AP": rng.random(),
            }
            for better in ("", "query expansion")
            for kind in RUN.kinds
            for row in rows
        ]
    )
    summary = user_photos.summarise(table, world[0], RUN)
    found, values, resampled = summary.table, summary.values, summary.resampled
    names = {"user_photos": ["s003"], "user_photos.encoders": list(table["encoder"].unique())}
    assert {keys.fault(f"user_photos/s003/{key}", KEYS["user_photos"], names) for key in values} == {""}
    assert len(found) == 6
    assert list(found["kind"].unique()) == ["placed", "small", ALL_KINDS]
    for row in found.to_dict("records"):
        asked = table[table["kind"].isin([row["kind"]] if row["kind"] in RUN.kinds else RUN.kinds)]
        part, plain = (asked[asked["better"] == better] for better in (row["better"], ""))
        base = table[(table["better"] == row["better"]) & (table["kind"] == "placed")]
        assert row["value"] == pytest.approx(part["AP"].mean())
        assert row["kept"] == pytest.approx(part["AP"].mean() / base["AP"].mean())
        assert row["low"] <= row["value"] <= row["high"]
        assert row["gain"] == pytest.approx(part["AP"].mean() - plain["AP"].mean())
        assert row["gain low"] <= row["gain"] <= row["gain high"]
        assert (row["gain high"] == 0) == (row["better"] == "")
        assert row["photos"] == len(part)
    key = "e/box+query expansion/small/product/AP"
    assert values[key] == pytest.approx(table[(table["better"] != "") & (table["kind"] == "small")]["AP"].mean())
    assert len(resampled[key]) == 200


def test_photos_are_drawn_by_the_seed_from_test_pictures_alone(in_sample):
    frame = catalog.load("sample")
    chosen = user_photos.queries("sample", frame, RUN)
    assert len(chosen) == 10
    assert {frame[catalog.SPLIT].iloc[asked.row] for asked in chosen} == {catalog.TEST}
    assert [asked.data for asked in chosen] == [asked.data for asked in user_photos.queries("sample", frame, RUN)]
    fewer = RUN.model_copy(update={"kinds": ["small"]})
    assert [asked.data for asked in user_photos.queries("sample", frame, fewer)] == [
        asked.data for asked in chosen if asked.kind == "small"
    ]
    assert user_photos.queries("sample", frame, RUN.model_copy(update={"seed": 1}))[0].data != chosen[0].data


def test_the_photos_that_came_with_the_data_know_their_product(in_sample):
    frame = catalog.load("sample")
    chosen = user_photos.queries("sample", frame, RUN.model_copy(update={"source": "given", "queries": 1000}))
    assert len(chosen) == catalog.load_report("sample")["user_photos"] > 10
    assert all(asked.row >= 0 and asked.box is not None for asked in chosen)
    assert all(asked.image().size == (160, 120) for asked in chosen[:3])


def test_data_without_photos_are_named(in_sample, monkeypatch):
    frame = catalog.load("sample")
    monkeypatch.setattr(user_photos, "given", lambda *_: iter(()))
    with pytest.raises(ValueError, match="sample came without user photos. Allowed: source: simulated"):
        user_photos.queries("sample", frame, RUN.model_copy(update={"source": "given"}))
