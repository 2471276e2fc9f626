"""Label tables as people save them, pictures as they come, and the split."""

import csv
import io
import multiprocessing
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from test_sources import HEADER, jpeg, place, row, spec, styles, unpacked, zipped  # noqa: F401

from pipeline import paths
from pipeline.data import catalog, ingest
from pipeline.data.groups import split_groups


def test_a_table_is_read_as_it_stands():
    frame, report = ingest.read_styles(styles())
    assert frame[catalog.ID].tolist() == ["1", "2"]
    assert frame[catalog.YEAR].tolist() == [2012, 2012]
    counted = {"encoding": "utf-8", "columns": 10, "rows": 2, "first_ids": ["1", "2"]}
    assert report == {**counted, "rows_repaired": [], "rows_left_out": []}


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (styles(row(1, "Café shirt")), "utf-8"),
        (b"\xef\xbb\xbf" + styles(row(1, "Café shirt")), "utf-8 with byte-order mark"),
        (styles(row(1, "Café shirt")).replace(b"\n", b"\r\n"), "utf-8"),
    ],
)
def test_unicode_tables_are_the_same(data, encoding):
    frame, report = ingest.read_styles(data)
    assert frame[catalog.PRODUCT].tolist() == ["Café shirt"]
    assert report["encoding"] == encoding


def test_a_latin_1_table_is_read_and_said_to_be_one():
    text = "\n".join([HEADER, *(row(number, f"Chemise d'été n° {number} à carreaux, façon") for number in range(30))])
    frame, report = ingest.read_styles(text.encode("latin-1"))
    assert report["encoding"] not in ("utf-8", "utf-8 with byte-order mark")
    assert frame[catalog.PRODUCT].iloc[7] == "Chemise d'été n° 7 à carreaux, façon"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_what_spreadsheets_save_is_read(encoding):
    name = "Cœur – 20 €, été"
    lines = [HEADER, *(row(number, f"{name} {number}") for number in range(30))]
    frame, report = ingest.read_styles(("\r\n".join(lines) + "\r\n").encode(encoding))
    assert frame[catalog.PRODUCT].tolist() == [f"{name} {number}" for number in range(30)]
    assert report["rows_left_out"] == []


def test_what_is_no_text_is_refused(rng):
    with pytest.raises(catalog.CatalogError, match="no known text encoding"):
        ingest.read_styles(jpeg() + rng.bytes(3000))


def test_columns_may_stand_in_any_order_with_others_between():
    columns = ["extra", *reversed(catalog.COLUMNS)]
    values = dict(zip(catalog.COLUMNS, row(7).split(","), strict=True)) | {"extra": "?"}
    text = ",".join(columns) + "\n" + ",".join(values[name] for name in columns)
    frame, _ = ingest.read_styles(text.encode())
    assert frame.columns.tolist() == catalog.COLUMNS
    assert frame.iloc[0].tolist() == [*row(7).split(",")[:7], 2012, "Casual", "A shirt"]


@pytest.mark.parametrize("column", catalog.COLUMNS)
def test_a_missing_column_is_named(column):
    columns = [name for name in catalog.COLUMNS if name != column]
    with pytest.raises(catalog.CatalogError, match=rf"lacks the column \['{column}'\]"):
        ingest.read_styles(",".join(columns).encode() + b"\n" + b"x," * 8 + b"x")


@pytest.mark.parametrize("data", [b"", b"\n", HEADER.encode(), HEADER.encode() + b"\n\n"])
def test_a_table_without_a_row_is_refused(data):
    with pytest.raises(catalog.CatalogError):
        ingest.read_styles(data)


def test_commas_quoted_or_not_stay_in_the_name():
    frame, report = ingest.read_styles(styles(row(1, "Red, blue, and green"), row(2, '"Red, blue"')))
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
    frame, report = ingest.read_styles(styles(row(2), line))
    assert frame[catalog.ID].tolist() == ["2"]
    assert words in report["rows_left_out"][0]
    assert "line 3" in report["rows_left_out"][0]


def test_a_quote_that_never_closes_is_said():
    with pytest.raises(catalog.CatalogError, match="damaged at line"):
        ingest.read_styles(styles(row(1), row(2, '"' + "x" * 200_000)))


def test_a_quote_that_never_closes_swallows_no_row():
    table = styles(row(1, '"Bad'), *(row(number) for number in range(2, 50)))
    try:
        frame, report = ingest.read_styles(table)
    except catalog.CatalogError:
        return
    assert len(frame) + len(report["rows_left_out"]) == 49


def test_a_line_is_a_row_so_a_quoted_line_break_is_named_and_spoils_no_other():
    frame, report = ingest.read_styles(styles(row(1), row(2, '"two\nlines"'), row(3)))
    assert frame[catalog.ID].tolist() == ["1", "2", "3"]
    assert report["rows_left_out"] == ["line 4: 1 fields, expected 10"]


def test_na_is_a_label_and_blank_is_missing():
    frame, _ = ingest.read_styles(styles(row(1).replace("Blue", "NA").replace("Summer", "")))
    assert frame[catalog.COLOUR].tolist() == ["NA"]
    assert frame[catalog.SEASON].isna().all()


@settings(deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_characters='\r\n"\0', exclude_categories=["Cs"]), max_size=60), max_size=15)
)
def test_every_row_is_kept_or_named(lines):
    frame, report = ingest.read_styles("\n".join([HEADER, row("keep"), *lines]).encode())
    blank = sum(1 for line in lines if not line)
    assert len(frame) + len(report["rows_left_out"]) == report["rows"] == 1 + len(lines) - blank


NAMES = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=30)


@settings(deadline=None, max_examples=50)
@given(st.lists(NAMES, min_size=1, max_size=8))
def test_a_quoted_name_comes_back_as_it_was_written(names):
    buffer = io.StringIO(newline="")
    fields = [row(number).split(",")[:-1] + [name] for number, name in enumerate(names)]
    csv.writer(buffer).writerows([catalog.COLUMNS, *fields])
    frame, report = ingest.read_styles(buffer.getvalue().encode())
    assert [name if isinstance(name, str) else "" for name in frame[catalog.PRODUCT]] == [n.strip() for n in names]
    assert report["rows_repaired"] == report["rows_left_out"] == []


def bad_pictures():
    huge = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(huge, "PNG")
    return {"2": b"only text", "3": jpeg()[:400], "4": huge.getvalue(), "5": b""}


def test_unusable_pictures_are_listed_and_the_run_goes_on(place):  # noqa: F811
    rows = [row(number, f"Shirt {number}") for number in (1, 2, 3, 4, 5, 6, 7)]
    files = {"styles.csv": styles(*rows), "images/1.jpg": jpeg(), "images/6.jpg": jpeg("blue"), "images/99.jpg": jpeg()}
    files |= {f"images/{number}.jpg": data for number, data in bad_pictures().items()}
    (place / "a.zip").write_bytes(zipped(files, 0))
    report = ingest.ingest(spec("a.zip"))
    assert set(report["pictures_unreadable"]) == {"2", "3", "4", "5"}
    assert report["rows_without_picture"] == ["7"]
    assert report["pictures_without_row"] == ["99"]
    assert catalog.load("mine")[catalog.ID].tolist() == ["1", "6"]
    with paths.open_images("mine") as archive:
        assert archive.namelist() == ["1", "6"]
        assert archive.read("6") == jpeg("blue")


def test_every_row_ends_in_one_place(place, rng):  # noqa: F811
    cases = {
        "good": jpeg,
        "text": lambda: b"only text",
        "cut": lambda: jpeg()[:300],
        "empty": lambda: b"",
        "gone": None,
    }
    kinds = {str(number): str(rng.choice(list(cases))) for number in range(80)}
    files = {f"images/{number}.jpg": cases[kind]() for number, kind in kinds.items() if cases[kind]}
    table = styles(*(row(number, f"Shirt {number}") for number in kinds), "short,row", row("../x"))
    (place / "a.zip").write_bytes(zipped({"styles.csv": table, **files}))
    report = ingest.ingest(spec("a.zip"))
    assert len(report["rows_left_out"]) == 2
    assert catalog.load("mine")[catalog.ID].tolist() == [number for number in kinds if kinds[number] == "good"]
    assert report["rows_without_picture"] == [number for number in kinds if kinds[number] == "gone"]
    unreadable = [number for number in kinds if kinds[number] in ("text", "cut", "empty")]
    assert list(report["pictures_unreadable"]) == unreadable
    assert report["rows"] == 82 == 2 + report["pictures"] + len(report["rows_without_picture"]) + len(unreadable)


def test_pictures_with_equal_bytes_grey_and_odd_sizes_are_named(place):  # noqa: F811
    grey, odd = io.BytesIO(), io.BytesIO()
    Image.new("L", (60, 80), 90).save(grey, "JPEG")
    Image.new("RGB", (60, 60), "green").save(odd, "PNG")
    pictures = {"1": jpeg(), "2": jpeg("blue"), "3": grey.getvalue(), "4": odd.getvalue(), "5": jpeg()}
    files = {f"images/{number}.jpg": data for number, data in pictures.items()}
    (place / "a.zip").write_bytes(zipped({"styles.csv": styles(*map(row, pictures)), **files}))
    report = ingest.ingest(spec("a.zip"))
    assert (report["grey"], report["odd_size"], report["equal_bytes"]) == (["3"], {"4": [60, 60]}, [["1", "5"]])
    assert report["usual_size"] == [60, 80]


def test_near_copies_are_named_and_left_out_only_where_the_parameters_say_so(place, rng):  # noqa: F811
    patches = [Image.fromarray(rng.integers(10, 190, (4, 3, 3), dtype=np.uint8)).resize((60, 80)) for _ in range(3)]
    pictures = {"1": patches[0], "2": patches[1], "3": patches[0], "4": patches[2]}
    files = {"styles.csv": styles(*map(row, pictures))}
    for number, picture in pictures.items():
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=80 if number == "3" else 95)
        files[f"images/{number}.jpg"] = buffer.getvalue()
    (place / "a.zip").write_bytes(zipped(files))
    kept = ingest.ingest(spec("a.zip"))
    assert (kept["near_copies"], kept["near_copies_left_out"], kept["pictures"]) == ([["recoded", "1", "3"]], [], 4)
    fewer = ingest.ingest(spec("a.zip").model_copy(update={"leave_out": ["recoded"]}))
    assert (fewer["near_copies_left_out"], fewer["pictures"]) == (["3"], 3)
    assert catalog.load(spec("a.zip").name)[catalog.ID].tolist() == ["1", "2", "4"]
    moved = ingest.ingest(spec("a.zip").model_copy(update={"leave_out": ["moved", "recoloured"]}))
    assert moved["near_copies_left_out"] == []


def test_an_empty_catalogue_is_refused_and_leaves_nothing(place):  # noqa: F811
    (place / "a.zip").write_bytes(zipped({"styles.csv": styles(), "images/9.jpg": jpeg()}))
    with pytest.raises(catalog.CatalogError, match="empty catalogue: 2 rows in styles.csv, 1 pictures"):
        ingest.ingest(spec("a.zip"))
    assert not [path for path in (place / "outputs").rglob("*") if path.is_file()]


def test_two_ingests_give_the_same_bytes(place):  # noqa: F811
    (place / "a.zip").write_bytes(
        zipped({"styles.csv": styles(), "images/1.jpg": jpeg(), "images/2.jpg": jpeg("blue")})
    )
    files = [paths.images("mine"), paths.catalog("mine"), paths.ingest_report("mine")]
    ingest.ingest(spec("a.zip"))
    first = [path.read_bytes() for path in files]
    ingest.ingest(spec("a.zip"))
    assert [path.read_bytes() for path in files] == first


def test_the_bytes_depend_on_the_pictures_alone(place):  # noqa: F811
    rows = [row(number, f"Shirt {number}") for number in range(12)]
    pictures = {f"images/{number}.jpg": jpeg((9 * number, 0, 0)) for number in range(12)}
    (place / "a.zip").write_bytes(zipped({"styles.csv": styles(*rows), **pictures}))
    unpacked(place / "folder", {**dict(reversed(pictures.items())), "styles.csv": styles(*reversed(rows))})
    ingest.ingest(spec("a.zip"))
    first = paths.images("mine").read_bytes()
    paths.images("mine").with_name("images.zip.partial").write_bytes(b"left by a killed run")
    ingest.ingest(spec("folder"))
    assert paths.images("mine").read_bytes() == first
    with paths.open_images("mine") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert not list(paths.outputs("mine").glob("*.partial"))


def fill_the_disk(root, size):
    """No file of this process may grow past `size`: what a full disk looks like to a writer."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    paths.ROOT = root
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        ingest.ingest(spec("a.zip"))
    except OSError:
        os._exit(7)
    os._exit(0)


def ingest_on_a_full_disk(place, pictures, size):  # noqa: F811
    rows = [row(number, f"Shirt {number}") for number in range(pictures)]
    files = {"styles.csv": styles(*rows), **{f"images/{number}.jpg": jpeg() for number in range(pictures)}}
    (place / "a.zip").write_bytes(zipped(files))
    child = multiprocessing.get_context("fork").Process(target=fill_the_disk, args=(place, size))
    child.start()
    child.join()
    assert child.exitcode == 7


def test_a_full_disk_leaves_nothing_that_looks_whole(place):  # noqa: F811
    ingest_on_a_full_disk(place, pictures=60, size=20_000)
    assert not [path for path in (place / "outputs").rglob("*") if path.is_file()]


def test_a_disk_that_fills_up_after_the_pictures_leaves_no_part_of_a_catalogue(place):  # noqa: F811
    ingest_on_a_full_disk(place, pictures=3, size=6_000)
    assert paths.images("mine").stat().st_size < 6_000
    assert not paths.catalog("mine").exists()


def drawn_frame(pictures):
    """A catalogue of (name, bytes, year) each."""
    names, bytes_, years = zip(*pictures, strict=True)
    return pd.DataFrame(
        {
            catalog.ID: [str(number) for number in range(len(names))],
            catalog.PRODUCT: pd.Series(names, dtype="str"),
            catalog.SHA256: pd.Series(bytes_, dtype="str"),
            catalog.YEAR: pd.array(years, "Int64"),
            catalog.ARTICLE: "Shirts",
            catalog.SUB: "Topwear",
        }
    )


PICTURE = st.tuples(
    st.sampled_from(["a", "A", "b", "b!", "c", "d", "e", None]),
    st.sampled_from("uvwxyz"),
    st.sampled_from([2010, 2011, 2012, None]),
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40, deadline=None)
@given(st.lists(PICTURE, min_size=2, max_size=40), st.integers(0, 99))
def test_no_product_straddles_the_split(pictures, seed):
    frame = drawn_frame(pictures)
    split = ingest.add_splits(frame, 0.2, seed)
    for related in (frame[catalog.PRODUCT].str.lower().str.strip("!"), frame[catalog.SHA256]):
        assert (split.groupby(related)[catalog.SPLIT].nunique() <= 1).all()
        temporal = split.groupby(related)[catalog.TEMPORAL_SPLIT].agg(set)
        assert not any({catalog.TRAIN, catalog.TEST} <= parts for parts in temporal)
    assert split.equals(ingest.add_splits(frame, 0.2, seed))


def test_even_years_are_learnt_and_odd_ones_ask_unless_an_even_one_has_their_product_or_bytes():
    pictures = [
        ("Red Shirt", "1", 2010),
        ("RED-SHIRT", "2", 2011),  # the name of an even year's
        ("Belt", "1", 2013),  # its bytes
        ("belt", "3", 2013),  # the name of a picture that has its bytes
        ("Tie", "4", 2011),
        ("Tie", "5", 2013),
        (None, "6", 2012),
        (None, "7", 2011),  # no name is nobody's
        ("Cap", "8", None),
        ("Cap", "9", 2011),  # without a year it is not learnt
    ]
    parts = ingest.add_splits(drawn_frame(pictures), 0.2, 0)[catalog.TEMPORAL_SPLIT]
    expected = ["train", "seen", "seen", "seen", "test", "test", "train", "test", "", "test"]
    assert parts.fillna("").tolist() == expected


def test_half_of_each_sub_category_s_types_are_held_out_and_the_odd_ones_take_turns():
    sizes = {"Topwear": 7, "Shoes": 4, "Eyewear": 1, "Ties": 1, "Bags": 3}
    types = [(sub, f"{sub} {number}") for sub, count in sizes.items() for number in range(count)]
    frame = pd.DataFrame(types * 3, columns=[catalog.SUB, catalog.ARTICLE])
    frame.loc[len(frame) - 1, catalog.SUB] = "Shoes"  # one mislabelled picture moves no type
    frame.loc[len(frame)] = ["Shoes", None]
    parts = ingest.held_out(frame, seed=3)
    assert pd.isna(parts[-1])
    by_type = pd.Series(parts[:-1]).groupby(frame[catalog.ARTICLE][:-1]).unique().map(list)
    assert set(map(len, by_type)) == {1}  # a type is on one side
    held = {sub: sum(by_type[name] == ["test"] for name in by_type.index if name.startswith(sub)) for sub in sizes}
    assert held["Shoes"] == 2
    assert {held["Topwear"], held["Bags"]} <= {3, 4, 1, 2}
    odd = [held[name] - sizes[name] // 2 for name in sorted(sizes) if sizes[name] % 2]
    assert odd == [1, 0, 1, 0]
    others = [ingest.held_out(frame, seed) for seed in range(5)]
    assert any(list(other[:-1]) != list(parts[:-1]) for other in others)
    assert list(ingest.held_out(frame, 3)[:-1]) == list(parts[:-1])


def test_data_without_sub_categories_hold_out_half_of_their_types():
    frame = pd.DataFrame({catalog.ARTICLE: [f"type {number}" for number in range(9)], catalog.SUB: None})
    assert sorted(ingest.held_out(frame, 0)) == ["test"] * 5 + ["train"] * 4


def test_the_report_counts_groups_and_what_the_temporal_split_asks(place):  # noqa: F811
    described = {
        1: ("Tie", 2010, "Ties"),
        2: ("tie!", 2011, "Ties"),
        3: ("Cap", 2011, "Caps"),
        4: ("Belt", 2013, "Ties"),
    }
    rows = [row(number, name).replace("2012", str(year)) for number, (name, year, _) in described.items()]
    rows = [line.replace("Shirts", kind) for line, (*_, kind) in zip(rows, described.values(), strict=True)]
    files = {f"images/{number}.jpg": jpeg((40 * number, 0, 0)) for number in described}
    (place / "a.zip").write_bytes(zipped({"styles.csv": styles(*rows), **files}))
    report = ingest.ingest(spec("a.zip"))
    assert report["groups"] == 3
    assert report["temporal"] == {"train": 1, "test": 2, "seen": 1, "test_of_new_types": 1, "seen_of_new_types": 0}


def test_a_fifth_of_the_groups_asks(in_sample):
    frame = catalog.load("sample")
    asking = frame.groupby(split_groups(frame))[catalog.SPLIT].first()
    assert (asking == catalog.TEST).mean() == pytest.approx(0.2, abs=0.01)
    assert frame[frame[catalog.YEAR].isna()][catalog.TEMPORAL_SPLIT].isna().all()


def test_codes_are_equal_where_labels_are_and_blank_is_relevant_to_nothing():
    frame = pd.DataFrame(
        {
            catalog.ARTICLE: ["Shirts", "Shirts", "Ties", None, "Shirts"],
            catalog.GENDER: ["Men", "Men", "Men", "Men", "Women"],
            catalog.PRODUCT: ["x", None, "x", "y", "y"],
        }
    )
    assert catalog.label_codes(frame, "articleType").tolist() == [0, 0, 1, -1, 0]
    both = catalog.label_codes(frame, "gender+articleType")
    assert both[0] == both[1] != both[4]
    assert both[3] == -1
    product = catalog.label_codes(frame, "product")
    assert product[1] == -1
    assert product[0] == product[2] != product[3]
    assert product.dtype == np.int32


LABEL = st.sampled_from(["a", "b", "NA", None])


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(LABEL, LABEL, LABEL), min_size=1, max_size=12),
    st.sampled_from(["articleType", "gender+articleType", "articleType+baseColour", "product"]),
)
def test_codes_are_equal_for_exactly_the_pairs_with_equal_labels(labels, relevance):
    columns = [catalog.GENDER, catalog.ARTICLE, catalog.COLOUR]
    frame = pd.DataFrame(labels, columns=columns, dtype="str")
    frame[catalog.PRODUCT] = frame[catalog.GENDER]
    wanted = [catalog.PRODUCT] if relevance == "product" else relevance.split("+")
    codes = catalog.label_codes(frame, relevance)
    keys = [tuple(None if pd.isna(value) else value for value in values) for values in frame[wanted].to_numpy()]
    for one, key in zip(codes, keys, strict=True):
        assert (one == -1) == (None in key)
        for other, another in zip(codes, keys, strict=True):
            assert (one == other and one >= 0) == (key == another and None not in key)


def test_ids_stand_in_the_order_of_their_numbers(place):  # noqa: F811
    rows = [row(number, f"Shirt {number}") for number in ("10", "9", "b", "100")]
    files = {"styles.csv": styles(*rows), **{f"images/{name}.jpg": jpeg() for name in ("10", "9", "b", "100")}}
    (place / "a.zip").write_bytes(zipped(files))
    ingest.ingest(spec("a.zip"))
    assert catalog.load("mine")[catalog.ID].tolist() == ["9", "10", "100", "b"]


def test_a_catalogue_not_made_yet_says_how(place):  # noqa: F811
    with pytest.raises(catalog.CatalogError, match="dvc repro ingest"):
        catalog.load("nothing")


def test_a_table_of_one_product_is_all_train():
    frame = ingest.read_styles(styles(row(1), row(2)))[0].assign(**{catalog.SHA256: ["a", "b"]})
    assert (ingest.add_splits(frame, 0.5, 0)[catalog.SPLIT] == catalog.TRAIN).all()


def test_labels_are_counted_in_the_whole_table_most_first_and_blanks_are_none():
    rows, _ = ingest.read_styles(
        b"id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName\n"
        b"1,Men,A,B,C,NA,Fall,2011,,x\n2,Men,A,B,D,Red,Fall,2012,Casual,y\n3,Women,A,B,D,NA,Fall,2012,Casual,z\n"
    )
    counts = ingest.label_counts(rows)
    one = {column: dict(zip(group["label"], group["rows"], strict=True)) for column, group in counts.groupby("column")}
    assert one["gender"] == {"Men": 2, "Women": 1}
    assert one["baseColour"] == {"NA": 2, "Red": 1}
    assert one["usage"] == {"Casual": 2}
    assert one["year"] == {"2012": 2, "2011": 1}
    assert list(counts[counts["column"] == "articleType"]["label"]) == ["D", "C"]


@pytest.mark.parametrize(
    ("report", "are"),
    [
        ({}, True),
        ({"pictures": 44_400}, True),
        ({"pictures": 44_399}, False),
        ({"rows": 44_445}, False),
        ({"rows": 44_447}, False),
        ({"source": catalog.DRAWN}, False),
    ],
)
def test_the_thesiss_images_are_all_of_kaggles(monkeypatch, report, are):
    whole = {"source": "archive.zip", "rows": 44_446, "pictures": 44_441}
    monkeypatch.setattr(catalog, "load_report", lambda data: {**whole, **report})
    assert catalog.are_the_thesis_images("fashion_small") is are
    assert catalog.comparability("fashion_small").startswith("NOT COMPARABLE") is (report.get("source") is not None)


def test_draws_are_seeded_ascending_and_without_repeats():
    rows = np.arange(100, 200)
    for draw in (catalog.draw, catalog.draw_apart):
        some = draw(rows, 12, 3)
        assert len(some) == 12
        assert (np.diff(some) > 0).all()
        assert set(some) <= set(rows)
        assert some.tolist() == draw(rows, 12, 3).tolist() != draw(rows, 12, 4).tolist()
        assert draw(rows, 1000, 3).tolist() == rows.tolist()
    assert catalog.draw(rows, 5, 0).tolist() == sorted(np.random.default_rng(0).permutation(rows)[:5])
    assert catalog.draw_apart(rows, 5, 0).tolist() == sorted(np.random.default_rng(0).choice(rows, 5, replace=False))
