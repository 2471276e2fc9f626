"""A photo's search beside the encoder alone; and, run by itself, the site under load after a run of the study.

    python -m benchmarks.site [--encoder efficientnet_lite0_pad] [--seconds 20] [--clients 1 4 16] [--browsers 32]
                             [--phone]

A server of its own runs in another process over the last run's features; the clients send the catalogue's own pictures.
A browser of `--browsers` opens the page and its files, searches with a photo, with words, and for products like one
that it found, and fetches the pictures that each answer shows, over six connections, with no pause between.
`bare` is decoding, the network and the search called directly, one after the other: what an answer cannot be faster
than.
"""

import argparse
import asyncio
import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import numpy as np
import psutil
from PIL import Image

from benchmarks import Row, evaluation, features, rate
from pipeline import params, paths
from pipeline.data import catalog, images
from pipeline.encoders import compiled
from pipeline.site import answers, photos, snapshots
from pipeline.site.encoders import Ready
from pipeline.site.questions import Question
from pipeline.site.site import Site

PICTURES = 200
PRODUCTS = 44_441
WORDS = ("red dress", "blue shirt", "spectacles", "watch")


def rows() -> Iterator[Row]:
    """Photos a second, one after the other: decoding, the network and the search, beside the network by itself."""
    frame, vectors = evaluation.drawn(PRODUCTS)
    frame = frame.reindex(columns=[*catalog.COLUMNS, catalog.SHA256])
    identity = vectors.encoder_id
    snapshot = snapshots.first(snapshots.begin(frame))
    snapshot.features[identity] = np.empty((0, 1280), np.float32)
    with features.drawn(64) as ids, paths.open_images("sample") as archive:
        spec, folder = features.made("efficientnet_lite0", 224)
        run, sent = compiled.compiled(spec, folder).run, [archive.read(image_id) for image_id in ids]
        ready = Ready("drawn", identity, lambda photo: run(images.prepare(photo, spec)[None])[0], vectors.vectors)
        prepared = [images.prepare(images.decode(data), spec)[None] for data in sent]

        def search(data: bytes) -> None:
            answers.find(ready, snapshot, Question(), ready.encode(photos.opened(data)), None)

        search(sent[0])  # compiles
        ours = rate(lambda: [search(data) for data in sent], len(sent))
        theirs = rate(lambda: [run(pictures) for pictures in prepared], len(sent))
        work = f"a photo's search on the site, {PRODUCTS:,} products, EfficientNet-Lite0 at 224"
        yield Row(work, "the encoder alone, one picture at a time", ours, theirs, "photos/s", 1 / 1.3)


def main() -> None:
    """Prints milliseconds (p50, p95), answers per second, faults and memory for each number of clients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="efficientnet_lite0_pad")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--browsers", type=int, nargs="*", default=[])
    parser.add_argument("--phone", action="store_true", help="one client more, with a photo of 12 megapixels")
    given = parser.parse_args()
    site = Site(params.load(), given.encoder)
    site.start()
    chosen = np.random.default_rng(0).choice(site.ids, min(PICTURES, len(site.ids)), replace=False)
    pictures = [site.picture(identity) for identity in chosen]
    bare = [_timed(lambda data=data: site.search(Question(), site.photo(data))) for data in pictures]
    print(f"{len(site.ids):,} products, {given.encoder}, {os.cpu_count()} cores; bare: p50 {np.median(bare):.0f} ms")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipeline.app", "--encoder", given.encoder, "--port", str(port)]
    server = subprocess.Popen(command, cwd=paths.ROOT)
    try:
        _wait(port)
        for clients in given.clients:
            _load(port, server.pid, pictures, clients, given.seconds, float(np.median(bare)))
        if given.phone:
            large = _of_a_phone(pictures[0])
            print(f"a photo of 12 megapixels, {len(large) / 1e6:.1f} MB:")
            _load(port, server.pid, [large], 1, given.seconds, float(np.median(bare)))
        for browsers in given.browsers:
            _browse(port, server.pid, pictures, browsers, given.seconds)
    finally:
        server.terminate()
        server.wait()


def _of_a_phone(picture: bytes) -> bytes:
    """A picture as 12 megapixels with the grain of a camera, as a JPEG."""
    enlarged = images.decode(picture).resize((3000, 4000), Image.Resampling.BICUBIC)
    grain = Image.effect_noise(enlarged.size, 40).convert("RGB")
    buffer = io.BytesIO()
    Image.blend(enlarged, grain, 0.2).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _load(port: int, process: int, pictures: list[bytes], clients: int, seconds: float, bare: float) -> None:
    times: list[float] = []
    faults: list[str] = []
    ends = time.perf_counter() + seconds
    before = psutil.Process(process).memory_info().rss

    def ask(number: int) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            turn = number
            while time.perf_counter() < ends:
                began = time.perf_counter()
                answer = client.post("/api/v1/search", content=pictures[turn % len(pictures)])
                times.append(1000 * (time.perf_counter() - began))
                if answer.status_code != 200 or not answer.json()["results"]:
                    faults.append(answer.text)
                turn += clients

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = psutil.Process(process).memory_info().rss
    print(
        f"{clients} clients: {_percentiles(times)} ({np.median(times) / bare:.2f} of bare), "
        f"{len(times) / seconds:.1f} answers a second, {len(faults)} faults in {len(times)}; "
        f"memory {before / 1e6:.0f} to {after / 1e6:.0f} MB"
    )


def _browse(port: int, process: int, pictures: list[bytes], browsers: int, seconds: float) -> None:
    """What so many browsers get: answers, their milliseconds by kind, faults, and the server's memory on the way."""
    times: dict[str, list[float]] = {kind: [] for kind in ("file", "photo", "like", "words", "picture")}
    faults: list[str] = []
    held: list[int] = []
    ends = time.perf_counter() + seconds

    async def get(client: httpx.AsyncClient, kind: str, path: str, **sent) -> httpx.Response | None:
        began = time.perf_counter()
        try:
            answer = await client.request("POST" if sent else "GET", path, **sent)
        except httpx.HTTPError as error:
            faults.append(f"{path}: {error!r}")
            return None
        times[kind].append(1000 * (time.perf_counter() - began))
        if answer.status_code != 200:
            faults.append(f"{path}: {answer.status_code} {answer.text[:80]}")
        return answer

    async def search(client: httpx.AsyncClient, kind: str, asked: str, **sent) -> list[str]:
        found = await get(client, kind, f"/api/v1/search?{asked}", **sent)
        shown = [one["id"] for one in found.json()["results"]] if found and found.status_code == 200 else []
        await asyncio.gather(*[get(client, "picture", f"/api/v1/products/{one}/picture") for one in shown])
        return shown

    async def browse(number: int) -> None:
        limits = httpx.Limits(max_connections=6, max_keepalive_connections=6)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60) as client:
            turn = number
            while time.perf_counter() < ends:
                files = ("/", "/page.js", "/style.css", "/api/v1/status")
                await asyncio.gather(*[get(client, "file", path) for path in files])
                shown = await search(client, "photo", "", content=pictures[turn % len(pictures)])
                likes = [search(client, "like", f"like={one}") for one in shown[-1:]]
                await asyncio.gather(*likes, search(client, "words", f"text={WORDS[turn % len(WORDS)]}"))
                held.append(psutil.Process(process).memory_info().rss)
                turn += browsers

    async def all_of_them() -> None:
        await asyncio.gather(*[browse(number) for number in range(browsers)])

    asyncio.run(all_of_them())
    quarter = max(1, len(held) // 4)
    said = [f"{kind} {len(of)}, {_percentiles(of)}" for kind, of in times.items() if of]
    print(
        f"{browsers} browsers: {'; '.join(said)}; {len(faults)} faults in {sum(map(len, times.values()))} answers "
        f"{faults[:3]}; memory {np.mean(held[:quarter]) / 1e6:.0f} MB in the first quarter, "
        f"{np.mean(held[-quarter:]) / 1e6:.0f} in the last"
    )


def _percentiles(times: list[float]) -> str:
    p50, p95 = np.percentile(times, [50, 95])
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms"


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/api/v1/status").json()["phase"] == "ready":
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError("the site was not ready after two minutes")


def _timed(work) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
