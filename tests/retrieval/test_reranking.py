"""What comes after the search, each against a slow transcription of its paper."""

import numpy as np
import pytest

from pipeline.retrieval import indexes, reranking


@pytest.fixture
def world(rng):
    centres = rng.normal(size=(8, 6))
    vectors = centres[rng.integers(8, size=70)] + 0.5 * rng.normal(size=(70, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[:60].astype(np.float32), vectors[60:].astype(np.float32)


def test_query_expansion_is_the_slow_weighted_sum(world):
    gallery, queries = world
    near, _ = indexes.build("exact", gallery)(queries, 4)
    near[3, 2:] = -1
    for alpha in (0.0, 1.0, 3.0):
        found = reranking.query_expansion(queries * 3, gallery * 2, near, alpha)
        for row, query in enumerate(queries):
            total = query.astype(float)
            for place in near[row]:
                if place >= 0:
                    total = total + max(float(query @ gallery[place]), 0) ** alpha * gallery[place]
            assert found[row] == pytest.approx(total / np.linalg.norm(total), abs=1e-6)


def test_a_query_without_neighbours_stays_itself(world):
    gallery, queries = world
    nobody = np.full((len(queries), 3), -1)
    assert reranking.query_expansion(queries, gallery, nobody, 3.0) == pytest.approx(queries, abs=1e-6)


def test_database_augmentation_expands_each_item_by_its_others(world):
    gallery, _ = world
    found = reranking.database_augmentation(gallery, 3, 1.0)
    for row, item in enumerate(gallery):
        others = np.delete(np.arange(len(gallery)), row)
        nearest = others[np.argsort(-(gallery[others] @ item))[:3]]
        total = item.astype(float) + sum(float(item @ gallery[place]) * gallery[place] for place in nearest)
        assert found[row] == pytest.approx(total / np.linalg.norm(total), abs=1e-5)


def slow_reranked(query, gallery, candidates, k1, k2, share):
    """Zhong et al. with sets and dictionaries: one query, the gallery's neighbourhoods among the gallery alone."""
    cosine = 1 - gallery.astype(float) @ gallery.astype(float).T
    order = [sorted(range(len(gallery)), key=lambda other, row=row: cosine[row, other]) for row in range(len(gallery))]
    near = {(row, k): set(order[row][: k + 1]) for row in range(len(gallery)) for k in (k1, max(1, (k1 + 1) // 2))}
    own = 1 - gallery.astype(float) @ query
    half = max(1, (k1 + 1) // 2)

    def mutual(row, k):
        return {other for other in near[row, k] if row in near[other, k]}

    def widened(first):
        members = set(first)
        for other in first:
            theirs = mutual(other, half)
            if len(theirs & first) * 3 > len(theirs) * 2:
                members |= theirs
        return members

    def code(members, distances):
        weights = np.zeros(len(gallery))
        for other in members:
            weights[other] = np.exp(-distances[other])
        return weights / (weights.sum() or 1)

    codes = np.array([code(widened(mutual(row, k1)), cosine[row]) for row in range(len(gallery))])
    averaged = np.array([codes[order[row][:k2]].mean(axis=0) for row in range(len(gallery))])
    ranked = sorted(range(len(gallery)), key=lambda other: own[other])
    first = {other for other in ranked[:k1] if own[other] <= cosine[other, order[other][k1]]}
    mine = code(widened(first), own)
    mine = (mine + codes[ranked[: k2 - 1]].sum(axis=0)) / k2
    least = np.minimum(averaged[candidates], mine).sum(axis=1)
    return (1 - share) * (1 - least / (2 - least)) + share * own[candidates]


@pytest.mark.parametrize(("k1", "k2", "share"), [(6, 3, 0.3), (5, 1, 0.0), (8, 4, 1.0), (2, 2, 0.5)])
def test_re_ranking_is_the_slow_transcription_of_the_paper(world, k1, k2, share):
    gallery, queries = world
    candidates, distances = indexes.build("exact", gallery)(queries, 12)
    found = reranking.k_reciprocal(queries, gallery, candidates, k1, k2, share)
    for row, query in enumerate(queries):
        assert found[row] == pytest.approx(slow_reranked(query, gallery, candidates[row], k1, k2, share), abs=1e-5)
    if share == 1:
        assert found == pytest.approx(distances, abs=1e-6)


def test_an_answer_does_not_depend_on_who_else_asks(world):
    gallery, queries = world
    candidates, _ = indexes.build("exact", gallery)(queries, 9)
    together = reranking.k_reciprocal(queries, gallery, candidates, 6, 3, 0.3)
    alone = [
        reranking.k_reciprocal(queries[[row]], gallery, candidates[[row]], 6, 3, 0.3)[0] for row in range(len(queries))
    ]
    assert together == pytest.approx(np.array(alone), abs=1e-6)
