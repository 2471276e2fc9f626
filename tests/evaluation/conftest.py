"""The small catalogue, and what was measured on it, for every test here."""

import numpy as np
import pytest
from small_world import keep, run, world  # noqa: F401

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.evaluation import scoring, space

SPACE = params.EmbeddingSpace(
    pictures=30,
    perplexity=3.0,
    umap_neighbours=3,
    encoders=[],
    umap_encoders=[],
    components=[1, 2],
    pca_queries=10,
    seed=0,
)


@pytest.fixture(scope="package")
def measured_place(world, run, tmp_path_factory):  # noqa: F811
    """A folder with one retrieval's scores, distances and neighbours (`it`), and what was measured of its encoder."""
    frame, features = world
    root = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", root)
        judged = scoring.evaluate(features, frame, "euclidean", run)
        for path, table in (
            (paths.scores("sample", "it"), judged.scores),
            (paths.distances("sample", "it"), judged.distances),
            (paths.neighbours("sample", "it"), judged.neighbours.frame()),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            table.to_parquet(path, index=False)
        space.measure("sample", "encoder", features, frame, SPACE)
    return root


@pytest.fixture
def in_measured(measured_place, monkeypatch):
    """The tests' code works in that folder."""
    monkeypatch.setattr(paths, "ROOT", measured_place)


@pytest.fixture
def shop(world, tmp_path, monkeypatch):  # noqa: F811
    """The small catalogue with three encoders' features on disk; copies of a picture have its type."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    frame, rng = world[0].copy(), np.random.default_rng(4)
    frame.loc[1, catalog.ARTICLE], frame.loc[9, catalog.ARTICLE] = (
        frame.loc[0, catalog.ARTICLE],
        frame.loc[6, catalog.ARTICLE],
    )
    ids = frame[catalog.ID].tolist()
    vectors = {name: rng.normal(size=(len(frame), 6)).astype(np.float32) for name in ("right", "wrong", "third")}
    for name, own in vectors.items():
        own[[1, 9]] += own[[0, 6]] * 3  # near, but no ties
        keep(name, ids, own)
    return frame, vectors
