"""Submissions held against a rubric: what is right, what is wrong and where, what is left for the instructor.

Nothing of a submission runs. A chapter's cells are known by their ids, the library by its files' bytes, results by the
lock and the numbers that they give.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline import files, paths
from pipeline.checking import means, moved, record, runs
from pipeline.checking.rubric import Answer, Cell, Executed, Heading, Library, Metric, Rubric
from pipeline.checking.runs import LOCK, PARAMETERS, Run
from pipeline.checking.submission import Refused, Submission, check_texts, notebook
from pipeline.checking.verify import DIFFERS, EDITED, OTHER, Row, follows, parameters, verify

RIGHT, WRONG, OPEN = "right", "wrong", "instructor"
INJECTED = "injected-parameters"
KNOWN = 0.5  # of a chapter's cells: with fewer it is another project's
ACTIVE = re.compile(r"<\s*(script|iframe|object|embed|link|meta|form|svg|img)\b|javascript:|\bon\w+\s*=", re.IGNORECASE)
EXACT = 1e-5  # between a table's mean and that of the scores it was taken of: the table has six decimals
ROOM = 4_000_000  # letters of all pictures on a page
SHOWN = 20_000  # characters of a written answer on the page


@dataclass(frozen=True)
class Finding:
    """One line of a page: what was asked, what was found, its points, and for the instructor the answer."""

    asked: str
    verdict: str
    points: float
    of: float
    why: str = ""
    text: str = ""
    picture: str = ""


@dataclass
class Graded:
    """A submission's findings, and what an instructor should look at whatever the points."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    @property
    def points(self) -> float:
        """What was given without the instructor."""
        return sum(finding.points for finding in self.findings)


@dataclass
class Looked:
    """A submission as it is being graded: its notebooks as they were read, its run's rows, and what its flags are."""

    given: Submission
    result: Graded
    reference: Run | None = None
    its_own: bool = False
    run: Run | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    read: dict[str, Any] = field(default_factory=dict)

    def flag(self, text: str) -> None:
        """Tells the instructor, once."""
        if text not in self.result.flags:
            self.result.flags.append(text)

    def notebook(self, name: str) -> dict[str, Any]:
        """A notebook of the submission.

        Raises:
            Refused: it is not there, or cannot be read.
        """
        if name not in self.read:
            path = self.given.find(name)
            self.read[name] = None if path is None else _read(path)
        found = self.read[name]
        if found is None:
            raise Refused(f"{name}.ipynb is missing")
        if isinstance(found, Refused):
            raise found
        return found


def _read(path: Path) -> dict[str, Any] | Refused:
    try:
        return notebook(path)
    except Refused as why:
        return why


def grade(given: Submission, rubric: Rubric, reference: Run | None, its_own: bool = False) -> Graded:
    """A submission's findings.

    Args:
        reference: the published run, or one that was made here of the submission's parameters.
        its_own: the latter.
    """
    looked = Looked(given, Graded(given.name), reference, its_own)
    _results(looked, reference)
    asked: list[tuple[Callable, Any]] = [(_executed, part) for part in rubric.executed]
    asked += [(_section, part) for part in rubric.sections] + [(_figure, part) for part in rubric.figures]
    asked += [(_metric, part) for part in rubric.metrics] + [(_answer, part) for part in rubric.answers]
    asked += [(_library, rubric.library)] if rubric.library else []
    for function, part in asked:
        try:
            looked.result.findings.append(function(looked, part))
        except Refused as why:
            looked.flag(str(why))
            looked.result.findings.append(_finding(function, part, WRONG, str(why)))
    looked.result.findings = list(_fitting(looked.result.findings))
    return looked.result


def _fitting(findings: list[Finding]) -> Iterator[Finding]:
    """The findings, those whose picture the page has no room for without it."""
    left = ROOM
    for finding in findings:
        fits = len(finding.picture) <= left
        left -= len(finding.picture) if fits else 0
        yield finding if fits else replace(finding, picture="", why="a picture that the page has no room for")


def _finding(function: Callable, part: Any, verdict: str, why: str, text: str = "", picture: str = "") -> Finding:
    named = [getattr(part, name, None) for name in ("notebook", "cell", "heading", "retrieval", "metric")]
    asked = f"{function.__name__.strip('_')} {' '.join(filter(None, named))}".strip()
    return Finding(asked, verdict, part.points if verdict == RIGHT else 0.0, part.points, why, text[:SHOWN], picture)


def _results(looked: Looked, reference: Run | None) -> None:
    """What the submission's lock and files say: what was edited, and what differs though the inputs are the same."""
    if LOCK not in looked.given.files or PARAMETERS not in looked.given.files:
        return
    try:
        check_texts(looked.given)
        if reference is None:
            raise Refused("nothing was published of its data")
        run = runs.of_folder(looked.given.place)
        looked.run = replace(run, find=lambda path, known: looked.given.at(path))
        names = [name for name in looked.run.stages if name != "sources"]
        made = record.read(str(looked.run.params["data"]["name"]), looked.given.place)
        rows = verify(looked.run, reference, names, {}, made)
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        looked.run = None
        looked.flag(f"its results cannot be read: {' '.join(str(error).split())[:120]}")
        return
    looked.rows = {row.stage: row for row in rows}
    for row in rows:
        if EDITED in row.found or row.verdict == DIFFERS:
            looked.flag(f"{row.stage} {EDITED if EDITED in row.found else DIFFERS}: {'; '.join(row.why)[:300]}")


def _executed(looked: Looked, part: Executed) -> Finding:
    """Executed in order, without errors, with its parameters, as the chapter was given."""
    found, source = looked.notebook(part.notebook), _source(part.notebook)
    cells = {str(cell.get("id")): cell for cell in found["cells"]}
    code = [cell for cell in found["cells"] if cell.get("cell_type") == "code" and moved.source_of(cell).strip()]
    if len(cells.keys() & source.keys()) < KNOWN * len(source):
        raise Refused(f"{part.notebook}: not this project's chapter")
    faults = [*_order(code), *_errors(code), *_parameters(found, cells)]
    changed = [
        name
        for name, cell in source.items()
        if cell["cell_type"] == "code" and moved.source_of(cells.get(name, {})) != moved.source_of(cell)
    ]
    ids = [str(cell.get("id")) for cell in code]
    added = [name for name in ids if name not in source and name != INJECTED]
    added += [name for name in set(ids) if ids.count(name) > 1]
    last = list(source)[-1]
    if last in changed:
        faults.append(f"its last cell, {last}, does not assert what the chapter's does")
    for text in faults:
        looked.flag(f"{part.notebook}: {text}")
    for name, cell in cells.items():
        if any(ACTIVE.search(str(value)) for value in _htmls(cell)):
            looked.flag(f"{part.notebook}: cell {name} has active content, which no page draws")
    told = [f"code changed in {', '.join(changed)}"] if changed else []
    told += [f"code added in {', '.join(sorted(added))[:200]}"] if added else []
    others = "; ".join(told) or "code as given"
    return _finding(_executed, part, WRONG if faults else RIGHT, "; ".join([*faults, others]))


def _order(code: list[dict]) -> list[str]:
    counts = [cell.get("execution_count") for cell in code]
    if not any(isinstance(count, int) for count in counts):
        return ["not executed"]
    if missing := sum(not isinstance(count, int) for count in counts):
        return [f"{missing} of {len(counts)} cells not executed"]
    return [] if counts == list(range(1, len(counts) + 1)) else ["executed out of order, or more than once"]


def _errors(code: list[dict]) -> list[str]:
    outputs = [output for cell in code for output in _outputs(cell)]
    errors = [output for output in outputs if output.get("output_type") == "error"]
    return [f"an error: {str(output.get('ename'))[:60]}" for output in errors[:1]]


def _parameters(found: dict, cells: dict[str, dict]) -> list[str]:
    """That the parameters it was run with are recorded, and are those of its injected cell."""
    recorded = found.get("metadata", {}).get("papermill", {}).get("parameters")
    if not isinstance(recorded, dict) or INJECTED not in cells:
        return ["parameters not recorded"]
    stated = moved.source_of(cells[INJECTED])
    missing = [name for name in recorded if not re.search(rf"(?m)^{re.escape(str(name))} = ", stated)]
    return [f"recorded parameters {missing} are not in its parameters cell"] if missing else []


def _section(looked: Looked, part: Heading) -> Finding:
    texts = [moved.source_of(c) for c in looked.notebook(part.notebook)["cells"] if c.get("cell_type") == "markdown"]
    heads = [line.lstrip("# ").strip() for text in texts for line in text.splitlines() if line.startswith("#")]
    found = any(part.heading.casefold() in head.casefold() for head in heads)
    return _finding(_section, part, RIGHT if found else WRONG, "" if found else "no such heading")


def _figure(looked: Looked, part: Cell) -> Finding:
    cell = _cell(looked, part.notebook, part.cell)
    found = [picture for output in _outputs(cell) if isinstance(picture := _data(output).get("image/png"), str)]
    if not found:
        return _finding(_figure, part, WRONG, "no picture among its outputs")
    picture = re.sub(r"[^A-Za-z0-9+/=]", "", found[0])
    return _finding(_figure, part, RIGHT, "", picture=picture)


def _answer(looked: Looked, part: Answer) -> Finding:
    """A written answer: there or not; what it is worth is the instructor's."""
    text = moved.source_of(_cell(looked, part.notebook, part.cell))
    asked = moved.source_of(_source(part.notebook).get(part.cell, {}))
    if text.strip() == asked.strip() or len(text.split()) - len(asked.split()) < part.words:
        return _finding(_answer, part, WRONG, f"not answered, or in fewer than {part.words} words", text)
    return _finding(_answer, part, OPEN, f"{len(text.split())} words, for the instructor", text)


def _metric(looked: Looked, part: Metric) -> Finding:
    """The table's number against the mean of its own scores, and where its inputs are the reference's, against that."""
    run, stage = looked.run, f"knn_retrieval@{part.retrieval}"
    if run is None or looked.rows.get(stage) is None:
        raise Refused(f"{part.retrieval}: no results with a lock in the submission")
    tables = _file(run, "evaluation/metrics.csv"), _file(run, f"scores/{part.retrieval}.parquet")
    stated, again = means.both(*tables, *_named(part))
    if not abs(stated - again) <= EXACT:  # nor is what is no number
        looked.flag(f"{part.retrieval}: the table says {part.metric} {stated:.4f}, its own scores give {again:.4f}")
        return _finding(_metric, part, WRONG, f"{stated:.4f} in the table, {again:.4f} by its own scores")
    chain = [looked.rows[name] for name in _chain(run, stage) if name in looked.rows]
    edited = [row.stage for row in chain if EDITED in row.found or row.verdict == DIFFERS]
    if edited:
        return _finding(_metric, part, WRONG, f"{stated:.4f}, and it follows from what is edited or differs: {edited}")
    if not _as_stated(run, chain):
        return _finding(_metric, part, WRONG, f"{stated:.4f}; its lock has other parameters than its params.yaml")
    if not looked.its_own and any(OTHER in row.found for row in chain):
        own = _own(run, looked.reference, chain)
        said = f"{stated:.4f}, as its own scores give; not held against a run of its "
        if not own:  # nothing that a student may choose explains another number
            looked.flag(f"{part.retrieval}: it follows from other code or data than the published run's")
            return _finding(_metric, part, OPEN, f"{said}code or data, for the instructor")
        return _finding(_metric, part, RIGHT, f"{said}parameters: {'; '.join(own)[:300]}")
    expected = _expected(looked.reference, part)
    verdict = RIGHT if abs(stated - expected) <= part.tolerance else WRONG
    return _finding(_metric, part, verdict, f"{stated:.4f}; its parameters give {expected:.4f}")


def _as_stated(run: Run, chain: list[Row]) -> bool:
    """Whether the lock's parameters of a chain of stages are those of the submission's params.yaml."""
    given = [pair for row in chain if row.stage in run.stages for pair in run.stages[row.stage].params.items()]
    return all(_at(run.params, name) == value for name, value in given)


def _at(values: Any, name: str) -> Any:
    """What stands in nested mappings at keys with dots between."""
    for key in name.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _own(run: Run, reference: Run | None, chain: list[Row]) -> list[str]:
    """The parameters that a chain of stages was given and the reference's was not."""
    known = reference.stages if reference else {}
    pairs = [(known[row.stage].params, run.stages[row.stage].params) for row in chain if row.stage in known]
    return [text for was, now in pairs for text in parameters(was, now)]


def _expected(reference: Run | None, part: Metric) -> float:
    """What the reference has for the same inputs; a published run keeps its numbers by retrieval."""
    if reference is None:
        raise Refused("there is nothing to hold its results against")
    data = str(reference.params["data"]["name"])
    published = paths.reference(data) / "metrics" / f"{part.retrieval}.csv"
    ran = reference.find(
        f"outputs/{data}/evaluation/metrics.csv", reference.outs().get(f"outputs/{data}/evaluation/metrics.csv", "")
    )
    return means.number(ran or published, *_named(part))


def _named(part: Metric) -> tuple[str, str, str]:
    return part.retrieval, part.relevance, part.metric


def _file(run: Run, path: str) -> Path:
    found = run.find(f"outputs/{run.params['data']['name']}/{path}", "")
    if found is None:
        raise Refused(f"{path} is missing")
    return found


def _chain(run: Run, stage: str) -> list[str]:
    """A stage and all that it follows from."""
    before, waiting = follows(run.stages), [stage]
    found: list[str] = []
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            waiting += before.get(name, [])
    return found


def _library(looked: Looked, part: Library) -> Finding:
    """Whether the tested code and what it is shipped with are as they are here, file by file."""
    found = {path.relative_to(paths.ROOT).as_posix(): path for path in (paths.ROOT / "pipeline").rglob("*")}
    own, given = (
        {name: path for name, path in some.items() if name.startswith("pipeline/") and "__pycache__" not in name}
        for some in ({name: path for name, path in found.items() if path.is_file()}, looked.given.files)
    )
    if not given:
        return _finding(_library, part, WRONG, "not in the submission")
    allowed = set(part.may_change)
    differing = [
        name for name in {**own, **given} if not _alike(own.get(name), given.get(name)) and name not in allowed
    ]
    if differing:
        looked.flag(f"library changed: {', '.join(sorted(differing)[:5])}")
    return _finding(_library, part, WRONG if differing else RIGHT, ", ".join(sorted(differing)))


def _alike(one: Path | None, other: Path | None) -> bool:
    if one is None or other is None:
        return False
    return one.read_bytes().replace(b"\r\n", b"\n") == other.read_bytes().replace(b"\r\n", b"\n")


def _source(name: str) -> dict[str, dict]:
    """The chapter's cells as they were given, by id."""
    path = paths.source_notebook(name.partition("/")[0])
    if not path.exists():
        raise Refused(f"{name}: the rubric names a chapter that is not in notebooks/")
    return moved.cells(path)


def _cell(looked: Looked, name: str, cell: str) -> dict:
    found = next((c for c in looked.notebook(name)["cells"] if cell in (str(c.get("id")), _grade_id(c))), None)
    if found is None:
        raise Refused(f"{name}: cell {cell} is missing")
    return found


def _grade_id(cell: dict) -> Any:
    """The name that nbgrader gave a cell."""
    metadata = cell.get("metadata")
    named = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return named.get("grade_id") if isinstance(named, dict) else None


def _outputs(cell: dict) -> list[dict]:
    outputs = cell.get("outputs", [])
    return [output for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []


def _htmls(cell: dict) -> list[Any]:
    """What a browser would draw of a cell's outputs and text."""
    drawn = re.compile("html|svg|javascript")
    shown = [value for output in _outputs(cell) for kind, value in _data(output).items() if drawn.search(str(kind))]
    return [*shown, *([moved.source_of(cell)] if cell.get("cell_type") == "markdown" else [])]


def _data(output: dict) -> dict[str, Any]:
    data = output.get("data", {})
    return data if isinstance(data, dict) else {}


def of(asked: Rubric) -> float:
    """The points that a rubric gives at most."""
    points = [part.points for part in asked.executed] + [part.points for part in [*asked.figures, *asked.answers]]
    points += [part.points for part in asked.sections] + [part.points for part in asked.metrics]
    return sum(points) + (asked.library.points if asked.library else 0)


def csv_of(graded: list[Graded], asked: Rubric) -> str:
    """The class: a row per submission; a cell that a spreadsheet would take for a formula begins with an apostrophe."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(["page", "submission", "points", "of", "left to the instructor", "flags"])
    for number, found in enumerate(graded, 1):
        left = sum(finding.of for finding in found.findings if finding.verdict == OPEN)
        row = [f"{number:03d}.html", found.name, found.points, of(asked), left, "; ".join(found.flags)]
        table.writerow(files.plain(printable(value)) if isinstance(value, str) else value for value in row)
    return written.getvalue()


def printable(text: str) -> str:
    """A text as part of a line: what a terminal or a table would act on, or a file not take, is a question mark."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
