"""What went wrong, on neighbours made by hand."""

import pandas as pd
import pytest

from pipeline.data import catalog
from pipeline.evaluation import keys, mistakes, scoring, tables

LABELS = {  # id: type, gender, colour
    "a": ("Shirts", "Men", "Red"),
    "b": ("Shirts", "Men", "Red"),
    "c": ("Shirts", "Men", "Blue"),
    "d": ("Shirts", "Women", "Blue"),
    "e": ("Ties", "Women", "Blue"),
    "f": ("Ties", "Men", None),
    "g": ("Ties", "Men", "Red"),
    "h": ("Caps", "Men", "Red"),
}


@pytest.fixture
def frame():
    rows = [(name, *labels) for name, labels in LABELS.items()]
    columns = [catalog.ID, catalog.ARTICLE, catalog.GENDER, catalog.COLOUR]
    return pd.DataFrame(rows, columns=columns).astype("str").where(lambda table: table != "None")


def neighbours(**found):
    """Each query's neighbours as letters, nearest first."""
    rows = [(query, place, near) for query, nears in found.items() for place, near in enumerate(nears, 1)]
    return pd.DataFrame(rows, columns=["query", "rank", "neighbour"])


def test_a_neighbour_is_named_by_its_worst_fault(frame):
    found = mistakes.kinds(neighbours(a="bcdeh"), frame, 5)
    assert found.tolist() == [
        "type, gender and colour right",
        "wrong colour",
        "wrong gender",
        "wrong type",
        "wrong type",
    ]


def test_kinds_equal_a_loop_over_every_pair(frame):
    near = neighbours(**{query: "".join(other for other in LABELS if other != query) for query in LABELS})
    found = mistakes.kinds(near, frame, 7)
    for (_, row), kind in zip(near.iterrows(), found, strict=True):
        one, other = LABELS[row["query"]], LABELS[row["neighbour"]]
        faults = [fault for fault, a, b in zip(("type", "gender", "colour"), one, other, strict=True) if a != b]
        assert kind == (f"wrong {faults[0]}" if faults else mistakes.RIGHT)


@pytest.mark.parametrize(("column", "fault"), [("articleType", "type"), ("gender", "gender"), ("baseColour", "colour")])
def test_two_blanks_are_no_label_that_is_shared(frame, column, fault):
    frame.loc[frame["id"].isin(["a", "b"]), column] = None
    assert mistakes.kinds(neighbours(a="b"), frame, 1).tolist() == [f"wrong {fault}"]


def test_only_the_first_neighbours_count_and_keep_their_rows(frame):
    near = neighbours(a="bcd", e="fga").iloc[::-1]
    found = mistakes.kinds(near, frame, 2)
    assert sorted(found.index) == [0, 1, 3, 4]
    assert found[0] == mistakes.RIGHT
    assert found[3] == "wrong gender"


def test_shares_are_of_all_kinds_in_their_order_and_sum_to_1(frame):
    shares = mistakes.shares(mistakes.kinds(neighbours(a="bce", b="ace"), frame, 3))
    assert shares.index.tolist() == mistakes.KINDS
    assert shares.tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])


def test_the_worst_queries_are_one_per_label_with_what_they_found(frame):
    scores = pd.DataFrame(
        {
            "query": [0, 2, 4, 5, 7],
            "relevant": [3, 3, 2, 2, 0],
            "AP": [0.3, 0.2, 0.9, 0.9, float("nan")],
        }
    )
    near = neighbours(a="ba", c="dc", e="fe", f="ge", h="ab")
    table = mistakes.worst(scores, near, frame, 5)
    # of each type the lowest AP, of equal ones the first; h has nothing to find
    assert table["query"].tolist() == ["c", "e"]
    assert table["is"].tolist() == ["Shirts · Men · Blue", "Ties · Women · Blue"]
    assert table["found first"].tolist() == ["Shirts · Women · Blue", "Ties · Men · "]
    assert table["what went wrong"].tolist() == ["wrong gender", "wrong gender"]
    assert table["relevant"].tolist() == [3, 2]
    assert table["AP"].tolist() == [0.2, 0.9]
    assert mistakes.worst(scores, near, frame, 1)["query"].tolist() == ["c"]


def test_the_neighbours_of_some_queries_are_as_they_were_saved(world, run):
    frame, features = world
    saved = scoring.evaluate(features, frame, "manhattan", run).neighbours
    found = mistakes.neighbours_of(saved.frame(), ["118", "100"])
    places = [saved.query_ids.tolist().index(query) for query in ("118", "100")]
    assert found.query_ids.tolist() == ["118", "100"]
    assert found.gallery_ids.tolist() == saved.gallery_ids[places].tolist()
    assert (found.distances == saved.distances[places]).all()


def test_the_worst_queries_of_a_judged_study_have_the_lowest_scores(world, run):
    frame, features = world
    judged = scoring.evaluate(features, frame, "cosine", run)
    scores = tables.pick(judged.scores, protocol="strict", gallery="all", relevance="articleType")
    table = mistakes.worst(scores, judged.neighbours.frame(), frame, 9)
    types = scores.assign(type=frame.loc[scores["query"], catalog.ARTICLE].to_numpy())
    lowest = types[types["relevant"] > 0].groupby("type")["AP"].min().sort_values()
    assert table["AP"].tolist() == lowest.tolist()
    assert [text.split(" · ")[0] for text in table["is"]] == lowest.index.tolist()


def test_mistakes_add_up_to_everything(world, in_measured):
    measured = mistakes.measure("sample", ["it"], world[0], 5)
    assert measured.table[mistakes.KINDS].sum(axis=1).iloc[0] == pytest.approx(1)
    assert set(measured.values) == {f"mistakes/it/{kind}" for kind in mistakes.KINDS}
    assert {keys.fault(key, mistakes.KEYS, {"retrievals": ["it"]}) for key in measured.values} == {""}
