"""An encoder's vectors beside the same ones expanded by their neighbours: what the catalogue's pictures agree on.

Neighbours are sought in the train part alone, without its labels: no test picture, and so no copy of one, is in a
vector but its own. Pictures of the train part are in others' vectors, also where they ask themselves (the thesis's
protocol, thresholds that are chosen, a hybrid's weights) or cannot be found (even years, the test part as gallery).
"""

from collections.abc import Iterator

import numpy as np

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import concatenation, derived, store
from pipeline.encoders.store import FeatureSet
from pipeline.progress import progress
from pipeline.retrieval import indexes, reranking
from pipeline.retrieval.ranking import NOWHERE, pass_over
from pipeline.vectors import unit

ROWS = 1024  # expanded at once


def run(study: params.Study, name: str) -> None:
    """The stage: makes the features of one expansion."""
    expand(study.data.name, name, study.expansions[name])


def expand(data: str, name: str, spec: params.Expansion) -> FeatureSet:
    """Writes `features/<name>.sqlite`, every image's vector beside the expanded one, and returns it.

    Raises:
        StoreError: the encoder's features are missing, damaged, or of other pictures than the catalogue's.
        ValueError: the catalogue has no train part.
    """
    features, frame = store.read(paths.features(data, spec.encoder)), catalog.load(data)
    if list(features.ids) != frame[catalog.ID].tolist():
        raise store.StoreError(
            f"{spec.encoder} must have features of the catalogue's pictures in its order. "
            f"Received: {len(features.ids)} and {len(frame)} pictures, or others. Run its stage again"
        )
    vectors, context = unit(features.vectors), catalog.rows_of(frame, catalog.TRAIN)
    if not len(context):
        raise ValueError(f"none of the catalogue's {len(frame)} pictures is in its train part. Run: dvc repro ingest")
    facts = [features.encoder_id, spec.model_dump(), features.ids[context].tolist()]
    dimension = vectors.shape[1] * (2 if spec.share < 1 else 1)
    parts = ((list(features.ids[rows]), made) for rows, made in beside(vectors, context, spec))
    return derived.write(data, name, facts, len(vectors), dimension, parts)


def beside(vectors: np.ndarray, context: np.ndarray, spec: params.Expansion) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each vector beside the same with its nearest of the context added, some rows at a time.

    Positions (B,) with vectors (B, 2D), or (B, D) where the share is 1. Each neighbour is weighted by its
    similarity to the power `alpha`; an item of the context is not its own neighbour.
    Source: Radenović, Tolias and Chum (2019), section 4.3 (αQE), and Turcot and Lowe (2009), section 4 (the gallery's
    items too). Differs: both add neighbours of the whole gallery, and search with the expanded vector alone.

    Args:
        vectors: length 1 (N, D). context: the positions of those that may be added (G,).
    """
    search = indexes.build("exact", vectors[context])
    for start in progress(range(0, len(vectors), ROWS), "expanding", f"{ROWS} pictures"):
        rows = np.arange(start, min(start + ROWS, len(vectors)))
        near, _ = search(vectors[rows], spec.neighbours + 1)
        places = np.append(context, NOWHERE)[near]  # there is no neighbour at −1, the last
        itself = places == rows[:, None]
        places = pass_over(np.where(itself, NOWHERE, places), itself, spec.neighbours)
        expanded = reranking.expanded(vectors[rows], vectors, places, spec.alpha)
        yield rows, concatenation.join(vectors[rows], expanded, spec.share) if spec.share < 1 else expanded
