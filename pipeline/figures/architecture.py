"""What a network and a study are made of: the maps on a picture's way, and the stages one after the other."""

from graphlib import TopologicalSorter
from math import log2

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pipeline.figures.style import GREY, PLAIN, QUERY, done


def shape(maps: list[tuple[int, int, int]], title: str) -> Figure:
    """A box for each map, as tall as the map's height and the wider the more features it has (as their logarithm).

    Args:
        maps: height, width, features, in the picture's order.
    """
    figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
    tallest, left = max((height for height, _, _ in maps), default=1), 0.0
    for height, width, features in maps:
        tall, wide = height / tallest, log2(features + 1) / 12
        axis.add_patch(Rectangle((left, -tall / 2), wide, tall, facecolor=PLAIN, edgecolor=QUERY, alpha=0.7))
        axis.text(left + wide / 2, -0.56, f"{height}×{width}\n×{features}", ha="center", va="top", fontsize=8)
        left += wide + 0.35
    axis.set(title=title, xlim=(-0.1, left), ylim=(-0.8, 0.55))
    axis.axis("off")
    return done(figure)


def flow(follows: dict[str, list[str]], title: str) -> Figure:
    """A box for each stage, below all that it follows from, with an arrow from each that no other of them follows from.

    Args:
        follows: by stage, the stages that it follows from; in no circle.
    """
    rows: list[list[str]] = []
    above: dict[str, set[str]] = {}
    order = TopologicalSorter(follows)
    order.prepare()
    while order.is_active():
        row = sorted(order.get_ready(), key=list(follows).index)
        above |= {name: {*follows[name], *(far for other in follows[name] for far in above[other])} for name in row}
        rows.append(row)
        order.done(*row)
    places = {name: (2 * (i - (len(row) - 1) / 2), -y) for y, row in enumerate(rows) for i, name in enumerate(row)}
    wide = max(len(row) for row in rows)
    figure, axis = plt.subplots(figsize=(max(6.0, 1.7 * wide), 0.85 * len(rows)), layout="constrained")
    for name, before in follows.items():
        for other in [one for one in before if not any(one in above[nearer] for nearer in before)]:
            arrow = {"arrowstyle": "->", "color": GREY, "shrinkA": 8, "shrinkB": 8, "lw": 0.8}
            axis.annotate("", places[name], places[other], arrowprops=arrow)
    for name, (x, y) in places.items():
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": PLAIN}
        axis.text(x, y, name.replace("_", " "), ha="center", va="center", fontsize=8, bbox=box)
    axis.set(title=title, xlim=(-wide, wide), ylim=(0.6 - len(rows), 0.4))
    axis.axis("off")
    return done(figure)
