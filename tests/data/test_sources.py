"""Hostile and damaged sources, and Kaggle through a stand-in on this machine."""

import http.server
import io
import json
import os
import struct
import threading
import types
import zipfile

import pytest
from PIL import Image

from pipeline import params, paths
from pipeline.data import catalog, ingest, sources
from pipeline.systems import photos

HEADER = ",".join(catalog.COLUMNS)


def row(image_id, name="A shirt"):
    return f"{image_id},Men,Apparel,Topwear,Shirts,Blue,Summer,2012,Casual,{name}"


def jpeg(colour="red"):
    buffer = io.BytesIO()
    Image.new("RGB", (60, 80), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def styles(*rows):
    return "\n".join([HEADER, *(rows or (row(1), row(2, "Another")))]).encode()


def zipped(files, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


WHOLE = {"styles.csv": styles(), "images/1.jpg": jpeg(), "images/2.jpg": jpeg("blue")}


def patched(data, name, **fields):
    """A zip whose member `name` says something else of itself, in its own header and in the directory."""
    places = {"flags": (6, 8, "<H"), "size": (22, 24, "<I")}
    data = bytearray(data)
    for key, value in fields.items():
        local, central, form = places[key]
        for signature, length, offset in ((b"PK\x03\x04", 30, local), (b"PK\x01\x02", 46, central)):
            start = data.find(signature)
            while data[start + length : start + length + len(name)] != name.encode():
                start = data.index(signature, start + 1)
            struct.pack_into(form, data, start + offset, value)
    return bytes(data)


def unpacked(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def spec(path=None, source="folder", **more):
    return params.Data(name="mine", source=source, path=path, watch="x", seed=0, test_share=0.5, **more)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def opened(place):
    def open_zip(files, **options):
        (place / "a.zip").write_bytes(files if isinstance(files, bytes) else zipped(files, **options))
        return sources.open_source(spec("a.zip"))

    return open_zip


def test_a_zip_and_a_folder_of_the_same_files_are_the_same_source(opened, place):
    first = opened(WHOLE)
    unpacked(place / "folder", WHOLE)
    second = sources.open_source(spec("folder"))
    assert first.styles == second.styles
    assert set(first.images) == set(second.images) == {"1", "2"}
    assert first.read("1") == second.read("1") == jpeg()


def test_kaggles_second_copy_is_left_alone(opened):
    copy = {f"myntradataset/{name}": data for name, data in WHOLE.items()}
    source = opened({**copy, **WHOLE})
    assert source.images == {"1": "images/1.jpg", "2": "images/2.jpg"}


def test_only_pictures_beside_the_table_count(opened):
    more = {name: jpeg() for name in ("other/7.jpg", "images/deeper/8.jpg", "9.jpg", "images/10.txt", "images/11.JPEG")}
    assert set(opened({**more, **WHOLE}).images) == {"1", "2", "11"}


def test_a_dataset_inside_a_folder_of_the_zip_is_found(opened):
    source = opened({f"download/{name}": data for name, data in WHOLE.items()})
    assert source.read("2") == jpeg("blue")


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "images/../../evil.jpg", "/etc/passwd", "..\\evil.jpg", "C:\\evil.jpg", "C:evil"]
)
def test_a_path_that_leaves_the_archive_is_refused(opened, name):
    with pytest.raises(sources.SourceError, match="leaves the archive"):
        opened({**WHOLE, name: b"x"})


def test_a_symbolic_link_is_refused(opened):
    link = zipfile.ZipInfo("images/3.jpg")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO(zipped(WHOLE))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(sources.SourceError, match="symbolic link"):
        opened(buffer.getvalue())


def test_a_bomb_is_refused(opened):
    with pytest.raises(sources.SourceError, match="zip bomb"):
        opened({**WHOLE, "images/3.jpg": b"\0" * 20_000_000})


def test_a_member_larger_than_a_picture_is_one_unreadable_picture(place, monkeypatch):
    monkeypatch.setattr(sources, "MAX_MEMBER_BYTES", 2000)
    (place / "a.zip").write_bytes(zipped({**WHOLE, "images/2.jpg": os.urandom(5000)}))
    monkeypatch.setattr(sources._read_member, "__defaults__", (2000,))
    monkeypatch.setattr(sources._bounded, "__defaults__", (2000,))
    report = ingest.ingest(spec("a.zip"))
    assert list(report["pictures_unreadable"]) == ["2"]


@pytest.mark.parametrize(("more", "fits"), [(0, True), (-1, False)])
def test_a_picture_as_large_as_allowed_is_read_and_one_byte_more_is_not(place, opened, monkeypatch, more, fits):
    limit = len(jpeg()) + more
    monkeypatch.setattr(sources, "MAX_MEMBER_BYTES", limit)
    for function in (sources._read_member, sources._bounded):
        monkeypatch.setattr(function, "__defaults__", (limit,))
    unpacked(place / "folder", WHOLE)
    for source in (opened(WHOLE), sources.open_source(spec("folder"))):
        if fits:
            assert source.read("1") == jpeg()
        else:
            with pytest.raises(sources.SourceError, match="1 is larger than"):
                source.read("1")


def test_a_member_that_claims_to_be_small_is_not_believed(opened):
    huge = zipped({**WHOLE, "images/2.jpg": os.urandom(3_000_000)})
    source = opened(patched(huge, "images/2.jpg", size=100))
    with pytest.raises(sources.SourceError, match="2 cannot be read from the zip"):
        source.read("2")
    assert source.read("1") == jpeg()


def test_an_encrypted_member_is_one_unreadable_picture(place):
    (place / "a.zip").write_bytes(patched(zipped(WHOLE), "images/2.jpg", flags=1))
    report = ingest.ingest(spec("a.zip"))
    assert "encrypted" in report["pictures_unreadable"]["2"]
    assert report["pictures"] == 1


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_cut_zip_is_refused(opened, share):
    data = zipped(WHOLE)
    with pytest.raises(sources.SourceError, match="no complete zip"):
        opened(data[: int(len(data) * share)])


def test_a_damaged_member_is_one_unreadable_picture(place):
    data = bytearray(zipped(WHOLE, zipfile.ZIP_STORED))
    at = data.find(jpeg("blue"))
    data[at + 300] ^= 0xFF
    (place / "a.zip").write_bytes(data)
    report = ingest.ingest(spec("a.zip"))
    assert list(report["pictures_unreadable"]) == ["2"]
    assert report["pictures"] == 1


@pytest.mark.parametrize(
    "method",
    [
        zipfile.ZIP_DEFLATED,
        zipfile.ZIP_BZIP2,
        pytest.param(zipfile.ZIP_LZMA),
    ],
)
def test_damage_is_one_unreadable_picture_however_it_was_packed(opened, method):
    data = bytearray(zipped({**WHOLE, "images/2.jpg": os.urandom(2000)}, method))
    start = data.find(b"images/2.jpg") + 100
    data[start : start + 200] = bytes(200)
    source = opened(bytes(data))
    with pytest.raises(sources.SourceError, match="2 cannot be read from the zip"):
        source.read("2")


def test_a_zip_with_a_name_that_is_no_text_is_refused(opened):
    data = zipped({**WHOLE, "images/é.jpg": b"x"}).replace("é".encode(), b"\xff\xfe")
    with pytest.raises(sources.SourceError):
        opened(data)


def test_no_table_is_said(opened):
    with pytest.raises(sources.SourceError, match="no styles.csv"):
        opened({"images/1.jpg": jpeg()})


@pytest.mark.parametrize("path", ["nothing.zip", "../nothing"])
def test_a_path_to_nothing_is_said(place, path):
    with pytest.raises(sources.SourceError, match="leads to nothing"):
        sources.open_source(spec(path))


def test_a_folder_source_needs_a_path(place):
    with pytest.raises(sources.SourceError, match="data.path is missing"):
        sources.open_source(spec(None))


def test_a_link_out_of_the_folder_is_refused(place):
    (place / "folder/images").mkdir(parents=True)
    (place / "folder/styles.csv").write_bytes(styles())
    (place / "secret.jpg").write_bytes(jpeg())
    (place / "folder/images/1.jpg").symlink_to(place / "secret.jpg")
    with pytest.raises(sources.SourceError, match="leads out of the folder"):
        sources.open_source(spec("folder"))


def test_a_folder_of_pictures_that_is_a_link_out_is_refused(place):
    unpacked(place / "elsewhere", WHOLE)
    (place / "folder").mkdir()
    (place / "folder/styles.csv").write_bytes(styles())
    (place / "folder/images").symlink_to(place / "elsewhere/images")
    with pytest.raises(sources.SourceError, match="leads out of the folder"):
        sources.open_source(spec("folder"))


def test_a_table_that_is_a_link_out_is_refused(place):
    unpacked(place / "folder", WHOLE)
    (place / "folder/styles.csv").rename(place / "secret.csv")
    (place / "folder/styles.csv").symlink_to(place / "secret.csv")
    with pytest.raises(sources.SourceError, match="leads out of the folder"):
        sources.open_source(spec("folder"))


def test_a_folder_may_itself_be_reached_through_a_link(place):
    unpacked(place / "folder", WHOLE)
    (place / "link").symlink_to(place / "folder")
    assert set(sources.open_source(spec("link")).images) == {"1", "2"}


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_cannot_be_opened_in_a_folder_is_one_unreadable_picture(place, kind):
    picture = unpacked(place / "folder", WHOLE) / "images/2.jpg"
    picture.unlink()
    if kind == "folder":
        picture.mkdir()
    else:
        picture.symlink_to("gone.jpg")
    report = ingest.ingest(spec("folder"))
    assert list(report["pictures_unreadable"]) == ["2"]
    assert report["pictures"] == 1


@pytest.fixture
def kaggle(monkeypatch, tmp_path):
    """A stand-in for Kaggle's server on this machine: it knows one dataset, in version 3, and may hang up half-way."""
    state = types.SimpleNamespace(asked=[], hang_up=False)
    body = zipped({**WHOLE, **{f"myntradataset/{name}": data for name, data in WHOLE.items()}})

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append(self.path.split("/")[-1])
            assert "Authorization" not in self.headers
            if self.path.endswith("/GetDataset") and (wanted["ownerSlug"], wanted["datasetSlug"]) == (
                "owner",
                "shirts",
            ):
                self.answer(json.dumps({"currentVersionNumber": 3}).encode(), "application/json")
            elif self.path.endswith("/DownloadDataset") and wanted["datasetVersionNumber"] == 3:
                self.answer(body, "application/zip", len(body) // 2 if state.hang_up else len(body))
            else:
                self.send_error(404)

        def answer(self, data, kind, sent=None):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:sent])

        def log_message(self, *_):
            pass

    from kagglesdk import kaggle_env

    for name in [name for name in os.environ if name.startswith("KAGGLE") or name.upper().endswith("_PROXY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # no one's credentials
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, address)
        monkeypatch.setattr(server, "daemon_threads", True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        server.shutdown()


SHIRTS = spec(source="kaggle", handle="owner/shirts")


def test_kaggles_dataset_becomes_a_catalogue_and_is_downloaded_once(kaggle, place):
    report = ingest.ingest(SHIRTS)
    assert report["pictures"] == 2
    assert catalog.load("mine")[catalog.ID].tolist() == ["1", "2"]
    assert kaggle.asked == ["GetDataset", "DownloadDataset"]
    ingest.ingest(SHIRTS)
    assert kaggle.asked.count("DownloadDataset") == 1


def test_a_failed_download_says_what_else_can_be_done(kaggle, place):
    with pytest.raises(sources.SourceError, match=r"nobody/nothing could not be downloaded.*data\.path"):
        ingest.ingest(spec(source="kaggle", handle="nobody/nothing"))
    assert not (place / "outputs").exists()


def test_a_download_that_breaks_off_is_said_and_the_next_one_is_whole(kaggle, place):
    kaggle.hang_up = True
    with pytest.raises(sources.SourceError, match="could not be downloaded"):
        ingest.ingest(SHIRTS)
    assert not (place / "outputs").exists()
    kaggle.hang_up = False
    assert ingest.ingest(SHIRTS)["pictures"] == 2


def test_a_downloaded_copy_serves_without_the_server_when_its_version_is_named(kaggle, place):
    ingest.ingest(SHIRTS)
    kaggle.asked.clear()
    assert ingest.ingest(spec(source="kaggle", handle="owner/shirts/versions/3"))["pictures"] == 2
    assert kaggle.asked == []


def test_kaggles_cache_may_be_reached_through_a_link(kaggle, place, monkeypatch):
    (place / "disk").mkdir()
    (place / "link").symlink_to(place / "disk")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(place / "link"))
    assert ingest.ingest(SHIRTS)["pictures"] == 2


def test_a_local_copy_needs_no_server(kaggle, place):
    (place / "archive.zip").write_bytes(zipped(WHOLE))
    assert ingest.ingest(spec("archive.zip", source="kaggle", handle="owner/shirts"))["pictures"] == 2
    assert kaggle.asked == []


GALLERY = b"seller_img_id,img_path,product_id\n11,gallery/a.jpg,p1\n12,gallery/b.jpg,p1\n13,gallery/gone.jpg,p2\n"
QUERIES = b"user_img_id,img_path,bbox_x,bbox_y,bbox_w,bbox_h,product_id\n7,queries/u.jpg,1,2,30,40,p1\n"
SHOP = {
    "gallery.csv": GALLERY,
    "queries.csv": QUERIES,
    "gallery/a.jpg": jpeg(),
    "gallery/b.jpg": jpeg("blue"),
    "queries/u.jpg": jpeg("green"),
}
PRODUCTS = {
    "train.csv": b"name,class,group\n0.jpg,0,5\n1.jpg,0,5\n2.jpg,1,5\n",
    "train/0.jpg": jpeg(),
    "train/1.jpg": jpeg("blue"),
    "train/2.jpg": jpeg("green"),
}


@pytest.mark.parametrize("packed", [True, False])
def test_a_gallery_in_document_003s_form_becomes_a_catalogue_with_user_photos(place, packed):
    """`packed`: as a zip, else as a folder."""
    path = place / "data" / ("shop.zip" if packed else "shop")
    path.parent.mkdir(exist_ok=True)
    if packed:
        path.write_bytes(zipped({f"set/{name}": data for name, data in SHOP.items()}))
    else:
        unpacked(path, SHOP)
    report = ingest.ingest(spec(str(path)))
    frame = catalog.load("mine")
    assert frame["id"].tolist() == ["11", "12"]
    assert frame["productDisplayName"].tolist() == ["p1", "p1"]
    assert frame["articleType"].tolist() == ["p1", "p1"]
    assert report["pictures_unreadable"].keys() == {"13"}
    assert report["user_photos"] == 1
    (photo,) = photos.given("mine", frame)
    assert (photo.id, photo.row, photo.box, photo.data) == ("7", 0, (1, 2, 30, 40), SHOP["queries/u.jpg"])


def test_products_10k_becomes_a_catalogue(place):
    (place / "data").mkdir()
    (place / "data/10k.zip").write_bytes(zipped(PRODUCTS))
    report = ingest.ingest(spec(str(place / "data/10k.zip")))
    frame = catalog.load("mine")
    assert frame["id"].tolist() == ["0", "1", "2"]
    assert frame["productDisplayName"].tolist() == ["0", "0", "1"]
    assert frame["articleType"].tolist() == ["5", "5", "5"]
    assert report["user_photos"] == 0


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            b"seller_img_id,img_path,product_id\n11,../../etc/passwd,p1\n12,gallery/b.jpg,p1\n",
            "a path that leaves the source",
        ),
        (
            b"seller_img_id,img_path,product_id\n11,/etc/passwd,p1\n12,gallery/b.jpg,p1\n",
            "a path that leaves the source",
        ),
        (
            b"seller_img_id,img_path,product_id\n11,C:\\\\x.jpg,p1\n12,gallery/b.jpg,p1\n",
            "a path that leaves the source",
        ),
        (b"seller_img_id,img_path,product_id\n11,,p1\n12,gallery/b.jpg,p1\n", "a path that leaves the source"),
        (b"seller_img_id,img_path,product_id\n11,gallery/none.jpg,p1\n12,gallery/b.jpg,p1\n", "is not in the zip"),
    ],
)
def test_a_gallerys_bad_path_costs_its_row(place, table, words):
    (place / "data").mkdir()
    (place / "data/shop.zip").write_bytes(zipped({**SHOP, "gallery.csv": table}))
    report = ingest.ingest(spec(str(place / "data/shop.zip")))
    assert words in report["pictures_unreadable"]["11"]
    assert catalog.load("mine")["id"].tolist() == ["12"]


@pytest.mark.parametrize(
    "table", [b"seller_img_id,img_path\n11,gallery/a.jpg\n", b"seller_img_id,img_path,product_id\n11,gallery/a.jpg,\n"]
)
def test_a_gallery_of_which_no_product_is_known_is_refused_before_anything_is_written(place, table):
    (place / "data").mkdir()
    (place / "data/shop.zip").write_bytes(zipped({**SHOP, "gallery.csv": table}))
    with pytest.raises(
        catalog.CatalogError, match=r"no articleType in any row \(of gallery\.csv: product_id.*app match"
    ):
        ingest.ingest(spec(str(place / "data/shop.zip")))
    assert not (place / "outputs").exists()


def test_a_gallery_without_its_columns_is_refused(place):
    (place / "data").mkdir()
    (place / "data/shop.zip").write_bytes(zipped({**SHOP, "gallery.csv": b"id,path\n1,a.jpg\n"}))
    with pytest.raises(sources.SourceError, match=r"gallery.csv lacks the columns \['seller_img_id', 'img_path'\]"):
        ingest.ingest(spec(str(place / "data/shop.zip")))


def test_styles_come_before_a_gallery_that_stands_beside_them(place):
    (place / "data").mkdir()
    (place / "data/both.zip").write_bytes(zipped({**WHOLE, "gallery.csv": b"seller_img_id,img_path\n9,images/1.jpg\n"}))
    ingest.ingest(spec(str(place / "data/both.zip")))
    assert catalog.load("mine")["id"].tolist() == ["1", "2"]
