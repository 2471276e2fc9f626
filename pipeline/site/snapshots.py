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
from pipeline.site.questions import FILTERS, SearchError

TOLD = [catalog.ID, catalog.PRODUCT, *catalog.LABELS]  # of a product, in an answer
Added = list[tuple[str, dict[str, str]]]  # products as `products.added` lists them: ids and facts


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

    `told`: what is told of each, (G, T) by the columns of `TOLD`: text, None where it is blank. `values`: a number per
    product (G,), −1 for blank, and what the numbers stand for, by the columns that filters choose from.
    `hidden`: bool (G,), what was taken away. `duplicates`: a number per product, equal where the images' bytes are.
    `words`: TF-IDF rows of what describes each, (G, V), by the words of `vocabulary`. `features`: the added products'
    features (A, D) by encoder id; an encoder that is loaded puts its own there.
    """

    frame: pd.DataFrame
    told: np.ndarray
    values: dict[str, tuple[np.ndarray, pd.Index]]
    hidden: np.ndarray
    duplicates: np.ndarray
    vocabulary: TfidfVectorizer
    words: sparse.csr_matrix
    added: Added
    features: dict[str, np.ndarray]

    @cached_property
    def measures(self) -> dict[tuple[str, str], Callable[[np.ndarray], np.ndarray]]:
        """What `measure` has prepared."""
        return {}

    @cached_property
    def rows(self) -> dict[str, int]:
        return {identity: row for row, identity in enumerate(self.frame[catalog.ID])}

    @property
    def catalogued(self) -> int:
        """How many products are the catalogue's: the row of the first added one."""
        return len(self.frame) - len(self.added)

    def row(self, identity: str) -> int:
        """Where a product stands. Raises SearchError: there is none of that id, or it was taken away."""
        row = self.rows.get(identity)
        if row is None or self.hidden[row]:
            raise SearchError(f"there is no product {identity[:80]!r}")
        return row

    def facts(self, row: int) -> dict[str, Any]:
        """A product's id, name and labels; None where one is blank."""
        return dict(zip(TOLD, self.told[row], strict=True))

    def having(self, chosen: dict[str, list[str]]) -> np.ndarray:
        """Which products have one of the chosen values in every chosen column; bool (G,)."""
        wanted = np.ones(len(self.frame), bool)
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


def take(catalogue: Catalogue, added: Added, gone: set[str], features: dict[str, np.ndarray]) -> Snapshot:
    """The catalogue's products and the `added` ones, less those whose ids are `gone`; `features` as in `Snapshot`."""
    frame = with_added(catalogue.frame, added)
    new = frame.iloc[len(catalogue.frame) :]
    # of all products: an added one may be called what none was called before
    counts, columns = text.counted(described(new) if len(new) else [], catalogue.columns)
    old = sparse.csr_matrix(
        (catalogue.counts.data, catalogue.counts.indices, catalogue.counts.indptr), (len(catalogue.frame), len(columns))
    )
    vocabulary, words = text.weighted(sparse.vstack([old, counts], "csr"), columns)
    return Snapshot(
        frame=frame,
        told=frame[TOLD].where(frame[TOLD].isna(), frame[TOLD].astype(str)).where(frame[TOLD].notna(), None).to_numpy(),
        values={name: pd.factorize(frame[name]) for name in FILTERS},
        hidden=frame[catalog.ID].isin(gone).to_numpy(),
        duplicates=np.concatenate([catalogue.duplicates, catalogue.duplicates.size + np.arange(len(new))]),
        vocabulary=vocabulary,
        words=words,
        added=added,
        features=features,
    )


def hide(snapshot: Snapshot, gone: set[str]) -> Snapshot:
    """The same products, but for which of them are `gone`: their words need not be counted anew."""
    return replace(snapshot, hidden=snapshot.frame[catalog.ID].isin(gone).to_numpy())


def described(frame: pd.DataFrame) -> list[str]:
    """What can be said of each product: the words of its name and its labels."""
    return text.descriptions(frame, [catalog.PRODUCT, *FILTERS])


def with_added(frame: pd.DataFrame, added: Added) -> pd.DataFrame:
    """The catalogue's products and then the added ones, in the catalogue's columns."""
    new = pd.DataFrame([{catalog.ID: identity, **facts} for identity, facts in added], columns=catalog.COLUMNS)
    return pd.concat([frame[catalog.COLUMNS].astype(object), new.astype(object)], ignore_index=True)
