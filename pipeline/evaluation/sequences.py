"""Document 003's way to train: stage after stage, each from the weights of the one before."""

import numpy as np
import pandas as pd

from pipeline.evaluation.finetunes import FINETUNE
from pipeline.evaluation.metrics import MAP, column
from pipeline.evaluation.names import ALL, METRIC, STRICT
from pipeline.evaluation.tables import VALUE, Measured, pick

DEPTHS = [MAP, column(MAP, 1000)]


def table(cards: dict[str, dict], weights: dict[str, str], measured: Measured) -> pd.DataFrame:
    """Runs that start from one another, stage by stage, with mAP and AP@1000 by articleType against all images.

    The stage before the first is the encoder that finds most among those of the weights it starts from. Document 003
    trains so and reports its last stage alone.

    Args:
        weights: by encoder, the name of its weights.
    """
    by_name = {card[FINETUNE]: encoder for encoder, card in cards.items()}
    strict = pick(measured.table, protocol=STRICT, gallery=ALL, relevance="articleType", distance="cosine")
    wide = strict.pivot(index="encoder", columns=METRIC, values=VALUE)
    rows = []
    for encoder, last in cards.items():
        chain = [encoder]
        while cards[chain[0]]["init"] in by_name:
            chain.insert(0, by_name[cards[chain[0]]["init"]])
        if len(chain) == 1 or encoder in {by_name.get(other["init"]) for other in cards.values()}:
            continue  # no sequence, or a longer one has it
        untrained = [name for name, made in weights.items() if made == cards[chain[0]]["init"] and name in wide.index]
        start = [wide.loc[untrained, MAP].idxmax()] if untrained else []
        for stage, name in enumerate([*start, *chain], start=1 - len(start)):
            reached = {metric: wide.loc[name, metric] if name in wide.index else np.nan for metric in DEPTHS}
            rows.append({"sequence": last[FINETUNE], "stage": stage, "encoder": name, **reached})
    return pd.DataFrame(rows, columns=["sequence", "stage", "encoder", *DEPTHS])
