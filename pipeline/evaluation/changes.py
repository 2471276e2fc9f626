"""What one change of a finetune does, all else equal."""

from itertools import combinations

import pandas as pd

from pipeline.evaluation import study
from pipeline.evaluation.finetunes import PLACES, SETTINGS, key_at
from pipeline.evaluation.tables import Measured


def table(cards: dict[str, dict], measured: Measured) -> pd.DataFrame:
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
                pairs.append({"what": differing[0], "place": name, "first": first, "second": second})
    return study.differences(measured, pd.DataFrame(pairs, columns=["what", "place", "first", "second"]))
