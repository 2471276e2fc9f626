"""What belongs together: copies and products, by a slow merge of pairs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data import catalog
from pipeline.data.groups import spelling, split_groups


def frame_of(pictures):
    names, bytes_ = zip(*pictures, strict=True) if pictures else ((), ())
    columns = {catalog.PRODUCT: names, catalog.SHA256: bytes_}
    return pd.DataFrame({name: pd.Series(values, dtype="str") for name, values in columns.items()})


def merged(pictures):
    """Slow: every two groups that hold a related pair become one, until none do."""
    groups = [{number} for number in range(len(pictures))]

    def related(one, other):
        (first, bytes_), (second, others) = pictures[one], pictures[other]
        return bytes_ == others or (None not in (first, second) and spelling(first) == spelling(second))

    def next_pair():
        for one in groups:
            for other in groups:
                if one is not other and any(related(a, b) for a in one for b in other):
                    return one, other
        return None

    while pair := next_pair():
        groups.remove(pair[1])
        pair[0].update(pair[1])
    return {frozenset(group) for group in groups}


PICTURE = st.tuples(
    st.sampled_from(["Tie", "TIE", "t-i e", "Cap", "cap!", "Belt", "-", "--", None]), st.sampled_from("abcdef")
)


@settings(deadline=None, max_examples=100)
@given(st.lists(PICTURE, max_size=14))
def test_groups_are_the_components_of_both_relations_numbered_as_they_appear(pictures):
    numbers = split_groups(frame_of(pictures))
    found = {frozenset(np.flatnonzero(numbers == number).tolist()) for number in set(numbers.tolist())}
    assert found == merged(pictures)
    assert list(dict.fromkeys(numbers.tolist())) == list(range(len(found)))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Puma Men's Ferrari Tee", "PUMA Mens  Ferrari-Tee", True),
        ("Straße 7", "STRASSE 7", True),
        ("Ｎike Air", "Nike Air", True),
        ("Café", "Cafe\u0301", True),
        ("Nike Air 7", "Nike Air 8", False),
        ("Shirt", "Shirts", False),
        ("कि", "की", False),
        ("-", "--", False),
    ],
)
def test_case_punctuation_and_blanks_make_no_other_name(one, other, alike):
    assert (spelling(one) == spelling(other)) == alike
