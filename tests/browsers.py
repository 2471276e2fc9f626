"""A page in a browser: what it logs, whom it asks, and what axe-core finds that somebody cannot see or reach."""

from contextlib import contextmanager
from pathlib import Path

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RUN = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .map(one => `${one.id}: ${one.nodes.length} times, first ${one.nodes[0].target} ${one.nodes[0].failureSummary}`)"""


@contextmanager
def opened(browser, path, width, scheme):
    """A file's page; at its end nothing was logged and nobody was asked."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said, asked = [], []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    page.close()
    assert not said, said
    assert all(url.startswith(("file:", "data:")) for url in asked), asked


def faults(page):
    """What axe-core calls serious or critical in a page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(RUN)
