"""A panel to look at: some queries, each with its nearest neighbours, right ones and wrong ones told apart."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline import paths
from pipeline.data import catalog, images
from pipeline.figures.style import QUERY, RIGHT, WRONG, done
from pipeline.retrieval.ranking import Neighbours


def panel(data: str, frame: pd.DataFrame, neighbours: Neighbours, rows: np.ndarray, count: int) -> list[dict]:
    """What `neighbour_panel` draws: images, titles and whether each neighbour has its query's articleType."""
    types = frame.set_index(catalog.ID)[catalog.ARTICLE]
    shown = []
    for row in rows:
        query, nearest = neighbours.query_ids[row], neighbours.gallery_ids[row, :count]
        loaded = images.load(paths.images(data), [query, *nearest])
        pairs = zip(nearest, neighbours.distances[row, :count], strict=True)
        titles = [str(types[query]), *(f"{types[item]}\n{distance:.3g}" for item, distance in pairs)]
        right = [bool(types[item] == types[query]) for item in nearest]
        shown.append({"query": loaded[0], "neighbours": loaded[1:], "titles": titles, "right": right})
    return shown


def neighbour_panel(rows: list[dict], title: str) -> Figure:
    """A row per query: the query, then its neighbours, nearest first, framed green where right and red where wrong.

    Args:
        rows: per query a dictionary with `query` and `neighbours` (images), `titles` (one per image, the
            query's first) and `right` (one bool per neighbour).
    """
    across = max(len(row["neighbours"]) for row in rows) + 1
    figure, axes = plt.subplots(
        len(rows), across, figsize=(1.12 * across, 1.75 * len(rows)), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.set_visible(False)
    for row, place in zip(rows, axes, strict=True):
        colours = [QUERY, *(RIGHT if right else WRONG for right in row["right"])]
        marks = ["query", *("✓" if right else "✗" for right in row["right"])]
        for axis, image, text, colour, mark in zip(
            place, [row["query"], *row["neighbours"]], row["titles"], colours, marks, strict=False
        ):
            axis.set_visible(True)
            axis.imshow(image)
            axis.set_title(f"{mark} {text}", fontsize=6.5, color=colour)
            for side in axis.spines.values():
                side.set(color=colour, linewidth=2.5)
    figure.suptitle(title, fontsize=10)
    return done(figure)
