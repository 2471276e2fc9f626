"""The drawn sample: the same bytes, Kaggle's layout, every ugliness."""

import csv
import hashlib
import io
import zipfile

import pytest
from PIL import Image

from pipeline.data import catalog, sample


@pytest.fixture(scope="module")
def archive():
    return zipfile.ZipFile(io.BytesIO(sample.draw(0)))


def test_it_is_the_same_to_the_byte_and_another_for_another_seed(archive):
    archive.fp.seek(0)
    first = hashlib.sha256(archive.fp.read()).hexdigest()
    assert hashlib.sha256(sample.draw(0)).hexdigest() == first
    assert hashlib.sha256(sample.draw(1)).hexdigest() != first


def test_it_has_kaggles_layout(archive):
    header = archive.read("styles.csv").decode().splitlines()[0].split(",")
    assert header == catalog.COLUMNS
    pictures = [name for name in archive.namelist() if name.startswith("images/")]
    assert 500 < len(pictures) < 900
    sizes = [Image.open(io.BytesIO(archive.read(name))).size for name in pictures]
    assert sizes.count((60, 80)) == len(sizes) - 2


def test_products_come_in_near_alike_pictures(archive):
    names = [row[9] for row in csv.reader(io.StringIO(archive.read("styles.csv").decode())) if len(row) == 10][1:]
    assert len(set(names)) < 0.7 * len(names)


def test_a_user_photo_holds_its_product_in_its_box(archive):
    rows = list(csv.DictReader(io.StringIO(archive.read("queries.csv").decode())))
    sellers = {row["seller_img_id"] for row in csv.DictReader(io.StringIO(archive.read("gallery.csv").decode()))}
    assert len(rows) > 30
    for row in rows:
        photo = Image.open(io.BytesIO(archive.read(row["img_path"])))
        x, y, w, h = (int(row[f"bbox_{name}"]) for name in "xywh")
        assert min(x, y) >= 0
        assert min(w, h) > 8
        assert x + w <= photo.width
        assert y + h <= photo.height
    assert sum(row["product_id"] in sellers for row in rows) >= len(rows) - 1


def test_its_ugliness_is_reported_and_stops_nothing(in_sample):
    report, frame = catalog.load_report("sample"), catalog.load("sample")
    assert report["rows"] == len(frame) + 2
    assert (
        len(report["rows_repaired"]) == len(report["rows_without_picture"]) == len(report["pictures_unreadable"]) == 1
    )
    assert "truncated" in next(iter(report["pictures_unreadable"].values()))
    assert len(report["grey"]) == 1
    assert list(report["odd_size"].values()) == [[60, 60], [45, 80]]
    assert len(report["equal_bytes"]) == 1
    assert len(report["blank_labels"]["season"]) == len(report["blank_labels"]["year"]) == 1
    repaired = frame[frame[catalog.ID] == report["rows_repaired"][0]].iloc[0]
    assert repaired[catalog.PRODUCT].endswith(", pack of 2")
    assert (frame[catalog.COLOUR] == "NA").sum() == 1
    assert (frame[catalog.USAGE] == "NA").sum() > 0
    assert "NOT COMPARABLE" in catalog.comparability("sample")
