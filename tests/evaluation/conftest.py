"""The small catalogue, for every test here."""

from small_world import run, world  # noqa: F401
