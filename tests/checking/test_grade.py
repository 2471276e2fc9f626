"""Thirty submissions in one go, hostile ones among them: each verdict right, and none of them executed."""

import contextlib
import csv
import json
import os
import resource
import shutil
import sqlite3
import stat
import time
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from checked_world import OUT, features
from pyarrow import parquet

from pipeline import params, paths
from pipeline.checking import commands, grade, means, rubric, runs, submission

PROJECT = Path(__file__).parents[2]
CHAPTER, ITEM = "04_knn_retrieval", "04_knn_retrieval/a-cosine"
RUBRIC = """
title: Chapter 4
executed: [{notebook: 04_knn_retrieval/a-cosine, points: 2}]
sections: [{notebook: 04_knn_retrieval/a-cosine, heading: who asks, points: 1}]
figures: [{notebook: 04_knn_retrieval/a-cosine, cell: cell-11, points: 1}]
metrics: [{retrieval: a-cosine, metric: mAP, points: 3}]
answers: [{notebook: 04_knn_retrieval/a-cosine, cell: answer, points: 5, words: 5}]
library: {points: 2, may_change: [pipeline/free.py]}
"""
PLACED = {"protocol": ["strict"], "gallery": ["all"], "relevance": ["articleType"], "precision@7": [0.5]}
METRIC = rubric.Rubric(title="t", metrics=[rubric.Metric(retrieval="a-cosine", metric="mAP", points=1.0)])
ANSWER = "A query finds itself first, so the first result is always right."
STAGES = {
    "feature_extraction@a": ([], {"encoders.a": {"image_size": 96}}, ["features/a.sqlite"]),
    "knn_retrieval@a-cosine": (
        ["features/a.sqlite"],
        {"retrievals.a-cosine": {"encoder": "a"}},
        ["scores/a-cosine.parquet"],
    ),
    "evaluation": (["scores"], {"data.name": "sample"}, ["evaluation/metrics.csv"]),
}


def executed(change=None):
    """Chapter 4 as papermill leaves it, with a written answer at its end; `change` does something to its cells."""
    notebook = nbformat.read(PROJECT / f"notebooks/{CHAPTER}.ipynb", as_version=4)
    given = nbformat.v4.new_code_cell('# Parameters\ndata = "sample"\n', id="injected-parameters")
    notebook.cells.insert(2, given)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        cell.execution_count = number
        cell.outputs = [nbformat.v4.new_output("execute_result", data={"image/png": "AAAA"}, execution_count=number)]
    notebook.cells.append(nbformat.v4.new_markdown_cell(ANSWER, id="answer"))
    notebook.metadata = {"papermill": {"parameters": {"data": "sample"}}}
    if change:
        change(notebook, code)
    return json.loads(nbformat.writes(notebook))


def results(place, values=(0.2, 0.6), size=96, stated=None, by=0.0):
    """Features, scores, their table and the lock of a run, its encoder at a size; `by`: how features were moved."""
    vectors = np.random.default_rng(size).random((4, 3)) * (1 + by * np.arange(3))
    features(place / OUT / "features/a.sqlite", vectors)
    (place / OUT / "scores").mkdir(parents=True)
    (place / OUT / "evaluation").mkdir()
    columns = {"protocol": "strict", "gallery": "all", "relevance": "articleType"}
    pd.DataFrame({"query": [0, 1], "AP": values, **columns}).to_parquet(place / OUT / "scores/a-cosine.parquet")
    table(place, np.mean(values) if stated is None else stated)
    entries = {}
    for name, (deps, given, outs) in STAGES.items():
        given = {"encoders.a": {"image_size": size}} if name.startswith("feature") else given
        sides = [[{"path": f"{OUT}/{p}", "md5": runs.hash_of(place / OUT / p)} for p in side] for side in (deps, outs)]
        entries[name] = {"cmd": "x", "deps": sides[0], "outs": sides[1], "params": {"params.yaml": given}}
    (place / "dvc.lock").write_text(json.dumps({"stages": entries}))
    stated = {"encoders": {"a": {"image_size": size}}, "retrievals": {"a-cosine": {"encoder": "a"}}}
    (place / "params.yaml").write_text(json.dumps({"data": {"name": "sample"}, **stated}))


def table(place, value):
    columns = {"protocol": "strict", "gallery": "all", "relevance": "articleType", "metric": "mAP", "value": value}
    path = place / OUT / "evaluation/metrics.csv"
    pd.DataFrame({"retrieval": ["a-cosine"], **columns}).to_csv(path, index=False)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a library of two modules, chapter 4 and a published run."""
    place = tmp_path / "project"
    (place / "pipeline").mkdir(parents=True)
    (place / "notebooks").mkdir()
    for name in ("ranking", "free"):
        (place / f"pipeline/{name}.py").write_text("x = 1\n")
    shutil.copyfile(PROJECT / f"notebooks/{CHAPTER}.ipynb", place / f"notebooks/{CHAPTER}.ipynb")
    monkeypatch.setattr(paths, "ROOT", place)
    monkeypatch.setattr(paths, "BUILD", place / "build")
    results(place)
    reference = place / "reference/sample"
    (reference / "metrics").mkdir(parents=True)
    for name in ("dvc.lock", "params.yaml"):
        shutil.copyfile(place / name, reference / name)
    shutil.copyfile(place / OUT / "evaluation/metrics.csv", reference / "metrics/a-cosine.csv")
    for path in (place / OUT).rglob("*.*"):
        known = runs.hash_of(path)
        (place / runs.CACHE / known[:2]).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / runs.CACHE / known[:2] / known[2:])
    return place


def fork(place, notebook=None, **run):
    """A whole fork: library, results, executed chapter."""
    (place / "pipeline").mkdir(parents=True)
    for name in ("ranking", "free"):
        (place / f"pipeline/{name}.py").write_text("x = 1\n")
    results(place, **run)
    write(place / OUT / f"notebooks/{ITEM}.ipynb", notebook or executed())
    return place


def write(path, notebook):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook))


def zipped(place, members, links=()):
    with zipfile.ZipFile(place, "w") as packed:
        for name, data in members.items():
            packed.writestr(name, data)
        for name, target in links:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            packed.writestr(info, target)
    return place


def changed(function):
    return lambda place: fork(place, executed(function))


def clear(notebook, code):
    for cell in code:
        cell.execution_count, cell.outputs = None, []


def half(notebook, code):
    for cell in code[5:]:
        cell.execution_count, cell.outputs = None, []


def swap(notebook, code):
    code[3].execution_count, code[4].execution_count = 5, 4


def twice(notebook, code):
    for cell in code:
        cell.execution_count += 20


def fail(notebook, code):
    code[4].outputs = [nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="x", traceback=[])]


def html(text):
    def change(notebook, code):
        code[4].outputs = [nbformat.v4.new_output("display_data", data={"text/html": text})]

    return change


def in_words(notebook, code):
    notebook.cells[-1].source = f"{ANSWER} <script>alert(1)</script>"


def no_assertion(notebook, code):
    code[-1].source = "pass"


def other_code(notebook, code):
    code[3].source = "import os; os.system('touch executed')"


def no_parameters(notebook, code):
    notebook.metadata = {}


def forged_parameters(notebook, code):
    notebook.metadata["papermill"]["parameters"]["seed"] = 1


def no_answer(notebook, code):
    notebook.cells[-1].source = "No idea."


def no_figure(notebook, code):
    for cell in code:
        cell.outputs = []


def edited_table(place):
    fork(place)
    table(place, 0.9)
    return place


def locked_table(place):
    """The table edited, and the lock's hash with it."""
    return fork(place, stated=0.9)


def edited_features(place):
    fork(place)
    features(place / OUT / "features/a.sqlite", np.ones((4, 3)))
    return place


def another_processor(place):
    """The right parameters, last digits of another machine's, and a lock of its own."""
    fork(place, values=(0.201, 0.6), by=1e-6)
    (place / OUT / "machine.json").write_text('{"processor": "EPYC", "cores": 4}')
    return place


def locked_features(place):
    """Features edited, and the lock's hashes with them."""
    return fork(place, by=5.0)


def endless_features(place):
    """A view by the table's name, with rows without end."""
    fork(place)
    path = place / OUT / "features/a.sqlite"
    path.unlink()
    store = sqlite3.connect(path)
    more = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n, x'00000000' FROM r"
    store.execute(f"CREATE VIEW image_features(image_name, features) AS {more}")
    store.close()
    return place


def deep_machine(place):
    fork(place)
    (place / OUT / "machine.json").write_text("[" * 200_000)
    return place


def long_record(place):
    fork(place)
    with (place / OUT / "made.json").open("wb") as stream:
        stream.truncate(submission.TEXT + 1)
    return place


def locked_everything(place):
    """Scores and table edited alike, and the lock with them."""
    return fork(place, values=(0.9, 0.9))


def edited_library(place):
    fork(place)
    (place / "pipeline/ranking.py").write_text("x = 2\n")
    return place


def more_library(place):
    fork(place)
    (place / "pipeline/free.py").write_text("x = 3\n")
    return place


def huge_output(place):
    fork(place)
    path = place / OUT / f"notebooks/{ITEM}.ipynb"
    with path.open("r+b") as stream:  # a hole of 200 MB: as long as one that is full
        stream.truncate(200 * 2**20)
    return place


def linked(place):
    fork(place)
    (place / "secret").symlink_to("/etc/passwd")
    return place


def linked_folder(place):
    fork(place)
    (place / "all").symlink_to("/")
    return place


def pipe(place):
    fork(place)
    os.mkfifo(place / "pipeline/pipe.py")
    return place


def hidden_pipe(place):
    """A lock that names a pipe in a folder that is not looked at: opening it would wait for ever."""
    fork(place)
    (place / ".git").mkdir()
    os.mkfifo(place / ".git/pipe")
    values = json.loads((place / "dvc.lock").read_text())
    values["stages"]["evaluation"]["outs"].append({"path": ".git/pipe", "md5": "0" * 32})
    (place / "dvc.lock").write_text(json.dumps(values))
    return place


def hidden_deeper(place):
    """A pipe in a folder that a lock names whole, behind a name that is passed over at the top."""
    fork(place)
    (place / OUT / "features/build").mkdir()
    os.mkfifo(place / OUT / "features/build/x")
    return place


def forged_code(place, **given):
    """Invented scores, with a lock that says that they are of other code."""
    fork(place, **given)
    values = json.loads((place / "dvc.lock").read_text())
    values["stages"]["knn_retrieval@a-cosine"]["deps"].append({"path": "build/code/knn.json", "md5": "0" * 32})
    (place / "dvc.lock").write_text(json.dumps(values))
    return place


def stated_otherwise(place, **given):
    """The same, with a lock that says other parameters than params.yaml does."""
    fork(place, **given)
    values = json.loads((place / "dvc.lock").read_text())
    values["stages"]["feature_extraction@a"]["params"]["params.yaml"]["encoders.a"]["image_size"] = 64
    (place / "dvc.lock").write_text(json.dumps(values))
    return place


def damaged_zip(place):
    """A member whose packed bytes are none."""
    path = zipped(place.with_suffix(".zip"), {"a.txt": "x" * 5000})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "x" * 5000)
    content = bytearray(path.read_bytes())
    content[36:44] = b"\xff" * 8
    path.write_bytes(content)
    return path


def half_letters(place):
    """Half of a surrogate pair in an answer, and letters that move a terminal's cursor in an error's name."""

    def change(notebook, code):
        notebook.cells[-1].source = ANSWER + " \ud800"
        code[3].outputs = [nbformat.v4.new_output("error", ename="\x1b[2K\rfull marks", evalue="", traceback=[])]

    return fork(place, notebook=executed(change))


def added_cell(place):
    """A cell of its own, before the last one asserts."""

    def change(notebook, code):
        extra = nbformat.v4.new_code_cell("data = 1", id="mine", execution_count=len(code) + 1)
        notebook.cells.append(extra)

    return fork(place, notebook=executed(change))


def hidden_machine(place):
    """As above, by the name of the data: what was recorded of the machine would be read there."""
    fork(place)
    (place / "outputs/build").mkdir()
    os.mkfifo(place / "outputs/build/machine.json")
    (place / "params.yaml").write_text("data: {name: build}\n")
    return place


def unknown_data(place):
    fork(place)
    (place / "params.yaml").write_text("data: {name: mine}\n")
    return place


def another(place):
    cells = [nbformat.v4.new_code_cell("1", id=f"c{n}", execution_count=n) for n in (1, 2)]
    write(place / f"{ITEM}.ipynb", json.loads(nbformat.writes(nbformat.v4.new_notebook(cells=cells))))
    return place


def no_notebook(place):
    fork(place)
    (place / OUT / f"notebooks/{ITEM}.ipynb").write_text("[" * 200_000)
    return place


def bomb(place):
    fork(place)
    (place / "params.yaml").write_text("a: &a [x, x]\nb: &b [*a, *a]\ndata: {name: sample}\n")
    return place


def outside(place):
    fork(place)
    values = json.loads((place / "dvc.lock").read_text())
    values["stages"]["evaluation"]["outs"].append({"path": "../../../../../etc/passwd", "md5": "0" * 32})
    (place / "dvc.lock").write_text(json.dumps(values))
    (place / "params.yaml").write_text("data: {name: ../../../../etc}\n")
    return place


def rendered(place):
    write(place / "a-cosine.ipynb", executed())
    return place


def archive(place):
    inner = fork(place.with_name("inner"))
    members = {f"fork-main/{p.relative_to(inner).as_posix()}": p.read_bytes() for p in inner.rglob("*") if p.is_file()}
    shutil.rmtree(inner)
    return zipped(place.with_suffix(".zip"), members)


ALL = ["right", "right", "right", "right", "instructor", "right"]  # executed, section, figure, metric, answer, library


def but(**others):
    names = ["executed", "section", "figure", "metric", "answer", "library"]
    return [others.get(name, verdict) for name, verdict in zip(names, ALL, strict=True)]


W = "wrong"
# by name: how it is made, what is found of each thing that is asked, and a word of what the instructor is told
SUBMISSIONS = {
    "correct": (fork, ALL, ""),
    "correct_zip": (archive, ALL, ""),
    "other_parameters": (lambda place: fork(place, values=(0.5, 0.5), size=64), ALL, ""),
    "another_processor": (another_processor, ALL, ""),
    "free_module": (more_library, ALL, ""),
    "rendered_alone": (rendered, but(metric=W, library=W), "no results with a lock"),
    "unexecuted": (changed(clear), but(executed=W, figure=W), "not executed"),
    "half_executed": (changed(half), but(executed=W, figure=W), "cells not executed"),
    "out_of_order": (changed(swap), but(executed=W), "out of order"),
    "executed_twice": (changed(twice), but(executed=W), "more than once"),
    "with_an_error": (changed(fail), but(executed=W), "an error: ZeroDivisionError"),
    "no_assertion": (changed(no_assertion), but(executed=W), "does not assert"),
    "other_code": (changed(other_code), ALL, ""),
    "no_parameters": (changed(no_parameters), but(executed=W), "parameters not recorded"),
    "forged_parameters": (changed(forged_parameters), but(executed=W), "recorded parameters ['seed']"),
    "no_answer": (changed(no_answer), but(answer=W), ""),
    "no_figure": (changed(no_figure), but(figure=W), ""),
    "script": (changed(html("<script>alert(1)</script>")), ALL, "active content"),
    "iframe": (changed(html('<iframe src="http://x"></iframe>')), ALL, "active content"),
    "handler": (changed(html('<b onmouseover="x()">b</b>')), ALL, "active content"),
    "script_in_words": (changed(in_words), ALL, "active content"),
    "edited_table": (edited_table, but(metric=W), "evaluation edited"),
    "locked_table": (locked_table, but(metric=W), "own scores give 0.4"),
    "locked_everything": (locked_everything, but(metric=W), "evaluation differs"),
    "edited_features": (edited_features, but(metric=W), "feature_extraction@a edited"),
    "locked_features": (locked_features, but(metric=W), "feature_extraction@a differs"),
    "endless_features": (endless_features, but(metric=W), "feature_extraction@a edited"),
    "deep_machine": (deep_machine, but(metric=W), "its results cannot be read"),
    "long_record": (long_record, but(metric=W), "made.json has 4,194,305 bytes"),
    "edited_library": (edited_library, but(library=W), "library changed: pipeline/ranking.py"),
    "huge_output": (huge_output, [W, W, W, "right", W, "right"], "are read at most"),
    "another_project": (another, [W] * 6, "not this project's chapter"),
    "no_notebook": (no_notebook, [W, W, W, "right", W, "right"], "is no notebook"),
    "yaml_bomb": (bomb, but(metric=W), "anchors or aliases"),
    "paths_outside": (outside, but(metric=W), "params.yaml names data '../../../../etc'"),
    "link": (linked, [], "secret is a symbolic link"),
    "linked_folder": (linked_folder, [], "all is a symbolic link"),
    "pipe": (pipe, [], "pipeline/pipe.py is no plain file"),
    "hidden_pipe": (hidden_pipe, ALL, ""),
    "hidden_deeper": (hidden_deeper, [], "features/build/x is no plain file"),
    "forged_code": (
        lambda p: forged_code(p, values=(0.9, 0.9)),
        but(metric="instructor"),
        "follows from other code or data than the published run's",
    ),
    "stated_otherwise": (lambda p: stated_otherwise(p, values=(0.9, 0.9)), but(metric=W), ""),
    "damaged_zip": (damaged_zip, [], "the zip cannot be unpacked"),
    "half_letters": (half_letters, but(executed=W), "an error"),
    "added_cell": (added_cell, ALL, ""),
    "hidden_machine": (hidden_machine, [], "outputs/build/machine.json is no plain file"),
    "unknown_data": (unknown_data, but(metric=W), "nothing was published of its data"),
    "zip_out": (lambda p: zipped(p.with_suffix(".zip"), {"../../x.ipynb": "{}"}), [], "leads out of the submission"),
    "zip_absolute": (lambda p: zipped(p.with_suffix(".zip"), {"/tmp/x.ipynb": "{}"}), [], "leads out"),
    "zip_link": (
        lambda p: zipped(p.with_suffix(".zip"), {"a.txt": ""}, [("b", "/etc/passwd")]),
        [],
        "b is a symbolic link",
    ),
    "=cmd": (lambda p: zipped(p.with_suffix(".zip"), {"..\\x": ""}), [], "leads out"),
}


@pytest.fixture
def asked(tmp_path):
    path = tmp_path / "rubric.yaml"
    path.write_text(RUBRIC)
    return path


def test_thirty_submissions_in_one_go_each_verdict_right_and_none_executed(
    project, tmp_path, asked, capsys, monkeypatch
):
    (tmp_path / "class").mkdir()
    made = [make(tmp_path / "class" / name) for name, (make, _, _) in SUBMISSIONS.items()]
    found = []
    of = grade.grade
    monkeypatch.setattr(grade, "grade", lambda *given: found.append(of(*given)) or found[-1])
    before = {path: path.lstat().st_mtime_ns for path in (tmp_path / "class").rglob("*")}
    status = commands.grade_command([str(asked), *map(str, made), "--out", str(tmp_path / "graded")])
    assert len(made) >= 30 and status == 1
    assert {path: path.lstat().st_mtime_ns for path in (tmp_path / "class").rglob("*")} == before
    assert not list(tmp_path.rglob("executed")) and not list(tmp_path.rglob("x.ipynb"))
    graded = iter(found)
    with (tmp_path / "graded/grades.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for row, (name, (_, verdicts, word)) in zip(rows, SUBMISSIONS.items(), strict=True):
        assert word in row["flags"] and (word or not row["flags"]), (name, row["flags"])
        if verdicts:
            assert [finding.verdict for finding in next(graded).findings] == verdicts, name
        else:
            assert row["flags"].startswith("refused: ") and row["points"] == "0", name
    assert rows[0] == dict(zip(rows[0], ["001.html", "correct", "9.0", "14.0", "5.0", ""], strict=True))
    assert rows[-1]["submission"].startswith("'=cmd")
    for page in (tmp_path / "graded").glob("*.html"):
        text = page.read_text()
        assert "<script" not in text and "<iframe" not in text and "root:" not in text


def test_what_a_metric_is_held_against_is_said(project, tmp_path):
    given = fork(tmp_path / "s", values=(0.5, 0.5), size=64)
    with submission.opened(given) as opened:
        result = grade.grade(opened, METRIC, runs.published("sample"))
    assert "not held against a run of its parameters: encoders.a.image_size 96 → 64" in result.findings[0].why


def test_a_run_of_its_own_parameters_tells_invented_scores(project, tmp_path):
    """As with --execute: the reference is then a run of the submission's parameters."""
    reference = runs.of_folder(fork(tmp_path / "again", values=(0.5, 0.5), size=64))
    cases = [("true", fork, 0.5, "right"), ("invented", fork, 0.9, "wrong"), ("other code", forged_code, 0.9, "wrong")]
    for name, make, value, verdict in cases:
        with submission.opened(make(tmp_path / name, values=(value, value), size=64)) as opened:
            found = grade.grade(opened, METRIC, reference, its_own=True).findings
            assert [finding.verdict for finding in found] == [verdict], name


def test_a_table_of_a_few_bytes_and_of_rows_without_number_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"AP": np.zeros(100_000)}).to_parquet(path)
    monkeypatch.setattr(submission, "CELLS", 99_999)
    with pytest.raises(submission.Refused, match="100,000 rows: more than are read"):
        submission.table(path)
    path.write_bytes(b"no table")
    with pytest.raises(submission.Refused, match="is no table"):
        submission.table(path)


def test_a_table_whose_few_bytes_unfold_to_gigabytes_is_refused_and_takes_no_memory(tmp_path):
    place = fork(tmp_path / "bomb", values=(0.5, 0.5))
    scores = place / OUT / "scores/a-cosine.parquet"
    rows = 2000
    places = {"protocol": "strict", "gallery": "all", "relevance": "articleType"}
    filled = {name: pa.array([value] * rows) for name, value in places.items()}
    words = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["a" * 100_000_000]))
    parquet.write_table(
        pa.table({**filled, "AP": [0.5] * rows, "word": words}), scores, compression="zstd", store_schema=False
    )
    assert scores.stat().st_size < 10_000  # and in memory 200 gigabytes
    assert submission.table(scores) == scores
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with pytest.raises(submission.Refused, match="unfold to more than"):
        means.both(place / OUT / "evaluation/metrics.csv", scores, "a-cosine", "articleType", "mAP")
    assert time.monotonic() - began < 60
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert most == before or most * 1024 < 1.2 * means.MEMORY


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"protocol": ["strict"]}, "not those of a run"),
        ({"word": ["a"]}, "not those of a run"),
        (PLACED, "have no mAP"),
    ],
)
def test_scores_that_are_none_are_refused_in_a_sentence(tmp_path, columns, said):
    place = fork(tmp_path / "odd", values=(0.5, 0.5))
    scores = place / OUT / "scores/a-cosine.parquet"
    pd.DataFrame(columns).to_parquet(scores)
    with pytest.raises(submission.Refused, match=said):
        means.both(place / OUT / "evaluation/metrics.csv", scores, "a-cosine", "articleType", "mAP")


def test_a_cell_may_be_named_as_nbgrader_names_it(project, tmp_path):
    def named(notebook, code):
        notebook.cells[-1].id = "cell-99"
        notebook.cells[-1].metadata["nbgrader"] = {"grade_id": "answer"}

    asked = rubric.Rubric(title="t", answers=[rubric.Answer(notebook=ITEM, cell="answer", points=5.0, words=5)])
    with submission.opened(fork(tmp_path / "s", executed(named))) as opened:
        (finding,) = grade.grade(opened, asked, None).findings
    assert (finding.verdict, finding.text) == ("instructor", ANSWER)


def test_a_picture_that_a_page_has_no_room_for_is_told(project, tmp_path, monkeypatch):
    cells = [rubric.Cell(notebook=ITEM, cell="cell-11", points=1.0)] * 2
    monkeypatch.setattr(grade, "ROOM", len("AAAA"))
    with submission.opened(fork(tmp_path / "s")) as opened:
        found = grade.grade(opened, rubric.Rubric(title="t", figures=cells), None).findings
    assert [(one.verdict, one.picture, one.why) for one in found] == [
        ("right", "AAAA", ""),
        ("right", "", "a picture that the page has no room for"),
    ]


def test_a_misspelt_rubric_names_the_nearest(tmp_path):
    path = tmp_path / "rubric.yaml"
    path.write_text("title: t\nfigure: []\n")
    with pytest.raises(ValueError, match="figure.*Did you mean 'figures'"):
        rubric.load(path)


def test_an_archive_that_says_less_than_it_unpacks_to_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(submission, "TOTAL", 1000)
    path = zipped(tmp_path / "z.zip", {"a": b"0" * 5000})
    with pytest.raises(submission.Refused, match="more than"), submission.opened(path):
        pass


def test_what_is_no_submission_is_refused(tmp_path):
    for name in ("a.txt", "b.zip"):
        (tmp_path / name).write_text("x")
        refused = pytest.raises(submission.Refused, match="no folder, no zip and no notebook")
        with refused, submission.opened(tmp_path / name):
            pass


def test_execution_runs_this_code_with_their_parameters_and_one_that_fails_stops_no_other(
    project, tmp_path, asked, monkeypatch
):
    again = fork(tmp_path / "again", values=(0.5, 0.5), size=64)
    ran = []

    @contextlib.contextmanager
    def rerun(jobs, parameters, seconds):
        ran.append(parameters.parent.name)
        assert seconds == 30
        if parameters.parent.name == "fails":
            raise runs.RunError("the study did not run to its end in the clone")
        yield again

    monkeypatch.setattr(commands.scratch, "rerun", rerun)
    monkeypatch.setattr(commands.params, "load", lambda *path: None)
    monkeypatch.setattr(submission, "check_reach", lambda asked, here: None)
    made = [
        fork(tmp_path / "fails"),
        fork(tmp_path / "true", values=(0.5, 0.5), size=64),
        fork(tmp_path / "invented", values=(0.9, 0.9), size=64),
    ]
    out = tmp_path / "graded"
    options = ["--execute", "--minutes", "0.5", "--out", str(out)]
    assert commands.grade_command([str(asked), *map(str, made), *options]) == 1
    with (out / "grades.csv").open() as stream:
        rows = {row["submission"]: row for row in csv.DictReader(stream)}
    assert ran == ["fails", "true", "invented"]
    assert "did not run to its end" in rows["fails"]["flags"]
    assert (rows["true"]["points"], rows["invented"]["points"]) == ("9.0", "6.0")


ELSEWHERE = [
    ({"data": {"path": "/home"}}, "data.path"),
    ({"data": {"source": "kaggle", "handle": "someone/else"}}, "data.source, data.handle"),
    ({"data": {"watch": "/"}}, "data.watch"),
    ({"weights": {"mobilenet_v2_random": {"source": "file", "path": "/a.weights.h5"}}}, "mobilenet_v2_random.path"),
    ({"scale": {"engine": "dask", "scheduler": "tcp://host:8786"}}, "scale"),
]


@pytest.mark.parametrize(("change", "named"), ELSEWHERE, ids=[named for _, named in ELSEWHERE])
def test_parameters_that_lead_out_of_the_clone_are_not_executed(change, named):
    """A scheduler's answers are unpickled, a cluster's job may have lines of shell, a path may be anybody's file."""
    here = params.load()
    values = here.model_dump(mode="python")
    for section, moved in change.items():
        for name, value in moved.items():
            values[section][name] = values[section][name] | value if isinstance(value, dict) else value
    with pytest.raises(submission.Refused, match=f"not executed: .*{named}"):
        submission.check_reach(params.Study.model_validate(values), here)


def test_parameters_of_the_same_pictures_may_be_executed():
    here = params.load()
    other = here.model_copy(update={"data": here.data.model_copy(update={"seed": 7, "test_share": 0.5})})
    submission.check_reach(other, here)
