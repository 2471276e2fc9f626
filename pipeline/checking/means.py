"""The numbers that a submission's tables give, read in a process with bounds: a few bytes may unfold to any size."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pandas as pd

from pipeline.checking import scratch
from pipeline.checking.submission import Refused, table
from pipeline.evaluation import metrics
from pipeline.evaluation.names import ALL, GALLERY, METRIC, PROTOCOL, RELEVANCE, RETRIEVAL, STRICT
from pipeline.evaluation.tables import VALUE, pick

PLACE = {PROTOCOL: STRICT, GALLERY: ALL}
MEMORY, SECONDS = 2**32, 120  # bytes and time that reading a submission's tables may take, where the system can hold it

CODE = Path(__file__).parents[2]  # where the process finds this module


def both(stated: Path, scores: Path, retrieval: str, relevance: str, metric: str) -> tuple[float, float]:
    """A metric as a submission's table states it, and as the mean of its own scores.

    Raises:
        Refused: no such number; a table that is none, or that unfolds to more than may be read.
    """
    given = [str(stated.resolve()), str(scores.resolve()), retrieval, relevance, metric]
    command = [sys.executable, "-m", "pipeline.checking.means", *given]
    limit = None if sys.platform == "win32" else partial(scratch.limit, MEMORY, 0)
    try:
        done = subprocess.run(command, cwd=CODE, preexec_fn=limit, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Refused(f"{retrieval}: its tables were not read in {SECONDS} seconds") from None
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["it was ended"])[-1][:200]
        raise Refused(
            f"{retrieval}: its tables were not read, since they unfold to more than {MEMORY:,} bytes or: {last}"
        )
    found = json.loads(done.stdout)
    if isinstance(found, str):
        raise Refused(found)
    return found[0], found[1]


def number(path: Path, retrieval: str, relevance: str, metric: str) -> float:
    """A metric's value in a tidy table. Raises Refused: it has none, or several."""
    wanted = {RETRIEVAL: retrieval, METRIC: metric, **PLACE, RELEVANCE: relevance}
    rows = pick(pd.read_csv(table(path)), **wanted)
    if len(rows) != 1:
        raise Refused(f"{retrieval}: the table has {len(rows)} numbers for {metric}")
    return float(rows[VALUE].iloc[0])


def mean(path: Path, retrieval: str, relevance: str, metric: str) -> float:
    """A metric as the mean of a table of scores. Raises Refused: it has no such scores."""
    rows = pick(pd.read_parquet(table(path)), **PLACE, **{RELEVANCE: relevance})
    column = next((name for name in rows if _mean_name(name) == metric), None)
    if column is None:
        raise Refused(f"{retrieval}: its scores have no {metric}")
    return float(rows[column].mean())


def _mean_name(column: str) -> str:
    """What the mean of a column of scores is called; '' where it is no metric's."""
    try:
        return metrics.mean_name(column)
    except ValueError:
        return ""


def _main(stated: str, scores: str, *named: str) -> None:
    """Both numbers as JSON, or in one sentence why not."""
    try:
        print(json.dumps([number(Path(stated), *named), mean(Path(scores), *named)]))
    except Refused as error:
        print(json.dumps(str(error)))
    except (ValueError, KeyError, TypeError) as error:  # columns that are missing, or of another kind
        print(json.dumps(f"{named[0]}: its tables are not those of a run ({type(error).__name__})"))


if __name__ == "__main__":
    _main(*sys.argv[1:])
