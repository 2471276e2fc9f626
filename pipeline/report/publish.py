"""A finished run's numbers, copied to `reference/<data>/`, where git keeps them: no image, no model."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import files, params, paths, stages
from pipeline.claims import registry, summary
from pipeline.report.pages import PagesError, executed

VERSION = "version.json"  # of parameters and claims, so that later code knows whether it may read them as its own


def publish(study: params.Study) -> Path:
    """Copies the numbers of a finished run, with its parameters and claims as they were.

    `metrics.csv`, a row per number, is cut into a file per retrieval: as a whole it is too large to be read or compared
    there.

    Raises:
        PagesError: the run is not finished.
    """
    data, target = study.data.name, paths.reference(study.data.name)
    metrics = paths.evaluation(data) / "metrics.csv"
    copied = _copied(study)
    executed(study)
    if missing := [path for path in [*copied, metrics] if not path.exists()]:
        raise PagesError(f"{missing[0].relative_to(paths.ROOT)} is missing. Finish the run first: dvc repro")
    table = pd.read_csv(metrics, dtype=str, keep_default_na=False)  # as it stands there, digit by digit
    with files.whole_folder(target) as partial:
        for path, name in copied.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, partial / name)
        files.write_text(partial / "dvc.lock", own((paths.ROOT / "dvc.lock").read_text(encoding="utf-8"), study))
        for retrieval, rows in table.groupby("retrieval", sort=False):
            files.write_csv(partial / "metrics" / f"{retrieval}.csv", rows)
        files.write_json(partial / VERSION, {"parameters": params.version(), "claims": registry.version()})
    return target


def own(lock: str, study: params.Study) -> str:
    """A lock of DVC's with the stages of a study alone: it keeps those of studies that were run in its place before."""
    head, *entries = re.split(r"^(?=  \S)", lock, flags=re.MULTILINE)
    names = {name for stage in stages.STAGES for name in stages.names(study, stage)}
    return head + "".join(entry for entry in entries if entry.partition(":\n")[0].strip(" '\"") in names)


def published_metrics(place: Path, retrievals: list[str]) -> pd.DataFrame:
    """The table of a published run's numbers, in the order of its retrievals."""
    return pd.concat([pd.read_csv(place / "metrics" / f"{name}.csv") for name in retrievals], ignore_index=True)


def published_verdicts(place: Path) -> pd.DataFrame:
    """The verdicts of a published run, of the claims of its day."""
    return pd.read_csv(place / "verdicts.csv", dtype={"document": str}, keep_default_na=False)


def published_parameters(place: Path) -> dict[str, Any]:
    """The parameters of a published run, as they were written: whether today's code takes them is another question."""
    return params.read_yaml(place / "params.yaml")


def describe(data: str) -> str:
    """What a published run says of today's claims, as a table for the terminal, and which it did not know.

    Raises:
        PagesError: nothing was published of these images.
    """
    place = paths.reference(data)
    if not place.exists():
        raise PagesError(f"nothing was published of {data!r}. Allowed: {published_names()}")
    table = summary.with_unpublished(published_verdicts(place), registry.load())
    newer = table.loc[table["evidence"] == summary.UNPUBLISHED, "claim"].tolist()
    same = "as today's" if _version(place)["parameters"] == params.version() else "of another day than today's"
    return (
        f"{summary.counts(table).to_markdown()}\n\n"
        f"{len(published_parameters(place)['retrievals'])} retrievals; its parameters are {same}.\n"
        f"Claims that are newer than the publication: {', '.join(newer) or 'none'}."
    )


def published_names() -> list[str]:
    """The data that a run was published of."""
    return sorted(path.parent.name for path in paths.reference("x").parent.glob(f"*/{VERSION}"))


def _version(place: Path) -> dict[str, str]:
    return json.loads((place / VERSION).read_text(encoding="utf-8"))


def _copied(study: params.Study) -> dict[Path, str]:
    """What is copied, and under which name."""
    data = study.data.name
    copied = {
        paths.PARAMS: "params.yaml",
        paths.CLAIMS: "claims.yaml",
        paths.ingest_report(data): "ingest.json",
    }
    if paths.machine(data).exists():  # a run by DVC alone does not say
        copied[paths.machine(data)] = "machine.json"
    numbers = sorted(path for path in paths.evaluation(data).glob("*.*") if path.is_file())
    copied |= {path: path.name for path in numbers if path.name != "metrics.csv"}
    for name in study.finetunes:
        copied |= {path: f"finetuning/{name}/{path.name}" for path in sorted(paths.finetuning(data, name).glob("*.*"))}
    for stage in stages.STAGES:
        for name in getattr(study, stage.section) if stage.section in params.SYSTEMS else []:
            tables = sorted(paths.system(data, stage.name, name).glob("*.csv"))
            copied |= {path: f"systems/{stage.name}/{name}/{path.name}" for path in tables}
    return copied
