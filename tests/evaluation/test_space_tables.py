"""What chapter 5 makes of separation, components and maps, and the keys that claims name."""

import numpy as np
import pytest

from pipeline.data import catalog
from pipeline.evaluation import keys, space, space_tables

pytestmark = pytest.mark.usefixtures("in_measured")


def test_separation_is_told_by_key():
    measured = space_tables.separations("sample", ["encoder"])
    values = measured.values
    assert set(measured.table["label"]) == set(space.LABELS)
    ratio = values["space/encoder/articleType/inter"] / values["space/encoder/articleType/intra"]
    assert values["space/encoder/articleType/ratio"] == pytest.approx(ratio)


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
