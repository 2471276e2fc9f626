"""Every family of measurements: its keys, and how chapter 5 measures it. A family's table and values come together."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.data import catalog
from pipeline.evaluation import (
    crossed,
    facts,
    keys,
    mistakes,
    network_sizes,
    results,
    sample_picture,
    scaled,
    space_tables,
    study,
    threshold_choice,
    within,
)
from pipeline.evaluation.tables import Measured
from pipeline.systems import keys as system_keys

FIRST = 10  # neighbours of each query whose faults are counted
KEYS: dict[str, list[keys.Pattern]] = {
    "scores": study.KEYS,
    "data": facts.KEYS,
    "space": space_tables.SEPARATION_KEYS,
    "pca": space_tables.COMPONENT_KEYS,
    "threshold": threshold_choice.KEYS,
    "mistakes": mistakes.KEYS,
    within.FAMILY: within.KEYS,
    sample_picture.FAMILY: sample_picture.KEYS,
    scaled.FAMILY: scaled.KEYS,
    crossed.FAMILY: crossed.KEYS,
    network_sizes.FAMILY: network_sizes.KEYS,
    **system_keys.KEYS,
}


def patterns() -> list[keys.Pattern]:
    """What a key may look like, of all families."""
    return [pattern for family in KEYS.values() for pattern in family]


def measure(data: str, frame: pd.DataFrame, run: Any, wanted: list[str]) -> dict[str, Measured]:
    """Every family of a study by its name, in the order of `KEYS`.

    Args:
        run: a `params.Evaluation` with `retrievals`, `spaces` (encoders whose embedding space was measured) and
            `chapters` (a system's items).
        wanted: keys that claims ask for.
    """
    names = list(run.retrievals)
    encoders = list(dict.fromkeys(spec.encoder for spec in run.retrievals.values()))
    products = catalog.products(frame)
    return {
        "scores": study.measure(data, run.retrievals, run),
        "data": facts.facts(data),
        "space": space_tables.separations(data, run.spaces),
        "pca": space_tables.components(data, run.spaces, products, run.resamples, run.seed),
        "threshold": threshold_choice.measure(data, names, wanted),
        "mistakes": mistakes.measure(data, names, frame, FIRST),
        within.FAMILY: within.measure(data, run.retrievals, frame, wanted, run.seed),
        sample_picture.FAMILY: sample_picture.measure(data, run.retrievals, frame, wanted),
        scaled.FAMILY: scaled.measure(data, encoders, frame, wanted, run.seed),
        crossed.FAMILY: crossed.measure(data, encoders, frame, wanted, run.seed),
        network_sizes.FAMILY: network_sizes.measure(data, list(dict.fromkeys(run.weights.values())), wanted),
        **{stage: results.load(data, stage, run.chapters.get(stage, [])) for stage in system_keys.KEYS},
    }


def united(families: dict[str, Measured]) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The values and the bootstrap's means of all families, by key."""
    values = {key: value for family in families.values() for key, value in family.values.items()}
    resampled = {key: draws for family in families.values() for key, draws in family.resampled.items()}
    return values, resampled
