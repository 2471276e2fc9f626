"""Every definition against a slow loop, against three independent libraries, and against what holds for any ranking."""

import math

import numba
import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from ranx import Qrels, Run, evaluate
from sklearn.metrics import average_precision_score, f1_score, ndcg_score, precision_score, recall_score

from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import metrics
from pipeline.retrieval.ranking import rank

numba.config.THREADING_LAYER = "default"  # ranx sets one that ends a process in which two threads count at once
WEIGHTS = np.array([3, 2, 1], np.float32)
relaxed = settings(deadline=None)  # the first call compiles
COUNTING = [metrics.hit_at, metrics.recall_at, metrics.precision_at, metrics.average_precision, metrics.f1_at]


def slow(hits, relevant, k):
    """hit, recall, precision, AP and F1 of one query, transcribed with loops."""
    seen, total = 0, 0.0
    for place, hit in enumerate(hits[:k], 1):
        if hit:
            seen += 1
            total += seen / place
    recall, precision = seen / relevant, seen / k
    harmonic = 2 * precision * recall / (precision + recall) if seen else 0.0
    return float(seen > 0), recall, precision, total / relevant, harmonic


def slow_dcg(gains, k):
    total = 0.0
    for place, gain in enumerate(gains[:k], 1):
        total += float(gain) / math.log2(place + 1)
    return total


@st.composite
def rankings(draw):
    """Hits of some queries, and a cutoff that may lie beyond the gallery."""
    queries, gallery = draw(st.integers(1, 6)), draw(st.integers(1, 30))
    row = st.lists(st.booleans(), min_size=gallery, max_size=gallery)
    return np.array(draw(st.lists(row, min_size=queries, max_size=queries)), bool), draw(st.integers(1, 40))


@st.composite
def gained(draw):
    """Gains of some queries, and a cutoff that may lie beyond the gallery."""
    queries, gallery = draw(st.integers(1, 5)), draw(st.integers(1, 25))
    row = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 5.5, 8]), min_size=gallery, max_size=gallery)
    return np.array(draw(st.lists(row, min_size=queries, max_size=queries)), np.float32), draw(st.integers(1, 40))


# --- loops ---


@relaxed
@given(rankings())
def test_each_metric_equals_its_loop(case):
    hits, k = case
    relevant = hits.sum(axis=1)
    values = [metric(hits, relevant, k) for metric in COUNTING]
    for query in range(len(hits)):
        if relevant[query] == 0:
            assert all(np.isnan(value[query]) for value in values)
        else:
            expected = slow(hits[query], relevant[query], k)
            assert [value[query] for value in values] == pytest.approx(expected, abs=1e-12)


@relaxed
@given(gained())
def test_ndcg_equals_its_loop(case):
    gains, k = case
    for row, ideal, value in zip(gains, metrics.ideal_dcg_at(gains, k), metrics.ndcg_at(gains, k), strict=True):
        best = slow_dcg(sorted(row, reverse=True), k)
        assert ideal == pytest.approx(best, abs=1e-9)
        if best == 0:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(slow_dcg(row, k) / best, abs=1e-9)


def test_average_precision_of_a_case_worked_by_hand():
    hits = np.array([[True, False, True, False]])
    assert metrics.average_precision(hits, np.array([2]))[0] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert metrics.average_precision(hits, np.array([2]), depth=2)[0] == pytest.approx((1 / 1) / 2)


def test_ndcg_of_a_case_worked_by_hand():
    gains = np.array([[1, 0, 3]], np.float32)
    assert metrics.ndcg_at(gains, 3)[0] == pytest.approx((1 + 3 / 2) / (3 + 1 / math.log2(3)))


# --- libraries, on rankings with ties ---


@pytest.fixture(scope="module")
def tied():
    """A gallery of 1,300 on a coarse grid, ranked; qrels and runs for the libraries made from labels by loops.

    The libraries get the tie-free order that `rank` chose. Query 0 has a label that no gallery item has.
    """
    rng, queries, gallery = np.random.default_rng(1), 24, 1300
    vectors = rng.integers(0, 4, (queries + gallery, 2)).astype(np.float32)
    ids = np.array([f"g{number}" for number in range(len(vectors))], object)
    everything = FeatureSet(ids, vectors, "encoder:1")
    asking, answering = everything.take(np.arange(queries)), everything.take(np.arange(queries, len(ids)))
    _, order, distances = next(rank(asking, answering, "manhattan"))
    wanted = rng.integers(0, [[40, 2, 3]], (queries, 3)).astype(np.int32)
    held = rng.integers(0, [[40, 2, 3]], (gallery, 3)).astype(np.int32)
    wanted[0, 0] = 99
    names = [f"g{number}" for number in range(gallery)]
    qrels, graded, run = {}, {}, {}
    for q in range(queries):
        same = [[bool(held[g, label] == wanted[q, label]) for label in range(3)] for g in range(gallery)]
        qrels[f"q{q:02}"] = {names[g]: 1 for g in range(gallery) if same[g][0]}
        graded[f"q{q:02}"] = {
            names[g]: int(sum(weight for weight, shared in zip(WEIGHTS, same[g], strict=True) if shared))
            for g in range(gallery)
            if same[g][0]
        }
        run[f"q{q:02}"] = {names[g]: float(gallery - place) for place, g in enumerate(order[q])}
    found = np.full(queries, gallery)
    hits = metrics.relevant_hits(order, wanted[:, 0], held[:, 0], found)
    gains = metrics.graded_gains(order, wanted, held, WEIGHTS, found)
    return {"hits": hits, "gains": gains, "qrels": qrels, "graded": graded, "run": run, "distances": distances}


def answered(table):
    return {query: found for query, found in table.items() if found}


def test_the_rankings_compared_below_do_have_ties_and_a_query_with_nothing_to_find(tied):
    assert all(len(np.unique(row)) < 10 for row in tied["distances"])
    assert tied["hits"].any(axis=1).tolist() == [False] + [True] * 23
    assert len(np.unique(tied["gains"])) == 5


@pytest.mark.xdist_group("ranx")  # which compiles for a minute in each process that asks it
@pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaTypeSafetyWarning")
@pytest.mark.parametrize("k", [1, 5, 10, 1000, 1300])
def test_metrics_equal_ranx(tied, k):
    hits, relevant = tied["hits"][1:], tied["hits"][1:].sum(axis=1)
    qrels, run = answered(tied["qrels"]), {query: tied["run"][query] for query in answered(tied["qrels"])}
    names = [f"hit_rate@{k}", f"recall@{k}", f"precision@{k}", f"map@{k}", f"f1@{k}"]
    expected = evaluate(Qrels(qrels), Run(run), names, return_mean=False)
    for metric, name in zip(COUNTING, names, strict=True):
        assert metric(hits, relevant, k) == pytest.approx(expected[name], abs=1e-9), name
    ndcg = evaluate(Qrels(answered(tied["graded"])), Run(run), f"ndcg@{k}", return_mean=False)
    assert metrics.ndcg_at(tied["gains"][1:], k) == pytest.approx(ndcg, abs=1e-9)


@pytest.mark.parametrize("k", [1, 5, 10, 1000, 1300, 1500])
def test_metrics_equal_trec_eval(tied, k):
    hits, relevant = tied["hits"][1:], tied["hits"][1:].sum(axis=1)
    wanted = {f"success.{k}", f"recall.{k}", f"P.{k}", f"map_cut.{k}"}
    expected = pytrec_eval.RelevanceEvaluator(answered(tied["qrels"]), wanted).evaluate(tied["run"])
    for metric, name in zip(COUNTING[:4], ["success", "recall", "P", "map_cut"], strict=True):  # it has no F1
        values = [expected[query][f"{name}_{k}"] for query in answered(tied["qrels"])]
        assert metric(hits, relevant, k) == pytest.approx(values, abs=1e-9), name
    graded = pytrec_eval.RelevanceEvaluator(answered(tied["graded"]), {f"ndcg_cut.{k}"}).evaluate(tied["run"])
    values = [graded[query][f"ndcg_cut_{k}"] for query in answered(tied["graded"])]
    assert metrics.ndcg_at(tied["gains"][1:], k) == pytest.approx(values, abs=1e-9)


def test_average_precision_of_the_full_ranking_equals_trec_eval(tied):
    expected = pytrec_eval.RelevanceEvaluator(answered(tied["qrels"]), {"map"}).evaluate(tied["run"])
    values = metrics.average_precision(tied["hits"][1:], tied["hits"][1:].sum(axis=1))
    assert values == pytest.approx([expected[query]["map"] for query in answered(tied["qrels"])], abs=1e-9)


@pytest.mark.parametrize("k", [1, 5, 10, 1000, 1300])
def test_metrics_equal_scikit_learn(tied, k):
    hits, gains = tied["hits"][1:], tied["gains"][1:]
    relevant = hits.sum(axis=1)
    scores = -np.arange(hits.shape[1], dtype=float)
    first = np.arange(hits.shape[1]) < k
    for query, row in enumerate(hits):
        found = row[:k]
        partial = average_precision_score(found, scores[:k]) * found.sum() / row.sum() if found.any() else 0.0
        told = [score(row, first) for score in (recall_score, precision_score)]
        expected = [float(found.any()), *told, partial, f1_score(row, first)]
        one, many = hits[[query]], relevant[[query]]
        assert [metric(one, many, k)[0] for metric in COUNTING] == pytest.approx(expected, abs=1e-9)
        assert metrics.ndcg_at(gains[[query]], k)[0] == pytest.approx(ndcg_score([gains[query]], [scores], k=k))


def test_average_precision_of_the_full_ranking_equals_scikit_learn(tied):
    scores = -np.arange(tied["hits"].shape[1])
    expected = [average_precision_score(row, scores) for row in tied["hits"][1:]]
    values = metrics.average_precision(tied["hits"], tied["hits"].sum(axis=1))
    assert np.isnan(values[0])
    assert values[1:] == pytest.approx(expected, abs=1e-9)


# --- what holds for any ranking ---


@relaxed
@given(rankings())
def test_every_metric_lies_between_0_and_1_and_is_nan_only_where_nothing_is_relevant(case):
    hits, k = case
    relevant = hits.sum(axis=1)
    for metric in COUNTING:
        values = metric(hits, relevant, k)
        assert (np.isnan(values) == (relevant == 0)).all()
        assert ((values >= 0) & (values <= 1))[relevant > 0].all()


@relaxed
@given(gained())
def test_ndcg_lies_between_0_and_1_and_is_nan_only_where_nothing_is_gained(case):
    gains, k = case
    size = np.full(len(gains), gains.shape[1])
    for values, rounding in ((metrics.ndcg_at(gains, k), 0), (metrics.chance_ndcg_at(gains, size, k), 1e-12)):
        assert (np.isnan(values) == (gains.max(axis=1) == 0)).all()
        known = values[np.isfinite(values)]
        assert ((known >= 0) & (known <= 1 + rounding)).all()


@relaxed
@given(rankings())
def test_moving_a_hit_forward_never_lowers_a_metric(case):
    hits, k = case
    for row in hits:
        later = [place for place in range(1, len(row)) if row[place] and not row[place - 1]]
        if not later:
            continue
        better = row.copy()
        better[[later[0] - 1, later[0]]] = better[[later[0], later[0] - 1]]
        pair, relevant = np.stack([row, better]), np.full(2, row.sum())
        for metric in COUNTING:
            worse_value, better_value = metric(pair, relevant, k)
            assert better_value >= worse_value - 1e-12
        worse_value, better_value = metrics.ndcg_at(pair.astype(np.float32), k)
        assert better_value >= worse_value - 1e-12


@relaxed
@given(rankings(), st.integers(0, 29), st.integers(1, 5))
def test_finding_one_relevant_item_more_never_lowers_a_metric(case, place, more):
    hits, k = case
    place = place % hits.shape[1]
    worse, better = hits.copy(), hits.copy()
    worse[:, place], better[:, place] = False, True
    relevant = better.sum(axis=1) + more  # the gallery has the same relevant items in both
    for metric in COUNTING:
        assert (metric(better, relevant, k) >= metric(worse, relevant, k) - 1e-12).all()


@relaxed
@given(gained())
def test_moving_a_greater_gain_forward_never_lowers_ndcg(case):
    gains, k = case
    for row in gains:
        later = [place for place in range(1, len(row)) if row[place] > row[place - 1]]
        if later:
            better = row.copy()
            better[[later[0] - 1, later[0]]] = better[[later[0], later[0] - 1]]
            worse_value, better_value = metrics.ndcg_at(np.stack([row, better]), k)
            assert better_value >= worse_value - 1e-12


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(1, 25), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_the_order_of_the_gallery_changes_nothing_where_nothing_ties(queries, gallery, k, seed):
    rng = np.random.default_rng(seed)
    distances = np.stack([rng.permutation(gallery) for _ in range(queries)])
    wanted, held = rng.integers(0, 3, (queries, 3), np.int32), rng.integers(0, 3, (gallery, 3), np.int32)
    codes, member = rng.integers(0, gallery, (gallery, 2)), rng.random(gallery) < 0.8
    asking, shuffled, results = rng.integers(0, gallery, (queries, 2)), rng.permutation(gallery), []
    for places in (np.arange(gallery), shuffled):
        order = np.argsort(distances[:, places], axis=1).astype(np.int32)
        inside, found = metrics.exclude(order, asking, codes[places], member[places])
        hits = metrics.relevant_hits(inside, wanted[:, 0], held[places, 0], found)
        gains = metrics.graded_gains(inside, wanted, held[places], WEIGHTS, found)
        results.append([metric(hits, hits.sum(axis=1), k) for metric in COUNTING] + [metrics.ndcg_at(gains, k), found])
    np.testing.assert_array_equal(*results)


@relaxed
@given(rankings())
def test_a_cutoff_beyond_the_gallery_changes_only_precision(case):
    hits, _ = case
    relevant, gallery = hits.sum(axis=1), hits.shape[1]
    for metric in (metrics.hit_at, metrics.recall_at, metrics.average_precision):
        np.testing.assert_array_equal(metric(hits, relevant, gallery), metric(hits, relevant, gallery + 9))
    inside, beyond = (metrics.precision_at(hits, relevant, k) for k in (gallery, 2 * gallery))
    np.testing.assert_allclose(beyond, inside / 2)


@relaxed
@given(rankings())
def test_the_best_order_has_an_average_precision_and_ndcg_of_1(case):
    hits, k = case
    best = np.sort(hits, axis=1)[:, ::-1]
    relevant = best.sum(axis=1)
    assert metrics.average_precision(best, relevant)[relevant > 0] == pytest.approx(1)
    assert metrics.ndcg_at(best.astype(np.float32), k)[relevant > 0] == pytest.approx(1)


def test_ndcg_is_never_above_1_and_does_not_depend_on_the_other_queries(rng):
    best = np.sort(rng.choice([0, 3, 5, 6, 8], (500, 200)).astype(np.float32), axis=1)[:, ::-1]
    together = metrics.ndcg_at(best, 100)
    alone = [metrics.ndcg_at(best[[row]], 100)[0] for row in range(50)]
    assert together.max() <= 1
    assert alone == together[:50].tolist()


# --- chance ---

CHANCES = {
    "AP": (lambda h, r: metrics.average_precision(h, r), lambda r, n: metrics.chance_average_precision(r, n)),
    "AP@7": (lambda h, r: metrics.average_precision(h, r, 7), lambda r, n: metrics.chance_average_precision(r, n, 7)),
    "hit@3": (lambda h, r: metrics.hit_at(h, r, 3), lambda r, n: metrics.chance_hit_at(r, n, 3)),
    "recall@3": (lambda h, r: metrics.recall_at(h, r, 3), lambda r, n: metrics.chance_recall_at(r, n, 3)),
    "F1@3": (lambda h, r: metrics.f1_at(h, r, 3), lambda r, n: metrics.chance_f1_at(r, n, 3)),
    "precision@3": (lambda h, r: metrics.precision_at(h, r, 3), lambda r, n: metrics.chance_precision_at(r, n, 3)),
}


@pytest.mark.parametrize("name", CHANCES)
@pytest.mark.parametrize(("relevant", "size"), [(1, 20), (4, 20), (19, 20), (20, 20), (1, 1), (1, 2)])
def test_chance_is_the_mean_over_random_rankings(rng, name, relevant, size):
    measured, formula = CHANCES[name]
    hits = rng.permuted(np.tile(np.arange(size) < relevant, (20_000, 1)), axis=1)
    values = measured(hits, np.full(len(hits), relevant))
    expected = formula(np.array([relevant]), np.array([size]))[0]
    error = values.std() / np.sqrt(len(values))
    assert values.mean() == pytest.approx(expected, abs=4 * error + 1e-9)


@pytest.mark.parametrize("k", [1, 3, 10, 50])
@pytest.mark.parametrize("gains", [[8], [3, 0], [8, 6, 5, 3] + [0] * 9, [3] * 12, [5, 3, 1]])
@pytest.mark.parametrize("unseen", [0, 4])
def test_chance_ndcg_is_the_mean_over_random_rankings(rng, k, gains, unseen):
    size = len(gains)
    rows = rng.permuted(np.tile(np.array(gains, np.float32), (20_000, 1)), axis=1)
    rows = np.concatenate([rows, np.zeros((len(rows), unseen), np.float32)], axis=1)  # ranks that do not count
    values = metrics.ndcg_at(rows, k)
    expected = metrics.chance_ndcg_at(rows[:1], np.array([size]), k)[0]
    error = values.std() / np.sqrt(len(values))
    assert values.mean() == pytest.approx(expected, abs=4 * error + 1e-9)


def test_chance_is_exact_over_every_ranking_of_a_small_gallery():
    from itertools import permutations

    every = np.array(sorted(set(permutations([True, True, False, False, False]))))
    relevant, size = np.array([2]), np.array([5])
    for measured, formula in CHANCES.values():
        assert formula(relevant, size)[0] == pytest.approx(measured(every, np.full(len(every), 2)).mean(), abs=1e-12)


def test_chance_of_nothing_to_find_is_nan():
    for _, formula in CHANCES.values():
        assert np.isnan(formula(np.array([0]), np.array([9]))[0])
    assert np.isnan(metrics.chance_ndcg_at(np.zeros((1, 9), np.float32), np.array([9]), 3)[0])


# --- who is found, and what it is worth ---


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(1, 25), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_what_is_seen_equals_a_loop(queries, gallery, kinds, seed):
    rng = np.random.default_rng(seed)
    order = np.stack([rng.permutation(gallery) for _ in range(queries)]).astype(np.int32)
    asking, codes = rng.integers(-1, 6, (queries, kinds)), rng.integers(0, 6, (gallery, kinds))
    member = rng.random(gallery) < 0.6
    inside, found = metrics.exclude(order, asking, codes, member)
    for q in range(queries):
        same = [any(codes[g, kind] == asking[q, kind] for kind in range(kinds)) for g in range(gallery)]
        expected = [g for g in order[q] if member[g] and not same[g]]
        assert inside[q, : found[q]].tolist() == expected


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(1, 25), st.integers(0, 2**32 - 1))
def test_hits_and_gains_equal_a_loop_over_labels(queries, gallery, seed):
    rng = np.random.default_rng(seed)
    order = np.stack([rng.permutation(gallery) for _ in range(queries)]).astype(np.int32)
    wanted = rng.integers(-1, 3, (queries, 3)).astype(np.int32)
    held = rng.integers(-1, 3, (gallery, 3)).astype(np.int32)
    found = rng.integers(0, gallery + 1, queries)
    hits = metrics.relevant_hits(order, wanted[:, 0], held[:, 0], found)
    gains = metrics.graded_gains(order, wanted, held, WEIGHTS, found)
    for q in range(queries):
        for place in range(gallery):
            same = [w == h and w >= 0 for w, h in zip(wanted[q], held[order[q, place]], strict=True)]
            counts = place < found[q] and same[0]
            assert hits[q, place] == counts
            assert gains[q, place] == (sum(WEIGHTS[label] for label in range(3) if same[label]) if counts else 0)


@pytest.mark.parametrize(
    ("name", "k"), [("AP", None), ("AP@1000", 1000), ("hit@1", 1), ("nDCG@50", 50), ("precision@7", 7)]
)
def test_a_column_of_scores_is_a_metric_with_a_k_that_it_can_have(name, k):
    assert metrics.parse(name) == (metrics.METRICS[name.partition("@")[0]], k)
    assert metrics.scored_as(metrics.mean_name(name)) == name


@pytest.mark.parametrize("name", ["AP@", "AP@x", "AP@10", "AP@01000", "hit", "hit@", "hit@0", "hit@1.5", "hits@1", ""])
def test_what_is_no_column_of_scores_is_refused(name):
    with pytest.raises(ValueError, match="a score must be of a metric"):
        metrics.parse(name)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 30), st.integers(1, 3))
def test_average_precisions_of_several_relevances_equal_a_loop_over_what_is_left(seed, queries, size, relevances):
    rng = np.random.default_rng(seed)
    order = np.stack([rng.permutation(size) for _ in range(queries)]).astype(np.int32)
    codes, asked = rng.integers(0, 5, size), rng.integers(0, 5, queries)
    labels, wanted = (rng.integers(-1, 3, (count, relevances)).astype(np.int32) for count in (size, queries))
    found = metrics.average_precisions(order, asked, codes, wanted, labels)
    for query in range(queries):
        left = [item for item in order[query] if codes[item] != asked[query]]
        for column in range(relevances):
            hits = [labels[item, column] == wanted[query, column] >= 0 for item in left]
            precisions = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
            expected = np.mean(precisions) if precisions else np.nan
            assert found[query, column] == pytest.approx(expected, nan_ok=True)
