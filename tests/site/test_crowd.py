"""A class at its browsers: each opens six connections at once, and all of them are answered."""

import asyncio
import io
import re

from PIL import Image

BROWSERS = 32
CONNECTIONS = 6  # that a browser opens
SECONDS = 300  # within which all are answered, on whichever machine


def photo():
    buffer = io.BytesIO()
    Image.effect_noise((60, 80), 60).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def asked(site, browser, place):
    """What one connection of a browser asks for: the page's files, pictures, a search with each kind of thing."""
    pictures = [
        f"/api/v1/products/{site.ids[(6 * browser + place + step) % len(site.ids)]}/picture" for step in range(2)
    ]
    first = ["/", "/style.css", "/page.js", "/vendor/preact.js", "/api/v1/status", "/api/v1/products?count=24"][place]
    searches = {
        0: f"/api/v1/search?like={site.ids[browser]}",
        1: "/api/v1/search?text=black+shirt",
        2: "/api/v1/search",
    }
    return [first, *pictures, *([searches[place]] if place in searches else [])]


async def answered(connection, target):
    """The status of an answer that came whole; what is asked at /search itself is asked with a photo."""
    reader, writer = connection
    body = photo() if target.endswith("/search") else b""
    head = f"{'POST' if body else 'GET'} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    said = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(re.search(rb"\r\ncontent-length: (\d+)", said.lower())[1]))
    return int(said.split()[1])


def test_thirty_two_browsers_of_six_connections_each_get_no_fault(site, address):
    port = int(address.rpartition(":")[2])
    crowd = [(browser, place) for browser in range(BROWSERS) for place in range(CONNECTIONS)]

    async def one(connection, wanted):
        return [await answered(connection, target) for target in wanted]

    async def all_at_once():
        connections = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in crowd))
        work = (one(there, asked(site, *who)) for there, who in zip(connections, crowd, strict=True))
        found = await asyncio.wait_for(asyncio.gather(*work), SECONDS)
        for _, writer in connections:
            writer.close()
        return found

    found = asyncio.run(all_at_once())
    assert len(found) == 192 and {status for statuses in found for status in statuses} == {200}
