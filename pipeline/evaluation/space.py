"""Images of an embedding, and what it loses with fewer dimensions: document 002's experiments 1 to 3, seeded.

A map in two dimensions keeps some neighbourhoods and no distances: how large a cluster is, how far two lie apart and
whether they touch mean nothing in t-SNE or UMAP. Numbers come from the embedding itself (`separation`).
"""

import os
import warnings

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from pipeline import files, params, paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import protocols
from pipeline.evaluation.metrics import AP
from pipeline.evaluation.names import QUERY
from pipeline.evaluation.separation import by_clusters, labels_in, separation
from pipeline.retrieval.distances import cosine
from pipeline.vectors import unit

ENOUGH = 0.9  # of the variance: what document 002 says is enough
LABELS = ["articleType", "masterCategory"]
MAPS = ["pca", "tsne", "umap"]


def run(study: params.Study, encoder: str) -> None:
    """The stage: measures one encoder's features."""
    data = study.data.name
    measure(data, encoder, store.read(paths.features(data, encoder)), catalog.load(data), study.embedding_space)


@threadpool_limits.wrap(limits=1)  # sums over several threads, and so their last bits, depend on how many there are
def measure(data: str, encoder: str, features: FeatureSet, frame: pd.DataFrame, run: params.EmbeddingSpace) -> None:
    """Writes what is measured (`measures.json`, `pca.parquet`) and drawn (`map.parquet`, `edges.parquet`).

    `absent` in `measures.json` names the labels that the pictures have fewer than two of: nothing lies apart by these.

    Raises:
        ValueError: features of other images, or no test part. Before any work.
    """
    protocols.check_same_images(features, frame)
    rows = catalog.draw_apart(catalog.rows_of(frame, catalog.TEST), run.pictures, run.seed)
    vectors = features.vectors[rows]
    labels = {label: catalog.label_codes(frame, label)[rows] for label in LABELS}
    told_apart = {label: codes for label, codes in labels.items() if labels_in(codes) >= 2}
    absent = [label for label in LABELS if label not in told_apart]
    separations = {label: separation(vectors, codes, run.seed) for label, codes in told_apart.items()}
    curve, variance = components(features, frame, run)
    pca = {"dimension": features.vectors.shape[1], "enough": ENOUGH, "variance": variance}
    drawn, edges = maps(vectors, run, encoder in run.umap_encoders)
    with files.whole_folder(paths.embedding_space(data, encoder)) as folder:
        files.write_parquet(folder / "map.parquet", drawn.assign(row=rows))
        files.write_parquet(folder / "edges.parquet", edges)
        files.write_parquet(folder / "pca.parquet", curve)
        told = {"separation": separations, "absent": absent, "pca": pca, "maps": distances_kept(vectors, drawn)}
        told["clusters"] = {str(count): value for count, value in by_clusters(vectors, run.seed).items()}
        files.write_json(folder / "measures.json", told)


def components(
    features: FeatureSet, frame: pd.DataFrame, run: params.EmbeddingSpace
) -> tuple[pd.DataFrame, dict[str, float]]:
    """AP of seeded test queries with 1, 2, … principal components, and the share of variance that each count keeps.

    PCA is fitted on the train part; it takes the mean from the features, which alone changes their cosines, and turns
    them. `components` 0 stands for the features as they are, their own dimension for all of them with nothing but the
    mean taken off: between these two lies what centring does, between the second and fewer components what they lose.
    The count that keeps 90 % of the variance is always among them.
    """
    train = catalog.rows_of(frame, catalog.TRAIN)
    rows = catalog.draw_apart(catalog.rows_of(frame, catalog.TEST), run.pca_queries, run.seed)
    pca = PCA(svd_solver="covariance_eigh").fit(features.vectors[train])
    kept = np.cumsum(pca.explained_variance_ratio_)
    dimension, most = features.vectors.shape[1], min(len(kept), len(train) - 1)
    enough = int(np.searchsorted(kept, ENOUGH)) + 1
    counts = sorted({*(count for count in run.components if count < most), min(enough, most)} - {dimension})
    projected = pca.transform(features.vectors).astype(np.float32)
    tables = []
    for count in [0, *counts, dimension]:
        whole = features.vectors if count == 0 else features.vectors - pca.mean_.astype(np.float32)
        vectors = whole if count in (0, dimension) else np.ascontiguousarray(projected[:, :count])
        gallery = FeatureSet(features.ids, vectors, f"{features.encoder_id}, {count} components")
        values = protocols.precisions(gallery.take(rows), gallery, frame, rows, LABELS[:1])[LABELS[0]]
        tables.append(pd.DataFrame({"components": count, QUERY: rows.astype(np.int32), AP: values}))
    shares = {str(count): float(kept[count - 1]) for count in counts}
    return pd.concat(tables, ignore_index=True), {**shares, str(dimension): 1.0}


def distances_kept(vectors: np.ndarray, drawn: pd.DataFrame) -> dict[str, float]:
    """By map, the rank correlation of its distances with the cosine distances of the vectors, over all pairs.

    1 where the order of all distances is kept (Spearman's). Document 002 says that UMAP preserves pairwise distances.
    """
    distances = cosine(vectors, vectors)
    np.fill_diagonal(distances, 0)
    pairs = squareform(distances, checks=False)
    there = [kind for kind in MAPS if f"{kind}_x" in drawn]
    flat = {kind: pdist(drawn[[f"{kind}_x", f"{kind}_y"]].to_numpy(float)) for kind in there}
    return {kind: float(spearmanr(pairs, away).statistic) for kind, away in flat.items()}


def maps(vectors: np.ndarray, run: params.EmbeddingSpace, with_umap: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """PCA, t-SNE and UMAP of vectors (N, D): coordinates, a row per vector, and the edges of UMAP's connectivity graph.

    An edge joins two of an image's nearest neighbours, weighted from 0 to 1. All maps see cosine distances only.
    """
    distances = cosine(vectors, vectors)
    np.fill_diagonal(distances, 0)
    few = max(2, len(vectors) - 1)
    near = TSNE(perplexity=min(run.perplexity, few / 3), metric="precomputed", init="random", random_state=run.seed)
    spread = near.fit_transform(distances)
    across = PCA(min(2, *vectors.shape), svd_solver="covariance_eigh").fit_transform(unit(vectors.astype(float)))
    second = across[:, 1] if across.shape[1] > 1 else np.zeros(len(across))
    drawn = pd.DataFrame({"pca_x": across[:, 0], "pca_y": second, "tsne_x": spread[:, 0], "tsne_y": spread[:, 1]})
    if not with_umap:
        return drawn.astype(np.float32), pd.DataFrame({"from": [], "to": [], "weight": []})
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # umap-learn loads TensorFlow where it finds it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that a seed makes it run on one thread: that is wanted
        import umap  # here, because it takes seconds

        layout = umap.UMAP(n_neighbors=min(run.umap_neighbours, few), metric="precomputed", random_state=run.seed)
        flat = layout.fit_transform(distances)
    graph = layout.graph_.tocoo()
    once = graph.row < graph.col
    edges = pd.DataFrame({"from": graph.row[once], "to": graph.col[once], "weight": graph.data[once]})
    drawn = drawn.assign(umap_x=flat[:, 0], umap_y=flat[:, 1]).astype(np.float32)
    return drawn, edges.sort_values(["from", "to"], ignore_index=True)
