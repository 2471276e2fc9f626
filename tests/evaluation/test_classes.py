"""What is found of each article type, one after another."""

import pytest

from pipeline.data import catalog
from pipeline.evaluation import classes, study

pytestmark = pytest.mark.usefixtures("in_measured")


def test_every_type_has_its_mean_beside_its_size_and_chance(world):
    names = catalog.label_names(world[0], "articleType")
    table = classes.table("sample", ["it"], names).set_index("label")
    scores = study.scores("sample", "it", protocol="strict", gallery="all", relevance="articleType")
    answered = scores[scores["relevant"] > 0]
    assert table["queries"].sum() == len(answered)
    for label, rows in answered.groupby(names[answered["query"]]):
        assert table.loc[label, "it"] == pytest.approx(rows["AP"].mean())
        assert table.loc[label, "relevant"] == pytest.approx(rows["relevant"].mean())
        assert 0 < table.loc[label, "chance"] < 1


def test_labels_stand_worst_first(world):
    frame, _ = world
    scores = study.scores("sample", "it", protocol="strict", gallery="all", relevance="articleType")
    names = catalog.label_names(frame, "articleType")[scores["query"]]
    table = classes.by_label(scores, names)
    assert table["mAP"].is_monotonic_increasing
    assert table["queries"].sum() == (scores["relevant"] > 0).sum()
    for _, row in table.iterrows():
        mine = scores[(names == row["label"]) & (scores["relevant"] > 0).to_numpy()]
        assert len(mine) == row["queries"]
        assert row[["relevant", "mAP", "hit@1"]].tolist() == pytest.approx(
            mine[["relevant", "AP", "hit@1"]].mean().tolist()
        )
