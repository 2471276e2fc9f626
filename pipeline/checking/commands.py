"""The commands `verify`, `compare` and `grade`: their options, what they print and their exit status."""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline import files, params, paths
from pipeline.checking import crate, overview, receipt, record, runs, scratch
from pipeline.checking.runs import Run
from pipeline.checking.verify import MEANS, RAN, SAME, STATUS, Row, verify, worst
from pipeline.report import html

TEMPLATES = Path(__file__).with_name("templates")


def page(template: str, **values: Any) -> str:
    """A page that runs no script and loads nothing, whatever stands in its values."""
    return html.page(template, TEMPLATES, **values)


def verify_command(rest: list[str]) -> int:
    """Holds a run against the published one, prints a row per stage, writes page and receipt; the verdict's status."""
    given = _verify_options(rest)
    begun = time.monotonic()
    study = params.load()
    data = study.data.name
    reference = runs.published(data)
    if given.receipt:
        return _others_receipt(Path(given.receipt), reference)
    if not given.from_scratch:
        here, rows = look(study, reference)
    else:
        for name in scratch.left_out():
            print(f"not committed, and so not in the clone: {name}", file=sys.stderr)
        with scratch.rerun(given.jobs, paths.PARAMS) as place:
            here = runs.of_folder(place)
            rows = verify(here, reference, record.names(study), {}, record.read(data, place))
    return _tell(given, here, reference, rows, data, time.monotonic() - begun)


def look(study: params.Study, reference: Run) -> tuple[Run, list[Row]]:
    """The run that lies here, and what is to be said of each of its stages."""
    here = runs.of_folder(paths.ROOT)
    return here, verify(here, reference, record.names(study), record.today(study, here), record.read(study.data.name))


def _verify_options(rest: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline.run verify", allow_abbrev=False)
    parser.add_argument("--from-scratch", action="store_true", help="run all of it again, in a clone, without a cache")
    parser.add_argument("--jobs", type=int, default=2, help="of --from-scratch: stages beside each other")
    parser.add_argument("--json", action="store_true", help="print the receipt in place of the table")
    parser.add_argument("--all", action="store_true", help="name the stages with the published bytes too")
    parser.add_argument("--sign", metavar="KEY", help="sign the receipt with this SSH key")
    parser.add_argument("--receipt", metavar="FILE", help="check someone else's receipt, and nothing else")
    parser.add_argument("--crate", action="store_true", help="write ro-crate-metadata.json and codecheck.yml")
    given = parser.parse_args(rest)
    if given.from_scratch and given.crate:
        parser.error("--crate describes the files of this folder, and --from-scratch runs in another")
    return given


def _tell(given: argparse.Namespace, here: Run, reference: Run, rows: list[Row], data: str, seconds: float) -> int:
    """Prints what was found, and writes the receipt, the page and what else was asked for."""
    found = receipt.make(here, reference, rows, data, seconds)
    found["from scratch"] = given.from_scratch
    written = [receipt.write(paths.verified(data), found)]
    if given.sign:
        written.append(receipt.sign(written[0], Path(given.sign).expanduser()))
    written += crate.write(here, found) if given.crate else []
    target = paths.verified(data) / "index.html"
    files.write_text(target, page("verified.html.j2", title=f"The same result? {data}", **section(found, reference)))
    written.append(overview.write(data, section(found, reference)))
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        print(table(rows, given.all))
        print(f"\n{worst(rows)}: {MEANS[worst(rows)]}. {counts(rows)}. {found['hardware']}".rstrip())
        print(f"Held against {reference.name}. {', '.join(_name(path) for path in [target, *written])}")
    return STATUS[worst(rows)]


def _name(path: Path) -> str:
    return path.relative_to(paths.ROOT).as_posix()


def table(rows: list[Row], every: bool) -> str:
    """A line for each stage that has not the published bytes, or for every one, and its reasons below it."""
    shown = [row for row in rows if every or row.verdict != SAME]
    lines = []
    for row in shown:
        lines.append(f"{row.stage:<44} {row.verdict:<13} {row.how}")
        lines += [f"    {why}" for why in row.why]
    return "\n".join(lines)


def counts(rows: list[Row]) -> str:
    """How many stages have which verdict, and how many of them ran here."""
    counted = Counter(row.verdict for row in rows)
    ran = sum(row.how == RAN for row in rows)
    listed = ", ".join(f"{counted[verdict]} {verdict}" for verdict in STATUS if counted[verdict])
    return f"{len(rows)} stages: {listed}; {ran} are known to have run here"


def section(found: dict[str, Any], reference: Run) -> dict[str, Any]:
    """What a page shows of a receipt: its stages, its verdict, and the receipts of others."""
    ran, folder = sum(row["how"] == RAN for row in found["stages"]), paths.receipts(found["data"])
    return {
        "receipt": found,
        "status": STATUS[found["verdict"]],
        "statuses": STATUS,
        "means": MEANS,
        "counts": f"{len(found['stages'])} stages, {ran} known to have run here",
        "others": [_other(path, reference) for path in sorted(folder.glob("*.json"))],
        "folder": _name(folder),
    }


def overview_of(study: params.Study) -> Path:
    """Writes the page that a run ends with, the run held against the published one, and returns its path."""
    data, begun = study.data.name, time.monotonic()
    try:
        reference = runs.published(data)
        here, rows = look(study, reference)
    except runs.RunError as why:  # of new data nothing is published
        return overview.write(data, None, str(why))
    found = receipt.make(here, reference, rows, data, time.monotonic() - begun)
    return overview.write(data, section(found, reference))


def compare_command(rest: list[str]) -> int:
    """Prints two runs side by side as Markdown, and writes a page with their figures and notebooks."""
    from pipeline.checking import compare  # here: verify is quick without pandas

    parser = argparse.ArgumentParser(prog="python -m pipeline.run compare", allow_abbrev=False)
    parser.add_argument("first", help="a checkout's folder, reference/<data>, a commit or an experiment")
    parser.add_argument("second", nargs="?", default=str(paths.ROOT), help="the same; this folder where none is given")
    parser.add_argument("--page", type=Path, help="where the page is written")
    given = parser.parse_args(rest)
    first, second = runs.named(given.first), runs.named(given.second)
    found = compare.compare(first, second)
    print(compare.markdown(found))
    target = given.page or paths.verified(second.params["data"]["name"]) / "compared.html"
    title = f"{first.name} → {second.name}"
    files.write_text(target, page("compared.html.j2", title=title, found=found, rows=compare.rows(found)))
    print(f"With figures and notebooks: {target}")
    return 0


def grade_command(rest: list[str]) -> int:
    """Holds submissions against a rubric: a page for each, a table for all; 1 where one could not be opened."""
    from pipeline.checking import grade, rubric  # here: verify is quick without pandas

    parser = argparse.ArgumentParser(prog="python -m pipeline.run grade", allow_abbrev=False)
    parser.add_argument("rubric", type=Path)
    parser.add_argument("submissions", type=Path, nargs="+", help="folders, zips or notebooks")
    parser.add_argument(
        "--out", type=Path, default=paths.BUILD / "graded", help="where pages and grades.csv are written"
    )
    parser.add_argument("--execute", action="store_true", help="run the study here with each submission's parameters")
    parser.add_argument("--minutes", type=float, default=60.0, help="of --execute: what one such run may take")
    given = parser.parse_args(rest)
    asked, graded = rubric.load(given.rubric), []
    for number, path in enumerate(given.submissions, 1):
        found = _graded(path, asked, given.minutes * 60 if given.execute else None)
        graded.append(found)
        name = f"{number:03d}.html"
        shown = page("graded.html.j2", title=f"{found.name}: {asked.title}", graded=found)
        files.write_text(given.out / name, shown.encode("utf-8", "replace").decode())  # half a surrogate pair: a mark
        line = f"{found.name:<32} {found.points:6.1f} of {grade.of(asked):g}  {'; '.join(found.flags)[:200]}"
        print(grade.printable(line))  # else it could write over other lines
    files.write_text(given.out / "grades.csv", grade.csv_of(graded, asked))
    print(f"Pages and the class: {given.out}")
    return int(any(flag.startswith("refused") for found in graded for flag in found.flags))


def _graded(path: Path, asked: Any, seconds: float | None) -> Any:
    """What a submission's page says, by a run of its own parameters where there are seconds for one."""
    from pipeline.checking import grade, submission

    try:
        with submission.opened(path) as opened:
            if seconds is not None:
                return _executed(opened, asked, seconds)
            return grade.grade(opened, asked, _reference(opened))
    except Exception as why:  # whatever it is made of: one that cannot be read stops no other
        said = " ".join(str(why).split())[:300] or type(why).__name__
        return grade.Graded(path.name, flags=[f"refused: {said}"])


def _reference(opened: Any) -> Run | None:
    """The published run of the submission's data; None where there is none."""
    from pipeline.checking import submission

    try:
        submission.check_texts(opened)
        return runs.published(str(params.read_yaml(opened.files[runs.PARAMETERS])["data"]["name"]))
    except Exception:  # what is wrong is told where it is graded
        return None


def _executed(opened: Any, asked: Any, seconds: float) -> Any:
    """A submission held against a run of its own parameters by this code, in a clone; nothing of its code runs."""
    from pipeline.checking import grade, submission

    parameters = opened.files.get(runs.PARAMETERS)
    if parameters is None:
        raise submission.Refused("it has no params.yaml to run the study with")
    submission.check_texts(opened)
    submission.check_reach(params.load(parameters), params.load())
    with scratch.rerun(1, parameters, seconds) as place:
        return grade.grade(opened, asked, runs.of_folder(place), its_own=True)


def _other(path: Path, reference: Run) -> dict[str, Any]:
    """What the page says of someone's receipt; one that cannot be read is a row that says so."""
    try:
        found, wrong = receipt.check(path, reference)
        signed = _signed(path)
    except (runs.RunError, OSError) as error:
        return {
            "name": path.name,
            "signed": "",
            "processor": "",
            "verdict": "",
            "ran": 0,
            "stages": 0,
            "wrong": [str(error)],
        }
    return {
        "name": path.name,
        "signed": signed,
        "processor": str(found["machine"].get("processor")),
        "verdict": found["verdict"],
        "ran": sum(row.get("how") == RAN for row in found["stages"]),
        "stages": len(found["stages"]),
        "wrong": wrong,
    }


def _signed(path: Path) -> str:
    try:
        return receipt.signed_by(path)
    except runs.RunError as error:
        return f"signature not checked: {error}"


def _others_receipt(path: Path, reference: Run) -> int:
    """Prints what someone's receipt says and what is wrong with it; 1 where something is."""
    found, wrong = receipt.check(path, reference)
    said = receipt.signed_by(path)
    ran = sum(row.get("how") == RAN for row in found["stages"])
    print(f"{path.name}: {found['verdict']}; {ran} of {len(found['stages'])} stages ran; {said}")
    print(f"machine: {found['machine'].get('processor')}, Python {found['machine'].get('python')}")
    for text in wrong:
        print(f"wrong: {text}")
    print("A signature says who vouches for a receipt, not that anything ran.")
    return 1 if wrong or said.startswith("WRONG") else 0
