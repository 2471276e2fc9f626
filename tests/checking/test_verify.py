"""The same result or not: what was changed is told by its stage, its name and its exit status."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import clones
import h5py
import nbformat
import numpy as np
import pytest
from checked_world import MACHINE, OUT, STAGES, features, metrics, notebook

from pipeline import params, paths, stages
from pipeline.checking import moved, record, runs, scratch
from pipeline.checking.verify import (
    CLOSE,
    DIFFERS,
    EDITED,
    KEPT,
    MISSING,
    OTHER,
    SAME,
    STALE,
    STATUS,
    UNJUDGED,
    UNKNOWN,
    hardware,
    parameters,
    verify,
    worst,
)
from pipeline.encoders import store

STUDY_HERE = params.load()


def found(world, today=None, made=None, names=None):
    here, reference = runs.of_folder(world.place), runs.published("sample")
    return {row.stage: row for row in verify(here, reference, names or list(STAGES), today or {}, made or {})}


def told(rows):
    return {name: row.verdict for name, row in rows.items() if row.verdict != SAME}


def test_the_same_run_twice_is_the_same(world):
    rows = found(world)
    assert list(rows) == list(STAGES) and not told(rows)
    assert STATUS[worst(rows.values())] == 0


def change_a_catalogue(world):
    (world.out / "catalog.csv").write_text("id\n2\n")


def change_features(world):
    features(world.out / "features/a.sqlite", world.vectors + 0.5)


def change_weights(world):
    (world.out / "weights/a/backbone.weights.h5").write_bytes(b"other")


def change_a_notebook(world):
    notebook(world.out / "notebooks/02/a.ipynb", "651 pictures")


def change_a_table(world):
    metrics(world.out / "evaluation/metrics.csv", [0.9, 0.7])


EDITS = [
    (change_a_catalogue, "ingest", f"{OUT}/catalog.csv"),
    (change_features, "feature_extraction@a", f"{OUT}/features/a.sqlite"),
    (change_weights, "finetuning@a", f"{OUT}/weights/a: backbone.weights.h5"),
    (change_a_notebook, "feature_extraction@a", f"{OUT}/notebooks/02/a.ipynb"),
    (change_a_table, "evaluation", f"{OUT}/evaluation/metrics.csv"),
]


@pytest.mark.parametrize(("edit", "stage", "name"), EDITS, ids=lambda value: getattr(value, "__name__", ""))
def test_what_was_edited_is_named_and_nothing_else(world, edit, stage, name):
    edit(world)
    rows = found(world)
    assert told(rows) == {stage: EDITED}
    assert name in rows[stage].why
    assert STATUS[worst(rows.values())] == 7


def test_an_edited_file_of_the_same_size_and_time_is_found(world):
    path = world.out / "evaluation/metrics.csv"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"0.7", b"0.8"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert told(found(world)) == {"evaluation": EDITED}


def test_an_edited_table_is_shown_with_the_numbers_that_moved(world):
    change_a_table(world)
    text = " ".join(found(world)["evaluation"].why)
    assert "3 of 6 numbers moved, at most by 0.4 (a value: 0.5 → 0.9), 1 outside the reference's interval" in text


@pytest.mark.parametrize(
    ("stage", "kind", "path"),
    [
        ("evaluation", "outs", "evaluation/metrics.csv"),
        ("finetuning@a", "outs", "weights/a"),
        ("feature_extraction@a", "deps", "weights/a"),
    ],
)
def test_a_hash_that_was_edited_in_the_lock_is_told_from_a_file_that_was(world, stage, kind, path):
    world.edit_lock(stage, kind, path)
    rows = found(world)
    assert told(rows) == {stage: EDITED}
    assert rows[stage].why[0].startswith(f"dvc.lock: its hash of {OUT}/{path}")


def test_what_was_deleted_is_named(world):
    (world.out / "features/a.sqlite").unlink()
    rows = found(world)
    assert told(rows) == {"feature_extraction@a": MISSING}
    assert rows["feature_extraction@a"].why == [f"{OUT}/features/a.sqlite"]
    assert STATUS[MISSING] == 6


def test_a_file_deleted_from_a_folder_is_named(world):
    (world.out / "weights/a/card.json").unlink()
    rows = found(world)
    assert told(rows) == {"finetuning@a": MISSING}
    assert rows["finetuning@a"].why == [f"{OUT}/weights/a: card.json"]


def test_a_stage_that_was_not_run_is_missing(world):
    rows = found(world, names=[*STAGES, "feature_extraction@b"])
    assert rows["feature_extraction@b"].verdict == MISSING


def test_another_seed_is_named_and_what_follows_from_it_is_no_fault_of_its_own(world):
    seed = {"finetunes.a": {"seed": 1, "epochs": 3}, "data.name": "sample"}
    change_weights(world)
    change_features(world)
    metrics(world.out / "evaluation/metrics.csv", [0.6, 0.7])
    world.lock(params={"finetuning@a": seed})
    rows = found(world)
    assert told(rows) == dict.fromkeys(["finetuning@a", "feature_extraction@a", "evaluation", "report"], OTHER)
    assert rows["finetuning@a"].why[0] == "finetunes.a.seed 0 → 1"
    assert rows["feature_extraction@a"].why[0] == "follows from finetuning@a, other inputs"
    assert "at most by 0.1 (a value: 0.5 → 0.6)" in rows["evaluation"].why[1]
    assert STATUS[worst(rows.values())] == 3


def test_other_code_is_other_inputs_even_where_the_bytes_are_the_same(world):
    world.lock(code={"build/code/evaluation.json": "1" * 32})
    rows = found(world)
    assert rows["evaluation"].why == ["its code is not the published run's"]
    assert told(rows) == {"evaluation": OTHER, "report": OTHER}


def test_a_stale_notebook_is_named_with_what_follows_from_it(world):
    rows = found(world, today={"feature_extraction@a": ["notebooks/02.ipynb has changed since"]})
    assert told(rows) == dict.fromkeys(["feature_extraction@a", "evaluation", "report"], STALE)
    assert rows["feature_extraction@a"].why == ["notebooks/02.ipynb has changed since"]
    assert STATUS[worst(rows.values())] == 4


@pytest.fixture
def chapter(world, monkeypatch):
    """A stage with a chapter, a module that it imports, and a parameter, as the run was given them."""
    for folder in ("pipeline", "notebooks"):
        (world.place / folder).mkdir()
    (world.place / "pipeline/imported_here.py").write_text("x = 1\n")
    write_chapter(world, "from pipeline import imported_here")
    stage = replace(stages.find("eda"), notebook="02")
    monkeypatch.setattr(stages, "following", lambda: [stage])
    deps = {path: known for path, (known, _) in record._sources(stage).items()}
    given = runs.Entry(deps=deps, params={"data.name": "sample"})
    return replace(runs.of_folder(world.place), stages={"eda": given})


def write_chapter(world, code, **told):
    cells = [nbformat.v4.new_code_cell(code, id="one", **told)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), world.place / "notebooks/02.ipynb")


def save_with_outputs(world):
    write_chapter(world, "from pipeline import imported_here", execution_count=7)


def edit_the_chapter(world):
    write_chapter(world, "from pipeline import imported_here\nprint(1)")


def edit_the_code(world):
    (world.place / "pipeline/imported_here.py").write_text("x = 2\n")


def choose_other_data(world):
    (world.place / "params.yaml").write_text("data: {name: other}\n")


@pytest.mark.parametrize(
    ("change", "told_of"),
    [
        (save_with_outputs, []),
        (edit_the_chapter, ["notebooks/02.ipynb has changed since"]),
        (edit_the_code, ["its code has changed since"]),
        (choose_other_data, ["params.yaml: data.name sample → other since"]),
    ],
)
def test_what_is_not_as_the_run_was_given_it_is_named(world, chapter, change, told_of):
    assert record.today(STUDY_HERE, chapter) == {"eda": []}
    change(world)
    assert record.today(STUDY_HERE, chapter) == {"eda": told_of}


def test_a_stage_that_read_older_features_is_stale(world):
    change_features(world)
    world.lock(only=["feature_extraction@a"])
    rows = found(world)
    assert rows["evaluation"].verdict == STALE
    assert rows["evaluation"].why == [f"{OUT}/features has changed since"]


def last_digits(world, by=1e-6):
    features(world.out / "features/a.sqlite", world.vectors * (1 + by * np.arange(4)))
    metrics(world.out / "evaluation/metrics.csv", [0.5 + by, 0.7])
    world.lock()


THREADS = MACHINE["variables"]
MACHINES = [
    ({"processor": "EPYC"}, "processor Xeon → EPYC"),
    ({"cores": 1}, "cores 2 → 1"),
    ({"variables": {"TF_NUM_INTRAOP_THREADS": "1"}}, "variables/TF_NUM_INTRAOP_THREADS 2 → 1"),
    ({"variables": THREADS | {"OPENBLAS_CORETYPE": "Nehalem"}}, "variables/OPENBLAS_CORETYPE None → Nehalem"),
    ({"variables": THREADS | {"ONEDNN_MAX_CPU_ISA": "SSE41"}}, "variables/ONEDNN_MAX_CPU_ISA None → SSE41"),
]


@pytest.mark.parametrize(("other", "named"), MACHINES, ids=[named for _, named in MACHINES])
def test_last_digits_are_within_the_tolerance_and_the_machine_is_named(world, other, named):
    last_digits(world)
    world.json("machine.json", MACHINE | other)
    rows = found(world)
    assert told(rows) == {"feature_extraction@a": CLOSE, "evaluation": CLOSE}
    assert STATUS[worst(rows.values())] == 0
    said = hardware(runs.of_folder(world.place), runs.published("sample"), list(rows.values()))
    assert said == f"The machines differ, and last digits with them: {named}."


def test_a_difference_on_the_same_machine_is_not_the_hardwares(world):
    last_digits(world)
    rows = found(world)
    said = hardware(runs.of_folder(world.place), runs.published("sample"), list(rows.values()))
    assert "not known to be hardware's" in said
    assert hardware(runs.of_folder(world.place), runs.published("sample"), []) == ""


def test_more_than_last_digits_differs_whatever_the_machine(world):
    last_digits(world, by=0.02)
    world.json("machine.json", MACHINE | {"processor": "EPYC"})
    rows = found(world)
    assert told(rows) == {"feature_extraction@a": DIFFERS, "evaluation": DIFFERS}
    assert STATUS[worst(rows.values())] == 5


@pytest.mark.parametrize(("maker", "verdict"), [("feature_extraction@a", DIFFERS), ("expansion@a", UNJUDGED)])
def test_a_vector_of_an_expansion_may_jump_where_two_neighbours_are_as_near(world, maker, verdict):
    last_digits(world, by=0.001)
    features(world.out / "features/a.sqlite", world.vectors * (1 + 0.02 * np.arange(4)))
    world.lock()
    for lock in (world.place / "dvc.lock", world.place / "reference/sample/dvc.lock"):
        lock.write_text(lock.read_text().replace("feature_extraction@a", maker))
    names = [maker if name == "feature_extraction@a" else name for name in STAGES]
    assert told(found(world, names=names)) == {maker: verdict, "evaluation": CLOSE}


def train_anew(world, metric, by):
    change_weights(world)
    change_features(world)
    world.json("finetuning/a/metrics.json", {"mAP": metric})
    metrics(world.out / "evaluation/metrics.csv", [0.5 + by, 0.7])
    world.lock()


def test_what_was_trained_anew_may_move_further_as_long_as_its_interval_holds_it(world):
    train_anew(world, 0.52, by=0.03)
    rows = found(world)
    assert told(rows) == {"finetuning@a": CLOSE, "feature_extraction@a": UNJUDGED, "evaluation": CLOSE}


@pytest.mark.parametrize(("metric", "by", "stage"), [(0.61, 0.0, "finetuning@a"), (0.5, 0.0501, "evaluation")])
def test_training_explains_no_more_than_was_measured_of_it(world, metric, by, stage):
    train_anew(world, metric, by)
    assert found(world)[stage].verdict == DIFFERS


def test_a_number_outside_its_interval_differs_however_little_it_moved(tmp_path):
    one, other = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_text("what,value,low,high\na,0.5,0.4999,0.5001\n")
    other.write_text("what,value,low,high\na,0.5002,0.4999,0.5003\n")
    assert moved.between("evaluation/x.csv", one, other).within is False


@pytest.mark.parametrize(
    ("was", "now", "trained", "within"),
    [
        ("lite0", "lite1", True, False),
        ("hit@1", "hit@2", True, False),
        ("joint_seed_1", "joint_seed_2", True, False),
        ("4 pictures are right", "5 pictures are right", False, False),
        ("400 pictures are right", "401 pictures are right", True, True),
        ("at .671 of 9", "at .672 of 9", False, True),
    ],
)
def test_what_is_part_of_a_name_is_a_word_and_a_whole_number_a_count(tmp_path, was, now, trained, within):
    one, other = tmp_path / "1.csv", tmp_path / "2.csv"
    for path, text in ((one, was), (other, now)):
        path.write_text(f"what,value\n{text},0.5\n")
    assert moved.between("evaluation/x.csv", one, other, trained).within is within


def test_an_id_is_no_number(tmp_path):
    one, other = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_text("id,value\n15970,0.5\n")
    other.write_text("id,value\n15971,0.5\n")
    assert moved.between("evaluation/x.csv", one, other).within is False


@pytest.mark.parametrize(("low", "within"), [(0.81, True), (0.79, False)])
def test_the_end_of_an_interval_may_be_twice_as_far_as_its_value(tmp_path, low, within):
    one, other = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_text("what,value,low,high\na,1.0,0.999,1.0\n")
    other.write_text(f"what,value,low,high\na,1.0,{low},1.0\n")
    assert moved.between("evaluation/x.csv", one, other, trained=True).within is within


def test_without_a_copy_of_the_published_file_bytes_alone_are_known(world):
    last_digits(world)
    shutil.rmtree(world.place / runs.CACHE)
    rows = found(world)
    assert told(rows) == {"feature_extraction@a": UNJUDGED, "evaluation": UNJUDGED}
    assert rows["evaluation"].why == ["no copy of the published files is here"]


def test_the_table_of_metrics_is_put_together_from_the_parts_that_git_keeps(world):
    (world.place / "reference/sample/metrics").mkdir()
    head, *rows = (world.out / "evaluation/metrics.csv").read_text().splitlines(keepends=True)
    for name, row in zip("ab", rows, strict=True):
        (world.place / f"reference/sample/metrics/{name}.csv").write_text(head + row)
    (world.place / "reference/sample/params.yaml").write_text("data: {name: sample}\nretrievals: {a: {}, b: {}}\n")
    shutil.rmtree(world.place / runs.CACHE)
    metrics(world.out / "evaluation/metrics.csv", [0.9, 0.7])
    world.lock()
    assert "(a value: 0.5 → 0.9)" in found(world)["evaluation"].why[0]


def test_a_copy_in_the_cache_that_is_not_what_its_name_says_is_not_believed(world):
    last_digits(world, by=0.02)
    known = runs.published("sample").outs()[f"{OUT}/evaluation/metrics.csv"]
    (world.place / runs.CACHE / known[:2] / known[2:]).write_bytes((world.out / "evaluation/metrics.csv").read_bytes())
    assert found(world)["evaluation"].verdict == UNJUDGED


def test_a_stage_from_the_cache_is_told_from_one_that_ran_and_an_old_record_is_not_believed(world):
    outs = runs.of_folder(world.place).stages
    made = {
        "ingest": {"how": KEPT, "seconds": None, "outs": outs["ingest"].outs},
        "evaluation": {"how": "ran", "seconds": 1.5, "outs": outs["evaluation"].outs},
        "report": {"how": "ran", "seconds": 1.0, "outs": {f"{OUT}/report": "f" * 32}},
    }
    rows = found(world, made=made)
    assert [rows[name].how for name in ("ingest", "evaluation", "report")] == [KEPT, "ran", UNKNOWN]
    assert rows["evaluation"].seconds == 1.5


def test_the_record_is_kept_with_the_hashes_of_what_the_stages_made(world):
    record.write("sample", {"ingest": {"how": "ran", "seconds": 2.0}, "gone": {"how": "ran", "seconds": 1.0}})
    record.write("sample", {"report": {"how": KEPT, "seconds": None}})
    made = json.loads(paths.made("sample").read_text())
    assert sorted(made) == ["ingest", "report"]
    rows = found(world, made=record.read("sample"))
    assert [rows["ingest"].how, rows["report"].how, rows["evaluation"].how] == ["ran", KEPT, UNKNOWN]


def test_parameters_that_came_or_went_are_named():
    assert parameters({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3], "c": None}) == ["b.1 2 → 3", "c absent → None"]


def test_a_lock_that_is_none_is_refused_and_nothing_published_is_said(world):
    with pytest.raises(runs.RunError, match="nothing was published of 'fashion'.*Known: .'sample'"):
        runs.published("fashion")
    (world.place / "dvc.lock").write_text("stages: [")
    with pytest.raises(runs.RunError, match="dvc.lock cannot be read"):
        runs.of_folder(world.place)


def test_what_dvc_ignores_is_no_part_of_a_folder(world):
    known = runs.hash_of(world.out / "weights/a")
    (world.place / ".dvcignore").write_text("/outputs/**/.gitignore\n/outputs/*/weights/*/trial\n")
    for name in (".gitignore", "trial"):
        (world.out / "weights/a" / name).write_text("x")
    assert runs.hash_of(world.out / "weights/a") == known


class TestNumbers:
    def test_numbers_in_words_are_held_against_each_other_and_one_in_the_last_place_is_rounding(self, tmp_path):
        one, other = tmp_path / "1.json", tmp_path / "2.json"
        one.write_text('{"evidence": "mAP .671 of 8,917 pictures"}')
        other.write_text('{"evidence": "mAP .672 of 8,917 pictures"}')
        assert moved.between("evaluation/x.json", one, other).within is True
        other.write_text('{"evidence": "mAP .676 of 8,917 pictures"}')
        assert moved.between("evaluation/x.json", one, other).within is False
        other.write_text('{"evidence": "hit .671 of 8,917 pictures"}')
        assert moved.between("evaluation/x.json", one, other).words == 1

    def test_a_value_that_became_none_moved_without_bound(self, tmp_path):
        one, other = tmp_path / "1.csv", tmp_path / "2.csv"
        one.write_text("what,value\na,1\nb,2\n")
        other.write_text("what,value\na,1\nb,\n")
        assert moved.between("evaluation/x.csv", one, other).largest == np.inf

    def test_the_largest_of_several_is_told_with_its_place(self, tmp_path):
        one, other = tmp_path / "1.csv", tmp_path / "2.csv"
        one.write_text("what,value\na,0.1\nb,0.2\nc,0.3\n")
        other.write_text("what,value\na,0.2\nb,0.6\nc,0.3\n")
        found = moved.between("evaluation/x.csv", one, other)
        assert (found.numbers, found.of, found.where) == (2, 3, "b value: 0.2 → 0.6")
        assert found.largest == pytest.approx(0.4)

    def test_rows_that_are_others_are_no_moved_numbers(self, tmp_path):
        one, other = tmp_path / "1.csv", tmp_path / "2.csv"
        one.write_text("what,value\na,1\n")
        other.write_text("what,value\na,1\nb,2\n")
        assert moved.between("evaluation/x.csv", one, other).within is False

    def test_a_file_much_larger_than_the_references_is_not_read(self, tmp_path):
        one, other = tmp_path / "1.csv", tmp_path / "2.csv"
        one.write_text("what,value\na,1\n")
        other.write_text("what,value\na,1\n" + "\n" * 2 * moved.SPARE)
        assert moved.between("evaluation/x.csv", one, other).within is False

    def test_an_array_of_another_shape_is_told(self, tmp_path):
        for name, size in (("1.h5", 3), ("2.h5", 4)):
            with h5py.File(tmp_path / name, "w") as store:
                store["kernel"] = np.ones(size)
        assert moved.between("weights/x.h5", tmp_path / "1.h5", tmp_path / "2.h5").words == 1

    def test_hashes_of_features_that_are_mapped_say_nothing_of_their_numbers(self, tmp_path, monkeypatch):
        monkeypatch.setattr(store, "LARGE", 0)
        meta, numbers = {"encoder_id": "e:1", "dimension": "3", "encoder": "e"}, np.ones((4, 3), np.float32)
        for place, vectors in (("was", numbers), ("now", np.nextafter(numbers, 2, dtype=np.float32))):
            store.write(tmp_path / place / "e.sqlite", meta, 4, [(list("abcd"), vectors)])
        for name in ("vectors.npy", "ids.jsonl", "manifest.json"):
            was, now = (tmp_path / place / "e.sqlite" / name for place in ("was", "now"))
            assert moved.between(f"outputs/x/features/e.sqlite/{name}", was, now).within is None

    def test_a_file_that_is_none_of_its_kind_is_no_match(self, tmp_path):
        one, other = tmp_path / "1.sqlite", tmp_path / "2.sqlite"
        features(one, np.eye(3))
        other.write_bytes(b"no database")
        assert moved.between("features/x.sqlite", one, other).within is False


def test_verify_loads_no_tensorflow_and_no_pandas_where_nothing_differs():
    heavy = {"tensorflow", "keras", "pandas", "dvc"}
    code = f"import sys, pipeline.checking.commands; print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True)
    assert said.stdout.strip() == "[]", said.stderr


STUDY = """
import os, pathlib, resource, sys, time
assert sys.argv[1:] == ["repro", "--jobs", "1"] and not pathlib.Path("untracked").exists()
given = pathlib.Path("params.yaml").read_text()
time.sleep(60 if given == "slow" else 0)
pathlib.Path("made").write_text(f"{given} {resource.getrlimit(resource.RLIMIT_FSIZE)[0]}")
sys.exit(given == "wrong")
"""


@pytest.fixture
def cloned(tmp_path, monkeypatch):
    """A project with one commit whose study writes what it was given, and a function that makes its parameters."""
    place = tmp_path / "project"
    (place / "pipeline").mkdir(parents=True)
    (place / "pipeline/__init__.py").write_text("")
    (place / "pipeline/run.py").write_text(STUDY)
    (place / "params.yaml").write_text("committed")
    clones.git(place, "init", "-q", "-b", "main")
    clones.git(place, "add", ".")
    clones.git(place, "commit", "-q", "-m", "a study")
    (place / "untracked").write_text("")
    (place / "params.yaml").write_text("mine")
    monkeypatch.setattr(paths, "ROOT", place)
    monkeypatch.setattr(paths, "PARAMS", place / "params.yaml")
    return place


def test_from_scratch_runs_what_is_committed_with_the_parameters_given_and_leaves_nothing(cloned):
    with scratch.rerun(1, cloned / "params.yaml") as place:
        assert (place / "made").read_text().split()[0] == "mine"
    assert not place.exists() and not (cloned / "made").exists()
    (cloned / "pipeline/run.py").write_text("")
    assert scratch.left_out() == ["pipeline/run.py", "untracked"]


def test_from_scratch_finds_the_files_that_the_parameters_name_and_git_does_not_keep(cloned, tmp_path):
    (tmp_path / "outside").write_text("")
    (cloned / "data").mkdir()
    (cloned / "data/archive.zip").write_text("pictures")
    (cloned / "own.h5").write_text("weights")
    weights = "{one: {source: file, path: own.h5}, two: {path: ../outside}, three: {path: gone}, four: {source: lite}}"
    (cloned / "params.yaml").write_text(f"data: {{path: data/archive.zip}}\nweights: {weights}\n")
    with scratch.rerun(1, cloned / "params.yaml") as place:
        assert (place / "data/archive.zip").read_text() == "pictures"
        assert (place / "own.h5").read_text() == "weights"
        assert not (place.parent / "outside").exists() and not (place / "gone").exists()
    assert (cloned / "data/archive.zip").read_text() == "pictures"


def test_from_scratch_that_fails_says_so(cloned):
    (cloned / "params.yaml").write_text("wrong")
    with pytest.raises(runs.RunError, match="did not run to its end"), scratch.rerun(1, cloned / "params.yaml"):
        pass


def test_a_run_with_limits_has_a_bound_of_its_files_and_is_stopped(cloned):
    with scratch.rerun(1, cloned / "params.yaml", 30) as place:
        assert int((place / "made").read_text().split()[1]) == scratch.FILE
    (cloned / "params.yaml").write_text("slow")
    stopped = pytest.raises(runs.RunError, match="stopped in the clone after 0.5 seconds")
    with stopped, scratch.rerun(1, cloned / "params.yaml", 0.5):
        pass


def test_from_scratch_without_git_says_so(world, tmp_path):
    with (
        pytest.raises(runs.RunError, match="--from-scratch clones this repository"),
        scratch.rerun(1, world.place / "params.yaml"),
    ):
        pass
