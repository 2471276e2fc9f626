"""Every kind of page in a browser, light and dark, phone and desktop: nothing logged, nobody asked, nothing that
axe-core calls serious; what a page's filter and print do."""

import base64
import io

import nbformat
import pandas as pd
import pytest
from browsers import faults, opened
from PIL import Image

from pipeline import params
from pipeline.checking import commands, compare, grade, overview, receipt, runs
from pipeline.checking.verify import verify
from pipeline.claims.summary import VERDICTS
from pipeline.report import html, pages, publication, publish, published

PUBLISHED = published.place()
LOOKS = [(390, "dark"), (1280, "light")]
BROKEN = (
    '<html lang="en"><title>t</title><main><h1>t</h1><img src="data:,"><p style="color:#ccc">pale</p></main></html>'
)


def png():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def chapter(place):
    """A page of a chapter: formulas, code, parameters, a picture, a wide table, lines of text."""
    notebook = nbformat.v4.new_notebook()
    table = pd.DataFrame([["a number of words that is long"] * 12] * 3).to_html()
    outputs = [
        nbformat.v4.new_output("execute_result", data={"text/html": table, "text/plain": ""}, execution_count=1),
        nbformat.v4.new_output("display_data", data={"image/png": png(), "text/plain": ""}),
        nbformat.v4.new_output("stream", name="stdout", text="words " * 80),
    ]
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# A chapter\n\n**Question.** What?\n\n$$a = \\frac{b}{c}$$\n\nLook at `it`."),
        nbformat.v4.new_code_cell("data = 1  # words", metadata={"tags": ["injected-parameters"]}, execution_count=1),
        nbformat.v4.new_code_cell("print(1)", id="shown", outputs=outputs, execution_count=2),
    ]
    nbformat.write(notebook, place / "chapter.ipynb")
    return pages.page_of(place / "chapter.ipynb")


def index():
    """The report's index, of the sample's published numbers."""
    run = publication.of("sample")
    rows = run.verdicts.assign(href="").to_dict("records")
    return html.page(
        "index.html.j2",
        script=True,
        title="Fashion retrieval study: this run",
        data=params.load().data,
        ingest=run.ingest,
        pictures="650",
        queries="134",
        findings=pages.findings(run.ingest),
        chapters=[{"title": "1", "question": "What?", "pages": [{"item": None, "href": "01_eda.html"}]}],
        params_text="data:",
        params_digest="0",
        not_run={"one": "why"},
        verdict_names=VERDICTS,
        said=len(rows),
        documents=["000", "001"],
        verdicts=rows,
        verdict_counts=[["001", 1, 2, 3, 4, 5, 6, 7]],
        results=published.summed(run)["best"],
        sources=[("05_evaluation.ipynb", "0")],
        versions=[("numpy", "2")],
    )


def checked(world):
    """The pages of verify, compare and grade, and the one that a run ends with."""
    reference, here = runs.published("sample"), runs.of_folder(world.place)
    rows = verify(here, reference, ["ingest", "evaluation"], {}, {})
    section = commands.section(receipt.make(here, reference, rows, "sample", 1.0), reference)
    found = compare.compare(here, reference)
    finding = grade.Finding("metric a", grade.WRONG, 0.0, 1.0, "0.5; 0.4 was expected", text="words", picture=png())
    return {
        "verified": commands.page("verified.html.j2", title="The same result?", **section),
        "compared": commands.page("compared.html.j2", title="a → b", found=found, rows=compare.rows(found)),
        "graded": commands.page(
            "graded.html.j2", title="One", graded=grade.Graded("one", findings=[finding], flags=["look"])
        ),
        "overview": overview.write("sample", section).read_text(encoding="utf-8"),
    }


def look(browser, path):
    for width, scheme in LOOKS:
        with opened(browser, path, width, scheme) as page:
            assert faults(page) == [], (path.name, width, scheme)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path.name, width)


def test_what_cannot_be_seen_is_found(browser, tmp_path):
    """Else the tests below would pass without axe."""
    (tmp_path / "broken.html").write_text(BROKEN)
    with opened(browser, tmp_path / "broken.html", 390, "light") as page:
        assert [fault.partition(":")[0] for fault in faults(page)] == ["color-contrast", "image-alt"]


@pytest.mark.parametrize("name", ["index", *publish.published_names()])
def test_the_published_pages_can_be_seen_and_reached(browser, name):
    look(browser, PUBLISHED / f"{name}.html")


def test_the_pages_of_a_run_can_be_seen_and_reached(browser, world, tmp_path, monkeypatch):
    made = checked(world)
    monkeypatch.undo()
    made |= {"chapter": chapter(tmp_path), "index": index()}
    for name, text in made.items():
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
        look(browser, tmp_path / f"{name}.html")


def test_verdicts_are_filtered_and_searched_with_the_keyboard(browser):
    verdicts = publication.of(publication.STUDY).verdicts
    wanted = verdicts[(verdicts["verdict"] == "contradicted") & (verdicts["document"] == "001")]
    with opened(browser, PUBLISHED / f"{publication.STUDY}.html", 390, "light") as page:
        rows = page.locator("#claims tbody tr:visible")
        assert rows.count() == len(verdicts)
        page.locator("select[name=verdict]").select_option("contradicted")
        page.locator("select[name=document]").select_option("001")
        assert rows.count() == len(wanted)
        assert page.locator("output").inner_text() == f"{len(wanted)} of {len(verdicts)} shown"
        page.locator("input[name=words]").focus()
        page.keyboard.type("PADDING")
        assert 0 < rows.count() < len(wanted)
        assert all("padding" in text.lower() for text in rows.all_inner_texts())


def test_a_printed_page_has_every_verdict_and_no_form(browser):
    with opened(browser, PUBLISHED / "sample.html", 1280, "dark") as page:
        page.emulate_media(media="print")
        assert not page.locator("form.filter").is_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("#claims tbody tr:visible").count() == len(publication.of("sample").verdicts)
