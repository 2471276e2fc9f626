"""Shared by all tests: a place with the drawn sample ingested, and small pieces of it."""

import os
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import children
import numpy as np
import pytest

from pipeline import params, paths
from pipeline.data import ingest


@pytest.fixture(scope="session")
def sample_place(tmp_path_factory):
    """A folder that stands for the project's root, with the drawn sample ingested once."""
    place = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", place)
        ingest.ingest(params.Data(name="sample", source="drawn", path=None, watch="x", seed=0, test_share=0.2))
    return place


@pytest.fixture
def in_sample(sample_place, monkeypatch, tmp_path):
    """The tests' code works in the sample's folder; work in progress goes elsewhere."""
    monkeypatch.setattr(paths, "ROOT", sample_place)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    return sample_place


@pytest.fixture(scope="module")
def workplace(sample_place, tmp_path_factory):
    """The ingested sample with the weights of a small random encoder, one folder per test file."""
    place = tmp_path_factory.mktemp("work")
    shutil.copytree(sample_place / "outputs", place / "outputs")
    children.run(children.make_weights, place)
    return place


@pytest.fixture
def here(workplace, monkeypatch):
    """The tests' code works in the workplace."""
    monkeypatch.setattr(paths, "ROOT", workplace)
    monkeypatch.setattr(paths, "BUILD", workplace / "build")
    return workplace


@pytest.fixture
def rng():
    return np.random.default_rng(0)
