"""The page in a real browser, by everything that a shopper does: at three widths, light and dark, by the keyboard."""

import csv
import io
import json
import re
import time
from urllib.parse import quote

import browsers
import pytest
from PIL import Image
from playwright.sync_api import expect
from servers import answering

from pipeline.site import encoders, kept
from pipeline.site.guard import Writing
from pipeline.site.service import service

RULES = "{ 'label-content-name-mismatch': { enabled: true } }"  # it is tried out still, and off by itself
AXE = browsers.AXE.read_text(encoding="utf-8")
PAGE = 24  # products at a time
SIZES = [(390, 844), (768, 1024), (1366, 768)]
SCREENS = [(width, height, scheme) for width, height in SIZES for scheme in ("light", "dark")]
PLACES = """cards => cards.map((card) => [card, ...card.querySelectorAll(".picture, .name, .about:not(.far), .like")]
  .map((part) => Math.round(part.getBoundingClientRect().y)))"""
GIVE = """([kind, bytes, name, type]) => {
  const transfer = new DataTransfer();
  if (bytes) transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
  else transfer.setData(type, name);
  const way = { bubbles: true, cancelable: true };
  const event = kind === "paste" ? new ClipboardEvent("paste", { clipboardData: transfer, ...way })
    : new DragEvent("drop", { dataTransfer: transfer, ...way });
  return !document.querySelector("footer").dispatchEvent(event);
}"""


@pytest.fixture
def page(visit):
    opened = visit()
    cards(opened)
    return opened


def photo(site, row=0):
    return {"name": "../../shirt.jpg", "mimeType": "image/jpeg", "buffer": site.picture(site.ids[row])}


def drawn(width, height, kind="JPEG"):
    buffer = io.BytesIO()
    Image.effect_noise((width // 8, height // 8), 80).convert("RGB").resize((width, height)).save(buffer, kind)
    return buffer.getvalue()


def cards(page):
    """The products that are shown, once they are."""
    expect(page.locator("#grid")).to_have_attribute("aria-busy", "false", timeout=60_000)
    return page.locator("#grid .card[data-id]").evaluate_all("items => items.map(item => item.dataset.id)")


def searched(page, site, row=0):
    page.set_input_files("#file", photo(site, row))
    expect(page.locator("#preview")).to_be_visible()
    return cards(page)


def words(page, text):
    page.fill("#text", text)
    page.press("#text", "Enter")
    expect(page).to_have_url(re.compile("words="))
    return cards(page)


def kept_by(page, client):
    """The photo of the page's address, as the site has it."""
    return client.get(f"/api/v1/photos/{re.search('photo=([0-9a-f]+)', page.url)[1]}").content


def faults(page, state):
    """What axe-core finds in a state of the page."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'], rules: RULES })".replace("RULES", RULES))
    return [(state, one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]]


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("width", "height", "scheme"), SCREENS)
def test_a_shop_is_seen_first_and_every_state_is_sound(visit, site, width, height, scheme):
    page = visit(viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce")
    assert len(cards(page)) >= PAGE
    assert page.locator(".card .picture").first.bounding_box()["y"] < height
    for laboratory in ("#encoder", "#distance", "#index", "#crop-x"):
        expect(page.locator(laboratory)).to_be_hidden()
    found = faults(page, "shop")
    assert fits(page)
    searched(page, site)
    expect(page.locator(".card .picture").first).to_be_in_viewport(ratio=0.2)  # C3
    found += faults(page, "photo")
    assert fits(page)
    page.click("#part")
    expect(page.locator("cropper-selection")).to_be_visible()
    found += faults(page, "part")
    assert page.locator("#crop-width").evaluate(
        "one => { one.value = 1073; return one.scrollWidth <= one.clientWidth }"
    )
    page.keyboard.press("Escape")
    page.locator("#settings > summary").click()
    page.locator("#owner > summary").click()
    expect(page.locator("#hidden")).to_be_visible()
    expect(page.locator(".study-row li").first).to_be_attached(timeout=60_000)
    found += faults(page, "study and owner")
    assert fits(page)
    words(page, "zzzzz")
    found += faults(page, "nothing")
    page.goto(page.url.split("?")[0] + f"?product={site.ids[0]}")
    expect(page.locator(".product h1")).to_contain_text(site.catalogue.frame["productDisplayName"].iloc[0])
    cards(page)
    found += faults(page, "product")
    page.locator(".zoom").click()
    expect(page.locator("dialog.large")).to_be_visible()
    found += faults(page, "zoom")
    page.keyboard.press("Escape")
    page.locator(".product .heart").click()
    page.get_by_role("link", name="Favourites").click()
    expect(page.locator(".card")).to_have_count(1)
    found += faults(page, "favourites")
    assert fits(page) and found == []


def test_a_chosen_photo_is_sent_as_it_is_once_and_shows_what_the_api_finds(visit, site, client):
    page = visit()
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    shown = searched(page, site)
    answer = client.post("/api/v1/search", content=site.picture(site.ids[0]), params={"count": 100}).json()
    assert shown == [row["id"] for row in answer["results"]][: len(shown)] and len(shown) >= PAGE
    page.select_option("#filter-gender", "Women")
    expect(page).to_have_url(re.compile("gender=Women"))
    cards(page)
    assert kept_by(page, client) == site.picture(site.ids[0])  # the very bytes
    page.locator("#settings > summary").click()  # the panel asks about it too, as the boxes over it did
    expect(page.locator(".study-part").nth(1).locator("li").first).to_be_visible(timeout=60_000)
    assert [url.rsplit("/", 1)[1] for url in sent] == ["photos"]  # C5


def test_a_large_photo_is_made_smaller_before_it_is_sent_and_the_page_says_so(page, client):
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": drawn(4000, 3000)})
    expect(page.locator("#smaller")).to_contain_text("1365 × 1024 pixels of 4000 × 3000", timeout=20_000)
    assert Image.open(io.BytesIO(kept_by(page, client))).size == (1365, 1024)
    cards(page)


def test_several_photos_stand_side_by_side_and_their_answers_are_a_table(visit, site, client):
    page = visit(viewport={"width": 390, "height": 844})
    page.set_input_files("#file", [{**photo(site, row), "name": f"{row}.jpg"} for row in (0, 3, 7)])
    chosen = page.locator(".chosen button[aria-pressed]")
    expect(chosen).to_have_count(3, timeout=20_000)
    expect(chosen.nth(0)).to_have_attribute("aria-pressed", "true")
    cards(page)
    chosen.nth(1).click()
    expect(chosen.nth(1)).to_have_attribute("aria-pressed", "true")
    answer = client.post("/api/v1/search", content=site.picture(site.ids[3]), params={"count": PAGE}).json()
    expect(page.locator("#grid .card[data-id]").first).to_have_attribute("data-id", answer["results"][0]["id"])
    assert cards(page)[:PAGE] == [row["id"] for row in answer["results"]]
    page.reload()  # all of them stand in the address
    expect(chosen).to_have_count(3)
    expect(chosen.nth(1)).to_have_attribute("aria-pressed", "true")
    assert (
        chosen.nth(2).locator("img").evaluate("async image => { await image.decode(); return image.naturalWidth > 0 }")
    )
    page.select_option("#filter-gender", "Men")
    expect(page).to_have_url(re.compile("gender=Men"))
    with page.expect_download() as saved:
        page.click("#table")
    rows = list(csv.DictReader(saved.value.path().read_text(encoding="utf-8").splitlines()))
    marks = re.search("among=([0-9a-f.]+)", page.url)[1].split(".")  # after a reload nothing is known of their names
    sent = [("photo", (mark[:8], site.picture(site.ids[row]))) for mark, row in zip(marks, (0, 3, 7), strict=True)]
    expected = client.post("/api/v1/batch", files=sent, params={"table": "csv", "gender": "Men"}).text
    assert rows == list(csv.DictReader(expected.splitlines())) and len(rows) == 36
    assert fits(page) and faults(page, "several photos") == []
    page.click("#clear")
    expect(chosen).to_have_count(0)


def test_of_several_files_those_that_are_no_picture_are_named_and_the_others_searched(page, site):
    wrong = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no"}
    page.set_input_files("#file", [wrong, {**photo(site), "name": "a.jpg"}, {**photo(site, 3), "name": "b.jpg"}])
    expect(page.locator("#skipped")).to_contain_text("otes.txt: text/plain is no picture", timeout=20_000)
    expect(page.locator(".chosen button[aria-pressed]")).to_have_count(2)
    page.set_input_files("#file", [wrong, {**photo(site, 7), "name": "c.jpg"}])
    expect(page.locator("#preview")).to_be_visible()
    expect(page.locator(".chosen")).to_have_count(0)
    expect(page.locator("#skipped")).to_contain_text("otes.txt: text/plain is no picture")
    page.set_input_files("#file", photo(site))
    expect(page.locator("#skipped")).to_have_count(0)


def test_boxes_of_a_photo_are_not_drawn_over_the_one_that_was_chosen_meanwhile(page, site):
    shown = Image.new("RGB", (300, 200), "white")
    for left in (30, 180):
        shown.paste("red", (left, 40, left + 80, 160))
    buffer = io.BytesIO()
    shown.save(buffer, "PNG")
    held = []
    page.route("**/api/v1/boxes?*", lambda route: held.append(route) or (len(held) > 1 and route.continue_()))
    two = {"name": "two.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    page.set_input_files("#file", [two, {**photo(site), "name": "b.jpg"}])
    chosen = page.locator(".chosen button[aria-pressed]")
    expect(chosen).to_have_count(2, timeout=20_000)
    page.wait_for_timeout(300)
    with page.expect_response("**/api/v1/boxes?*"):
        chosen.nth(1).click()
    expect(chosen.nth(1)).to_have_attribute("aria-pressed", "true")
    cards(page)
    page.wait_for_timeout(300)
    before = page.locator(".several").count()
    held[0].continue_()
    page.wait_for_timeout(700)
    assert page.locator(".several").count() == before


def test_the_box_that_is_searched_with_is_the_one_that_is_pressed(page):
    shown = Image.new("RGB", (300, 200), "white")
    for left in (30, 180):
        shown.paste("red", (left, 40, left + 80, 160))
    buffer = io.BytesIO()
    shown.save(buffer, "PNG")
    page.set_input_files("#file", {"name": "two.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    boxes, all_pressed = page.locator(".several"), page.locator(".several[aria-pressed=true]")
    expect(boxes).to_have_count(2, timeout=20_000)
    boxes.nth(1).click()
    expect(page).to_have_url(re.compile("box="))
    expect(boxes.nth(1)).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(boxes.nth(1)).to_have_attribute("aria-pressed", "true", timeout=20_000)
    page.click("#all")
    expect(page).not_to_have_url(re.compile("box="))
    expect(all_pressed).to_have_count(0)
    page.go_back()
    expect(boxes.nth(1)).to_have_attribute("aria-pressed", "true")
    page.click("#part")
    expect(page.locator("cropper-selection")).to_be_visible()
    page.locator("#crop-width").fill("20")
    page.locator("#crop-width").press("Tab")
    expect(page.locator("#crop-width")).to_have_value("20")
    page.click("#use")
    expect(page).to_have_url(re.compile(r"box=\d+%2C\d+%2C20%2C"))
    expect(all_pressed).to_have_count(0)


def test_of_two_photos_chosen_one_after_the_other_the_later_is_shown(page, site, client):
    held = []
    page.route("**/api/v1/photos", lambda route: held.append(route) or (len(held) > 1 and route.continue_()))
    page.set_input_files("#file", photo(site))
    expect(page.locator("#status")).to_contain_text("Sending")
    page.set_input_files("#file", photo(site, 3))
    cards(page)
    expect(page.locator("#preview")).to_be_visible(timeout=20_000)
    there = page.url
    held[0].continue_()  # the first one arrives now
    page.wait_for_timeout(500)
    assert page.url == there
    assert kept_by(page, client) == site.picture(site.ids[3])


def test_reload_back_and_a_shared_link_show_the_same(visit, site, client):
    page = visit()
    searched(page, site)
    page.select_option("#filter-gender", "Men")
    expect(page).to_have_url(re.compile("gender=Men"))
    page.locator("#settings > summary").click()
    page.select_option("#distance", "euclidean")
    expect(page).to_have_url(re.compile("distance=euclidean"))
    found, here = cards(page)[:PAGE], page.url
    page.locator(".card > a:first-child").nth(1).click()
    expect(page.locator(".product")).to_have_attribute("data-id", found[1])
    page.go_back()
    expect(page.locator("#preview")).to_be_visible()  # C1
    assert cards(page)[:PAGE] == found and page.url == here
    page.reload()
    assert cards(page)[:PAGE] == found
    other = visit(here.rsplit("/", 1)[1])  # C2: somebody else's browser
    assert cards(other)[:PAGE] == found
    expect(other.locator("#filter-gender")).to_have_value("Men")
    other.locator("#settings > summary").click()
    expect(other.locator("#distance")).to_have_value("euclidean")
    assert other.locator("#preview").evaluate("image => image.complete && image.naturalWidth > 0")
    page.click("#clear")
    expect(page).not_to_have_url(re.compile("photo="))
    words(page, "Tshirts")
    first = cards(page)[:PAGE]
    words(page, "Black")
    page.go_back()
    expect(page.locator("#text")).to_have_value("Tshirts")
    assert cards(page)[:PAGE] == first


def test_a_photo_that_the_site_no_longer_has_is_said_or_sent_once_more(visit, site):
    stranger = visit("?photo=0123456789abcdef0123456789abcdef")
    expect(stranger.locator("#fault")).to_contain_text("no longer known here")
    page = visit()
    searched(page, site)
    with page.expect_response("**/api/v1/photos"):  # this browser has it still
        page.route("**/search?*", lambda route: route.fulfill(status=404, json={"error": "gone"}), times=1)
        page.select_option("#filter-gender", "Women")
    assert cards(page)


def test_a_photo_outlives_the_site_that_it_was_sent_to(visit, site):
    app = service(site, ["127.0.0.1"])
    with answering(app) as address:
        page = visit(at=address)
        page.set_input_files("#file", [photo(site), {**photo(site, 3), "name": "b.jpg"}])
        chosen = page.locator(".chosen button[aria-pressed]")
        expect(chosen).to_have_count(2, timeout=20_000)
        before, found = page.url, cards(page)[:PAGE]
        app.state.kept = kept.Kept()  # as after a start, or in another process
        page.select_option("#filter-gender", "Men")
        expect(page).to_have_url(re.compile("gender=Men"))
        expect(page.locator("#status")).to_contain_text("products, nearest first")
        assert cards(page) and page.locator("#fault").count() == 0
        marks = [re.search("photo=([0-9a-f]+)", url)[1] for url in (before, page.url)]
        assert marks[0] != marks[1] and marks[0] not in page.url
        chosen.nth(1).click()
        expect(chosen.nth(1)).to_have_attribute("aria-pressed", "true")
        assert cards(page) and page.locator("#fault").count() == 0
        chosen.nth(0).click()
        page.select_option("#filter-gender", "")
        expect(page).not_to_have_url(re.compile("gender="))
        assert cards(page)[:PAGE] == found
        page.reload()  # the address is one that the site knows
        assert cards(page)[:PAGE] == found
        page.go_back()
        assert cards(page) and page.locator("#fault").count() == 0


def test_words_are_searched_when_they_are_finished_and_nothing_is_said_of_nothing(visit, site):
    page = visit()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "search?" in request.url else None)
    page.locator("#text").press_sequentially("zzzzz", delay=60)
    page.wait_for_timeout(500)
    assert asked == []  # C9
    page.keyboard.press("Enter")
    expect(page.locator("#fault")).to_contain_text("zzzzz")
    expect(page.locator("#fault").get_by_role("link", name="See all products")).to_be_visible()
    words(page, "crimson zzzzz")
    expect(page.locator("#status")).to_contain_text("“crimson”: searched for red")
    expect(page.locator("#status")).to_contain_text("“zzzzz”: left out")
    cards(page)
    words(page, "Tshirts")
    page.locator("#settings > summary").click()
    for refused in ("#distance", "#index"):  # C11
        expect(page.locator(refused)).to_be_disabled()
    page.fill("#text", "")
    page.press("#text", "Enter")
    expect(page.locator("#distance")).to_be_enabled()
    expect(page.locator("#among")).to_contain_text("filters choose among these")
    page.select_option("#distance", "euclidean")
    assert page.locator("#index option").all_inner_texts() == ["exact"]


def test_a_search_with_words_is_the_same_after_a_reload_back_and_in_a_shared_link(visit):
    page = visit()
    found = words(page, "Tshirts")
    page.select_option("#filter-gender", "Women")
    expect(page).to_have_url(re.compile("gender=Women"))
    narrowed, here = cards(page)[:PAGE], page.url
    assert narrowed != found[:PAGE]
    page.reload()
    other = visit(here.rsplit("/", 1)[1])  # somebody else's browser
    for one in (page, other):
        assert cards(one)[:PAGE] == narrowed and one.url == here  # C2
        expect(one.locator("#text")).to_have_value("Tshirts")
        expect(one.locator("#heading")).to_have_text("“Tshirts”")
        expect(one.locator("#filter-gender")).to_have_value("Women")
    page.go_back()
    expect(page.locator("#filter-gender")).to_have_value("")
    assert cards(page)[:PAGE] == found[:PAGE]
    expect(page.locator("#text")).to_have_value("Tshirts")
    page.go_back()
    expect(page.locator(".welcome")).to_be_visible()  # this site still
    expect(page.locator("#text")).to_have_value("")


def test_the_head_stays_in_sight_and_the_page_says_what_it_is(page):
    assert len(page.locator("meta[name=description]").get_attribute("content")) > 60
    one = page.locator(".card .picture img").first
    before = one.bounding_box()["width"]
    one.hover()
    wider = "before => document.querySelector('.card .picture img').getBoundingClientRect().width > before"
    page.wait_for_function(wider, arg=before)  # it answers to a pointer
    page.locator(".card").nth(20).scroll_into_view_if_needed()
    expect(page.locator("#text")).to_be_in_viewport(ratio=1)


def test_few_keys_lead_to_the_first_result(visit, site):
    page = visit(f"?like={site.ids[0]}")
    cards(page)
    page.evaluate("scrollTo(0, 0)")
    stops = 0
    while not page.evaluate("Boolean(document.activeElement.closest('.card'))"):
        page.keyboard.press("Tab")
        stops += 1
        assert stops <= 18  # C10: without the link that skips them, which takes two keys
    skipped = visit(f"?like={site.ids[0]}")
    cards(skipped)
    for key in ("Tab", "Enter", "Tab"):
        skipped.keyboard.press(key)
    expect(skipped.locator(".card a").first).to_be_focused()


def test_back_to_an_answer_without_products_says_so_again(visit, site):
    frame = site.catalogue.frame
    of_men = set(frame["articleType"][frame["gender"] == "Men"])
    page = visit(f"?like={site.ids[0]}&gender=Men&articleType={quote(min({*frame['articleType']} - of_men))}")
    assert cards(page) == []
    expect(page.locator("#fault")).to_contain_text("Nothing here is like that")
    page.locator("#asked a").click()
    expect(page.locator(".product")).to_be_visible()
    assert cards(page)
    expect(page.locator("#fault")).to_have_count(0)
    page.go_back()
    expect(page.locator("#fault")).to_contain_text("Nothing here is like that")


def test_the_panel_says_where_words_or_filters_do_not_count_in_it(visit, site):
    page = visit(f"?like={site.ids[0]}")
    page.locator("#settings > summary").click()
    expect(page.locator(".study-row li").first).to_be_attached(timeout=60_000)
    told = page.locator(".study-picture")
    expect(told).to_be_hidden()
    page.select_option("#filter-gender", "Women")
    expect(told).to_contain_text("of the picture alone, over all products")
    page.select_option("#filter-gender", "")
    expect(told).to_be_hidden()
    words(page, "Tshirts")
    expect(told).to_be_visible()


def test_more_of_an_answer_asks_nothing_for_the_panel_and_leaves_a_ballot_as_it_is(visit, site):
    page = visit(f"?like={site.ids[0]}")
    page.get_by_role("link", name="For the study").click()
    expect(page.locator("#settings > summary")).to_be_focused()
    expect(page.locator(".study canvas")).to_have_count(2, timeout=120_000)
    page.get_by_role("button", name="Show two rankings").click()
    sides = page.locator(".study-part").nth(5).locator("h3")
    expect(sides).to_have_text(["Left", "Right"], timeout=60_000)
    before = len(cards(page))
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/picture" not in request.url else None)
    page.locator(".end").scroll_into_view_if_needed()
    page.evaluate("import('./search.js').then((module) => module.more())")
    expect(page.locator(f".card[data-id] >> nth={before}")).to_be_attached()
    page.wait_for_timeout(1000)
    expect(sides).to_have_text(["Left", "Right"])
    assert len(cards(page)) > before and asked
    assert all("/search?" in url and "offset=0" not in url and "count=24" in url for url in asked)


def test_drops_and_pastes_anywhere_are_taken_or_refused_in_words(page, site):
    picture = list(site.picture(site.ids[2]))
    for kind in ("drop", "paste"):
        assert page.evaluate(GIVE, [kind, picture, "x.jpg", "image/jpeg"])  # C8: the browser stays
        expect(page.locator("#preview")).to_be_visible()
        cards(page)
        page.click("#clear")
        expect(page.locator("#preview")).to_have_count(0)
    for given, said in [
        (["drop", [1, 2, 3], "x.txt", "text/plain"], "is no picture"),
        (["drop", [1, 2, 3], "x.jpg", "image/jpeg"], "Not a JPEG"),
        (["drop", None, "http://elsewhere.example/a.jpg", "text/uri-list"], "fetches nothing from others"),
        (["paste", None, "http://elsewhere.example/a.jpg", "text/plain"], "is no picture"),
    ]:
        page.evaluate(GIVE, given)
        expect(page.locator("#fault")).to_contain_text(re.compile(said, re.IGNORECASE))
    held = []  # an answer that comes after the refusal leaves it where it is
    page.route("**/api/v1/search?*", lambda route: held.append(route))
    page.fill("#text", "red")
    page.press("#text", "Enter")
    expect(page.locator("#grid")).to_have_attribute("aria-busy", "true")
    page.evaluate(GIVE, ["drop", [1, 2, 3], "x.txt", "text/plain"])
    expect(page.locator("#fault")).to_contain_text("is no picture")
    for route in held:
        route.continue_()
    cards(page)
    expect(page.locator("#fault")).to_contain_text("is no picture")
    page.unroute("**/api/v1/search?*")
    words(page, "Tshirts")
    expect(page.locator("#fault")).to_have_count(0)


def test_the_camera_takes_a_picture_and_can_be_put_off(page):
    live = "() => window.tracks.some(track => track.readyState === 'live')"
    page.evaluate("""() => {
      const media = navigator.mediaDevices, ask = media.getUserMedia.bind(media);
      window.tracks = [];
      media.getUserMedia = async (what) => {
        const stream = await ask(what);
        window.tracks.push(...stream.getTracks());
        return stream;
      };
    }""")
    page.click("#camera")
    page.wait_for_function(live)
    page.click("#camera-off")  # C6
    page.wait_for_function(f"() => !({live})()")
    page.click("#camera")
    page.wait_for_function("() => document.querySelector('#video')?.videoWidth > 0")
    page.click("#shot")
    expect(page.locator("#preview")).to_be_visible()
    page.wait_for_function(f"() => !({live})()")
    cards(page)


def test_a_part_is_drawn_moved_typed_and_found(page, site):
    large = Image.new("RGB", (400, 300), "white")
    large.paste(Image.open(io.BytesIO(site.picture(site.ids[1]))).convert("RGB").resize((150, 200)), (200, 50))
    buffer = io.BytesIO()
    large.save(buffer, "PNG")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    expect(page.locator("#preview")).to_be_visible()
    whole = cards(page)
    before = page.url
    page.locator("#preview").click(position={"x": 3, "y": 3})
    assert page.url == before  # C10: a tap is no search
    assert page.locator("#preview").evaluate("image => getComputedStyle(image).touchAction") == "auto"
    page.click("#part")
    expect(page.locator("cropper-selection")).to_be_visible()
    expect(page.locator("#crop-x")).to_have_value("40")
    area = page.locator("#crop-photo").bounding_box()
    scale = area["width"] / 400
    page.locator("#crop-x").fill("390")
    page.locator("#crop-x").press("Tab")
    expect(page.locator("#crop-width")).to_have_value("10")  # C10: clipped to the photo
    page.mouse.move(area["x"] + 20 * scale, area["y"] + 20 * scale)
    page.mouse.down()
    page.mouse.move(area["x"] + 170 * scale, area["y"] + 220 * scale, steps=6)
    page.mouse.up()
    expect(page.locator("#crop-height")).to_have_value(re.compile("^(19[89]|20[0-2])$"))
    page.locator("cropper-selection").press("ArrowRight")
    expect(page.locator("#crop-x")).to_have_value(re.compile("^2[0-3]$"))
    page.click("#find")
    expect(page.locator("#crop-x")).to_have_value(re.compile("^(19|20)[0-9]$"))
    with page.expect_response(lambda answer: "box=" in answer.url) as answered:
        page.click("#use")
    assert answered.value.json()["box"] == pytest.approx([200, 50, 150, 200], abs=12)
    expect(page.locator("#box")).to_be_visible()
    assert cards(page) != whole
    page.click("#all")
    expect(page.locator("#box")).to_have_count(0)
    assert cards(page)[:PAGE] == whole[:PAGE]


def test_numbers_that_are_typed_before_the_frame_or_the_found_box_comes_stay(page):
    frame, found = [], []
    page.route("**/vendor/cropper.js", lambda route: frame.append(route))
    page.route("**/api/v1/box?*", lambda route: found.append(route))
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": drawn(400, 300, "PNG")})
    cards(page)
    page.click("#part")
    width, height = page.locator("#crop-width"), page.locator("#crop-height")
    width.fill("20")
    width.press("Tab")
    height.press_sequentially("3")
    expect(page.locator("#use")).to_be_disabled()
    frame[0].continue_()
    expect(page.locator("#crop-x")).to_have_value("40")  # what nobody typed is as ever
    height.press_sequentially("0")
    expect(width).to_have_value("20")
    expect(height).to_have_value("30")  # half of it was typed when the frame came
    page.click("#find")
    page.locator("#crop-x").fill("7")
    page.locator("#crop-x").press("Tab")
    with page.expect_response("**/api/v1/box?*"):
        found[0].fulfill(json={"box": [200, 50, 150, 200]})
    expect(page.locator("dialog.crop [role=status]")).to_contain_text("stays")
    page.click("#use")
    expect(page).to_have_url(re.compile(r"box=7%2C30%2C20%2C30(&|$)"))


def test_a_box_that_is_found_before_the_frame_comes_is_where_the_frame_is_put(page):
    frame = []
    page.route("**/vendor/cropper.js", lambda route: frame.append(route))
    page.route("**/api/v1/box?*", lambda route: route.fulfill(json={"box": [200, 50, 150, 200]}))
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": drawn(400, 300, "PNG")})
    cards(page)
    page.click("#part")
    page.click("#find")
    expect(page.locator("#crop-x")).to_have_value("200")
    frame[0].continue_()
    expect(page.locator("cropper-selection")).to_be_visible()
    page.wait_for_timeout(300)
    shown = [page.locator(f"#crop-{side}").input_value() for side in ("x", "y", "width", "height")]
    assert shown == ["200", "50", "150", "200"]


def test_the_product_is_found_in_a_photo_without_sending_it_again(page, site):
    searched(page, site)
    page.click("#part")
    expect(page.locator("cropper-selection")).to_be_visible()
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    with page.expect_response(lambda answer: "/api/v1/box?photo=" in answer.url) as answered:
        page.click("#find")
    assert answered.value.ok and sent == []


def test_a_product_has_an_address_a_zoom_and_others_like_it_by_the_keyboard_alone(visit, site):
    page = visit()
    first = cards(page)[0]
    page.keyboard.press("Tab")
    expect(page.locator(".skip").first).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first product
    expect(page).to_have_url(re.compile(f"product={first}"))
    expect(page.locator("#heading")).to_be_focused()  # C10: not lost
    cards(page)
    page.locator(".zoom").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog.large img")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.large")).to_be_hidden()
    expect(page.locator(".zoom")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # More like this
    expect(page).to_have_url(re.compile(f"like={first}"))
    assert first not in cards(page)
    page.locator(".card .heart").first.press("Enter")
    expect(page.locator(".card .heart").first).to_have_attribute("aria-pressed", "true")
    page.go_back()
    page.go_back()
    expect(page.locator(".welcome")).to_be_visible()
    page.goto(f"{page.url.split('#')[0]}?product=nobody")
    expect(page.locator("#fault")).to_contain_text("no product 'nobody'")


def test_a_link_that_the_browser_does_not_let_be_copied_is_shown_and_selected(visit, site):
    page = visit(f"?product={site.ids[0]}")
    cards(page)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as over http:
    page.get_by_role("button", name="Copy the link").click()
    expect(page.locator("#link")).to_have_value(page.url)
    expect(page.locator("#link")).to_be_focused()
    assert page.evaluate("getSelection().toString()") == page.url
    expect(page.locator("#status")).to_contain_text("copy it yourself")
    assert faults(page, "link") == []


def test_the_panel_is_reached_and_used_by_the_keyboard_alone(visit, site):
    page = visit(f"?like={site.ids[0]}")
    cards(page)
    for _ in range(2):  # the first skips to the products
        page.keyboard.press("Tab")
    expect(page.locator(".skip").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#settings > summary")).to_be_focused()
    expect(page.locator("#settings > summary")).to_be_in_viewport()
    expect(page.locator("#encoder")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#encoder")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page).to_have_url(re.compile("encoder=stretched"))
    expect(page.locator("#took")).to_contain_text("stretched", timeout=60_000)
    expect(page.locator("#encoder")).to_be_focused()  # C10: not lost
    sides = page.locator(".study-part").nth(1)
    expect(sides.locator("h3").first).to_have_text("stretched", timeout=120_000)
    for _ in range(30):
        page.keyboard.press("Tab")
        if sides.evaluate("one => one.contains(document.activeElement)"):
            break
    page.keyboard.press("Enter")  # on a product: where its likeness lies
    expect(page.locator(".study-part").nth(2)).to_contain_text("stretched: cosine similarity", timeout=120_000)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1366, "light")])
def test_the_api_and_what_was_taken_away_are_sound(visit, browser, site, address, width, scheme):
    for row in range(3):
        site.remove(site.ids[row])
    page = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    page.locator("#owner > summary").click()
    expect(page.locator("#hidden li")).to_have_count(3)
    found = faults(page, "taken away")
    assert fits(page)
    page.goto(f"{address}/api")
    assert found + faults(page, "API") == [] and fits(page)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (768, "light"), (1366, "dark")])
def test_cards_of_one_row_are_alike_and_a_name_that_is_cut_can_be_read_whole(visit, site, width, scheme):
    name = " ".join(["Quaint", *["extraordinarily long name of"] * 6])
    site.add("long", {"productDisplayName": name, "articleType": "Kimonos"}, site.picture(site.ids[0]))
    site.add("short", {"productDisplayName": "Quaint"}, site.picture(site.ids[1]))
    page = visit("?words=quaint", viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert {"long", "short"} == {*cards(page)}
    places = page.locator("#grid .card[data-id]").evaluate_all(PLACES)
    assert places[0] == pytest.approx(places[1], abs=1), places  # none begins lower, and no part of it
    assert all(card == pytest.approx(picture, abs=1) for card, picture, *_ in places), places
    cut = page.locator(".card[data-id=long] .name")
    assert cut.evaluate("one => one.scrollHeight > one.clientHeight && getComputedStyle(one).webkitLineClamp === '2'")
    assert cut.inner_text() == name  # to a screen reader
    cut.click()
    whole = page.locator(".product h1")
    expect(whole).to_have_text(name)
    assert whole.evaluate("one => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight + 1")
    assert fits(page)


def test_favourites_and_searches_are_kept_within_bounds_and_cleared(visit, site):
    page = visit()
    found = words(page, "Tshirts")
    page.locator(f".card[data-id='{found[0]}'] .heart").click()
    page.reload()
    expect(page.locator(f".card[data-id='{found[0]}'] .heart")).to_have_attribute("aria-pressed", "true")
    page.evaluate("""() => {
      const others = Array.from({ length: 300 }, (_, n) => ({ id: `none-${n}` }));
      localStorage.favourites = JSON.stringify([...JSON.parse(localStorage.favourites), ...others]);
    }""")
    page.locator(f".card[data-id='{found[1]}'] .heart").click()
    assert page.evaluate("JSON.parse(localStorage.favourites).length") == 200
    page.get_by_role("link", name="Favourites").click()
    expect(page.locator(f".card[data-id='{found[0]}']")).to_be_visible()
    page.get_by_role("link", name="“Tshirts”").click()
    assert cards(page) == found
    page.get_by_role("link", name="Favourites").click()
    page.click("#clear-favourites")
    page.click("#clear-searches")
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator(".searches")).to_have_count(0)
    page.evaluate("localStorage.setItem('favourites', '{{')")
    page.reload()
    expect(page.locator("#heading")).to_have_text("Favourites")


def test_results_go_on_and_the_page_has_an_end(visit, site, client):
    page = visit()
    searched(page, site)
    for _ in range(12):
        page.locator("footer").scroll_into_view_if_needed()
        page.wait_for_timeout(150)
        shown = cards(page)
        if len(shown) >= 120:
            break
    page.locator("footer").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    assert len(cards(page)) == 120 and len(set(cards(page))) == 120
    data = site.picture(site.ids[0])
    pages = [client.post("/api/v1/search", content=data, params={"count": 60, "offset": n}).json() for n in (0, 60)]
    assert cards(page) == [row["id"] for one in pages for row in one["results"]]
    page.click("#more")
    expect(page.locator(".card[data-id]")).to_have_count(144)


def test_an_answer_is_saved_as_it_is_shown_and_no_cell_is_a_formula(visit, site, client):
    client.put(
        "/api/v1/products/sum-1", params={"productDisplayName": '=1+"1"'}, content=site.picture(site.ids[0])
    ).raise_for_status()
    page = visit()
    assert page.locator("#save-csv").count() == 0  # of the shop there is no answer
    for path in (f"?like={site.ids[0]}", f"?product={site.ids[0]}"):
        page.goto(f"{page.url.split('?')[0]}{path}")
        page.locator("footer").scroll_into_view_if_needed()
        expect(page.locator(f".card[data-id] >> nth={PAGE}")).to_be_attached()  # two pages of it
        for _ in range(12):
            page.locator("footer").scroll_into_view_if_needed()
            page.wait_for_timeout(150)
        shown, saved = cards(page), {}
        for kind in ("csv", "json"):
            with page.expect_download() as given:
                page.click(f"#save-{kind}")
            saved[kind] = given.value.path().read_text(encoding="utf-8")
        rows, whole = list(csv.DictReader(saved["csv"].splitlines())), json.loads(saved["json"])
        answer = client.get("/api/v1/search", params={"like": site.ids[0], "count": 100}).json()
        assert [row["id"] for row in rows] == [row["id"] for row in whole["results"]] == shown and len(shown) > PAGE
        assert whole["results"][:100] == answer["results"] and whole["encoder"] == answer["encoder"]
        assert rows[0].keys() == answer["results"][0].keys()
        assert [float(row["distance"]) for row in rows[:100]] == [row["distance"] for row in answer["results"]]
        assert next(row["productDisplayName"] for row in rows if row["id"] == "sum-1") == '\'=1+"1"'


def test_what_happens_is_said_in_one_line_and_nothing_jumps(visit, site):
    page = visit()
    cards(page)
    page.evaluate("""() => {
      window.shift = 0;
      const add = (one) => { if (!one.hadRecentInput) window.shift += one.value; };
      const seen = new PerformanceObserver((list) => list.getEntries().forEach(add));
      seen.observe({ type: "layout-shift", buffered: true });
    }""")
    assert page.locator("[aria-live] .card, [role=status] .card").count() == 0
    page.route("**/search?*", lambda route: (time.sleep(1), route.continue_()))
    page.set_input_files("#file", photo(site))
    expect(page.locator("#status")).to_have_text("Searching …")
    assert page.locator(".card.waiting").count() == 12
    cards(page)
    expect(page.locator("#status")).to_contain_text("products, nearest first")
    assert page.evaluate("window.shift") < 0.1


def test_the_site_shows_that_it_is_loading_and_a_server_that_is_gone_is_said(visit, site, monkeypatch):
    page = visit()
    load = encoders.load
    monkeypatch.setattr(encoders, "load", lambda *given: time.sleep(3) or load(*given))
    searched(page, site)
    page.evaluate("document.querySelector('#settings').open = true")
    page.select_option("#encoder", "stretched")
    expect(page.locator("#status")).to_contain_text("stretched is being loaded", timeout=10_000)
    cards(page)
    took = page.locator("#took").inner_text()
    assert took.startswith("stretched") and int(re.search(r"(\d+) ms", took)[1]) < 2500  # B4
    page.route("**/api/v1/search**", lambda route: route.abort())
    page.fill("#text", "shirt")
    page.press("#text", "Enter")
    expect(page.locator("#fault")).to_contain_text("does not answer")


def test_a_largest_distance_is_of_the_encoder_and_the_distance_that_it_was_chosen_for(visit, site):
    page = visit()
    searched(page, site)
    page.locator("#settings > summary").click()
    half = "slider => { slider.value = slider.max / 2; slider.dispatchEvent(new Event('change')); }"
    page.locator("#farthest").evaluate(half)
    expect(page).to_have_url(re.compile("farthest="))
    expect(page.locator("#far")).not_to_have_text("any distance")
    cards(page)
    page.select_option("#distance", "euclidean")
    expect(page).not_to_have_url(re.compile("farthest="))  # B2
    expect(page.locator("#far")).to_have_text("any distance")
    cards(page)


def test_a_largest_distance_goes_with_what_it_was_chosen_for(visit, site):
    page = visit("?farthest=0.000001")  # of the shop, where nothing is near or far
    cards(page)
    searched(page, site)
    expect(page).not_to_have_url(re.compile("farthest="))
    assert len(cards(page)) >= PAGE
    for asked in ("photo=", "like="):
        words(page, "Tshirts")
        page.goto(f"{page.url}&farthest=0.9")
        cards(page)
        page.click("#clear")
        expect(page).not_to_have_url(re.compile(asked))
        expect(page).not_to_have_url(re.compile("farthest="))
        page.goto(f"{page.url.split('?')[0]}?like={site.ids[0]}")


def test_a_largest_distance_is_of_what_was_asked_with_and_not_of_the_next(visit, site):
    page, limit = visit(), re.compile("farthest=")
    shown = searched(page, site)
    page.locator("#settings > summary").click()
    expect(page.locator("label", has=page.locator("#far"))).to_contain_text("In this search nothing farther")
    page.locator("#farthest").evaluate("one => { one.value = one.max / 2; one.dispatchEvent(new Event('change')); }")
    expect(page).to_have_url(limit)
    page.select_option("#filter-gender", "Men")  # the same question, narrowed
    expect(page).to_have_url(re.compile("gender=Men.*|farthest=.*gender=Men"))
    expect(page).to_have_url(limit)
    searched(page, site, 3)
    expect(page).not_to_have_url(limit)
    expect(page.locator("#far")).to_have_text("any distance")
    page.go_back()
    expect(page).to_have_url(limit)
    page.goto(f"{page.url.split('?')[0]}?like={shown[0]}&farthest=0.9")
    page.locator(".card .like").first.click()
    expect(page).not_to_have_url(re.compile(f"like={shown[0]}"))
    expect(page).not_to_have_url(limit)
    page.goto(f"{page.url.split('?')[0]}?words=Tshirts&farthest=0.9")
    words(page, "Black")
    expect(page).to_have_url(re.compile("words=Black"))
    expect(page).not_to_have_url(limit)


def test_photos_that_were_chosen_together_are_one_question(page, site):
    page.set_input_files("#file", [{**photo(site, row), "name": f"{row}.jpg"} for row in (0, 3)])
    chosen = page.locator(".chosen button[aria-pressed]")
    expect(chosen).to_have_count(2, timeout=20_000)
    page.goto(f"{page.url}&farthest=0.9")
    chosen.nth(1).click()  # their answers are one table, within one distance
    expect(chosen.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile("farthest=0.9"))


def test_a_largest_distance_of_the_page_cuts_nothing_in_the_panel(visit, site):
    page = visit(f"?like={site.ids[0]}&farthest=0.0001")
    assert len(cards(page)) < 12
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "count=12" in request.url else None)
    page.locator("#settings > summary").click()
    sides, by = page.locator(".study-part").nth(1).locator("section"), page.locator(".study-choices select").nth(2)
    for distance in ("cosine", "euclidean"):
        by.select_option(distance)
        expect(page.locator(".study thead th").first).to_have_text(f"by {distance}", timeout=60_000)
        expect(page.locator(".study-said")).to_have_text("")
        assert [sides.nth(side).locator("li").count() for side in range(2)] == [12, 12]  # B3 and B5
    assert len(asked) >= 4 and not any("farthest" in url for url in asked)


def test_whoever_runs_it_adds_takes_away_and_puts_back(visit, site):
    page = visit()
    searched(page, site)
    page.select_option("#filter-gender", "Men")
    expect(page).to_have_url(re.compile("gender=Men"))
    cards(page)
    page.locator("#owner > summary").click()
    page.fill("#add [name=id]", "not an id")
    page.press("#add [name=id]", "Enter")
    assert page.locator("#add [name=id]").evaluate("one => one.matches(':invalid')")
    page.click("#go")  # C7: Search searches all the same
    cards(page)
    searched(page, site)
    page.fill("#add [name=id]", "mine-1")
    page.fill("#add [name=productDisplayName]", "<b>My</b> shirt")
    page.fill("#add [name=gender]", "Men")
    page.press("#add [name=gender]", "Enter")  # C10: it adds
    expect(page.locator(".card[data-id='mine-1'] .name")).to_have_text("<b>My</b> shirt")
    expect(page.locator("#filter-gender")).to_have_value("Men")  # C10: kept
    other = next(one for one in cards(page) if one != "mine-1")
    assert page.locator(".card button", has_text="Take away").count() == 0  # C4
    warned = []
    page.on("dialog", lambda dialog: warned.append(dialog.message))  # it is accepted
    for one in ("mine-1", other):
        page.goto(f"{page.url.split('?')[0]}?product={one}")
        page.get_by_role("button", name="Take away").click()
        expect(page.locator("#fault")).to_contain_text("no product")
    assert ["deleted for good" in said for said in warned] == [True, False]
    assert ["can be put back" in said for said in warned] == [False, True]
    page.locator("#owner > summary").click()
    page.locator(f"#hidden li[data-id='{other}']").get_by_role("button").click()
    expect(page.locator(f"#hidden li[data-id='{other}']")).to_have_count(0)
    expect(page.locator(".product h1")).to_be_visible()


def test_a_site_that_is_to_be_looked_at_shows_no_way_to_change_it(visit, site):
    with answering(service(site, [])) as address:
        page = visit(f"?product={site.ids[0]}", at=address)
        cards(page)
        assert page.locator(".away").count() + page.locator("#owner").count() == 0


def test_a_token_is_asked_for_and_sent(visit, site):
    with answering(service(site, [], writing=Writing(on=True, token="the right one"))) as address:
        page = visit(f"?product={site.ids[3]}", at=address)
        cards(page)
        page.click(".away")
        expect(page.locator("#status")).to_contain_text("token")
        page.locator("#owner > summary").click()
        page.fill("#token", "the right one")
        page.click(".away")
        expect(page.locator("#fault")).to_contain_text("no product")
        page.get_by_role("button", name="Look again").click()
        page.get_by_role("button", name="Put it back").click()
        expect(page.locator(".product h1")).to_have_attribute("id", "heading")


def test_without_scripts_the_page_says_so(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert "needs JavaScript" in page.locator("body").inner_text()
    context.close()
