"""The site: the study's catalogue, encoders and added products, ready to be asked by several people at once."""

import os
import threading
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from PIL import Image

from pipeline import params, paths
from pipeline.data import boxes, catalog, cropper, images
from pipeline.evaluation import thresholds
from pipeline.retrieval import text
from pipeline.retrieval.distances import DISTANCES
from pipeline.site import encoders, products
from pipeline.site.snapshot import (
    DIGITS,
    FILTERS,
    Index,
    Question,
    SearchError,
    Snapshot,
    described,
    nearest,
    with_added,
)

MOST_BYTES = 10_000_000  # of an uploaded image
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
            raise SearchError("no encoder has features yet. Make them with: python -m pipeline.run repro")
        if encoder is not None and encoder not in self.names:
            raise SearchError(f"there are no features of {encoder!r}. Allowed: {self.names}")
        self.first = encoder or self.names[0]
        self.shelf = paths.site(self.data) / "products.sqlite"
        self.phase, self.fault = "starting", None
        self._ready: dict[str, encoders.Ready] = {}
        self._curves: dict[Path, dict] = {}
        self._snapshot: Snapshot | None = None
        self._listed: list | None = None  # the added products that the snapshot holds
        self._change = threading.RLock()  # one change of the products, or one encoder's loading, at a time
        self._work = threading.Semaphore(os.cpu_count() or 1)  # photos decoded and encoded at once: bounds memory

    def start(self) -> None:
        """Loads the catalogue, the words and the first encoder; meant for a thread of its own."""
        try:
            self.phase = "reading the catalogue"
            self.catalogue = catalog.load(self.data)
            self.ids = self.catalogue[catalog.ID].tolist()
            self._archive = paths.open_images(self.data)  # once: reading the list of 44,441 members takes a while
            self._descriptions = described(self.catalogue)
            self._duplicates = catalog.duplicates(self.catalogue)
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
                ids = self._snapshot.frame[catalog.ID].tolist()[self._snapshot.catalogued :]
                self._snapshot.added[loaded.identity] = self._added_to(loaded, ids)
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
            "added": len(now.frame) - now.catalogued,
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
        if len(data) > MOST_BYTES:
            raise images.UnreadableImage(f"{len(data):,} bytes; at most {MOST_BYTES:,} are allowed")
        with self._work:
            return images.decode(data)

    def search(self, question: Question, photo: Image.Image | None = None) -> dict[str, Any]:
        """What a question finds, as /api/search answers it.

        Raises:
            SearchError: nothing to search with, or parts that do not go together. NotReady, UnreadableImage, BoxError.
        """
        began = time.perf_counter()
        _check(question, photo)
        ready, now = self.ready(question.encoder), self.snapshot()
        row = None if question.like is None else now.row(question.like)
        box, vector = None, None
        if photo is not None:
            box, photo = self._cut(photo, question.box)
            with self._work:
                vector = ready.encode(photo)
        elif row is not None:
            vector = ready.vectors[row] if row < now.catalogued else now.added[ready.identity][row - now.catalogued]
        encoded = time.perf_counter()
        shown, voters, distances = nearest(now, self._distances(ready, now, vector, question), question, row)
        results = [
            {"rank": rank, **now.facts(place), "distance": round(float(distances[place]), DIGITS)}
            for rank, place in enumerate(shown, 1)
        ]
        done = time.perf_counter()
        return {
            "encoder": ready.name,
            "distance": question.distance,
            "index": question.index,
            "box": box,
            "articleType": _vote(now.frame[catalog.ARTICLE].to_numpy()[voters]),
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
            if identity in self._snapshot.rows:
                raise products.ProductError(f"the id {identity!r} is taken. Choose another")
            vectors = {loaded.identity: loaded.encode(drawn) for loaded in self._ready.values()}
            products.add(self.shelf, identity, facts, kept, vectors)
            self._renew()

    def remove(self, identity: str) -> None:
        """Takes a product away for everyone. Raises SearchError: there is none."""
        self.ready(None)
        with self._change:
            self._snapshot.row(identity)
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
        return curve and curve["best"]

    def curve(self, encoder: str, distance: str) -> dict[str, Any] | None:
        """Precision, recall and F1 by distance on the test queries, at a hundred steps; None without that retrieval."""
        names = [
            name for name, run in self.study.retrievals.items() if (run.encoder, run.distance) == (encoder, distance)
        ]
        path = paths.distances(self.data, names[0]) if names else None
        if path is None or not path.exists():
            return None
        if path not in self._curves:
            counts = pd.read_parquet(path)
            table = thresholds.curve(counts, thresholds.TEST_ALL).dropna()
            steps = table.iloc[np.unique(np.linspace(0, len(table) - 1, 100).astype(int))]
            columns = ["threshold", "precision", "recall", "F1"]
            self._curves[path] = {
                "best": round(float(thresholds.best(counts)["threshold"].iloc[0]), 6),
                **{name: steps[name].round(5).tolist() for name in columns},
            }
        return self._curves[path]

    def _cut(self, photo: Image.Image, box: str | None) -> tuple[list[int] | None, Image.Image]:
        """The photo's part in a box, `x,y,width,height` in its pixels, and the box in whole ones."""
        if box is None:
            return None, photo
        try:
            numbers = tuple(float(side) for side in box.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != 4 or not all(abs(number) <= 1e9 for number in numbers):
            raise SearchError(f"a box is x,y,width,height in pixels. Received: {box!r}")
        clipped, _ = boxes.clip(numbers, photo.size)
        return list(clipped), boxes.crop(photo, clipped)

    def _distances(
        self, ready: encoders.Ready, now: Snapshot, vector: np.ndarray | None, question: Question
    ) -> np.ndarray:
        """The distance of every product from what was asked, float32 (G,)."""
        distances = None
        if vector is not None:
            added = now.added[ready.identity]
            exact = question.index == "exact"
            catalogued = ready.measure(question.distance) if exact else ready.near(question.index)
            parts = [catalogued, partial(DISTANCES[question.distance], gallery=added)]
            distances = np.concatenate([part(vector[None])[0] for part in parts[: 1 + bool(len(added))]])
        if question.text:
            asked = now.vocabulary.transform([question.text])
            if not asked.nnz:
                raise SearchError(f"no product is described by {question.text!r}. Try a kind, a colour or a brand")
            words = np.maximum(1 - (now.words @ asked.T).toarray().ravel(), 0)  # rounding may leave 0 by a hair
            share = question.image_weight
            distances = words if distances is None else share * distances + (1 - share) * words
        return np.array(distances, np.float32)

    def _renew(self) -> None:
        """Takes the shelf as it is for the next search; one that is under way ends with the products it began with."""
        added, gone = products.added(self.shelf), products.removed(self.shelf)
        if added == self._listed:  # only what is hidden has changed: the words need not be counted anew
            self._snapshot = replace(self._snapshot, hidden=self._snapshot.frame[catalog.ID].isin(gone).to_numpy())
            return
        frame = with_added(self.catalogue, added)
        new = frame.iloc[len(self.catalogue) :]
        texts = [*self._descriptions, *(described(new) if len(new) else [])]
        vocabulary = text.fit(texts)  # of all products: an added one may be called what none was called before
        ids = [identity for identity, _ in added]
        self._snapshot = Snapshot(
            frame=frame,
            hidden=frame[catalog.ID].isin(gone).to_numpy(),
            duplicates=np.concatenate([self._duplicates, self._duplicates.size + np.arange(len(new))]),
            vocabulary=vocabulary,
            words=vocabulary.transform(texts),
            added={ready.identity: self._added_to(ready, ids) for ready in self._ready.values()},
            catalogued=len(self.catalogue),
        )
        self._listed = added

    def _added_to(self, ready: encoders.Ready, ids: list[str]) -> np.ndarray:
        """The added products' features (A, D) under an encoder; those that it has not seen yet are made now."""
        known = products.features(self.shelf, ready.identity)
        missing = {
            identity: ready.encode(images.decode(products.picture(self.shelf, identity)))
            for identity in ids
            if identity not in known
        }
        products.keep(self.shelf, ready.identity, missing)
        rows = [known[identity] if identity in known else missing[identity] for identity in ids]
        return np.stack(rows) if rows else np.empty((0, ready.vectors.shape[1]), np.float32)


def _check(question: Question, photo: Image.Image | None) -> None:
    """Raises SearchError where there is nothing to search with, or parts do not go together."""
    if photo is None and question.like is None and not question.text:
        raise SearchError("nothing to search with. Send a photo, or like=<a product's id>, or text=<words>")
    if photo is not None and question.like is not None:
        raise SearchError("a photo and like= both say what is searched. Send one of them")
    if question.text and question.distance != "cosine":
        raise SearchError(f"words are compared by cosine. Received: distance={question.distance}")
    if question.index != "exact" and (question.text or question.distance != "cosine"):
        raise SearchError(f"the index {question.index} searches by cosine and without words. Use index=exact")


def _vote(types: np.ndarray) -> dict[str, Any]:
    """What the nearest products' types say that a photo shows; blank types have no vote."""
    counts = Counter(kind for kind in types if isinstance(kind, str))
    kind, votes = counts.most_common(1)[0] if counts else (None, 0)
    return {"predicted": kind, "votes": votes, "of": len(types)}
