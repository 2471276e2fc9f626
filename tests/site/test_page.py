"""The page in a real browser: a photo by chooser and by drop, a box, filters, likes, faults, a phone, the keyboard."""

import io
import os
import shutil

import pytest
from PIL import Image
from playwright.sync_api import Error, expect, sync_playwright

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DROP = """async ([bytes, name, type]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
  document.querySelector("#drop")
    .dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""

SHOWN = "JSON.stringify([...document.querySelectorAll('#columns li')].map(item => item.dataset.id))"


@pytest.fixture(scope="module")
def browser():
    """A Chromium: the one that is there, or Playwright's; without either the tests are skipped, but not in CI."""
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    with sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=program, args=QUIET)
        except Error:
            if program or os.environ.get("BROWSER_TESTS") == "required":
                raise
            pytest.skip("no Chromium was found: install one, or run `playwright install chromium`")
        yield opened
        opened.close()


@pytest.fixture
def page(browser, address):
    """The page, ready; at its end nothing was logged and nobody else was asked."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    said, asked = [], []
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(address)
    expect(opened.locator("#go")).to_be_enabled()
    yield opened
    opened.close()
    assert not said
    assert all(url.startswith((address, "blob:")) for url in asked)


def photo(site, row=0):
    return {"name": "../../shirt.jpg", "mimeType": "image/jpeg", "buffer": site.picture(site.ids[row])}


def cards(page):
    return page.locator("#columns li").evaluate_all("items => items.map(item => item.dataset.id)")


def test_a_chosen_photo_shows_the_products_that_the_api_finds(page, site, client):
    page.set_input_files("#file", photo(site))
    expect(page.locator("#columns li")).to_have_count(12)
    answer = client.post("/api/search", content=site.picture(site.ids[0])).json()
    assert cards(page) == [row["id"] for row in answer["results"]]
    assert page.locator("#columns img").first.evaluate("image => image.complete && image.naturalWidth > 0")


def test_a_dropped_photo_is_searched_and_a_dropped_text_is_refused(page, site):
    page.evaluate(DROP, [list(site.picture(site.ids[2])), "x.jpg", "image/jpeg"])
    expect(page.locator("#columns li")).to_have_count(12)
    page.evaluate(DROP, [[1, 2, 3], "x.txt", "text/plain"])
    expect(page.locator("#message")).to_contain_text("is no picture")
    page.evaluate(DROP, [[1, 2, 3], "x.jpg", "image/jpeg"])
    expect(page.locator("#message")).to_contain_text("not a JPEG")


def test_a_drawn_box_searches_with_the_part(page, site, client):
    large = Image.new("RGB", (400, 300), "white")
    large.paste(Image.open(io.BytesIO(site.picture(site.ids[1]))).convert("RGB").resize((150, 200)), (200, 50))
    buffer = io.BytesIO()
    large.save(buffer, "PNG")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    expect(page.locator("#columns li")).to_have_count(12)
    whole = page.evaluate(SHOWN)
    area = page.locator("#preview").bounding_box()
    scale = area["width"] / 400
    page.mouse.move(area["x"] + 200 * scale, area["y"] + 50 * scale)
    page.mouse.down()
    page.mouse.move(area["x"] + 350 * scale, area["y"] + 250 * scale, steps=4)
    with page.expect_response(lambda answer: "box=" in answer.url) as answered:
        page.mouse.up()
    box = answered.value.json()["box"]
    assert box == pytest.approx([200, 50, 150, 200], abs=3)
    page.wait_for_function(f"before => {SHOWN} != before", arg=whole)
    page.locator("#x").fill("210")  # a box can be typed as well
    with page.expect_response(lambda answer: "box=210" in answer.url):
        page.locator("#x").press("Tab")
    page.get_by_role("button", name="Whole photo").click()
    page.wait_for_function(f"before => {SHOWN} == before", arg=whole)
    with page.expect_response("**/api/box"):
        page.get_by_role("button", name="Find the product").click()
    expect(page.locator("#x")).not_to_have_value("")


def test_filters_words_a_second_encoder_and_reasons(page, site):
    page.set_input_files("#file", photo(site))
    expect(page.locator("#columns li")).to_have_count(12)
    page.locator("summary", has_text="Filters").click()
    page.select_option("#filter-gender", "Women")
    page.wait_for_function(
        "() => [...document.querySelectorAll('#columns .card')].every(card => card.textContent.includes('Women'))"
    )
    page.select_option("#filter-gender", "")
    page.select_option("#other", "both")
    expect(page.locator("#columns section")).to_have_count(2, timeout=60_000)  # its networks are loaded first
    page.locator("summary", has_text="Why").click()
    expect(page.locator("#reasons")).to_contain_text("nearest products")
    expect(page.locator("#reasons")).to_contain_text("By euclidean")
    page.fill("#text", "zzzzz")
    expect(page.locator("#message")).to_contain_text("no product is described")
    page.fill("#text", "Black")
    expect(page.locator("#mix")).to_be_visible()


def test_a_click_shows_what_is_like_a_product_and_back_goes_back(page, site, address):
    page.fill("#text", "Tshirts")
    expect(page.locator("#columns li")).to_have_count(12)
    first = cards(page)[0]
    page.fill("#text", "")
    page.goto(f"{address}/?like={first}")
    expect(page.locator("#columns li")).to_have_count(12)
    second = cards(page)[0]
    assert first not in cards(page)
    page.locator(f"li[data-id='{second}'] .card").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#asked")).to_contain_text(second)
    page.go_back()
    expect(page.locator("#asked")).to_contain_text(first)
    page.locator("#like-id").fill(second)
    page.locator("#like-id").press("Enter")
    expect(page.locator("#asked")).to_contain_text(second)
    page.locator("#like-id").fill("nobody")
    page.locator("#like-id").press("Tab")
    expect(page.locator("#message")).to_contain_text("there is no product 'nobody'")


def test_a_product_is_added_taken_away_and_put_back(page, site):
    page.set_input_files("#file", photo(site))
    expect(page.locator("#columns li")).to_have_count(12)
    page.locator("summary", has_text="Add the photo").click()
    page.fill("#new-id", "mine-1")
    page.fill("#new-name", "<b>My</b> shirt")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("li[data-id='mine-1'] .name")).to_have_text("<b>My</b> shirt")
    other = next(one for one in cards(page) if one != "mine-1")
    page.locator(f"li[data-id='{other}'] .away").click()
    expect(page.locator(f"#columns li[data-id='{other}']")).to_have_count(0)
    page.get_by_role("button", name="Put it back").click()
    expect(page.locator(f"#columns li[data-id='{other}']")).to_have_count(1)


def test_nothing_near_enough_is_said(page, site):
    page.set_input_files("#file", photo(site))
    expect(page.locator("#columns li")).to_have_count(12)
    page.locator("summary", has_text="Filters").click()
    page.select_option("#filter-articleType", site.catalogue.frame["articleType"].iloc[-1])
    page.locator("#farthest").fill("0")
    expect(page.locator("#message")).to_contain_text("Nothing is that near")


def test_on_a_phone_nothing_is_wider_than_the_screen(page, site):
    page.set_viewport_size({"width": 360, "height": 740})
    page.set_input_files("#file", photo(site))
    expect(page.locator("#columns li")).to_have_count(12)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_every_control_has_a_name_for_a_screen_reader(page, site):
    page.set_input_files("#file", photo(site))
    expect(page.locator("#columns li")).to_have_count(12)
    nameless = page.evaluate("""() => [...document.querySelectorAll("input, select, button, summary")]
      .filter(one => !one.hidden)
      .filter(one => !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim()))
      .map(one => one.id)""")
    assert nameless == []
    assert page.locator("#status").get_attribute("role") == "status"
    assert page.locator("#answer").get_attribute("aria-live") == "polite"


def test_a_server_that_is_gone_is_said(page, site):
    page.route("**/api/search**", lambda route: route.abort())
    page.fill("#text", "shirt")
    expect(page.locator("#message")).to_contain_text("does not answer")
