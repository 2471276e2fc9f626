"""What follows the first answer: as its paper has it, and blind to what is hidden from a query."""

from typing import get_args

import numpy as np
import pytest

from pipeline.params.kinds import RerankingKind
from pipeline.params.systems import Reranking
from pipeline.retrieval import indexes, rerankers, reranking

KINDS = [None, *get_args(RerankingKind)]


def better_of(kind):
    return kind and Reranking(kind=kind, neighbours=4, alpha=1.0, second=3, share=0.3)


@pytest.fixture
def world(rng):
    """A gallery around a few directions, and queries that lie near them."""
    centres = rng.normal(size=(5, 6))
    vectors = centres[rng.integers(5, size=60)] + 0.6 * rng.normal(size=(60, 6))
    return vectors[:48].astype(np.float32), vectors[48:].astype(np.float32)


def test_every_reranking_that_a_parameter_may_name_is_there():
    assert list(rerankers.RERANKERS) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_with_nothing_hidden_is_that_of_its_paper(kind, world):
    gallery, queries = world
    order = rerankers.searcher(gallery, better_of(kind), 2)(queries, 60, None)
    assert (np.sort(order[:, :48]) == np.arange(48)).all()
    assert (order[:, 48:] == -1).all()
    search = indexes.build("exact", gallery)
    expected = search(queries, 48)[0]
    if kind == "query_expansion":
        expected = search(reranking.query_expansion(queries, gallery, expected[:, :4], 1.0), 48)[0]
    elif kind == "database_augmentation":
        expected = indexes.build("exact", reranking.database_augmentation(gallery, 4, 1.0))(queries, 48)[0]
    elif kind == "k_reciprocal":
        apart = reranking.k_reciprocal(queries, gallery, expected, 4, 3, 0.3)
        expected = np.take_along_axis(expected, apart.argsort(axis=1, kind="stable"), axis=1)
    assert (order[:, :48] == expected).all()


@pytest.mark.parametrize("wanted", [10, 48])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_hidden_might_as_well_not_be_there(kind, wanted, world):
    """Every query is answered as by a gallery that lacks what is hidden from it: its nearest, and copies of another."""
    gallery, queries = world
    nearest = indexes.build("exact", gallery)(queries, 1)[0][:, 0]
    codes = np.arange(len(gallery))
    codes[codes == nearest[0]] = codes[(nearest[0] + 1) % 48]  # two pictures are hidden from the first query
    asked = codes[nearest]
    asked[-1] = -1  # and nothing from the last
    more = 0 if kind == "k_reciprocal" else 2  # it ranks as many as are wanted, none of them hidden
    order = rerankers.searcher(gallery, better_of(kind), 2)(queries, wanted + more, (asked, codes))
    moved = 0
    for row, query in enumerate(queries):
        left = np.flatnonzero(codes != asked[row])
        alone = rerankers.searcher(gallery[left], better_of(kind), 2)(query[None], min(wanted, len(left)), None)[0]
        found = [place for place in order[row] if place >= 0 and codes[place] != asked[row]]
        assert found[: len(alone)] == left[alone].tolist()
        whole = rerankers.searcher(gallery, better_of(kind), 2)(query[None], 48, None)[0]
        moved += [place for place in whole if codes[place] != asked[row]][: len(alone)] != left[alone].tolist()
    assert (moved > 3) == (kind is not None)  # the hidden ones would have moved others


@pytest.mark.parametrize("kind", KINDS[1:])
def test_who_else_asks_changes_no_answer(kind, world):
    gallery, queries = world
    codes = np.arange(len(gallery)) // 2
    find = rerankers.searcher(gallery, better_of(kind), 2)
    hidden = np.arange(len(queries)) % 5
    together = find(queries, 20, (hidden, codes))
    for row in range(len(queries)):
        assert (find(queries[[row]], 20, (hidden[[row]], codes)) == together[row]).all()
