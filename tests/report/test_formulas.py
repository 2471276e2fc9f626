"""Formulas in texts become MathML: nothing of TeX is left, and no page needs a script for them."""

import re

import nbformat
import pytest

from pipeline import paths
from pipeline.report import formulas

TEXTS = {
    path.stem: [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    for path in sorted((paths.ROOT / "notebooks").glob("*.ipynb"))
}


@pytest.mark.parametrize("chapter", TEXTS)
def test_a_chapters_formulas_are_drawn_without_a_network(chapter):
    """A command that the library does not know would stay as it is."""
    for text in TEXTS[chapter]:
        drawn = formulas.html(text)
        assert "$" not in drawn
        assert drawn.count("<math") == drawn.count("</math>") == len(re.findall(r"\$\$?[^$]+\$\$?", text))
        assert not re.search(r"\\[a-z]+", "".join(re.findall(r"<math.*?</math>", drawn, re.DOTALL)))


def test_there_are_formulas_in_the_chapters_that_define_something():
    have = {chapter for chapter, texts in TEXTS.items() if any("$$" in text for text in texts)}
    assert have >= {
        "02_feature_extraction",
        "03_finetuning",
        "04_hybrid",
        "04_knn_retrieval",
        "04_user_photos",
        "05_evaluation",
    }


def test_what_stands_in_code_is_no_formula():
    drawn = formulas.html("`$x$` is code, $a_i$ is not")
    assert drawn.count("<math") == 1
    assert "<code>$x$</code> is code" in drawn
