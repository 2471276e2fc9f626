"""How many there are of what: figures of counts by label. Nothing is computed here."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from pipeline.figures.style import PLAIN, done


def bars(counts: pd.Series, title: str, xlabel: str = "pictures") -> Figure:
    """One horizontal bar per label, in the order given, each with its number."""
    figure, axis = plt.subplots(figsize=(7, 0.6 + 0.24 * len(counts)), layout="constrained")
    drawn = axis.barh([str(label) for label in counts.index], counts.to_numpy(), color=PLAIN)
    axis.bar_label(drawn, labels=[f"{value:,}" for value in counts], padding=3, fontsize=8)
    axis.set(title=title, xlabel=xlabel, xmargin=0.12)
    axis.invert_yaxis()
    return done(figure)


def columns(counts: pd.Series, title: str, ylabel: str = "pictures") -> Figure:
    """One upright bar per label, in the order given: for labels with an order of their own, such as years."""
    figure, axis = plt.subplots(figsize=(7, 2.8), layout="constrained")
    drawn = axis.bar([str(label) for label in counts.index], counts.to_numpy(), color=PLAIN)
    axis.bar_label(drawn, labels=[f"{value:,}" for value in counts], fontsize=8)
    axis.set(title=title, ylabel=ylabel)
    return done(figure)


def cross_table(table: pd.DataFrame, title: str) -> Figure:
    """Two labels against each other: counts as numbers and as shades."""
    figure, axis = plt.subplots(
        figsize=(1.6 + 0.95 * len(table.columns), 1.2 + 0.36 * len(table)), layout="constrained"
    )
    if table.empty:  # the pictures lack one of the labels
        axis.set(xticks=[], yticks=[], xlabel="no picture has both labels")
    else:
        sns.heatmap(np.log1p(table), annot=table, fmt=",d", cmap="Blues", cbar=False, linewidths=0.5, ax=axis)
    axis.set_title(title)
    return done(figure)


def long_tail(counts: pd.Series, title: str) -> Figure:
    """Class sizes from largest to smallest on a logarithmic axis."""
    figure, axis = plt.subplots(figsize=(7, 2.8), layout="constrained")
    axis.step(np.arange(1, len(counts) + 1), counts.to_numpy(), where="mid", color=PLAIN)
    axis.fill_between(np.arange(1, len(counts) + 1), 0.8, counts.to_numpy(), step="mid", alpha=0.25, color=PLAIN)
    axis.set(title=title, xlabel="class, largest first", ylabel="pictures", yscale="log", ylim=(0.8, None))
    return done(figure)
