"""Photos that are kept by their hash, the examples, and the libraries that the page is shipped with."""

import hashlib
import io
import json
import time
import zipfile
from pathlib import Path

import httpx
import pytest
from PIL import Image
from servers import answering

from pipeline.site import kept, pages, service
from pipeline.site.products import Missing

ROOT = Path(__file__).parents[2]
LOCKS = [ROOT / "pipeline/site/page/vendor/lock.json", ROOT / "tests/vendor/lock.json"]
LIBRARIES = [(lock.parent, row) for lock in LOCKS for row in json.loads(lock.read_text())]


def photo(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (60, 80), colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_whoever_has_a_photo_cannot_ask_whether_it_was_sent():
    one, other = kept.Kept(), kept.Kept()
    assert one.keep(b"photo") == one.keep(b"photo")
    with pytest.raises(Missing):
        one.get(other.keep(b"photo"))


def test_photos_are_kept_within_bounds_of_bytes_and_of_time(monkeypatch):
    monkeypatch.setattr(kept, "MOST_BYTES", 30)
    now = [0.0]
    photos = kept.Kept(lambda: now[0])
    first, second = photos.keep(b"1" * 10), photos.keep(b"2" * 10)
    assert photos.keep(b"1" * 10) == first and photos.held == 20
    assert photos.get(first) == b"1" * 10  # the second is now the one asked for longest ago
    third = photos.keep(b"3" * 15)
    assert photos.held == 25
    with pytest.raises(Missing, match="no longer known"):
        photos.get(second)
    now[0] = kept.SECONDS - 1
    photos.get(third)
    now[0] = kept.SECONDS + 1
    assert photos.get(third) == b"3" * 15
    with pytest.raises(Missing, match="Choose it once more"):
        photos.get(first)
    assert photos.held == 15


def test_a_kept_photo_is_searched_as_if_it_were_sent(client, site):
    data = site.picture(site.ids[5])
    sent = client.post("/api/v1/photos", content=data)
    assert sent.status_code == 201
    mark = sent.json()["photo"]
    asked = {"count": 30, "box": "5,5,40,60", "gender": "Men"}
    answers = [
        client.get("/api/v1/search", params={**asked, "photo": mark}),
        client.post("/api/v1/search", params=asked, content=data),
    ]
    assert answers[0].json()["results"] == answers[1].json()["results"]
    shown = client.get(f"/api/v1/photos/{mark}")
    assert (shown.content, shown.headers["content-type"]) == (data, "image/jpeg")


def test_a_photo_that_is_not_known_is_said_plainly_and_none_is_refused(client, site):
    for path in ("search?photo=0123", "photos/0123"):
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 404 and "no longer known" in answer.json()["error"]
    assert client.post("/api/v1/photos", content=b"no picture").status_code == 415
    mark = client.post("/api/v1/photos", content=photo("red")).json()["photo"]
    both = client.get("/api/v1/search", params={"photo": mark, "like": site.ids[0]})
    assert both.status_code == 422 and "both say" in both.json()["error"]


def test_examples_are_the_first_photos_that_came_with_the_data(client):
    names = client.get("/api/v1/examples").json()["examples"]
    assert len(names) == 8 and "queries.json" not in names
    assert client.get(f"/api/v1/examples/{names[3]}").headers["content-type"] == "image/jpeg"
    assert client.get("/api/v1/examples/queries.json").status_code == 404


def test_where_no_photos_came_with_the_data_some_of_the_catalogue_are_the_examples(client, site, monkeypatch):
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("queries.json", "[]")
    monkeypatch.setattr(site, "_examples", zipfile.ZipFile(empty))
    names = client.get("/api/v1/examples").json()["examples"]
    assert len(set(names)) == 8 and {*names} < {*site.ids}
    assert client.get(f"/api/v1/examples/{names[3]}").content == site.picture(names[3])
    site.remove(names[3])
    try:
        assert client.get("/api/v1/examples").json()["examples"] == [*names[:3], *names[4:]]
        assert client.get(f"/api/v1/examples/{names[3]}").status_code == 404
    finally:
        site.restore(names[3])


@pytest.mark.parametrize(("folder", "row"), LIBRARIES, ids=[row["file"] for _, row in LIBRARIES])
def test_a_library_is_the_one_that_is_pinned_and_its_licence_lies_beside_it(folder, row):
    assert hashlib.sha256((folder / row["file"]).read_bytes()).hexdigest() == row["sha256"]
    for licence in row["licences"]:
        text = (folder / licence).read_text(encoding="utf-8").lower()
        assert "permission is hereby granted" in text or "apache license" in text or "mozilla public license" in text


def test_no_file_lies_beside_the_libraries_that_no_lock_names():
    for lock in LOCKS:
        known = {name for row in json.loads(lock.read_text()) for name in (row["file"], *row["licences"])}
        assert {one.name for one in lock.parent.iterdir()} == known | {"lock.json"}


def test_what_the_page_imports_is_sent_and_fetched_at_once():
    scripts = {name for name in pages.FILES if name.endswith(".js")}
    assert not [name for name in pages.FILES if name.startswith("api")]  # what begins so is the program's
    index = (ROOT / "pipeline/site/page/index.html").read_text()
    at_once = {name for name in scripts if f'<link rel="modulepreload" href="{name}">' in index}
    assert scripts - at_once == {"vendor/cropper.js"}  # once it is wanted
    assert {"vendor/lock.json", "vendor/pico.LICENSE", "page.py"}.isdisjoint(pages.FILES)


def test_photos_go_in_time_though_nobody_asks(site, monkeypatch):
    monkeypatch.setattr(service, "TIDIED", 0.05)
    monkeypatch.setattr(kept, "SECONDS", 0.5)
    opening = pages.Opening(["127.0.0.1"])  # as the program is served: it is there later than the server
    with answering(opening) as address:
        opening.app = program = service.service(site, ["127.0.0.1"])
        httpx.post(f"{address}/api/v1/photos", content=photo("red")).raise_for_status()
        assert program.state.kept.held
        until = time.monotonic() + 20
        while program.state.kept.held and time.monotonic() < until:
            time.sleep(0.05)
        assert not program.state.kept.held
