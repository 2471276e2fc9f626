"""What one change of a finetune does, all else equal."""

from itertools import combinations

import pandas as pd

from pipeline.evaluation import study
from pipeline.evaluation.finetunes import PLACES, SETTINGS, key_at
from pipeline.evaluation.tables import Measured


def table(cards: dict[str, dict], measured: Measured) -> pd.DataFrame:
    """Pairs of finetunes one change apart, the later against the earlier, with paired differences at `PLACES`.

    Returns:
        `what` (the setting), `place`, and what `study.differences` adds.
    """
    pairs = []
    for (earlier, one), (later, other) in combinations(cards.items(), 2):
        what = one_change(one, other)
        for name, place in PLACES.items():
            first, second = (key_at(encoder, place) for encoder in (later, earlier))
            if what and {first, second} <= set(measured.resampled):
                pairs.append({"what": what, "place": name, "first": first, "second": second})
    return study.differences(measured, pd.DataFrame(pairs, columns=["what", "place", "first", "second"]))


def one_change(one: dict, other: dict) -> str | None:
    """The setting in which two cards differ, where it is one and not the seed; else None.

    Batches of another size count where the epochs make up for them: at the same number of epochs they would take
    another number of steps, a second change.
    """
    differing = [name for name in SETTINGS if one[name] != other[name]]
    sizes = [card["batches"]["size"] for card in (one, other)]
    if sizes[0] != sizes[1]:
        if {**one["batches"], "size": 0} != {**other["batches"], "size": 0} or differing != ["batches", "epochs"]:
            return None
        return "batches" if one["epochs"] * sizes[1] == other["epochs"] * sizes[0] else None
    return differing[0] if len(differing) == 1 and differing != ["seed"] else None
