"""The protocols against loops over a small catalogue with copies, singletons, blanks and ties."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import protocols, study

EVALUATION = params.Evaluation(
    relevances=["articleType", "gender+articleType", "product"], cutoffs=[1, 3], galleries=["all", "test"], thesis_size=12,
    worst_classes=3, seed=0,
)  # fmt: skip


@pytest.fixture
def world(rng):
    """30 pictures: coarse vectors (many ties), two copies, one singleton type, blank labels and names."""
    count = 30
    frame = pd.DataFrame({
        catalog.ID: [str(number) for number in range(count)],
        catalog.GENDER: rng.choice(["Men", "Women"], count),
        catalog.ARTICLE: rng.choice(["Shirts", "Ties", "Caps"], count),
        catalog.PRODUCT: [f"product {number // 2}" for number in range(count)],
        catalog.SHA256: [f"{number}" for number in range(count)],
        catalog.SPLIT: [catalog.TEST if number % 3 == 0 else catalog.TRAIN for number in range(count)],
    }).astype({catalog.GENDER: "str", catalog.ARTICLE: "str", catalog.PRODUCT: "str"})  # fmt: skip
    frame.loc[1, catalog.SHA256] = frame.loc[0, catalog.SHA256]
    frame.loc[9, catalog.SHA256] = frame.loc[6, catalog.SHA256]
    frame.loc[12, catalog.ARTICLE] = "Umbrellas"
    frame.loc[15, [catalog.GENDER, catalog.PRODUCT]] = None
    vectors = rng.integers(0, 3, (count, 3)).astype(np.float32)
    return frame, FeatureSet(frame[catalog.ID].to_numpy(object), vectors, "encoder:1")


def label(row, relevance):
    columns = [catalog.PRODUCT] if relevance == "product" else relevance.split("+")
    values = tuple(row[column] for column in columns)
    return None if any(pd.isna(value) for value in values) else values


def slow_strict(frame, features, gallery, relevance):
    """query id → (relevant, AP, hit@1), by the definition: copies out, ties in order of ids."""
    exact = cdist(features.vectors, features.vectors, "cityblock")
    found = {}
    for q, asking in frame.iterrows():
        if asking[catalog.SPLIT] != catalog.TEST:
            continue
        others = [
            g for g, item in frame.iterrows()
            if item[catalog.SHA256] != asking[catalog.SHA256] and (gallery == "all" or item[catalog.SPLIT] == catalog.TEST)
        ]  # fmt: skip
        others.sort(key=lambda g, q=q: (exact[q, g], g))
        wanted = label(asking, relevance)
        hits = [wanted is not None and label(frame.loc[g], relevance) == wanted for g in others]
        precisions = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
        found[asking[catalog.ID]] = (sum(hits), np.mean(precisions) if precisions else np.nan, float(hits[0]))
    return found


@pytest.mark.parametrize("gallery", ["all", "test"])
@pytest.mark.parametrize("relevance", EVALUATION.relevances)
def test_strict_scores_equal_the_definition(world, gallery, relevance):
    frame, features = world
    scores = protocols.strict(features, frame, "manhattan", EVALUATION)
    mine = study.pick(scores, gallery=gallery, relevance=relevance).set_index("query")
    expected = slow_strict(frame, features, gallery, relevance)
    assert set(mine.index) == set(expected)
    for query, (relevant, ap, hit) in expected.items():
        assert mine.loc[query, "relevant"] == relevant
        if relevant:
            assert mine.loc[query, "AP"] == pytest.approx(ap, abs=1e-12)
            assert mine.loc[query, "hit@1"] == hit
        else:
            assert np.isnan(mine.loc[query, "AP"])


def test_the_summary_leaves_out_and_counts_queries_with_nothing_to_find(world):
    frame, features = world
    scores = protocols.strict(features, frame, "manhattan", EVALUATION)
    row = study.pick(protocols.summarise(scores), gallery="all", relevance="articleType", metric="mAP").iloc[0]
    expected = [ap for relevant, ap, _ in slow_strict(frame, features, "all", "articleType").values() if relevant]
    assert row["value"] == pytest.approx(np.mean(expected))
    assert (row["queries"], row["left_out"]) == (len(expected), 10 - len(expected))
    assert row["left_out"] == 1


def test_macro_weighs_each_label_the_same(world):
    frame, features = world
    scores = protocols.strict(features, frame, "cosine", EVALUATION)
    one = study.pick(scores, gallery="all", relevance="articleType")
    row = study.pick(protocols.summarise(scores), gallery="all", relevance="articleType", metric="macro mAP").iloc[0]
    assert row["value"] == pytest.approx(one[one["relevant"] > 0].groupby("label")["AP"].mean().mean())


def test_removed_counts_the_query_and_its_copies(world):
    frame, features = world
    scores = protocols.strict(features, frame, "cosine", EVALUATION)
    assert protocols.removed(scores) == {
        "all": {"the query itself": 10, "copies of it": 3},
        "test": {"the query itself": 10, "copies of it": 2},
    }


def test_under_the_thesis_protocol_every_query_finds_itself(world):
    frame, features = world
    distinct = FeatureSet(features.ids, features.vectors + np.arange(30, dtype="f4")[:, None] * 10, features.encoder_id)
    summary = protocols.summarise(protocols.thesis(distinct, frame, "euclidean", EVALUATION))
    assert study.pick(summary, metric="hit@1", relevance="articleType")["value"].tolist() == [1.0]
    assert summary["queries"].max() == 12


def test_scores_do_not_depend_on_the_order_of_the_gallery_when_nothing_ties(world, rng):
    frame, features = world
    vectors = rng.normal(size=features.vectors.shape).astype("f4")
    features = FeatureSet(features.ids, vectors, "encoder:1")
    order = rng.permutation(len(frame))
    shuffled = FeatureSet(features.ids[order], features.vectors[order], "encoder:1")
    first = protocols.summarise(protocols.strict(features, frame, "cosine", EVALUATION))
    second = protocols.summarise(
        protocols.strict(shuffled, frame.iloc[order].reset_index(drop=True), "cosine", EVALUATION)
    )
    assert first["value"].to_numpy() == pytest.approx(second["value"].to_numpy(), abs=1e-12, nan_ok=True)


def test_features_of_other_pictures_are_refused(world):
    frame, features = world
    with pytest.raises(ValueError, match="different pictures"):
        protocols.strict(features.take(np.arange(29)), frame, "cosine", EVALUATION)


def test_no_test_part_is_an_error(world):
    frame, features = world
    with pytest.raises(ValueError, match="no test part"):
        protocols.strict(features, frame.assign(**{catalog.SPLIT: catalog.TRAIN}), "cosine", EVALUATION)
