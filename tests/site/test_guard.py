"""Connections, names and other web pages; the page while the program is being loaded. None of it needs an encoder."""

import asyncio
import contextlib
import json
import select
import socket
import subprocess
import sys
import time

import httpx
import pytest
from servers import answering
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from pipeline.site import connections, guard, pages
from pipeline.site.guard import Guard, Writing


async def echo(scope, receive, send):
    """Says how it was asked."""
    await JSONResponse({"method": scope["method"], "path": scope["path"]})(scope, receive, send)


def ask(app, path="/api/v1/x", method="GET", host="shop.example", **headers):
    async def asked():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, path, headers={"host": host, **sent})

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("shop.example", 200),
        ("SHOP.example:8080", 200),
        ("own.example", 200),
        ("192.0.2.7:7860", 200),  # an address: no name of another points at it
        ("[::1]:7860", 200),
        ("evil.example:7860", 400),
        ("shop.example.evil.example", 400),
        ("", 400),
        ("[", 400),
    ],
)
def test_it_answers_to_its_names_and_to_addresses(host, status):
    answer = ask(Guard(echo, ["own.example"], ["shop.example"]), host=host)
    assert answer.status_code == status, answer.text
    assert status == 200 or "--name" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"origin": "http://evil.example"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("POST", {"sec_fetch_site": "same-site"}, 403),
        ("GET", {"sec_fetch_site": "cross-site"}, 403),  # an <img> of another page makes nobody load an encoder
        ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, 200),
        ("POST", {"origin": "http://own.example"}, 200),
        ("POST", {"origin": "https://shop.example"}, 200),  # what a proxy calls it
        ("POST", {"origin": "https://shop.example.evil.example"}, 403),
        ("POST", {"sec_fetch_site": "same-origin", "origin": "https://shop.example"}, 200),
        ("POST", {}, 200),
    ],
)
def test_other_pages_use_nothing_of_it(method, headers, status):
    app = Guard(echo, ["own.example"], ["shop.example"])
    assert ask(app, method=method, host="own.example", **headers).status_code == status


def test_a_proxy_that_calls_it_by_its_address_is_understood():
    answer = ask(Guard(echo, [], ["shop.example"]), method="POST", host="127.0.0.1:7860", origin="http://shop.example")
    assert answer.status_code == 200


def test_every_answer_has_the_headers_and_head_is_answered():
    app = Guard(echo, ["shop.example"])
    for answer in (ask(app), ask(app, host="evil"), ask(app, method="HEAD")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-cache"
    assert ask(app, method="HEAD").status_code == 200


def test_more_questions_than_can_be_answered_are_put_off_in_one_line(monkeypatch):
    monkeypatch.setattr(guard, "MOST_AT_WORK", 2)
    most = []

    async def slow(scope, receive, send):
        most.append(1)
        await asyncio.sleep(0.1)
        await echo(scope, receive, send)

    app = Guard(slow, ["here"])

    async def several():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await asyncio.gather(*[client.get("/") for _ in range(5)])

    answers = asyncio.run(several())
    assert sorted(one.status_code for one in answers) == [200, 200, 503, 503, 503]
    refused = next(one for one in answers if one.status_code == 503)
    assert refused.headers["retry-after"] == "2" and "ask again" in refused.json()["error"]
    assert len(most) == 2 and app.at_work == 0


def test_changes_are_for_whoever_runs_it():
    with pytest.raises(HTTPException) as refused:
        Writing().check("Bearer x")
    assert refused.value.status_code == 403
    Writing(on=True).check(None)
    secret = Writing(on=True, token="a secret")
    secret.check("Bearer a secret")
    for given in (None, "", "a secret", "Bearer a secre", "Bearer a secret ", "bearer a secret", "Bearer ü"):
        with pytest.raises(HTTPException) as refused:
            secret.check(given)
        assert (refused.value.status_code, refused.value.headers) == (401, {"www-authenticate": "Bearer"})


def test_what_says_nothing_is_closed_and_others_are_answered_meanwhile(monkeypatch):
    monkeypatch.setattr(connections, "SILENT", 1.0)
    with answering(Guard(echo, [])) as address:
        place = ("127.0.0.1", int(address.rpartition(":")[2]))
        silent = [socket.create_connection(place, timeout=30) for _ in range(100)]
        for number, one in enumerate(silent):
            if number % 2:
                one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")  # and never the rest
        later = socket.create_connection(place, timeout=30)
        later.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        began = time.perf_counter()
        assert httpx.get(address, timeout=30).status_code == 200
        assert time.perf_counter() - began < 1
        assert b"200 OK" in later.recv(4096)
        later.sendall(b"GET / HT")  # a second head that does not come whole
        for one in [*silent, later]:
            while one.recv(4096):
                pass
            one.close()
        assert time.perf_counter() - began < 25


def test_a_head_that_comes_letter_by_letter_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(connections, "SILENT", 1.0)
    with answering(Guard(echo, [])) as address:
        began, place = time.perf_counter(), ("127.0.0.1", int(address.rpartition(":")[2]))
        with socket.create_connection(place, timeout=30) as one:
            one.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
            while not select.select([one], [], [], 0.1)[0]:
                one.sendall(b"x")
                assert time.perf_counter() - began < 25
            assert one.recv(4096) == b""


def test_a_body_that_was_answered_unread_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(connections, "SILENT", 1.0)
    with answering(Guard(echo, [])) as address:
        began, place = time.perf_counter(), ("127.0.0.1", int(address.rpartition(":")[2]))
        with socket.create_connection(place, timeout=30) as one:
            one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n")
            assert b"200 OK" in one.recv(4096)
            one.sendall(b"x")  # and never the rest
            while one.recv(4096):
                pass
        assert time.perf_counter() - began < 25


def test_an_answer_that_nobody_takes_is_let_go_and_a_slow_reader_has_all_of_it(monkeypatch):
    monkeypatch.setattr(connections, "UNREAD", 1.0)
    size, left = 30_000_000, []

    async def large(scope, receive, send):
        await Response(bytes(size))(scope, receive, send)
        left.append(scope["path"])

    with answering(Guard(large, [])) as address:
        place = ("127.0.0.1", int(address.rpartition(":")[2]))
        unread, slow = (socket.create_connection(place, timeout=30) for _ in range(2))
        for one, path in ((unread, b"unread"), (slow, b"slow")):
            one.sendall(b"GET /" + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        began, taken = time.perf_counter(), 0
        while taken < size:
            taken += len(slow.recv(1_000_000))
            time.sleep(0.05 if time.perf_counter() - began < 4 else 0)
        assert sum(iter(lambda: len(unread.recv(1_000_000)), 0)) < size  # what was on its way
        for one in (unread, slow):
            one.close()


def test_a_request_that_takes_longer_than_a_silence_is_answered(monkeypatch):
    monkeypatch.setattr(connections, "SILENT", 0.2)

    async def slow(scope, receive, send):
        await asyncio.sleep(0.8)
        await echo(scope, receive, send)

    with answering(Guard(slow, [])) as address, httpx.Client(base_url=address, timeout=30) as client:
        assert [client.get("/").status_code for _ in range(2)] == [200, 200]


def test_what_is_no_http_is_a_fault_like_any_other():
    with answering(Guard(echo, [])) as address:
        place = ("127.0.0.1", int(address.rpartition(":")[2]))
        with socket.create_connection(place, timeout=30) as one:
            one.sendall(b"\0\1 rubbish\r\n\r\n")
            said = b"".join(iter(lambda: one.recv(4096), b""))
    head, _, body = said.partition(b"\r\n\r\n")
    assert b" 400 " in head and json.loads(body)["error"]


@pytest.mark.parametrize("pieces", [1, 40])
@pytest.mark.parametrize(
    "head", [b"X-Long: " + b"x" * 40_000 + b"\r\n", b"".join(b"X-%d: y\r\n" % n for n in range(5000))]
)
def test_a_long_head_is_refused_in_one_line_or_does_no_harm(head, pieces):
    with answering(Guard(echo, [])) as address:
        status, body = said_to(address, head, pieces)
        assert status in (200, 400, 431) and (status == 200 or body["error"])
        assert status == 200 or pieces == 1 or len(head) > 32_000
        assert httpx.get(address).status_code == 200


def test_a_head_without_an_end_is_refused_in_one_line():
    with answering(Guard(echo, [])) as address:
        status, body = said_to(address, b"X-Endless: " + b"x" * 2_000_000, 40)
        assert status in (400, 431) and body["error"]


def said_to(address, head, pieces):
    """What is answered to a head that comes in some pieces, one after the other, until something is answered."""
    whole, said = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + head + b"\r\n", b""
    step = -(-len(whole) // pieces)
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=30) as one:
        with contextlib.suppress(OSError):  # it has answered, and reads no more
            for place in range(0, len(whole), step):
                one.sendall(whole[place : place + step])
                if select.select([one], [], [], 0.01 if pieces > 1 else 0)[0]:
                    break
        with contextlib.suppress(ConnectionResetError):
            while part := one.recv(65_536):
                said += part
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_the_page_and_the_state_are_there_before_the_program():
    app = pages.Opening(["here"])
    assert ask(app, "/api/v1/status", host="here").json()["phase"] == "loading the program"
    assert "Fashion" in ask(app, "/", host="here").text
    assert ask(app, "/page.js", host="here").headers["content-type"].startswith("text/javascript")
    refused = ask(app, "/api/v1/search?text=x", host="here")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert ask(app, "/", host="evil.example").status_code == 400
    assert ask(app, "/nothing", host="here").status_code == 404
    app.app = echo
    assert ask(app, "/api/v1/status", host="here").json()["path"] == "/api/v1/status"


def test_who_has_a_page_is_not_sent_it_again():
    app = pages.Opening(["here"])
    first = ask(app, "/page.js", host="here")
    again = ask(app, "/page.js", host="here", if_none_match=first.headers["etag"])
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert ask(app, "/page.js", host="here", if_none_match='W/"other"').status_code == 200


def test_what_answers_first_loads_no_library_of_the_study():
    heavy = {"numpy", "pandas", "sklearn", "scipy", "numba", "keras", "tensorflow", "faiss", "cv2", "PIL", "fastapi"}
    code = f"""if True:
        import sys, uvicorn
        from pipeline import app
        loaded = lambda: print(sorted({heavy} & set(sys.modules)))
        loaded()
        app._open = lambda *given: None  # which loads all of them, in a thread of its own
        uvicorn.Server.run = lambda server, sockets: (sockets[0].getsockname(), loaded())
        sys.exit(app.main(["--port", "0"]))"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    first, address, then = result.stdout.splitlines()
    assert (first, then) == ("[]", "[]") and address.startswith("http://"), result.stderr  # D9: it listens by now
