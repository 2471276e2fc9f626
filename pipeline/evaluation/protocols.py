"""Labels joined with full rankings: who asks, who answers, what is relevant, and what is left out.

Strict: test queries; gallery `all` or `test`; the query and every image with the query's bytes are removed.
Held-out types: the strict queries of types that a finetune with `split: types` never saw, against the images of such
types, and against all.
22 types: the protocol of Sánchez, Montaner and Candela (UPC, 2021): clothes and shoes of types with more than 100
images, test against test. Their AP keeps the query in the gallery (`22 types, query in`), their P@15 leaves it out.
Source: https://github.com/ferran-candela/upc-aidl-2021-image-retrieval. Differs: all queries for 600, our test part.
Temporal: the strict queries of odd years whose group no even year has, against the images of even years.
Thesis: a seeded subset is queries and gallery at once, with the query left in. It shows what the thesis most likely
measured: a query that finds itself makes Recall@1 = 1.0 for every model. The same without the query stands beside it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics
from pipeline.evaluation.names import (
    ALL,
    COPIES_IN,
    EVEN_YEARS,
    HELD_OUT,
    PRODUCT_OUT,
    STRICT,
    TEMPORAL,
    TEST,
    UNSEEN,
    UPC,
    UPC_IN,
)
from pipeline.retrieval.ranking import rank

UPC_MORE_THAN = 100  # images of a type
# what that study leaves out of clothes and shoes as being of another kind
NOT_UPC = [
    *("Baby Dolls", "Bath Robe", "Belts", "Boxers", "Bra", "Briefs", "Camisoles", "Capris", "Churidar", "Clothing Set"),
    *("Dupatta", "Innerwear Vests", "Kurta Sets", "Kurtas", "Kurtis", "Lehenga Choli", "Nehru Jackets", "Patiala"),
    *("Robe", "Rompers", "Salwar", "Salwar and Dupatta", "Sarees", "Shapewear", "Shrug", "Stockings", "Suspenders"),
    *("Tights", "Trunk", "Tunics"),
]


class View(NamedTuple):
    """One protocol and gallery: an image whose code is its query's, in the same column, cannot be found."""

    protocol: str
    gallery: str
    query_codes: np.ndarray  # (G, L)
    gallery_codes: np.ndarray  # (G, L)
    member: np.ndarray  # bool (G,)
    relevances: list[str]
    asks: np.ndarray  # bool (G,): of the test images, those that are queries


def check_same_images(features: FeatureSet, frame: pd.DataFrame) -> None:
    """Raises ValueError unless features and catalogue hold the same images and some of them are for testing."""
    if features.ids.tolist() != frame[catalog.ID].tolist():
        raise ValueError(
            f"features and catalogue hold different pictures: {len(features.ids)} and {len(frame)}. "
            "Run feature_extraction again"
        )
    if not len(catalog.rows_of(frame, catalog.TEST)):
        raise ValueError("the catalogue has no test part: it needs pictures of two products or more")


def precisions(
    queries: FeatureSet,
    gallery: FeatureSet,
    frame: pd.DataFrame,
    rows: np.ndarray,
    relevances: list[str],
    distance: str = "cosine",
) -> dict[str, np.ndarray]:
    """AP of some queries against everything under the strict protocol, by relevance; (Q,) each.

    Args:
        rows: the queries' positions in the catalogue (Q,).
    """
    codes = {relevance: catalog.label_codes(frame, relevance) for relevance in relevances}
    duplicates = catalog.duplicates(frame)
    parts = [
        strict_precisions(order, rows[part], duplicates, codes) for part, order, _ in rank(queries, gallery, distance)
    ]
    return {relevance: np.concatenate([part[relevance] for part in parts]) for relevance in relevances}


def strict_precisions(
    order: np.ndarray, rows: np.ndarray, duplicates: np.ndarray, codes: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """AP by relevance of rankings of everything, once each query and its duplicates are passed over; (Q,) each.

    Args:
        order: int32 (Q, G), nearest first.
        rows: the queries' positions in the gallery (Q,).
        duplicates: a number per image (G,), as `catalog.duplicates` gives it.
        codes: labels by relevance (G,), as `catalog.label_codes` gives them.
    """
    labels = np.stack(list(codes.values()), axis=1)
    values = metrics.average_precisions(order, duplicates[rows], duplicates, labels[rows], labels)
    return dict(zip(codes, values.T, strict=True))


def strict_relevant(rows: np.ndarray, duplicates: np.ndarray, codes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """How many images are relevant to each query by relevance, itself and its duplicates not counted; int (Q,) each.

    Arguments: as for `strict_precisions`.
    """
    found = {}
    for relevance, labels in codes.items():
        table = pd.DataFrame({"code": duplicates, "label": labels})
        alike, own = (table.groupby(by)["label"].transform("size") for by in (["label"], ["code", "label"]))
        found[relevance] = np.where(labels >= 0, alike - own, 0)[rows]
    return found


def strict_f1(
    order: np.ndarray,
    rows: np.ndarray,
    duplicates: np.ndarray,
    codes: dict[str, np.ndarray],
    relevant: dict[str, np.ndarray],
    k: int,
) -> dict[str, np.ndarray]:
    """F1@k by relevance of rankings of everything, each query and its duplicates passed over; (Q,) each.

    Args:
        order, rows, duplicates, codes: as for `strict_precisions`.
        relevant: what `strict_relevant` gives for the same queries.
    """
    head = order[:, : k + np.bincount(duplicates).max()]
    everything = np.ones(len(duplicates), bool)
    kept, counts = metrics.exclude(head, duplicates[rows][:, None], duplicates[:, None], everything)
    values = {}
    for relevance, labels in codes.items():
        hits = metrics.relevant_hits(kept, labels[rows], labels, counts)
        values[relevance] = metrics.f1_at(hits, relevant[relevance], k)
    return values


def hits_of(
    order: np.ndarray, rows: np.ndarray, view: View, codes: dict[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """From a ranking to its hits: for each relevance of a view its name, bool (Q, G) hits, and what is left of the
    ranking, int32 (Q, G), with how many ranks count (Q,).

    Args:
        order: int32 (Q, G), nearest first. rows: the queries' positions in the gallery (Q,).
        codes: labels by relevance (G,).
    """
    remaining, counts = metrics.exclude(order, view.query_codes[rows], view.gallery_codes, view.member)
    for relevance in view.relevances:
        labels = codes[relevance]
        yield relevance, metrics.relevant_hits(remaining, labels[rows], labels, counts), remaining, counts


def views_of(frame: pd.DataFrame, relevances: list[str], among: Sequence[str]) -> list[View]:
    """What is read off one ranking of everything: the strict protocol on each gallery, and its variants.

    A variant whose queries the catalogue does not have is left out.

    Args:
        relevances: of the strict protocol; the first is that of most variants.
        among: the strict protocol's galleries, `all` or `test`.
    """
    everything, single = np.ones(len(frame), bool), np.arange(len(frame))[:, None]
    is_test, even, odd, held = (
        (frame[column] == part).fillna(False).to_numpy(bool)
        for column, part in (
            (catalog.SPLIT, catalog.TEST),
            (catalog.TEMPORAL_SPLIT, catalog.TRAIN),
            (catalog.TEMPORAL_SPLIT, catalog.TEST),
            (catalog.TYPE_SPLIT, catalog.TEST),
        )
    )
    clothes = np.isin(frame[catalog.ARTICLE].fillna(""), upc_types(frame))
    nobody = np.full((len(frame), 1), -1)
    bytes_, first = catalog.duplicates(frame)[:, None], relevances[:1]
    both = np.concatenate([bytes_, catalog.products(frame)[:, None]], axis=1)
    galleries = {gallery: everything if gallery == ALL else is_test for gallery in among}
    unseen = [name for name in relevances if name in (*first, "product")]
    views = [
        *(View(STRICT, name, bytes_, bytes_, member, relevances, is_test) for name, member in galleries.items()),
        View(COPIES_IN, ALL, single, single, everything, first, is_test),
        View(PRODUCT_OUT, ALL, both, both, everything, first, is_test),
        View(HELD_OUT, UNSEEN, bytes_, bytes_, held, unseen, held),
        View(HELD_OUT, ALL, bytes_, bytes_, everything, unseen, held),
        View(UPC, TEST, single, single, is_test & clothes, first, clothes),
        View(UPC_IN, TEST, nobody, single, is_test & clothes, first, clothes),
        View(TEMPORAL, EVEN_YEARS, bytes_, bytes_, even, first, odd),
        View(TEMPORAL, ALL, bytes_, bytes_, everything, first, odd),
    ]
    return [view for view in views if (view.asks & is_test).any()]


def upc_types(frame: pd.DataFrame) -> list[str]:
    """The article types of the 22-type protocol: clothes and shoes with more than 100 images, less `NOT_UPC`.

    None where there is one alone: everything would be right.
    """
    worn = frame[catalog.MASTER].isin(["Apparel", "Footwear"]) & ~frame[catalog.ARTICLE].isin(NOT_UPC)
    sizes = frame.loc[worn, catalog.ARTICLE].value_counts()
    types = sorted(sizes.index[sizes > UPC_MORE_THAN])
    return types if len(types) > 1 else []
