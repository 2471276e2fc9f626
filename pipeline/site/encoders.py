"""Encoders ready to answer: a network for the photo, and the features of the catalogue, mapped from disk.

The network and the features are those of the study, prepared in the one way there is (`images.prepare`): the thesis's
finetuned model looked random on its site because photo and catalogue had been prepared in two ways.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import files, params, paths
from pipeline.data import images
from pipeline.encoders import concatenation, store
from pipeline.retrieval import distances, indexes
from pipeline.site import apart, products
from pipeline.site.questions import NotReady

CANDIDATES = 1000  # products that an index gives, which filters then choose from
PORTION = 32  # added products whose features are kept together: a restart need not make them again
BUILDER = ThreadPoolExecutor(1, thread_name_prefix="index")  # one index at a time, whichever encoder's
Detect = Callable[[Image.Image], list]  # a photo → its boxes, the surest first, each with how sure
Encode = Callable[[Image.Image], np.ndarray]


@dataclass(frozen=True)
class Ready:
    """One encoder: `encode` turns a photo into (D,), `vectors` (G, D) are the catalogue's."""

    name: str
    identity: str
    encode: Encode
    vectors: np.ndarray
    measures: dict[str, Callable] = field(default_factory=dict)
    searches: dict[str, indexes.Search] = field(default_factory=dict)
    building: dict[str, Future] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    asking: threading.Lock = field(default_factory=threading.Lock)  # held for a moment, by those who ask for an index

    def measure(self, distance: str) -> Callable[[np.ndarray], np.ndarray]:
        """The distance to the catalogue as a function of queries (Q, D) → (Q, G); prepared when first asked for."""
        with self.lock:
            if distance not in self.measures:
                self.measures[distance] = distances.to(self.vectors, distance)
            return self.measures[distance]

    def indexed(self, kind: params.Index, wait: bool = True) -> indexes.Search:
        """An index of the catalogue, built when it is first asked for by a thread of its own: nobody else waits for it.

        It takes the place of the one before: each holds the catalogue anew.

        Args:
            wait: until it is built.

        Raises:
            NotReady: it is being built, and nobody waits.
        """
        with self.asking:
            if (search := self.searches.get(kind)) is not None:
                return search
            if (future := self.building.get(kind)) is None:  # one that was built stays until someone who asked has it
                future = self.building[kind] = BUILDER.submit(self._build, kind)
        if not wait and not future.done():
            raise NotReady(f"an index of {self.name} is being built; ask again in a moment")
        try:
            return future.result()
        finally:  # who asks again after a fault has it tried again
            with self.asking:
                if self.building.get(kind) is future:
                    del self.building[kind]

    def _build(self, kind: params.Index) -> indexes.Search:
        search = indexes.build(kind, self.vectors)
        with self.asking:
            self.searches.clear()
            self.searches[kind] = search
        return search

    def holding(self, kind: params.Index, wait: bool = True) -> "Ready":
        """The same with an index that stays, whatever others have built meanwhile. Raises: as `indexed`."""
        return replace(self, searches={kind: self.indexed(kind, wait)})

    def near(self, kind: params.Index) -> Callable[[np.ndarray], np.ndarray]:
        """As `measure` by cosine, infinite but for the `CANDIDATES` that an index finds."""
        search = self.indexed(kind)

        def measure(queries: np.ndarray) -> np.ndarray:
            whole = np.full((len(queries), len(self.vectors)), np.inf, np.float32)
            for row, (places, near) in enumerate(zip(*search(queries, CANDIDATES), strict=True)):
                there = places != indexes.NOWHERE
                whole[row, places[there]] = near[there]
            return whole

        return measure


@dataclass(frozen=True)
class Cells:
    """One encoder: `compare` is a picture as it sees it and another's vector (D,) → what each cell adds (h, w)."""

    spec: params.Encoder
    adds_up: str
    compare: Callable[[np.ndarray, np.ndarray], np.ndarray]


def available(study: params.Study) -> list[str]:
    """The encoders whose features have been made, concatenations among them, in the order of params.yaml."""
    names = [*study.encoders, *study.concatenations]
    return [name for name in names if paths.features(study.data.name, name).exists()]


def load(study: params.Study, name: str, ids: list[str]) -> Ready:
    """An encoder with its network and its features.

    Raises:
        StoreError, WeightsError: features or weights that are missing, damaged, or of another catalogue or network.
    """
    identity = store.meta(paths.features(study.data.name, name)).get("encoder_id", "")
    encode = network(study, name)
    encode(Image.new("RGB", (8, 8)))  # the first photo takes half a second longer than the others: not a shopper's
    return Ready(name, identity, encode, mapped(study.data.name, name, ids))


def of_added(ready: Ready, shelf: Path, added: products.Added) -> np.ndarray:
    """The features (A, D) of products that were added to a shelf; what it has not of them yet is made and kept.

    Raises:
        Missing: one was taken away meanwhile.
    """
    rows: list[np.ndarray] = []
    for first in range(0, len(added), PORTION):
        some = added[first : first + PORTION]
        known = products.features(shelf, ready.identity, [identity for _, identity in some])
        missing = {
            key: ready.encode(images.decode(products.picture(shelf, key[1]))) for key in some if key[1] not in known
        }
        if missing:
            with suppress(sqlite3.OperationalError):  # a disk that is full or may not be written: made anew next time
                products.keep(shelf, ready.identity, missing)
        rows += [known[key[1]] if key[1] in known else missing[key] for key in some]
    return np.stack(rows) if rows else np.empty((0, ready.vectors.shape[1]), np.float32)


def network(study: params.Study, name: str) -> Encode:
    """A photo → its features (D,), as the study's notebooks make them.

    Raises:
        StoreError: the features were made with other weights, or prepared in another way, than params.yaml says.
        WeightsError, CompileError: as `apart.encoder`.
    """
    from pipeline.encoders import extract  # TensorFlow takes seconds, in which the site already answers

    if name in study.concatenations:
        both = study.concatenations[name]
        first, second = network(study, both.first), network(study, both.second)
        return lambda photo: concatenation.join(first(photo)[None], second(photo)[None], both.share)[0]
    spec = study.encoders[name]
    folder = paths.weights(study.data.name, spec.weights)
    made = store.meta(paths.features(study.data.name, name)).get("encoder_id")
    if made != (now := extract.encoder_id(study.data.name, name, spec, folder)):
        raise store.StoreError(f"the features of {name} were made as {made}, its network is {now} now. Run: dvc repro")
    run = apart.encoder(spec, folder).run

    return lambda photo: run(images.prepare(photo, spec)[None])[0]


def cells(study: params.Study, name: str) -> Cells:
    """An encoder's cells. Raises WeightsError, CompileError: as `apart.cells`."""
    from pipeline.encoders import regions

    spec = study.encoders[name]
    compare = apart.cells(spec, paths.weights(study.data.name, spec.weights))
    return Cells(spec, regions.adds_up(spec), compare)


def trained_detector(study: params.Study) -> str | None:
    """The study of user photos that trained what finds several products in one photo; None where none did."""
    there = (name for name in study.user_photos if paths.detector(study.data.name, name).exists())
    return next((name for name in there if study.user_photos[name].encoders[0] in study.encoders), None)


def detector(study: params.Study, name: str) -> Detect:
    """What finds several products in one photo, as a study of user photos trained it.

    Raises:
        StoreError: it is damaged, or was trained on another network. WeightsError, CompileError: as `apart.encoder`.
    """
    from pipeline.systems import detector as trained

    data, spec = study.data.name, study.encoders[study.user_photos[name].encoders[0]]
    there = trained.opened(paths.detector(data, name))
    if there.network != trained.network_of(data, spec, there.side):
        raise store.StoreError(f"the detector of {name} was trained on another network than is there. Run: dvc repro")
    run = apart.encoder(trained.looking_through(spec, there.side), paths.weights(data, spec.weights)).run
    return trained.seeing(there, spec, run)


def mapped(data: str, name: str, ids: list[str]) -> np.ndarray:
    """The features (G, D) of the catalogue's images `ids`, mapped from a file that is written when it is first needed.

    Raises:
        StoreError: features of other images.
    """
    identity = store.meta(paths.features(data, name)).get("encoder_id", "")
    key = hashlib.sha256("\n".join([identity, *ids]).encode()).hexdigest()[:16]
    path = paths.BUILD / "site" / f"{data}-{name}-{key}.npy"
    if not path.exists():
        features = store.read(paths.features(data, name))
        if features.ids.tolist() != ids:
            raise store.StoreError(f"the features of {name} are not of this catalogue's pictures. Run: dvc repro")
        if paths.features(data, name).is_dir():
            return features.vectors  # mapped already
        with files.whole_file(path) as partial, partial.open("wb") as file:
            np.save(file, features.vectors, allow_pickle=False)
    return np.load(path, mmap_mode="r", allow_pickle=False)
