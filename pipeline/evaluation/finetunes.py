"""What was trained beside what it finds: one row per finetuned encoder."""

import numpy as np
import pandas as pd

from pipeline import params, paths
from pipeline.encoders.card import read_card
from pipeline.evaluation.keys import key
from pipeline.evaluation.metrics import MAP
from pipeline.evaluation.names import ALL, STRICT, TEST
from pipeline.params.networks import BACKBONE

FINETUNE = "finetune"
SETTINGS = list(params.Finetune.model_fields)
PLACES = {  # where a finetune is judged, and what a key at that place ends with
    "articleType, all": key(STRICT, ALL, "articleType", MAP),
    "articleType": key(STRICT, TEST, "articleType", MAP),
    "gender+articleType": key(STRICT, TEST, "gender+articleType", MAP),
    "product": key(STRICT, TEST, "product", MAP),
}
NAMED = {"test_accuracy": "accuracy", "test_macro_f1": "macro F1"}
REACHED = [*NAMED.values(), *PLACES]
ENDS = {"test_accuracy_low": "accuracy low", "test_accuracy_high": "accuracy high"}
BOUNDS = [*ENDS.values()]  # the interval of the accuracy, over products
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
    *REACHED,
    *BOUNDS,
]


def cards(data: str, weights: dict[str, str]) -> dict[str, dict]:
    """The cards of the finetunes among some encoders' weights, by encoder, in their order; the first encoder of each.

    Raises:
        WeightsError: weights without a card, or a damaged one.
    """
    by_encoder: dict[str, dict] = {}
    for encoder, name in weights.items():
        card = read_card(paths.weights(data, name))
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
                **{said: metrics[name] if _could(metrics, name) else np.nan for name, said in (NAMED | ENDS).items()},
                **reached(encoder, values),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)  # also of a study that trains nothing


def _could(metrics: dict[str, float], name: str) -> bool:
    """Whether a classifier could name any test picture: of one whose classes are products none is of the train part."""
    return name in metrics and metrics.get("test_learnable", 1) > 0


def beside_untrained(rows: pd.DataFrame, weights: dict[str, str], values: dict[str, float]) -> pd.DataFrame:
    """What each finetune reaches, by encoder; first what the untrained encoder does that finds most by articleType.

    Args:
        rows: as `table` gives them.
        weights: by encoder, the name of its weights.
    """
    trained = rows.set_index("encoder")[REACHED]
    taught = {weights[name] for name in trained.index}
    searched = [
        name for name, used in weights.items() if used not in taught and key_at(name, PLACES["product"]) in values
    ]
    frozen = pd.DataFrame({place: {name: reached(name, values)[place] for name in searched} for place in PLACES})
    return pd.concat([frozen.nlargest(1, "articleType"), trained]).reindex(columns=REACHED)


def reached(encoder: str, values: dict[str, float]) -> dict[str, float]:
    """An encoder's mAP by cosine at `PLACES`, by their names; nan where it was not measured."""
    return {name: values.get(key_at(encoder, place), np.nan) for name, place in PLACES.items()}


def key_at(encoder: str, place: str) -> str:
    """The key of an encoder's measurement by cosine at one of `PLACES`."""
    return key(params.retrieval_name(encoder, "cosine"), place)


def tier(card: dict) -> str:
    """What of the network was trained."""
    if card["frozen"] is None:
        return "whole network"
    return "head" if card["frozen"] == BACKBONE else f"after {card['frozen']}"


def objective(card: dict) -> str:
    """The terms as one line, such as `cross_entropy articleType + 0.5 sup_con product`."""
    words = []
    for term in card["objective"]:
        weight = "" if term["weight"] == 1 else f"{term['weight']:g} "
        words.append(f"{weight}{term['kind']} {term['by']}" + (" (memory)" if term.get("memory") else ""))
    return " + ".join(words)
