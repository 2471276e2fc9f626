"""What was measured of each encoder's embedding space, as chapter 5 shows it: separation, components and maps."""

import json

import numpy as np
import pandas as pd

from pipeline import paths, stages
from pipeline.evaluation import separation, space, statistics
from pipeline.evaluation.keys import COUNT, Of, Pattern, key
from pipeline.evaluation.metrics import AP, MAP
from pipeline.evaluation.names import QUERY
from pipeline.evaluation.tables import HIGH, LOW, Measured, TableError, read

FEATURES = Of(("encoders", "concatenations"))
EXTRACTED, ENOUGH, EVERY = "as extracted", "90 percent", "all"  # numbers of principal components that have names
SEPARATION_KEYS: list[Pattern] = [("space", FEATURES, space.LABELS, separation.NAMES)]
COMPONENT_KEYS: list[Pattern] = [
    ("pca", FEATURES, [EXTRACTED, ENOUGH, EVERY, "0", COUNT], MAP),
    ("pca", FEATURES, ENOUGH, "components"),
]


def separations(data: str, encoders: list[str]) -> Measured:
    """Per encoder and label: each of `separation.NAMES` with the value that shuffled labels give."""
    rows = [
        {"encoder": encoder, "label": label, "measure": name, **pair}
        for encoder in encoders
        for label, values in _measures(data, encoder)["separation"].items()
        for name, pair in values.items()
    ]
    values = {key("space", row["encoder"], row["label"], row["measure"]): row["value"] for row in rows}
    return Measured(pd.DataFrame(rows), values)


def components(data: str, encoders: list[str], products: np.ndarray, resamples: int, seed: int) -> Measured:
    """mAP against the number of principal components, with the share of variance kept.

    `components` 0 is the features as extracted; in keys `as extracted`, `90 percent` and `all` stand for counts.

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


def map_points(
    data: str, encoder: str, kind: str, frame: pd.DataFrame, label: str, commonest: int | None = None
) -> pd.DataFrame:
    """A map's points `x`, `y` with their `label`; of the commonest labels only, where a number of them is given.

    Args:
        kind: `tsne` or `umap`; a map that was not drawn gives an empty table.
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
