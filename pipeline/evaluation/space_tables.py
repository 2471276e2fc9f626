"""What was measured of each encoder's embedding space, as chapter 5 shows it: separation, components and maps."""

import json

import numpy as np
import pandas as pd

from pipeline import paths, stages
from pipeline.evaluation import separation, space, statistics, study
from pipeline.evaluation.keys import COUNT, Of, Pattern, key
from pipeline.evaluation.metrics import AP, MAP
from pipeline.evaluation.names import QUERY
from pipeline.evaluation.tables import HIGH, LOW, Measured, TableError, read

FEATURES = Of(("encoders", "bags", "concatenations", "expansions"))
EXTRACTED, ENOUGH, EVERY = "as extracted", "90 percent", "all"  # numbers of principal components that have names
# what changes, and the two counts of components whose difference it is
REDUCTION = {"centring alone": (EVERY, EXTRACTED), "90 % of the variance, both centred": (ENOUGH, EVERY)}
MAP_KEY = "map"  # of how far a map keeps the order of all distances
CLUSTERS, HIGHEST = "clusters", "k"  # of the number of k-means clusters with the highest silhouette
SHUFFLED = " shuffled"  # ends the key of what the same labels in another order give
SEPARATION_KEYS: list[Pattern] = [
    ("space", FEATURES, space.LABELS, [*separation.NAMES, *(f"{name}{SHUFFLED}" for name in separation.NAMES)]),
    ("space", FEATURES, MAP_KEY, space.MAPS),
    ("space", FEATURES, CLUSTERS, HIGHEST),
]
COMPONENT_KEYS: list[Pattern] = [
    ("pca", FEATURES, [EXTRACTED, ENOUGH, EVERY, "0", COUNT], MAP),
    ("pca", FEATURES, ENOUGH, "components"),
]


def separations(data: str, encoders: list[str]) -> Measured:
    """Per encoder and label: each of `separation.NAMES` with the value that shuffled labels give.

    A label that the catalogue lacks has no rows and no keys (`absent`). The values also have how far each map keeps the
    order of distances, `space/<encoder>/map/<map>`, and `space/<encoder>/clusters/k`: the number of clusters with the
    highest silhouette.
    """
    rows = [
        {"encoder": encoder, "label": label, "measure": name, **pair}
        for encoder in encoders
        for label, values in _measures(data, encoder)["separation"].items()
        for name, pair in values.items()
    ]
    values = {
        key("space", row["encoder"], row["label"], f"{row['measure']}{end}"): row[what]
        for row in rows
        for what, end in (("value", ""), ("chance", SHUFFLED))
    }
    values |= {
        key("space", encoder, MAP_KEY, kind): kept
        for encoder in encoders
        for kind, kept in _measures(data, encoder).get("maps", {}).items()
    }
    best = clusters(data, encoders).groupby("encoder")["silhouette"].idxmax()
    values |= {key("space", name, CLUSTERS, HIGHEST): int(count) for name, count in best}
    return Measured(pd.DataFrame(rows, columns=["encoder", "label", "measure", "value", "chance"]), values)


def clusters(data: str, encoders: list[str]) -> pd.DataFrame:
    """`silhouette` of k-means, by `encoder` and number of `clusters`: the index. Labels have no part in it."""
    found = {
        (encoder, int(count)): value
        for encoder in encoders
        for count, value in _measures(data, encoder).get("clusters", {}).items()
    }
    index = pd.MultiIndex.from_tuples(list(found), names=["encoder", "clusters"])
    return pd.DataFrame({"silhouette": list(found.values())}, index=index)


def absent(data: str, encoders: list[str]) -> list[str]:
    """The labels of `space.LABELS` that nothing was measured by, since the pictures have fewer than two of them."""
    missing = {label for encoder in encoders for label in _measures(data, encoder).get("absent", [])}
    return [label for label in space.LABELS if label in missing]


def components(data: str, encoders: list[str], products: np.ndarray, resamples: int, seed: int) -> Measured:
    """mAP against the number of principal components, with the share of variance kept.

    `components` 0 is the features as extracted; in keys `as extracted`, `90 percent` and `all` stand for counts. `all`
    is the features less their mean: a comparison with it tells what fewer components do from what centring does.

    Args:
        products: a number per image of the catalogue, drawn as one.
    """
    tables, values, resampled = [], {}, {}
    for encoder in encoders:
        variance = _measures(data, encoder)["pca"]["variance"]
        wide = _space(data, encoder, "pca").pivot(index=QUERY, columns="components", values=AP)
        draws = statistics.draws(len(wide), resamples, seed, products[wide.index])
        samples = statistics.resampled_means(draws, wide.to_numpy())
        low, high = statistics.interval(samples)
        kept = [variance.get(str(count), 1.0) for count in wide.columns]
        means = wide.mean().to_numpy()
        columns = {"components": wide.columns, "variance": kept, MAP: means, LOW: low, HIGH: high}
        tables.append(pd.DataFrame({"encoder": encoder, **columns}))
        named = _named_counts(tables[-1])
        names = [(count, str(count)) for count in wide.columns] + [(count, name) for name, count in named.items()]
        for count, name in names:
            place = wide.columns.get_loc(count)
            values[key("pca", encoder, name, MAP)] = means[place]
            resampled[key("pca", encoder, name, MAP)] = samples[:, place].astype(np.float32)
        values[key("pca", encoder, ENOUGH, "components")] = named[ENOUGH]
    return Measured(pd.concat(tables, ignore_index=True), values, resampled)


def reduction(measured: Measured) -> pd.DataFrame:
    """What centring alone does to mAP, and what keeping 90 % of the variance of centred features does; a row each.

    Args:
        measured: as `components` gives it.

    Returns:
        `encoder`, `what` and the columns of `study.differences`: paired by query, and for all rows at once.
    """
    pairs = [
        {
            "encoder": encoder,
            "what": what,
            "first": key("pca", encoder, first, MAP),
            "second": key("pca", encoder, second, MAP),
        }
        for encoder in measured.table["encoder"].unique()
        for what, (first, second) in REDUCTION.items()
    ]
    return study.differences(measured, pd.DataFrame(pairs, columns=["encoder", "what", "first", "second"]))


def told(differences: pd.DataFrame) -> list[str]:
    """A sentence for each `what` of `reduction`: which encoders find more, which fewer, and of which none can tell."""
    sentences = []
    for what, rows in differences.groupby("what", sort=False):
        sides = np.where(rows["low of all"] > 0, "gain", np.where(rows["high of all"] < 0, "lose", "cannot be told"))
        parts = []
        for side in ("gain", "lose", "cannot be told"):
            part = rows[sides == side]
            if len(part):
                names = ", ".join(part["encoder"])
                parts.append(f"{side} ({part['difference'].min():+.3f} to {part['difference'].max():+.3f}): {names}")
        sentences.append(f"{what}: {'; '.join(parts)}")
    return sentences


def map_points(
    data: str, encoder: str, kind: str, frame: pd.DataFrame, label: str, commonest: int | None = None
) -> pd.DataFrame:
    """A map's points `x`, `y` with their `label`; of the commonest labels only, where a number of them is given.

    Args:
        kind: `pca`, `tsne` or `umap`; a map that was not drawn gives an empty table.
    """
    drawn = _space(data, encoder, "map")
    if f"{kind}_x" not in drawn:
        return pd.DataFrame({"x": [], "y": [], "label": []})
    names = frame[label].fillna("").to_numpy()[drawn["row"]]
    table = pd.DataFrame({"x": drawn[f"{kind}_x"], "y": drawn[f"{kind}_y"], "label": names})
    kept = table["label"].value_counts().index[: commonest or len(table)]
    return table[table["label"].isin(kept)]


def _named_counts(rows: pd.DataFrame) -> dict[str, int]:
    """The counts of components that have names, in one encoder's rows of `components`."""
    enough = rows[(rows["components"] > 0) & (rows["variance"] >= space.ENOUGH)]["components"].min()
    return {EXTRACTED: 0, EVERY: int(rows["components"].max()), ENOUGH: int(enough)}


def _space(data: str, encoder: str, name: str) -> pd.DataFrame:
    place = paths.embedding_space(data, encoder)
    return read(place / f"{name}.parquet", stages.makers(paths.embedding_space, encoder))


def _measures(data: str, encoder: str) -> dict:
    path = paths.embedding_space(data, encoder) / "measures.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(
            f"{encoder}/measures.json is missing or damaged ({error}). "
            f"Make it with: dvc repro -f -s {stages.makers(paths.embedding_space, encoder)}"
        ) from None
