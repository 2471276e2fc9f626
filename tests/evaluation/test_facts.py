"""Facts of the drawn sample against counts made from its files."""

import csv
import shutil

import pandas as pd
import pytest

from pipeline import paths
from pipeline.data import catalog
from pipeline.evaluation import facts, keys


@pytest.fixture
def found(in_sample):
    return facts.facts("sample").values


def test_labels_are_counted_as_the_table_has_them(found):
    with paths.labels("sample").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for column in catalog.LABELS:
        counts = {row["label"]: int(row["rows"]) for row in rows if row["column"] == column}
        assert found[f"data/labels/{column}"] == len(counts)
        assert {label: found[f"data/count/{column}/{label}"] for label in counts} == counts
        for few in (2, 5, 10, 100):
            assert found[f"data/few/{column}/{few}"] == sum(rows < few for rows in counts.values())


def test_few_is_fewer_than(in_sample, tmp_path, monkeypatch):
    shutil.copytree(paths.outputs("sample"), tmp_path / "outputs" / "sample")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    rows = "".join(f"season,label {count},{count}\n" for count in (1, 2, 4, 5, 9, 10, 99, 100))
    paths.labels("sample").write_text(f"column,label,rows\n{rows}", encoding="utf-8")
    found = facts.facts("sample").values
    assert [found[f"data/few/season/{few}"] for few in (2, 5, 10, 100)] == [1, 3, 5, 7]


def test_pictures_are_counted_by_two_labels_at_once(found):
    frame = catalog.load("sample")
    for first, second in (("gender", "masterCategory"), ("masterCategory", "season")):
        for _, row in frame[[first, second]].dropna().drop_duplicates().iterrows():
            expected = ((frame[first] == row[first]) & (frame[second] == row[second])).sum()
            assert found[f"data/pictures with/{first}/{row[first]}/{second}/{row[second]}"] == expected


def test_the_catalogue_is_summed_up(found):
    frame = catalog.load("sample")
    assert found["data/pictures"] == len(frame)
    assert found["data/rows"] >= found["data/pictures"]
    assert found["data/columns"] == 10
    sizes = frame[["width", "height"]].value_counts()
    assert (found["data/width"], found["data/height"]) == sizes.index[0]
    assert (found["data/first year"], found["data/last year"]) == (frame["year"].min(), frame["year"].max())
    equal = frame.groupby("sha256").size()
    assert found["data/groups of equal bytes"] == (equal > 1).sum()


@pytest.mark.parametrize(
    ("first", "same"),
    [(facts.TABLE_4_2_1, 9), ([*facts.TABLE_4_2_1, "30039"], 9), (["1", *facts.TABLE_4_2_1[:8]], 0), (["15970"], 1)],
)
def test_the_rows_of_the_thesiss_table_are_those_at_their_place(in_sample, monkeypatch, first, same):
    report = catalog.load_report("sample")
    monkeypatch.setattr(catalog, "load_report", lambda data: {**report, "first_ids": first})
    assert facts.facts("sample").values["data/rows of table 4.2.1"] == same


def test_a_report_without_first_rows_has_no_such_fact(in_sample, monkeypatch):
    report = {name: value for name, value in catalog.load_report("sample").items() if name != "first_ids"}
    monkeypatch.setattr(catalog, "load_report", lambda data: report)
    assert "data/rows of table 4.2.1" not in facts.facts("sample").values


def test_every_fact_has_a_key_that_its_patterns_make(found):
    assert {keys.fault(key, facts.KEYS, {}) for key in found} == {""}
    assert "Did you mean 'articleType'" in keys.fault("data/labels/articletype", facts.KEYS, {})


def test_every_fact_is_a_number(found):
    assert all(not pd.isna(value) and float(value) == value for value in found.values())
