"""A question's fields, and the choices that it takes from the study's own lists."""

from types import SimpleNamespace
from typing import get_args

import pytest

from pipeline import params
from pipeline.data import catalog
from pipeline.site import encoders, pages, questions
from pipeline.site import study as views
from pipeline.site.questions import Judged, Pair, Question, SearchError
from pipeline.site.site import Site

OWN = ["encoder", "distance", "index", "count", "like", "text", "image_weight", "farthest", "box", "offset"]


def test_a_question_has_its_own_fields_and_one_for_each_filter():
    assert sorted(Question.model_fields) == sorted([*OWN, *questions.FILTERS])
    assert all(getattr(Question(), name) == [] for name in questions.FILTERS)
    assert set(questions.FILTERS) == set(catalog.CLASSES) - {catalog.SUB}


def test_the_indexes_are_the_studys_less_those_that_are_named_as_no_use():
    assert get_args(questions.Index) == ("exact", "ivf", "hnsw", "ball_tree")
    assert set(get_args(params.Index)) - set(get_args(questions.Index)) == questions.NOT_OFFERED


def test_how_many_an_index_gives_is_said_where_it_is_chosen():
    said = Question.model_fields["index"].description, pages.FILES["settings.js"][0].read_text(encoding="utf-8")
    assert all(f"{encoders.CANDIDATES:,} nearest" in one for one in said)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"text": "red", "distance": "euclidean"}, "words are compared by cosine"),
        ({"text": "red", "index": "hnsw"}, "searches by cosine and without words"),
        ({"like": "1", "index": "hnsw", "distance": "euclidean"}, "searches by cosine and without words"),
        ({"gender": ["Men"]}, "nothing to search with"),
        ({"like": "1", "box": "5,5,30,40"}, "box= is a photo's part, and there is no photo"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(asked, said):
    with pytest.raises(SearchError, match=said):
        questions.check(Question(**asked), None)
    questions.check(Question(like="1", index="hnsw"), None)
    questions.check(Question(text="red"), None)


def test_what_looks_at_all_products_is_refused_where_a_database_has_them_and_says_what_shows_it(study):
    site = Site(study, gallery=SimpleNamespace(having=lambda data, names: ["padded"]))
    site._started = True
    for view in (
        lambda: views.maps(site, None),
        lambda: views.judge(site, Judged(like="1"), wait=False),  # at once, and not once an encoder is loaded
        lambda: views.regions(site, Pair(like="1", of="2"), wait=False),
    ):
        with pytest.raises(SearchError, match="in a database. A site that is started without one shows it"):
            view()
