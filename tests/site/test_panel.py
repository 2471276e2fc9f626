"""The student's panel in a real browser, hung into the page as any page hangs it."""

import base64
import csv
import io
import json
import re

import browsers
import pandas as pd
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from pipeline import paths
from pipeline.data import catalog

WIDTHS = [(390, "light"), (768, "dark"), (1366, "light")]
WALKS = [(390, "dark"), (768, "light"), (1366, "dark")]  # the others
HANG = """async ({ query, photo }) => {
  const module = await import("./study.js");
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "study.css" });
  const place = document.createElement("div"), folded = document.createElement("details");
  folded.id = "folded";
  folded.append(Object.assign(document.createElement("summary"), { textContent: "Study" }), place);
  document.head.append(style);
  document.body.replaceChildren(Object.assign(document.createElement("main"), { id: "here" }));
  document.querySelector("main").append(Object.assign(document.createElement("h1"), { textContent: "A page" }), folded);
  window.asked = [];
  window.done = [];
  const call = async (path, options = {}) => {
    window.asked.push(path);
    for (;;) {
      const answer = await fetch(path, options);
      if (answer.status === 503) { await new Promise((soon) => setTimeout(soon, 200)); continue; }
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error);
      return said;
    }
  };
  const noted = (what) => (...given) => window.done.push([what, ...given]);
  const actions = { call, like: noted("like"), cut: noted("cut") };
  window.panel = module.study(place, actions);
  window.panel.opened(await call("api/v1/status"));
  if (photo) query.photo = new Blob([Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0))]);
  window.panel.searched(query);
}"""
DRAWN = """(panel) => {
  const boxes = (what) => [...panel.querySelectorAll(what)].map((one) => one.getBoundingClientRect());
  return { letters: Math.min(...boxes("svg text").map((one) => one.height)),
    height: panel.getBoundingClientRect().height,
    pictures: boxes(".study-row img").map((one) => one.width / one.height) };
}"""
SEVERAL = """async (photo) => {
  const module = await import("./study.js");
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "study.css" });
  document.head.append(style);
  const place = Object.assign(document.createElement("div"), { id: "frame" });
  place.style.cssText = "position: relative; width: 300px; height: 200px";
  document.body.replaceChildren(place);
  const call = async (path, options) => (await fetch(path, options)).json();
  window.done = [];
  const blob = new Blob([Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0))], { type: "image/png" });
  return module.several(place, blob, { call, choose: (box) => window.done.push(box) });
}"""


@pytest.fixture
def mapped(site, monkeypatch):
    """A run that drew a map of every fourth picture and measured a threshold curve."""
    rows = list(range(0, 80, 4))
    folder = paths.embedding_space("sample", "padded")
    folder.mkdir(parents=True)
    line = [float(row) for row in rows]
    points = {**{f"{kind}_{axis}": line for kind in ("umap", "tsne") for axis in "xy"}, "row": rows}
    pd.DataFrame(points).to_parquet(folder / "map.parquet")
    steps = {"threshold": [0.0, 0.1, 0.2], "precision": [1.0, 0.8, 0.4], "recall": [0.0, 0.5, 1.0], "F1": [0, 0.6, 0.5]}
    curve = {"best": 0.125, **steps}
    monkeypatch.setattr(site, "curve", lambda encoder, distance: curve if encoder == "padded" else None)
    site.cells("padded")
    site.ready("stretched")
    return [site.ids[row] for row in rows]


@pytest.fixture
def page(browser, address, mapped):
    """An open page; at its end no script had failed and nobody else was asked."""
    opened = browser.new_page(viewport={"width": 1366, "height": 900}, accept_downloads=True)
    opened.set_default_timeout(120_000)
    said, asked = [], []
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(f"{address}/api")  # a page without a script of its own
    yield opened
    opened.close()
    assert not said
    assert all(url.startswith((address, "blob:")) for url in asked)


def hung(page, site, **query):
    """The panel after a search, unfolded and finished."""
    page.evaluate(HANG, {"query": query or {"like": site.ids[0]}, "photo": None})
    page.click("#folded > summary")
    expect(page.locator(".study canvas")).to_have_count(2, timeout=120_000)
    expect(page.locator(".study .study-line")).to_have_count(3, timeout=120_000)


def part(page, number):
    return page.locator(".study-part").nth(number)


def test_nothing_is_asked_until_it_is_unfolded(page, site):
    page.evaluate(HANG, {"query": {"like": site.ids[0]}, "photo": None})
    assert page.evaluate("window.asked") == ["api/v1/status"]
    page.click("#folded > summary")
    expect(page.locator(".study canvas")).to_have_count(2, timeout=120_000)


def test_two_encoders_stand_side_by_side_with_what_they_share_and_what_is_right(page, site, client):
    hung(page, site)
    answers = [
        client.get("/api/v1/search", params={"like": site.ids[0], "count": 12, "encoder": name}).json()["results"]
        for name in ("padded", "stretched")
    ]
    kind = site.catalogue.frame[catalog.ARTICLE][0]
    shared = {one["id"] for one in answers[0]} & {one["id"] for one in answers[1]}
    expect(part(page, 1).locator("p").first).to_contain_text(f"{len(shared)} of the first 12 are in both")
    for side, results in enumerate(answers):
        shown = part(page, 1).locator(".study-two > section").nth(side).locator("li")
        marks = [text.split("\n") for text in shown.all_inner_texts()]
        for mark, one in zip(marks, results, strict=True):
            assert ("in both" in mark) == (one["id"] in shared)
            assert ("✓ right" in mark) == (one["articleType"] == kind)
    judged = client.get("/api/v1/study", params={"like": site.ids[0]}).json()["judged"]
    expect(part(page, 0).locator("tbody tr").first).to_contain_text(f"{judged['AP']:.3f}")


def test_a_search_that_is_narrowed_is_judged_by_its_picture_alone_and_the_panel_says_so(page, site):
    hung(page, site)
    expect(page.locator(".study-picture")).to_be_hidden()
    page.evaluate(f"window.panel.searched({{ like: '{site.ids[0]}', narrowed: true }})")
    expect(page.locator(".study-picture")).to_contain_text("of the picture alone, over all products")
    page.evaluate("window.panel.searched({ narrowed: true })")  # words alone: there is no picture
    expect(page.locator(".study-picture")).to_be_hidden()


def test_what_is_asked_already_is_not_asked_again_unless_products_changed_or_it_failed(page, site):
    hung(page, site)
    page.evaluate("window.asked.length = 0")
    page.evaluate(f"window.panel.searched({{ like: '{site.ids[0]}' }})")
    page.wait_for_timeout(300)
    assert page.evaluate("window.asked") == []
    status = "await (await fetch('api/v1/status')).json()"
    page.evaluate(f"async () => window.panel.searched({{ like: '{site.ids[0]}', status: {status} }})")
    page.wait_for_function("window.asked.length > 0")
    page.evaluate("window.panel.searched({ like: 'nobody' })")
    expect(page.locator(".study-said")).to_contain_text("no product 'nobody'")
    page.evaluate("window.asked.length = 0; window.panel.searched({ like: 'nobody' })")
    page.wait_for_function("window.asked.length > 0")


def test_a_photo_is_judged_once_its_type_is_named(page, site, client):
    page.evaluate(HANG, {"query": {}, "photo": encoded(site.picture(site.ids[0]))})
    page.click("#folded > summary")
    expect(part(page, 0)).to_contain_text("Say above what the photo shows", timeout=120_000)
    kind = site.catalogue.frame[catalog.ARTICLE][0]
    page.get_by_label("The photo shows").fill(kind)
    page.get_by_label("The photo shows").press("Enter")
    expect(part(page, 0)).to_contain_text(f"Right means {kind}", timeout=120_000)
    expect(page.locator(".study-right").first).to_be_visible()


def encoded(data):
    return base64.b64encode(data).decode()


def test_a_neighbour_shows_where_its_likeness_lies(page, site, client):
    hung(page, site)
    third = part(page, 1).locator("section").first.locator("li button").nth(2)
    third.click()
    results = client.get("/api/v1/search", params={"like": site.ids[0], "count": 12}).json()["results"]
    found = client.get("/api/v1/regions", params={"like": site.ids[0], "of": results[2]["id"]}).json()
    expect(part(page, 2)).to_contain_text(f"cosine similarity {found['similarity']:.3f}", timeout=120_000)
    words = part(page, 2).locator("canvas").first.get_attribute("aria-label")
    assert f"all cells add {found['similarity']:.3f}, the rest 0.000" in words
    part(page, 2).get_by_role("button").click()
    assert page.evaluate("window.done") == [["like", results[2]["id"]]]


def test_the_map_is_walked_through_by_pointer_and_by_keys(page, site, mapped):
    hung(page, site)
    expect(page.locator(".study-query")).to_have_count(1)
    expect(part(page, 3)).to_contain_text("The ring is what you searched with")
    page.locator("[data-place='5']").click(force=True)
    expect(page.locator(".study-about")).to_contain_text("Search with it")
    page.locator(".study-about button").click()
    page.locator("svg[role=application]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.evaluate("window.done") == [["like", mapped[5]], ["like", mapped[6]]]


def test_a_threshold_is_an_encoders_own_and_can_be_used(page, site):
    hung(page, site)
    expect(part(page, 4)).to_contain_text("no threshold curve for it")  # of the second
    part(page, 4).get_by_role("button", name="0.125").click()
    assert page.evaluate("window.done") == [["cut", 0.125, "padded", "cosine"]]
    page.evaluate("window.panel.searched({})")  # there is nothing to leave out of
    expect(part(page, 4).get_by_role("button")).to_have_count(0)
    expect(part(page, 4)).to_contain_text("Best F1 on the train part at 0.125")


def test_a_class_compares_two_rankings_blind_and_saves_its_votes(page, site, tmp_path):
    hung(page, site)
    blind = part(page, 5)
    for choice in ("Left is better", "Neither", "Right is better"):
        blind.get_by_role("button", name="Show two rankings").click()
        expect(blind.locator("h3")).to_have_text(["Left", "Right"], timeout=120_000)
        shown = blind.inner_text()
        assert "padded" not in shown and "stretched" not in shown
        blind.get_by_role("button", name=choice).click()
        expect(blind).to_contain_text("Left was")
    expect(blind).to_contain_text("padded and stretched: 3 votes")
    with page.expect_download() as saved:
        blind.get_by_role("button", name="Save votes.json").click()
    saved.value.save_as(tmp_path / "votes.json")
    votes = json.loads((tmp_path / "votes.json").read_text())
    assert [vote["preferred"] for vote in votes] == [votes[0]["left"], None, votes[2]["right"]]
    assert all({vote["left"], vote["right"]} == {"padded", "stretched"} for vote in votes)
    with page.expect_download() as saved:
        blind.get_by_role("button", name="Save votes.csv").click()
    saved.value.save_as(tmp_path / "votes.csv")
    with (tmp_path / "votes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["preferred"] for row in rows] == [vote["preferred"] or "" for vote in votes]
    blind.get_by_role("button", name="Forget").click()
    assert page.evaluate("localStorage.getItem('study-votes')") is None
    formula = page.evaluate("import('./study.js').then((module) => module.table([{ query: '=1+1' }]))")
    assert formula.splitlines()[1].split(",")[1] == '"\'=1+1"'


def test_folding_the_panel_ends_no_ballot_and_loses_no_vote(page, site):
    hung(page, site)
    blind, fold = part(page, 5), page.locator("#folded > summary")
    for votes in (1, 2):
        blind.get_by_role("button", name="Show two rankings").click()
        expect(blind.locator("h3")).to_have_text(["Left", "Right"], timeout=120_000)
        shown, asked = blind.inner_html(), page.evaluate("window.asked.length")
        for _ in range(2):
            fold.click()
        page.wait_for_timeout(300)
        assert (blind.inner_html(), page.evaluate("window.asked.length")) == (shown, asked)
        blind.get_by_role("button", name="Left is better").click()
        for _ in range(2):
            fold.click()
        expect(blind).to_contain_text(f"padded and stretched: {votes} vote")
    fold.click()
    page.evaluate(f"window.panel.searched({{ like: '{site.ids[1]}' }})")  # while it is folded
    before = page.evaluate("window.asked.length")
    fold.click()
    page.wait_for_function(f"window.asked.length > {before}")
    expect(part(page, 5)).to_contain_text("padded and stretched: 2 votes")


def test_sides_are_drawn_anew(page, site):
    hung(page, site)
    blind, lefts = part(page, 5), set()
    for draw in (0.2, 0.8):
        page.evaluate(f"Math.random = () => {draw}")
        blind.get_by_role("button", name="Show two rankings").click()
        expect(blind.locator("h3")).to_have_count(2, timeout=120_000)
        blind.get_by_role("button", name="Neither").click()
        lefts.add(blind.locator("p[role=status]").inner_text())
    assert lefts == {"Left was padded, right stretched.", "Left was stretched, right padded."}


def test_several_products_are_boxes_to_click(page):
    photo = Image.new("RGB", (600, 400), "white")
    for left, colour in ((60, "navy"), (380, "crimson")):
        ImageDraw.Draw(photo).rectangle((left, 80, left + 120, 280), fill=colour)
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    assert page.evaluate(SEVERAL, encoded(buffer.getvalue())) == 2
    boxes = page.locator(".several")
    expect(boxes).to_have_count(2)
    boxes.first.focus()
    page.keyboard.press("Enter")
    expect(boxes.first).to_have_attribute("aria-pressed", "true")
    boxes.nth(1).click()
    expect(boxes.first).to_have_attribute("aria-pressed", "false")
    lefts = sorted(box[0] for box in page.evaluate("window.done"))
    assert lefts == pytest.approx([60, 380], abs=8)
    drawn = boxes.nth(1).bounding_box()
    assert drawn["width"] == pytest.approx(60, abs=6)  # the frame is half as wide as the photo


def tabbed(page, there, most=60):
    """Goes to an element by the Tab key alone."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if there.evaluate("one => one === document.activeElement"):
            return there
    raise AssertionError(f"{most} tabs do not lead to {there}")


def sound(page, width):
    """Nothing stands out at the side, and axe-core finds nothing in the panel."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(browsers.AXE.read_text(encoding="utf-8"))
    return page.evaluate(
        "axe.run('#settings').then((said) => said.violations.map((one) => [one.id, one.nodes[0].failureSummary]))"
    )


@pytest.mark.parametrize(("width", "scheme"), WALKS)
def test_every_way_of_the_panel_is_walked_by_the_keyboard_alone(visit, site, mapped, width, scheme):
    page = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    page.set_default_timeout(60_000)
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": site.picture(site.ids[0])})
    expect(page.locator("#preview")).to_be_visible()
    expect(page.locator("#grid")).to_have_attribute("aria-busy", "false", timeout=60_000)
    page.locator("#text").focus()
    tabbed(page, page.get_by_role("link", name="For the study"))
    page.keyboard.press("Enter")
    expect(page.locator("#settings > summary")).to_be_focused()
    choices = page.locator(".study-choices").first
    tabbed(page, choices.locator("select").nth(1))
    page.keyboard.press("ArrowDown")
    expect(part(page, 1).locator("h3")).to_have_text(["padded", "both"], timeout=60_000)
    page.keyboard.press("ArrowUp")
    tabbed(page, choices.locator("select").nth(2), 1)
    page.keyboard.press("ArrowDown")
    expect(part(page, 0).locator("thead th").first).to_have_text("by euclidean", timeout=60_000)
    page.keyboard.press("ArrowUp")
    tabbed(page, choices.locator("input"), 1)
    page.keyboard.type(site.catalogue.frame[catalog.ARTICLE][0])
    page.keyboard.press("Enter")
    expect(part(page, 0)).to_contain_text("Right means", timeout=60_000)
    expect(part(page, 1).locator("h3")).to_have_text(["padded", "stretched"])
    expect(part(page, 2).locator("canvas")).to_have_count(2, timeout=60_000)
    expect(page.locator(".study .study-line")).to_have_count(3, timeout=60_000)
    assert sound(page, width) == []
    drawn = page.locator(".study").evaluate(DRAWN)
    assert (
        drawn["letters"] >= 9 and drawn["height"] < 5000 and drawn["pictures"] == pytest.approx([0.75] * 24, abs=0.01)
    )
    tabbed(page, part(page, 1).locator("li button").first, 4)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    second = page.evaluate("document.activeElement.title")
    expect(part(page, 2).locator("canvas")).to_have_count(2, timeout=60_000)
    walked_map(page)
    tabbed(page, part(page, 4).get_by_role("button", name="0.125"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("farthest=0.125"))
    tabbed(page, part(page, 5).get_by_role("button", name="Show two rankings"))
    page.keyboard.press("Enter")
    expect(part(page, 5).locator("h3")).to_have_text(["Left", "Right"], timeout=60_000)
    assert sound(page, width) == []
    voted(page)
    assert sound(page, width) == []
    assert second


def walked_map(page):
    """From the likeness to the map, whose other drawing is chosen, and to one of its products."""
    kinds, points = part(page, 3).locator("select"), part(page, 3).locator("svg[role=application]")
    tabbed(page, kinds)
    page.keyboard.press("ArrowDown")
    expect(points).to_have_attribute("aria-label", re.compile("by tsne"))
    expect(kinds).to_be_focused()  # though all of it was drawn anew
    tabbed(page, points, 1)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".study-about")).to_contain_text("Search with it")
    tabbed(page, page.locator(".study-about button"), 1)


def voted(page):
    """From a ballot to its votes, saved and forgotten."""
    blind = part(page, 5)
    tabbed(page, blind.get_by_role("button", name="Left is better"), 2)
    page.keyboard.press("Enter")
    expect(blind).to_contain_text("1 vote;")
    tabbed(page, blind.get_by_role("button", name="Save votes.json"), 1)
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert json.loads(saved.value.path().read_text(encoding="utf-8"))[0]["left"]
    tabbed(page, blind.get_by_role("button", name="Forget"), 2)
    page.keyboard.press("Enter")
    expect(blind.get_by_role("button", name="Show two rankings")).to_be_focused()


@pytest.mark.parametrize(("width", "scheme"), WIDTHS)
def test_the_panel_fits_and_a_screen_reader_can_use_it(page, site, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    hung(page, site)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for state in ("results", "voting"):
        if state == "voting":
            part(page, 5).get_by_role("button", name="Show two rankings").click()
            expect(part(page, 5).locator("h3")).to_have_count(2, timeout=120_000)
        page.evaluate(browsers.AXE.read_text(encoding="utf-8"))
        found = page.evaluate(
            "axe.run('#folded').then((said) => said.violations.map((one) => [one.id, one.nodes[0].failureSummary]))"
        )
        assert found == [], state
