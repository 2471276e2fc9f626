"""Tables that came with the images: their header is read whatever surrounds its names, and what it lacks is told."""

import pytest

from pipeline.data import csv_tables


class TableError(ValueError):
    """What a caller says of its own table."""


def test_blanks_around_a_name_and_columns_of_ones_own_do_no_harm():
    assert csv_tables.header([" id", "year ", "mine"], "a.csv", ["year", "id"], TableError) == ["id", "year", "mine"]
    rows = csv_tables.rows(" id ,year,mine\n7,2012,x\n8, 2013,\n", "a.csv", ["id", "year"], TableError)
    assert list(rows) == [{"id": "7", "year": "2012", "mine": "x"}, {"id": "8", "year": " 2013", "mine": ""}]


@pytest.mark.parametrize(
    ("text", "lacks"),
    [("id", r"the column \['year'\]"), ("a,b", r"the columns \['id', 'year'\]"), ("", r"the columns \['id', 'year'\]")],
)
def test_what_a_table_lacks_is_told_in_its_callers_error(text, lacks):
    with pytest.raises(TableError, match=rf"a.csv lacks {lacks}. Expected: \['id', 'year', 'kind'\]. Received: \["):
        csv_tables.rows(text, "a.csv", ["id", "year"], TableError, ["kind", "id"])


def test_a_header_without_end_is_not_told_whole():
    with pytest.raises(TableError) as error:
        csv_tables.header([f"column {number}" for number in range(10_000)], "a.csv", ["id"], TableError)
    assert len(str(error.value)) < 500
