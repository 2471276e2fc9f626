"""What chapter 5 makes of thresholds, separation, components and mistakes, and the keys that claims name."""

import numpy as np
import pandas as pd
import pytest

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.evaluation import keys, measurements, mistakes, protocols, space, study, tables

SPACE = params.EmbeddingSpace(
    pictures=30,
    perplexity=3.0,
    umap_neighbours=3,
    encoders=[],
    umap_encoders=[],
    components=[1, 2],
    pca_queries=10,
    seed=0,
)


@pytest.fixture(scope="module")
def place(world, run, tmp_path_factory):
    """A folder with one retrieval's scores, distances and neighbours, and what was measured of its encoder."""
    frame, features = world
    root = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", root)
        judged = protocols.evaluate(features, frame, "euclidean", run)
        for path, table in (
            (paths.scores("sample", "it"), judged.scores),
            (paths.distances("sample", "it"), judged.distances),
            (paths.neighbours("sample", "it"), judged.neighbours.frame()),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            table.to_parquet(path, index=False)
        space.measure("sample", "encoder", features, frame, SPACE)
    return root


@pytest.fixture(autouse=True)
def here(place, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", place)


def pairs(world):
    """Distance and rightness of every pair of a test query and another picture, as the definition has it."""
    frame, features = world
    codes, copies = catalog.label_codes(frame, "articleType"), catalog.duplicates(frame)
    for query in np.flatnonzero(frame[catalog.SPLIT] == catalog.TEST):
        for item in range(len(frame)):
            if copies[item] != copies[query]:
                distance = float(np.linalg.norm(features.vectors[query] - features.vectors[item]))
                yield distance, bool(codes[query] >= 0 and codes[item] == codes[query])


def test_a_given_threshold_counts_the_pairs_below_it(world):
    wanted = ["threshold/it/1.5/precision", "threshold/it/1.5/recall", "threshold/other/1/recall", "data/rows"]
    values = measurements.threshold_family("sample", ["it"], wanted).values
    below = [right for distance, right in pairs(world) if distance < 1.5]
    everything = [right for _, right in pairs(world)]
    assert values["threshold/it/1.5/precision"] == pytest.approx(np.mean(below))
    assert values["threshold/it/1.5/recall"] == pytest.approx(sum(below) / sum(everything))
    assert not any(key.startswith("threshold/other") for key in values)


def test_the_median_distance_of_two_pictures_is_a_step_above_the_true_one(world):
    values = measurements.threshold_family("sample", ["it"], []).values
    true = np.median([distance for distance, _ in pairs(world)])
    assert true <= values["threshold/it/pairs/median"] <= true + 0.01


def test_right_per_query_is_right_matches_over_queries(world):
    wanted = ["threshold/it/1.5/right per query", "threshold/it/best/F1", "threshold/it/pairs/median"]
    found = measurements.threshold_family("sample", ["it"], wanted).values
    frame, _ = world
    scores = pd.read_parquet(paths.scores("sample", "it"))
    queries = np.isfinite(scores[protocols.FIRST_MISS]).sum()
    right = sum(right for distance, right in pairs(world) if distance < 1.5)
    assert found["threshold/it/1.5/right per query"] == pytest.approx(right / queries)


def test_what_one_pictures_threshold_loses_is_the_difference_of_two_f1():
    measured = measurements.threshold_family("sample", ["it"], [])
    values, row = measured.values, measured.table.iloc[0]
    assert values["threshold/it/one picture/F1 lost"] == pytest.approx(row["F1"] - row["one picture, F1"])


def test_curves_rise_in_recall_and_mark_the_chosen_threshold_once_per_part():
    curves = measurements.threshold_curves("sample", ["it"], points=50)
    for _, rows in curves.groupby("part"):
        assert rows["recall"].is_monotonic_increasing
        assert rows["best"].sum() == 1
    chosen = curves[curves["best"]]["threshold"].unique()
    assert chosen == pytest.approx(measurements.threshold_family("sample", ["it"], []).table["threshold"])


def test_separation_is_told_by_key():
    measured = measurements.separation_family("sample", ["encoder"])
    values = measured.values
    assert set(measured.table["label"]) == set(space.LABELS)
    ratio = values["space/encoder/articleType/inter"] / values["space/encoder/articleType/intra"]
    assert values["space/encoder/articleType/ratio"] == pytest.approx(ratio)


def test_components_go_by_their_names_and_their_counts():
    measured = measurements.component_family("sample", ["encoder"], np.arange(30), 200, 0)
    table, values = measured.table, measured.values
    assert set(measured.resampled) == {key for key in values if key.endswith("/mAP")}
    at = table.set_index("components")
    enough = values["pca/encoder/90 percent/components"]
    assert at.loc[enough, "variance"] >= 0.9
    assert values["pca/encoder/90 percent/mAP"] == at.loc[enough, "mAP"]
    assert values["pca/encoder/as extracted/mAP"] == at.loc[0, "mAP"]
    assert values["pca/encoder/all/mAP"] == at.loc[3, "mAP"]
    assert ((at["low"] <= at["mAP"]) & (at["mAP"] <= at["high"])).all()


def test_every_type_has_its_mean_beside_its_size_and_chance(world):
    names = catalog.label_names(world[0], "articleType")
    table = measurements.class_table("sample", ["it"], names).set_index("label")
    scores = study.scores("sample", "it", protocol="strict", gallery="all", relevance="articleType")
    answered = scores[scores["relevant"] > 0]
    assert table["queries"].sum() == len(answered)
    for label, rows in answered.groupby(names[answered["query"]]):
        assert table.loc[label, "it"] == pytest.approx(rows["AP"].mean())
        assert table.loc[label, "relevant"] == pytest.approx(rows["relevant"].mean())
        assert 0 < table.loc[label, "chance"] < 1


def test_mistakes_add_up_to_everything(world):
    measured = measurements.mistake_family("sample", ["it"], world[0], 5)
    assert measured.table[mistakes.KINDS].sum(axis=1).iloc[0] == pytest.approx(1)
    assert set(measured.values) == {f"mistakes/it/{kind}" for kind in mistakes.KINDS}


def test_every_key_of_a_family_is_one_that_its_patterns_make(world):
    names = {"retrievals": ["it"], "encoders": ["encoder"]}
    families = {
        "space": measurements.separation_family("sample", ["encoder"]),
        "pca": measurements.component_family("sample", ["encoder"], np.arange(30), 200, 0),
        "threshold": measurements.threshold_family("sample", ["it"], ["threshold/it/1.5/precision"]),
        "mistakes": measurements.mistake_family("sample", ["it"], world[0], 5),
    }
    assert list(families) == list(measurements.KEYS)
    for family, measured in families.items():
        faults = [keys.fault(key, measurements.KEYS[family], names) for key in measured.values]
        assert faults == [""] * len(measured.values)


def test_a_map_has_a_label_per_point_and_only_the_commonest_where_asked(world):
    every = measurements.map_table("sample", "encoder", "tsne", world[0], catalog.ARTICLE)
    few = measurements.map_table("sample", "encoder", "tsne", world[0], catalog.ARTICLE, 2)
    assert len(every) == (world[0][catalog.SPLIT] == catalog.TEST).sum()
    assert few["label"].nunique() == 2
    assert measurements.map_table("sample", "encoder", "umap", world[0], catalog.ARTICLE).empty


@pytest.mark.parametrize(
    ("path", "work", "stage"),
    [
        (lambda: paths.scores("sample", "it"), lambda: study.scores("sample", "it"), "knn_retrieval@it"),
        (
            lambda: paths.distances("sample", "it"),
            lambda: measurements.threshold_family("sample", ["it"], []),
            "knn_retrieval@it",
        ),
        (
            lambda: paths.embedding_space("sample", "encoder") / "measures.json",
            lambda: measurements.separation_family("sample", ["encoder"]),
            "embedding_space@encoder",
        ),
    ],
)
def test_a_damaged_or_missing_file_is_named_with_the_stage_that_makes_it(path, work, stage):
    whole = path().read_bytes()
    try:
        for data in (whole[: len(whole) // 2], b"", None):
            path().unlink()
            if data is not None:
                path().write_bytes(data)
            with pytest.raises(tables.TableError, match=f"{path().name}.*dvc repro -f -s {stage}"):
                work()
            path().touch()
    finally:
        path().write_bytes(whole)
