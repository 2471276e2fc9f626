"""A panel to look at: some queries, each with its nearest neighbours, right ones and wrong ones told apart."""

import numpy as np
import pandas as pd

from pipeline import paths
from pipeline.data import catalog, images
from pipeline.retrieval.ranking import Neighbours


def panel(data: str, frame: pd.DataFrame, neighbours: Neighbours, rows: np.ndarray, count: int) -> list[dict]:
    """What `plots.neighbour_panel` draws: images, titles and whether each neighbour has its query's articleType."""
    types = frame.set_index(catalog.ID)[catalog.ARTICLE]
    shown = []
    for row in rows:
        query, nearest = neighbours.query_ids[row], neighbours.gallery_ids[row, :count]
        pictures = images.load(paths.images(data), [query, *nearest])
        pairs = zip(nearest, neighbours.distances[row, :count], strict=True)
        titles = [str(types[query]), *(f"{types[item]}\n{distance:.3g}" for item, distance in pairs)]
        right = [bool(types[item] == types[query]) for item in nearest]
        shown.append({"query": pictures[0], "neighbours": pictures[1:], "titles": titles, "right": right})
    return shown
