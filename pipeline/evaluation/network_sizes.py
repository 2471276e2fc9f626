"""How large the networks are: the numbers that each backbone has learnt, from the cards beside its weights."""

import pandas as pd

from pipeline import paths
from pipeline.encoders.card import read_card
from pipeline.evaluation.keys import Pattern, key, split
from pipeline.evaluation.tables import Measured
from pipeline.params.backbones import BACKBONES

FAMILY = "network"
PARAMETERS = "parameters"
KEYS: list[Pattern] = [(FAMILY, list(BACKBONES), PARAMETERS)]


def measure(data: str, weights: list[str], wanted: list[str]) -> Measured:
    """The parameters of the backbones that claims ask for, without any head; a row of the table per backbone.

    Args:
        weights: names of weights, of which some may be of one backbone, and some of none.
        wanted: keys that claims ask for, such as `network/mobilenet_v2/parameters`.
    """
    asked = {split(text)[1] for text in wanted if split(text)[0] == FAMILY}
    cards = [read_card(paths.weights(data, name)) for name in weights] if asked else []
    found = {card["backbone"]: int(card[PARAMETERS]) for card in cards if card.get("backbone") in asked}
    table = pd.DataFrame({"backbone": list(found), PARAMETERS: list(found.values())})
    return Measured(table, {key(FAMILY, name, PARAMETERS): float(count) for name, count in found.items()})
