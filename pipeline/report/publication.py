"""A published run as it lies in `reference/<data>/`: its tables, parameters, verdicts and numbers, when asked for."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import paths
from pipeline.data.catalog import DRAWN
from pipeline.evaluation import exam, study
from pipeline.report import publish

STUDY = "fashion_small"  # the published run of the real pictures that the pages speak of, and
FRESH = "fashion_small_fresh"  # that of the exam, on a split drawn for it
SECOND = "fashion_small_second"  # the exam's two forms on another split


@dataclass(frozen=True)
class Published:
    """A publication, its tables read as they are asked for."""

    data: str
    place: Path

    def table(self, name: str) -> pd.DataFrame:
        """A table by its path there; an empty one where the publication has none."""
        path = self.place / f"{name}.csv"
        return pd.read_csv(path) if path.exists() else pd.DataFrame()

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Every retrieval's numbers."""
        return publish.published_metrics(self.place, list(self.params["retrievals"]))

    @cached_property
    def exam(self) -> pd.DataFrame:
        """What the exam asks today, of a run of another day too."""
        return exam.table(self.metrics)

    @cached_property
    def params(self) -> dict[str, Any]:
        """The parameters as they were written."""
        return publish.published_parameters(self.place)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """The verdicts, of the claims of its day."""
        return publish.published_verdicts(self.place)

    @cached_property
    def ingest(self) -> dict[str, Any]:
        """What ingestion found."""
        return json.loads((self.place / "ingest.json").read_text(encoding="utf-8"))

    @cached_property
    def values(self) -> dict[str, float]:
        """Every number by its key."""
        others = self.table("measurements").set_index("key")["value"].to_dict()
        return dict(zip(self._keys, self.metrics["value"], strict=True)) | others

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The interval of each metric by its key."""
        ends = zip(self.metrics["low"], self.metrics["high"], strict=True)
        return dict(zip(self._keys, ends, strict=True))

    @cached_property
    def _keys(self) -> list[str]:
        return study.keys(self.metrics)

    @property
    def drawn(self) -> bool:
        """Whether its pictures were drawn by the project."""
        return self.ingest["source"] == DRAWN


def of(data: str) -> Published:
    """The publication of some data."""
    return Published(data, paths.reference(data))
