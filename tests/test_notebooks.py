"""The notebooks' contract, papermill called by hand, and what makes executed copies stable."""

import ast
import subprocess
import sys
from collections import Counter

import nbformat
import papermill
import pytest
from clones import compose

from pipeline import notebooks, params, paths, stages

SOURCES = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))
SITE = "06_site"  # a chapter without a stage: a site is used, not reproduced
CHAPTERS = {stage.notebook: stage for stage in stages.chapters()}
NOISE = r"0x[0-9a-f]{8,}|\d+ms/step|/home/|/tmp/|C:\\\\|\d+it/s|WARNING|Warning"


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def test_every_chapter_has_its_stage():
    assert [path.stem for path in SOURCES] == sorted([*CHAPTERS, SITE])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
class TestContract:
    def test_sources_hold_no_outputs_and_stable_ids(self, path):
        notebook = nbformat.read(path, as_version=4)
        assert notebook.nbformat_minor >= 5
        assert all(not cell.outputs and cell.execution_count is None for cell in cells(path, "code"))
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)

    def test_it_opens_with_its_question_and_what_goes_in_and_out(self, path):
        first = cells(path, "markdown")[0].source
        assert first.startswith("# ")
        for word in ("**Question.**", "| reads |", "| writes |", "| takes |", "| thesis |", "| you learn |"):
            assert word in first

    def test_it_ends_with_what_to_keep_and_things_to_try(self, path):
        headings = [cell.source.splitlines()[0] for cell in cells(path, "markdown")]
        assert headings[-3:] == ["## What to keep", "## To try", "## What must hold"]


@pytest.mark.parametrize("path", [path for path in SOURCES if path.stem != SITE], ids=lambda path: path.stem)
def test_its_parameters_are_literals_that_its_section_accepts(path, tmp_path):
    given = papermill.inspect_notebook(str(path))
    stage = CHAPTERS[path.stem]
    suites = ["offline", *sorted(suite.stem for suite in (paths.SUITES / "suite").glob("*.yaml"))]
    studies = (params.load(compose(tmp_path / "params.yaml", f"suite={suite}")) for suite in suites)
    study = next(study for study in studies if not stage.each or stages.items_of(study, stage))  # one that runs it
    item = stages.items_of(study, stage)[0] if stage.each else None
    assert set(given) == set(stages.parameters(study, stage, item))


def test_chapter_5_opened_by_hand_names_nothing_that_the_samples_run_has_not_made(tmp_path):
    study = params.load(compose(tmp_path / "params.yaml", "suite=quick"))
    chapter = paths.ROOT / "notebooks/05_evaluation.ipynb"
    made = stages.parameters(study, stages.find("evaluation"), None)
    given = {name: ast.literal_eval(told["default"]) for name, told in papermill.inspect_notebook(str(chapter)).items()}
    for name in (
        "retrievals",
        "weights",
        "preprocessing",
        "posteriors",
        "concatenations",
        "expansions",
        "spaces",
        "chapters",
    ):
        assert set(given[name]) <= set(made[name]), name


def test_what_chapter_5_writes_was_given_its_name_in_one_cell():
    """Class sizes were once published as the listings' table, whose name a later cell had taken."""
    code = cells(paths.ROOT / "notebooks/05_evaluation.ipynb", "code")
    (writing,) = [cell for cell in code if cell.id == "writing"]
    trees = {cell.id: ast.walk(ast.parse(cell.source)) for cell in code}
    named = {
        (node.id, cell, type(node.ctx)) for cell, tree in trees.items() for node in tree if isinstance(node, ast.Name)
    }
    own = {name for name, cell, used in named if cell == writing.id and used is ast.Store}
    asked = {name for name, cell, used in named if cell == writing.id} - own
    given = Counter(name for name, cell, used in named if cell != writing.id and used is ast.Store)
    assert {name: given[name] for name in asked if given[name] > 1} == {}
    assert asked & set(given) >= {"listed", "pairs", "by_class"}


def test_an_unknown_parameter_is_refused_before_the_kernel_starts(tmp_path):
    with pytest.raises(notebooks.NotebookError, match=r"has no parameter \['tops'\]"):
        notebooks.execute(SOURCES[0], tmp_path / "out.ipynb", {"data": "sample", "top": 3, "tops": 4})


def test_a_missing_parameter_is_refused(tmp_path):
    with pytest.raises(notebooks.NotebookError, match=r"\['top'\]"):
        notebooks.execute(SOURCES[0], tmp_path / "out.ipynb", {"data": "sample"})


def papermill_by_hand(tmp_path, *arguments):
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(SOURCES[0]),
        str(tmp_path / "out.ipynb"),
        "--no-progress-bar",
        *arguments,
    ]
    return subprocess.run(command, cwd=paths.ROOT / "notebooks", capture_output=True, text=True)


def test_papermill_called_by_hand_fails_on_an_unknown_parameter(tmp_path):
    result = papermill_by_hand(tmp_path, "-p", "tops", "3")
    assert result.returncode != 0
    assert "unknown key 'tops'" in result.stderr
    assert "Did you mean 'top'?" in result.stderr


def test_papermill_called_by_hand_fails_on_a_bad_value(tmp_path):
    result = papermill_by_hand(tmp_path, "-p", "top", "ten")
    assert result.returncode != 0
    assert "top: Input should be a valid integer" in result.stderr


def test_normalise_removes_what_differs_between_two_runs():
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1", metadata={"tags": ["injected-parameters"]})]
    )
    notebook.cells[0].outputs = [
        nbformat.v4.new_output(
            "stream", name="stderr", text="I0000 00:00:1795232692.616814 4220 cudart_stub.cc:31] no cuda\n"
        ),
        nbformat.v4.new_output(
            "stream", name="stderr", text="INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
        ),
        nbformat.v4.new_output("stream", name="stdout", text=f"{paths.ROOT}/outputs and {sys.prefix}/lib\n"),
    ]
    notebook.cells[0].metadata["execution"] = {"iopub.execute_input": "2026"}
    notebook.metadata["papermill"] = {"start_time": "2026", "duration": 3}
    stable = notebooks.normalise(notebook, {"top": 3})
    assert stable.metadata["papermill"] == {"parameters": {"top": 3}}
    assert stable.cells[0].id == "injected-parameters"
    assert stable.cells[0].metadata == {"tags": ["injected-parameters"]}
    assert [output.text for output in stable.cells[0].outputs] == ["outputs and <environment>/lib\n"]


def test_clean_removes_outputs_and_keeps_the_source(tmp_path):
    notebook = nbformat.read(SOURCES[0], as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="seen")]
    notebook.cells[1].execution_count = 7
    notebook.metadata["language_info"] = {"name": "python", "version": "3.11.99"}
    nbformat.write(notebook, tmp_path / "saved.ipynb")
    notebooks.clean(SOURCES[0], tmp_path / "first.ipynb")
    notebooks.clean(tmp_path / "saved.ipynb", tmp_path / "second.ipynb")
    assert (tmp_path / "first.ipynb").read_bytes() == (tmp_path / "second.ipynb").read_bytes()
