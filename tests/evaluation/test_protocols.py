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


def test_f1_is_a_loop_over_what_is_neither_the_query_nor_its_copy(world):
    frame, features = world
    rows, duplicates = np.array([0, 6, 12, 18, 27]), catalog.duplicates(frame)
    codes = {name: catalog.label_codes(frame, name) for name in ("articleType", "product")}
    order = np.argsort(-(features.vectors[rows] @ features.vectors.T), axis=1, kind="stable").astype(np.int32)
    relevant = protocols.strict_relevant(rows, duplicates, codes)
    found = protocols.strict_f1(order, rows, duplicates, codes, relevant, 5)
    for name, labels in codes.items():
        for place, row in enumerate(rows):
            others = [item for item in order[place] if duplicates[item] != duplicates[row]]
            right = [labels[item] == labels[row] and labels[row] >= 0 for item in others]
            expected = 2 * sum(right[:5]) / (5 + sum(right)) if any(right) else np.nan
            assert relevant[name][place] == sum(right)
            np.testing.assert_equal(found[name][place], expected)


def test_features_of_the_same_pictures_in_another_order_are_refused(world):
    frame, features = world
    protocols.check_same_images(features, frame)
    with pytest.raises(ValueError, match="different pictures"):
        protocols.check_same_images(features.take(np.arange(30)[::-1]), frame)
    with pytest.raises(ValueError, match="no test part"):
        protocols.check_same_images(features, frame.assign(**{catalog.SPLIT: catalog.TRAIN}))
