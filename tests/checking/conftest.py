"""A small study that was published, in a folder that stands for the project's root."""

import pytest
from checked_world import World

from pipeline import paths


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "PARAMS", tmp_path / "params.yaml")
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    world = World(tmp_path)
    world.make()
    world.lock()
    world.publish()
    return world
