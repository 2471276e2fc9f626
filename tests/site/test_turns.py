"""Turns of photos and the bodies that they come in: what is bounded, and what does not wait for what."""

import asyncio
import threading
import time

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pipeline.site import bodies, tables, turns
from pipeline.site.questions import SearchError

EDGE = "multipart/form-data; boundary=edge"


class Asker:
    """A request of which only the connection, or the body, is looked at."""

    def __init__(self, gone=False, parts=(), length=None):
        self.gone, self.parts = gone, parts
        self.headers = {} if length is None else {"content-length": str(length)}

    async def is_disconnected(self):
        return self.gone

    async def stream(self):
        for part in self.parts:
            yield part


def form(*files):
    parts = [
        f'--edge\r\nContent-Disposition: form-data; name="photo"; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in files
    ]
    return b"".join(parts) + b"--edge--\r\n"


@pytest.mark.parametrize(("kind", "at_once"), [("searches", 3), ("photos", 2), ("large photos", 1)])
def test_so_many_are_at_work_at_once_and_one_kind_does_not_wait_for_another(monkeypatch, kind, at_once):
    monkeypatch.setattr(turns, "CORES", 2)
    goes_on, at_work, most = threading.Event(), set(), []

    def work(number):
        at_work.add(number)
        most.append(len(at_work))
        goes_on.wait(5)
        at_work.discard(number)
        return number

    async def all_of_them():
        taken = turns.Turns(searches=3)
        asked = [asyncio.create_task(taken.run(Asker(), lambda n=n: work(n), kind)) for n in range(20)]
        await asyncio.sleep(0.1)
        for other in {"searches", "photos", "large photos"} - {kind}:
            assert await taken.run(Asker(), lambda other=other: other, other) == other
        assert not any(one.done() for one in asked)
        goes_on.set()
        return await asyncio.gather(*asked)

    assert asyncio.run(all_of_them()) == list(range(20))
    assert max(most) == at_once


def test_too_many_are_put_off_and_who_has_left_costs_nothing(monkeypatch):
    monkeypatch.setattr(turns, "MOST_WAITING", 3)
    done = []

    async def all_of_them():
        taken = turns.Turns()
        wait = [asyncio.create_task(taken.run(Asker(), lambda: time.sleep(0.05), "photos")) for _ in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(turns.Busy, match="3 photos are waiting"):
            await taken.run(Asker(), lambda: done.append(1), "photos")
        await asyncio.gather(*wait)
        with pytest.raises(ClientDisconnect):
            await taken.run(Asker(gone=True), lambda: done.append(2), "photos")
        await taken.run(Asker(), lambda: done.append(3), "photos")

    asyncio.run(all_of_them())
    assert done == [3]


def read(held, request, most=10):
    async def body():
        async with held.read(request, most) as data:
            return data, held.held

    return asyncio.run(body())


def test_a_body_is_held_within_bounds_and_let_go(monkeypatch):
    held = bodies.Bodies()
    assert read(held, Asker(parts=[b"12345", b"67890"])) == (b"1234567890", 10)
    for request, status in (
        (Asker(parts=[b"12345", b"678901"]), 413),
        (Asker(parts=[b"1"], length=11), 413),
        (Asker(parts=[]), 422),
    ):
        with pytest.raises(HTTPException) as refused:
            read(held, request)
        assert refused.value.status_code == status
    monkeypatch.setattr(bodies, "MOST_HELD", 9)
    with pytest.raises(turns.Busy):
        read(held, Asker(parts=[b"12345", b"67890"]))
    assert held.held == 0


def test_a_forms_files_are_found_byte_for_byte():
    odd = b"\r\n\x00\xff--edg\r\r\n\n"
    assert bodies.forms_files(form(("a.jpg", odd), ("..\\b/ü\tc.png", b"")), EDGE) == [("a.jpg", odd), ("üc.png", b"")]
    assert bodies.photo(form(("a.jpg", odd)), EDGE) == odd
    assert bodies.photo(odd, "image/jpeg") == odd


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (form(("a", b"1"))[:-8], EDGE, "cut short"),
        (form(*[("a", b"1")] * (bodies.MOST_FILES + 1)), EDGE, "more than 20"),
        (b'--edge\r\nContent-Disposition: form-data; name="count"\r\n\r\n5\r\n--edge--', EDGE, "in the address"),
        (b"x", "image/jpeg", "multipart/form-data"),
        (b"x", "multipart/form-data", "multipart/form-data"),
        (b"\r\n--edge" * 1_000_000, EDGE, "more than 20"),
    ],
)
def test_a_form_that_cannot_be_read_says_why(data, kind, said):
    with pytest.raises(SearchError, match=said):
        bodies.forms_files(data, kind)


def test_one_photo_is_one_file():
    with pytest.raises(SearchError, match="Received: 2 files"):
        bodies.photo(form(("a", b"1"), ("b", b"2")), EDGE)


def test_a_table_holds_no_formula():
    row = {"rank": 1, "id": "-1", "productDisplayName": "=1+1", "articleType": None, "distance": 0.5}
    instead = {"=gown": ["dress"], "zzz": []}
    answers = [
        {"file": "@a.jpg", "answer": {"results": [row], "instead": instead}, "error": None},
        {"file": "b.jpg", "answer": None, "error": "cut short"},
    ]
    assert tables.written(answers).splitlines() == [
        "file,rank,id,productDisplayName,articleType,distance,instead,fault",
        "'@a.jpg,1,'-1,'=1+1,,0.5,'=gown: dress; zzz: left out,",
        "b.jpg,,,,,,,cut short",
    ]
