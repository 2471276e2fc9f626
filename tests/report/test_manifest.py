"""docs/manifest.yaml: every table and figure of the documents is there, with a cell that exists or with a reason."""

import nbformat
import pytest

from pipeline import params, paths
from pipeline.report import docs

MANIFEST = params.read_yaml(docs.DOCS / "manifest.yaml")
ENTRIES = [(document, name, entry) for document, entries in MANIFEST.items() for name, entry in entries.items()]
# of the thesis's lists of tables and figures, by chapter or section: how many there are
THESIS = {"3.1": 1, "3.7": 3, "3.8": 1, "3.9": 1, "3.10": 2, "4.2": 10, "4.3": 9, "5.2": 18, "6": 4}
TABLES = ["4.2.1", "5.2.1", "5.2.2", "6.1.1"]


def test_every_table_and_figure_of_the_thesis_is_listed():
    figures = [f"{section}.{number + 1}" for section, count in THESIS.items() for number in range(count)]
    assert list(MANIFEST["001"]) == [
        *(f"Table {name}" for name in TABLES),
        *(f"Figure {name}" for name in figures),
        *(f"Proposal, figure {number}" for number in (1, 2, 3)),
    ]


def test_every_document_has_its_own():
    assert {document: len(entries) for document, entries in MANIFEST.items()} == {
        "001": 56,
        "000": 12,
        "002": 5,
        "003": 1,
        "004": 6,
    }


@pytest.mark.parametrize(("document", "name", "entry"), ENTRIES, ids=[f"{one} {name}" for one, name, _ in ENTRIES])
def test_it_has_a_cell_that_exists_or_says_why_not(document, name, entry):
    assert set(entry) <= {"title", "cell", "but", "why"}
    assert ("cell" in entry) != ("why" in entry)
    assert "cell" in entry or "but" not in entry
    if "cell" in entry:
        chapter, cell = entry["cell"].split("#")
        notebook = nbformat.read(paths.source_notebook(chapter), as_version=4)
        assert cell in {one.id for one in notebook.cells if one.cell_type == "code"}
