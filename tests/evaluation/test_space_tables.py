"""What chapter 5 makes of separation, components and maps, and the keys that claims name."""

import numpy as np
import pandas as pd
import pytest

from pipeline.data import catalog
from pipeline.evaluation import keys, space, space_tables, statistics
from pipeline.evaluation import tables as tables_

pytestmark = pytest.mark.usefixtures("in_measured")


def test_separation_is_told_by_key():
    measured = space_tables.separations("sample", ["encoder"])
    values = measured.values
    assert set(measured.table["label"]) == set(space.LABELS)
    ratio = values["space/encoder/articleType/inter"] / values["space/encoder/articleType/intra"]
    assert values["space/encoder/articleType/ratio"] == pytest.approx(ratio)
    assert [key for key in values if "/map/" in key] == ["space/encoder/map/pca", "space/encoder/map/tsne"]


def test_the_number_of_clusters_with_the_highest_silhouette_is_told_and_an_older_run_has_none(monkeypatch):
    table = space_tables.clusters("sample", ["encoder"])
    best = table["silhouette"].loc["encoder"].idxmax()
    assert space_tables.separations("sample", ["encoder"]).values["space/encoder/clusters/k"] == best
    assert len(table) > 5 and best in table.loc["encoder"].index
    measures = {name: what for name, what in space_tables._measures("sample", "encoder").items() if name != "clusters"}
    monkeypatch.setattr(space_tables, "_measures", lambda data, encoder: measures)
    assert "space/encoder/clusters/k" not in space_tables.separations("sample", ["encoder"]).values


def test_components_go_by_their_names_and_their_counts():
    measured = space_tables.components("sample", ["encoder"], np.arange(30), 200, 0)
    table, values = measured.table, measured.values
    assert set(measured.resampled) == {key for key in values if key.endswith("/mAP")}
    at = table.set_index("components")
    enough = values["pca/encoder/90 percent/components"]
    assert at.loc[enough, "variance"] >= 0.9
    assert values["pca/encoder/90 percent/mAP"] == at.loc[enough, "mAP"]
    assert values["pca/encoder/as extracted/mAP"] == at.loc[0, "mAP"]
    assert values["pca/encoder/all/mAP"] == at.loc[3, "mAP"]
    assert ((at["low"] <= at["mAP"]) & (at["mAP"] <= at["high"])).all()


def reduced_by(gain):
    """Two encoders' curves of 40 queries: centring brings each .1, keeping 90 % of the variance `gain` of each."""
    rng, queries = np.random.default_rng(0), np.arange(40)
    tables, values, resampled = [], {}, {}
    plain, counts = rng.random(40) / 2, statistics.draws(40, 300, 0)
    for encoder, more in gain.items():
        tables.append(pd.DataFrame({"encoder": [encoder] * 3, "components": [0, 9, 20]}))
        curves = {"as extracted": plain, "all": plain + 0.1, "90 percent": plain + 0.1 + more * (1 + queries % 2)}
        for name, curve in curves.items():
            values[f"pca/{encoder}/{name}/mAP"] = curve.mean()
            resampled[f"pca/{encoder}/{name}/mAP"] = statistics.resampled_means(counts, curve[:, None])[:, 0]
    return tables_.Measured(pd.concat(tables), values, resampled)


def test_centring_is_told_from_reduction():
    table = space_tables.reduction(reduced_by({"a": 0.02, "b": -0.02})).set_index(["encoder", "what"])
    assert table.loc[("a", "centring alone"), "difference"] == pytest.approx(0.1)
    assert table.loc[("a", "90 % of the variance, both centred"), "difference"] == pytest.approx(0.03)
    assert table.loc[("b", "90 % of the variance, both centred"), "difference"] == pytest.approx(-0.03)
    assert (table["low of all"] <= table["low"] + 1e-12).all()


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        ({"a": 0.02, "b": -0.02}, "gain (+0.030 to +0.030): a; lose (-0.030 to -0.030): b"),
        ({"a": 0.02, "b": 0.04}, "gain (+0.030 to +0.060): a, b"),
        ({"a": -0.02, "b": 0}, "lose (-0.030 to -0.030): a; cannot be told (+0.000 to +0.000): b"),
    ],
)
def test_who_gains_and_who_loses_is_said_by_the_numbers(gain, said):
    sentences = space_tables.told(space_tables.reduction(reduced_by(gain)))
    assert sentences == [
        "centring alone: gain (+0.100 to +0.100): a, b",
        f"90 % of the variance, both centred: {said}",
    ]


def test_a_map_has_a_label_per_point_and_only_the_commonest_where_asked(world):
    every = space_tables.map_points("sample", "encoder", "tsne", world[0], catalog.ARTICLE)
    few = space_tables.map_points("sample", "encoder", "tsne", world[0], catalog.ARTICLE, 2)
    assert len(every) == (world[0][catalog.SPLIT] == catalog.TEST).sum()
    assert few["label"].nunique() == 2
    assert space_tables.map_points("sample", "encoder", "umap", world[0], catalog.ARTICLE).empty


@pytest.mark.parametrize(
    ("patterns", "measure"),
    [
        (space_tables.SEPARATION_KEYS, lambda: space_tables.separations("sample", ["encoder"])),
        (space_tables.COMPONENT_KEYS, lambda: space_tables.components("sample", ["encoder"], np.arange(30), 200, 0)),
    ],
)
def test_every_key_is_one_that_the_patterns_make(patterns, measure):
    assert {keys.fault(key, patterns, {"encoders": ["encoder"]}) for key in measure().values} == {""}
