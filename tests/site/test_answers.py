"""What a question finds among a few products at distances that are known, and what may be asked and stored at most."""

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.data import catalog
from pipeline.data.images import UnreadableImage
from pipeline.site import answers, photos, products, snapshots
from pipeline.site.questions import Question, SearchError

FAR = np.array([0.5, 0.1234564, 0.3, 0.1, 0.2, 0.9], np.float32)  # of each product, in the catalogue's order


@pytest.fixture
def now():
    """Six products: 3 and 4 are one picture's copies, 5 was taken away, 2 has no type."""
    blank = dict.fromkeys(catalog.COLUMNS)
    types = ["Shirts", "Ties", None, "Shirts", "Shirts", "Caps"]
    rows = [{**blank, "id": f"{row}", "articleType": kind, "gender": "Men"} for row, kind in enumerate(types)]
    hashes = ["a", "b", "c", "d", "d", "e"]
    return snapshots.hide(snapshots.first(snapshots.begin(pd.DataFrame(rows).assign(sha256=hashes))), {"5"})


def nearest(now, row=None, **asked):
    shown, voters, _ = answers.nearest(now, FAR, Question(**asked), row)
    return shown.tolist(), voters.tolist()


def test_products_stand_nearest_first_without_what_was_taken_away(now):
    assert nearest(now) == ([3, 1, 4, 2, 0], [3, 1, 4, 2, 0])
    assert nearest(now, count=2) == ([3, 1], [3, 1, 4, 2, 0])
    assert nearest(now, articleType=["Shirts"]) == ([3, 4, 0], [3, 1, 4, 2, 0])


def test_a_filter_takes_products_of_its_values_and_no_blank_one(now):
    assert nearest(now, articleType=["Ties", "Shirts"], gender=["Men"])[0] == [3, 1, 4, 0]
    assert nearest(now, articleType=["Sarees"])[0] == []
    assert nearest(now, articleType=["Ties"], gender=["Women"])[0] == []


def test_an_added_product_is_found_by_its_features_under_every_distance(now):
    vectors = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32)
    later = dataclasses.replace(now, features={"e:1": vectors})
    asked = np.array([[0.0, 1.0]], np.float32)
    assert later.measure("e:1", "cosine")(asked) == pytest.approx(np.array([[0.2, 0.0]]), abs=1e-6)
    assert later.measure("e:1", "manhattan")(asked) == pytest.approx(np.array([[6.0, 1.0]]))
    assert later.measure("e:1", "cosine") is later.measure("e:1", "cosine")


def test_the_next_page_begins_where_the_one_before_ended(now):
    assert nearest(now, count=2, offset=1)[0] == [1, 4]
    assert nearest(now, count=2, offset=4)[0] == [0]
    assert nearest(now, count=2, offset=5)[0] == []


def test_words_alone_find_nothing_that_they_do_not_describe(now):
    far = answers.distances(None, now, None, Question(text="ties"))
    assert np.flatnonzero(np.isfinite(far)).tolist() == [1]
    shown, voters, _ = answers.nearest(now, far, Question(text="ties"), None)
    assert (shown.tolist(), voters.tolist()) == ([1], [1])
    assert answers.nearest(now, far, Question(text="ties", articleType=["Shirts"]), None)[0].tolist() == []


def test_a_product_that_asks_finds_neither_itself_nor_its_copy(now):
    assert nearest(now, row=4)[0] == [1, 2, 0]
    assert nearest(now, row=1)[0] == [3, 4, 2, 0]


def test_a_distance_as_it_is_shown_finds_its_product(now):
    shown = round(float(FAR[1]), answers.DIGITS)
    assert shown < FAR[1]
    assert nearest(now, farthest=shown)[0] == [3, 1]
    assert nearest(now, farthest=0.1)[0] == [3]


def test_blank_types_have_no_vote():
    types = np.array([np.nan, np.nan, np.nan, "Ties", "Ties", None, None, None], object)
    assert answers.vote(types) == {"predicted": "Ties", "votes": 2, "of": 8}
    assert answers.vote(types[:3]) == {"predicted": None, "votes": 0, "of": 3}


def test_a_box_is_four_numbers():
    photo = Image.new("RGB", (50, 60))
    assert photos.cut(photo, "1,2,30,40")[0] == [1, 2, 30, 40]
    for box in ("1,2,30", "1,2,30,40,50"):
        with pytest.raises(SearchError, match="x,y,width,height"):
            photos.cut(photo, box)


def test_a_large_uploads_box_is_that_of_its_own_pixels(monkeypatch):
    buffer = io.BytesIO()
    photo = Image.new("RGB", (2400, 3200), "white")
    photo.paste("red", (800, 1000, 1600, 2000))
    photo.save(buffer, "JPEG", quality=95)
    monkeypatch.setattr(photos, "ENOUGH", 400)
    box, part = photos.part(buffer.getvalue(), "800,1000,800,1000")
    assert (box, part.size) == (
        [800, 1000, 800, 1000],
        (400, 500),
    )  # the box keeps enough: half the size, not an eighth
    assert np.asarray(part)[5:-5, 5:-5].reshape(-1, 3).mean(0) == pytest.approx([254, 0, 0], abs=3)
    assert photos.part(buffer.getvalue(), None)[1].size == (600, 800)
    with pytest.raises(ValueError, match="outside"):
        photos.part(buffer.getvalue(), "2400,0,10,10")


def test_a_photo_is_large_by_its_header(monkeypatch):
    data = products.stored(Image.new("RGB", (9, 9)))
    assert not photos.large(data)
    monkeypatch.setattr(photos, "LARGE", 80)
    assert photos.large(data)


def test_the_largest_photo_is_opened_and_one_byte_more_is_not(monkeypatch):
    data = products.stored(Image.new("RGB", (9, 9)))
    monkeypatch.setattr(photos, "MOST_BYTES", len(data))
    assert photos.opened(data).size == (9, 9)
    with pytest.raises(UnreadableImage, match="at most"):
        photos.opened(data + b" ")


def test_the_longest_name_is_taken_and_one_letter_more_is_not():
    products.check("ok", {"gender": "x" * products.LONGEST})
    with pytest.raises(products.ProductError, match="200 printable letters. Received: 201"):
        products.check("ok", {"gender": "x" * (products.LONGEST + 1)})


def test_so_many_products_are_added_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(products, "MOST", 2)
    for name in "ab":
        products.add(tmp_path / "p.sqlite", name, {}, b"picture", {})
    with pytest.raises(products.Conflict, match="2 products have been added, which is the most"):
        products.add(tmp_path / "p.sqlite", "c", {}, b"picture", {})
    assert [name for _, name, _ in products.look(tmp_path / "p.sqlite").new] == ["a", "b"]
