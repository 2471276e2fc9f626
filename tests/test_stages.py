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

from pipeline import graph, params, paths, sources, stages

COMMITTED = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
CODE = stages.following()


def name_of(stage):
    return stage.name


def tracked(stage):
    """The project's files of Python that DVC follows for a stage, by the file of their digests."""
    entry = COMMITTED[stage.name].get("do", COMMITTED[stage.name])
    assert f"build/code/{stage.name}.json" in entry["deps"]
    assert f"build/code/{stage.name}.json" in COMMITTED["sources"]["outs"]
    return set(sources.digests(stage))


def bytecode_closure(stage, tmp_path):
    """The project's files that a stage's code reaches, as Python's own finder reads them out of the bytecode."""
    start = tmp_path / "start.py"
    if stage.notebook:
        cells = nbformat.read(paths.source_notebook(stage.notebook), as_version=4).cells
        start.write_text("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    else:
        start.write_text(f"import {stage.work.split(':')[0]}")
    finder = modulefinder.ModuleFinder(path=[str(ROOT)])
    for name in sources.PLUMBING:  # what is not followed, nothing is reached through
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
    assert all(importlib.util.find_spec(name) for name in sources.PLUMBING)
    followed = {f"pipeline.params.{name}" for name in ("backbones", "columns", "networks", "finetuning")}
    assert sources.PLUMBING.isdisjoint(followed)
    assert followed <= {module for stage in CODE for module in sources.code_of(stage)}


def test_a_ranking_follows_from_few_modules_and_the_eda_from_fewer():
    assert len(sources.code_of(stages.find("knn_retrieval"))) <= 19
    assert len(sources.code_of(stages.find("eda"))) <= 7


def test_an_import_of_a_module_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="pipeline.data.catalogue.load is imported, and there is no such module"):
        sources.imported("from pipeline.data.catalogue import load")


def test_what_is_no_python_or_no_notebook_is_named(tmp_path):
    with pytest.raises(ValueError, match="01_eda.ipynb is no Python: .*'if:'"):
        sources.imported("if:", "01_eda.ipynb")
    (tmp_path / "half.ipynb").write_text('{"cells": [')
    with pytest.raises(ValueError, match="half.ipynb is no notebook"):
        sources.notebook_source(tmp_path / "half.ipynb")


def test_lines_for_ipython_are_no_imports(tmp_path):
    cells = [nbformat.v4.new_code_cell("%matplotlib inline\nfrom pipeline.data import catalog\n!ls")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    assert sources.imported(sources.notebook_source(tmp_path / "a.ipynb")) == {"pipeline.data.catalog"}


def test_imports_inside_functions_and_under_other_names_are_followed():
    source = "def f():\n    from pipeline.data import catalog as c, images\n"
    source += "import pipeline.data.text as t\nimport numpy"
    assert sources.imported(source) == {"pipeline.data.catalog", "pipeline.data.images", "pipeline.data.text"}


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
    tree = ast.parse(sources.notebook_source(paths.source_notebook("05_evaluation")))
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    tables = next(node.value for node in assigned if ast.unparse(node.targets[0]) == "tables")
    assert {"verdicts", *map(ast.literal_eval, tables.keys)} == set(stages.TABLES)


def test_parameters_without_a_section_that_the_graph_runs_are_refused_before_dvc_reads_them(monkeypatch, tmp_path):
    graph.check_sections()
    kept = [line for line in paths.PARAMS.read_text().splitlines() if not line.startswith("bags:")]
    (tmp_path / "params.yaml").write_text("\n".join(kept))
    monkeypatch.setattr(paths, "PARAMS", tmp_path / "params.yaml")
    with pytest.raises(
        params.ParamsError, match=r"lacks the section 'bags'.*Compose it anew, or add the line: bags: \{\}"
    ):
        graph.check_sections()


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


@pytest.fixture
def place(tmp_path):
    """A clone's files."""
    return make(tmp_path)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        # the definition of relevance: everything that reads a label, a new stage too
        ("pipeline/data/catalog.py", {row.name for row in CODE if "pipeline.data.catalog" in sources.code_of(row)}),
        ("pipeline/figures/study_plots.py", {"evaluation", "training_chapter", "verdicts_chapter", "reenactment"}),
        ("pipeline/data/text.py", {"hybrid"}),
        ("pipeline/training/losses.py", {"finetuning"}),
        (
            "pipeline/evaluation/statistics.py",
            {
                *("finetuning", "hybrid", "user_photos", "recommendation", "evaluation", "training_chapter"),
                *("verdicts_chapter", "reenactment"),
            },
        ),
        ("pipeline/evaluation/thresholds.py", {"knn_retrieval", "evaluation", "verdicts_chapter"}),
        ("pipeline/figures/curves.py", {"finetuning"}),
        ("pipeline/encoders/torch_file.py", {"weights"}),
        ("pipeline/data/ingest.py", {"ingest"}),
        ("pipeline/paths.py", set()),
    ],
)
def test_an_edit_changes_exactly_the_digests_of_the_stages_that_run_it(monkeypatch, place, module, expected):
    monkeypatch.setattr(paths, "ROOT", place)
    before = {stage.name: sources.digests(stage) for stage in CODE}
    (place / module).write_text((place / module).read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    assert {stage.name for stage in CODE if sources.digests(stage) != before[stage.name]} == expected


def test_an_edit_makes_those_stages_stale_whose_digests_it_changes_once_the_sources_are_read(place):
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "as it is")
    with (place / "pipeline/training/losses.py").open("a", encoding="utf-8") as code:
        code.write("\n# edited\n")
    assert [path for _, path in changed(place)["sources"]] == ["pipeline/training/losses.py"]
    call(place, sys.executable, "-m", "pipeline.run", "sources")
    ran_here = YAML(typ="safe").load((place / "dvc.lock").read_text())["stages"]
    expected = {name for name in ran_here if name.startswith("finetuning@")}
    found = changed(place)
    assert {name for name in found if any(path.startswith("build/code/") for _, path in found[name])} == expected


def changed(place):
    """What DVC finds changed of what each stage reads: ("modified", path), for every stage."""
    status = json.loads(call(place, "dvc", "status", "--json").stdout)
    return {
        name: {
            (what, path)
            for entry in entries
            if isinstance(entry, dict)
            for path, what in entry.get("changed deps", {}).items()
            if what == "modified"
        }
        for name, entries in status.items()
    }


def test_a_stage_follows_those_that_make_what_it_reads():
    follows = stages.follows()
    assert follows["ingest"] == []
    assert follows["finetuning"] == ["ingest", "weights"]  # and itself, where one starts from another
    assert follows["concatenation"] == ["feature_extraction", "visual_words"]  # and itself
    assert follows["expansion"] == ["ingest", "feature_extraction", "visual_words", "concatenation"]
    assert follows["feature_extraction"] == ["ingest", "weights", "finetuning"]
    assert follows["knn_retrieval"] == ["ingest", "feature_extraction", "visual_words", "concatenation", "expansion"]
    assert {"hybrid", "index_study", "user_photos", "recommendation", "knn_retrieval"} <= set(follows["evaluation"])
