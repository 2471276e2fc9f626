"""The same queries under several searches: query after query, a row of neighbours for each search, with its name."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.figures import panel
from pipeline.retrieval.ranking import Neighbours


def side_by_side(data: str, frame: pd.DataFrame, found: dict[str, Neighbours], count: int, title: str) -> Figure:
    """The `count` nearest images of each query by each search, as `panel` draws them.

    Args:
        frame: catalogue rows, of the queries and of all that was found.
        found: by a search's name, what the same queries in one order found.

    Raises:
        ValueError: the searches were asked by other queries, or by none.
    """
    asked = {tuple(neighbours.query_ids) for neighbours in found.values()}
    if len(asked) != 1 or not next(iter(asked)):
        raise ValueError(f"the searches must have the same queries, one or more. Received: {sorted(asked)}")
    shown = [
        [
            {**row, "titles": [f"{row['titles'][0]}\n{name}", *row["titles"][1:]]}
            for row in panel.panel(data, frame, neighbours, np.arange(len(neighbours.query_ids)), count)
        ]
        for name, neighbours in found.items()
    ]
    return panel.neighbour_panel([row for of_query in zip(*shown, strict=True) for row in of_query], title)
