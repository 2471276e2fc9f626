"""Frames and arrays in, figures out. Nothing is computed here: what a figure shows stands in the frame it was given."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

RIGHT, WRONG, QUERY, PLAIN = "#2e8b57", "#c0392b", "#34495e", "#4c78a8"
GREY = "#9aa0a6"  # what is there for comparison


def bars(counts: pd.Series, title: str, xlabel: str = "pictures") -> Figure:
    """One horizontal bar per label, in the order given, each with its number."""
    figure, axis = plt.subplots(figsize=(7, 0.6 + 0.24 * len(counts)), layout="constrained")
    axis.barh([str(label) for label in counts.index], counts.to_numpy(), color=PLAIN)
    axis.bar_label(axis.containers[0], labels=[f"{value:,}" for value in counts], padding=3, fontsize=8)
    axis.set(title=title, xlabel=xlabel, xmargin=0.12)
    axis.invert_yaxis()
    return done(figure)


def columns(counts: pd.Series, title: str, ylabel: str = "pictures") -> Figure:
    """One upright bar per label, in the order given: for labels with an order of their own, such as years."""
    figure, axis = plt.subplots(figsize=(7, 2.8), layout="constrained")
    axis.bar([str(label) for label in counts.index], counts.to_numpy(), color=PLAIN)
    axis.bar_label(axis.containers[0], labels=[f"{value:,}" for value in counts], fontsize=8)
    axis.set(title=title, ylabel=ylabel)
    return done(figure)


def cross_table(table: pd.DataFrame, title: str) -> Figure:
    """Two labels against each other: counts as numbers and as shades."""
    figure, axis = plt.subplots(
        figsize=(1.6 + 0.95 * len(table.columns), 1.2 + 0.36 * len(table)), layout="constrained"
    )
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


def picture_grid(pictures: Sequence[np.ndarray], titles: Sequence[str], across: int = 10) -> Figure:
    """Images (height, width, 3) in rows, each under its title."""
    rows = -(-len(pictures) // across)
    figure, axes = plt.subplots(rows, across, figsize=(0.95 * across, 1.55 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture, title in zip(axes.flat, pictures, titles, strict=False):
        axis.imshow(picture)
        axis.set_title(title, fontsize=6.5)
    return done(figure)


def neighbour_panel(panel: list[dict], title: str) -> Figure:
    """A row per query: the query, then its neighbours, nearest first, framed green where right and red where wrong.

    Args:
        panel: per query a dictionary with `query` and `neighbours` (images), `titles` (one per image, the
            query's first) and `right` (one bool per neighbour).
    """
    across = max(len(row["neighbours"]) for row in panel) + 1
    figure, axes = plt.subplots(
        len(panel), across, figsize=(1.12 * across, 1.75 * len(panel)), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.set_visible(False)
    for row, place in zip(panel, axes, strict=True):
        colours = [QUERY, *(RIGHT if right else WRONG for right in row["right"])]
        marks = ["query", *("✓" if right else "✗" for right in row["right"])]
        for axis, picture, text, colour, mark in zip(
            place, [row["query"], *row["neighbours"]], row["titles"], colours, marks, strict=False
        ):
            axis.set_visible(True)
            axis.imshow(picture)
            axis.set_title(f"{mark} {text}", fontsize=6.5, color=colour)
            for side in axis.spines.values():
                side.set(color=colour, linewidth=2.5)
    figure.suptitle(title, fontsize=10)
    return done(figure)


def training_curves(history: pd.DataFrame) -> Figure:
    """Against the epoch: the loss and each of its terms while learning, and what the validated part says."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    validated = [name for name in history if name.startswith("validation_")]
    losses = [name for name in history if name not in ("epoch", *validated)]
    losses.sort(key="loss".__ne__)  # the sum before its terms
    for axis, names, title in zip(axes, (losses, validated), ("loss, learning", "validation"), strict=True):
        for name in names:
            whole = name in ("loss", "validation_mAP")
            label = name.removeprefix("validation_").replace("_", " ")
            axis.plot(history["epoch"], history[name], "o-" if whole else ".--", lw=2 if whole else 1, label=label)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(frameon=False, fontsize=7)
    return done(figure)


def distribution(values: pd.DataFrame, value: str, group: str, title: str) -> Figure:
    """The distribution of a value in each group, every group scaled to the same area."""
    figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
    sns.histplot(values, x=value, hue=group, stat="density", common_norm=False, bins=50, element="step", ax=axis)
    axis.set_title(title)
    return done(figure)


def against_chance(table: pd.DataFrame, label: str, title: str) -> Figure:
    """A bar per row of `table` from 0 to its `value`, with its `chance` level as a black mark."""
    figure, axis = plt.subplots(figsize=(7, 0.8 + 0.32 * len(table)), layout="constrained")
    axis.barh(table[label], table["value"], color=PLAIN)
    axis.bar_label(axis.containers[0], fmt="%.3f", padding=3, fontsize=8)
    axis.scatter(table["chance"], table[label], marker="|", s=140, color="black", label="chance", zorder=3)
    axis.set(title=title, xlim=(0, 1.05))
    axis.invert_yaxis()
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return done(figure)


def grouped(table: pd.DataFrame, x: str, y: str, group: str, title: str) -> Figure:
    """Bars of `value` along y, one colour per group."""
    figure, axis = plt.subplots(figsize=(7.5, 0.9 + 0.42 * table[y].nunique()), layout="constrained")
    sns.barplot(table, x=x, y=y, hue=group, errorbar=None, ax=axis)
    axis.set(title=title, xlabel=x, ylabel="")
    sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), frameon=False, title=None)
    return done(figure)


def lines(table: pd.DataFrame, x: str, y: str, group: str, title: str) -> Figure:
    """One line per group."""
    figure, axis = plt.subplots(figsize=(7.5, 3), layout="constrained")
    sns.lineplot(table, x=x, y=y, hue=group, marker="o", errorbar=None, ax=axis)
    axis.set(title=title, xticks=sorted(table[x].unique()))
    sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), frameon=False, title=None)
    return done(figure)


def threshold_curve(curve: pd.DataFrame, best: float, single: pd.Series, title: str) -> Figure:
    """Precision, recall and F1 against the threshold; a line at the best; bars: thresholds read off one query each."""
    figure, axis = plt.subplots(figsize=(7.5, 3), layout="constrained")
    reached = curve[curve["recall"] < 0.9]
    for name, colour in (("precision", RIGHT), ("recall", PLAIN), ("F1", QUERY)):
        axis.plot(reached["threshold"], reached[name], color=colour, label=name)
    axis.axvline(best, color=WRONG, linestyle="--", label="best F1 on train")
    far = float(reached["threshold"].max()) if len(reached) else best
    other = axis.twinx()
    other.hist(single[np.isfinite(single) & (single <= far)], bins=60, color=GREY, alpha=0.5)
    axis.plot([], [], color=GREY, linewidth=8, alpha=0.5, label="thresholds read off\none query each")
    other.set(ylabel="queries", yticks=[])
    axis.set(title=title, xlabel="threshold", ylim=(0, 1.02), zorder=other.get_zorder() + 1, facecolor="none")
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.03, 1))
    return done(figure)


def done(figure: Figure) -> Figure:
    """Closed, so that a notebook shows it once, as the cell's value."""
    plt.close(figure)
    return figure
