"""The API: what programs get, what hostile ones get, and that nothing of theirs stays."""

import io
import json
import os
import random
import socket
import struct
import tempfile
import threading
import zlib
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import pytest
from PIL import Image

from pipeline.data import catalog
from pipeline.site import products
from pipeline.site import service as module
from pipeline.site.photos import MOST_BYTES
from pipeline.site.questions import Question
from pipeline.site.site import Site

REFUSED = {413, 415, 422}


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(kind="JPEG", **options):
    return saved(Image.effect_noise((60, 80), 60).convert("RGB"), kind, **options)


def bomb(width, height):
    """A PNG that says it has width × height pixels."""
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))  # noqa: E731
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 10_000_000)) + chunk(b"IEND", b"")


def test_the_answers_are_the_sites_own(client, site):
    like = site.ids[3]
    answer = client.get("/api/search", params={"like": like, "count": 5, "gender": ["Men", "Women"]}).json()
    expected = site.search(Question(like=like, count=5, gender=["Men", "Women"]))
    assert answer["results"] == json.loads(json.dumps(expected["results"]))
    photographed = client.post("/api/search", content=site.picture(like), params={"count": 1}).json()
    assert photographed["results"][0]["distance"] == pytest.approx(0, abs=1e-5)
    assert client.get("/api/status").json()["products"] == len(site.catalogue.frame)
    assert client.get(f"/api/products/{like}").json()["id"] == like
    assert client.get(f"/api/products/{like}/picture").headers["content-type"] == "image/jpeg"


def test_a_product_is_put_found_and_deleted(client):
    data = photo("PNG")
    assert client.put("/api/products/p-1", params={"gender": "Men"}, content=data).status_code == 201
    found = client.post("/api/search", content=data, params={"count": 1}).json()["results"][0]
    assert (found["id"], found["gender"]) == ("p-1", "Men")
    assert client.put("/api/products/p-1", content=data).status_code == 409
    assert client.delete("/api/products/p-1").json() == {"removed": "p-1"}
    assert client.delete("/api/products/p-1").status_code == 422
    assert client.get("/api/products/p-1/picture").status_code == 422


def test_every_column_that_may_be_said_of_a_product_is_taken_and_shown(client):
    facts = {name: f"some {name}" for name in [catalog.PRODUCT, *catalog.CLASSES]}
    assert sorted(module.Facts.model_fields) == sorted(facts)
    assert client.put("/api/products/p-3", params=facts, content=photo()).status_code == 201
    assert client.get("/api/products/p-3").json() == {catalog.ID: "p-3", **facts, catalog.YEAR: None}
    assert client.put("/api/products/p-4", params={catalog.YEAR: "2012"}, content=photo()).status_code == 422


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/search", 422, "nothing to search with"),
        ("/api/search?count=0&text=x", 422, "count"),
        ("/api/search?distnace=cosine&text=x", 422, "distnace"),
        ("/api/search?distance=hamming&text=x", 422, "manhattan"),
        ("/api/search?like=nobody", 422, "nobody"),
        ("/api/products/nobody", 422, "nobody"),
        ("/nothing.html", 404, "nothing.html"),
        ("/api/search?text=x&encoder=resnet", 422, "padded"),
        ("/api/curve?encoder=padded&distance=manhattan", 422, "no retrieval"),
        ("/api/search?text=" + "x" * 300, 422, "200"),
        ("/..%2f..%2fetc%2fpasswd", 404, ""),
        ("/api/nothing", 404, ""),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_line(client, path, status, said):
    answer = client.get(path)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text


def test_the_schema_states_the_limits(client):
    search = client.get("/api/schema").json()["paths"]["/api/search"]["post"]
    count = next(one for one in search["parameters"] if one["name"] == "count")["schema"]
    assert (count["minimum"], count["maximum"]) == (1, 100)
    assert search["requestBody"]["content"]["image/jpeg"]["schema"]["maxLength"] == MOST_BYTES


def test_a_turned_photo_is_searched_upright(client, site):
    upright = Image.open(io.BytesIO(site.picture(site.ids[0])))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90° to the right
    turned = saved(upright.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    asked = [client.post("/api/search", content=data).json()["results"] for data in (turned, saved(upright, "PNG"))]
    assert asked[0] == asked[1]


def test_a_site_that_is_loading_says_so_and_one_that_failed_says_why(place, study):
    opened = Site(study)
    app = module.service(opened, ["*"])
    transport = httpx.ASGITransport(app)

    async def ask(path):
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(path)

    import asyncio

    answer = asyncio.run(ask("/api/search?text=x"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert asyncio.run(ask("/api/status")).json()["phase"] == "starting"
    (place / "outputs/sample/catalog.parquet").unlink()
    with pytest.raises(catalog.CatalogError):
        opened.start()
    assert "catalog.parquet is missing" in asyncio.run(ask("/api/status")).json()["fault"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
    ],
)
def test_another_web_page_can_change_nothing(client, site, headers):
    assert client.delete(f"/api/products/{site.ids[0]}", headers=headers).status_code == 403
    assert client.put("/api/products/p-2", content=photo(), headers=headers).status_code == 403
    assert client.get(f"/api/products/{site.ids[0]}").status_code == 200


def test_a_name_that_points_here_from_elsewhere_is_refused(client):
    assert client.get("/api/status", headers={"host": "evil.example"}).status_code == 400


def test_every_answer_tells_the_browser_to_ask_nobody_else(client):
    for path in ("/", "/page.js", "/api/status", "/nothing"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "http" not in policy.replace("'self'", "")


def hostile(count, rng):
    """Bytes that nobody should send: drawn, cut, flipped, of other kinds, and with too much in them."""
    valid = [photo(kind) for kind in ("JPEG", "PNG", "WEBP")]
    red, blue = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
    other = [
        b"",
        b"\0",
        b"GIF89a",
        *[photo(kind) for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM")],
        bomb(50_000, 50_000),
        bomb(7_000, 7_000),
        bomb(0, 5),
        saved(Image.new("RGB", (1, 20_000)), "PNG"),
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        b"<!doctype html><script>",
        b"%PDF-1.7\n" + valid[0],
        valid[0] + b"<?php system('id') ?>",
        b"PK\x03\x04" + valid[1],
        *[saved(red, kind, save_all=True, append_images=[blue]) for kind in ("WEBP", "PNG")],
        saved(Image.new("CMYK", (60, 80), (9, 99, 9, 0)), "JPEG"),
        saved(Image.new("P", (60, 80)), "PNG", transparency=0),
        *[saved(Image.new(mode, (60, 80)), "PNG") for mode in ("I;16", "LA", "1", "L", "RGBA")],
        photo("JPEG", icc_profile=b"\0" * 60_000),
        photo("JPEG", exif=b"Exif\0\0" + b"\xff" * 5000),
    ]
    yield from other
    for _ in range(count - len(other)):
        data = bytearray(rng.choice(valid))
        how = rng.randrange(4)
        if how == 0:
            data = data[: rng.randrange(len(data))]
        elif how == 1:
            for _ in range(rng.randrange(1, 40)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        elif how == 2:
            place = rng.randrange(len(data))
            data[place:place] = rng.randbytes(rng.randrange(1, 500))
        else:
            data = bytearray(rng.randbytes(rng.randrange(1, 2000)))
        yield bytes(data)


def test_a_thousand_hostile_uploads_crash_nothing_and_leave_nothing(client, place, tmp_path, monkeypatch):
    dropped = tmp_path / "dropped"
    dropped.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(dropped))
    before = {path for path in place.rglob("*") if path.is_file()}
    client.post("/api/search", content=photo())
    process = psutil.Process()
    held, counts = process.memory_info().rss, {}
    for data in hostile(1000, random.Random(0)):
        answer = client.post(
            "/api/search", content=data, headers={"content-disposition": 'attachment; filename="../../x.jpg"'}
        )
        counts[answer.status_code] = counts.get(answer.status_code, 0) + 1
        assert answer.status_code in {200, *REFUSED}, answer.text
        assert answer.status_code == 200 or len(answer.json()["error"]) > 10
    assert counts[200] > 50 and counts[415] > 300
    assert process.memory_info().rss - held < 400e6
    assert not list(dropped.iterdir())
    assert {path for path in place.rglob("*") if path.is_file()} == before
    assert client.post("/api/search", content=photo()).status_code == 200


STRANGE = [
    "",
    "nan",
    "inf",
    "-1",
    "1e400",
    "9" * 200,
    "\0",
    "../../etc/passwd",
    "%2e%2e%2f",
    "'; DROP TABLE added; --",
    "<script>",
    "ü" * 150,
    "\N{DRESS}",
    "null",
    "[]",
    "{}",
    "0,0,1,1",
    "padded",
]


def test_strange_calls_are_answered_and_change_nothing(client, site, place):
    rng, before = random.Random(1), len(site.snapshot().frame)
    names = [*Question.model_fields, "x", "__class__"]
    data = photo()
    for _ in range(300):
        asked = {rng.choice(names): rng.choice(STRANGE) for _ in range(rng.randrange(4))}
        path = rng.choice(
            ["/api/search", f"/api/products/{quote(rng.choice(STRANGE), safe='')}", "/api/curve", "/api/status"]
        )
        call = rng.choice([client.get, client.delete, client.put, client.post])
        answer = call(path, params=asked, **({"content": data} if call in (client.put, client.post) else {}))
        assert answer.status_code in {200, 201, 307, 404, 405, 409, 422}, (path, asked, answer.text)
        assert "Traceback" not in answer.text
    added = {identity for identity, _ in products.added(site.shelf)}
    assert added <= set(STRANGE) and len(site.snapshot().frame) - before == len(added)
    assert not {path.name for path in place.rglob("*")} & {"passwd", "added"}


@pytest.mark.parametrize("stated", [True, False])
def test_a_hundred_megabytes_are_refused_and_not_kept(client, stated):
    process, sizes = psutil.Process(), []

    def parts():
        for _ in range(1000):
            sizes.append(process.memory_info().rss)
            yield b"\xff" * 100_000

    headers = {"content-length": "100000000"} if stated else {}
    answer = client.post("/api/search", content=parts(), headers=headers)
    assert (answer.status_code, "At most 10,000,000 bytes" in answer.json()["error"]) == (413, True)
    assert max(sizes) - sizes[0] < 40e6
    assert client.get("/api/status").status_code == 200


def test_a_photo_that_never_comes_is_not_waited_for(client, address, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_TO_SEND", 0.5)
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        slow.sendall(f"POST /api/search HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\nabc".encode())
        assert b" 408 " in slow.recv(4096)
    assert client.get("/api/status").status_code == 200


def test_many_ask_at_once_and_products_come_and_go_meanwhile(client, address, site):
    faults, like, data = [], site.ids[0], photo()

    def ask(number):
        with httpx.Client(base_url=address, timeout=60) as one:
            for turn in range(10):
                answer = (
                    one.post("/api/search", content=data) if turn % 2 else one.get("/api/search", params={"like": like})
                )
                if answer.status_code != 200 or len(answer.json()["results"]) != 12:
                    faults.append(answer.text)

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for asker in askers:
        asker.start()
    for number in range(10):
        client.put(f"/api/products/q-{number}", content=photo("PNG")).raise_for_status()
        client.delete(f"/api/products/q-{number}").raise_for_status()
    for asker in askers:
        asker.join()
    assert not faults


def test_it_listens_on_this_computer_alone_unless_told_otherwise():
    from pipeline import app

    assert app.LOCAL == "127.0.0.1"
    assert Path(app.__file__).read_text(encoding="utf-8").count("default=LOCAL") == 1
    assert os.environ.get("UVICORN_HOST") is None
