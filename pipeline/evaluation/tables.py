"""Tables between stages: how one is read, what a measured family is, and which rows of a tidy table are meant."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

DECIMALS = 6  # what two machines with the same lock agree on
VALUE, LOW, HIGH, CHANCE = "value", "low", "high", "chance"


class TableError(RuntimeError):
    """A table that has not been made, or is damaged."""


@dataclass(frozen=True)
class Measured:
    """One family of measurements.

    `table`: what a chapter shows of it. `values`: each number by the key that claims name it with. `resampled`: by key,
    the same mean in each resample; resamples are the same for every key with the same queries, so two of them may be
    subtracted: two means over queries, or two macro means.
    """

    table: pd.DataFrame
    values: dict[str, float]
    resampled: dict[str, np.ndarray] = field(default_factory=dict)


def read(path: Path, stage: str, **options) -> pd.DataFrame:
    """A table that an earlier stage made.

    Raises:
        TableError: it is missing or damaged; names the file and the stage to run.
    """
    try:
        return pd.read_parquet(path, **options)
    except (OSError, ValueError) as error:
        why = "is missing" if not path.exists() else f"is damaged ({str(error).splitlines()[0]})"
        raise TableError(f"{path.parent.name}/{path.name} {why}. Make it with: dvc repro -f -s {stage}") from None


def pick(table: pd.DataFrame, **where) -> pd.DataFrame:
    """The rows of a tidy table that have all values given, for instance `pick(table, metric="mAP", gallery="all")`."""
    for column, value in where.items():
        table = table[table[column].isin(value) if isinstance(value, list) else table[column] == value]
    return table
