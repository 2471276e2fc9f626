"""README and docs/ as pages that open offline, with the published study and, after a run, the sample's report.

`make docs` builds them; `build/pages/index.html` is the first. Links are those that GitHub shows: nothing in the pages
is written for Sphinx.
"""

import shutil
import tomllib
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import download_reference

ROOT = Path(__file__).parents[1]
PUBLISHED, REPORT = "docs/published", "outputs/sample/report"  # pages that are whole as they are
LINKED = ("notebooks", "reference")  # what the published pages lead to

project = author = "Fashion retrieval study"
release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
copyright = "the authors of the study, MIT licence"

extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = ["build", "outputs", "data", "receipts", ".*", "node_modules"]
myst_heading_anchors = 4  # headings are linked by the names that GitHub gives them
suppress_warnings = ["myst.header"]  # a page may begin with a table's heading

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = html_show_sourcelink = html_use_index = False
html_css_files = ["pages.css"]
html_static_path = ["static"]

# what stands beside every page: a heading, and its pages with the words that they are called by
CONTENTS = {
    "Where to start": {"For a student": "student", "For a reviewer": "reviewer", "For an instructor": "instructor"},
    "What was found": {"Results": "results", "Claims and verdicts": "claims", "The four other systems": "systems"},
    "How to": {
        "Install and run": "running",
        "Data and weights": "data",
        "Train an encoder": "training",
        "Use the site": "site",
        "Past one machine": "scale",
        "Products in a database": "database",
        "Add to the study": "../CONTRIBUTING",
    },
    "To look up": {"Glossary": "glossary", "Design": "design", "What changed": "../CHANGELOG"},
}

WHOLE = {
    f"{PUBLISHED}/index.html": "The published study: verdicts, tables and figures, without photographs",
    f"{REPORT}/index.html": "The report of the sample's run: every chapter as it ran on drawn pictures",
}


def setup(app):
    """Adds the contents, the links to whole pages, and these pages themselves."""
    app.connect("source-read", _with_contents)
    app.connect("doctree-read", _with_whole_pages, 100)  # before files to download are gathered
    app.connect("build-finished", _copied)


def _with_contents(app, name, source):
    if name == root_doc:
        whole = [f"* [{words}]({page})" for page, words in WHOLE.items() if (ROOT / page).exists()]
        source[0] += "\n".join(["", "## Whole pages", "", *whole, ""]) if whole else ""
        for heading, pages in CONTENTS.items():
            lines = [f"{words} <docs/{page}>".replace("docs/../", "") for words, page in pages.items()]
            source[0] += "\n".join(["", "```{toctree}", ":hidden:", f":caption: {heading}", "", *lines, "```", ""])


def _with_whole_pages(app, doctree):
    """A link to a whole page leads to it, and one to a chapter to its page in the report, where there is one."""
    here = app.env.doc2path(app.env.docname, base=False)
    up = "../" * (len(Path(here).parts) - 1)
    for link in list(doctree.findall(download_reference)):
        place = (ROOT / here).parent / link["reftarget"]
        page = _page(place.resolve())
        if page:
            link.replace_self(nodes.reference("", "", *link.children, refuri=up + page))


def _page(place):
    """The whole page that a link's file is shown by, from the top of the pages; None where it is a file to download."""
    if place.suffix == ".html":
        return place.relative_to(ROOT).as_posix()
    if place.suffix == ".ipynb" and (ROOT / REPORT / "index.html").exists():
        page = Path(REPORT) / f"{place.stem}.html"
        return (page if (ROOT / page).exists() else Path(REPORT) / "index.html").as_posix()
    return None


def _copied(app, exception):
    if exception:
        return
    for folder in filter(lambda name: (ROOT / name).exists(), (PUBLISHED, REPORT, *LINKED)):
        shutil.copytree(ROOT / folder, Path(app.outdir) / folder, dirs_exist_ok=True)
    listed = '<!doctype html><meta charset="utf-8"><title>{0}</title><h1>{0}</h1><ul>{1}</ul>'
    for folder in Path(app.outdir).glob("reference/*/metrics"):  # a server lists no folder
        files = "".join(f'<li><a href="{path.name}">{path.name}</a>' for path in sorted(folder.glob("*.csv")))
        (folder / "index.html").write_text(listed.format(f"{folder.parent.name}: metrics", files), encoding="utf-8")
    leads = '<!doctype html><meta charset="utf-8"><title>{0}</title><meta http-equiv="refresh" content="0; url={1}">'
    (Path(app.outdir) / "index.html").write_text(leads.format(project, "README.html"), encoding="utf-8")
