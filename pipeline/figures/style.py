"""What all figures share: colours, a legend beside the axes, and how a figure is handed over."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RIGHT, WRONG, QUERY, PLAIN = "#2e8b57", "#c0392b", "#34495e", "#4c78a8"
GREY = "#9aa0a6"  # what is there for comparison


def legend_beside(axis: Axes, start: float = 1.0, **options) -> None:
    """A legend at the right of the axes; `start` in their widths."""
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(start, 1), **options)


def done(figure: Figure) -> Figure:
    """Closed, so that a notebook shows it once, as the cell's value."""
    plt.close(figure)
    return figure
