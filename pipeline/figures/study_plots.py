"""Figures of chapter 5. Frames in, figures out; nothing is computed here.

Colours: green holds, red does not, blue is a value, grey is for comparison.
"""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.evaluation.keys import split
from pipeline.figures.style import GREY, PLAIN, QUERY, RIGHT, WRONG, done, legend_beside

VERDICT_COLOURS = [RIGHT, "#e0a030", WRONG, "#8e44ad", "#5b9bd5", GREY, "#dfe3e6"]


def self_match(table: pd.DataFrame, reported: dict[str, float], title: str) -> Figure:
    """mAP and hit@1 against the size of the subset, with the query in it and without; dotted: what was reported.

    Args:
        table: `self_match.table`, of the retrievals to show.
        reported: mAP by the name of the thesis's model.
    """
    names = table["retrieval"].unique()
    lines = -(-(len(names) + 2) // 3)  # of the legend, below
    figure, axes = plt.subplots(1, 2, figsize=(10, max(4, 3.2 + 0.2 * lines)), layout="constrained")
    palette = dict(zip(names, sns.color_palette("deep" if len(names) <= 10 else "husl", len(names)), strict=True))
    for axis, metric in zip(axes, ["mAP", "hit@1"], strict=True):
        for name, rows in table[table["metric"] == metric].groupby("retrieval", sort=False):
            axis.plot(rows["pictures"], rows["query in"], "o-", color=palette[name], label=name)
            axis.plot(rows["pictures"], rows["query out"], "o--", color=palette[name], markerfacecolor="white")
        axis.set(title=f"{metric}, articleType", xlabel="pictures, queries and gallery at once", xscale="log")
        axis.set_xticks(
            sorted(table["pictures"].unique()), [f"{size:,}" for size in sorted(table["pictures"].unique())]
        )
        axis.minorticks_off()
    for name, value in reported.items():
        axes[0].axhline(value, color=GREY, linestyle=":", linewidth=1)
        axes[0].text(
            table["pictures"].max(), value, f"{name} (thesis)", fontsize=7, ha="right", va="bottom", color=QUERY
        )
    axes[0].plot([], [], "k-", label="query left in"), axes[0].plot([], [], "k--", label="query taken out")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=11)
    return done(figure)


def intervals(table: pd.DataFrame, group: str, title: str) -> Figure:
    """A dot and interval per row (`value`, `low`, `high`) along `encoder`, one colour per `group`; chance as a mark."""
    names, groups = list(table["encoder"].unique()), list(table[group].unique())
    figure, axis = plt.subplots(figsize=(8, 0.9 + 0.42 * len(names)), layout="constrained")
    for shift, (name, colour) in enumerate(zip(groups, sns.color_palette("deep", len(groups)), strict=True)):
        rows = table[table[group] == name]
        places = [names.index(encoder) + 0.22 * (shift - (len(groups) - 1) / 2) for encoder in rows["encoder"]]
        spread = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        axis.errorbar(rows["value"], places, xerr=spread, fmt="o", markersize=4, color=colour, label=name)
    axis.scatter(
        table["chance"],
        [names.index(name) for name in table["encoder"]],
        marker="|",
        s=140,
        color="black",
        label="chance",
    )
    axis.set(title=title, yticks=range(len(names)), xlim=(0, None))
    axis.set_yticklabels(names)
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    legend_beside(axis)
    return done(figure)


def differences(table: pd.DataFrame, title: str) -> Figure:
    """A row per difference: thick its own interval, thin the one holding for all at once; green and red clear of 0."""
    figure, axis = plt.subplots(figsize=(8.5, 1.1 + 0.3 * len(table)), layout="constrained")
    labels, several = [], table["what"].nunique() > 1
    for place, row in enumerate(table.to_dict("records")):
        colour = RIGHT if row["low of all"] > 0 else WRONG if row["high of all"] < 0 else GREY
        axis.plot([row["low of all"], row["high of all"]], [place, place], color=colour, linewidth=1)
        axis.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=4)
        axis.plot(row["difference"], place, "o", color="white", markeredgecolor=colour, markersize=5)
        kind = f"{row['what']}: " if several else ""
        labels.append(f"{kind}{split(row['first'])[0]} − {split(row['second'])[0]}")
    axis.axvline(0, color="black", linewidth=0.8)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.set(title=title, yticks=range(len(labels)), ylim=(-0.6, len(labels) - 0.4), xlabel="difference of mAP")
    axis.set_yticklabels(labels, fontsize=7.5)
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    return done(figure)


def heatmap(table: pd.DataFrame, title: str) -> Figure:
    """Numbers from 0 to 1 as shades, each written in its field."""
    figure, axis = plt.subplots(figsize=(3 + 1.45 * len(table.columns), 1.1 + 0.34 * len(table)), layout="constrained")
    sns.heatmap(
        table.astype(float), annot=True, fmt=".3f", cmap="Blues", vmin=0, vmax=1, cbar=False, linewidths=0.5, ax=axis
    )
    axis.set(title=title, ylabel="", xlabel="")
    axis.set_xticklabels([str(name).replace("+", " +\n") for name in table.columns])
    return done(figure)


def by_class(table: pd.DataFrame, retrievals: list[str], title: str) -> Figure:
    """A point per label and retrieval: mAP against the number of right images, with a line of chance."""
    figure, axis = plt.subplots(figsize=(8, 3.8), layout="constrained")
    for name, colour in zip(retrievals, [GREY, PLAIN], strict=False):
        axis.scatter(table["relevant"], table[name], s=14, color=colour, alpha=0.8, label=name)
    ordered = table.sort_values("relevant")
    axis.plot(ordered["relevant"], ordered["chance"], color="black", linewidth=0.8, label="chance")
    scale = "log" if (table["relevant"] > 0).any() else "linear"  # pictures without a label have none
    axis.set(title=title, xscale=scale, xlabel="right pictures in the gallery", ylabel="mAP", ylim=(0, 1.02))
    legend_beside(axis)
    return done(figure)


def stacked(table: pd.DataFrame, label: str, columns: list[str], title: str) -> Figure:
    """Shares that add up to 1, a bar per row, in the columns' order from green to red."""
    figure, axis = plt.subplots(figsize=(8, 0.9 + 0.34 * len(table)), layout="constrained")
    left = pd.Series(0.0, index=table.index)
    for name, colour in zip(columns, [RIGHT, "#b7d7a8", "#f0b27a", WRONG], strict=True):
        bars = axis.barh(table[label], table[name], left=left, color=colour, label=name)
        axis.bar_label(bars, labels=[f"{value:.0%}" for value in table[name]], label_type="center", fontsize=7)
        left = left + table[name]
    axis.set(title=title, xlim=(0, 1), ylim=(len(table) - 0.4, -0.6))
    legend_beside(axis)
    return done(figure)


def maps(drawn: dict[str, pd.DataFrame], across: int, title: str) -> Figure:
    """A scatter per name, of the columns `x`, `y`, coloured by `label`; the labels' colours are the same in all."""
    labels = sorted({label for frame in drawn.values() for label in frame["label"].unique()})
    palette = dict(zip(labels, sns.color_palette("tab10" if len(labels) <= 10 else "husl", len(labels)), strict=True))
    rows = -(-len(drawn) // across)
    figure, axes = plt.subplots(rows, across, figsize=(3.3 * across, 3.2 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, (name, frame) in zip(axes.flat, drawn.items(), strict=False):
        axis.scatter(frame["x"], frame["y"], s=3, c=frame["label"].map(palette).tolist(), linewidths=0)
        axis.set_title(name, fontsize=8)
    handles = [plt.Line2D([], [], marker="o", linestyle="", color=palette[label], label=label) for label in labels]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=7, frameon=False)
    figure.suptitle(title, fontsize=11)
    return done(figure)


def connectivity(frame: pd.DataFrame, edges: pd.DataFrame, title: str) -> Figure:
    """UMAP's graph: the images (`x`, `y`, `label`) and a line per edge, the darker the heavier."""
    figure, axis = plt.subplots(figsize=(7.5, 6), layout="constrained")
    points = frame[["x", "y"]].to_numpy()
    segments = points[edges[["from", "to"]].to_numpy(int)]
    colours = [(0.2, 0.2, 0.25, 0.35 * weight) for weight in edges["weight"]]
    axis.add_collection(LineCollection(segments, colors=colours, linewidths=0.4))
    sns.scatterplot(
        frame,
        x="x",
        y="y",
        hue="label",
        hue_order=sorted(frame["label"].unique()),
        s=9,
        linewidth=0,
        palette="tab10",
        ax=axis,
    )
    axis.set(title=title, xticks=[], yticks=[], xlabel="", ylabel="")
    sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), frameon=False, title=None)
    return done(figure)


def components(table: pd.DataFrame, title: str) -> Figure:
    """mAP, with its interval, and the share of variance kept, against the number of principal components.

    The cross on the right axis's height is the features as extracted (`components` 0).
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    for (name, rows), colour in zip(
        table.groupby("encoder", sort=False), sns.color_palette("husl", table["encoder"].nunique()), strict=True
    ):
        reduced = rows[rows["components"] > 0]
        axes[0].plot(reduced["components"], reduced["variance"], ".-", color=colour, label=name)
        axes[1].plot(reduced["components"], reduced["mAP"], ".-", color=colour)
        axes[1].fill_between(reduced["components"], reduced["low"], reduced["high"], color=colour, alpha=0.15)
        axes[1].axhline(rows.loc[rows["components"] == 0, "mAP"].iloc[0], color=colour, linestyle=":", linewidth=1)
    axes[0].axhline(0.9, color="black", linewidth=0.8)
    axes[0].set(title="share of variance kept", xscale="log", xlabel="principal components", ylim=(0, 1.02))
    axes[1].set(
        title="mAP, articleType (dotted: as extracted)", xscale="log", xlabel="principal components", ylim=(0, None)
    )
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=7)
    figure.suptitle(title, fontsize=11)
    return done(figure)


def clusters(table: pd.DataFrame, title: str) -> Figure:
    """Silhouette against the number of clusters, a line per encoder; the dot is its highest."""
    figure, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
    lines = table["silhouette"].unstack("encoder", sort=False).sort_index()
    for name, colour in zip(lines, sns.color_palette("husl", lines.shape[1]), strict=True):
        best = lines[name].idxmax()
        axis.plot(lines.index, lines[name], color=colour, label=f"{name}: {best}")
        axis.plot(best, lines[name][best], "o", color=colour)
    axis.set(title=title, xlabel="clusters", ylabel="silhouette", xticks=lines.index)
    legend_beside(axis, fontsize=7)
    return done(figure)


def precision_recall(table: pd.DataFrame, title: str) -> Figure:
    """Precision against recall per retrieval: solid on the train part (a dot where `best`), dashed on the test part."""
    figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
    names = table["retrieval"].unique()
    for name, colour in zip(names, sns.color_palette("husl", len(names)), strict=True):
        for part, style in (("train", "-"), ("test", "--")):
            rows = table[(table["retrieval"] == name) & (table["part"] == part)]
            axis.plot(rows["recall"], rows["precision"], style, color=colour, label=name if part == "train" else None)
        rows = table[(table["retrieval"] == name) & (table["part"] == "train") & table["best"]]
        axis.plot(rows["recall"], rows["precision"], "o", color=colour)
    axis.set(title=title, xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axis.grid(alpha=0.3)
    legend_beside(axis, fontsize=8)
    return done(figure)


def transferred(table: pd.DataFrame, title: str) -> Figure:
    """Per retrieval: the F1 of the threshold chosen on the train part, and that of one read off a single image."""
    figure, axis = plt.subplots(figsize=(8, 0.9 + 0.26 * len(table)), layout="constrained")
    axis.hlines(table["retrieval"], table["one picture, F1"], table["F1"], color=GREY, linewidth=1.5)
    axis.plot(table["F1"], table["retrieval"], "o", color=RIGHT, label="chosen on train")
    axis.plot(table["one picture, F1"], table["retrieval"], "o", color=WRONG, label="read off one picture (median)")
    axis.set(title=title, xlabel="F1 over all pairs of test queries", xlim=(0, None))
    axis.tick_params(axis="y", labelsize=7.5)
    axis.invert_yaxis()
    legend_beside(axis)
    return done(figure)


def counts_within(table: pd.DataFrame, title: str) -> Figure:
    """Per retrieval and threshold: the middle 90 % of the counts within it, their median, and the reported count.

    Args:
        table: `within.measure`'s, with the column `reported`.
    """
    table = table.dropna(subset=["reported"])  # of some a claim asks for a bound, and reports no count
    above = table["above"] if "above" in table else pd.Series(0.0, table.index)  # tables of earlier days have none
    names = [
        f"{name} < {below:g}" if not least else f"{name} {least:g} to {below:g}"
        for name, least, below in zip(table["retrieval"], above, table["threshold"], strict=True)
    ]
    figure, axis = plt.subplots(figsize=(8, 1.2 + 0.3 * len(table)), layout="constrained")
    axis.hlines(names, table["5 %"], table["95 %"], color=QUERY, linewidth=3, alpha=0.5, label="nine pictures in ten")
    axis.plot(table["median"], names, "|", color=QUERY, markersize=12, label="median")
    axis.plot(table["reported"], names, "o", color=WRONG, label="the thesis's picture")
    axis.set(title=title, xlabel="pictures within the threshold, the one that is asked with among them", xscale="log")
    axis.invert_yaxis()
    legend_beside(axis)
    return done(figure)


def verdicts(counts: pd.DataFrame, title: str) -> Figure:
    """A bar per document, divided by verdict."""
    figure, axis = plt.subplots(figsize=(8.5, 0.9 + 0.42 * len(counts)), layout="constrained")
    left = pd.Series(0, index=counts.index)
    for verdict, colour in zip(counts.columns, VERDICT_COLOURS, strict=True):
        bars = axis.barh(counts.index, counts[verdict], left=left, color=colour, label=verdict)
        axis.bar_label(
            bars, labels=[str(count) if count > 3 else "" for count in counts[verdict]], label_type="center", fontsize=8
        )
        left = left + counts[verdict]
    axis.set(title=title, xlabel="claims")
    axis.invert_yaxis()
    legend_beside(axis)
    return done(figure)
