"""A small catalogue with everything that can go wrong in one: copies, singletons, blanks, missing years, and ties."""

import numpy as np
import pandas as pd
import pytest

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.encoders.store import FeatureSet

RUN = params.KnnRetrieval(
    neighbours=5,
    panel_queries=1,
    panel_neighbours=1,
    relevances=["articleType", "gender+articleType", "product"],
    cutoffs=[1, 3],
    galleries=["all", "test"],
    gains={"articleType": 3, "gender": 2, "baseColour": 2, "usage": 1},
    gain_cutoffs=[2, 50],
    thesis_sizes=[12, 20, 1000],
    threshold_queries=8,
    seed=0,
)


@pytest.fixture(scope="session")
def run():
    return RUN


@pytest.fixture(scope="session")
def world():
    """30 pictures, every third of them for testing, two products' worth of copies, and vectors of small whole numbers.

    0 and 1 have the same bytes, and so have 6 and 9, which are two test pictures of two products. 12 is the only one
    of its type; 15 has no gender; 15 and 16 have no product's name, 18 no type, 21 no colour, 24 no year.
    """
    rng, count = np.random.default_rng(0), 30
    years = pd.Series(rng.integers(2010, 2014, count), dtype="Int64")
    years[24] = pd.NA
    odd = years.map(lambda year: catalog.TRAIN if year % 2 == 0 else catalog.TEST, na_action="ignore")
    frame = pd.DataFrame(
        {
            catalog.ID: [str(100 + number) for number in range(count)],
            catalog.GENDER: rng.choice(["Men", "Women"], count),
            catalog.MASTER: rng.choice(["Apparel", "Accessories"], count),
            catalog.ARTICLE: rng.choice(["Shirts", "Ties", "Caps"], count),
            catalog.COLOUR: rng.choice(["Red", "Blue"], count),
            catalog.USAGE: rng.choice(["Casual", "Formal"], count),
            catalog.YEAR: years,
            catalog.PRODUCT: [f"product {number // 2}" for number in range(count)],
            catalog.SHA256: [f"{number}" for number in range(count)],
            catalog.SPLIT: [catalog.TEST if number % 3 == 0 else catalog.TRAIN for number in range(count)],
            catalog.TEMPORAL_SPLIT: odd.astype("str").where(years.notna()),
        }
    )
    frame[catalog.TYPE_SPLIT] = np.where(frame[catalog.ARTICLE] == "Shirts", catalog.TEST, catalog.TRAIN)
    frame.loc[1, catalog.SHA256] = frame.loc[0, catalog.SHA256]
    frame.loc[9, catalog.SHA256] = frame.loc[6, catalog.SHA256]
    frame.loc[12, catalog.ARTICLE] = "Umbrellas"
    frame.loc[15, catalog.GENDER] = None
    frame.loc[[15, 16], catalog.PRODUCT] = None
    frame.loc[18, catalog.ARTICLE] = None
    frame.loc[21, catalog.COLOUR] = None
    vectors = rng.integers(0, 3, (count, 3)).astype(np.float32)
    vectors[1], vectors[9] = vectors[0], vectors[6]
    return frame, FeatureSet(frame[catalog.ID].to_numpy(object), vectors, "encoder:1")


def keep(name, ids, vectors):
    """An encoder's features where the code looks for them."""
    about = {"encoder_id": name, "dimension": str(vectors.shape[1]), "encoder": name}
    store.write(paths.features("sample", name), about, len(ids), [(list(ids), vectors)])
