"""Every definition against a slow loop, against independent libraries, and against what must hold for any ranking."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranx import Qrels, Run, evaluate
from sklearn.metrics import average_precision_score

from pipeline.evaluation import metrics


def slow(hits, relevant, k=None):
    """hit, recall, precision and AP of one query, transcribed with loops."""
    first = hits if k is None else hits[:k]
    seen, total = 0, 0.0
    for rank, hit in enumerate(first, 1):
        if hit:
            seen += 1
            total += seen / rank
    return float(seen > 0), seen / relevant, seen / (k or len(hits)), total / relevant


@st.composite
def rankings(draw):
    queries, gallery = draw(st.integers(1, 6)), draw(st.integers(1, 30))
    bits = draw(
        st.lists(st.lists(st.booleans(), min_size=gallery, max_size=gallery), min_size=queries, max_size=queries)
    )
    return np.array(bits, bool), draw(st.integers(1, 40))


@given(rankings())
def test_each_metric_equals_its_loop(case):
    hits, k = case
    relevant = hits.sum(axis=1)
    values = [
        metrics.hit_at(hits, relevant, k),
        metrics.recall_at(hits, relevant, k),
        metrics.precision_at(hits, relevant, k),
        metrics.average_precision(hits, relevant, k),
    ]
    for query in range(len(hits)):
        if relevant[query] == 0:
            assert all(np.isnan(value[query]) for value in values)
        else:
            expected = slow(hits[query], relevant[query], k)
            assert [value[query] for value in values] == pytest.approx(expected, abs=1e-12)


@given(rankings())
def test_average_precision_equals_scikit_learn(case):
    hits, _ = case
    values = metrics.average_precision(hits, hits.sum(axis=1))
    for row, value in zip(hits, values, strict=True):
        if row.any():
            assert value == pytest.approx(average_precision_score(row, -np.arange(len(row))), abs=1e-12)


@pytest.mark.parametrize("depth", [None, 1, 5, 1000])
def test_metrics_equal_ranx(rng, depth):
    hits = rng.random((40, 60)) < 0.2
    hits = hits[hits.any(axis=1)]
    relevant = hits.sum(axis=1)
    names = [f"g{rank}" for rank in range(60)]
    qrels = Qrels({f"q{q}": {names[r]: 1 for r in np.flatnonzero(row)} for q, row in enumerate(hits)})
    run = Run({f"q{q}": {name: float(60 - rank) for rank, name in enumerate(names)} for q in range(len(hits))})
    k = depth or 60
    suffix = f"@{k}"
    expected = evaluate(qrels, run, [f"map{suffix}", f"hit_rate{suffix}", f"recall{suffix}"], make_comparable=True)
    assert metrics.average_precision(hits, relevant, depth).mean() == pytest.approx(expected[f"map{suffix}"], abs=1e-9)
    assert metrics.hit_at(hits, relevant, k).mean() == pytest.approx(expected[f"hit_rate{suffix}"], abs=1e-9)
    assert metrics.recall_at(hits, relevant, k).mean() == pytest.approx(expected[f"recall{suffix}"], abs=1e-9)
    if k <= 60:
        value = evaluate(qrels, run, f"precision@{k}")
        assert metrics.precision_at(hits, relevant, k).mean() == pytest.approx(value, abs=1e-9)


def test_average_precision_of_a_case_worked_by_hand():
    hits = np.array([[True, False, True, False]])
    assert metrics.average_precision(hits, np.array([2]))[0] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert metrics.average_precision(hits, np.array([2]), depth=2)[0] == pytest.approx((1 / 1) / 2)


@given(rankings())
def test_moving_a_hit_forward_never_lowers_a_metric(case):
    hits, k = case
    for row in hits:
        later = [rank for rank in range(1, len(row)) if row[rank] and not row[rank - 1]]
        if not later:
            continue
        better = row.copy()
        better[[later[0] - 1, later[0]]] = better[[later[0], later[0] - 1]]
        pair, relevant = np.stack([row, better]), np.full(2, row.sum())
        for metric in (metrics.hit_at, metrics.recall_at, metrics.precision_at, metrics.average_precision):
            worse_value, better_value = metric(pair, relevant, k)
            assert better_value >= worse_value - 1e-12


CHANCES = {
    "AP": (lambda h, r: metrics.average_precision(h, r), lambda r, n: metrics.chance_average_precision(r, n)),
    "AP@7": (lambda h, r: metrics.average_precision(h, r, 7), lambda r, n: metrics.chance_average_precision(r, n, 7)),
    "hit@3": (lambda h, r: metrics.hit_at(h, r, 3), lambda r, n: metrics.chance_hit_at(r, n, 3)),
    "recall@3": (lambda h, r: metrics.recall_at(h, r, 3), lambda r, n: metrics.chance_recall_at(r, n, 3)),
    "precision@3": (lambda h, r: metrics.precision_at(h, r, 3), lambda r, n: metrics.chance_precision_at(r, n, 3)),
}


@pytest.mark.parametrize("name", CHANCES)
@pytest.mark.parametrize(("relevant", "size"), [(1, 20), (4, 20), (19, 20), (20, 20), (1, 1), (1, 2)])
def test_chance_is_the_mean_over_random_rankings(rng, name, relevant, size):
    measured, formula = CHANCES[name]
    bits = np.arange(size) < relevant
    hits = np.stack([rng.permutation(bits) for _ in range(20_000)])
    values = measured(hits, np.full(len(hits), relevant))
    expected = formula(np.array([relevant]), np.array([size]))[0]
    error = values.std() / np.sqrt(len(values))
    assert values.mean() == pytest.approx(expected, abs=5 * error + 1e-9)


def test_chance_of_nothing_to_find_is_nan():
    for _, formula in CHANCES.values():
        assert np.isnan(formula(np.array([0]), np.array([9]))[0])


@settings(max_examples=50)
@given(st.integers(1, 5), st.integers(1, 25), st.integers(0, 2**32 - 1))
def test_hits_equal_a_loop_over_labels(queries, gallery, seed):
    rng = np.random.default_rng(seed)
    order = np.stack([rng.permutation(gallery) for _ in range(queries)]).astype(np.int32)
    wanted, held = rng.integers(-1, 4, queries).astype(np.int32), rng.integers(-1, 4, gallery).astype(np.int32)
    found = rng.integers(0, gallery + 1, queries)
    hits = metrics.relevant_hits(order, wanted, held, found)
    for q in range(queries):
        for rank in range(gallery):
            assert hits[q, rank] == (rank < found[q] and wanted[q] >= 0 and held[order[q, rank]] == wanted[q])
