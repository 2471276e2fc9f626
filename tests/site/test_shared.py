"""The gallery in PostgreSQL: it finds what one computer finds; several processes, servers, and faults."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipeline.data import catalog, images
from pipeline.retrieval import database
from pipeline.retrieval.database import DatabaseError, Server
from pipeline.site import loading, products
from pipeline.site.questions import FILTERS, Page, Question, SearchError
from pipeline.site.shared import Shared
from pipeline.site.site import Site

ENCODERS = ["padded", "stretched", "both"]


@pytest.fixture
def addresses(server, place, study):
    """A new database that holds the run."""
    address = server.new("one")
    loading.load(study, [address], ENCODERS, index=True)
    return [address]


def opened(study, addresses):
    site = Site(study, None, Shared(addresses))
    site.start()
    return site


@pytest.fixture
def shared(addresses, study):
    return opened(study, addresses)


@pytest.fixture
def both(site, shared):
    """The same products here and in a database."""
    return site, shared


def same(one, other):
    """The same products at the same distances; two that are equally far may stand either way."""
    ours, theirs = (answer["results"] for answer in (one, other))
    # they are shown with six digits, so one in the last is a difference of less than 1e-6
    assert [row["distance"] for row in theirs] == pytest.approx([row["distance"] for row in ours], rel=1e-6, abs=1.1e-6)
    far = np.array([row["distance"] for row in ours])
    for place, (row, found) in enumerate(zip(ours, theirs, strict=True)):
        alone = np.sum(np.abs(far - far[place]) <= 2e-6 * max(1, far[place])) == 1
        assert not alone or place == len(ours) - 1 or row == {**found, "distance": row["distance"]}
    assert one["articleType"] == other["articleType"] or not ours
    for name in ("encoder", "distance", "index", "box", "instead", "threshold"):
        assert one[name] == other[name]


def asked(site):
    """Searches of every kind."""
    ids, frame = site.ids, site.catalogue.frame
    kind, colour = frame[catalog.ARTICLE].iloc[0], frame[catalog.COLOUR].iloc[0]
    for encoder in ENCODERS:
        for distance in ("cosine", "euclidean", "manhattan"):
            for row in (0, 5, 77):
                yield {"encoder": encoder, "distance": distance, "like": ids[row], "count": 20}
    yield {"like": ids[3], "count": 5, "offset": 7}
    yield {"like": ids[3], "count": 100, "gender": ["Women"], "offset": 3}
    yield {"like": ids[3], "gender": ["Women", "Men"], "articleType": [kind], "baseColour": [colour, "none such"]}
    yield {"like": ids[3], "count": 100, "farthest": 0.01}
    yield {"like": ids[3], "articleType": ["none such"]}
    yield {"like": ids[3], "gender": ["\0", "Men"]}
    yield {"text": f"{colour} {kind}", "count": 50}
    yield {"text": f"{colour} {colour} unheard-of", "count": 50, "gender": ["Men"]}
    yield {"text": f"crimson {kind} \0", "count": 50}
    yield {"text": "Crimson zzz spectacles", "count": 50}
    yield {"text": "crimson", "gender": ["Men", "Women"], "baseColour": ["Red"]}
    yield {"text": "crimson", "like": ids[8], "image_weight": 0.5, "count": 30}
    for weight in (0.0, 0.3, 1.0):
        yield {"text": f"{colour} {kind}", "like": ids[8], "image_weight": weight, "count": 30}
    yield {"count": 100, "offset": 100_000, "like": ids[1]}


def test_every_search_finds_what_this_computer_finds(both):
    here, there = both
    for question in asked(here):
        same(here.search(Question(**question)), there.search(Question(**question)))
    for encoder in ENCODERS:
        photo = images.decode(here.picture(here.ids[9]))
        question = Question(encoder=encoder, count=30)
        same(here.search(question, photo), there.search(question, photo))
        for box in ("10,5,30,40", "0.5,-5,400,900"):
            for more in ({}, {"text": "crimson", "image_weight": 0.4}, {"gender": ["Women"], "farthest": 0.02}):
                boxed = Question(encoder=encoder, count=30, box=box, **more)
                same(here.search(boxed, photo), there.search(boxed, photo))
    assert there.search(Question(text="crimson zzz"))["instead"] == {"crimson": ["red"], "zzz": []}
    status = here.status() | {"indexes": ["exact", "hnsw"]}
    assert there.status() == status
    for page in ({}, {"offset": 90, "count": 7}, {"gender": ["Women"], "season": ["Summer", "\0"]}, {"offset": 10**30}):
        assert there.gallery.listed(Page(**page)) == here.gallery.listed(Page(**page))
    assert there.picture(here.ids[0]) == here.picture(here.ids[0])


def test_a_search_that_cannot_be_made_says_what_would_work_here_too(shared, site):
    for question, said in (
        ({"like": "nobody"}, "no product 'nobody'"),
        ({"like": "../\0"}, "no product"),
        ({"text": "zzz"}, "no product is described"),
        ({"like": site.ids[0], "index": "ivf"}, "no index ivf"),
    ):
        with pytest.raises((SearchError, products.Missing), match=said):
            shared.search(Question(**question))


def explained(ask, plans):
    """`Server.ask` that notes how the database goes about what it is asked."""

    def asking(server, statement, values=()):
        plans.append(str(ask(server, f"EXPLAIN {statement}", values)))
        return ask(server, statement, values)

    return asking


def test_the_index_finds_what_the_exact_search_finds_and_goes_on_until_the_filters_are_full(
    site, addresses, study, monkeypatch
):
    for way in ("enable_seqscan", "enable_sort"):  # of so few products the database would read all
        monkeypatch.setitem(database.SETTINGS, way, "off")
    here, there, plans = site, opened(study, addresses), []
    asked = {"like": here.ids[4], "count": 20}
    with monkeypatch.context() as patched:
        patched.setattr(Server, "ask", explained(Server.ask, plans))
        there.search(Question(**asked, index="hnsw", gender=["Women"]))
    number = there.gallery._tables[there.ready(None).identity][0].number
    assert sum(f"feature_{number}_hnsw" in plan for plan in plans) == 2  # those that are shown, and that tell the type
    exact, near = (there.search(Question(**asked, index=index)) for index in ("exact", "hnsw"))
    assert len({row["id"] for row in exact["results"]} & {row["id"] for row in near["results"]}) >= 18
    apart = {row["id"]: row["distance"] for row in exact["results"]}
    assert all(row["distance"] == apart.get(row["id"], row["distance"]) for row in near["results"])
    for chosen in ({"gender": ["Women"]}, {"gender": ["Men", "Boys"], "offset": 5}, {"baseColour": ["none such"]}):
        exact, ours, theirs = (
            site.search(Question(**asked, **chosen, index=index))["results"]
            for site, index in ((here, "exact"), (here, "hnsw"), (there, "hnsw"))
        )
        for near in (ours, theirs):
            assert len(near) == len(exact)
            assert len({row["id"] for row in exact} & {row["id"] for row in near}) >= 0.9 * len(exact)
        apart = {row["id"]: row["distance"] for row in ours}
        for row in theirs:
            assert row["gender"] in chosen["gender"]
            assert row["distance"] == pytest.approx(apart.get(row["id"], row["distance"]), rel=1e-6, abs=1.1e-6)
    rare = here.catalogue.frame[catalog.ARTICLE].value_counts().index[-1]
    few = there.search(Question(**asked, index="hnsw", articleType=[rare]))["results"]
    assert [row["id"] for row in few] == [
        row["id"] for row in here.search(Question(**asked, articleType=[rare]))["results"]
    ]


def test_what_one_process_changes_the_other_finds_at_once(shared, addresses, study, site):
    other, photo = opened(study, addresses), Image.effect_noise((90, 120), 80).convert("RGB")
    other.ready("stretched")
    shared.add("new-1", {"articleType": "Tshirts", "productDisplayName": "A quaint thing"}, photo)
    for encoder in ENCODERS:  # two of them were not at hand where it was added
        for distance in ("cosine", "euclidean", "manhattan"):
            first = other.search(Question(encoder=encoder, distance=distance, count=1), photo)["results"][0]
            assert (first["id"], first["articleType"]) == ("new-1", "Tshirts")
    assert [row["id"] for row in other.search(Question(text="quaint"))["results"]] == ["new-1"]
    assert "new-1" not in [row["id"] for row in other.search(Question(like="new-1"))["results"]]
    assert images.decode(other.picture("new-1")).size == (90, 120)
    assert (other.status()["added"], other.status()["products"]) == (1, len(site.ids) + 1)
    alone = other.gallery.product("new-1")
    assert alone.pop("added") is True and other.gallery.product(site.ids[0])["added"] is False
    assert other.gallery.listed(Page(offset=len(site.ids)))["products"] == [alone]
    for taken in ("new-1", site.ids[0]):
        with pytest.raises(products.Conflict, match="taken"):
            other.add(taken, {}, photo)
    other.remove("new-1")
    for gone in (shared, other):
        with pytest.raises(products.Missing):
            gone.remove("new-1")
        with pytest.raises(products.Missing):
            gone.picture("new-1")
    with pytest.raises(products.Conflict, match="gone for good"):
        other.restore("new-1")


def test_what_is_hidden_is_nowhere_until_it_is_restored(shared, addresses, study, site):
    near = [row["id"] for row in shared.search(Question(like=site.ids[0]))["results"]]
    shared.remove(near[0])
    other = opened(study, addresses)
    assert [row["id"] for row in other.search(Question(like=site.ids[0]))["results"]][:5] == near[1:6]
    assert [row["id"] for row in other.gallery.hidden()] == [near[0]]
    assert near[0] not in [row["id"] for row in other.search(Question(like=site.ids[0], index="hnsw"))["results"]]
    with pytest.raises(products.Missing):
        other.search(Question(like=near[0]))
    other.restore(near[0])
    assert [row["id"] for row in shared.search(Question(like=site.ids[0]))["results"]] == near


def test_two_additions_of_one_id_at_once_are_one_product(shared):
    picture = products.stored(Image.new("RGB", (5, 5)))
    shared.gallery.add("twin", {"gender": "Men"}, picture, {})
    with pytest.raises(products.Conflict, match="taken"):  # the other had looked before it was there
        shared.gallery.add("twin", {"gender": "Boys"}, picture, {})
    assert shared.gallery.product("twin")["gender"] == "Men"


def test_what_is_added_while_an_encoder_is_loaded_is_found_by_it_too(server, place, study, monkeypatch):
    address, photos = server.new("one"), [Image.effect_noise((90, 120), 80).convert("RGB") for _ in range(2)]
    loading.load(study, [address], ["padded"], index=False)
    site, fill, transaction = opened(study, [address]), database.fill, Server.transaction
    late = threading.Thread(target=site.add, args=("late", {}, photos[1]))

    def filling(*arguments):
        fill(*arguments)
        site.add("meanwhile", {}, photos[0])  # which does not wait for the load

    @contextmanager
    def ending(self, *patience):
        with transaction(self, *patience) as connection:
            yield connection
            if patience == (None,) and connection.execute("SELECT FROM encoder WHERE number = 2").fetchall():
                late.start()
                while late.is_alive() and not Server(address).ask("SELECT FROM pg_locks WHERE NOT granted"):
                    time.sleep(0.01)

    with monkeypatch.context() as patched:
        patched.setattr(database, "fill", filling)
        patched.setattr(Server, "transaction", ending)
        loading.load(study, [address], ["stretched"], index=False)
    late.join()
    other = opened(study, [address])
    for name, photo in zip(("meanwhile", "late"), photos, strict=True):
        found = other.search(Question(encoder="stretched", count=1), photo)["results"]
        assert [row["id"] for row in found] == [name]


def test_two_additions_in_one_nanosecond_are_two_products(shared, monkeypatch):
    picture, now = products.stored(Image.new("RGB", (5, 5))), time.time_ns()
    encoder, (table,) = next(iter(shared.gallery._tables.items()))
    vector = {encoder: np.ones(table.dimension, np.float32)}
    keys = iter([now, now, now + 1, now + 2, now, now + 1])
    monkeypatch.setattr("pipeline.site.shared.time.time_ns", lambda: next(keys))
    shared.gallery.add("one", {}, picture, vector)
    shared.gallery.add("two", {"gender": "Men"}, picture, vector)
    with pytest.raises(products.Conflict, match="'two' is taken"):
        shared.gallery.add("two", {}, picture, vector)
    with pytest.raises(DatabaseError, match="refuses 'three', by its product_pkey; ask again"):
        shared.gallery.add("three", {}, picture, vector)
    rows = shared.gallery.servers[0].ask("SELECT id, key FROM product WHERE NOT catalogued ORDER BY key")
    assert rows == [("one", now), ("two", now + 1)]
    assert shared.gallery.product("two")["gender"] == "Men"


def test_a_product_that_is_added_while_its_id_is_taken_away_is_not_hidden(shared, addresses, monkeypatch):
    gallery, other = shared.gallery, Shared(addresses)
    transaction, picture = gallery.servers[0].transaction, products.stored(Image.new("RGB", (5, 5)))

    @contextmanager
    def removing():
        with transaction() as connection:

            def execute(statement, values):
                done = connection.execute(statement, values)
                if statement.startswith("DELETE FROM product"):
                    other.add("late", {}, picture, {})
                return done

            yield SimpleNamespace(execute=execute)

    with monkeypatch.context() as patched:
        patched.setattr(gallery.servers[0], "transaction", removing)
        with pytest.raises(products.Missing):
            gallery.remove("late")
    assert (gallery.hidden(), gallery.product("late")["id"]) == ([], "late")
    gallery.remove("late")
    with pytest.raises(products.Missing):
        gallery.product("late")


def test_a_new_migration_keeps_the_products_and_is_done_once_by_two_who_begin_together(
    server, place, study, monkeypatch, tmp_path
):
    import psycopg  # where it is installed

    address, folder = server.new("one"), tmp_path / "migrations"
    loading.load(study, [address], ["padded"], index=False)
    site, asked = opened(study, [address]), Server(address)
    site.add("mine", {"gender": "Men"}, Image.new("RGB", (60, 80), "red"))
    site.remove(site.gallery.listed(Page(count=1))["products"][0]["id"])
    before = site.gallery.listed(Page(offset=600)), site.gallery.hidden(), site.search(Question(text="men"))["results"]
    folder.mkdir()
    for file in loading.MIGRATIONS.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "002_notes.sql").write_text("ALTER TABLE product ADD COLUMN note text;\nCREATE TABLE note (key bigint);")
    with monkeypatch.context() as newer:
        newer.setattr(loading, "MIGRATIONS", folder)
        newer.setattr("pipeline.site.shared.SCHEMA", 2)
        with pytest.raises(DatabaseError, match="at migration 1, this program at 2. Run: … load"):
            Shared([address])
        waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        with ThreadPoolExecutor() as two, psycopg.connect(address) as first:
            first.execute("SELECT pg_advisory_xact_lock(1)")
            both = [two.submit(loading.migrate, Server(address)) for _ in range(2)]
            while len(asked.ask(waiting)) < 2 and not any(one.done() for one in both):
                time.sleep(0.01)
            first.rollback()
            assert [one.result() for one in both] == [None, None]
        loading.load(study, [address], ["padded"], index=False)
        again = opened(study, [address])
        assert before == (
            again.gallery.listed(Page(offset=600)),
            again.gallery.hidden(),
            again.search(Question(text="men"))["results"],
        )
        assert asked.ask("SELECT number FROM migration ORDER BY number") == [(1,), (2,)]
        assert asked.ask("SELECT note FROM product WHERE id = 'mine'") == [(None,)]
    for older in (lambda: Shared([address]), lambda: loading.load(study, [address], ["padded"], index=False)):
        with pytest.raises(DatabaseError, match=r"at migration 2, newer than this program \(1\)"):
            older()


def test_an_index_is_built_while_products_are_added_and_is_searched_when_it_is_whole(server, place, study):
    import psycopg  # where it is installed

    address = server.new("one")
    loading.load(study, [address], ["padded"], index=False)
    site, asked = opened(study, [address]), Server(address)
    question = Question(like=site.gallery.listed(Page(count=1))["products"][0]["id"], index="hnsw")
    waiting = "FROM pg_stat_activity WHERE starts_with(query, 'CREATE INDEX') AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor() as other, psycopg.connect(address) as writing:
        writing.execute("DELETE FROM feature_1 WHERE false")  # which a build waits for, however it is made
        load = other.submit(loading.load, study, [address], ["padded"], index=True)
        while not asked.ask(f"SELECT {waiting}"):
            time.sleep(0.01)
        site.add("meanwhile", {}, Image.new("RGB", (60, 80), "red"))
        asked.ask(f"SELECT pg_terminate_backend(pid) {waiting}")
        with pytest.raises(DatabaseError, match="terminat"):
            load.result()
    assert asked.ask("SELECT to_regclass('feature_1_hnsw') IS NOT NULL") == [(True,)]  # half built
    for read in (site, opened(study, [address])):
        with pytest.raises(SearchError, match="no index hnsw"):
            read.search(question)
    loading.load(study, [address], ["padded"], index=True)
    near, exact = (site.search(question.model_copy(update={"index": index})) for index in ("hnsw", "exact"))
    assert len({row["id"] for row in near["results"]} & {row["id"] for row in exact["results"]}) >= 11


def test_every_fact_and_filter_is_a_column(shared):
    rows = shared.gallery.servers[0].ask(
        "SELECT column_name FROM information_schema.columns WHERE table_name='product'"
    )
    assert {name for (name,) in rows} >= {*FILTERS, *catalog.COLUMNS}


def _only_counting(ask):
    def counting(server, statement, values=()):
        assert statement.startswith("SELECT count(*)"), statement
        return ask(server, statement, values)

    return counting


class TestSeveralServers:
    """A catalogue in three databases."""

    @pytest.fixture
    def addresses(self, server, place, study):
        several = [server.new(f"part_{number}") for number in range(3)]
        loading.load(study, several, ["padded"], index=True)
        return several

    def test_they_find_what_one_finds(self, both, study, addresses):
        here, there = both
        for question in asked(here):
            if question.get("encoder", "padded") == "padded":
                same(here.search(Question(**question)), there.search(Question(**question)))
        for page in ({}, {"offset": 90, "count": 7}, {"gender": ["Women"]}, {"offset": 10**30}):
            assert there.gallery.listed(Page(**page)) == here.gallery.listed(Page(**page))
        names = {"encoders": ["padded"], "indexes": ["exact", "hnsw"]}
        assert there.status() == here.status() | names
        backwards = opened(study, addresses[::-1])
        assert (
            backwards.search(Question(like=here.ids[7]))["results"]
            == there.search(Question(like=here.ids[7]))["results"]
        )

    def test_products_come_and_go_in_each(self, shared, addresses, study, site):
        other, photo = opened(study, addresses), Image.new("RGB", (60, 80), "red")
        for number in range(9):
            shared.add(f"new-{number}", {"productDisplayName": f"quaint {number}"}, photo)
        assert all(one.ask("SELECT FROM product WHERE NOT catalogued") for one in shared.gallery.servers)
        listed = other.gallery.listed(Page(offset=len(site.ids)))["products"]
        assert [row["id"] for row in listed] == [f"new-{number}" for number in range(9)]
        found = other.search(Question(text="quaint", count=20))["results"]
        assert {row["id"] for row in found} == {f"new-{number}" for number in range(9)}
        for number in range(9):
            other.remove(f"new-{number}")
        assert shared.status()["added"] == 0
        for identity in site.ids[:6]:
            other.remove(identity)
        assert [row["id"] for row in shared.gallery.hidden()] == site.ids[:6]

    def test_a_part_that_is_left_out_or_named_twice_is_told(self, addresses, server, study):
        for wrong in (addresses[:2], addresses[:1], [addresses[0], *addresses[:2]], [*addresses, addresses[0]]):
            with pytest.raises(DatabaseError, match="Name each database once"):
                Shared(wrong)

    def test_one_that_is_down_is_an_error_and_no_smaller_answer(self, shared, server, site):
        shared.gallery.servers[1] = Server("postgresql://site:secret@127.0.0.1:9/part_1")
        for question in ({"like": site.ids[0]}, {"text": "shirts"}, {"like": site.ids[0], "index": "hnsw"}):
            with pytest.raises(DatabaseError, match=r"127.0.0.1:9/part_1") as told:
                shared.search(Question(**question))
            assert "secret" not in str(told.value) and "\n" not in str(told.value)
        with pytest.raises(DatabaseError, match="so nothing is answered"):
            shared.gallery.listed(Page())

    def test_each_that_is_down_is_named(self, shared):
        for place, port in ((0, 9), (2, 19)):
            shared.gallery.servers[place] = Server(f"postgresql://site:secret@127.0.0.1:{port}/part_{place}")
        with pytest.raises(DatabaseError, match="^2 of 3 databases failed.*:9/part_0.*:19/part_2") as told:
            shared.search(Question(text="shirts"))
        assert "secret" not in str(told.value) and "\n" not in str(told.value) and "part_1" not in str(told.value)

    def test_a_list_is_skipped_through_so_far_and_no_farther(self, shared, site, monkeypatch):
        monkeypatch.setattr("pipeline.site.shared.FARTHEST_PAGE", 600)
        answered = shared.gallery.listed(Page(offset=600))
        assert answered == site.gallery.listed(Page(offset=600)) and answered["products"]
        with pytest.raises(SearchError, match="600 at most. Received: 601. Narrow the list by filters: gender,"):
            shared.gallery.listed(Page(offset=601))
        assert shared.gallery.listed(Page(offset=650)) == {"total": 650, "offset": 650, "products": []}
        with monkeypatch.context() as patched:  # the keys are not asked for
            patched.setattr(Server, "ask", _only_counting(Server.ask))
            assert shared.gallery.listed(Page(offset=650))["total"] == 650
            with pytest.raises(SearchError):
                shared.gallery.listed(Page(offset=601))
