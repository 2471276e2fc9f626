"""mAP while training: what a slow loop over sklearn's average precision gives, and nothing on the screen."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from pipeline.data import catalog
from pipeline.evaluation import validation
from pipeline.progress import FILE, progress

RELEVANCES = ["articleType", "gender+articleType", "articleType+baseColour", "product"]


@pytest.fixture
def embeddings(world, rng):
    return rng.normal(size=(len(world[0]), 4)).astype(np.float32)


def slow(frame, embeddings, relevance):
    """Query by query: everything but the query's own bytes, and what has its labels."""
    columns = [catalog.PRODUCT] if relevance == "product" else relevance.split("+")
    unit = embeddings.astype(float) / np.linalg.norm(embeddings.astype(float), axis=1, keepdims=True)
    labels, whole = frame[columns].to_numpy(object), frame[columns].notna().all(axis=1).to_numpy()
    values = []
    for query in range(len(frame)):
        others = np.flatnonzero(frame[catalog.SHA256] != frame[catalog.SHA256].iloc[query])
        wanted = [whole[query] and whole[row] and all(labels[row] == labels[query]) for row in others]
        if any(wanted):
            values.append(average_precision_score(wanted, unit[others] @ unit[query]))
    return np.mean(values)


def test_it_is_the_slow_loops(world, embeddings):
    frame, _ = world
    found = validation.mean_average_precision(frame, embeddings, RELEVANCES)
    assert list(found) == RELEVANCES
    for relevance in RELEVANCES:
        assert found[relevance] == pytest.approx(slow(frame, embeddings, relevance), abs=1e-9)


def test_more_queries_than_one_chunk_are_all_asked(rng, world):
    frame = world[0].sample(300, replace=True, random_state=0, ignore_index=True)
    frame[catalog.ID] = [str(number) for number in range(300)]
    frame[catalog.SHA256] = [str(number // 2) for number in range(300)]
    embeddings = rng.normal(size=(300, 4)).astype(np.float32)
    found = validation.mean_average_precision(frame, embeddings, ["articleType"])
    assert found["articleType"] == pytest.approx(slow(frame, embeddings, "articleType"), abs=1e-9)


def test_a_copy_neither_helps_nor_harms(world, embeddings):
    frame, _ = world
    rows = frame.iloc[[0, 1, 2, 3]].assign(**{catalog.ARTICLE: ["Shirts", "Shirts", "Shirts", "Ties"]})
    vectors = np.array([[1, 0], [1, 0], [0, 1], [1, 0.2]], np.float32)
    assert rows[catalog.SHA256].tolist()[0] == rows[catalog.SHA256].tolist()[1]
    found = validation.mean_average_precision(rows, vectors, ["articleType"])
    # 0 and 1 find 3, then 2; 2 finds 3 first, then 0 and 1; 3 has no other
    assert found["articleType"] == pytest.approx(np.mean([1 / 2, 1 / 2, (1 / 2 + 2 / 3) / 2]))


def test_blank_labels_are_relevant_to_nothing(world, embeddings):
    frame, _ = world
    blank = frame.assign(**{catalog.PRODUCT: None})
    assert validation.mean_average_precision(blank, embeddings, ["product"]) == {"product": 0.0}


def test_where_no_picture_has_a_relevant_other_it_is_0(world, embeddings):
    frame, _ = world
    alone = frame.assign(**{catalog.PRODUCT: [f"only {number}" for number in range(len(frame))]})
    found = validation.mean_average_precision(alone, embeddings, ["product", "articleType"])
    assert found["product"] == 0.0
    assert found["articleType"] > 0


def test_it_shows_nothing_and_the_next_bar_is_shown_again(world, embeddings, capsys, monkeypatch, tmp_path):
    frame, _ = world
    validation.mean_average_precision(frame, embeddings, ["articleType"])
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv(FILE, str(tmp_path / "lines"))
    validation.mean_average_precision(frame, embeddings, ["articleType"])
    assert not (tmp_path / "lines").exists()
    assert list(progress(range(3), "after", "thing", 3)) == [0, 1, 2]
    assert "after" in (tmp_path / "lines").read_text()


def test_neighbours_are_those_of_a_loop_without_the_query_and_its_copies(world, embeddings):
    frame, _ = world
    found = validation.neighbours(frame, embeddings, np.array([0, 6, 12]), 4)
    unit = embeddings.astype(float) / np.linalg.norm(embeddings.astype(float), axis=1, keepdims=True)
    for query, near, far in zip((0, 6, 12), found.gallery_ids, found.distances, strict=True):
        others = np.flatnonzero(frame[catalog.SHA256] != frame[catalog.SHA256].iloc[query])
        distances = 1 - unit[others] @ unit[query]
        assert near.tolist() == frame[catalog.ID].to_numpy()[others[np.argsort(distances)[:4]]].tolist()
        np.testing.assert_allclose(far, np.sort(distances)[:4], atol=1e-6)
    assert found.query_ids.tolist() == frame[catalog.ID].iloc[[0, 6, 12]].tolist()


def test_a_small_part_has_fewer_neighbours(world, embeddings):
    few = validation.neighbours(world[0].head(4), embeddings[:4], np.array([0, 2]), 5)
    assert few.gallery_ids.shape == (2, 2)  # 0 and 1 have the same bytes
