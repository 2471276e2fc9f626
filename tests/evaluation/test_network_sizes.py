"""What the cards beside weights say of their networks, by backbone."""

import json

import pytest

from pipeline import paths
from pipeline.encoders.card import WeightsError
from pipeline.evaluation import keys, network_sizes

CARDS = {
    "light": {"backbone": "mobilenet_v2", "parameters": 2_257_984},
    "taught": {"backbone": "mobilenet_v2", "parameters": 2_257_984},
    "heavy": {"backbone": "resnet50_v15", "parameters": 23_508_032},
    "large": {"backbone": "vgg16", "parameters": 14_714_688},
    "colours": {"source": "none"},
}
WANTED = ["network/mobilenet_v2/parameters", "network/resnet50/parameters", "network/resnet50_v15/parameters"]


@pytest.fixture
def cards(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for name, card in CARDS.items():
        folder = paths.weights("sample", name)
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(json.dumps(card))
    return list(CARDS)


def test_a_backbone_that_a_claim_asks_for_has_its_cards_parameters(cards):
    measured = network_sizes.measure("sample", cards, WANTED)
    assert measured.values == {WANTED[0]: 2_257_984, WANTED[2]: 23_508_032}
    assert measured.table.to_dict("list") == {
        "backbone": ["mobilenet_v2", "resnet50_v15"],
        "parameters": [2_257_984, 23_508_032],
    }
    assert {keys.fault(key, network_sizes.KEYS, {}) for key in WANTED} == {""}


def test_weights_without_a_card_name_the_stage_that_makes_them(cards):
    with pytest.raises(WeightsError, match="weights@none"):
        network_sizes.measure("sample", [*cards, "none"], WANTED)


def test_without_such_claims_no_card_is_read():
    measured = network_sizes.measure("sample", ["none"], ["data/rows"])
    assert (len(measured.table), measured.values) == (0, {})
