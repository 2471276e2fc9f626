"""What chapter 5 makes of thresholds, against every pair, and the keys that claims name."""

import numpy as np
import pandas as pd
import pytest

from pipeline import paths
from pipeline.data import catalog
from pipeline.evaluation import keys, names, threshold_choice

pytestmark = pytest.mark.usefixtures("in_measured")


def pairs(world):
    """Distance and rightness of every pair of a test query and another picture, as the definition has it."""
    frame, features = world
    codes, copies = catalog.label_codes(frame, "articleType"), catalog.duplicates(frame)
    for query in np.flatnonzero(frame[catalog.SPLIT] == catalog.TEST):
        for item in range(len(frame)):
            if copies[item] != copies[query]:
                distance = float(np.linalg.norm(features.vectors[query] - features.vectors[item]))
                yield distance, bool(codes[query] >= 0 and codes[item] == codes[query])


def test_a_given_threshold_counts_the_pairs_below_it(world):
    wanted = ["threshold/it/1.5/precision", "threshold/it/1.5/recall", "threshold/other/1/recall", "data/rows"]
    values = threshold_choice.measure("sample", ["it"], wanted).values
    below = [right for distance, right in pairs(world) if distance < 1.5]
    everything = [right for _, right in pairs(world)]
    assert values["threshold/it/1.5/precision"] == pytest.approx(np.mean(below))
    assert values["threshold/it/1.5/recall"] == pytest.approx(sum(below) / sum(everything))
    assert not any(key.startswith("threshold/other") for key in values)


def test_the_median_distance_of_two_pictures_is_a_step_above_the_true_one(world):
    values = threshold_choice.measure("sample", ["it"], []).values
    true = np.median([distance for distance, _ in pairs(world)])
    assert true <= values["threshold/it/pairs/median"] <= true + 0.01


def test_right_per_query_is_right_matches_over_queries(world):
    wanted = ["threshold/it/1.5/right per query", "threshold/it/best/F1", "threshold/it/pairs/median"]
    found = threshold_choice.measure("sample", ["it"], wanted).values
    frame, _ = world
    scores = pd.read_parquet(paths.scores("sample", "it"))
    queries = np.isfinite(scores[names.FIRST_MISS]).sum()
    right = sum(right for distance, right in pairs(world) if distance < 1.5)
    assert found["threshold/it/1.5/right per query"] == pytest.approx(right / queries)


def test_what_one_pictures_threshold_loses_is_the_difference_of_two_f1():
    measured = threshold_choice.measure("sample", ["it"], [])
    values, row = measured.values, measured.table.iloc[0]
    assert values["threshold/it/one picture/F1 lost"] == pytest.approx(row["F1"] - row["one picture, F1"])


def test_curves_rise_in_recall_and_mark_the_chosen_threshold_once_per_part():
    curves = threshold_choice.curves("sample", ["it"], points=50)
    for _, rows in curves.groupby("part"):
        assert rows["recall"].is_monotonic_increasing
        assert rows["best"].sum() == 1
    chosen = curves[curves["best"]]["threshold"].unique()
    assert chosen == pytest.approx(threshold_choice.measure("sample", ["it"], []).table["threshold"])


def test_every_key_is_one_that_the_patterns_make():
    values = threshold_choice.measure("sample", ["it"], ["threshold/it/1.5/precision"]).values
    assert {keys.fault(key, threshold_choice.KEYS, {"retrievals": ["it"]}) for key in values} == {""}
