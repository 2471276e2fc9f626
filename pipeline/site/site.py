"""The site: the study's catalogue, encoders and added products, ready to be asked by several people at once."""

import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from pipeline import params, paths
from pipeline.data import boxes, catalog, cropper, images, thesaurus
from pipeline.retrieval.distances import DISTANCES
from pipeline.site import answers, curves, encoders, photos, products, questions, snapshots
from pipeline.site.gallery import Gallery
from pipeline.site.local import Local
from pipeline.site.questions import NotReady, Question, SearchError
from pipeline.site.snapshots import Snapshot

SAME = 0.5  # overlap: of two boxes that overlap more, the first is kept
EXAMPLES = 8  # photos to try a search with
MOST_READY = 3  # encoders held at once: each holds the catalogue's features up to five times


Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Asked:
    """What a question asks with: an encoder, the products of one moment, and a vector (D,), None for words alone.

    `row`: the product that asks. `part`: what is looked at of the photo that asks, in the `box`, or of all of it.
    """

    ready: encoders.Ready
    now: Snapshot
    vector: np.ndarray | None = None
    row: int | None = None
    part: Image.Image | None = None
    box: list[int] | None = None


class Site:
    """The study's catalogue, encoders and added products, ready to be asked by several people at once."""

    ids: list[str]  # of the catalogue's products, in its order: where they are kept here
    catalogue: snapshots.Catalogue

    def __init__(self, study: params.Study, encoder: str | None = None, gallery: Gallery | None = None):
        """Reads nothing yet; `start` does.

        Args:
            gallery: who keeps the products; this computer, unless it says otherwise.

        Raises:
            SearchError: no encoder has features, or not the one that is named.
        """
        self.study, self.data = study, study.data.name
        self._ready: dict[str, encoders.Ready] = {}
        self._gallery = gallery or Local(self.data, self._ready)
        self.names = self._gallery.having(self.data, encoders.available(study))
        if not self.names:
            raise SearchError(
                "no encoder has features yet. Make them with: python -m pipeline.run repro; or match among a folder of "
                "your own, without a run: python -m pipeline.app match PHOTOS CSV --gallery FOLDER"
            )
        if encoder is not None and encoder not in self.names:
            raise SearchError(f"there are no features of {encoder!r}. Allowed: {self.names}")
        self.first = encoder or self.names[0]
        self.phase = "starting"
        self.fault: str | None = None
        self._cells: dict[str, encoders.Cells] = {}
        self._detector: dict[str, encoders.Detect] = {}
        self._detector_fault: str | None = None
        self._loading: dict[str, Future] = {}
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loading")  # one encoder at a time
        self._asking = threading.Lock()  # held for a moment, by those who ask for an encoder
        self._curves: dict[Path, dict] = {}
        self._started = False

    @property
    def at_once(self) -> int:
        """Searches without a photo that are answered soonest together."""
        return self._gallery.at_once

    def start(self) -> None:
        """Loads the catalogue, the words and the first encoder; meant for a thread of its own."""
        try:
            self.phase = "reading the catalogue"
            self._archive = paths.open_images(self.data)  # once: reading the list of 44,441 members takes a while
            self._examples = zipfile.ZipFile(paths.user_photos(self.data))
            self._gallery.start()
            if isinstance(self._gallery, Local):
                self.ids, self.catalogue = self._gallery.ids, self._gallery.catalogue
            self._started = True
            self.phase = f"loading {self.first}"
            self.ready(self.first).measure("cosine")
            self.phase = "ready"
        except Exception as error:  # the page shows it; the program goes on, so that it can be read there
            self.phase, self.fault = "failed", str(error)
            raise

    @property
    def gallery(self) -> Gallery:
        """Who keeps the products. Raises NotReady: it has not started."""
        if not self._started:
            raise NotReady(f"the site is {self.phase}; ask again in a moment")
        return self._gallery

    def ready(self, name: str | None, wait: bool = True) -> encoders.Ready:
        """An encoder, loaded when it is first asked for, by a thread of its own: nobody else waits for it.

        Args:
            wait: until it is loaded.

        Raises:
            SearchError: no such encoder. NotReady: the catalogue is still being read, or the encoder and nobody waits.
            StoreError, WeightsError: it cannot be loaded; who asks again has it tried again.
        """
        name = name or self.first
        if name not in self.names:
            raise SearchError(f"there is no encoder {name!r}. Allowed: {self.names}")
        assert self.gallery is self._gallery, "it has started"
        return self._held(self._ready, name, name, self._load, wait)

    def cells(self, name: str, wait: bool = True) -> encoders.Cells:
        """Where an encoder sees a picture's likeness to another, loaded as `ready`."""
        return self._held(self._cells, name, f"{name}'s cells", self._load_cells, wait)

    def _load_detector(self, name: str) -> encoders.Detect:
        self._detector[name] = encoders.detector(self.study, name)
        return self._detector[name]

    def _held(
        self, held: dict[str, Loaded], name: str, called: str, load: Callable[[str], Loaded], wait: bool
    ) -> Loaded:
        with self._asking:
            if (there := held.get(name)) is not None:
                return there
            if new := (future := self._loading.get(called)) is None:
                future = self._loading[called] = self._loader.submit(load, name)
        if new:
            future.add_done_callback(partial(self._loaded, called))
        if not wait and not future.done():
            raise NotReady(f"{called} is being loaded; ask again in a moment")
        try:
            return future.result()
        finally:
            with self._asking:
                if self._loading.get(called) is future:
                    del self._loading[called]

    def _loaded(self, called: str, future: Future) -> None:
        """Lets go of what was loaded, which is held elsewhere; a fault stays for whoever asks next."""
        with self._asking:
            if future.exception() is None and self._loading.get(called) is future:
                del self._loading[called]

    def _load_cells(self, name: str) -> encoders.Cells:
        loaded = encoders.cells(self.study, name)
        if len(self._cells) >= MOST_READY:
            del self._cells[next(iter(self._cells))]
        self._cells[name] = loaded
        return loaded

    def _load(self, name: str) -> encoders.Ready:
        loaded = self.gallery.load(self.study, name)
        with self.gallery.holding(loaded):
            if len(self._ready) >= MOST_READY:  # the one loaded longest ago goes, but not the first
                del self._ready[next(other for other in self._ready if other != self.first)]
            self._ready[name] = loaded
        if name == self.first and self.phase == "failed":  # who asked again had it tried again
            self.phase, self.fault = "ready", None
        return loaded

    def snapshot(self) -> Snapshot:
        """The products of this moment, all of them in memory. Raises NotReady; SearchError: they are in a database."""
        if not isinstance(self.gallery, Local):
            raise SearchError(
                "this looks at all products at once, and those of this site are in a database. A site that is started "
                "without one shows it"
            )
        return self.gallery.snapshot()

    def _both(self, name: str | None, wait: bool) -> tuple[encoders.Ready, Snapshot]:
        """An encoder, and the products of one moment with their features under it."""
        self.snapshot()  # which refuses before an encoder is loaded for nothing
        while True:
            ready, now = self.ready(name, wait), self.snapshot()
            if ready.identity in now.features:  # else it made room for another, and the products changed, in between
                return ready, now

    def status(self) -> dict[str, Any]:
        """What the site is doing, and what can be asked of it. A first encoder that failed is tried again meanwhile."""
        if self.phase == "failed" and self._started:
            with suppress(Exception):  # which is told below, as it was
                self.ready(self.first, wait=False)
        names = [self.first, *(name for name in self.names if name != self.first)]
        status = {"phase": self.phase, "fault": self.fault, "data": self.data, "encoders": names}
        status["loading"] = list(self._loading)
        if self.phase != "ready":
            return status
        return {
            **status,
            "comparability": catalog.comparability(self.data),
            "distances": list(DISTANCES),
            "indexes": list(self.gallery.indexes),
            **self.gallery.status(),
        }

    def find_boxes(self, photo: bytes, wait: bool = True) -> dict[str, Any]:
        """Where products may be in a photo, as /api/v1/boxes answers it: by colour (`boxes.propose`), and after that,
        where the run trained a detector, what that sees and colour does not.

        Args:
            wait: until the detector is loaded.

        Raises:
            UnreadableImage: too large, or no image. NotReady: the detector is being loaded.
        """
        detect = self._detecting(wait)
        seen, size = photos.small(photo)
        proposed = [(boxes.Box(*sides), score) for *sides, score in boxes.propose(seen)]
        more = [(box, round(sure, 4)) for box, sure in detect(seen)][: boxes.MOST] if detect else []
        proposed += [one for one in more if not any(cropper.overlap(one[0], box) > SAME for box, _ in proposed)]
        across, down = size[0] / seen.width, size[1] / seen.height
        found = []
        for (x, y, width, height), score in proposed:
            whole, _ = boxes.clip((x * across, y * down, width * across, height * down), size)
            found.append({"box": list(whole), "score": score})
        return {"boxes": found, "fault": self._detector_fault}

    def _detecting(self, wait: bool) -> encoders.Detect | None:
        """The run's detector; None where it trained none, or one that cannot be loaded: `_detector_fault` says why."""
        name = encoders.trained_detector(self.study)
        if name is None or self._detector_fault:
            return None
        try:
            return self._held(self._detector, name, f"the detector of {name}", self._load_detector, wait)
        except NotReady:
            raise
        except Exception as error:  # it is told beside what colour finds, and not tried again before the next start
            self._detector_fault = str(error)
            return None

    def find_box(self, photo: Image.Image | bytes) -> list[int] | None:
        """Where the product is in a photo: x, y, width, height; None where nothing stands out.

        Raises:
            UnreadableImage: too large, or no image.
        """
        box = cropper.find(photos.opened(photo) if isinstance(photo, bytes) else photo)
        return box and list(box)

    def photo(self, data: bytes) -> Image.Image:
        """An uploaded image. Raises UnreadableImage: too large, or no image."""
        return photos.opened(data)

    def search(self, question: Question, photo: Image.Image | bytes | None = None, wait: bool = True) -> dict[str, Any]:
        """What a question finds, as /api/v1/search answers it.

        Args:
            photo: an upload's bytes may be decoded at a part of their size.
            wait: until the encoder is loaded, and an index built.

        Raises:
            SearchError: nothing to search with, or parts that do not go together. Missing: no such product to be like.
            NotReady, UnreadableImage, BoxError.
        """
        questions.check(question, photo)
        begun = time.perf_counter()
        question, instead = self._understood(question)
        understood = time.perf_counter() - begun
        answer = None
        while answer is None:
            ready = self._indexed(question, wait)
            began = time.perf_counter()
            box, vector = None, None
            if photo is not None:
                box, part = photos.part(photo, question.box)
                vector = ready.encode(part)
            encoded = time.perf_counter()
            answer = self.gallery.search(ready, question, vector)
        results, shows = answer
        took = {"encode": encoded - began, "search": understood + time.perf_counter() - encoded}
        return {
            "encoder": ready.name,
            "distance": question.distance,
            "index": question.index,
            "box": box,
            "articleType": shows,
            "instead": instead,
            # of pictures: words lie on another scale
            "threshold": None if question.text else self.threshold(ready.name, question.distance),
            "results": results,
            "milliseconds": {name: round(1000 * seconds, 1) for name, seconds in took.items()},
        }

    def _indexed(self, question: Question, wait: bool) -> encoders.Ready:
        """The encoder that is asked for, with its index where it is this program's to build."""
        ready = self.ready(question.encoder, wait)
        ours = question.index != "exact" and isinstance(self.gallery, Local)
        return ready.holding(question.index, wait) if ours else ready

    def _understood(self, question: Question) -> tuple[Question, dict[str, list[str]]]:
        """The question in words that products are described by, and what was taken for those that none is."""
        if not question.text:
            return question, {}
        known = self.gallery.describing(thesaurus.stems_of(question.text))
        said, instead = thesaurus.understood(question.text, known)
        return question.model_copy(update={"text": said}) if any(instead.values()) else question, instead

    def asked(self, question: Question, photo: Image.Image | bytes | None = None, wait: bool = True) -> Asked:
        """What a question asks with, as `search` finds it. Raises: as `search`."""
        questions.check(question, photo)
        return self._vector(*self._both(question.encoder, wait), question, photo)

    def _vector(
        self, ready: encoders.Ready, now: Snapshot, question: Question, photo: Image.Image | bytes | None
    ) -> Asked:
        if photo is not None:
            box, part = photos.part(photo, question.box)
            return Asked(ready, now, ready.encode(part), part=part, box=box)
        if question.like is None:
            return Asked(ready, now)
        row = now.row(question.like)
        return Asked(ready, now, answers.vector(ready, now, row), row)

    def add(self, identity: str, facts: dict[str, str], photo: Image.Image | bytes) -> None:
        """A new product, found by the next search. Raises ProductError, Conflict, NotReady, UnreadableImage."""
        products.check(identity, facts)
        self.ready(None)
        self.gallery.check(identity)
        kept = products.stored(photos.part(photo, None)[1])
        drawn = images.decode(kept)
        vectors = {loaded.identity: loaded.encode(drawn) for loaded in list(self._ready.values())}
        self.gallery.add(identity, facts, kept, vectors)

    def remove(self, identity: str) -> None:
        """Takes a product away for everyone. Raises Missing: there is none."""
        self.ready(None)
        self.gallery.remove(identity)

    def restore(self, identity: str) -> None:
        """Shows a hidden product of the catalogue again. Raises Conflict."""
        self.ready(None)
        self.gallery.restore(identity)

    def picture(self, identity: str) -> bytes:
        """A product's image. Raises Missing: there is none."""
        return self.kept_picture(identity)[0]

    def kept_picture(self, identity: str) -> tuple[bytes, bool]:
        """A product's image, and whether it is the catalogue's, and not an added one's. Raises Missing."""
        added = self.gallery.picture(identity)
        return (self._archive.read(identity), True) if added is None else (added, False)

    def examples(self) -> list[str]:
        """Photos to try a search with, by their names: those that came with the data, else some of the catalogue."""
        return self._came or [one for one in self._some if self._is_shown(one)]

    def example(self, name: str) -> bytes:
        """One of those photos. Raises Missing: there is none."""
        if name in self._came:
            return self._examples.read(name)
        if self._came or name not in self._some:
            raise products.Missing(f"there is no example {name[:80]!r}")
        return self.picture(name)

    @property
    def _came(self) -> list[str]:
        return self._examples.namelist()[1 : 1 + EXAMPLES]  # after what the zip says of them; the first few

    @cached_property
    def _some(self) -> list[str]:
        """Pictures from the whole length of the catalogue, whose neighbours are often of one kind."""
        names = sorted(self._archive.namelist())
        return names[:: max(1, len(names) // EXAMPLES)][:EXAMPLES]

    def _is_shown(self, identity: str) -> bool:
        try:
            self.gallery.picture(identity)
        except products.Missing:
            return False
        return True

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
