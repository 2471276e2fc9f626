"""The proxy that docs/site.md shows, before a site: a shopper's browser gets everything, another web page nothing."""

import io
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image
from servers import answering, free_port

from pipeline import app
from pipeline.site.service import service

ROOT = Path(__file__).parents[2]
REQUIRED = "PROXY_TESTS"  # set to `required`: without nginx the tests fail, and are not skipped
OWN = {"host": "shop.example", "origin": "http://shop.example", "sec-fetch-site": "same-origin"}  # as a browser says it


@pytest.fixture(scope="module")
def nginx():
    """The program. It is Debian's and Ubuntu's nginx-light, and installs no service's state that a test would use."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None and os.environ.get(REQUIRED) == "required":
        raise FileNotFoundError("nginx: apt-get install --no-install-recommends nginx-light")
    return found or pytest.skip("no nginx was found: apt-get install --no-install-recommends nginx-light")


def documented():
    """The lines that docs/site.md has for nginx, and what the site is started with there."""
    shown = re.search(
        r"python -m pipeline\.app (--name .*)\n\n(# nginx .*?)```", (ROOT / "docs/site.md").read_text(), re.S
    )
    return app._parser().parse_args(shown[1].split()), shown[2]


@pytest.fixture(params=["with the line on Host", "without the line on Host"])
def shop(request, nginx, site, tmp_path):
    """Where the proxy answers for the site, as it is documented but for its ports."""
    given, lines = documented()
    if request.param.startswith("without"):
        lines = changed(lines, "    proxy_set_header Host $host;\n", "")
    port = free_port()
    with answering(service(site, [*app.OWN, given.host], given.name)) as address:
        lines = changed(changed(lines, "listen 80;", f"listen 127.0.0.1:{port};"), "http://127.0.0.1:7860", address)
        process = started(nginx, tmp_path / "nginx", lines)
        try:
            yield reached(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
            process.wait(30)


def changed(lines, old, new):
    assert lines.count(old) == 1, old
    return lines.replace(old, new)


def started(nginx, place, lines):
    """The proxy, which keeps all that it writes in one place."""
    place.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""  # another could not look into a test's folder
    kept = "".join(f"{kind}_temp_path {place / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main = f"{user} daemon off; pid {place / 'pid'}; worker_processes 1; events {{}}"
    (place / "conf").write_text(f"{main}\nhttp {{ access_log off; {kept}\n{lines}\n}}\n")
    return subprocess.Popen([nginx, "-p", place, "-c", place / "conf", "-e", place / "log"], stderr=subprocess.PIPE)


def reached(address, process):
    """The address, once something answers there."""
    while process.poll() is None:
        try:
            httpx.get(address)
            return address
        except httpx.TransportError:
            time.sleep(0.05)
    raise ChildProcessError(process.communicate()[1])


def photo():
    """Of a phone: larger than what nginx takes unless it is told otherwise."""
    buffer = io.BytesIO()
    Image.effect_noise((1500, 1500), 90).convert("RGB").save(buffer, "JPEG", quality=95)
    assert buffer.tell() > 1_100_000
    return buffer.getvalue()


def test_the_documented_proxy_lets_a_shopper_do_everything_and_another_page_nothing(shop, site):
    data = photo()
    with httpx.Client(base_url=shop, headers=OWN, timeout=60) as client:
        found = client.post("/api/v1/search", content=data)  # D1: it was 403 without the line on Host, 400 with it
        assert found.status_code == 200 and len(found.json()["results"]) == 12, found.text
        mark = client.post("/api/v1/photos", content=data)
        assert mark.status_code == 201
        for path in ("/", "/page.js", f"/api/v1/search?photo={mark.json()['photo']}", "/api/v1/search?text=shirt"):
            assert client.get(path).status_code == 200, path
        assert client.get(f"/api/v1/products/{site.ids[0]}/picture").content == site.picture(site.ids[0])
        for strange in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
            refused = client.post("/api/v1/search", content=data, headers=strange)
            assert refused.status_code == 403 and "another web page" in refused.json()["error"]
        large = client.post("/api/v1/search", content=bytes(20_000_000))
        assert large.status_code == 413 and large.json()["error"]
        assert client.put("/api/v1/products/mine", content=data).status_code == 403  # it is to be looked at


def test_one_client_who_asks_too_much_is_put_off_in_one_line(shop):
    with httpx.Client(base_url=shop, headers=OWN, timeout=60) as client:
        for _ in range(3000):  # 300 at once, and 20 a second after them
            if (answer := client.get("/icon.svg")).status_code != 200:
                break
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "ask again" in answer.json()["error"] and answer.headers["content-type"] == "application/json"
