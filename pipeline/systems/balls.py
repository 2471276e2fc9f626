"""A ball tree's first step by hand, as document 000 tells it, and why balls hold everything in many dimensions."""

from typing import NamedTuple

import numpy as np
import pandas as pd

POINTS = np.array([[1, 2], [2, 6], [3, 4], [5, 6], [7, 8], [8, 3]], float)  # document 000, "Why Ball Tree?"
START = 3  # its random point, (5, 6)


class Halves(NamedTuple):
    """Points (N, D) cut in two: the two ends, where each point falls between them (N,), and which half it is in."""

    ends: tuple[int, int]
    along: np.ndarray
    second: np.ndarray


class Ball(NamedTuple):
    """The points of one half: their centroid (D,), the one farthest from it, and how far that is."""

    centre: np.ndarray
    farthest: int
    radius: float


def halves(points: np.ndarray, start: int) -> Halves:
    """Cuts points in two at the median of their projections on the line between two far ends: its steps 1 to 5.

    The first end is the point that is farthest from `start`, the second the one that is farthest from the first.
    Source: Omohundro (1989), "Five Balltree Construction Algorithms", is where such trees are from.

    >>> halves(POINTS, START).ends  # (1, 2), then (7, 8)
    (0, 4)
    """
    first = int(np.argmax(_distances(points, points[start])))
    other = int(np.argmax(_distances(points, points[first])))
    line = points[other] - points[first]
    along = (points - points[first]) @ line / (line @ line)
    return Halves((first, other), along, along > np.median(along))


def ball(points: np.ndarray, inside: np.ndarray) -> Ball:
    """The ball around some of the points: its steps 6 and 7."""
    members = np.flatnonzero(inside)
    centre = points[members].mean(axis=0)
    apart = _distances(points[members], centre)
    return Ball(centre, int(members[np.argmax(apart)]), float(apart.max()))


def concentration(vectors: np.ndarray, dimensions: list[int], queries: int, seed: int) -> pd.DataFrame:
    """A row per number of dimensions: how a query's nearest compares with its median distance, and what a ball spares.

    Of vectors of that many principal axes: `nearest / median`, the mean over queries of the least distance by the
    median one; `not ruled out`, the share of the two balls of one cut that a search must look into although its query
    lies in one of them: the nearest neighbour is farther than the ball's rim.
    Source: Beyer et al. (1999), "When Is Nearest Neighbor Meaningful?".
    """
    rng = np.random.default_rng(seed)
    asked = rng.permutation(len(vectors))[:queries]
    rows = []
    for count in dimensions:
        some = vectors[:, :count]
        cut = halves(some, int(asked[0]))
        balls = [ball(some, ~cut.second), ball(some, cut.second)]
        near, looked = [], []
        for query in asked:
            apart = np.delete(_distances(some, some[query]), query)
            near.append(apart.min() / max(float(np.median(apart)), 1e-12))
            rims = [np.linalg.norm(some[query] - one.centre) - one.radius for one in balls]
            looked.append(np.mean([rim <= apart.min() for rim in rims]))
        rows.append({"dimensions": count, "nearest / median": np.mean(near), "not ruled out": np.mean(looked)})
    return pd.DataFrame(rows)


def _distances(points: np.ndarray, point: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points - point, axis=1)
