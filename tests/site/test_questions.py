"""A question's fields, and the choices that it takes from the study's own lists."""

from typing import get_args

from pipeline import params
from pipeline.data import catalog
from pipeline.site import questions
from pipeline.site.questions import Question

OWN = ["encoder", "distance", "index", "count", "like", "text", "image_weight", "farthest", "box"]


def test_a_question_has_its_own_fields_and_one_for_each_filter():
    assert sorted(Question.model_fields) == sorted([*OWN, *questions.FILTERS])
    assert all(getattr(Question(), name) == [] for name in questions.FILTERS)
    assert set(questions.FILTERS) == set(catalog.CLASSES) - {catalog.SUB}


def test_the_indexes_are_the_studys_less_those_that_are_named_as_no_use():
    assert get_args(questions.Index) == ("exact", "ivf", "hnsw", "ball_tree")
    assert set(get_args(params.Index)) - set(get_args(questions.Index)) == questions.NOT_OFFERED
