"""User photos that came with the data: a bad row or photo is told by its id, the others are kept with their boxes."""

import io
import json
import re
import zipfile

import pytest
from PIL import Image

from pipeline.data import queries
from pipeline.data.boxes import TABLE, BoxError
from pipeline.data.sources import Source, SourceError

HEADER = "user_img_id,img_path,bbox_x,bbox_y,bbox_w,bbox_h\n"
SIZE = (160, 120)


def test_a_good_table_is_read_as_it_stands():
    rows, faults = queries.read(HEADER + "7,user_photos/7.jpg,3,4,50,60\n8,user_photos/8.jpg,,,,\n")
    assert faults == []
    assert [(row["user_img_id"], row["img_path"], row["box"]) for row in rows] == [
        ("7", "user_photos/7.jpg", (3, 4, 50, 60)),
        ("8", "user_photos/8.jpg", None),
    ]


def test_more_columns_in_any_order_are_kept():
    rows, _ = queries.read("product_id,bbox_h,bbox_w,bbox_y,bbox_x,img_path,user_img_id\np1,4,3,2,1,a.jpg,7\n")
    assert rows[0]["box"] == (1, 2, 3, 4)
    assert rows[0]["product_id"] == "p1"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("9,a.jpg,1,2,x,4", r"9 \(line 3\): bbox_w is not a number. Received: 'x'"),
        ("9,a.jpg,1,2,,4", r"9 \(line 3\): bbox_w is not a number. Received: ''"),
        ("9,a.jpg,nan,2,3,4", r"9 \(line 3\): bbox_x is not a number of pixels"),
        ("9,a.jpg,1,2,3,1e300", r"9 \(line 3\): bbox_h is not a number of pixels"),
        ("9,a.jpg,1,2,3", r"line 3: 9: not as many fields"),
        ("9,a.jpg,1,2,3,4,5", r"line 3: 9: not as many fields"),
        (",a.jpg,1,2,3,4", r"line 3: no user_img_id"),
        ("7,b.jpg,1,2,3,4", r"7 \(line 3\): again; the first row is kept"),
    ],
)
def test_a_bad_row_is_told_by_its_id_and_costs_no_other(line, fault):
    rows, faults = queries.read(HEADER + "7,a.jpg,1,1,5,5\n" + line + "\n8,c.jpg,1,1,5,5\n")
    assert [row["user_img_id"] for row in rows] == ["7", "8"]
    assert len(faults) == 1
    assert re.search(fault, faults[0])


@pytest.mark.parametrize("text", ["", "user_img_id,img_path\n1,a.jpg\n"])
def test_a_table_without_its_columns_is_refused(text):
    with pytest.raises(BoxError, match="lacks the columns .*bbox_x.* Expected"):
        queries.read(text)


def source_of(table, files):
    """A source whose `queries.csv` names files by their paths."""

    def file(name):
        if name not in files:
            raise SourceError(f"{name} is not in the zip")
        return files[name]

    return Source("here", b"", {}, file, table.encode(), file)


def jpeg(size=SIZE, orientation=None):
    buffer, exif = io.BytesIO(), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new("RGB", size, "red").save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def test_photos_are_collected_and_every_bad_one_is_told_by_its_id(tmp_path):
    rows = [
        "1,a.jpg,3,4,50,60",
        "2,a.jpg,,,,",
        "3,a.jpg,150,100,50,60",
        "4,a.jpg,500,4,50,60",
        "5,a.jpg,3,4,0,60",
        "6,a.jpg,53,64,-50,-60",
        "7,a.jpg,3.5,4.2,50,60",
        "8,gone.jpg,3,4,50,60",
        "9,cut.jpg,3,4,50,60",
        "1,b.jpg,1,1,5,5",
        "10,../a.jpg,1,1,5,5",
    ]
    files = {"a.jpg": jpeg(), "cut.jpg": jpeg()[:200]}
    report = queries.collect(source_of(HEADER + "\n".join(rows), files), tmp_path / "photos.zip")
    assert report["user_photos"] == 5
    assert report["boxes_changed"] == {
        "3": "clipped to the picture",
        "6": "corners swapped",
        "7": "fractions taken to whole pixels",
    }
    told = {line.split(" ")[0].rstrip(":") for line in report["user_photos_left_out"]}
    assert told == {"4", "5", "8", "9", "1", "10"}
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        table = json.loads(archive.read(TABLE))
        assert [(row["id"], row["box"]) for row in table] == [
            ("1", [3, 4, 50, 60]),
            ("2", None),
            ("3", [150, 100, 10, 20]),
            ("6", [3, 4, 50, 60]),
            ("7", [3, 4, 51, 61]),
        ]
        assert archive.read("0") == files["a.jpg"]
        assert archive.namelist() == [TABLE, "0", "1", "2", "3", "4"]


def test_the_box_is_on_the_upright_photo(tmp_path):
    files = {"a.jpg": jpeg((160, 120), orientation=6)}  # shown as 120 × 160
    report = queries.collect(source_of(HEADER + "1,a.jpg,0,0,120,160", files), tmp_path / "photos.zip")
    assert report == {"user_photos": 1, "user_photos_left_out": [], "boxes_changed": {}}


def test_a_source_without_queries_gives_an_empty_zip(tmp_path):
    source = Source("here", b"", {}, lambda _: b"", None, lambda _: b"")
    assert queries.collect(source, tmp_path / "photos.zip")["user_photos"] == 0
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        assert json.loads(archive.read(TABLE)) == []


def test_a_table_that_is_none_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(BoxError, match="queries.csv lacks the columns"):
        queries.collect(source_of("a,b\n1,2\n", {}), tmp_path / "photos.zip")
    assert list(tmp_path.iterdir()) == []
