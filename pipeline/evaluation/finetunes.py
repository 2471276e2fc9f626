"""What was trained beside what it finds: one row per finetuned encoder, its seeds' spread, and what one change does."""

import json
from itertools import combinations

import numpy as np
import pandas as pd

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.evaluation import protocols, study
from pipeline.evaluation.classification import accuracy
from pipeline.evaluation.keys import key
from pipeline.evaluation.tables import VALUE, Measured, TableError, pick

FINETUNE, WHAT = "finetune", "what"
SETTINGS = list(params.Finetune.model_fields)
PLACES = {
    "articleType, all": "strict/all/articleType/mAP",
    "articleType": "strict/test/articleType/mAP",
    "gender+articleType": "strict/test/gender+articleType/mAP",
    "product": "strict/test/product/mAP",
}
COLUMNS = [
    "encoder",
    "start",
    "trained",
    "objective",
    "pixels",
    "batch",
    "changed pictures",
    "epochs",
    "seed",
    "accuracy",
    "macro F1",
]


def cards(data: str, weights: dict[str, str]) -> dict[str, dict]:
    """The cards of the finetunes among some encoders' weights, by encoder, in their order; the first encoder of each.

    Raises:
        TableError: weights without a card, or a damaged one.
    """
    by_encoder = {}
    for encoder, name in weights.items():
        card = _card(data, name)
        if card["source"] == FINETUNE and name not in {other[FINETUNE] for other in by_encoder.values()}:
            by_encoder[encoder] = {FINETUNE: name, **card}
    return by_encoder


def table(cards: dict[str, dict], values: dict[str, float]) -> pd.DataFrame:
    """A row per finetuned encoder: where it starts, what is trained how, and its mAP by cosine at `PLACES`."""
    rows = []
    for encoder, card in cards.items():
        metrics, size = card["metrics"], card["image_size"]
        rows.append(
            {
                "encoder": encoder,
                "start": card["init"],
                "trained": tier(card),
                "objective": objective(card),
                "pixels": "×".join(map(str, size if isinstance(size, list) else [size, size])),
                "batch": card["batches"]["size"],
                "changed pictures": "yes" if card["augment"] else "no",
                "epochs": metrics["epochs"],
                "seed": card["seed"],
                "accuracy": metrics.get("test_accuracy", np.nan),
                "macro F1": metrics.get("test_macro_f1", np.nan),
                **_reached(encoder, values),
            }
        )
    return pd.DataFrame(rows, columns=[*COLUMNS, *PLACES])  # also of a study that trains nothing


def _reached(encoder: str, values: dict[str, float]) -> dict[str, float]:
    """An encoder's mAP by cosine at `PLACES`, by their names; nan where it was not measured."""
    return {name: values.get(key_at(encoder, place), np.nan) for name, place in PLACES.items()}


def key_at(encoder: str, place: str) -> str:
    """The key of an encoder's measurement by cosine at one of `PLACES`."""
    return key(params.retrieval_name(encoder, "cosine"), place)


def tier(card: dict) -> str:
    """What of the network was trained."""
    if card["frozen"] is None:
        return "whole network"
    return "head" if card["frozen"] == "backbone" else f"after {card['frozen']}"


def objective(card: dict) -> str:
    """The terms as one line, such as `cross_entropy articleType + 0.5 sup_con product`."""
    words = []
    for term in card["objective"]:
        weight = "" if term["weight"] == 1 else f"{term['weight']:g} "
        words.append(f"{weight}{term['kind']} {term['by']}" + (" (memory)" if term.get("memory") else ""))
    return " + ".join(words)


def seeds(cards: dict[str, dict], concatenations: dict[str, params.Concatenation], rows: pd.DataFrame) -> pd.DataFrame:
    """Finetunes that differ in seed alone, and concatenations of such: the mean, lowest and highest of what they reach.

    `seeds` counts those that a measure is known of: not every seed's encoder need be searched with. One alone is no
    spread.

    Args:
        cards: as `cards` gives them.
        rows: what `table` and `together` make of them.
    """
    reached = ["accuracy", "macro F1", *PLACES]

    def recipe(name: str) -> str:
        if name in concatenations:
            spec = concatenations[name]
            return json.dumps([recipe(spec.first), recipe(spec.second), spec.share])
        return (
            json.dumps([cards[name][setting] for setting in SETTINGS if setting != "seed"]) if name in cards else name
        )

    same = np.array([recipe(name) for name in rows["encoder"]], object)
    groups = [
        group.assign(encoder=group["encoder"].iloc[0]) for _, group in rows.groupby(same, sort=False) if len(group) > 1
    ]
    if not groups:
        return pd.DataFrame(columns=["encoder", "measure", "seeds", "mean", "lowest", "highest"])
    long = pd.concat(groups).melt(["encoder"], reached, var_name="measure")
    kept = long.groupby(["encoder", "measure"], sort=False)["value"].agg(["count", "mean", "min", "max"])
    kept = kept[kept["count"] > 1].reset_index()
    return kept.set_axis(["encoder", "measure", "seeds", "mean", "lowest", "highest"], axis=1)


def sequences(cards: dict[str, dict], weights: dict[str, str], measured: Measured) -> pd.DataFrame:
    """Runs that start from one another, stage by stage, with mAP and AP@1000 by articleType against all images.

    The stage before the first is the encoder that finds most among those of the weights it starts from. Document 003
    trains so and reports its last stage alone.

    Args:
        weights: by encoder, the name of its weights.
    """
    by_name = {card[FINETUNE]: encoder for encoder, card in cards.items()}
    strict = pick(measured.table, protocol=protocols.STRICT, gallery="all", relevance="articleType", distance="cosine")
    wide = strict.pivot(index="encoder", columns=study.METRIC, values=VALUE)
    rows = []
    for encoder, last in cards.items():
        chain = [encoder]
        while cards[chain[0]]["init"] in by_name:
            chain.insert(0, by_name[cards[chain[0]]["init"]])
        if len(chain) == 1 or encoder in {by_name.get(other["init"]) for other in cards.values()}:
            continue  # no sequence, or a longer one has it
        untrained = [name for name, made in weights.items() if made == cards[chain[0]]["init"] and name in wide.index]
        start = [wide.loc[untrained, "mAP"].idxmax()] if untrained else []
        for stage, name in enumerate([*start, *chain], start=1 - len(start)):
            reached = {
                metric: wide.loc[name, metric] if name in wide.index else np.nan for metric in ("mAP", "mAP@1000")
            }
            rows.append({"sequence": last[FINETUNE], "stage": stage, "encoder": name, **reached})
    return pd.DataFrame(rows, columns=["sequence", "stage", "encoder", "mAP", "mAP@1000"])


def one_change(cards: dict[str, dict], measured: Measured) -> pd.DataFrame:
    """Pairs of finetunes one setting apart, the later against the earlier, with paired differences at `PLACES`.

    Returns:
        `what` (the setting), `place`, and what `study.differences` adds.
    """
    pairs = []
    for (earlier, one), (later, other) in combinations(cards.items(), 2):
        differing = [name for name in SETTINGS if one[name] != other[name]]
        for name, place in PLACES.items():
            first, second = (key_at(encoder, place) for encoder in (later, earlier))
            if len(differing) == 1 and differing != ["seed"] and {first, second} <= set(measured.resampled):
                pairs.append({WHAT: differing[0], "place": name, "first": first, "second": second})
    return study.differences(measured, pd.DataFrame(pairs, columns=[WHAT, "place", "first", "second"]))


def together(
    concatenations: dict[str, params.Concatenation],
    predicted: dict[str, pd.DataFrame],
    frame: pd.DataFrame,
    values: dict[str, float],
) -> pd.DataFrame:
    """A row per concatenation: its parts, how often they name a test image's type together, and mAP at `PLACES`.

    Accuracy and macro F1 as finetuning has them: a blank type is left out, one that was never learnt counts as wrong.

    Args:
        predicted: by encoder with classifiers, what `predictions` gives.
    """
    predicted, rows = dict(predicted), []
    asked = ((frame[catalog.SPLIT] == catalog.TEST) & frame[catalog.ARTICLE].notna()).to_numpy()
    true = frame[catalog.ARTICLE].to_numpy()[asked]
    for name, spec in concatenations.items():
        shares = ((spec.first, 1 - spec.share), (spec.second, spec.share))
        parts = [predicted[part] * share for part, share in shares if part in predicted]
        correct = {"accuracy": np.nan, "macro F1": np.nan}
        if parts:
            predicted[name] = parts[0] if len(parts) == 1 else parts[0].add(parts[1], fill_value=0)
            classes = predicted[name].columns.to_numpy()
            correct = accuracy(true, classes[predicted[name].to_numpy()[asked].argmax(axis=1)])
        parts_of = {"encoder": name, "first": spec.first, "second": spec.second, "share": spec.share}
        rows.append({**parts_of, **correct, **_reached(name, values)})
    return pd.DataFrame(rows)


def predictions(data: str, encoder: str, weights: str, shares: dict[str, float], frame: pd.DataFrame) -> pd.DataFrame:
    """What an encoder's classifier predicts of each image's type: class probabilities at length 1, from its features.

    Args:
        shares: the encoder's `posteriors`, articleType among them; their blocks stand first in its vectors.

    Returns:
        A row per image of `frame`, a column per article type.
    """
    classes = _card(data, weights)["classes"]
    features = store.read(paths.features(data, encoder))
    protocols.check_same_images(features, frame)
    start = sum(len(classes[label]) for label in shares if label < "articleType")  # blocks are in the order of names
    block = features.vectors[:, start : start + len(classes["articleType"])]
    return pd.DataFrame(block / shares["articleType"] ** 0.5, columns=classes["articleType"])


def served(data: str, encoder: str, others: list[str], frame: pd.DataFrame, queries: int, seed: int) -> pd.DataFrame:
    """What becomes of a search when the queries are encoded otherwise than the images that answer.

    mAP by articleType, strict, cosine, on seeded test queries. The thesis's finetuned model finds well in its tables
    and "completely random" images on its site (chapters 4 and 5): two paths to a vector are the suspect.
    """
    rows, table = catalog.draw(catalog.rows_of(frame, catalog.TEST), queries, seed), []
    for other in others:
        right, wrong = (store.read(paths.features(data, name)) for name in (encoder, other))
        wrong_as_right = store.FeatureSet(wrong.ids, wrong.vectors, right.encoder_id)  # what a site does unknowingly
        for ask, answer, query_set, gallery in (
            (encoder, encoder, right, right),
            (other, other, wrong, wrong),
            (other, encoder, wrong_as_right, right),
        ):
            protocols.check_same_images(gallery, frame)
            values = protocols.precisions(query_set.take(rows), gallery, frame, rows, ["articleType"])["articleType"]
            row = {"queries by": ask, "gallery by": answer, "mAP": float(np.nanmean(values)), "queries": len(rows)}
            table += [row] if row not in table else []
    return pd.DataFrame(table)


def _card(data: str, weights: str) -> dict:
    try:
        return json.loads((paths.weights(data, weights) / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(
            f"{weights} has no card that can be read ({error}). "
            f"Make it with: dvc repro finetuning@{weights}, or weights@{weights}"
        ) from None
