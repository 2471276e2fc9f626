"""Label tables as people save them, pictures as they come, and the split."""

import io
import multiprocessing
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from test_sources import HEADER, jpeg, place, row, spec, styles, zipped  # noqa: F401

from pipeline import paths
from pipeline.data import catalog


def test_a_table_is_read_as_it_stands():
    frame, report = catalog.read_styles(styles())
    assert frame[catalog.ID].tolist() == ["1", "2"]
    assert frame[catalog.YEAR].tolist() == [2012, 2012]
    assert report == {"encoding": "utf-8", "rows": 2, "rows_repaired": [], "rows_left_out": []}


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (styles(row(1, "Café shirt")), "utf-8"),
        (b"\xef\xbb\xbf" + styles(row(1, "Café shirt")), "utf-8 with byte-order mark"),
        (styles(row(1, "Café shirt")).replace(b"\n", b"\r\n"), "utf-8"),
    ],
)
def test_unicode_tables_are_the_same(data, encoding):
    frame, report = catalog.read_styles(data)
    assert frame[catalog.PRODUCT].tolist() == ["Café shirt"]
    assert report["encoding"] == encoding


def test_a_latin_1_table_is_read_and_said_to_be_one():
    text = "\n".join([HEADER, *(row(number, f"Chemise d'été n° {number} à carreaux, façon") for number in range(30))])
    frame, report = catalog.read_styles(text.encode("latin-1"))
    assert report["encoding"] not in ("utf-8", "utf-8 with byte-order mark")
    assert frame[catalog.PRODUCT].iloc[7] == "Chemise d'été n° 7 à carreaux, façon"


@pytest.mark.parametrize("column", catalog.COLUMNS)
def test_a_missing_column_is_named(column):
    columns = [name for name in catalog.COLUMNS if name != column]
    with pytest.raises(catalog.CatalogError, match=rf"lacks the column \['{column}'\]"):
        catalog.read_styles(",".join(columns).encode() + b"\n" + b"x," * 8 + b"x")


@pytest.mark.parametrize("data", [b"", b"\n", HEADER.encode(), HEADER.encode() + b"\n\n"])
def test_a_table_without_a_row_is_refused(data):
    with pytest.raises(catalog.CatalogError):
        catalog.read_styles(data)


def test_commas_quoted_or_not_stay_in_the_name():
    frame, report = catalog.read_styles(styles(row(1, "Red, blue, and green"), row(2, '"Red, blue"')))
    assert frame[catalog.PRODUCT].tolist() == ["Red, blue, and green", "Red, blue"]
    assert report["rows_repaired"] == ["1"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (row(1).replace(",Casual", ""), "9 fields"),
        (row("../../etc/passwd"), "is not letters"),
        (row(""), "is not letters"),
        (row(2), "id 2 again"),
        (row(1).replace("2012", "soon"), "is not a year"),
    ],
)
def test_a_bad_row_is_left_out_by_name(line, words):
    frame, report = catalog.read_styles(styles(row(2), line))
    assert frame[catalog.ID].tolist() == ["2"]
    assert words in report["rows_left_out"][0]
    assert "line 3" in report["rows_left_out"][0]


def test_a_quote_that_never_closes_is_said():
    with pytest.raises(catalog.CatalogError, match="damaged at line"):
        catalog.read_styles(styles(row(1), row(2, '"' + "x" * 200_000)))


def test_na_is_a_label_and_blank_is_missing():
    frame, _ = catalog.read_styles(styles(row(1).replace("Blue", "NA").replace("Summer", "")))
    assert frame[catalog.COLOUR].tolist() == ["NA"]
    assert frame[catalog.SEASON].isna().all()


@given(
    st.lists(st.text(st.characters(exclude_characters='\r\n"\0', exclude_categories=["Cs"]), max_size=60), max_size=15)
)
def test_every_row_is_kept_or_named(lines):
    frame, report = catalog.read_styles("\n".join([HEADER, row("keep"), *lines]).encode())
    blank = sum(1 for line in lines if not line)
    assert len(frame) + len(report["rows_left_out"]) == report["rows"] == 1 + len(lines) - blank


def bad_pictures():
    huge = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(huge, "PNG")
    return {"2": b"only text", "3": jpeg()[:400], "4": huge.getvalue(), "5": b""}


def test_unusable_pictures_are_listed_and_the_run_goes_on(place):  # noqa: F811
    rows = [row(number, f"Shirt {number}") for number in (1, 2, 3, 4, 5, 6, 7)]
    files = {"styles.csv": styles(*rows), "images/1.jpg": jpeg(), "images/6.jpg": jpeg("blue"), "images/99.jpg": jpeg()}
    files |= {f"images/{number}.jpg": data for number, data in bad_pictures().items()}
    (place / "a.zip").write_bytes(zipped(files, 0))
    report = catalog.ingest(spec("a.zip"))
    assert set(report["pictures_unreadable"]) == {"2", "3", "4", "5"}
    assert report["rows_without_picture"] == ["7"]
    assert report["pictures_without_row"] == ["99"]
    assert catalog.load("mine")[catalog.ID].tolist() == ["1", "6"]
    with paths.open_images("mine") as archive:
        assert archive.namelist() == ["1", "6"]
        assert archive.read("6") == jpeg("blue")


def test_an_empty_catalogue_is_refused_and_leaves_nothing(place):  # noqa: F811
    (place / "a.zip").write_bytes(zipped({"styles.csv": styles(), "images/9.jpg": jpeg()}))
    with pytest.raises(catalog.CatalogError, match="empty catalogue: 2 rows in styles.csv, 1 pictures"):
        catalog.ingest(spec("a.zip"))
    assert not [path for path in (place / "outputs").rglob("*") if path.is_file()]


def test_two_ingests_give_the_same_bytes(place):  # noqa: F811
    (place / "a.zip").write_bytes(
        zipped({"styles.csv": styles(), "images/1.jpg": jpeg(), "images/2.jpg": jpeg("blue")})
    )
    files = [paths.images("mine"), paths.catalog("mine"), paths.ingest_report("mine")]
    catalog.ingest(spec("a.zip"))
    first = [path.read_bytes() for path in files]
    catalog.ingest(spec("a.zip"))
    assert [path.read_bytes() for path in files] == first


def fill_the_disk(root):
    """No file of this process may grow past 20 kB: what a full disk looks like to a writer."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    paths.ROOT = root
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        catalog.ingest(spec("a.zip"))
    except OSError:
        os._exit(7)
    os._exit(0)


def test_a_full_disk_leaves_nothing_that_looks_whole(place):  # noqa: F811
    rows = [row(number, f"Shirt {number}") for number in range(60)]
    files = {"styles.csv": styles(*rows), **{f"images/{number}.jpg": jpeg() for number in range(60)}}
    (place / "a.zip").write_bytes(zipped(files))
    child = multiprocessing.get_context("fork").Process(target=fill_the_disk, args=(place,))
    child.start()
    child.join()
    assert child.exitcode == 7
    assert not [path for path in (place / "outputs").rglob("*") if path.is_file()]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e", None]), min_size=2, max_size=60), st.integers(0, 99))
def test_no_product_straddles_the_split(names, seed):
    frame = pd.DataFrame(
        {catalog.ID: [str(i) for i in range(len(names))], catalog.PRODUCT: pd.Series(names, dtype="str")}
    )
    frame[catalog.YEAR] = pd.array([2010 + i % 3 for i in range(len(names))], "Int64")
    split = catalog.add_splits(frame, 0.2, seed)
    assert (split.groupby(catalog.PRODUCT)[catalog.SPLIT].nunique() <= 1).all()
    assert split.equals(catalog.add_splits(frame, 0.2, seed))
    even = split[catalog.YEAR] % 2 == 0
    assert (split.loc[even, catalog.TEMPORAL_SPLIT] == catalog.TRAIN).all()
    assert (split.loc[~even, catalog.TEMPORAL_SPLIT] == catalog.TEST).all()


def test_a_fifth_of_the_products_asks(in_sample):
    frame = catalog.load("sample")
    products = frame.groupby(catalog.PRODUCT)[catalog.SPLIT].first()
    assert (products == catalog.TEST).mean() == pytest.approx(0.2, abs=0.01)
    assert frame[frame[catalog.YEAR].isna()][catalog.TEMPORAL_SPLIT].isna().all()


def test_codes_are_equal_where_labels_are_and_blank_is_relevant_to_nothing():
    frame = pd.DataFrame({
        catalog.ARTICLE: ["Shirts", "Shirts", "Ties", None, "Shirts"], catalog.GENDER: ["Men", "Men", "Men", "Men", "Women"],
        catalog.PRODUCT: ["x", None, "x", "y", "y"],
    })  # fmt: skip
    assert catalog.label_codes(frame, "articleType").tolist() == [0, 0, 1, -1, 0]
    both = catalog.label_codes(frame, "gender+articleType")
    assert both[0] == both[1] != both[4]
    assert both[3] == -1
    product = catalog.label_codes(frame, "product")
    assert product[1] == -1
    assert product[0] == product[2] != product[3]
    assert product.dtype == np.int32


def test_ids_stand_in_the_order_of_their_numbers(place):  # noqa: F811
    rows = [row(number, f"Shirt {number}") for number in ("10", "9", "b", "100")]
    files = {"styles.csv": styles(*rows), **{f"images/{name}.jpg": jpeg() for name in ("10", "9", "b", "100")}}
    (place / "a.zip").write_bytes(zipped(files))
    catalog.ingest(spec("a.zip"))
    assert catalog.load("mine")[catalog.ID].tolist() == ["9", "10", "100", "b"]


def test_a_catalogue_not_made_yet_says_how(place):  # noqa: F811
    with pytest.raises(catalog.CatalogError, match="dvc repro ingest"):
        catalog.load("nothing")
