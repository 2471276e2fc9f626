"""The site: the study's catalogue, encoders and added products, ready to be asked by several people at once."""

import os
import threading
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image

from pipeline import params, paths
from pipeline.data import catalog, cropper, images
from pipeline.retrieval.distances import DISTANCES
from pipeline.site import answers, curves, encoders, photos, products, questions, snapshots
from pipeline.site.questions import FILTERS, Index, Question, SearchError
from pipeline.site.snapshots import Snapshot

MOST_READY = 3  # encoders held at once: each holds the catalogue's features up to five times


class NotReady(RuntimeError):
    """The site is still loading what a search needs."""


class Site:
    """The study's catalogue, encoders and added products, ready to be asked by several people at once."""

    def __init__(self, study: params.Study, encoder: str | None = None):
        """Reads nothing yet; `start` does.

        Raises:
            SearchError: no encoder has features, or not the one that is named.
        """
        self.study, self.data = study, study.data.name
        self.names = encoders.available(study)
        if not self.names:
            raise SearchError(
                "no encoder has features yet. Make them with: python -m pipeline.run repro; or match among a folder of "
                "your own, without a run: python -m pipeline.app match PHOTOS CSV --gallery FOLDER"
            )
        if encoder is not None and encoder not in self.names:
            raise SearchError(f"there are no features of {encoder!r}. Allowed: {self.names}")
        self.first = encoder or self.names[0]
        self.shelf = paths.site(self.data) / "products.sqlite"
        self.phase = "starting"
        self.fault: str | None = None
        self._ready: dict[str, encoders.Ready] = {}
        self._curves: dict[Path, dict] = {}
        self._snapshot: Snapshot | None = None
        self._change = threading.RLock()  # one change of the products, or one encoder's loading, at a time
        self._work = threading.Semaphore(os.cpu_count() or 1)  # photos decoded and encoded at once: bounds memory

    def start(self) -> None:
        """Loads the catalogue, the words and the first encoder; meant for a thread of its own."""
        try:
            self.phase = "reading the catalogue"
            frame = catalog.load(self.data)
            self.ids = frame[catalog.ID].tolist()
            self._archive = paths.open_images(self.data)  # once: reading the list of 44,441 members takes a while
            self.catalogue = snapshots.begin(frame)
            self._renew()
            self.phase = f"loading {self.first}"
            self.ready(self.first).measure("cosine")
            self.phase = "ready"
        except Exception as error:  # the page shows it; the program goes on, so that it can be read there
            self.phase, self.fault = "failed", str(error)
            raise

    def ready(self, name: str | None) -> encoders.Ready:
        """An encoder, loaded when it is first asked for.

        Raises:
            SearchError: no such encoder. NotReady: the catalogue is still being read.
        """
        name = name or self.first
        if name not in self.names:
            raise SearchError(f"there is no encoder {name!r}. Allowed: {self.names}")
        self.snapshot()
        if (ready := self._ready.get(name)) is not None:
            return ready
        with self._change:
            if name not in self._ready:
                loaded = encoders.load(self.study, name, self.ids)
                now = self.snapshot()  # others may have added a product meanwhile
                now.features[loaded.identity] = self._of_added(loaded, now.added)
                if len(self._ready) >= MOST_READY:  # the one loaded longest ago goes, but not the first
                    del self._ready[next(other for other in self._ready if other != self.first)]
                self._ready[name] = loaded
            return self._ready[name]

    def snapshot(self) -> Snapshot:
        """The products of this moment. Raises NotReady: the catalogue is still being read."""
        if self._snapshot is None:
            raise NotReady(f"the site is {self.phase}; ask again in a moment")
        return self._snapshot

    def status(self) -> dict[str, Any]:
        """What the site is doing, and what can be asked of it."""
        names = [self.first, *(name for name in self.names if name != self.first)]
        status = {"phase": self.phase, "fault": self.fault, "data": self.data, "encoders": names}
        if self.phase != "ready":
            return status
        now = self.snapshot()
        shown = now.frame[~now.hidden]
        return {
            **status,
            "comparability": catalog.comparability(self.data),
            "products": len(shown),
            "added": len(now.added),
            "hidden": int(now.hidden.sum()),
            "distances": list(DISTANCES),
            "indexes": list(get_args(Index)),
            "filters": {name: sorted(shown[name].dropna().astype(str).unique()) for name in FILTERS},
        }

    def find_box(self, photo: Image.Image) -> list[int] | None:
        """Where the product is in a photo: x, y, width, height; None where nothing stands out."""
        with self._work:
            box = cropper.find(photo)
        return box and list(box)

    def photo(self, data: bytes) -> Image.Image:
        """An uploaded image. Raises UnreadableImage: too large, or no image."""
        with self._work:
            return photos.opened(data)

    def search(self, question: Question, photo: Image.Image | None = None) -> dict[str, Any]:
        """What a question finds, as /api/search answers it.

        Raises:
            SearchError: nothing to search with, or parts that do not go together. NotReady, UnreadableImage, BoxError.
        """
        began = time.perf_counter()
        questions.check(question, photo)
        ready, now = self.ready(question.encoder), self.snapshot()
        row = None if question.like is None else now.row(question.like)
        box, vector = None, None
        if photo is not None:
            box, photo = photos.cut(photo, question.box)
            with self._work:
                vector = ready.encode(photo)
        elif row is not None:
            vector = ready.vectors[row] if row < now.catalogued else now.features[ready.identity][row - now.catalogued]
        encoded = time.perf_counter()
        results, shows = answers.find(ready, now, question, vector, row)
        done = time.perf_counter()
        return {
            "encoder": ready.name,
            "distance": question.distance,
            "index": question.index,
            "box": box,
            "articleType": shows,
            "threshold": self.threshold(ready.name, question.distance),
            "results": results,
            "milliseconds": {"encode": round(1000 * (encoded - began), 1), "search": round(1000 * (done - encoded), 1)},
        }

    def add(self, identity: str, facts: dict[str, str], photo: Image.Image) -> None:
        """A new product, found by the next search. Raises ProductError, NotReady."""
        products.check(identity, facts)
        self.ready(None)
        kept = products.stored(photo)
        drawn = images.decode(kept)
        with self._change:
            if identity in self.snapshot().rows:
                raise products.ProductError(f"the id {identity!r} is taken. Choose another")
            vectors = {loaded.identity: loaded.encode(drawn) for loaded in self._ready.values()}
            products.add(self.shelf, identity, facts, kept, vectors)
            self._renew()

    def remove(self, identity: str) -> None:
        """Takes a product away for everyone. Raises SearchError: there is none."""
        self.ready(None)
        with self._change:
            self.snapshot().row(identity)
            products.remove(self.shelf, identity)
            self._renew()

    def restore(self, identity: str) -> None:
        """Shows a hidden product of the catalogue again. Raises ProductError."""
        self.ready(None)
        with self._change:
            products.restore(self.shelf, identity)
            self._renew()

    def picture(self, identity: str) -> bytes:
        """A product's image. Raises SearchError: there is none."""
        now = self.snapshot()
        if now.row(identity) >= now.catalogued:
            return products.picture(self.shelf, identity)
        return self._archive.read(identity)

    def threshold(self, encoder: str, distance: str) -> float | None:
        """The distance of best F1 that chapter 4 found on the train part; None where it did not look."""
        curve = self.curve(encoder, distance)
        return curve["best"] if curve else None

    def curve(self, encoder: str, distance: str) -> dict[str, Any] | None:
        """Precision, recall and F1 by distance on the test queries, at a hundred steps; None without that retrieval."""
        path = curves.file_of(self.study, encoder, distance)
        if path is None:
            return None
        if path not in self._curves:
            self._curves[path] = curves.read(path)
        return self._curves[path]

    def _renew(self) -> None:
        """Takes the shelf as it is for the next search; one that is under way ends with the products it began with."""
        added, gone = products.added(self.shelf), products.removed(self.shelf)
        if self._snapshot is not None and added == self._snapshot.added:
            self._snapshot = snapshots.hide(self._snapshot, gone)
            return
        features = {ready.identity: self._of_added(ready, added) for ready in self._ready.values()}
        self._snapshot = snapshots.take(self.catalogue, added, gone, features)

    def _of_added(self, ready: encoders.Ready, added: snapshots.Added) -> np.ndarray:
        """The added products' features (A, D) under an encoder."""
        return encoders.of_added(ready, self.shelf, [identity for identity, _ in added])
