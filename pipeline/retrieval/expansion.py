"""An encoder's vectors beside the same ones expanded by their neighbours: what the catalogue's pictures agree on.

Neighbours are sought in the train part alone, without its labels. So a test picture helps nobody's vector, its own and
its copies' neither: what a protocol hides stays hidden, and every vector can be made before anyone asks.
"""

import hashlib
import json
from collections.abc import Iterator

import numpy as np

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import concatenation, store
from pipeline.encoders.store import FeatureSet
from pipeline.progress import progress
from pipeline.retrieval import indexes, reranking
from pipeline.retrieval.ranking import pass_over
from pipeline.vectors import unit

ROWS = 1024  # expanded at once: bounds memory beside the features


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
            f"Received: {len(features.ids)} and {len(frame)} pictures. Run its stage again"
        )
    facts = json.dumps([features.encoder_id, spec.model_dump()], sort_keys=True)
    identity = f"{name}:{hashlib.sha256(facts.encode()).hexdigest()[:16]}"
    vectors, context = unit(features.vectors), catalog.rows_of(frame, catalog.TRAIN)
    if not len(context):
        raise ValueError("the catalogue has no train part: it needs pictures of two products or more")
    meta = {"encoder_id": identity, "dimension": str(vectors.shape[1] * (2 if spec.share < 1 else 1)), "encoder": name}
    made = zip(_portions(features.ids), beside(vectors, context, spec), strict=True)
    store.write(paths.features(data, name), meta, len(vectors), ((list(ids), rows) for ids, rows in made))
    return store.read(paths.features(data, name))


def beside(vectors: np.ndarray, context: np.ndarray, spec: params.Expansion) -> Iterator[np.ndarray]:
    """Each vector beside the same with its nearest of the context added: (B, 2D) at a time, with a share of 1 (B, D).

    Each neighbour is weighted by its similarity to the power `alpha`; an item of the context is not its own neighbour.
    Source: Radenović, Tolias and Chum (2019), section 4.3 (αQE), and Turcot and Lowe (2009), section 4 (the gallery's
    items too). Differs: both add neighbours of the whole gallery, and search with the expanded vector alone.

    Args:
        vectors: length 1 (N, D). context: the positions of those that may be added (G,).
    """
    search = indexes.build("exact", vectors[context])
    for start in progress(range(0, len(vectors), ROWS), "expanding", f"{ROWS} pictures"):
        rows = np.arange(start, min(start + ROWS, len(vectors)))
        near, _ = search(vectors[rows], spec.neighbours + 1)
        near = np.where(context[near] == rows[:, None], indexes.NOWHERE, near)
        near = pass_over(near, near == indexes.NOWHERE, spec.neighbours)
        expanded = reranking.expanded(vectors[rows], vectors[context], near, spec.alpha)
        yield concatenation.join(vectors[rows], expanded, spec.share) if spec.share < 1 else expanded


def _portions(ids: np.ndarray) -> Iterator[np.ndarray]:
    return (ids[start : start + ROWS] for start in range(0, len(ids), ROWS))
