"""What an embedding keeps with fewer dimensions, and its maps: one tiny case, measured once."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import average_precision_score, silhouette_score

from pipeline import files, params, paths
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import protocols, scoring, separation, space, space_tables, tables

pytestmark = pytest.mark.xdist_group("space")  # what is measured once takes longest

SPACE = params.EmbeddingSpace(
    pictures=20,
    perplexity=30,
    umap_neighbours=4,
    encoders=[],
    umap_encoders=["drawn"],
    components=[1, 3, 500],
    pca_queries=6,
    seed=0,
)


def drawn_rows(frame, count, seed):
    """What is measured: some test pictures, drawn by the seed."""
    return catalog.draw_apart(np.flatnonzero(frame[catalog.SPLIT] == catalog.TEST), count, seed)


@pytest.fixture(scope="module")
def place(world, tmp_path_factory):
    """The catalogue's pictures in six dimensions of falling variance, and what was written about them."""
    frame, _ = world
    rng = np.random.default_rng(4)
    vectors = (rng.normal(size=(30, 6)) * [8, 4, 2, 1, 0.5, 0.2] + 1).astype(np.float32)
    features = FeatureSet(frame[catalog.ID].to_numpy(object), vectors, "encoder:1")
    root = tmp_path_factory.mktemp("space")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", root)
        space.measure("sample", "drawn", features, frame, SPACE)
        folder = paths.embedding_space("sample", "drawn")
    return frame, features, folder


def test_a_run_writes_whole_files(place):
    _, _, folder = place
    assert {path.name for path in folder.iterdir()} == {"map.parquet", "edges.parquet", "pca.parquet", "measures.json"}


def test_the_separation_is_that_of_the_chosen_test_pictures(place):
    frame, features, folder = place
    found = json.loads((folder / "measures.json").read_text(encoding="utf-8"))["separation"]
    rows = drawn_rows(frame, SPACE.pictures, SPACE.seed)
    for label in ("articleType", "masterCategory"):
        codes = catalog.label_codes(frame, label)[rows]
        expected = separation.separation(features.vectors[rows], codes, SPACE.seed)
        for name, value in expected.items():
            assert found[label][name] == pytest.approx(value, nan_ok=True)


def test_the_number_of_clusters_with_the_highest_silhouette_is_that_of_the_groups(rng):
    centres = rng.normal(size=(5, 8)) * 10
    vectors = (centres[np.arange(60) % 5] + rng.normal(size=(60, 8))).astype(np.float32)
    found = separation.by_clusters(vectors, 0)
    assert list(found) == list(range(2, 21))
    assert max(found, key=found.get) == 5
    clusters = KMeans(7, n_init=separation.STARTS, random_state=0).fit_predict(vectors)
    assert found[7] == pytest.approx(silhouette_score(vectors, clusters), abs=1e-6)


@pytest.mark.parametrize(("vectors", "counts"), [(np.eye(4), [2, 3]), (np.ones((6, 2)), []), (np.eye(2), [])])
def test_numbers_of_clusters_that_there_are_not_are_left_out(vectors, counts):
    assert list(separation.by_clusters(vectors.astype(np.float32), 0)) == counts


def test_clusters_are_of_the_chosen_test_pictures(place):
    frame, features, folder = place
    found = json.loads((folder / "measures.json").read_text(encoding="utf-8"))["clusters"]
    vectors = features.vectors[drawn_rows(frame, SPACE.pictures, SPACE.seed)]
    assert found == {str(count): value for count, value in separation.by_clusters(vectors, SPACE.seed).items()}


def slow_components(features, frame):
    """Eigenvectors of the train part's covariance, largest first: the share of variance kept, and all pictures."""
    train = features.vectors[(frame[catalog.SPLIT] == catalog.TRAIN).to_numpy()].astype(float)
    variances, axes = np.linalg.eigh(np.cov(train.T))
    kept = np.cumsum(variances[::-1]) / variances.sum()
    return kept, (features.vectors - train.mean(axis=0)) @ axes[:, ::-1]


def test_the_variance_kept_is_that_of_the_train_part(place):
    frame, features, folder = place
    measured = json.loads((folder / "measures.json").read_text(encoding="utf-8"))["pca"]
    kept, _ = slow_components(features, frame)
    enough = min(count for count in range(1, 7) if kept[count - 1] >= 0.9)
    assert (measured["dimension"], measured["enough"]) == (6, 0.9)
    assert measured["variance"] == pytest.approx({str(count): kept[count - 1] for count in {1, 3, enough, 6}}, abs=1e-6)


def test_average_precision_with_few_components_equals_scikit_learns(place):
    frame, features, folder = place
    curve = pd.read_parquet(folder / "pca.parquet")
    _, projected = slow_components(features, frame)
    for count, rows in curve.groupby("components"):
        vectors = features.vectors.astype(float) if count == 0 else projected[:, :count]
        distances = np.round(cdist(vectors, vectors, "cosine"), 6)  # one component: two distances, and ties
        assert len(rows) == SPACE.pca_queries
        for _, row in rows.iterrows():
            q = int(row["query"])
            others = (frame[catalog.SHA256] != frame.loc[q, catalog.SHA256]).to_numpy()
            right = (frame[catalog.ARTICLE] == frame.loc[q, catalog.ARTICLE]).fillna(False).to_numpy(bool)[others]
            order = np.argsort(distances[q, others], kind="stable")
            if right.any():
                expected = average_precision_score(right[order], -np.arange(len(order)))
                assert row["AP"] == pytest.approx(expected, abs=1e-9), (count, q)
            else:
                assert np.isnan(row["AP"])


def test_all_components_are_the_features_less_the_mean_of_the_train_part(place):
    """Turning changes no cosine and taking the mean off does: the two must be told apart."""
    frame, features, folder = place
    curve = pd.read_parquet(folder / "pca.parquet").pivot(index="query", columns="components", values="AP")
    train = (frame[catalog.SPLIT] == catalog.TRAIN).to_numpy()
    centred = FeatureSet(features.ids, features.vectors - features.vectors[train].mean(axis=0), "centred")
    rows = curve.index.to_numpy()
    expected = protocols.precisions(centred.take(rows), centred, frame, rows, ["articleType"])["articleType"]
    np.testing.assert_array_equal(curve[6], expected)
    assert (curve[6] != curve[0]).any()


def test_with_fewer_train_pictures_than_dimensions_all_still_means_all(world, tmp_path, monkeypatch, rng):
    frame, _ = world
    vectors = (rng.normal(size=(30, 40)) + 1).astype(np.float32)
    features = FeatureSet(frame[catalog.ID].to_numpy(object), vectors, "encoder:1")
    curve, variance = space.components(features, frame, SPACE)
    assert curve["components"].max() == 40
    assert variance["40"] == 1
    assert all(int(count) < 20 for count in variance if count != "40")


@pytest.mark.parametrize(
    "given",
    [{}, {catalog.MASTER: "Apparel"}, {catalog.MASTER: None}, {catalog.MASTER: None, catalog.ARTICLE: None}],
    ids=["all", "one", "none", "neither"],
)
def test_labels_that_the_catalogue_lacks_are_absent_by_name(given, world, tmp_path, monkeypatch):
    """A gallery in document 003's form and Products-10k know no masterCategory."""
    frame, features = world[0].assign(**given), world[1]
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    space.measure("sample", "drawn", features, frame, SPACE)
    measures = json.loads((paths.embedding_space("sample", "drawn") / "measures.json").read_text(encoding="utf-8"))
    missing = [label for label in space.LABELS if label in given]
    assert measures["absent"] == missing == space_tables.absent("sample", ["drawn"])
    measured = space_tables.separations("sample", ["drawn"])
    assert set(measures["separation"]) == set(measured.table["label"]) == set(space.LABELS) - set(missing)
    by_label = {key.split("/")[2] for key in measured.values} - {"map", "clusters"}
    assert by_label == set(space.LABELS) - set(missing)
    drawn = space_tables.map_points("sample", "drawn", "tsne", frame, catalog.MASTER)
    assert len(drawn) == 10


def test_features_as_they_are_have_the_strict_protocols_scores(place, run):
    frame, features, folder = place
    curve = pd.read_parquet(folder / "pca.parquet")
    whole = curve[curve["components"] == 0].set_index("query")["AP"]
    scores = scoring.evaluate(features, frame, "cosine", run).scores
    strict = tables.pick(scores, protocol="strict", gallery="all", relevance="articleType")
    np.testing.assert_array_equal(whole, strict.set_index("query").loc[whole.index, "AP"])


def test_a_run_that_fails_as_it_writes_leaves_nothing(place, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    frame, features, _ = place
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(files, "write_json", full)
    with pytest.raises(OSError, match="no space left"):
        space.measure("sample", "drawn", features, frame, SPACE)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_maps_have_a_finite_place_per_picture(place):
    frame, _, folder = place
    drawn = pd.read_parquet(folder / "map.parquet")
    assert drawn["row"].tolist() == drawn_rows(frame, SPACE.pictures, SPACE.seed).tolist()
    places = drawn[["pca_x", "pca_y", "tsne_x", "tsne_y", "umap_x", "umap_y"]]
    assert (places.dtypes == np.float32).all()
    assert np.isfinite(places).all(axis=None)
    assert not places.round(3).duplicated().any()


def test_the_first_map_is_the_two_widest_directions_of_vectors_of_length_1(place):
    frame, features, folder = place
    rows = drawn_rows(frame, SPACE.pictures, SPACE.seed)
    vectors = features.vectors[rows] / np.linalg.norm(features.vectors[rows], axis=1, keepdims=True)
    left, sizes, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    drawn = pd.read_parquet(folder / "map.parquet")
    for column, place_ in (("pca_x", 0), ("pca_y", 1)):
        assert np.abs(drawn[column]).tolist() == pytest.approx(
            np.abs(left[:, place_] * sizes[place_]).tolist(), abs=1e-4
        )


def test_a_map_keeps_the_order_of_distances_or_not(place, rng):
    _, _, folder = place
    angles = np.linspace(0, 1, 9)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    line = pd.DataFrame({"pca_x": angles, "pca_y": 0.0, "tsne_x": angles[::-1] ** 2, "tsne_y": 0.0})
    kept = space.distances_kept(vectors, line)
    assert kept["pca"] == pytest.approx(1, abs=0.02)  # in float32 equal steps tie by chance
    assert 0.3 < kept["tsne"] < 0.95
    assert set(kept) == {"pca", "tsne"}
    told = json.loads((folder / "measures.json").read_text(encoding="utf-8"))["maps"]
    assert set(told) == set(space.MAPS)
    assert all(-1 <= value <= 1 for value in told.values())


def test_edges_join_neighbours_once_with_a_weight_up_to_1(place):
    _, _, folder = place
    edges = pd.read_parquet(folder / "edges.parquet")
    assert len(edges)
    assert (edges["from"] < edges["to"]).all()
    assert not edges.duplicated(["from", "to"]).any()
    assert edges["to"].max() < 10
    assert ((edges["weight"] > 0) & (edges["weight"] <= 1)).all()
    assert set(edges["from"]) | set(edges["to"]) == set(range(10))


def test_without_umap_the_same_seed_gives_the_same_tsne_and_no_edges(place):
    frame, features, folder = place
    rows = drawn_rows(frame, SPACE.pictures, SPACE.seed)
    drawn, edges = space.maps(features.vectors[rows], SPACE, with_umap=False)
    written = pd.read_parquet(folder / "map.parquet")
    pd.testing.assert_frame_equal(drawn, written[["pca_x", "pca_y", "tsne_x", "tsne_y"]], check_exact=True)
    assert edges.empty


def test_features_of_other_pictures_are_refused_before_anything_is_written(place, tmp_path, monkeypatch):
    frame, features, _ = place
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="different pictures"):
        space.measure("sample", "drawn", features.take(np.arange(29)), frame, SPACE)
    assert not list(tmp_path.iterdir())
