"""Scores by blocks of the gallery, and by some queries a task, are those of whole rankings, to the byte."""

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from pipeline import params, paths, scale
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import blocks, scoring
from pipeline.evaluation.asked import asked_of
from pipeline.retrieval import distances

BLOCKS = params.Scale(gallery="blocks")
QUICK = hypothesis.settings(max_examples=12, deadline=None, derandomize=True)
BIG = 4096


def written(judged, folder):
    """An evaluation as its files have it."""
    tables = {"neighbours": judged.neighbours.frame(), "scores": judged.scores, "distances": judged.distances}
    for name, table in tables.items():
        table.to_parquet(folder / name, index=False)
    return {name: (folder / name).read_bytes() for name in tables}


@pytest.fixture(scope="module")
def rankings(world, run, tmp_path_factory):
    """What whole rankings give, by distance, made once."""
    frame, features = world
    folder = tmp_path_factory.mktemp("whole")
    return {
        name: written(scoring.evaluate(features, frame, name, run, params.Scale()), folder)
        for name in ("manhattan", "euclidean")
    }


def parted(patch, tile, tiles, dozens):
    """Galleries in tiles of `tile`, spans of so many of them, and so many dozens of queries at once."""
    patch.setattr(distances, "TILE", tile)
    patch.setattr(distances, "LEAST", min(tile, 320))
    patch.setattr(blocks, "TILES", tiles)
    patch.setattr(blocks, "MOST", 12 * dozens)


@pytest.mark.parametrize("distance", ["manhattan", "euclidean"])
@pytest.mark.parametrize("tile", [1, 7, BIG])
def test_blocks_of_any_size_give_the_files_of_whole_rankings(
    world, run, rankings, tmp_path, monkeypatch, tile, distance
):
    frame, features = world
    parted(monkeypatch, tile, 1, 1)
    assert written(scoring.evaluate(features, frame, distance, run, BLOCKS), tmp_path) == rankings[distance]


@hypothesis.given(data=st.data())
@QUICK
def test_any_catalogue_in_any_parts_is_judged_as_a_whole(world, run, tmp_path_factory, data):
    frame, features = world
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shuffled = (catalog.ARTICLE, catalog.SHA256, catalog.SPLIT, catalog.PRODUCT, catalog.GENDER)
    frame = frame.assign(**{column: rng.permutation(frame[column].to_numpy()) for column in shuffled})
    frame = frame.sample(int(data.draw(st.integers(6, 30))), random_state=int(rng.integers(2**31)))
    frame = frame.reset_index(drop=True)
    frame.loc[[0, 1], catalog.SPLIT] = [catalog.TEST, catalog.TRAIN]
    vectors = rng.integers(0, data.draw(st.integers(1, 4)), (len(frame), 3)).astype(np.float32)  # with many ties
    features = FeatureSet(frame[catalog.ID].to_numpy(), vectors, "encoder:1")
    folder = tmp_path_factory.mktemp("any")
    whole = written(scoring.evaluate(features, frame, "manhattan", run, params.Scale()), folder)
    with pytest.MonkeyPatch.context() as patch:
        parted(patch, data.draw(st.sampled_from([1, 2, 7, BIG])), data.draw(st.integers(1, 5)), 1)
        assert written(scoring.evaluate(features, frame, "manhattan", run, BLOCKS), folder) == whole


def test_parts_of_real_numbers_have_the_bytes_of_the_whole(rng, run, tmp_path, monkeypatch):
    """By cosine too, whose last bits depend on where a product is parted: the same tiles, whoever has how many."""
    frame, features = large(rng)
    monkeypatch.setattr(blocks, "TILES", 1)
    whole = written(scoring.evaluate(features, frame, "cosine", run, params.Scale()), tmp_path)
    monkeypatch.setattr(blocks, "MOST", 30)
    assert len(blocks.spans(len(frame), 30)) == 3
    assert written(scoring.evaluate(features, frame, "cosine", run, BLOCKS), tmp_path) == whole


def test_what_a_worker_holds_of_relevant_items_is_mapped_and_what_it_finds_has_a_bound(rng, run, tmp_path, monkeypatch):
    """Where everything is relevant, and a span a third of the gallery."""
    frame, features = large(rng)
    frame[catalog.ARTICLE] = "a"
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    asked, part = asked_of(features, frame, run), slice(0, 12)
    found = blocks.found(asked, "cosine", part, slice(0, len(frame)), 5, 1.0)
    relevant, span = blocks.relevant(found.keys), slice(0, distances.TILE)
    assert len(relevant.keys) == 12 * len(frame)
    with scale.shared(relevant, params.Scale(engine="dask", scheduler="tcp://a:1")) as file:
        assert isinstance(scale.opened(file).keys, np.memmap)
        passed = blocks.before(asked, "cosine", part, span, file)
    size = sum(array.nbytes for one in passed for array in one)
    assert (
        0
        < size
        <= 12 * (span.stop - span.start) * (8 + 2 * len(asked.views))
        < len(asked.views) * relevant.keys.nbytes / 2
    )


def large(rng, count=9000, queries=30):
    """A catalogue of three tiles."""
    columns = {name: rng.choice(list("abc"), count) for name in (catalog.ARTICLE, catalog.GENDER, catalog.COLOUR)}
    columns |= {catalog.USAGE: "x", catalog.MASTER: "y", catalog.PRODUCT: rng.integers(0, 3000, count).astype(str)}
    frame = pd.DataFrame({catalog.ID: np.arange(count).astype(str), **columns})
    frame[catalog.SHA256] = frame[catalog.ID]
    frame[catalog.SPLIT] = np.where(np.arange(count) % (count // queries) == 7, catalog.TEST, catalog.TRAIN)
    frame[catalog.TEMPORAL_SPLIT] = frame[catalog.TYPE_SPLIT] = frame[catalog.SPLIT]
    return frame, FeatureSet(frame[catalog.ID].to_numpy(), rng.random((count, 40), np.float32), "encoder:1")


def test_what_a_task_holds_does_not_grow_with_the_gallery():
    for count in (44_441, 10**6, 10**7, 10**8):
        parts = distances.tiles(count)
        assert sum(part.stop - part.start for part in parts) == count
        assert max(part.stop - part.start for part in parts) < distances.TILE + distances.LEAST
        queries = blocks.parts(120, count)[0].stop
        assert queries % 12 == 0
        spans = blocks.spans(count, queries)
        assert (spans[0].start, spans[-1].stop) == (0, count)
        assert all(one.stop == other.start for one, other in zip(spans, spans[1:], strict=False))
        most = max(span.stop - span.start for span in spans)
        assert queries * most < blocks.MOST * (blocks.TILES + 1) * distances.TILE


@pytest.mark.parametrize("count", [1, 319, 3840, 4159, 4160, 44_441])
def test_tiles_are_a_gallery_in_its_order_and_no_other_is_less_than_it_may_be(count):
    parts = distances.tiles(count)
    assert [place for part in parts for place in range(part.start, part.stop)] == list(range(count))
    assert len(parts) == 1 or min(part.stop - part.start for part in parts) >= distances.LEAST
    assert all(part.start % distances.LEAST == 0 for part in parts)
