"""All products at one moment: the catalogue's and the added ones, the words that describe them, and what is hidden."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline.data import catalog, text
from pipeline.retrieval import distances
from pipeline.site.products import Added, Missing, Shelf
from pipeline.site.questions import FILTERS

TOLD = [catalog.ID, catalog.PRODUCT, *catalog.LABELS]  # of a product, in an answer
Numbered = tuple[np.ndarray, pd.Index]  # a number per product (G,), −1 for blank, and what the numbers stand for


@dataclass(frozen=True)
class Catalogue:
    """The catalogue's products, with which every snapshot begins.

    `counts`: how often each word describes each, (G, V), by the words of `columns`. `duplicates` as in `Snapshot`.
    """

    frame: pd.DataFrame
    counts: sparse.csr_matrix
    columns: dict[str, int]
    duplicates: np.ndarray


@dataclass(frozen=True)
class Snapshot:
    """All products at one moment, the catalogue's and then the added ones: replaced by a change, never changed itself.

    `told`: what is told of each, (G, T) by the columns of `TOLD`: text, None where it is blank. `values`: by the
    columns that filters choose from. `hidden`: bool (G,), what was taken away. `duplicates`: a number per product,
    equal where the images' bytes are. `counts`, `columns`: as in `Catalogue`. `words`: TF-IDF rows of what describes
    each, (G, V), by the words of `vocabulary`. `version`: the shelf's. `features`: the added products' features (A, D)
    by encoder id; an encoder that is loaded puts its own there.
    """

    told: np.ndarray
    values: dict[str, Numbered]
    hidden: np.ndarray
    duplicates: np.ndarray
    counts: sparse.csr_matrix
    columns: dict[str, int]
    vocabulary: TfidfVectorizer
    words: sparse.csr_matrix
    added: Added
    version: int
    features: dict[str, np.ndarray]

    @cached_property
    def measures(self) -> dict[tuple[str, str], Callable[[np.ndarray], np.ndarray]]:
        """What `measure` has prepared."""
        return {}

    @cached_property
    def rows(self) -> dict[str, int]:
        return {identity: row for row, identity in enumerate(self.told[:, 0])}

    @cached_property
    def choices(self) -> dict[str, list[str]]:
        """What each filter may be, of the products that are shown."""
        shown = {name: numbers[~self.hidden & (numbers >= 0)] for name, (numbers, _) in self.values.items()}
        return {name: sorted(map(str, self.values[name][1][np.unique(numbers)])) for name, numbers in shown.items()}

    @property
    def catalogued(self) -> int:
        """How many products are the catalogue's: the row of the first added one."""
        return len(self.told) - len(self.added)

    def row(self, identity: str) -> int:
        """Where a product stands. Raises Missing: there is none of that id, or it was taken away."""
        row = self.rows.get(identity)
        if row is None or self.hidden[row]:
            raise Missing(f"there is no product {identity[:80]!r}")
        return row

    def facts(self, row: int) -> dict[str, Any]:
        """A product's id, name and labels; None where one is blank."""
        return dict(zip(TOLD, self.told[row], strict=True))

    def having(self, chosen: dict[str, list[str]]) -> np.ndarray:
        """Which products have one of the chosen values in every chosen column; bool (G,)."""
        wanted = np.ones(len(self.told), bool)
        for name, allowed in chosen.items():
            numbers, values = self.values[name]
            wanted &= np.isin(numbers, np.flatnonzero(np.isin(values, allowed)))
        return wanted

    def measure(self, encoder_id: str, distance: str) -> Callable[[np.ndarray], np.ndarray]:
        """The distance to the added products as a function of queries (Q, D) → (Q, A); prepared when first asked."""
        key = encoder_id, distance
        if key not in self.measures:
            self.measures[key] = distances.to(self.features[encoder_id], distance)
        return self.measures[key]


def begin(frame: pd.DataFrame) -> Catalogue:
    """What all snapshots of one catalogue have in common, made once."""
    return Catalogue(frame, *text.counted(described(frame), {}), catalog.duplicates(frame))


def first(catalogue: Catalogue) -> Snapshot:
    """The catalogue's products: none was added or taken away."""
    frame, (vocabulary, words) = catalogue.frame, text.weighted(catalogue.counts, catalogue.columns)
    return Snapshot(
        told=told(frame),
        values={name: pd.factorize(frame[name].astype(object)) for name in FILTERS},
        hidden=np.zeros(len(frame), bool),
        duplicates=catalogue.duplicates,
        counts=catalogue.counts,
        columns=catalogue.columns,
        vocabulary=vocabulary,
        words=words,
        added=[],
        version=0,
        features={},
    )


def renewed(now: Snapshot, shelf: Shelf, vectors: dict[str, np.ndarray]) -> Snapshot:
    """The products as a shelf has them, from those of a moment before: only what is new is read.

    Args:
        vectors: features (N, D) of the shelf's new products by encoder id; other encoders' are forgotten.
    """
    kept = np.ones(len(now.told), bool)
    kept[now.catalogued :] = [number in shelf.numbers for number, _ in now.added]
    if not kept.all() or shelf.new:
        now = _with_new(now, shelf, kept, vectors)
    features = {name: part for name, part in now.features.items() if name in vectors}
    return hide(replace(now, version=shelf.version, features=features), shelf.hidden)


def hide(now: Snapshot, gone: set[str]) -> Snapshot:
    """The same products, but for which of the catalogue's are `gone`: their words need not be counted anew."""
    hidden = np.zeros(len(now.told), bool)
    rows = [now.rows.get(identity, len(hidden)) for identity in gone]
    hidden[[row for row in rows if row < now.catalogued]] = True
    return replace(now, hidden=hidden)


def _with_new(now: Snapshot, shelf: Shelf, kept: np.ndarray, vectors: dict[str, np.ndarray]) -> Snapshot:
    """The products that are `kept` (G,), and then a shelf's new ones."""
    rows = [{catalog.ID: identity, **facts} for _, identity, facts in shelf.new]
    new = pd.DataFrame(rows, columns=catalog.COLUMNS, dtype=object)
    # of all products: an added one may be called what none was called before
    counts, columns = text.counted(described(new) if rows else [], now.columns)
    before = now.counts if kept.all() else now.counts[kept]
    wider = sparse.csr_matrix((before.data, before.indices, before.indptr), (before.shape[0], len(columns)))
    counts = sparse.vstack([wider, counts], "csr")
    vocabulary, words = text.weighted(counts, columns)
    free = now.duplicates.max(initial=-1) + 1
    stays = kept[now.catalogued :]
    return Snapshot(
        told=np.concatenate([now.told[kept], told(new)]),
        values={name: _numbered(now.values[name], kept, new[name]) for name in FILTERS},
        hidden=np.zeros(kept.sum() + len(new), bool),
        duplicates=np.concatenate([now.duplicates[kept], free + np.arange(len(new))]),
        counts=counts,
        columns=columns,
        vocabulary=vocabulary,
        words=words,
        added=[one for one, stay in zip(now.added, stays, strict=True) if stay] + [row[:2] for row in shelf.new],
        version=shelf.version,
        features={
            name: np.concatenate([part[stays], vectors[name]]) for name, part in now.features.items() if name in vectors
        },
    )


def _numbered(before: Numbered, kept: np.ndarray, new: pd.Series) -> Numbered:
    numbers, values = before
    unseen = [value for value in dict.fromkeys(new.dropna()) if value not in values]
    values = values.append(pd.Index(unseen, dtype=object)) if unseen else values
    return np.concatenate([numbers[kept], np.where(new.isna(), -1, values.get_indexer(new))]), values


def told(frame: pd.DataFrame) -> np.ndarray:
    """What is told of each product, (G, T): text, None where it is blank."""
    said = frame[TOLD].astype(object)
    return said.where(said.isna(), said.astype(str)).where(said.notna(), None).to_numpy()


def described(frame: pd.DataFrame) -> list[str]:
    """What can be said of each product: the words of its name and its labels."""
    return text.descriptions(frame, [catalog.PRODUCT, *FILTERS])
