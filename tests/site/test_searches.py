"""What the site finds: the study's own neighbours, whichever way one asks; products come and go and survive a kill."""

import io
import json
import shutil
import sqlite3
import sys
import threading
import time
from contextlib import closing

import children
import numpy as np
import pytest
from PIL import Image

from pipeline import paths
from pipeline.data import catalog, images
from pipeline.encoders import store
from pipeline.retrieval import distances, ranking
from pipeline.site import encoders, products
from pipeline.site import site as module
from pipeline.site.questions import NotReady, Question, SearchError
from pipeline.site.site import Site

DISTANCES = ["cosine", "euclidean", "manhattan"]
FACTS = {"articleType": "Shirts", "gender": "Men", "productDisplayName": "A shirt"}


def study_neighbours(encoder, distance, rows, count=20):
    """As notebook 04 finds them: strict, from the encoder's features."""
    frame, features = catalog.load("sample"), store.read(paths.features("sample", encoder))
    duplicates = catalog.duplicates(frame)
    return ranking.search(features.take(rows), features, distance, count, (duplicates[rows], duplicates))


def found(answer):
    return [row["id"] for row in answer["results"]]


def picture(site, identity):
    return images.decode(site.picture(identity))


@pytest.mark.parametrize("encoder", ["padded", "stretched", "both"])
@pytest.mark.parametrize("distance", DISTANCES)
def test_a_product_and_its_photo_find_what_the_study_finds(site, encoder, distance):
    rows = np.random.default_rng(0).choice(len(site.catalogue.frame), 10, replace=False)
    expected = study_neighbours(encoder, distance, rows)
    groups = dict(zip(site.ids, catalog.duplicates(site.catalogue.frame), strict=True))
    for row, ids, apart in zip(rows, expected.gallery_ids, expected.distances, strict=True):
        asked = site.ids[row]
        alike = site.search(Question(encoder=encoder, distance=distance, like=asked, count=20))
        assert [one["distance"] for one in alike["results"]] == pytest.approx(apart, rel=1e-5, abs=1e-5)
        clear = np.flatnonzero(np.diff(apart, prepend=-1, append=np.inf)[:-1] > 1e-4 * apart.max())
        assert [found(alike)[place] for place in clear if place + 1 in clear] == [
            ids[place] for place in clear if place + 1 in clear
        ]
        photo = site.search(Question(encoder=encoder, distance=distance, count=30), picture(site, asked))
        others = [one for one in photo["results"] if groups[one["id"]] != groups[asked]][:20]
        assert [one["distance"] for one in others] == pytest.approx(apart[: len(others)], rel=1e-3, abs=1e-4)


def test_features_that_are_mapped_are_searched_where_they_lie(place, study, monkeypatch):
    """As those of more than ten million pictures: the same answers, and no second copy on disk."""
    calm, asked = Site(study), Question(encoder="padded", like="10005", count=20)
    calm.start()
    expected = calm.search(asked)["results"]
    features, target = store.read(paths.features("sample", "padded")), paths.features("sample", "padded")
    meta = {"encoder_id": features.encoder_id, "dimension": str(features.vectors.shape[1]), "encoder": "padded"}
    monkeypatch.setattr(store, "LARGE", 0)
    store.write(target, meta, len(features.ids), [(features.ids.tolist(), features.vectors)])
    monkeypatch.setattr(paths, "BUILD", place / "anew")
    shutil.copytree(place / "build/compiled", place / "anew/compiled")
    opened = Site(study)
    opened.start()
    assert target.is_dir() and opened.search(asked)["results"] == expected
    assert not list((place / "anew/site").glob("sample-padded-*.npy"))
    with pytest.raises(store.StoreError, match="not of this catalogue's pictures"):
        encoders.mapped("sample", "padded", [*features.ids[1:], "other"])


@pytest.mark.parametrize("kind", ["ivf", "hnsw", "ball_tree"])
def test_an_index_finds_what_the_exact_search_finds_and_filters_choose_among_it(site, kind):
    asked = {"like": site.ids[4], "count": 20}
    exact, other = (site.search(Question(**asked, index=index)) for index in ("exact", kind))
    assert len(set(found(exact)) & set(found(other))) >= 18
    apart = {row["id"]: row["distance"] for row in exact["results"]}
    assert all(
        row["distance"] == pytest.approx(apart.get(row["id"], row["distance"]), abs=1e-5) for row in other["results"]
    )
    kinds = {row["gender"] for row in site.search(Question(**asked, index=kind, gender=["Women"]))["results"]}
    assert kinds == {"Women"}
    site.add("indexed", {}, picture(site, site.ids[4]))
    assert found(site.search(Question(count=2, index=kind), picture(site, "indexed")))[0] in ("indexed", site.ids[4])


def test_only_so_many_encoders_are_held_and_the_first_is_always_one(site, monkeypatch):
    monkeypatch.setattr(module, "MOST_READY", 2)
    for name in ("stretched", "both", "stretched", "padded"):
        site.search(Question(encoder=name, like=site.ids[0]))
        assert len(site._ready) <= 2
        assert "padded" in site._ready


def test_words_find_what_they_say_and_a_weight_mixes_them_with_the_picture(site):
    kind, colour = site.catalogue.frame[catalog.ARTICLE].iloc[0], site.catalogue.frame[catalog.COLOUR].iloc[0]
    for row in site.search(Question(text=f"{colour} {kind}", count=5))["results"]:
        assert (row["articleType"], row["baseColour"]) == (kind, colour)
    like = site.ids[5]
    pictures, words = (site.search(Question(like=like, text=f"{colour} {kind}", image_weight=w)) for w in (1.0, 0.0))
    assert found(pictures) == found(site.search(Question(like=like)))
    assert [one["distance"] for one in words["results"]] == pytest.approx(
        sorted(one["distance"] for one in words["results"])
    )
    assert words["results"][0]["articleType"] == kind


def test_filters_and_the_largest_distance_leave_out_what_they_say(site):
    every = site.search(Question(like=site.ids[0], count=100))
    kinds = sorted({row["gender"] for row in every["results"]})[:1]
    some = site.search(Question(like=site.ids[0], count=100, gender=kinds))
    assert {row["gender"] for row in some["results"]} == set(kinds)
    middle = every["results"][50]["distance"]
    near = site.search(Question(like=site.ids[0], count=100, farthest=middle))
    assert found(near) == [row["id"] for row in every["results"] if row["distance"] <= middle]


def test_a_word_that_no_product_is_called_is_said_by_another(site):
    red = site.search(Question(text="red", count=30))
    crimson = site.search(Question(text="Crimson zzz", count=30))
    assert (red["instead"], crimson["instead"]) == ({}, {"crimson": ["red"], "zzz": []})
    assert crimson["results"] == red["results"] != []
    assert site.search(Question(like=site.ids[0]))["instead"] == {}
    half = site.search(Question(text="crimson", like=site.ids[0], image_weight=0.5))
    assert half["results"] == site.search(Question(text="red", like=site.ids[0], image_weight=0.5))["results"]
    site.add("new-1", {"productDisplayName": "A crimson thing"}, Image.effect_noise((90, 120), 80).convert("RGB"))
    assert found(site.search(Question(text="crimson"))) == ["new-1"]


def test_a_box_searches_with_its_part_alone(site):
    photo = Image.new("RGB", (300, 200), "white")
    photo.paste(picture(site, site.ids[3]).resize((120, 160)), (150, 20))
    whole = site.search(Question(count=5), photo)
    boxed = site.search(Question(count=5, box="150,20,120,160"), photo)
    alone = site.search(Question(count=5), photo.crop((150, 20, 270, 180)))
    assert found(boxed) == found(alone) != found(whole)
    assert boxed["box"] == [150, 20, 120, 160]
    assert site.search(Question(count=5, box="140.5,-5,400,900"), photo)["box"] == [140, 0, 160, 200]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "nothing to search with"),
        ({"like": "nobody"}, "no product 'nobody'"),
        ({"text": "zzz"}, "no product is described"),
        ({"text": "red", "distance": "euclidean"}, "words are compared by cosine"),
        ({"like": "1", "distance": "euclidean", "index": "hnsw"}, "hnsw searches by cosine"),
        ({"text": "red", "box": "0,0,5,5"}, "there is no photo"),
        ({"encoder": "padde", "text": "red"}, "Allowed"),
    ],
)
def test_a_search_that_cannot_be_made_says_what_would_work(site, asked, said):
    with pytest.raises((SearchError, products.Missing), match=said):
        site.search(Question(**asked))


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "0,0,0,5", "900,900,5,5", "nan,0,1,1"])
def test_a_box_that_holds_nothing_is_refused(site, box):
    with pytest.raises(ValueError, match="box"):
        site.search(Question(box=box), Image.new("RGB", (50, 50)))


def test_features_of_other_weights_are_refused_by_name(place, study):
    changed = study.encoders["padded"].model_copy(update={"resize": "stretch"})
    with pytest.raises(store.StoreError, match="padded"):
        encoders.network(study.model_copy(update={"encoders": {**study.encoders, "padded": changed}}), "padded")


def test_an_added_product_is_found_at_once_by_every_encoder_and_after_a_restart(site, study):
    photo = Image.effect_noise((90, 120), 80).convert("RGB")
    site.ready("stretched")
    site.add("new-1", {"articleType": "Tshirts", "productDisplayName": "A noisy thing"}, photo)
    for opened in (site, Site(study)):
        opened.phase == "ready" or opened.start()
        for encoder in ("padded", "stretched", "both"):  # the last has not been loaded when it was added
            for distance in DISTANCES:
                first = opened.search(Question(encoder=encoder, distance=distance, count=1), photo)["results"][0]
                assert (first["id"], first["articleType"]) == ("new-1", "Tshirts")
        assert found(opened.search(Question(text="noisy", count=1))) == ["new-1"]
        assert "new-1" not in found(opened.search(Question(like="new-1")))
        assert picture(opened, "new-1").size == (90, 120)
    with pytest.raises(products.ProductError, match="taken"):
        site.add("new-1", {}, photo)
    with pytest.raises(products.ProductError, match="taken"):
        site.add(site.ids[0], {}, photo)


def test_what_is_taken_away_is_gone_until_it_is_restored_and_after_a_restart(site, study):
    like = site.ids[0]
    near = found(site.search(Question(like=like)))
    site.remove(near[0])
    site.add("mine", {}, picture(site, near[1]))
    site.remove("mine")
    for opened in (site, Site(study)):
        opened.phase == "ready" or opened.start()
        assert found(opened.search(Question(like=like)))[:5] == near[1:6]
        with pytest.raises(products.Missing, match="no product"):
            opened.picture(near[0])
    site.restore(near[0])
    assert found(site.search(Question(like=like))) == near
    with pytest.raises(products.ProductError, match="gone for good"):
        site.restore("mine")


@pytest.mark.parametrize(
    ("identity", "facts"),
    [
        ("../etc", {}),
        ("", {}),
        ("a" * 65, {}),
        ("ok", {"password": "x"}),
        ("ok", {"gender": "x" * 201}),
        ("ok", {"gender": "a\nb"}),
    ],
)
def test_a_product_that_cannot_be_stored_is_refused(site, identity, facts):
    with pytest.raises(products.ProductError):
        site.add(identity, facts, Image.new("RGB", (5, 5)))
    assert not products.look(site.gallery.shelf).new


def stocked(site, count):
    """As after so many additions, at once; all have one picture, and a name of their own."""
    picture, ready = products.stored(images.decode(site.picture(site.ids[0]))), site.ready(None)
    vectors = np.random.default_rng(0).normal(size=(count, ready.vectors.shape[1])).astype("<f4")
    site.shelf.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(site.shelf)) as connection, connection:
        connection.executescript(products.TABLES)
        numbered = [(number, f"many-{number}") for number in range(1, count + 1)]
        said = [json.dumps(FACTS | {"productDisplayName": f"Shirt number {number}"}) for number, _ in numbered]
        rows = [(*one, facts, picture) for one, facts in zip(numbered, said, strict=True)]
        connection.executemany("INSERT INTO added VALUES (?, ?, ?, ?)", rows)
        kept = [(one, ready.identity, row.tobytes()) for (_, one), row in zip(numbered, vectors, strict=True)]
        connection.executemany("INSERT INTO features VALUES (?, ?, ?)", kept)
        connection.execute(f"PRAGMA user_version = {count}")
    assert site.status()["added"] == count


def test_the_ten_thousandth_addition_takes_not_much_longer_than_the_hundredth(place, study, monkeypatch):
    monkeypatch.setattr(paths, "site", lambda data: place / f"shelf {count}")
    seconds, read = {}, []
    for count in (100, 9_900):  # 10,000 is the most
        site = Site(study)
        site.start()
        site.shelf = site.gallery.shelf
        stocked(site, count)
        photo, times = site.picture(site.ids[0]), []
        read.clear()
        with monkeypatch.context() as patch:
            patch.setattr(json, "loads", lambda said, loads=json.loads: read.append(said) or loads(said))
            for number in range(7):
                begun = time.process_time()
                site.add(f"one-{number}", FACTS, photo)
                times.append(time.process_time() - begun)
        assert len(read) <= 7  # what is said of each product is read when it is new
        seconds[count] = float(np.median(times))
        assert f"one-{number}" in found(site.search(Question(count=20), picture(site, "one-0")))
    assert seconds[9_900] < 8 * seconds[100], seconds  # D7; of the processor, which others' work does not lengthen


def test_what_only_the_added_products_decide_is_done_once_and_not_in_each_search(site, monkeypatch):
    photo, scaled = picture(site, site.ids[0]), []
    for name in ("one", "two"):
        site.add(name, {}, photo)
    monkeypatch.setattr(distances, "unit", lambda rows, unit=distances.unit: scaled.append(len(rows)) or unit(rows))
    for _ in range(3):
        assert {"one", "two"} < {*found(site.search(Question(count=4), photo))}
    assert scaled.count(2) == 1  # D7: the added products'; a photo's is one row, and the catalogue's were done before
    assert {*scaled} == {1, 2}
    site.add("three", {}, photo)
    site.search(Question(), photo)
    assert scaled.count(3) == 1


@pytest.mark.parametrize("asked", [{"like": 0}, {"text": "black shirts"}, {"like": 0, "gender": ["Men"]}, {}])
def test_a_shown_product_costs_no_call_of_pandas(site, asked):
    asked = asked | ({"like": site.ids[0]} if "like" in asked else {})
    photo = None if asked else picture(site, site.ids[0])
    calls = []

    def noted(frame, event, _):
        if event == "call" and "/pandas/" in frame.f_code.co_filename:
            calls.append(frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else frame.f_code.co_name)

    counted = {}
    for count in (1, 100):
        site.search(Question(**asked, count=count), photo)  # what is prepared once
        calls.clear()
        sys.setprofile(noted)
        try:
            answer = site.search(Question(**asked, count=count), photo)
        finally:
            sys.setprofile(None)
        assert len(answer["results"]) > count // 4
        counted[count] = len(calls)
    assert counted[100] == counted[1] < 100, calls[:20]  # D8


def test_what_filters_choose_from_is_counted_once_until_products_change(site):
    first = site.status()["filters"]
    assert site.status()["filters"] is first  # and not counted at each call
    site.add("mine", {"articleType": "Kimonos"}, picture(site, site.ids[0]))
    assert "Kimonos" in site.status()["filters"]["articleType"] and "Kimonos" not in first["articleType"]


def test_a_kill_leaves_a_product_whole_or_not_at_all(place, study):
    shelf = paths.site("sample") / "products.sqlite"
    last = 0
    for enough in (1, 4, 9, 20, 1, 2, 3, 5, 7, 11):
        child = children.start(children.add_products, place, place / "build")
        while child.is_alive() and len(products.look(shelf).numbers) < enough:
            time.sleep(0.001)
        child.kill()
        child.join()
        with sqlite3.connect(shelf) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = products.look(shelf)
        ids = [identity for _, identity, _ in found.new]
        assert len(ids) >= enough
        assert found.version >= max(found.numbers) > last  # no number comes twice, whatever was taken away
        last = found.version
        assert sorted(products.features(shelf, "e", ids)) == sorted(ids)
        for identity in ids:
            assert images.decode(products.picture(shelf, identity)).size == (60, 80)
            products.remove(shelf, identity, catalogued=False)


def test_two_sites_over_one_store_see_each_other(site, study):
    other, photo = Site(study), Image.effect_noise((60, 80), 60).convert("RGB")
    other.start()
    site.add("one", {"productDisplayName": "quaint"}, photo)
    assert found(other.search(Question(count=1), photo)) == ["one"]
    assert found(other.search(Question(text="quaint"))) == ["one"]
    other.remove("one")
    with pytest.raises(products.Missing):
        site.remove("one")
    assert products.look(site.gallery.shelf).hidden == set()
    site.add("one", {}, picture(site, site.ids[0]))  # the same id, another product
    assert other.gallery.snapshot().facts(other.gallery.snapshot().row("one"))["productDisplayName"] is None
    assert "one" in found(other.search(Question(count=3), picture(site, site.ids[0])))
    other.remove(site.ids[1])
    with pytest.raises(products.Missing):
        site.picture(site.ids[1])
    with pytest.raises(products.Conflict):
        other.add("one", {}, photo)


def test_what_another_process_removes_between_look_and_removal_hides_nobody(site):
    site.add("mine", {}, Image.new("RGB", (60, 80)))
    now = site.gallery.snapshot()
    products.remove(site.gallery.shelf, "mine", catalogued=False)
    site.gallery.snapshot = lambda: now  # as it was a moment before
    with pytest.raises(products.Missing):
        site.remove("mine")
    assert products.look(site.gallery.shelf).hidden == set()


def test_an_encoder_that_made_room_while_products_changed_is_loaded_again(site, monkeypatch):
    monkeypatch.setattr(module, "MOST_READY", 2)
    site.search(Question(encoder="stretched", like=site.ids[0]))
    stretched, ready = site._ready["stretched"], Site.ready
    asked = []

    def late(self, name, wait=True):
        asked.append(name)
        if len(asked) > 1:
            return ready(self, name, wait)
        del self._ready["stretched"]
        self.add("new", {}, Image.new("RGB", (60, 80)))
        return stretched

    monkeypatch.setattr(Site, "ready", late)
    answer = site.search(Question(encoder="stretched"), picture(site, site.ids[0]))
    assert found(answer)[0] == site.ids[0] and asked.count("stretched") == 2


def test_while_an_encoder_is_loaded_all_else_goes_on(site, monkeypatch):
    for number in range(3):
        site.add(f"before-{number}", {}, Image.new("RGB", (60, 80), (9 * number, 0, 0)))
    goes_on, encoded, load = threading.Event(), [], encoders.load

    def slow(*given):
        loaded = load(*given)

        def encode(photo):
            encoded.append(photo.size)
            goes_on.wait(60)
            return loaded.encode(photo)

        return encoders.Ready(loaded.name, loaded.identity, encode, loaded.vectors)

    monkeypatch.setattr(encoders, "load", slow)
    monkeypatch.setattr(encoders, "PORTION", 2)
    for _ in range(45):
        with pytest.raises(NotReady, match="stretched is being loaded"):
            site.search(Question(encoder="stretched", like=site.ids[0]), wait=False)
    assert site.status()["loading"] == ["stretched"]
    while not encoded:
        time.sleep(0.01)
    site.add("during", {}, Image.new("RGB", (60, 80), "red"))
    site.remove("before-2")
    assert found(site.search(Question(count=1), Image.new("RGB", (60, 80), "red"))) == ["during"]
    goes_on.set()
    answer = site.search(Question(encoder="stretched", count=1), Image.new("RGB", (60, 80), "red"))
    assert found(answer) == ["during"]
    again = site._ready["stretched"].identity
    kept = products.features(site.gallery.shelf, again, ["before-0", "before-1", "during"])
    assert set(kept) >= {"before-0", "before-1"}


def test_features_that_were_made_before_a_stop_are_kept(site, monkeypatch):
    for number in range(5):
        site.add(f"p-{number}", {}, Image.new("RGB", (60, 80), (40 * number, 0, 0)))
    ready, asked = site.ready(None), []
    other = encoders.Ready("other", "other:1", lambda photo: asked.append(1) or ready.encode(photo), ready.vectors)
    monkeypatch.setattr(encoders, "PORTION", 2)
    added = [*site.gallery.snapshot().added[:4], (999, "gone")]
    with pytest.raises(products.Missing):
        encoders.of_added(other, site.gallery.shelf, added)
    assert len(asked) == 4
    assert encoders.of_added(other, site.gallery.shelf, added[:4]).shape[0] == 4
    assert len(asked) == 4


def test_a_fault_of_loading_is_told_and_the_next_who_asks_has_it_tried_again(site, monkeypatch):
    def broken(*given):
        raise store.StoreError("damaged")

    with monkeypatch.context() as patch:
        patch.setattr(encoders, "load", broken)
        for _ in range(2):
            with pytest.raises(store.StoreError, match="damaged"):
                site.ready("stretched")
    assert site.ready("stretched").name == "stretched"


def test_a_disk_that_may_not_be_written_is_no_reason_not_to_start(place, study, monkeypatch):
    def refused(*given):
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(products, "_writing", refused)
    opened = Site(study)
    opened.start()
    assert found(opened.search(Question(like=opened.ids[0])))
    with pytest.raises(sqlite3.OperationalError):
        opened.add("x", {}, Image.new("RGB", (60, 80)))
    assert not opened.gallery.shelf.exists()


def test_a_stored_picture_is_drawn_anew_and_small():
    photo = Image.new("RGB", (4000, 100), "red")
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", comment=b"a secret")
    kept = products.stored(images.decode(buffer.getvalue()))
    assert b"secret" not in kept
    assert images.decode(kept).size == (512, 13)
