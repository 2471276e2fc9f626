"""What can be drawn of a publication: chapter 5's and the systems' figures and tables, made again from its numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline.claims import summary
from pipeline.data import catalog
from pipeline.evaluation import exam, mistakes, network_sizes, self_match
from pipeline.evaluation.tables import pick
from pipeline.figures import counts, study_plots
from pipeline.report.publication import Published
from pipeline.systems import plots as system_plots
from pipeline.systems.keys import OWN_PICTURE

NOT_THERE = "This publication has no such numbers."
NO_COORDINATES = (
    "Not drawn here: it needs the place of every picture, which is not published. The chapter of a run has it."
)


@dataclass(frozen=True)
class Shown:
    """What stands for a cell: a figure, a table, or why there is neither; `files`: what it is made of."""

    place: str
    title: str
    says: str
    files: list[str]
    made: Figure | pd.DataFrame | str


Row = tuple[str, str, str, list[str], Callable[[Published], Figure | pd.DataFrame | str]]


def shown(run: Published) -> list[Shown]:
    """Chapter 5's entries in its order, then the systems'; one whose numbers were not published says so."""
    found = [_made(run, row) for row in CHAPTER_5]
    for stage, (section, rows) in SYSTEMS.items():
        for name in run.params.get(section) or {}:
            for cell, title, says, table, draw in rows:
                file = f"systems/{stage}/{name}/{table}"
                place = f"04_{stage}/{name}#{cell}"
                made = _made(run, (place, f"{title} ({name})", says, [file], _drawn_of(draw, file, section, name)))
                found.append(made)
    known = {one.place for one in found}
    missing = [see for see in dict.fromkeys(run.verdicts["see"]) if see and see not in known]
    return found + [_asked(run, see) for see in missing]


def _asked(run: Published, see: str) -> Shown:
    """The numbers that claims rest on where nothing is drawn of a cell; says so where there are none."""
    keys = " ".join(run.verdicts.loc[run.verdicts["see"] == see, "keys"].astype(str))
    rows = [(key, value) for key, value in run.values.items() if f" {key} " in f" {keys} "]
    table = pd.DataFrame(rows, columns=["what", "value"])
    said = "The numbers that claims rest on; the chapter of a run shows more." if rows else ""
    return Shown(see, see.replace("#", ", "), said, ["measurements.csv"] * bool(rows), table if rows else NOT_THERE)


def _drawn_of(draw: Callable, file: str, section: str, name: str) -> Callable[[Published], Any]:
    return lambda run: draw(run.table(file), run.params[section][name])


def _made(run: Published, row: Row) -> Shown:
    place, title, says, tables, draw = row
    there = all(len(run.table(name)) for name in tables if name != "metrics")
    made = draw(run) if there else NOT_THERE
    if isinstance(made, pd.DataFrame) and made.empty:
        made = NOT_THERE
    return Shown(place, title, says, [f"{name}.csv" if name != "metrics" else "metrics" for name in tables], made)


def _strict(run: Published, **where: Any) -> pd.DataFrame:
    return pick(run.metrics, protocol="strict", gallery="all", **where)


def _cosine(run: Published) -> list[str]:
    return list(dict.fromkeys(pick(run.metrics, distance="cosine")["retrieval"]))


def _best(run: Published) -> str:
    return _strict(run, relevance="articleType", metric="mAP").sort_values("value")["retrieval"].iloc[-1]


def _verdicts(run: Published) -> Figure:
    return study_plots.verdicts(summary.counts(run.verdicts), "verdicts by document (001 is the thesis)")


def _self_match(run: Published) -> Figure:
    weights = {name: spec["weights"] for name, spec in run.params["encoders"].items()}
    first = pick(run.metrics, distance="cosine").drop_duplicates("encoder")
    kept = first.assign(weights=first["encoder"].map(weights)).drop_duplicates("weights")["retrieval"]
    said = run.verdicts.set_index("claim")["reported"]
    printed = {model: float(said[f"001-5.2.1-{model}-map"]) for model in ("scratch", "simclr", "finetuned", "padded")}
    table = pick(run.table("self_match"), retrieval=list(kept))
    return study_plots.self_match(
        pick(table, retrieval=self_match.some(table)),
        printed,
        "The same features, measured with the query in the gallery and without",
    )


def _grid(run: Published) -> Figure:
    table = _strict(run, relevance="articleType", metric="mAP")
    return study_plots.intervals(table, "distance", "mAP, articleType, strict protocol, all pictures")


def _exam(run: Published) -> Figure:
    wide = exam.side_by_side(run.exam)
    return study_plots.heatmap(wide, "cosine: mAP, or the share named; the last row is chance")


def _differences(what: str, title: str) -> Callable[[Published], Figure | str]:
    def draw(run: Published) -> Figure | str:
        table = pick(run.table("differences"), what=what)
        return study_plots.differences(table, title) if len(table) else NOT_THERE

    return draw


def _one_change(place: str, title: str) -> Callable[[Published], Figure]:
    return lambda run: study_plots.differences(pick(run.table("one_change"), place=place), title)


def _preprocessing(run: Published) -> Figure | str:
    unit = [name for name, spec in run.params["encoders"].items() if spec["preprocessing"] == "unit"]
    table = pick(run.table("differences"), what="preparation")
    encoders = table["first"].str.partition("/")[0].str.rpartition("-")[0]
    table = table[encoders.isin(unit)]
    title = "pixels / 255 against the network's own preprocessing"
    return study_plots.differences(table, title) if len(table) else NOT_THERE


def _finetuning(run: Published) -> Figure:
    finer = _strict(run, metric="mAP", distance="cosine")
    table = finer.pivot(index="encoder", columns="relevance", values="value")
    order = [name for name in run.metrics["relevance"].unique() if name in table.columns]
    table = table.loc[finer["encoder"].unique(), order]
    table.loc["chance"] = finer.groupby("relevance")["chance"].first()
    return study_plots.heatmap(table, "mAP by relevance, cosine, test queries against all pictures")


def _classes(run: Published) -> Figure:
    names = list(dict.fromkeys([_cosine(run)[0], _best(run)]))
    return study_plots.by_class(run.table("classes"), names, "mAP of each article type by its size")


def _mistakes(run: Published) -> Figure:
    table = pick(run.table("mistakes"), retrieval=_cosine(run))
    return study_plots.stacked(table, "retrieval", mistakes.KINDS, "the first ten neighbours of each test query")


def _separation(run: Published) -> Figure:
    by_type = pick(run.table("separation"), label="articleType", measure=["purity", "NMI", "silhouette"])
    table = by_type.pivot(index="encoder", columns="measure", values="value").loc[by_type["encoder"].unique()]
    return study_plots.heatmap(table, "agreement of clusters and article types")


def _distances_apart(run: Published) -> pd.DataFrame:
    by_type = pick(run.table("separation"), label="articleType")
    both = by_type["value"].round(3).astype(str) + " / " + by_type["chance"].round(3).astype(str)
    wide = by_type.assign(both=both).pivot(index="encoder", columns="measure", values="both")
    return wide.loc[by_type["encoder"].unique()].reset_index()


def _components(run: Published) -> Figure:
    return study_plots.components(run.table("components"), "principal components, cosine")


def _thresholds(run: Published) -> Figure:
    table = pick(run.table("thresholds"), retrieval=_cosine(run))
    return study_plots.transferred(table, "what one picture's threshold costs")


def _within(run: Published) -> Figure:
    return study_plots.counts_within(run.table("within"), "pictures within a threshold of one")


def _data(run: Published) -> Figure | str:
    begin = f"data/count/{catalog.ARTICLE}/"
    sizes = {key.removeprefix(begin): value for key, value in run.values.items() if key.startswith(begin)}
    return counts.long_tail(pd.Series(sizes), f"rows per {catalog.ARTICLE}") if sizes else NOT_THERE


def _network_sizes(run: Published) -> pd.DataFrame:
    measured = run.table("measurements")
    parts = measured["key"].str.split("/")
    table = pd.DataFrame({"backbone": parts.str[1], "parameters": measured["value"]})
    return table[parts.str[0] == network_sizes.FAMILY]


def _table(name: str) -> Callable[[Published], pd.DataFrame]:
    return lambda run: run.table(name)


def _growth(table: pd.DataFrame, spec: dict[str, Any]) -> Figure:
    title = f"{spec['batch']} queries at once, the {spec['neighbours']} nearest"
    return system_plots.growth(table, "batch p50 ms", title)


def _trade(table: pd.DataFrame, spec: dict[str, Any]) -> Figure:
    whole = table[(table["pictures"] == table["pictures"].max()) & table["overlap"].notna()]
    return system_plots.found_and_time(
        whole, "single p50 ms", f"{whole['pictures'].max():,} pictures, one query at a time"
    )


def _own_text(table: pd.DataFrame, spec: dict[str, Any]) -> Figure:
    mode = spec["modes"][0]
    return system_plots.weights(table[table["mode"] == mode], "text", f"the query's text: {mode}")


def _modes(table: pd.DataFrame, spec: dict[str, Any]) -> Figure:
    nameless = [name for name, text in spec["texts"].items() if catalog.PRODUCT not in text["columns"]]
    text = [*nameless, *spec["texts"]][0]
    return system_plots.weights(table[table["text"] == text], "mode", f"text: {text}")


def _photos(relevance: str | None) -> Callable[[pd.DataFrame, dict[str, Any]], Figure | str]:
    def draw(table: pd.DataFrame, spec: dict[str, Any]) -> Figure | str:
        wanted = relevance or spec["relevances"][0]
        plain = table[table["better"].isna() & (table["relevance"] == wanted)]
        return system_plots.disturbances(plain, f"AP@{spec['top']}, {wanted}") if len(plain) else NOT_THERE

    return draw


def _confusion(table: pd.DataFrame, spec: dict[str, Any]) -> Figure:
    matrix = table.set_index(table.columns[0])
    return system_plots.confusion(matrix, f"{spec['label']}: the commonest classes, all others as one")


CHANGED = "Thick: its own 95 % interval; thin: one that holds for all rows at once. Green and red leave 0 out."
CHAPTER_5: list[Row] = [
    (
        "05_verdicts#verdict-figure",
        "Verdicts by document",
        "How many statements of each document got which verdict.",
        ["verdicts"],
        _verdicts,
    ),
    (
        "05_evaluation#self-match",
        "A query that finds itself",
        "Solid: the query in the gallery; dashed: without it. Dotted: what the thesis printed.",
        ["self_match"],
        _self_match,
    ),
    (
        "05_evaluation#grid",
        "How good each retrieval is",
        "mAP by article type of test queries among all pictures, with its 95 % interval; black marks are chance.",
        ["metrics"],
        _grid,
    ),
    (
        "05_evaluation#exam",
        "The exam that memorised labels do not pass",
        "What each encoder finds among pictures that nothing was learnt from.",
        ["metrics"],
        _exam,
    ),
    (
        "05_evaluation#preparation",
        "Padding, stretching and other ways to a square",
        CHANGED,
        ["differences"],
        _differences("preparation", "against the first encoder with the same weights"),
    ),
    ("05_evaluation#preprocessing", "Pixels divided by 255", CHANGED, ["differences"], _preprocessing),
    (
        "05_evaluation#distances",
        "Three distances",
        CHANGED,
        ["differences"],
        _differences("distance", "Euclidean and Manhattan against cosine"),
    ),
    (
        "05_evaluation#weights",
        "Other weights",
        CHANGED,
        ["differences"],
        _differences("weights", "other weights against the first"),
    ),
    (
        "05_evaluation#finetuning",
        "What finetuning does, by what counts as a match",
        "mAP of every encoder by relevance; the last row is chance.",
        ["metrics"],
        _finetuning,
    ),
    (
        "05_training#finetunes-1",
        "What was trained how",
        "Each finetuned encoder: where it starts, its objective, its accuracy, and the mAP that it reaches.",
        ["finetunes"],
        _table("finetunes"),
    ),
    (
        "05_training#together",
        "Two encoders as one",
        "What their vectors side by side find.",
        ["concatenations"],
        _table("concatenations"),
    ),
    (
        "05_training#finetunes-3",
        "One setting changed: article type",
        CHANGED,
        ["one_change"],
        _one_change("articleType, all", "one setting changed: articleType, test pictures against all"),
    ),
    (
        "05_training#finetunes-1b",
        "One setting changed: same product",
        CHANGED,
        ["one_change"],
        _one_change("product", "one setting changed: product, test pictures against test pictures"),
    ),
    (
        "05_training#finetunes-1d",
        "Stage after stage",
        "Document 003 trains each stage from the weights of the one before.",
        ["sequences"],
        _table("sequences"),
    ),
    (
        "05_training#finetunes-5",
        "Other seeds",
        "What chance alone moves: runs that differ in their seed.",
        ["seeds"],
        _table("seeds"),
    ),
    (
        "05_training#finetunes-7",
        "Queries prepared otherwise than the gallery",
        "mAP when a photo is prepared in another way than the pictures it is searched among.",
        ["serving"],
        _table("serving"),
    ),
    (
        "05_evaluation#classes",
        "Small and large article types",
        "A point for each article type: mAP against the number of right pictures.",
        ["classes"],
        _classes,
    ),
    (
        "05_evaluation#mistakes",
        "What goes wrong",
        "Of the first ten neighbours: everything right, or the gravest fault.",
        ["mistakes"],
        _mistakes,
    ),
    (
        "05_evaluation#separation-table",
        "Distances within and between article types",
        "Each measure / the same with labels shuffled.",
        ["separation"],
        _distances_apart,
    ),
    (
        "05_evaluation#separation",
        "How far apart the labels lie",
        "Purity and NMI of k-means, and the silhouette, by article type.",
        ["separation"],
        _separation,
    ),
    (
        "05_evaluation#maps",
        "Pictures of the space",
        "t-SNE of test pictures, coloured by category.",
        [],
        lambda run: NO_COORDINATES,
    ),
    (
        "05_evaluation#components",
        "How many dimensions are enough",
        "Variance kept and mAP against the number of principal components.",
        ["components"],
        _components,
    ),
    (
        "05_evaluation#thresholds",
        "A threshold in place of a ranking",
        "F1 of the threshold that was chosen on the train part, and of one read off a single picture.",
        ["thresholds"],
        _thresholds,
    ),
    (
        "05_evaluation#threshold-table",
        "Thresholds in numbers",
        "Chosen on pairs of the train part, judged on test queries.",
        ["thresholds"],
        _table("thresholds"),
    ),
    (
        "05_evaluation#counts-within",
        "How many pictures lie within a threshold",
        "The middle nine tenths of all pictures' counts, and the count that the thesis reports.",
        ["within"],
        _within,
    ),
    (
        "05_evaluation#sample-picture",
        "Which picture was it?",
        "For how many pictures all counts that the thesis reports hold at once, and counts shifted by one each way.",
        ["sample_picture"],
        _table("sample_picture"),
    ),
    (
        "05_evaluation#scaled",
        "Distances between scaled features",
        "Which the thesis's ranges of distances speak of.",
        ["scaled"],
        _table("scaled"),
    ),
    (
        "05_evaluation#crossed",
        "One network asked with another's vector",
        "Case d of the thesis, with two networks of one length: what is found, and how far the nearest is.",
        ["crossed"],
        _table("crossed"),
    ),
    (
        "05_evaluation#network-sizes",
        "How large the networks are",
        "The numbers that each has learnt, without a head.",
        ["measurements"],
        _network_sizes,
    ),
    (
        "05_evaluation#data",
        "The data",
        "Rows of each article type, from the commonest to the rarest.",
        ["measurements"],
        _data,
    ),
]
# by stage: the section of its items; of each figure the cell, its title, what it says, its table, and how it is drawn
SYSTEMS: dict[str, tuple[str, list[tuple]]] = {
    "index_study": (
        "index_studies",
        [
            (
                "growth",
                "What an index costs",
                "Time for a batch of queries against the number of pictures.",
                "indexes",
                _growth,
            ),
            (
                "trade",
                "Found against time",
                "The share of the exact neighbours that an index finds, against its time.",
                "indexes",
                _trade,
            ),
        ],
    ),
    "hybrid": (
        "hybrids",
        [
            (
                "own",
                "Image and text: the query's own text",
                "mAP against the image's weight; dashed where the text can spell out the label.",
                "weights",
                _own_text,
            ),
            (
                "modes",
                "Image and text: whose text",
                "mAP against the image's weight, by where the query's text comes from.",
                "weights",
                _modes,
            ),
        ],
    ),
    "user_photos": (
        "user_photos",
        [
            (
                "product",
                "User photos: the product",
                "What each disturbance leaves, by how the photo is cropped.",
                "photos",
                _photos(None),
            ),
            (
                "own",
                "User photos: the very picture",
                "Whether the photo leads back to the picture that it was made from.",
                "photos",
                _photos(OWN_PICTURE),
            ),
        ],
    ),
    "recommendation": (
        "recommendations",
        [
            (
                "confusion",
                "What the classifier confuses",
                "The true class down, the predicted one across, as shares of the row.",
                "confusions",
                _confusion,
            ),
        ],
    ),
}
