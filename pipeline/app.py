"""The site from the command line or from a notebook's cell: `python -m pipeline.app`, and `match` for a folder of
photos."""

import argparse
import csv
import ipaddress
import os
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import uvicorn

from pipeline import params
from pipeline.data import boxes
from pipeline.data.images import UnreadableImage
from pipeline.files import whole_file
from pipeline.progress import progress
from pipeline.site.photos import MOST_BYTES
from pipeline.site.questions import Question, SearchError
from pipeline.site.service import service
from pipeline.site.site import Site

LOCAL = "127.0.0.1"
COLUMNS = ["file", "rank", "id", "productDisplayName", "articleType", "distance", "fault"]


def main(arguments: list[str] | None = None) -> int:
    """Serves the site until it is interrupted, or writes the matches of a folder's photos."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.app", description=__doc__)
    parser.add_argument("--encoder", help="the one to begin with; with --gallery a packed one")
    commands = parser.add_subparsers(dest="command")
    parser.add_argument("--host", default=LOCAL, help="where to listen; this computer alone unless told otherwise")
    parser.add_argument("--port", type=int, default=7860)
    match = commands.add_parser("match", help="the products nearest to every photo of a folder, as CSV")
    match.add_argument("folder", type=Path)
    match.add_argument("target", type=Path, help="the CSV file to write")
    match.add_argument("--gallery", type=Path, help="a folder of pictures to match among, in place of the study's")
    match.add_argument("--count", type=int, default=10)
    match.add_argument("--distance", default="cosine")
    given = parser.parse_args(arguments)
    try:
        if given.command == "match" and given.gallery:
            return _among(given)
        site = Site(params.load(), given.encoder)
        if given.command == "match":
            question = Question(encoder=given.encoder, count=given.count, distance=given.distance)
            return write_matches(site, given.folder, given.target, question)
    except (SearchError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    threading.Thread(target=site.start, daemon=True).start()  # the page is there at once and says what is going on
    server = _server(site, given.host, given.port)
    print(f"http://{given.host}:{given.port}  {site.data}, {len(site.names)} encoders; Ctrl-C stops it")
    server.run()
    return 0


@dataclass(frozen=True)
class Running:
    """A site that answers beside a notebook, at `address`."""

    address: str
    site: Site
    server: uvicorn.Server
    thread: threading.Thread

    def stop(self) -> None:
        """Ends it, once the answers that are under way have been given."""
        self.server.should_exit = True
        self.thread.join()


def serve(port: int = 7860, encoder: str | None = None) -> Running:
    """Serves the site beside a notebook, once it is ready; port 0: any that is free.

    Raises:
        SearchError, StoreError, WeightsError: there is nothing to serve. OSError: the port is taken.
    """
    site = Site(params.load(), encoder)
    site.start()
    with socket.socket() as chosen:
        chosen.bind((LOCAL, port))
        port = chosen.getsockname()[1]
    server = _server(site, LOCAL, port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while thread.is_alive() and not server.started:
        time.sleep(0.05)
    return Running(f"http://{LOCAL}:{port}", site, server, thread)


def write_matches(site: Site, folder: Path, target: Path, question: Question) -> int:
    """The nearest products of every file in a folder, as CSV; a file that is no photo has its row with the fault.

    Returns:
        0, or 1 where a file could not be read.

    Raises:
        SearchError: no such folder, or nothing in it. Before any work.
    """
    photos = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    if not photos:
        raise SearchError(f"{folder} is no folder with photos in it")
    site.start()
    faults = 0
    with whole_file(target) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for path in progress(photos, "matching", "photo", len(photos)):
            try:
                if path.stat().st_size > MOST_BYTES:
                    raise UnreadableImage(f"{path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are allowed")
                results = site.search(question, site.photo(path.read_bytes()))["results"]
                writer.writerows({"file": path.name, **row} for row in results)
            except (UnreadableImage, boxes.BoxError, OSError) as error:
                faults += 1
                writer.writerow({"file": path.name, "fault": str(error)})
    print(f"{target}: {len(photos) - faults} photos matched, {faults} left out with their fault")
    return 1 if faults else 0


def _among(given: argparse.Namespace) -> int:
    """Matches among a folder's pictures, with a packed encoder: what this needs no site has loaded."""
    from pipeline import matching
    from pipeline.encoders import packed

    encoder = packed.load(given.encoder or next(iter(packed.published()), ""))
    return matching.write(given.folder, given.gallery, given.target, encoder, given.count, given.distance)


def _server(site: Site, host: str, port: int) -> uvicorn.Server:
    try:
        every = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        every = False
    hosts = ["*"] if every else ["localhost", LOCAL, "[::1]", host]
    return uvicorn.Server(
        uvicorn.Config(
            service(site, hosts),
            host=host,
            port=port,
            log_level="warning",
            limit_concurrency=100,
            timeout_keep_alive=5,
            h11_max_incomplete_event_size=32_768,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
