"""The questions of the exam: they are places that a study has, and each row is that place's."""

import pandas as pd

from pipeline.evaluation import exam, keys, study


def measured():
    rows = [
        ("a", "cosine", *exam.QUESTIONS["same listing"], 0.5, 0.4, 0.6, 0.01),
        ("b", "cosine", *exam.QUESTIONS["same listing"], 0.7, 0.6, 0.8, 0.01),
        ("b", "euclidean", *exam.QUESTIONS["same listing"], 0.9, 0.8, 1.0, 0.01),
        ("b", "cosine", *exam.QUESTIONS["articleType"], 0.8, 0.7, 0.9, 0.05),
        ("a", "cosine", "strict", "all", "articleType", "mAP", 0.3, 0.2, 0.4, 0.05),
    ]
    columns = ["encoder", "distance", "protocol", "gallery", "relevance", "metric", "value", "low", "high", "chance"]
    return pd.DataFrame(rows, columns=columns)


def test_every_question_is_a_key_that_a_study_measures():
    for place in exam.QUESTIONS.values():
        assert keys.fault(keys.key("e-cosine", *place), study.KEYS, {"retrievals": ["e-cosine"]}) == "", place


def test_a_row_per_question_and_encoder_by_cosine():
    table = exam.table(measured())
    assert table.to_numpy().tolist() == [
        ["same listing", "a", 0.5, 0.4, 0.6, 0.01],
        ["same listing", "b", 0.7, 0.6, 0.8, 0.01],
        ["articleType", "b", 0.8, 0.7, 0.9, 0.05],
    ]
    wide = exam.side_by_side(table)
    assert wide.index.tolist() == ["a", "b", "chance"]
    assert wide.loc["b"].tolist() == [0.7, 0.8]
    assert pd.isna(wide.loc["a", "articleType"])
    assert wide.loc["chance", "articleType"] == 0.05


def test_a_study_that_was_asked_nothing_has_an_empty_table():
    assert exam.table(measured().tail(1)).empty
