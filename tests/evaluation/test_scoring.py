"""Scores under every protocol against loops over a small catalogue with copies, singletons, blanks and ties."""

import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import protocols, scoring, tables, thresholds
from pipeline.retrieval import ranking

AT = [f"{kind}@{k}" for kind in ("hit", "recall", "precision", "F1") for k in (1, 3)]
METRICS = ["size", "relevant", "AP", "AP@1000", *AT]


def label(row, relevance):
    columns = [catalog.PRODUCT] if relevance == "product" else relevance.split("+")
    values = tuple(row[column] for column in columns)
    return None if any(pd.isna(value) for value in values) else values


def same_bytes(asking, item):
    return asking[catalog.SHA256] == item[catalog.SHA256]


def same_product(asking, item):
    return label(asking, "product") is not None and label(asking, "product") == label(item, "product")


def is_test(row):
    return row[catalog.SPLIT] == catalog.TEST


def in_even_year(row):
    return pd.notna(row[catalog.YEAR]) and row[catalog.YEAR] % 2 == 0


def in_odd_year(row):
    return pd.notna(row[catalog.YEAR]) and row[catalog.YEAR] % 2 == 1


def slow(frame, features, relevance, asks, answers):
    """query → its scores, by the definition: nearest first, ties in the catalogue's order.

    `asks` says of a row whether it is a query, `answers` of a query's row and another's whether the other may be found.
    """
    exact = cdist(features.vectors, features.vectors, "cityblock")
    found = {}
    for q, asking in frame.iterrows():
        if not asks(asking):
            continue
        others = [g for g, item in frame.iterrows() if answers(asking, item)]
        others.sort(key=lambda g, q=q: (exact[q, g], g))
        wanted = label(asking, relevance)
        hits = [wanted is not None and label(frame.loc[g], relevance) == wanted for g in others]
        total = sum(hits)
        scores = {"size": len(others), "relevant": total}
        precisions = [sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit]
        scores["AP"] = scores["AP@1000"] = sum(precisions) / total if total else np.nan
        for k in (1, 3):
            first = sum(hits[:k])
            scores[f"hit@{k}"] = float(first > 0) if total else np.nan
            scores[f"recall@{k}"] = first / total if total else np.nan
            scores[f"precision@{k}"] = first / k if total else np.nan
            scores[f"F1@{k}"] = 2 * first / (k + total) if total else np.nan
        found[q] = scores
    return found


def assert_equal(mine, expected):
    assert mine["query"].tolist() == list(expected)
    for _, row in mine.iterrows():
        wanted = expected[row["query"]]
        assert {name: row[name] for name in METRICS} == pytest.approx(wanted, abs=1e-12, nan_ok=True), row["query"]


@pytest.fixture(scope="module")
def judged(world, run):
    frame, features = world
    return scoring.evaluate(features, frame, "manhattan", run)


# --- strict ---


@pytest.mark.parametrize("gallery", ["all", "test"])
@pytest.mark.parametrize("relevance", ["articleType", "gender+articleType", "product"])
def test_strict_scores_equal_the_definition(world, judged, gallery, relevance):
    def answers(asking, item):
        return not same_bytes(asking, item) and (gallery == "all" or is_test(item))

    expected = slow(*world, relevance, is_test, answers)
    assert_equal(tables.pick(judged.scores, protocol="strict", gallery=gallery, relevance=relevance), expected)


@pytest.mark.parametrize("seed", range(4))
def test_strict_scores_equal_the_definition_whatever_the_vectors_and_labels(world, run, seed):
    frame, features = world
    rng = np.random.default_rng(seed)
    shuffled = (catalog.ARTICLE, catalog.SHA256, catalog.SPLIT)
    frame = frame.assign(**{column: rng.permutation(frame[column].to_numpy()) for column in shuffled})
    vectors = rng.integers(0, 2, features.vectors.shape).astype(np.float32)
    features = FeatureSet(features.ids, vectors, "encoder:1")
    expected = slow(frame, features, "articleType", is_test, lambda asking, item: not same_bytes(asking, item))
    scores = scoring.evaluate(features, frame, "manhattan", run).scores
    assert_equal(tables.pick(scores, protocol="strict", gallery="all", relevance="articleType"), expected)


def test_a_query_with_nothing_to_find_has_no_score_and_stays_in_the_table(world, judged):
    rows = tables.pick(judged.scores, protocol="strict", gallery="all", relevance="articleType").set_index("query")
    assert rows.index[rows["AP"].isna()].tolist() == [12, 18]  # the only one of its type, and one without a type
    assert (rows["relevant"] == 0).tolist() == rows["AP"].isna().tolist() == rows["hit@1"].isna().tolist()


def test_what_was_removed_is_counted(judged):
    strict = tables.pick(judged.scores, protocol="strict", relevance="articleType")
    removed = strict.set_index(["gallery", "query"])["copies"]
    assert removed["all"].to_dict() == {0: 2, 3: 1, 6: 2, 9: 2, **dict.fromkeys(range(12, 30, 3), 1)}
    assert removed["test"].to_dict() == {0: 1, 3: 1, 6: 2, 9: 2, **dict.fromkeys(range(12, 30, 3), 1)}


# --- its variants ---


def test_copies_left_in_removes_the_query_and_nothing_else(world, judged):
    expected = slow(*world, "articleType", is_test, lambda asking, item: asking[catalog.ID] != item[catalog.ID])
    assert_equal(tables.pick(judged.scores, protocol="strict, copies left in"), expected)
    assert {row["size"] for row in expected.values()} == {29}


def whole_product_out(asking, item):
    return not same_product(asking, item) and not same_bytes(asking, item)


def test_whole_product_out_removes_every_picture_of_the_querys_product_and_every_copy(world, judged):
    expected = slow(*world, "articleType", is_test, whole_product_out)
    assert_equal(tables.pick(judged.scores, protocol="strict, whole product out"), expected)
    sizes = {query: row["size"] for query, row in expected.items()}
    assert (sizes[3], sizes[6], sizes[9]) == (28, 27, 27)  # 6 and 9 are copies of each other, of two products
    assert sizes[15] == 29  # without a name it is a product of its own, though 16 has no name either


@pytest.mark.parametrize("gallery", ["even years", "all"])
def test_temporal_asks_with_odd_years_and_finds_even_ones(world, judged, gallery):
    def asks(row):
        return is_test(row) and in_odd_year(row)

    def answers(asking, item):
        return not same_bytes(asking, item) and (gallery == "all" or in_even_year(item))

    expected = slow(*world, "articleType", asks, answers)
    assert len(expected) >= 3
    assert_equal(tables.pick(judged.scores, protocol="temporal", gallery=gallery), expected)


@pytest.mark.parametrize("relevance", ["articleType", "product"])
@pytest.mark.parametrize("gallery", ["held-out types", "all"])
def test_held_out_types_ask_among_themselves_and_among_all(world, judged, gallery, relevance):
    def held(row):
        return row[catalog.TYPE_SPLIT] == catalog.TEST

    def answers(asking, item):
        return not same_bytes(asking, item) and (gallery == "all" or held(item))

    expected = slow(*world, relevance, lambda row: is_test(row) and held(row), answers)
    assert len(expected) >= 3
    rows = tables.pick(judged.scores, protocol="held-out types", gallery=gallery, relevance=relevance)
    assert_equal(rows, expected)


@pytest.mark.parametrize("query_in", [True, False])
def test_the_22_types_ask_test_against_test_with_the_query_for_ap_and_without(world, run, query_in, monkeypatch):
    monkeypatch.setattr(protocols, "UPC_MORE_THAN", 3)
    monkeypatch.setattr(protocols, "NOT_UPC", ["Caps"])
    frame, features = world
    worn = frame[catalog.MASTER] == "Apparel"
    expected_types = [name for name in ("Shirts", "Ties") if (worn & (frame[catalog.ARTICLE] == name)).sum() > 3]
    assert protocols.upc_types(frame) == expected_types
    scores = scoring.evaluate(features, frame, "manhattan", run).scores

    def asks(row):
        return is_test(row) and row[catalog.ARTICLE] in expected_types

    def answers(asking, item):
        return asks(item) and (query_in or asking[catalog.ID] != item[catalog.ID])

    expected = slow(frame, features, "articleType", asks, answers)
    assert_equal(tables.pick(scores, protocol="22 types, query in" if query_in else "22 types"), expected)


def test_a_variant_nobody_asks_is_left_out(judged, world, run):
    assert "22 types" not in set(judged.scores["protocol"])  # no type has more than 100 images
    frame, features = world
    none = frame.assign(**{catalog.TYPE_SPLIT: catalog.TRAIN})
    assert "held-out types" not in set(scoring.evaluate(features, none, "manhattan", run).scores["protocol"])


# --- the thesis's ---


@pytest.fixture(scope="module")
def distinct(world, run):
    """The same pictures with vectors that all differ, so that nothing but the query itself is at distance 0."""
    frame, features = world
    vectors = features.vectors + np.arange(30, dtype="f4")[:, None] / 64  # exact in float32
    features = FeatureSet(features.ids, vectors, "encoder:1")
    return frame, features, scoring.evaluate(features, frame, "manhattan", run).scores


@pytest.mark.parametrize("size", [12, 20])
@pytest.mark.parametrize(("protocol", "finds_itself"), [("thesis", True), ("thesis, query out", False)])
def test_the_thesis_protocol_equals_the_definition(world, judged, distinct, run, size, protocol, finds_itself):
    for frame, features, scores in ((*world, judged.scores), distinct):
        rows = tables.pick(scores, protocol=protocol, gallery=str(size))
        chosen = set(np.random.default_rng(run.seed).permutation(30)[:size].tolist())
        ids = set(frame.loc[sorted(chosen), catalog.ID])

        def answers(asking, item, ids=ids):
            return item[catalog.ID] in ids and (finds_itself or item[catalog.ID] != asking[catalog.ID])

        expected = slow(frame, features, "articleType", lambda row, ids=ids: row[catalog.ID] in ids, answers)
        assert len(expected) == size
        assert_equal(rows, expected)


def test_a_query_left_in_the_gallery_always_finds_itself(distinct):
    _, _, scores = distinct
    rows = tables.pick(scores, protocol="thesis")
    assert (rows["hit@1"][rows["relevant"] > 0] == 1).all()
    assert (rows["precision@1"][rows["relevant"] > 0] == 1).all()
    without = tables.pick(scores, protocol="thesis, query out")
    assert without["hit@1"].mean() < 1
    assert set(without["size"]) == {11, 19}


def test_sizes_the_catalogue_has_no_pictures_for_are_left_out(world, judged, run):
    thesis = judged.scores["protocol"].isin(["thesis", "thesis, query out"])
    assert sorted(set(judged.scores["gallery"][thesis])) == ["12", "20"]
    frame, features = world
    scores = scoring.evaluate(features, frame, "manhattan", run.model_copy(update={"thesis_sizes": [1000]})).scores
    assert set(tables.pick(scores, protocol="thesis")["gallery"]) == {"30"}
    whole = scoring.evaluate(features, frame, "manhattan", run.model_copy(update={"thesis_sizes": [12, 30, 31]})).scores
    assert set(tables.pick(whole, protocol="thesis")["gallery"]) == {"12", "30"}


# --- graded ---


@pytest.mark.parametrize("gallery", ["all", "test"])
def test_graded_scores_equal_the_definition(world, judged, run, gallery):
    frame, features = world
    exact = cdist(features.vectors, features.vectors, "cityblock")
    rows = tables.pick(judged.scores, protocol="strict", gallery=gallery, relevance="graded").set_index("query")
    assert rows.index.tolist() == [q for q, row in frame.iterrows() if is_test(row)]
    for q, row in rows.iterrows():
        asking = frame.loc[q]
        answering = frame if gallery == "all" else frame[frame[catalog.SPLIT] == catalog.TEST]
        others = [g for g, item in answering.iterrows() if not same_bytes(asking, item)]
        others.sort(key=lambda g, q=q: (exact[q, g], g))
        wanted, gains = {column: label(asking, column) for column in run.gains}, []
        for g in others:
            shared = [column for column, one in wanted.items() if one and one == label(frame.loc[g], column)]
            gains.append(sum(run.gains[column] for column in shared) if catalog.ARTICLE in shared else 0)
        assert row["relevant"] == sum(gain > 0 for gain in gains)
        for k in run.gain_cutoffs:
            reached = sum(gain / math.log2(place + 2) for place, gain in enumerate(gains[:k]))
            best = sum(gain / math.log2(place + 2) for place, gain in enumerate(sorted(gains, reverse=True)[:k]))
            by_chance = np.mean(gains) * sum(1 / math.log2(place + 2) for place in range(min(k, len(gains))))
            assert row[f"nDCG@{k}"] == pytest.approx(reached / best if best else np.nan, nan_ok=True)
            assert row[f"chance nDCG@{k}"] == pytest.approx(by_chance / best if best else np.nan, nan_ok=True)


def test_without_gains_nothing_is_graded(world, run):
    frame, features = world
    scores = scoring.evaluate(features, frame, "cosine", run.model_copy(update={"gains": {}})).scores
    assert "graded" not in set(scores["relevance"])
    assert not [name for name in scores.columns if "nDCG" in name]


# --- neighbours and distances ---


@pytest.mark.parametrize("distance", ["cosine", "euclidean", "manhattan"])
def test_neighbours_are_those_of_a_search_that_passes_over_copies(world, run, distance):
    frame, features = world
    asking = np.flatnonzero(frame[catalog.SPLIT] == catalog.TEST)
    copies = catalog.duplicates(frame)
    for count in (1, 5, 100):
        many = run.model_copy(update={"neighbours": count})
        found = scoring.evaluate(features, frame, distance, many).neighbours
        expected = ranking.search(features.take(asking), features, distance, count, (copies[asking], copies))
        assert found.query_ids.tolist() == expected.query_ids.tolist()
        assert found.gallery_ids.tolist() == expected.gallery_ids.tolist()
        np.testing.assert_array_equal(found.distances, expected.distances)


@pytest.mark.parametrize("copies", [False, True])
def test_thresholds_are_read_from_all_test_pairs_and_some_train_pairs(world, judged, run, copies):
    frame, features = world
    exact = cdist(features.vectors, features.vectors, "cityblock").astype(np.float32)
    train = [q for q, row in frame.iterrows() if not is_test(row)]
    if copies:  # each train picture has one in the train part
        hashes = {q: f"copy {place // 2}" for place, q in enumerate(train)}
        frame = frame.assign(sha256=frame["sha256"].where(~frame.index.isin(train), frame.index.map(hashes)))
        judged = scoring.evaluate(features, frame, "manhattan", run)
    chosen = np.random.default_rng(run.seed).choice(len(train), run.threshold_queries, replace=False)
    asked = {"train": [train[place] for place in chosen], "test": [q for q, row in frame.iterrows() if is_test(row)]}
    answering = {"train": train, "test": range(len(frame))}
    for part in ("train", "test"):
        every, right = [], []
        for q in asked[part]:
            for g in answering[part]:
                if not same_bytes(frame.loc[q], frame.loc[g]):
                    wanted = label(frame.loc[q], "articleType")
                    every.append(exact[q, g])
                    right.append(wanted is not None and wanted == label(frame.loc[g], "articleType"))
        edges, curve = judged.distances["distance"].to_numpy(), thresholds.curve(judged.distances, part)
        below = [sum(value < edge for value in every) for edge in edges[:-1:256]]
        assert curve["matches"].iloc[:-1:256].tolist() == below
        assert curve["matches"].iloc[-1] == len(every)  # what lies beyond the top counts in the last step
        assert judged.distances[f"{part}_right"].sum() == sum(right)


def test_the_first_miss_stands_in_the_first_gallerys_first_relevance(world, judged):
    frame, features = world
    exact = cdist(features.vectors, features.vectors, "cityblock")
    has = judged.scores["before_miss"].notna()
    first = tables.pick(judged.scores, protocol="strict", gallery="all", relevance="articleType")
    assert judged.scores.index[has].tolist() == first.index.tolist()
    for _, row in first.iterrows():
        q = row["query"]
        others = [g for g, item in frame.iterrows() if not same_bytes(frame.loc[q], item)]
        others.sort(key=lambda g, q=q: (exact[q, g], g))
        wanted, held = label(frame.loc[q], "articleType"), [label(frame.loc[g], "articleType") for g in others]
        wrong = [place for place, one in enumerate(held) if wanted is None or one != wanted]
        assert row["before_miss"] == wrong[0]
        assert row["first_miss"] == exact[q, others[wrong[0]]]


# --- all of it ---


def test_scores_do_not_depend_on_the_order_of_the_gallery_when_nothing_ties(world, run, rng):
    frame, features = world
    features = FeatureSet(features.ids, rng.normal(size=features.vectors.shape).astype("f4"), "encoder:1")
    order = rng.permutation(len(frame))
    shuffled = FeatureSet(features.ids[order], features.vectors[order], "encoder:1")
    first = scoring.evaluate(features, frame, "cosine", run).scores
    second = scoring.evaluate(shuffled, frame.iloc[order].reset_index(drop=True), "cosine", run).scores
    second["query"] = order[second["query"]].astype(np.int32)
    place = ["protocol", "gallery", "relevance", "query"]
    drawn = ["thesis", "thesis, query out"]  # another order draws another subset
    first, second = (t[~t["protocol"].isin(drawn)].sort_values(place, ignore_index=True) for t in (first, second))
    pd.testing.assert_frame_equal(first, second, check_categorical=False, rtol=1e-9, atol=1e-6)


def test_the_same_inputs_give_the_same_tables(world, judged, run):
    frame, features = world
    again = scoring.evaluate(features, frame, "manhattan", run)
    pd.testing.assert_frame_equal(again.scores, judged.scores, check_exact=True)
    pd.testing.assert_frame_equal(again.distances, judged.distances, check_exact=True)


def test_the_chunks_that_queries_are_ranked_in_change_nothing(world, judged, run, monkeypatch):
    frame, features = world
    monkeypatch.setattr(scoring, "rank", partial(ranking.rank, chunk=3))
    again = scoring.evaluate(features, frame, "manhattan", run)
    pd.testing.assert_frame_equal(again.scores, judged.scores, check_exact=True)
    pd.testing.assert_frame_equal(again.distances, judged.distances, check_exact=True)
    assert again.neighbours.frame().equals(judged.neighbours.frame())


def test_every_place_has_one_row_per_query(judged):
    assert not judged.scores.duplicated(["protocol", "gallery", "relevance", "query"]).any()


def test_labels_are_named_as_they_are_compared(world):
    frame, _ = world
    names = catalog.label_names(frame, "gender+articleType")
    assert names[0] == f"{frame.loc[0, 'gender']} · {frame.loc[0, 'articleType']}"
    assert names[15] == f" · {frame.loc[15, 'articleType']}"
    assert catalog.label_names(frame, "product")[[2, 15]].tolist() == ["product 1", ""]


def test_features_of_other_pictures_are_refused(world, run):
    frame, features = world
    with pytest.raises(ValueError, match=r"different pictures: 29 and 30.*Run feature_extraction again"):
        scoring.evaluate(features.take(np.arange(29)), frame, "cosine", run)
    turned = features.take(np.arange(30)[::-1])
    with pytest.raises(ValueError, match="different pictures"):
        scoring.evaluate(turned, frame, "cosine", run)


def test_no_test_part_is_an_error(world, run):
    frame, features = world
    with pytest.raises(ValueError, match="no test part"):
        scoring.evaluate(features, frame.assign(**{catalog.SPLIT: catalog.TRAIN}), "cosine", run)
