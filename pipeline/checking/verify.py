"""Did I get the same result? Each stage of a run held against the published one: by bytes, else by numbers.

Nothing is run and nothing is asked of DVC but its lock: what the last run read and made is there by hash, what lies
here is hashed anew, and what code, chapters and parameters say today is compared with what the run was given.
"""

import graphlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.checking import runs
from pipeline.checking.runs import Entry, Run

if TYPE_CHECKING:
    from pipeline.checking.moved import Moved

SAME, CLOSE, UNJUDGED = "same bytes", "same numbers", "other bytes"
OTHER, STALE, DIFFERS, MISSING, EDITED = "other inputs", "stale", "differs", "missing", "edited"
# from the best to the worst, each with the exit status of a run whose worst stage has it; 1 is an error, 2 wrong usage
STATUS = {SAME: 0, UNJUDGED: 0, CLOSE: 0, OTHER: 3, STALE: 4, DIFFERS: 5, MISSING: 6, EDITED: 7}
MEANS = {
    SAME: "the published bytes",
    CLOSE: "other bytes; the numbers that can be held against the published ones are as near as hardware leaves them",
    UNJUDGED: "other bytes, of which no number can be held against the published ones; what follows from them was",
    OTHER: "was given other parameters, code or data than the published run, or follows from what was",
    STALE: "not what today's parameters, code and chapters would give: run repro",
    DIFFERS: "the same inputs gave other numbers than hardware explains",
    MISSING: "not run, or deleted",
    EDITED: "not what the run made: edited, or written by hand",
}
ORDER = list(STATUS)
RAN, KEPT, UNKNOWN = "ran", "from cache", "not recorded"
SHOWN = 3  # reasons and files that a line of the table names
MADE, PREPARED = "outputs/", "build/"  # where stages' products lie, and what the first stage writes of the sources
ABSENT = "absent"
NO_COPY = "no copy of the published files is here"
TRAINS = "finetuning@"  # how a stage begins whose numbers another number of threads moves more than others'
EXPANDS = "expansion@"  # how a stage begins of which single vectors jump, where two neighbours are nearly as near
RANKS = "knn_retrieval@"  # and one that says what is near to them
Present = dict[str, str | None]
Made = Mapping[str, Mapping[str, Any]]  # how each stage came about, as `repro` records it


@dataclass
class Row:
    """One stage: its verdict, why, how it came about, its seconds, its products' hashes, and what moved in them.

    `found`: every verdict that there was a reason for; the worst of them is the stage's. `trained`: it follows from
    weights that were trained anew and are others than the published ones.
    """

    stage: str
    verdict: str = SAME
    why: list[str] = field(default_factory=list)
    how: str = UNKNOWN
    seconds: float | None = None
    outs: dict[str, str] = field(default_factory=dict)
    moved: list["Moved"] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    trained: bool = False

    def is_(self, verdict: str, why: Iterable[str]) -> "Row":
        """The row with this verdict, where there is a reason for it and none for a worse one was found."""
        reasons = list(why)
        if reasons:
            self.found.append(verdict)
            self.verdict = max(self.verdict, verdict, key=ORDER.index)
            self.why += reasons
        return self

    def as_json(self) -> dict[str, Any]:
        """The row as a receipt keeps it."""
        return {**asdict(self), "moved": [str(moved) for moved in self.moved]}


def verify(here: Run, reference: Run, names: list[str], today: Mapping[str, list[str]], made: Made) -> list[Row]:
    """A row for each stage, those first that others follow from.

    Args:
        names: the stages of today's parameters.
        today: for each stage, what of its code, chapter or parameters is not as the run was given it.
        made: for each stage, how it came about.
    """
    present = _presence(here)
    known_names = {*names, *reference.stages} - {"sources"}  # which only writes down what is compared here anew
    before_each = follows(
        {name: here.stages.get(name) or reference.stages.get(name) or Entry() for name in known_names}
    )
    rows: dict[str, Row] = {}
    for name in graphlib.TopologicalSorter(before_each).static_order():
        before = [rows[other] for other in before_each[name]]
        row = Row(name, **_how(name, here, made))
        rows[name] = row
        if name not in names:
            row.is_(OTHER, ["published, and not among today's parameters"])
        elif name not in here.stages:
            row.is_(MISSING, ["has not been run"])
        else:
            _judge(row, here, reference, present, before)
            row.is_(STALE, today.get(name, []))
            row.is_(STALE, _after(STALE, before))
    return list(rows.values())


def _judge(row: Row, here: Run, reference: Run, present: Present, before: list[Row]) -> None:
    """A stage that was run: what was edited or deleted, what it was given, and what it made of it."""
    entry, known = here.stages[row.stage], reference.stages.get(row.stage)
    row.outs = {path: hash_ for path in entry.outs if (hash_ := present[path])}
    row.is_(MISSING, [path for path in entry.outs if path not in row.outs])
    for path in row.outs:
        if row.outs[path] != entry.outs[path]:
            row.is_(*_edited(path, here, known, present))
    row.is_(STALE, _old_inputs(entry, known, here, present))
    if known is None:
        row.is_(OTHER, ["not in the published run"])
        return
    row.is_(EDITED, _forged_inputs(entry, known, present))
    row.is_(OTHER, _own_inputs(entry, known))
    row.is_(OTHER, _after(OTHER, before))
    row.trained = any(other.trained for other in before)
    expanded = any(other.stage.startswith(EXPANDS) for other in before)
    jumps = row.stage.startswith(EXPANDS) or (expanded and row.stage.startswith(RANKS))
    _results(row, known, here, reference, jumps)


def _after(verdict: str, before: list[Row]) -> list[str]:
    """That a stage follows from others of a verdict: the first of them, and how many more there are."""
    others = [row.stage for row in before if verdict in row.found]
    more = f" and {len(others) - 1} more" if others[1:] else ""
    return [f"follows from {others[0]}{more}, {verdict}"] if others else []


def _results(row: Row, known: Entry, here: Run, reference: Run, jumps: bool) -> None:
    """What lies here of the stage's products, held against the published: bytes, else numbers.

    `jumps`: single vectors may be others though nothing was trained anew, so they are judged as if it had been.
    """
    differing = [path for path, hash_ in known.outs.items() if row.outs.get(path, hash_) != hash_]
    row.trained |= bool(differing) and row.stage.startswith(TRAINS)
    for path in differing:
        row.moved += _moved(path, known.outs[path], here, reference, row.trained or jumps)
    failed = [moved for moved in row.moved if moved.within is False]
    if failed:
        row.is_(DIFFERS if row.verdict == SAME else row.verdict, _short(failed))  # else there is a reason to differ
    elif differing:
        judged = {moved.within for moved in row.moved}
        row.is_(CLOSE if True in judged else UNJUDGED, _short(row.moved) or [NO_COPY] * (row.verdict == SAME))


def _short(moved: list["Moved"]) -> list[str]:
    more = [f"and {len(moved) - SHOWN} files more"] if len(moved) > SHOWN else []
    return [*map(str, moved[:SHOWN]), *more]


def _moved(path: str, known: str, here: Run, reference: Run, trained: bool) -> list["Moved"]:
    """What differs in an output, file by file; nothing where no copy of the published one is here."""
    from pipeline.checking import moved  # here: with pandas it takes longer to load than all else to do

    if not known.endswith(runs.FOLDER):
        was, now = reference.find(path, known), here.find(path, "")
        return [moved.between(path, was, now, trained)] if was and now else []
    folder, found = here.find(path, ""), []
    was_listed = runs.listed(known) or {}
    now_listed = runs.members(folder) if folder else {}
    for name, hash_ in sorted(was_listed.items()):
        was = runs.in_cache(hash_)
        if folder and was and now_listed.get(name) not in (None, hash_):
            found.append(moved.between(f"{path}/{name}", was, folder / name, trained))
    return found


def _presence(here: Run) -> Present:
    """The hash of what lies here now of all that the run read and made, by path; None where nothing does."""
    names = {path for entry in here.stages.values() for path in (*entry.outs, *entry.deps)}
    found = {path: here.find(path, "") for path in names if not path.startswith(PREPARED)}
    return {path: runs.hash_of(place) if place else None for path, place in found.items()}


def _edited(path: str, here: Run, known: Entry | None, present: Present) -> tuple[str, list[str]]:
    """Which of the two was edited, the file or the lock's entry, and in a folder which file, or that one is missing."""
    readers = [entry.deps.get(path) for entry in here.stages.values()]
    if present[path] in readers or (known and present[path] == known.outs.get(path)):
        told = f"dvc.lock: its hash of {path} is not the file's; the file is as another entry or the reference has it"
        return EDITED, [told]
    recorded, folder = here.outs()[path], here.find(path, "")
    was = runs.listed(recorded) if recorded.endswith(runs.FOLDER) else None
    if was is None or folder is None:
        return EDITED, [path]
    now = runs.members(folder)
    names = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
    gone = all(name not in now for name in names)
    return MISSING if gone else EDITED, [f"{path}: {', '.join(names[:SHOWN])}"]


def _forged_inputs(entry: Entry, known: Entry, present: Present) -> list[str]:
    """Entries of the lock that say something else than what lies here and than the reference, of an equal result."""
    return [
        f"dvc.lock: its hash of {path}, which the stage read, is neither the file's nor the reference's"
        for path in _changed(entry, present)
        if _only_in_the_lock(path, entry, known, present)
    ]


def _old_inputs(entry: Entry, known: Entry | None, here: Run, present: Present) -> list[str]:
    """What is not as the stage read it: made anew since, or edited where no stage makes it."""
    outs = here.outs()
    touched = [path for path in outs if path in present and present[path] != outs[path]]  # told where it is made
    return [
        f"{path} has changed since"
        for path in _changed(entry, present)
        if not any(part == path or part.startswith(f"{path}/") for part in touched)
        and not (known and _only_in_the_lock(path, entry, known, present))
    ]


def _changed(entry: Entry, present: Present) -> list[str]:
    return [path for path, hash_ in entry.deps.items() if path in present and present[path] != hash_]


def _only_in_the_lock(path: str, entry: Entry, known: Entry, present: Present) -> bool:
    return present[path] == known.deps.get(path) and entry.outs == known.outs


def _own_inputs(entry: Entry, known: Entry) -> list[str]:
    """Parameters, code, chapters and other files, no stage's product, that the published run had otherwise."""
    files = [path for path in entry.deps if not path.startswith(MADE) and entry.deps[path] != known.deps.get(path)]
    return [*parameters(known.params, entry.params), *(f"{_source(path)} is not the published run's" for path in files)]


def _source(path: str) -> str:
    folder = path.removeprefix(PREPARED).partition("/")[0]
    return {"code": "its code", "notebooks": "its chapter"}.get(folder, path) if path.startswith(PREPARED) else path


def parameters(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The parameters that differ, each with both values.

    >>> parameters({"finetunes.joint": {"seed": 0, "epochs": 3}}, {"finetunes.joint": {"seed": 1, "epochs": 3}})
    ['finetunes.joint.seed 0 → 1']
    """
    one, other = (runs.leaves(dict(values), between=".") for values in (was, now))
    names = [name for name in {**one, **other} if one.get(name, ABSENT) != other.get(name, ABSENT)]
    return [f"{name} {one.get(name, ABSENT)} → {other.get(name, ABSENT)}" for name in names]


def follows(stages: Mapping[str, Entry]) -> dict[str, list[str]]:
    """For each stage those whose products it reads, alone or in a folder of them."""
    makers = [(path, name) for name, entry in stages.items() for path in entry.outs]
    return {
        name: sorted(
            {
                maker
                for dep in entry.deps
                for path, maker in makers
                if maker != name and (path == dep or path.startswith(f"{dep}/") or dep.startswith(f"{path}/"))
            }
        )
        for name, entry in stages.items()
    }


def _how(name: str, here: Run, made: Made) -> dict[str, Any]:
    """How a stage came about, as long as the record is of the very products that the lock names."""
    record, entry = made.get(name, {}), here.stages.get(name)
    if entry is None or record.get("outs") != entry.outs:
        return {}
    return {"how": record.get("how", UNKNOWN), "seconds": record.get("seconds")}


def worst(rows: Iterable[Row]) -> str:
    """The verdict on all: the worst of the stages'."""
    return max((row.verdict for row in rows), key=ORDER.index, default=MISSING)


def hardware(here: Run, reference: Run, rows: list[Row]) -> str:
    """Whether a difference can be the machine's: in what the two machines differ; '' where no bytes differ."""
    if not any(row.verdict in (CLOSE, UNJUDGED, DIFFERS) for row in rows):
        return ""
    if not here.machine or not reference.machine:
        return "Which machine made one of the two runs is not recorded: whether the hardware differs is not known."
    one, other = (runs.leaves(run.machine) for run in (reference, here))
    differing = [
        f"{name} {one.get(name)} → {other.get(name)}" for name in {**one, **other} if one.get(name) != other.get(name)
    ]
    told = [text for text in differing if not text.startswith("system ")]
    if told:
        return f"The machines differ, and last digits with them: {'; '.join(told)}."
    return (
        "Both runs were made on machines that say the same of themselves: the difference is not known to be hardware's."
    )
