"""The gallery of one computer: the catalogue in memory, and one file of what was added to it or taken away."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, get_args

import numpy as np

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.site import answers, encoders, gallery, products, questions, snapshots, turns
from pipeline.site.questions import Index, Page, Question
from pipeline.site.snapshots import Snapshot


class Local:
    """The catalogue in memory, and one file of what was added or taken away, which several processes may share."""

    indexes: Sequence[str] = get_args(Index)
    at_once = turns.CORES

    def __init__(self, data: str, held: dict[str, encoders.Ready]):
        """Reads nothing yet; `start` does.

        Args:
            held: the encoders that the site holds, by name.
        """
        self.data, self._held = data, held
        self.shelf = paths.site(data) / "products.sqlite"
        self._snapshot: Snapshot | None = None
        self._change = threading.RLock()  # one change of the products at a time

    def start(self) -> None:
        """Reads the catalogue, its words, and what was added and taken away."""
        frame = catalog.load(self.data)
        self.ids = frame[catalog.ID].tolist()
        self.catalogue = snapshots.begin(frame)
        self._snapshot = snapshots.first(self.catalogue)
        self._renew()

    def having(self, data: str, names: Sequence[str]) -> list[str]:
        """All of them: their features lie beside the catalogue."""
        return list(names)

    def load(self, study: params.Study, name: str) -> encoders.Ready:
        """An encoder with the catalogue's features. Raises StoreError, WeightsError."""
        return encoders.load(study, name, self.ids)

    @contextmanager
    def holding(self, ready: encoders.Ready) -> Iterator[None]:
        """While it is entered nothing changes, and every added product has features of that encoder."""
        self._of_added(ready)  # most of them: others may add and take away meanwhile
        with self._change:
            now, features = self._of_added(ready)
            now.features[ready.identity] = features
            yield

    def _of_added(self, ready: encoders.Ready) -> tuple[Snapshot, np.ndarray]:
        """The products of this moment, and the features (A, D) of those that were added."""
        while True:
            now = self.snapshot()
            with suppress(products.Missing):  # another process has taken one away meanwhile
                return now, encoders.of_added(ready, self.shelf, now.added)

    def snapshot(self) -> Snapshot:
        """The products of this moment, whichever process changed them."""
        assert self._snapshot is not None, "it has not started"
        if self._snapshot.version != products.version(self.shelf) and self._change.acquire(blocking=False):
            try:
                self._renew()
            finally:
                self._change.release()
        return self._snapshot

    def _renew(self) -> None:
        """Takes the shelf as it is for the next search; one that is under way ends with the products it began with."""
        now = self._snapshot
        assert now is not None
        while True:
            shelf = products.look(self.shelf, since=max((number for number, _ in now.added), default=0))
            new = [row[:2] for row in shelf.new]
            with suppress(products.Missing):  # another process has taken one away meanwhile
                vectors = {one.identity: encoders.of_added(one, self.shelf, new) for one in self._held.values()}
                break
        self._snapshot = snapshots.renewed(now, shelf, vectors)

    def describing(self, stems: Sequence[str]) -> set[str]:
        """Those of some words' stems that describe a product."""
        now = self.snapshot()
        known = [stem for stem in stems if stem in now.columns]
        counted = now.counts[:, [now.columns[stem] for stem in known]][~now.hidden]
        return {stem for stem, products in zip(known, counted.getnnz(axis=0), strict=True) if products}

    def search(self, ready: encoders.Ready, question: Question, vector: np.ndarray | None) -> gallery.Answer | None:
        """As `Gallery.search`. Raises SearchError, Missing."""
        now = self.snapshot()
        if ready.identity not in now.features:  # it made room for another, and the products changed, in between
            return None
        row = None if question.like is None else now.row(question.like)
        if row is not None:
            vector = answers.vector(ready, now, row)
        return answers.find(ready, now, question, vector, row)

    def status(self) -> dict[str, Any]:
        """As `Gallery.status`."""
        now = self.snapshot()
        return {
            "products": int((~now.hidden).sum()),
            "added": len(now.added),
            "hidden": int(now.hidden.sum()),
            "filters": now.choices,
        }

    def listed(self, page: Page) -> dict[str, Any]:
        """A page of the products, as /api/v1/products answers it."""
        now = self.snapshot()
        rows = np.flatnonzero(now.having(questions.narrowed(page)) & ~now.hidden)
        shown = rows[page.offset : page.offset + page.count]
        return {"total": len(rows), "offset": page.offset, "products": [now.facts(int(row)) for row in shown]}

    def hidden(self) -> list[dict[str, Any]]:
        """The catalogue's products that were taken away, in its order."""
        now = self.snapshot()
        return [now.facts(int(row)) for row in np.flatnonzero(now.hidden)]

    def product(self, identity: str) -> dict[str, Any]:
        """As `Gallery.product`. Raises Missing."""
        now = self.snapshot()
        row = now.row(identity)
        return now.facts(row) | {"added": row >= now.catalogued}

    def picture(self, identity: str) -> bytes | None:
        """An added product's image; None: the catalogue has it. Raises Missing."""
        now = self.snapshot()
        return products.picture(self.shelf, identity) if now.row(identity) >= now.catalogued else None

    def check(self, identity: str) -> None:
        """Raises Conflict where an id is taken."""
        if identity in self.snapshot().rows:
            raise products.Conflict(f"the id {identity!r} is taken. Choose another")

    def add(self, identity: str, facts: dict[str, str], picture: bytes, vectors: dict[str, np.ndarray]) -> None:
        """As `Gallery.add`. Raises ProductError, Conflict."""
        with self._change:
            self.check(identity)
            products.add(self.shelf, identity, facts, picture, vectors)
            self._renew()

    def remove(self, identity: str) -> None:
        """Deletes an added product, hides one of the catalogue. Raises Missing."""
        with self._change:
            now = self.snapshot()
            products.remove(self.shelf, identity, catalogued=now.row(identity) < now.catalogued)
            self._renew()

    def restore(self, identity: str) -> None:
        """Shows a hidden product of the catalogue again. Raises Conflict."""
        with self._change:
            products.restore(self.shelf, identity)
            self._renew()
