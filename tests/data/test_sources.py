"""Hostile and damaged sources, and Kaggle through a stand-in on this machine."""

import http.server
import io
import json
import os
import threading
import zipfile

import pytest
from PIL import Image

from pipeline import params, paths
from pipeline.data import catalog, sources

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
    for name, data in WHOLE.items():
        (place / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "folder" / name).write_bytes(data)
    second = sources.open_source(spec("folder"))
    assert first.styles == second.styles
    assert set(first.images) == set(second.images) == {"1", "2"}
    assert first.read("1") == second.read("1") == jpeg()


def test_kaggles_second_copy_is_left_alone(opened):
    copy = {f"myntradataset/{name}": data for name, data in WHOLE.items()}
    source = opened({**copy, **WHOLE})
    assert source.images == {"1": "images/1.jpg", "2": "images/2.jpg"}


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
    report = catalog.ingest(spec("a.zip"))
    assert list(report["pictures_unreadable"]) == ["2"]


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
    report = catalog.ingest(spec("a.zip"))
    assert list(report["pictures_unreadable"]) == ["2"]
    assert report["pictures"] == 1


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


@pytest.fixture
def kaggle(monkeypatch, tmp_path):
    """A stand-in for Kaggle's server on this machine: it knows one dataset, in version 3."""
    asked = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            if self.path.endswith("/GetDataset") and asked[-1][1]["ownerSlug"] == "owner":
                self.answer(json.dumps({"currentVersionNumber": 3}).encode(), "application/json")
            elif self.path.endswith("/DownloadDataset"):
                self.answer(
                    zipped({**WHOLE, **{f"myntradataset/{name}": data for name, data in WHOLE.items()}}),
                    "application/zip",
                )
            else:
                self.send_error(404)

        def answer(self, body, kind):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    from kagglesdk import kaggle_env

    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(
        kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.TEST, f"http://127.0.0.1:{server.server_port}"
    )
    yield asked
    server.shutdown()


def test_kaggles_dataset_becomes_a_catalogue(kaggle, place):
    report = catalog.ingest(spec(source="kaggle", handle="owner/shirts"))
    assert report["pictures"] == 2
    assert [path.split("/")[-1] for path, _ in kaggle] == ["GetDataset", "DownloadDataset"]
    assert catalog.load("mine")[catalog.ID].tolist() == ["1", "2"]


def test_a_failed_download_says_what_else_can_be_done(kaggle, place):
    with pytest.raises(sources.SourceError, match="data.path"):
        catalog.ingest(spec(source="kaggle", handle="nobody/nothing"))
    assert not (place / "outputs").exists()
