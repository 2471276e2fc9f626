"""Figures of the four smaller documents' systems. Frames in, figures out; nothing is computed here."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from pipeline.figures.style import GREY, RIGHT, done, legend_beside


def growth(table: pd.DataFrame, time: str, title: str) -> Figure:
    """Time against number of images, a line per `index`, a panel per number of `components`; both axes in powers."""
    counts = sorted(table["components"].unique())
    figure, axes = plt.subplots(
        1, len(counts), figsize=(3.1 * len(counts) + 1.4, 3.2), sharey=True, squeeze=False, layout="constrained"
    )
    names = list(table["index"].unique())
    for axis, count in zip(axes[0], counts, strict=True):
        rows = table[(table["components"] == count) & table[time].notna()]
        for name, colour in zip(names, sns.color_palette("husl", len(names)), strict=True):
            one = rows[rows["index"] == name].sort_values("pictures")
            axis.plot(one["pictures"], one[time], marker="o", markersize=3, color=colour, label=name)
        axis.set(xscale="log", yscale="log", title=f"{count} dimensions", xlabel="pictures")
    axes[0][0].set(ylabel=time)
    legend_beside(axes[0][-1])
    figure.suptitle(title)
    return done(figure)


def ball_tree(points: np.ndarray, ends: tuple[int, int], second: np.ndarray, balls: list[tuple]) -> Figure:
    """Points on a plane (N, 2), the line between the two ends, and the balls (centre, farthest point, radius)."""
    figure, axis = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    axis.plot(*points[list(ends)].T, "--", color=GREY, linewidth=1)
    axis.scatter(points[:, 0], points[:, 1], c=np.where(second, 1, 0), cmap="coolwarm", s=40, zorder=3)
    for point in points:
        axis.annotate(f"({point[0]:g}, {point[1]:g})", point, xytext=(5, 4), textcoords="offset points", fontsize=8)
    for centre, _, radius in balls:
        axis.add_patch(plt.Circle(centre, radius, fill=False, color=GREY))
        axis.plot(*centre, "k.", markersize=6)
    axis.set(xlim=(-2, 11), ylim=(-1, 12), aspect="equal", xlabel="x", ylabel="y")
    return done(figure)


def concentration(table: pd.DataFrame) -> Figure:
    """The nearest distance by the median one, and the share of balls that cannot be passed over, against dimensions."""
    figure, axis = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for name, colour in zip(table.columns[1:], sns.color_palette("deep"), strict=False):
        axis.plot(table["dimensions"], table[name], marker="o", markersize=4, color=colour, label=name)
    axis.set(xscale="log", xlabel="dimensions", ylim=(0, 1.05))
    legend_beside(axis)
    return done(figure)


def found_and_time(table: pd.DataFrame, time: str, title: str) -> Figure:
    """A point per index and number of components: the share of the exact neighbours that it finds against its time."""
    figure, axis = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
    sns.scatterplot(table, x=time, y="overlap", hue="index", style="components", s=60, ax=axis)
    axis.set(xscale="log", title=title, ylabel="overlap with the exact neighbours")
    sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), frameon=False)
    return done(figure)


def weights(table: pd.DataFrame, group: str, title: str) -> Figure:
    """mAP and interval against the image's `weight`, a colour per `group`, a panel per relevance; a dot where `best`.

    Dashed: a text that can spell out the label that the search is judged by.
    """
    names, groups = list(table["relevance"].unique()), list(table[group].unique())
    figure, axes = plt.subplots(
        1, len(names), figsize=(3.6 * len(names) + 1.6, 3.4), squeeze=False, layout="constrained"
    )
    for axis, relevance in zip(axes[0], names, strict=True):
        for name, colour in zip(groups, sns.color_palette("deep", len(groups)), strict=True):
            rows = table[(table["relevance"] == relevance) & (table[group] == name)]
            style = "--" if rows["circular"].any() else "-"
            axis.plot(rows["weight"], rows["mAP"], style, color=colour, label=name)
            axis.fill_between(rows["weight"], rows["low"], rows["high"], color=colour, alpha=0.15, linewidth=0)
            chosen = rows[rows["weight"] == rows["best"]]
            axis.plot(chosen["weight"], chosen["mAP"], "o", color=colour)
        axis.set(title=relevance, xlabel="the image's weight", ylim=(0, None))
    axes[0][0].set(ylabel="mAP")
    legend_beside(axes[0][-1])
    figure.suptitle(title)
    return done(figure)


def disturbances(table: pd.DataFrame, title: str) -> Figure:
    """AP@n with its interval per `kind` of photo, a colour per `crop`, a panel per `encoder`."""
    encoders, kinds, crops = (list(table[name].unique()) for name in ("encoder", "kind", "crop"))
    figure, axes = plt.subplots(
        1,
        len(encoders),
        figsize=(3.4 * len(encoders) + 1.6, 0.9 + 0.42 * len(kinds)),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis, encoder in zip(axes[0], encoders, strict=True):
        for shift, (crop, colour) in enumerate(zip(crops, sns.color_palette("deep", len(crops)), strict=True)):
            rows = table[(table["encoder"] == encoder) & (table["crop"] == crop)]
            places = [kinds.index(kind) + 0.2 * (shift - (len(crops) - 1) / 2) for kind in rows["kind"]]
            axis.hlines(places, rows["low"], rows["high"], color=colour)
            axis.plot(rows["value"], places, "o", markersize=4, color=colour, label=crop)
        axis.set(title=encoder, xlim=(0, None), yticks=range(len(kinds)), yticklabels=kinds)
    axes[0][0].invert_yaxis()
    legend_beside(axes[0][-1])
    figure.suptitle(title)
    return done(figure)


def proposals(pictures: list[np.ndarray], told: dict[str, list[list[tuple]]]) -> Figure:
    """A row per photo, a column per way to find boxes (x, y, width, height): the boxes, and how many there are."""
    shape = len(pictures), len(told)
    figure, axes = plt.subplots(*shape, figsize=(1.55 * shape[1], 1.75 * shape[0]), squeeze=False, layout="constrained")
    for column, (way, lists) in enumerate(told.items()):
        for axis, picture, boxes in zip(axes[:, column], pictures, lists, strict=True):
            axis.axis("off")
            axis.imshow(picture)
            axis.set_title(f"{way}: {len(boxes)}", fontsize=7)
            for box in boxes:
                axis.add_patch(plt.Rectangle(box[:2], *box[2:], fill=False, color=RIGHT, linewidth=0.8))
    return done(figure)


def confusion(matrix: pd.DataFrame, title: str) -> Figure:
    """Shares of each row: the true class (down) and the predicted one (across), the right ones on the diagonal."""
    side = 2.2 + 0.17 * len(matrix)
    figure, axis = plt.subplots(figsize=(side + 0.6, side), layout="constrained")
    shares = matrix.div(matrix.sum(axis=1).replace(0, 1), axis=0)
    sns.heatmap(
        shares,
        cmap="Blues",
        vmin=0,
        vmax=1,
        square=True,
        ax=axis,
        xticklabels=True,
        yticklabels=True,
        cbar_kws={"shrink": 0.5, "label": "share of the row"},
    )
    axis.set(title=title, xlabel="predicted", ylabel="true")
    axis.tick_params(labelsize=6)
    return done(figure)


def photo_grid(pictures: list[np.ndarray], titles: list[str], boxes: list[tuple | None], across: int = 7) -> Figure:
    """Photos with their boxes (x, y, width, height) drawn in."""
    rows = -(-len(pictures) // across)
    figure, axes = plt.subplots(rows, across, figsize=(1.35 * across, 1.5 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture, title, box in zip(axes.flat, pictures, titles, boxes, strict=False):
        axis.imshow(picture)
        axis.set_title(title, fontsize=7)
        if box is not None:
            axis.add_patch(plt.Rectangle(box[:2], *box[2:], fill=False, color=RIGHT, linewidth=1))
        else:
            axis.add_patch(plt.Rectangle((0, 0), picture.shape[1] - 1, picture.shape[0] - 1, fill=False, color=GREY))
    return done(figure)
