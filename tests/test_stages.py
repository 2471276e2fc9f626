"""The graph against the code: a stage follows from what it runs and from nothing else, by an independent reading."""

import ast
import dataclasses
import importlib.util
import json
import modulefinder
import sys

import nbformat
import pytest
from clones import ROOT, call, git, make
from ruamel.yaml import YAML

from pipeline import graph, params, paths, stages

COMMITTED = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
CODE = [stage for stage in stages.STAGES if stage.name != "notebooks"]


def name_of(stage):
    return stage.name


def entry_of(stage):
    """A stage as DVC reads it, whether it runs once or once per item."""
    return COMMITTED[stage.name].get("do", COMMITTED[stage.name])


def tracked(stage):
    """The project's files of Python that DVC follows for a stage."""
    return {path for path in entry_of(stage)["deps"] if path.endswith(".py")}


def bytecode_closure(stage, tmp_path):
    """The project's files that a stage's code reaches, as Python's own finder reads them out of the bytecode."""
    start = tmp_path / "start.py"
    if stage.notebook:
        cells = nbformat.read(paths.source_notebook(stage.notebook), as_version=4).cells
        start.write_text("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    else:
        start.write_text(f"import {stage.work.split(':')[0]}")
    finder = modulefinder.ModuleFinder(path=[str(ROOT)])
    for name in graph.PLUMBING:  # what is not followed, nothing is reached through
        finder.modules[name] = module = modulefinder.Module(name, "plumbing")
        if importlib.util.find_spec(name).submodule_search_locations:
            module.__path__ = [str(paths.ROOT.joinpath(*name.split(".")))]
    finder.run_script(str(start))
    files = {module.__file__ for name, module in finder.modules.items() if name.startswith("pipeline.")}
    files -= {None, "plumbing"}
    relative = {file.removeprefix(f"{ROOT}/") for file in files}
    return {file for file in relative if not file.endswith("__init__.py")}


def test_the_committed_graph_is_what_the_table_of_stages_says():
    assert (ROOT / "dvc.yaml").read_text(encoding="utf-8") == graph.text(), "run: python -m pipeline.run graph"


@pytest.mark.parametrize("stage", CODE, ids=name_of)
def test_a_stage_follows_from_every_module_that_it_reaches_and_from_no_other(stage, tmp_path):
    reached = bytecode_closure(stage, tmp_path)
    assert tracked(stage) - reached == set(), "needless"
    assert reached - tracked(stage) == set(), "untracked"
    assert len(reached) > 2


def test_plumbing_names_modules_that_exist_and_tables_of_facts_are_not_among_them():
    assert all(importlib.util.find_spec(name) for name in graph.PLUMBING)
    followed = {f"pipeline.params.{name}" for name in ("backbones", "columns", "networks", "finetuning")}
    assert graph.PLUMBING.isdisjoint(followed)
    assert followed <= {module for stage in CODE for module in graph.code_of(stage)}


def test_a_ranking_follows_from_few_modules_and_the_eda_from_fewer():
    assert len(graph.code_of(stages.find("knn_retrieval"))) <= 16
    assert len(graph.code_of(stages.find("eda"))) <= 6


def test_an_import_of_a_module_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="pipeline.data.catalogue.load is imported, and there is no such module"):
        graph.imported("from pipeline.data.catalogue import load")


def test_imports_inside_functions_and_under_other_names_are_followed():
    source = "def f():\n    from pipeline.data import catalog as c, images\n"
    source += "import pipeline.retrieval.text as t\nimport numpy"
    assert graph.imported(source) == {"pipeline.data.catalog", "pipeline.data.images", "pipeline.retrieval.text"}


@pytest.mark.parametrize("stage", stages.STAGES, ids=name_of)
def test_a_stages_section_and_its_items_are_those_of_the_parameters(stage):
    study = params.load()
    items = stages.items_of(study, stage)
    assert (items is None) == (not stage.each)
    assert bool(stage.notebook) != bool(stage.work)
    if stage.section:
        section = study
        for part in stage.section.split("."):
            section = getattr(section, part)
        assert items is None or items == list(section)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"section": "edaa"}, "stage eda: section names nothing.*Did you mean 'eda'?"),
        ({"work": "pipeline.x:run"}, "stage eda needs a notebook or work, one of the two"),
        ({"notebook": None}, "stage eda needs a notebook or work, one of the two"),
        ({"name": "ingest"}, "'ingest' names two stages"),
        ({"section": "embedding_space.encodrs"}, "section: embedding_space names nothing.*Did you mean 'encoders'?"),
        ({"params": ("knn_retreival",)}, "stage eda: params names nothing.*Did you mean 'knn_retrieval'?"),
        ({"params": ("evaluation.resample",)}, "params: evaluation names nothing.*Did you mean 'resamples'?"),
        ({"section": "finetunes", "each": "${key}", "reads": ((paths.weights, "${item.initt}"),)}, "mean 'init'?"),
        ({"section": "retrievals", "each": "${key}", "params": ("encoders.${item.encodr}",)}, "mean 'encoder'?"),
        ({"params": ("encoders.${item.encoder}",)}, r"Allowed: \[\]. Received: 'encoder'"),
    ],
)
def test_a_row_that_says_what_cannot_be_is_refused(monkeypatch, change, words):
    rows = [dataclasses.replace(row, **change) if row.name == "eda" else row for row in stages.STAGES]
    monkeypatch.setattr(stages, "STAGES", tuple(rows))
    with pytest.raises(ValueError, match=words):
        stages.check()


def test_chapter_5_writes_the_tables_that_the_graph_follows():
    tree = ast.parse(graph.notebook_source(paths.source_notebook("05_evaluation")))
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    tables = next(node.value for node in assigned if ast.unparse(node.targets[0]) == "tables")
    assert {"verdicts", *map(ast.literal_eval, tables.keys)} == set(stages.TABLES)


def test_a_graph_that_was_edited_by_hand_is_refused(monkeypatch, tmp_path):
    graph.check()
    (tmp_path / "dvc.yaml").write_text(graph.text() + "# by hand\n")
    monkeypatch.setattr(paths, "GRAPH", tmp_path / "dvc.yaml")
    with pytest.raises(ValueError, match="python -m pipeline.run graph"):
        graph.check()


def test_every_chapter_has_a_source_and_every_function_exists():
    for stage in stages.STAGES:
        if stage.notebook:
            assert paths.source_notebook(stage.notebook).exists()
        else:
            module, _, function = stage.work.partition(":")
            code = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
            assert f"def {function}(study" in code


# --- what an edit makes stale ---


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A clone in which everything is taken for done: the committed lock is made to fit the clone's files."""
    place = make(tmp_path_factory.mktemp("stale"))
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "as it is")
    call(place, sys.executable, "-m", "pipeline.run", "notebooks")
    return place


def stale(place):
    """The stages whose code DVC finds changed, without their items."""
    status = json.loads(call(place, "dvc", "status", "--json").stdout)
    return {
        name.split("@")[0]
        for name, entries in status.items()
        for entry in entries
        if isinstance(entry, dict)
        for path, what in entry.get("changed deps", {}).items()
        if path.startswith("pipeline/") and what == "modified"
    }


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        # the definition of relevance: everything that reads a label, a new stage too
        ("pipeline/data/catalog.py", {stage.name for stage in CODE if "pipeline.data.catalog" in graph.code_of(stage)}),
        ("pipeline/figures/study_plots.py", {"evaluation"}),
        ("pipeline/retrieval/text.py", {"hybrid"}),
        ("pipeline/training/losses.py", {"finetuning"}),
        ("pipeline/evaluation/statistics.py", {"hybrid", "user_photos", "evaluation"}),
        ("pipeline/evaluation/thresholds.py", {"knn_retrieval", "evaluation"}),
        ("pipeline/figures/curves.py", {"finetuning"}),
        ("pipeline/encoders/torch_file.py", {"weights"}),
        ("pipeline/data/ingest.py", {"ingest"}),
        ("pipeline/paths.py", set()),
    ],
)
def test_an_edit_makes_exactly_the_stages_stale_that_run_it(place, module, expected):
    path = place / module
    before, clean = path.read_text(encoding="utf-8"), stale(place)
    try:
        path.write_text(before + "\n# edited\n", encoding="utf-8")
        now = stale(place) - clean
    finally:
        path.write_text(before, encoding="utf-8")
    ran_here = {name.split("@")[0] for name in YAML(typ="safe").load((place / "dvc.lock").read_text())["stages"]}
    assert now == expected & ran_here
