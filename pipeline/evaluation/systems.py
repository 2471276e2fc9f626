"""What the four smaller documents' systems were measured to reach: their tables, and their numbers by key for the claims."""

import numpy as np
import pandas as pd

from pipeline import paths
from pipeline.evaluation import study

KEY, DRAWS = "key", "draws"


def keep(
    data: str, stage: str, name: str, tables: dict[str, pd.DataFrame], values: dict[str, float],
    resampled: dict[str, np.ndarray] | None = None,
) -> None:  # fmt: skip
    """Writes a system's tables as CSV, and its numbers by key, with the bootstrap's means where there are any.

    Args:
        values: by what a claim calls it, without the start `<stage>/<name>/`.
        resampled: by the same keys.
    """
    folder = paths.system(data, stage, name)
    folder.mkdir(parents=True, exist_ok=True)
    for what, table in tables.items():
        table.round(study.DECIMALS).to_csv(folder / f"{what}.csv", index=False, lineterminator="\n")
    draws = [(resampled or {}).get(key, np.empty(0, np.float32)).astype(np.float32) for key in values]
    found = pd.DataFrame(
        {KEY: [f"{stage}/{name}/{key}" for key in values], study.VALUE: list(values.values()), DRAWS: draws}
    )
    path = paths.system_values(data, stage, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    found.to_parquet(path, index=False)


def measured(data: str, systems: dict[str, list[str]]) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Every number of some systems by its key, and the bootstrap's means of those that have them.

    Args:
        systems: by stage, the names of its items.

    Raises:
        StudyError: a system that has not been run.
    """
    values, resampled = {}, {}
    for stage, names in systems.items():
        for name in names:
            table = study.read(paths.system_values(data, stage, name), f"{stage}@{name}")
            values |= dict(zip(table[KEY], table[study.VALUE].astype(float), strict=True))
            resampled |= {key: draws for key, draws in zip(table[KEY], table[DRAWS], strict=True) if len(draws)}
    return values, resampled
