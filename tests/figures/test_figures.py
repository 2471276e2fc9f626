"""What a figure shows of its table: which rows are green, red or grey, and how many of them are drawn."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from pipeline.data import catalog
from pipeline.figures import architecture, counts, grids, panel, side_by_side, study_plots, threshold
from pipeline.figures.style import GREY, QUERY, RIGHT, WRONG
from pipeline.retrieval.ranking import Neighbours


@pytest.mark.parametrize(
    ("low", "high", "colour"),
    [(0.1, 0.3, RIGHT), (0.0, 0.3, GREY), (-0.1, 0.3, GREY), (-0.3, 0.0, GREY), (-0.3, -0.1, WRONG)],
)
def test_a_difference_has_a_colour_once_the_interval_of_all_is_clear_of_0(low, high, colour):
    row = {
        "what": "distance",
        "first": "a/mAP",
        "second": "b/mAP",
        "difference": (low + high) / 2,
        "low": low,
        "high": high,
    }
    drawn = study_plots.differences(pd.DataFrame([{**row, "low of all": low, "high of all": high}]), "title")
    lines = drawn.axes[0].get_lines()
    assert [same_color(line.get_color(), colour) for line in lines[:2]] == [True, True]
    assert [label.get_text() for label in drawn.axes[0].get_yticklabels()] == ["a − b"]


def test_right_neighbours_are_framed_green_and_wrong_ones_red():
    image = np.zeros((4, 3, 3), np.uint8)
    row = {"query": image, "neighbours": [image, image], "titles": ["Shirts", "Shirts", "Ties"], "right": [True, False]}
    drawn = panel.neighbour_panel([row], "title")
    for axis, colour, mark in zip(
        drawn.axes, (QUERY, RIGHT, WRONG), ("query Shirts", "✓ Shirts", "✗ Ties"), strict=True
    ):
        assert axis.get_title() == mark
        assert all(same_color(side.get_edgecolor(), colour) for side in axis.spines.values())


def searched(*near):
    asked = np.array(["1", "2"][: len(near)], object)
    return Neighbours(asked, np.array(near, object), np.zeros((len(near), 2), np.float32))


def test_searches_stand_below_each_other_query_by_query(monkeypatch):
    frame = pd.DataFrame({catalog.ID: list("1234"), catalog.ARTICLE: ["Shirts", "Ties", "Shirts", "Ties"]})
    monkeypatch.setattr(panel.images, "load", lambda path, ids: [np.zeros((4, 3, 3), np.uint8)] * len(ids))
    found = {"before": searched(["4", "3"], ["3", "1"]), "after": searched(["3", "4"], ["4", "3"])}
    drawn = side_by_side.side_by_side("sample", frame, found, 1, "title")
    titles = [axis.get_title() for axis in drawn.axes]
    asked = ["query Shirts\nbefore", "query Shirts\nafter", "query Ties\nbefore", "query Ties\nafter"]
    assert titles[::2] == asked
    assert [title[0] for title in titles[1::2]] == list("✗✓✗✓")


@pytest.mark.parametrize("other", [searched(["3", "4"]), None])
def test_searches_of_other_queries_are_not_set_side_by_side(other):
    found = {"before": searched(["4", "3"], ["3", "1"]), "after": other} if other else {}
    with pytest.raises(ValueError, match="same queries"):
        side_by_side.side_by_side("sample", pd.DataFrame(), found, 1, "title")


def test_labels_that_no_picture_has_are_drawn_as_none():
    """A gallery without masterCategory: its chapter of the data must not fail after the pictures are read."""
    frame = pd.DataFrame({"gender": [None, None], "category": [None, None]})
    assert counts.bars(frame["gender"].value_counts(), "title").axes[0].get_title() == "title"
    assert counts.columns(frame["gender"].value_counts(), "title").axes[0].get_title() == "title"
    drawn = counts.cross_table(pd.crosstab(frame["category"], frame["gender"]), "title")
    assert drawn.axes[0].get_xlabel() == "no picture has both labels"
    assert not grids.image_grid([], []).axes[0].images


def test_thresholds_read_off_one_query_are_drawn_as_far_as_the_curve_goes():
    table = pd.DataFrame(
        {"threshold": [0.1, 0.2, 0.9], "precision": [1, 0.8, 0.2], "recall": [0.2, 0.6, 1], "F1": [0.3, 0.7, 0.3]}
    )
    drawn = threshold.curve(table, 0.2, pd.Series([0.1, 0.15, 0.2, 0.5, np.inf]), "title")
    assert sum(bar.get_height() for bar in drawn.axes[1].patches) == 3
    assert list(drawn.axes[0].get_lines()[0].get_xdata()) == [0.1, 0.2]


def test_a_network_is_drawn_as_tall_as_its_maps():
    drawn = architecture.shape([(8, 8, 3), (4, 4, 16), (2, 2, 64)], "title")
    boxes = drawn.axes[0].patches
    assert [box.get_height() for box in boxes] == [1, 0.5, 0.25]
    assert boxes[0].get_width() < boxes[1].get_width() < boxes[2].get_width()
    assert [text.get_text() for text in drawn.axes[0].texts] == ["8×8\n×3", "4×4\n×16", "2×2\n×64"]


def test_a_flow_has_an_arrow_from_what_is_followed_directly_alone():
    drawn = architecture.flow({"first": [], "second": ["first"], "third": ["first", "second"], "apart": ["first"]}, "t")
    boxes = {text.get_text(): text.get_position() for text in drawn.axes[0].texts if text.get_text()}
    assert boxes["first"][1] > boxes["second"][1] == boxes["apart"][1] > boxes["third"][1]
    arrows = [text for text in drawn.axes[0].texts if not text.get_text()]
    assert len(arrows) == 3


@pytest.mark.parametrize("published", [False, True])
def test_counts_within_thresholds_are_drawn_where_one_was_reported(published):
    """A publication of an earlier day says of no threshold where its pictures begin."""
    rows = pd.DataFrame(
        {"retrieval": "r", "above": [0, 0.15, 0], "threshold": [0.2, 0.2, 22], "reported": [4, 0, None]}
    )
    table = rows.assign(**{"5 %": 1, "median": 2, "95 %": 9}).drop(columns=["above"] if published else [])
    (axis,) = study_plots.counts_within(table, "t").axes
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels == (["r < 0.2"] if published else ["r < 0.2", "r 0.15 to 0.2"])
