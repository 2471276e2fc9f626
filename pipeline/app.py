"""The site from the command line or from a notebook's cell: `python -m pipeline.app`, and `match` for a folder of
photos."""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # as in a run, on every processor; else TensorFlow greets with it

from pipeline import environment

try:
    import uvicorn
except ModuleNotFoundError as error:  # the system's Python, without the libraries
    environment.hand_over("pipeline.app", error)

from pipeline import params, paths
from pipeline.progress import progress
from pipeline.site import apart
from pipeline.site.connections import Connection
from pipeline.site.guard import Writing
from pipeline.site.pages import Opening

if TYPE_CHECKING:  # what takes seconds to import is imported where it is wanted: the site answers meanwhile
    from starlette.types import ASGIApp

    from pipeline.site.questions import Question
    from pipeline.site.site import Site

LOCAL = "127.0.0.1"
OWN = ("localhost", LOCAL, "::1")  # names of this computer


def main(arguments: list[str] | None = None) -> int:
    """Serves the site until it is interrupted, or writes the matches of a folder's photos."""
    given = _parser().parse_args(arguments)
    if given.command not in ("load", "match"):
        return _serve(given)
    from pipeline.site.questions import Question, SearchError

    try:
        if given.command == "load":
            return _load(given)
        if given.gallery:
            return _among(given)
        site = _site(given)
        question = Question(encoder=given.encoder, count=given.count, distance=given.distance)
        return write_matches(site, given.folder, given.target, question)
    except (SearchError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.app" if paths.CHECKOUT else "fashion-retrieval", description=__doc__
    )
    gallery = "a folder of pictures of your own, in place of the study's"
    parser.add_argument("--encoder", help="the one to begin with; with --gallery a packed one")
    parser.add_argument("--gallery", type=Path, help=gallery)
    commands = parser.add_subparsers(dest="command")
    parser.add_argument("--host", default=LOCAL, help="where to listen; this computer alone unless told otherwise")
    parser.add_argument("--port", type=_port, default=7860, help="0: any that is free")
    parser.add_argument("--name", action="append", default=[], help="what a proxy calls the site; may be given again")
    parser.add_argument("--writable", action="store_true", help="products may be added and taken away")
    token = "who changes products has to send it; SITE_TOKEN says it without others on this computer seeing it"
    parser.add_argument("--token", default=os.environ.get("SITE_TOKEN"), help=token)
    database = "postgresql://…: where the products are, in place of this computer; again for each of several. "
    database += "SITE_DATABASE says them too, blanks between"
    parser.add_argument("--database", action="append", help=database)
    load = commands.add_parser("load", help="the run's products into the databases, which may be empty")
    load.add_argument("encoders", nargs="*", help="whose features; all that the run has, unless some are named")
    load.add_argument("--index", action="store_true", help="builds their HNSW indexes, for more than some 100,000")
    match = commands.add_parser("match", help="the products nearest to every photo of a folder, as CSV")
    match.add_argument("folder", type=Path)
    match.add_argument("target", type=Path, help="the CSV file to write")
    match.add_argument("--gallery", type=Path, default=argparse.SUPPRESS, help=gallery)
    match.add_argument("--count", type=int, default=10)
    match.add_argument("--distance", default="cosine")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535. Received: {text!r}")
    return int(text)


def _serve(given: argparse.Namespace) -> int:
    """Listens at once and says what is going on while the rest is loaded."""
    # behind a proxy, which may be on this computer, others reach it by the proxy's name
    reached = given.name if _is_here(given.host) else [given.host]
    if given.writable and not given.token and reached:
        print(f"whoever reaches {reached[0]} could change products. Say --token or SITE_TOKEN too", file=sys.stderr)
        return 1
    try:
        listening = _listening(given.host, given.port)
    except OSError as error:
        print(f"nothing can listen on {given.host}:{given.port}: {error.strerror or error}", file=sys.stderr)
        return 1
    _many_connections()
    opening = Opening([*OWN, given.host, socket.gethostname()], given.name)
    server = _server(opening)
    faults: list[str] = []
    threading.Thread(target=_open, args=(opening, server, given, faults), daemon=True).start()
    print(f"http://{given.host}:{listening.getsockname()[1]}  Ctrl-C stops it", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else it ends this process before what it has started
    with suppress(KeyboardInterrupt):  # which is how it is stopped
        server.run([listening])
    apart.stop()
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _open(opening: Opening, server: uvicorn.Server, given: argparse.Namespace, faults: list[str]) -> None:
    """Loads the program and then what it needs; what makes it useless from the beginning goes to `faults`."""
    from pipeline.retrieval.database import DatabaseError
    from pipeline.site.questions import SearchError
    from pipeline.site.service import service

    try:
        site = _site(given)
    except (SearchError, DatabaseError, apart.CompileError, ValueError, OSError) as error:
        faults.append(str(error))
        server.should_exit = True
        return
    names = [*OWN, given.host, socket.gethostname()]
    opening.app = service(site, names, given.name, Writing(given.writable, given.token or None))
    print(f"{site.data}, {len(site.names)} encoders", flush=True)
    site.start()


def _site(given: argparse.Namespace) -> Site:
    """The site over the last run, or over a folder of pictures.

    Raises:
        ValueError: neither is there. SearchError, DatabaseError, WeightsError, CompileError, OSError.
    """
    from pipeline.site.shared import Shared
    from pipeline.site.site import Site

    if given.gallery:
        with environment.quiet():
            from pipeline import own

        return Site(own.study(given.gallery, given.encoder))
    if not paths.CHECKOUT:
        raise ValueError(
            "no run lies beside the installed program. Take a folder of pictures: fashion-retrieval --gallery FOLDER, "
            "or fashion-retrieval match PHOTOS TABLE.csv --gallery FOLDER"
        )
    addresses = _databases(given)
    return Site(params.load(), given.encoder, Shared(addresses) if addresses else None)


def _databases(given: argparse.Namespace) -> list[str]:
    return given.database or os.environ.get("SITE_DATABASE", "").split()


def _load(given: argparse.Namespace) -> int:
    """Loads the run's products into the databases."""
    from pipeline.data.catalog import CatalogError
    from pipeline.encoders.store import StoreError
    from pipeline.retrieval.database import DatabaseError
    from pipeline.site import encoders, loading

    if not paths.CHECKOUT:
        raise ValueError("load works in a checkout of the study alone, with a run's products")
    study, addresses = params.load(), _databases(given)
    there = encoders.available(study)
    try:
        if not addresses:
            raise DatabaseError("which database? Say --database postgresql://… before load, or SITE_DATABASE")
        if unknown := sorted({*given.encoders} - {*there}) or not there:
            raise StoreError(f"there are no features of {unknown}. Allowed: {there}")
        loading.load(study, addresses, given.encoders or there, given.index)
    except (CatalogError, StoreError, DatabaseError) as error:
        print(error, file=sys.stderr)
        return 1
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
    from pipeline.site.service import service
    from pipeline.site.site import Site

    site = Site(params.load(), encoder)
    site.start()
    listening = _listening(LOCAL, port)
    server = _server(service(site, OWN))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while thread.is_alive() and not server.started:
        time.sleep(0.05)
    return Running(f"http://{LOCAL}:{listening.getsockname()[1]}", site, server, thread)


def write_matches(site: Site, folder: Path, target: Path, question: Question) -> int:
    """The nearest products of every file in a folder, as CSV; a file that is no photo has its row with the fault.

    Returns:
        0, or 1 where a file could not be read.

    Raises:
        ValueError: no such folder, or nothing in it. Before any work.
    """
    from pipeline import matching
    from pipeline.data import boxes
    from pipeline.data.images import UnreadableImage
    from pipeline.site import tables
    from pipeline.site.photos import MOST_BYTES

    photos, unreadable = matching.listed(folder, target)
    site.start()

    def rows() -> Iterator[dict]:
        for name, path in progress(photos.items(), "matching", "photo", len(photos)):
            try:
                answer = site.search(question, site.photo(matching.content(path, MOST_BYTES)))
                yield from ({"file": name, **row} for row in tables.found(answer))
            except (UnreadableImage, boxes.BoxError, OSError) as error:
                yield {"file": name, "fault": str(error)}
        yield from ({"file": name, "fault": fault} for name, fault in unreadable.items())

    return matching.write_table(target, tables.COLUMNS, rows(), "photos matched")


def _among(given: argparse.Namespace) -> int:
    """Matches among a folder's pictures, with a packed encoder: what this needs no site has loaded."""
    from pipeline.params import cards

    with environment.quiet():
        import numpy as np

        from pipeline import matching
        from pipeline.encoders import packed

        encoder = packed.load(given.encoder or cards.USUAL)
        encoder.encoder.run(np.zeros((1, *encoder.spec.height_width, 3), np.uint8))  # LiteRT greets at the first run
    return matching.write(given.folder, given.gallery, given.target, encoder, given.count, given.distance)


def _is_here(host: str) -> bool:
    """Whether only this computer reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _many_connections() -> None:
    """Has the system allow this process as many open files as it may have, where that is a setting: each is one."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=2048)
    # its connections inherit it: else an answer's body waits 40 milliseconds for the client to confirm its head
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _server(app: ASGIApp) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            lifespan="off",
            log_level="warning",
            timeout_keep_alive=65,  # longer than clients keep one: else both end it at once, and a question is lost
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=32_768,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
