"""Features brought to 0 to 1, and the distances of their pairs, against a loop."""

import numpy as np
import pytest

from pipeline.evaluation import keys, scaled


def test_a_share_of_the_values_becomes_1_and_what_exceeds_it_is_cut_off():
    vectors = np.arange(100, dtype=np.float32).reshape(10, 10)
    found = scaled.from_0_to_1(vectors, 0.5)
    assert found.dtype == np.float32
    assert found.ravel()[:50] == pytest.approx(np.arange(50) / 49)
    assert (found.ravel()[50:] == 1).all()
    assert scaled.from_0_to_1(vectors, 1.0).max() == 1
    assert scaled.from_0_to_1(vectors - 50, 1.0).min() == 0
    assert (scaled.from_0_to_1(np.zeros((2, 2), np.float32), 1.0) == 0).all()


@pytest.mark.parametrize(
    ("distance", "apart"),
    [("euclidean", lambda a, b: np.sqrt(((a - b) ** 2).sum())), ("manhattan", lambda a, b: np.abs(a - b).sum())],
)
def test_the_distances_of_all_pairs_are_summed_up(shop, distance, apart):
    frame, vectors = shop
    wanted = [f"scaled/right/99 percent/{distance}/median", "scaled/absent/largest/cosine/median", "data/rows"]
    measured = scaled.measure("sample", ["right"], frame, wanted, seed=0)
    for scale, share in (("99 percent", 0.99), ("largest", 1.0)):
        ordered = np.sort(vectors["right"], axis=None)
        most = ordered[int(np.ceil(share * len(ordered))) - 1]
        brought = np.clip(vectors["right"] / most, 0, 1)
        every = [apart(brought[a], brought[b]) for a in range(len(frame)) for b in range(a)]
        for what, quantile in (("5 %", 0.05), ("median", 0.5), ("95 %", 0.95)):
            found = measured.values[f"scaled/right/{scale}/{distance}/{what}"]
            assert found == pytest.approx(np.quantile(every, quantile), rel=1e-4)
    assert len(measured.values) == 6
    assert {keys.fault(key, scaled.KEYS, {"encoders": ["right"]}) for key in measured.values} == {""}


def test_a_drawn_part_is_enough(shop, monkeypatch):
    monkeypatch.setattr(scaled, "PICTURES", 4)
    frame, vectors = shop
    asked = []
    monkeypatch.setattr(scaled, "pairs", lambda chosen, distance: asked.append(chosen.shape) or np.ones(6))
    scaled.measure("sample", ["right"], frame, ["scaled/right/largest/cosine/median"], seed=0)
    assert asked == [(4, vectors["right"].shape[1])] * 2
