"""README and docs/ as pages: built without a warning, every link leads somewhere, and none asks another host."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from pipeline import paths
from pipeline.report import docs

pytest.importorskip("sphinx", reason="the pages need: pip install -e .[docs]")
pytest.importorskip("furo")
BUILD = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", "."]
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}


class Links(HTMLParser):
    """What a page links to, what it loads, and the names that its parts are linked by."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.names = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for key, value in attributes:
            if key == "id":
                self.names.add(value)
            if (tag, key) == ("a", "href"):
                self.links.append(value)
            if (tag, key) in LOADED:
                self.loaded.append(value)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A copy of what the pages are made from, with a report of two pages."""
    copy = tmp_path_factory.mktemp("docs")
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "pyproject.toml"):
        shutil.copyfile(paths.ROOT / name, copy / name)
    for folder in ("docs", "notebooks", "reference"):
        shutil.copytree(paths.ROOT / folder, copy / folder)
    (copy / "docs/published").mkdir(exist_ok=True)
    (copy / "outputs/sample/report").mkdir(parents=True)
    for name in ("docs/published/index", *(f"outputs/sample/report/{page}" for page in ("index", "05_evaluation"))):
        (copy / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>", encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def built(place):
    done = subprocess.run([*BUILD, "build/pages"], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return place / "build/pages"


@pytest.fixture(scope="module")
def parsed(built):
    pages = [path for path in built.rglob("*.html") if not path.is_relative_to(built / "outputs")]
    return {path: Links(path.read_text(encoding="utf-8")) for path in pages}


def test_every_page_is_there_and_is_found_from_every_other(built, parsed):
    names = [page.relative_to(paths.ROOT).with_suffix(".html").as_posix() for page in docs.pages()]
    names += ["CONTRIBUTING.html", "CHANGELOG.html"]
    start = parsed[built / "README.html"]
    assert {(built / name) for name in names} <= parsed.keys()
    assert {"#" if name == "README.html" else name for name in names} <= set(start.links)
    assert 'url=README.html"' in (built / "index.html").read_text(encoding="utf-8")


def test_every_link_leads_to_a_file_and_to_a_part_of_it(built, parsed):
    for page, found in parsed.items():
        for link in found.links:
            target = urlsplit(link)
            file = (page.parent / unquote(target.path)).resolve() if target.path else page
            if not target.scheme and file.is_relative_to(built):
                assert file.exists(), f"{page.name}: {link}"
                if target.fragment and file in parsed and target.fragment != "top":
                    assert unquote(target.fragment) in parsed[file].names, f"{page.name}: {link}"
            assert target.scheme or file.is_relative_to(built), f"{page.name}: {link}"


def test_nothing_is_loaded_from_another_host(built, parsed):
    for page, found in parsed.items():
        assert [one for one in found.loaded if urlsplit(one).scheme not in ("", "data")] == [], page.name
        assert not any(one.startswith("//") for one in found.loaded), page.name
    for style in built.rglob("*.css"):
        assert not re.findall(r"@import|url\(['\"]?(?:https?:)?//", style.read_text(encoding="utf-8")), style.name


def test_a_chapter_leads_to_its_page_in_the_report_and_a_page_that_is_whole_is_linked_as_it_is(built, parsed):
    links = parsed[built / "README.html"].links
    assert "outputs/sample/report/05_evaluation.html" in links
    assert links.count("outputs/sample/report/index.html") > 1  # also of chapters that run once for each encoder
    assert "docs/published/index.html" in links and (built / "docs/published/index.html").exists()
    assert "../outputs/sample/report/05_evaluation.html" in parsed[built / "docs/claims.html"].links
    assert not list((built / "_downloads").glob("*/*.ipynb"))


def test_tables_and_code_are_no_text(built):
    for page in built.rglob("*.html"):
        if not page.is_relative_to(built / "outputs") and not page.is_relative_to(built / "docs/published"):
            text = re.sub(r"<pre.*?</pre>|<code.*?</code>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
            assert not re.search(r"<p>[^<]*\| ?---|<p>```|\*\*\w", text), page.name


def test_a_link_that_leads_nowhere_stops_the_build(place, built):
    page = place / "docs/glossary.md"
    before = page.read_text(encoding="utf-8")
    for wrong in ("[x](nowhere.md)", "[x](results.md#nowhere)"):
        page.write_text(f"{before}\n{wrong}\n", encoding="utf-8")
        done = subprocess.run([*BUILD, "build/wrong"], cwd=place, capture_output=True, text=True)
        assert done.returncode == 1 and "glossary.md" in done.stderr, wrong
    page.write_text(before, encoding="utf-8")


def test_they_are_searched_without_a_server(built, browser):
    asked = []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto((built / "index.html").as_uri())
    page.wait_for_url("**/README.html")
    page.fill("input[name=q]", "bootstrap")
    page.press("input[name=q]", "Enter")
    page.get_by_role("link", name="Glossary").last.wait_for()
    page.locator("#search-results li a", has_text="Glossary").wait_for()
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)
    page.close()
