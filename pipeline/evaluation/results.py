"""What a smaller document's system was measured to reach: its tables, and its numbers by key for the claims."""

import numpy as np
import pandas as pd

from pipeline import files, paths
from pipeline.evaluation.keys import key
from pipeline.evaluation.tables import DECIMALS, VALUE, Measured, read

KEY, DRAWS = "key", "draws"


def write(data: str, stage: str, name: str, tables: dict[str, pd.DataFrame], measured: Measured) -> None:
    """Writes a system's tables as CSV, and its numbers by key, with the bootstrap's means where there are any.

    Args:
        measured: its keys without the start `<stage>/<name>/`.
    """
    for what, table in tables.items():
        files.write_csv(paths.system(data, stage, name) / f"{what}.csv", table.round(DECIMALS))
    nothing = np.empty(0, np.float32)
    draws = [measured.resampled.get(text, nothing).astype(np.float32) for text in measured.values]
    columns = {
        KEY: [key(stage, name, text) for text in measured.values],
        VALUE: list(measured.values.values()),
        DRAWS: draws,
    }
    files.write_parquet(paths.system_values(data, stage, name), pd.DataFrame(columns))


def load(data: str, stage: str, names: list[str]) -> Measured:
    """Every number of a system's items by its key, and the bootstrap's means of those that have them.

    Raises:
        TableError: an item that has not been run.
    """
    tables = [read(paths.system_values(data, stage, name), f"{stage}@{name}") for name in names]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({KEY: [], VALUE: [], DRAWS: []})
    values = dict(zip(table[KEY], table[VALUE].astype(float), strict=True))
    resampled = {text: draws for text, draws in zip(table[KEY], table[DRAWS], strict=True) if len(draws)}
    return Measured(table, values, resampled)
