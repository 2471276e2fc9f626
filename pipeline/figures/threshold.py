"""What a threshold among distances does. Nothing is computed here."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.figures.style import GREY, PLAIN, QUERY, RIGHT, WRONG, done, legend_beside


def curve(table: pd.DataFrame, best: float, single: pd.Series, title: str) -> Figure:
    """Precision, recall and F1 against the threshold; a line at the best; bars: thresholds read off one query each."""
    figure, axis = plt.subplots(figsize=(7.5, 3), layout="constrained")
    reached = table[table["recall"] < 0.9]
    for name, colour in (("precision", RIGHT), ("recall", PLAIN), ("F1", QUERY)):
        axis.plot(reached["threshold"], reached[name], color=colour, label=name)
    axis.axvline(best, color=WRONG, linestyle="--", label="best F1 on train")
    far = float(reached["threshold"].max()) if len(reached) else best
    other = axis.twinx()
    other.hist(single[np.isfinite(single) & (single <= far)], bins=60, color=GREY, alpha=0.5)
    axis.plot([], [], color=GREY, linewidth=8, alpha=0.5, label="thresholds read off\none query each")
    other.set(ylabel="queries", yticks=[])
    axis.set(title=title, xlabel="threshold", ylim=(0, 1.02), zorder=other.get_zorder() + 1, facecolor="none")
    legend_beside(axis, 1.03)
    return done(figure)
