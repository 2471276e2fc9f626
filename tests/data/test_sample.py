"""The drawn sample: the same bytes, Kaggle's layout, every ugliness."""

import csv
import hashlib
import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from pipeline.data import catalog, sample

KAGGLES_HEADER = [
    "id",
    "gender",
    "masterCategory",
    "subCategory",
    "articleType",
    "baseColour",
    "season",
    "year",
    "usage",
    "productDisplayName",
]


@pytest.fixture(scope="module")
def archive():
    return zipfile.ZipFile(io.BytesIO(sample.draw(0)))


def table(archive):
    lines = archive.read("styles.csv").decode().splitlines()[1:]
    return [line.split(",", 9) for line in lines]


def few_products():
    return {name: article for name, article in sample.ARTICLES.items() if name in ("Shirts", "Watches", "Caps")}


def hash_of_few(seed):
    return hashlib.sha256(sample.draw(seed)).hexdigest()


def test_it_is_the_same_to_the_byte_and_another_for_another_seed(monkeypatch):
    monkeypatch.setattr(sample, "ARTICLES", few_products())
    first = hash_of_few(0)
    assert hash_of_few(1) != first
    code = "import test_sample as t; t.sample.ARTICLES = t.few_products(); print(t.hash_of_few(0))"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    again = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert again.stdout.strip() == first


def test_it_has_kaggles_layout(archive):
    header = archive.read("styles.csv").decode().splitlines()[0].split(",")
    assert header == KAGGLES_HEADER == catalog.COLUMNS
    pictures = [name for name in archive.namelist() if name.startswith("images/")]
    assert 500 < len(pictures) < 900
    sizes = [Image.open(io.BytesIO(archive.read(name))).size for name in pictures]
    assert sizes.count((60, 80)) == len(sizes) - 2


def test_products_come_in_near_alike_pictures(archive):
    rows = [row for row in table(archive) if row[4] != "Umbrellas"]
    names = [row[9] for row in rows]
    assert len(set(names)) < 0.7 * len(names)
    pixels = {}
    for row in rows:
        try:
            picture = Image.open(io.BytesIO(archive.read(f"images/{row[0]}.jpg"))).convert("RGB").resize((60, 80))
        except (KeyError, OSError):
            continue
        pixels.setdefault((row[4], row[9]), []).append(np.asarray(picture, np.float32))
    several = {product: pictures for product, pictures in pixels.items() if len(pictures) > 1}
    assert len(several) > 100

    def apart(one, other):
        return float(np.abs(one - other).mean())

    products = list(several)
    within = [apart(pictures[0], pictures[1]) for pictures in several.values()]
    between = [
        apart(several[a][0], several[b][0]) for a, b in zip(products, products[1:], strict=False) if a[0] == b[0]
    ]
    assert 0 < np.median(within) < 0.7 * np.median(between)


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
    assert report["source"] == "drawn sample"
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


def test_one_article_type_has_a_single_picture(archive):
    types = [row[4] for row in table(archive)]
    assert types.count("Umbrellas") == 1
    assert len(set(types)) == len(sample.ARTICLES)
