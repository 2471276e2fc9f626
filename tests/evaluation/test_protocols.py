"""Average precisions alone, and who may search, against the scores of a whole retrieval."""

import numpy as np
import pytest

from pipeline.data import catalog
from pipeline.evaluation import protocols, scoring, tables


def test_average_precisions_alone_are_the_strict_ones(world, run):
    frame, features = world
    rows = np.array([0, 6, 12, 27])
    found = protocols.precisions(features.take(rows), features, frame, rows, ["gender+articleType"], "manhattan")
    scores = scoring.evaluate(features, frame, "manhattan", run).scores
    expected = tables.pick(scores, protocol="strict", gallery="all", relevance="gender+articleType")
    np.testing.assert_array_equal(found["gender+articleType"], expected.set_index("query").loc[rows, "AP"])


def test_features_of_the_same_pictures_in_another_order_are_refused(world):
    frame, features = world
    protocols.check_same_images(features, frame)
    with pytest.raises(ValueError, match="different pictures"):
        protocols.check_same_images(features.take(np.arange(30)[::-1]), frame)
    with pytest.raises(ValueError, match="no test part"):
        protocols.check_same_images(features, frame.assign(**{catalog.SPLIT: catalog.TRAIN}))
