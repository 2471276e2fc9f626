"""The thesis's numbers with the query in the gallery and without it."""

import pandas as pd
import pytest

from pipeline import params, paths
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import scoring, self_match, study

RETRIEVALS = {"it": params.Retrieval(encoder="encoder", distance="euclidean")}
EVALUATION = params.Evaluation(resamples=200, worst_classes=3, worst_queries=3, serving={}, serving_queries=9, seed=1)


@pytest.fixture
def measured(world, run, rng, tmp_path, monkeypatch):
    """One retrieval by vectors of which no two are the same."""
    frame, features = world
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    distinct = FeatureSet(features.ids, rng.normal(size=(30, 8)).astype("f4"), "encoder:1")
    for path, table in (
        (paths.catalog("sample"), frame),
        (paths.scores("sample", "it"), scoring.evaluate(distinct, frame, "euclidean", run).scores),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(path, index=False)
    return study.measure("sample", RETRIEVALS, EVALUATION)


def test_the_share_of_the_self_match_is_what_leaves_with_the_query(measured):
    table = self_match.table(measured.table)
    assert set(table["pictures"]) == {12, 20}
    assert len(table) == 2 * 2  # sizes, and mAP and hit@1: the cutoffs 5 and 10 were not asked for
    values = measured.values
    for _, row in table.iterrows():
        one, other = (
            values[f"{row['retrieval']}/{protocol}/{row['pictures']}/articleType/{row['metric']}"]
            for protocol in ("thesis", "thesis, query out")
        )
        assert (row["query in"], row["query out"]) == (one, other)
        assert row["share"] == pytest.approx((one - other) / one)
    assert (table.loc[table["metric"] == "hit@1", "query in"] == 1).all()
    assert (table["share"] > 0).any()


def test_sizes_of_the_self_match_stand_in_the_order_of_numbers(measured):
    more = measured.table.replace({"gallery": {"12": "200", "20": "1000"}})
    assert self_match.table(more)["pictures"].tolist()[:2] == [200, 1000]


def test_of_many_some_are_drawn_from_the_lowest_to_the_highest():
    rows = [
        (f"n{place}", size, metric, place / 100)
        for place in range(41)
        for size in (9, 20)
        for metric in ("mAP", "hit@1")
    ]
    own = pd.DataFrame(rows, columns=["retrieval", "pictures", "metric", "query out"]).sample(frac=1, random_state=0)
    assert self_match.some(own, 5) == ["n0", "n10", "n20", "n30", "n40"]
    few = own[own["retrieval"].isin(["n3", "n1"])]
    assert self_match.some(few, 2) == list(few["retrieval"].unique())
