"""A ball tree by hand: document 000's own points come out as it has them; a cut is one whatever the points."""

import numpy as np
import pytest

from pipeline.systems import balls


def test_the_six_points_are_cut_as_the_document_cuts_them():
    cut = balls.halves(balls.POINTS, balls.START)
    assert [balls.POINTS[end].tolist() for end in cut.ends] == [[1, 2], [7, 8]]
    first, second = balls.ball(balls.POINTS, ~cut.second), balls.ball(balls.POINTS, cut.second)
    assert balls.POINTS[first.farthest].tolist() == [1, 2]
    assert balls.POINTS[second.farthest].tolist() == [8, 3]
    assert balls.POINTS[~cut.second].tolist() == [[1, 2], [2, 6], [3, 4]]
    assert first.centre == pytest.approx([2, 4])
    assert first.radius == pytest.approx(np.hypot(1, 2))


def test_a_ball_holds_its_points_and_the_halves_are_equal(rng):
    points = rng.normal(size=(40, 5))
    cut = balls.halves(points, 7)
    assert cut.second.sum() == 20
    for inside in (cut.second, ~cut.second):
        one = balls.ball(points, inside)
        apart = np.linalg.norm(points[inside] - one.centre, axis=1)
        assert apart.max() == pytest.approx(one.radius)
        assert inside[one.farthest]
    assert cut.along[cut.second].min() > cut.along[~cut.second].max()


def test_distances_concentrate_where_dimensions_are_many(rng):
    table = balls.concentration(rng.normal(size=(400, 64)), [1, 2, 64], queries=30, seed=0).set_index("dimensions")
    assert table["nearest / median"].is_monotonic_increasing
    assert table["nearest / median"][1] < 0.05 < 0.6 < table["nearest / median"][64]
    assert table["not ruled out"][64] == 1
    assert table["not ruled out"][1] < 0.95


def test_a_ratio_equals_a_slow_loop(rng):
    vectors = rng.normal(size=(12, 3))
    table = balls.concentration(vectors, [2], queries=12, seed=0)
    ratios = []
    for query in range(12):
        apart = [np.hypot(*(vectors[query, :2] - vectors[other, :2])) for other in range(12) if other != query]
        ratios.append(min(apart) / np.median(apart))
    assert table["nearest / median"][0] == pytest.approx(np.mean(ratios))
