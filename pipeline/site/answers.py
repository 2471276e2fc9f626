"""What a question finds among the products of one moment: their distances, the nearest, and what these say it shows."""

from collections import Counter
from typing import Any

import numpy as np

from pipeline.data import catalog
from pipeline.retrieval.ranking import NOWHERE, smallest
from pipeline.site.encoders import Ready
from pipeline.site.questions import Question, SearchError, narrowed
from pipeline.site.snapshots import TOLD, Snapshot

DIGITS = 6  # of a distance, as it is shown
VOTERS = 10  # nearest products that say what a photo shows
FARTHEST = np.float32(np.inf)  # of a product that cannot be found


def find(
    ready: Ready, now: Snapshot, question: Question, vector: np.ndarray | None, row: int | None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The products that a question finds, nearest first, and the articleType that the nearest say it shows.

    Args:
        vector: features (D,) of what is asked with; None for words alone.
        row: the product that asks, which is not found, nor is a duplicate of it; None for a photo or words.

    Raises:
        SearchError: words that describe no product.
    """
    shown, voters, far = nearest(now, distances(ready, now, vector, question), question, row)
    results = [
        {"rank": rank, **now.facts(place), "distance": round(float(far[place]), DIGITS)}
        for rank, place in enumerate(shown, 1 + question.offset)
    ]
    return results, vote(now.told[voters, TOLD.index(catalog.ARTICLE)])


def vector(ready: Ready, now: Snapshot, row: int) -> np.ndarray:
    """The features (D,) of a product, the catalogue's or an added one."""
    return ready.vectors[row] if row < now.catalogued else now.features[ready.identity][row - now.catalogued]


def distances(ready: Ready, now: Snapshot, vector: np.ndarray | None, question: Question) -> np.ndarray:
    """The distance of every product from what was asked, float32 (G,); infinite where words alone say nothing of it.

    Raises:
        SearchError: as `find`.
    """
    far = None
    if vector is not None:
        exact = question.index == "exact"
        catalogued = ready.measure(question.distance) if exact else ready.near(question.index)
        parts = [catalogued, *([now.measure(ready.identity, question.distance)] if now.added else [])]
        far = np.concatenate([part(vector[None])[0] for part in parts])
    if question.text:
        asked = now.vocabulary.transform([question.text])
        if not asked.nnz:
            raise SearchError(f"no product is described by {question.text!r}. Try a kind, a colour or a brand")
        alike = now.words @ asked.toarray().ravel()
        words = np.maximum(1 - alike, 0)  # rounding may leave 0 by a hair
        share = question.image_weight
        far = np.where(alike > 0, words, FARTHEST) if far is None else share * far + (1 - share) * words
    return np.array(far, np.float32)


def nearest(
    now: Snapshot, distances: np.ndarray, question: Question, row: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of the products that are shown and of those that vote, nearest first, and the distances.

    Args:
        distances: the distance of every product, (G,); equal ones stand in the catalogue's order.
        row: as in `find`.
    """
    distances = others(now, distances, row)
    voters = _first(distances, VOTERS)
    wanted = distances
    if chosen := narrowed(question):
        wanted = np.where(now.having(chosen), distances, FARTHEST)
    shown = _first(wanted, question.offset + question.count)[question.offset :]
    if question.farthest is not None:  # as it is shown, so that a shown distance finds its product
        shown = shown[distances[shown].round(DIGITS) <= question.farthest]
    return shown, voters, distances


def others(now: Snapshot, distances: np.ndarray, row: int | None) -> np.ndarray:
    """The distance of every product (G,), infinite where it was taken away or is the one that asks or a duplicate."""
    distances = distances.astype(np.float32)
    distances[now.hidden] = FARTHEST
    if row is not None:
        distances[now.duplicates == now.duplicates[row]] = FARTHEST
    return distances


def _first(distances: np.ndarray, count: int) -> np.ndarray:
    """Positions of the nearest, at most `count`, of those that are not infinitely far."""
    positions = smallest(distances[None], count)[0][0]
    return positions[positions != NOWHERE]


def vote(types: np.ndarray) -> dict[str, Any]:
    """What the nearest products' types say that a photo shows; blank types have no vote."""
    counts = Counter(kind for kind in types if isinstance(kind, str))
    kind, votes = counts.most_common(1)[0] if counts else (None, 0)
    return {"predicted": kind, "votes": votes, "of": len(types)}
