"""A site over the drawn sample, with small random encoders, answering on a port of this computer."""

import re
import shutil
from pathlib import Path

import children
import httpx
import pytest
from places import once
from servers import answering

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import concatenation, extract, regions
from pipeline.site.guard import Writing
from pipeline.site.service import service
from pipeline.site.site import Site

ENCODERS = {
    "padded": children.ENCODER,
    "stretched": children.ENCODER.model_copy(update={"resize": "stretch", "image_size": 48}),
}
BOTH = params.Concatenation(first="padded", second="stretched", share=0.3)


@pytest.fixture(scope="session")
def study():
    """The project's own parameters with small encoders in the place of its own."""
    retrievals = {"padded-cosine": params.Retrieval(encoder="padded", distance="cosine")}
    changes = {"encoders": ENCODERS, "concatenations": {"both": BOTH}, "retrievals": retrievals}
    return params.load(Path(__file__).parents[2] / "params.yaml").model_copy(update=changes)


@pytest.fixture(scope="session")
def extracted(sample_place, tmp_path_factory, study):
    """A place with the catalogue, all encoders' features, and all networks that a site needs compiled.

    It is copied by the tests, and never changed.
    """

    def make(place):
        shutil.copytree(sample_place / "outputs", place / "outputs")
        children.run(children.make_weights, place)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paths, "ROOT", place)
            patch.setattr(paths, "BUILD", place / "build")
            ids = catalog.load("sample")[catalog.ID].tolist()
            for name, spec in ENCODERS.items():
                extract.extract_features("sample", name, spec, ids, paths.features("sample", name))
                regions.comparing(spec, paths.weights("sample", spec.weights))
            concatenation.concatenate("sample", "both", BOTH)

    return once(tmp_path_factory, "site", make)[0]


@pytest.fixture
def place(extracted, tmp_path, monkeypatch):
    """The code works in a copy of that place: nobody has added anything yet."""
    shutil.copytree(extracted, tmp_path / "place")
    monkeypatch.setattr(paths, "ROOT", tmp_path / "place")
    monkeypatch.setattr(paths, "BUILD", tmp_path / "place" / "build")
    return tmp_path / "place"


@pytest.fixture
def site(place, study):
    """A site that is ready."""
    opened = Site(study)
    opened.start()
    return opened


@pytest.fixture
def address(site):
    """Where a real server answers for the site, which anyone may change."""
    with answering(service(site, ["127.0.0.1"], writing=Writing(on=True))) as there:
        yield there


@pytest.fixture
def client(address):
    with httpx.Client(base_url=address, timeout=60) as opened:
        yield opened


@pytest.fixture
def visit(browser, address):
    """Opens the page in a browser of its own; at its end nothing was logged and nobody else was asked."""
    from playwright.sync_api import expect

    contexts, said, asked = [], [], []

    def opened(path="", at=address, **options):
        contexts.append(browser.new_context(**{"viewport": {"width": 1366, "height": 768}, **options}))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda line: said.append(line.text) if "Content Security" in line.text else None)
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{at}/{path}")
        expect(page.locator("#settings")).to_be_attached(timeout=30_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not said
    assert all(re.match(r"(http://127\.0\.0\.1:\d+/|blob:|data:)", url) for url in asked)
