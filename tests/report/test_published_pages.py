"""The published runs' pages: what the command gives, each verdict at its figure, each figure at its cell."""

import re
import time
from collections import Counter
from html import unescape

import nbformat
import pandas as pd
import pytest

from pipeline import paths
from pipeline.claims import summary
from pipeline.figures import study_plots, svg
from pipeline.report import drawings, html, publication, publish, published

NAMES = publish.published_names()
TEXTS = {name: (published.place() / f"{name}.html").read_text(encoding="utf-8") for name in NAMES}


def ids(text):
    return re.findall(r' id="([^"]+)"', text)


def figures(text):
    return re.findall(r'<figure id="([^"]+)">(.*?)</figure>', text, re.DOTALL)


def test_the_pages_are_what_the_command_gives():
    """It draws them all: seconds of work, and every publication's page is one that opens at once."""
    began, texts = time.process_time(), published.texts()
    assert time.process_time() - began < 30
    for path, text in texts.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: write them anew: python -m pipeline.run docs"


def test_every_publication_has_a_page_and_none_is_left_over():
    assert {path.name for path in published.place().glob("*")} == {"index.html", *(f"{name}.html" for name in NAMES)}
    index = (published.place() / "index.html").read_text(encoding="utf-8")
    assert {f"{name}.html" for name in NAMES} <= set(re.findall(r'href="([^"]+)"', index))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_small_has_no_photo_and_asks_nobody(name):
    text = TEXTS[name]
    assert len(text.encode()) < published.LARGEST
    assert not re.search(r"<(?:img|iframe|object|link|image)\b", text)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', text)
    assert f"script-src 'sha256-{html.digest(html.SCRIPT)}'" in unescape(text)
    assert f"<script>{html.SCRIPT}</script>" in text


@pytest.mark.parametrize("name", NAMES)
def test_every_name_in_a_page_is_one_things_and_every_link_within_it_leads_there(name):
    counted = Counter(ids(TEXTS[name]))
    assert [one for one, times in counted.items() if times > 1] == []
    assert set(re.findall(r'href="#([^"]+)"', TEXTS[name])) <= counted.keys()
    assert set(re.findall(r"url\(#([^)]+)\)", TEXTS[name])) <= counted.keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_verdict_that_rests_on_a_cell_is_linked_to_its_figure(name):
    run = publication.of(name)
    for row in run.verdicts.itertuples():
        (shown,) = re.findall(rf'<tr id="{re.escape(row.claim)}".*?</tr>', TEXTS[name], re.DOTALL)
        assert (f'href="#{published.anchor(row.see)}"' in shown) == bool(row.see), row.claim


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_names_a_cell_that_exists_and_files_that_are_published(name):
    found = figures(TEXTS[name])
    assert len(found) > 20
    for anchor, text in found:
        cell, chapter = re.search(
            r'Cell <code>([^<]+)</code> of <a href="../../notebooks/(\w+)\.ipynb">', text
        ).groups()
        notebook = nbformat.read(paths.source_notebook(chapter), as_version=4)
        if chapter.startswith("05_"):  # a system's cell may be one of a later day than the publication's
            assert cell in {one.id for one in notebook.cells}, anchor
        for file in re.findall(r'href="../../(reference/[^"]+)"', text):
            assert (paths.ROOT / file).exists() or drawings.NOT_THERE in text, file


def test_the_study_of_the_real_pictures_has_its_figures_drawn():
    drawn = [anchor for anchor, text in figures(TEXTS[publication.STUDY]) if "<svg" in text]
    assert {"05_evaluation-grid", "05_evaluation-preparation", "04_hybrid-s002-own"} <= set(drawn)
    assert len(drawn) >= 20


def test_a_tables_measured_number_is_the_published_one():
    run = publication.of(publication.STUDY)
    key = "mobilenet_v2_stretch-cosine/thesis/1000/articleType/hit@1"
    assert published._measured(run, key) == f"{run.values[key]:.3f}" == "1.000"
    assert published._measured(run, "") == published._measured(run, "two keys") == ""


def test_a_figure_is_the_same_text_each_time_and_two_share_no_name():
    table = pd.DataFrame(1, index=["000", "001"], columns=summary.VERDICTS)
    made = [svg.inline(study_plots.verdicts(table, "t"), name, "said < aloud") for name in ("one", "one", "two")]
    assert made[0] == made[1]
    assert not set(ids(made[0])) & set(ids(made[2]))
    assert 'role="img" aria-label="said &lt; aloud"' in made[0]
    assert ">000</text>" in made[0]
    assert not re.search(r"\d\.\d{3}", re.sub(r"<style.*?</style>", "", made[0], flags=re.DOTALL))


def test_a_page_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(published, "LARGEST", 10)
    monkeypatch.setattr(published, "page", lambda run: "x" * 10)
    with pytest.raises(ValueError, match="has 10 bytes; a page has fewer than 10"):
        published.texts()


def test_where_nothing_is_drawn_of_a_cell_the_numbers_that_claims_rest_on_are_shown(tmp_path):
    run = publication.Published("a_run", tmp_path)
    verdicts = pd.DataFrame(
        {"see": ["05_x#a", "05_x#a", "05_x#b"], "keys": ["space/a/k 2/batch p50 ms", "", "space/c"]}
    )
    run.__dict__.update(verdicts=verdicts, values={"space/a/k": 1.0, "2/batch p50 ms": 2.0, "space/a": 3.0})
    there, none = (drawings._asked(run, see) for see in ("05_x#a", "05_x#b"))
    assert there.made.to_numpy().tolist() == [["space/a/k", 1.0], ["2/batch p50 ms", 2.0]]
    assert there.files == ["measurements.csv"]
    assert (none.made, none.files) == (drawings.NOT_THERE, [])
