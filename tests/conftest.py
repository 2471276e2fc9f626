"""Shared by all tests: a place with the drawn sample ingested, and small pieces of it."""

import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import children
import clones
import numpy as np
import pytest
from places import once

from pipeline import params, paths
from pipeline.data import ingest

# What `make check` leaves out, by the beginning of its place: folders, files and tests that take more than a second
# each, or wait for one another. A new test is seen by `make check` unless it stands in one of these.
SLOW = (
    "test_graph.py",
    "test_suites.py",
    "test_benchmarks.py",
    "test_installed.py",
    "checking/test_seen.py",
    "report/test_published_pages.py::test_the_pages_are_what_the_command_gives",
    "test_matching.py",
    "test_own.py",
    "retrieval/test_database.py",
    "encoders/test_exported.py",
    "encoders/test_compiled.py::test_every_backbone",
    "encoders/test_compiled.py::test_features_are_tensorflows",
    "encoders/test_backbones.py::test_each_row_takes",
    "encoders/test_backbones.py::test_each_row_is_the_network",
    "encoders/test_quantised.py::test_a_network_and_its_file",
    "report/test_site_of_docs.py",
    "encoders/test_packed.py",
    "encoders/test_published.py",
    "encoders/test_regions.py",
    "test_stages.py::test_an_edit_makes_those_stages_stale",
    "test_reproduce.py",
    "test_warm.py",
    "test_slurm.py",
    "test_scale.py::test_four",
    "test_scale.py::test_a_worker",
    "test_scale.py::test_rankings",
    "test_scale.py::test_a_fault",
    "test_scale.py::test_no_scheduler",
    "site/",
    "training/test_augment.py",
    "training/test_batches.py",
    "training/test_checkpoint.py",
    "training/test_fit.py",
    "training/test_layers.py",
    "training/test_objective.py",
    "encoders/test_extract.py",
    "encoders/test_weights.py",
    "encoders/test_concatenation.py",
    "systems/test_composites.py",
    "systems/test_hybrid.py",
    "systems/test_index_study.py",
    "systems/test_recommendation.py",
    "systems/test_simulation.py",
    "systems/test_user_photos.py",
    "data/test_catalog.py",
    "data/test_sample.py",
    "evaluation/test_blocks.py",
    "evaluation/test_coverage.py",
    "evaluation/test_space.py",
    "evaluation/test_metrics.py::test_the_rankings_compared_below",  # and what compares them with other libraries
    "evaluation/test_metrics.py::test_metrics_equal_",
    "evaluation/test_metrics.py::test_average_precision_of_the_full_ranking_equals_",
)

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]

pytest_plugins = ["crashes"]
collect_ignore_glob = ["*conftest.py"]  # they have no examples to run, and one name for several modules


def pytest_collection_modifyitems(items):
    """Marks the slow tests by where they stand."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            place = f"{item.path.relative_to(here).as_posix()}::{item.name}"
            if place.startswith(SLOW):
                item.add_marker(pytest.mark.slow)


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


@pytest.fixture(scope="session")
def run_done(tmp_path_factory):
    """A clone in which the sample's run was done from nothing, and the tracked files that then differ from the
    committed ones: none, unless this is another kind of processor than the one that made them."""
    place, said = once(tmp_path_factory, "run", _run_from_nothing)
    return place, *said


def _run_from_nothing(place):
    """What `git status` then says, and what the command said."""
    clones.make(place)
    clones.git(place, "add", "-A")
    clones.git(place, "commit", "-q", "-m", "as it is")
    result = clones.stage(place, "repro", "--jobs", "2")
    assert result.stdout.rstrip().endswith(f"The report: {place}/outputs/sample/index.html")
    differing = clones.git(place, "status", "--porcelain").splitlines()
    if differing:
        clones.git(place, "add", "-A")
        clones.git(place, "commit", "-q", "-m", "the sample's run")
    return differing, result.stdout


@pytest.fixture(scope="module")
def browser():
    """A Chromium: the one that is there, or Playwright's; without either the tests are skipped, but not in CI."""
    from playwright.sync_api import Error, sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    with sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=program, args=QUIET)
        except Error:
            if program or os.environ.get("BROWSER_TESTS") == "required":
                raise
            pytest.skip("no Chromium was found: install one, or run `playwright install chromium`")
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL with pgvector; without the extra for it the tests are skipped, but not in CI."""
    from postgres import Postgres

    started = Postgres()
    yield started
    started.stop()


@pytest.fixture
def rng():
    return np.random.default_rng(0)
