"""One network asked with another's vectors, against a loop; and what a claim asks of it."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import crossed, keys

IDS = [str(number) for number in range(40)]


@pytest.fixture
def networks(rng):
    """Types that the first network tells apart and the second does not, and a third with more numbers; 0 and 1 are
    copies."""
    types = np.array(["Shirts", "Ties"] * 20, object)
    frame = pd.DataFrame({catalog.ID: IDS, catalog.ARTICLE: types, catalog.SHA256: ["0", *map(str, range(39))]})
    apart = rng.normal(size=(40, 6)) + 9 * (types == "Ties")[:, None]
    vectors = {"tells": apart, "blind": rng.normal(size=(40, 6)) + 100, "longer": np.pad(apart, ((0, 0), (0, 3)))}
    return {
        name: FeatureSet(np.array(IDS, object), made.astype("float32"), name) for name, made in vectors.items()
    }, frame


def test_case_d_is_that_of_a_loop(networks):
    vectors, frame = networks
    pair = {name: vectors[name] for name in ("tells", "blind")}
    found, queries = crossed.table(pair, frame, np.array([0, 5, 17]), "manhattan"), (0, 5, 17)
    assert found.index.tolist() == [("tells", "tells"), ("tells", "blind"), ("blind", "tells"), ("blind", "blind")]
    first, same = {}, frame[catalog.SHA256].to_numpy()
    for ask, answer in found.index:
        far = cdist(pair[ask].vectors.astype(float), pair[answer].vectors.astype(float), "cityblock")
        order = {query: [item for item in np.argsort(far[query]) if same[item] != same[query]] for query in queries}
        first[ask, answer] = {query: set(items[:10]) for query, items in order.items()}
        nearest = [far[query, order[query][0]] for query in queries]
        np.testing.assert_allclose(found.loc[(ask, answer), "nearest, least"], min(nearest), rtol=1e-5)
        np.testing.assert_allclose(found.loc[(ask, answer), "nearest, median"], np.median(nearest), rtol=1e-5)
    for pair_of, own in [(pair_of, own) for pair_of in first for own in pair]:
        shares = [len(first[pair_of][query] & first[own, own][query]) / 10 for query in queries]
        assert found.loc[pair_of, f"as {own} alone"] == pytest.approx(np.mean(shares))


def test_a_network_that_tells_types_apart_finds_them_and_across_nobody_does(networks):
    vectors, frame = networks
    found = crossed.table({name: vectors[name] for name in ("tells", "blind")}, frame, np.arange(40), "manhattan")
    assert found.loc[("tells", "tells"), "mAP"] == pytest.approx(1.0)
    assert (found.loc[[("tells", "blind"), ("blind", "tells")], "mAP"] < 0.75).all()
    assert (found["random mAP"] - 0.54).abs().max() < 0.02  # 19 or 20 of 39 or 38, and the first ranks weigh more
    assert found.loc[("blind", "tells"), "nearest, least"] > 500


def test_networks_of_other_lengths_are_compared_by_their_own_neighbours_alone(networks):
    vectors, frame = networks
    pair = {name: vectors[name] for name in ("tells", "longer")}
    found = crossed.table(pair, frame, np.arange(40), "manhattan")
    assert found.index.tolist() == [("tells", "tells"), ("longer", "longer")]
    assert found["numbers"].tolist() == [6, 9]
    assert found["as tells alone"].tolist() == [1.0, 1.0]  # the further numbers are all 0
    assert crossed.table({}, frame, np.arange(40), "manhattan").empty


def test_what_a_claim_asks_is_measured_where_both_networks_are(shop):
    frame, vectors = shop
    wanted = ["crossed/manhattan/right/wrong/nearest, least", "crossed/cosine/right/absent/mAP", "data/rows"]
    measured = crossed.measure("sample", ["right", "wrong"], frame, wanted, seed=0)
    far = cdist(vectors["right"].astype(float), vectors["wrong"].astype(float), "cityblock")
    copies = catalog.duplicates(frame)
    far[copies[:, None] == copies] = np.inf
    assert measured.values[wanted[0]] == pytest.approx(far.min(), rel=1e-4)
    assert measured.values["crossed/manhattan/right/wrong/nearest, median"] == pytest.approx(
        np.median(far.min(axis=1)), rel=1e-4
    )
    assert {keys.fault(key, crossed.KEYS, {"encoders": ["right", "wrong"]}) for key in measured.values} == {""}
    assert len(measured.table) == 4 and len(measured.values) == 16
    both = [*wanted, "crossed/manhattan/wrong/right/mAP"]
    assert len(crossed.measure("sample", ["right", "wrong"], frame, both, seed=0).table) == 4  # asked for once
    nothing = crossed.measure("sample", ["right"], frame, wanted, seed=0)
    assert nothing.table.empty and nothing.table.columns.tolist() == crossed.COLUMNS and nothing.values == {}
