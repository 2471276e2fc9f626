"""Which chains of finetunes are told, stage by stage."""

import numpy as np
import pandas as pd
from cards import card, found_of

from pipeline.evaluation import sequences, tables


def measured_of(reached):
    """(mAP, mAP@1000) of encoders where a sequence is told by, and other numbers everywhere else."""
    right, rows = ("cosine", "strict", "all", "articleType"), []
    wrong = [
        ("euclidean", *right[1:]),
        ("cosine", "thesis", *right[2:]),
        ("cosine", "strict", "test", right[3]),
        (*right[:3], "product"),
    ]
    for encoder, numbers in reached.items():
        for number, (distance, *place) in enumerate([right, *wrong]):
            for metric, value in zip(("mAP", "mAP@1000"), numbers, strict=True):
                rows.append(
                    [f"{encoder}-{distance}", encoder, distance, *place, metric, value if not number else 9 - value]
                )
    columns = ["retrieval", "encoder", "distance", "protocol", "gallery", "relevance", "metric", "value"]
    return tables.Measured(pd.DataFrame(rows, columns=columns), {})


CHAIN = found_of(third=card(init="SECOND"), first=card(init="imagenet"), second=card(init="FIRST"))
WEIGHTS = {
    "stretch": "imagenet",
    "pad": "imagenet",
    "other": "random",
    "first": "FIRST",
    "first_served": "FIRST",
    "second": "SECOND",
    "third": "THIRD",
}
REACHED = {
    "stretch": (0.2, 0.8),
    "pad": (0.4, 0.3),
    "other": (0.9, 0.9),
    "first": (0.5, 0.55),
    "first_served": (0.99, 0.99),
    "second": (0.6, 0.65),
    "third": (0.45, 0.7),
}


def rows_of(table):
    return [
        (row["sequence"], row["stage"], row["encoder"], row["mAP"], row["mAP@1000"]) for row in table.to_dict("records")
    ]


def test_a_sequence_is_told_stage_by_stage_from_the_best_untrained_encoder_of_its_weights():
    assert rows_of(sequences.table(CHAIN, WEIGHTS, measured_of(REACHED))) == [
        ("THIRD", 0, "pad", 0.4, 0.3),
        ("THIRD", 1, "first", 0.5, 0.55),
        ("THIRD", 2, "second", 0.6, 0.65),
        ("THIRD", 3, "third", 0.45, 0.7),
    ]


def test_two_runs_from_one_start_are_two_sequences():
    found = CHAIN | found_of(fork=card(init="SECOND"), short=card(init="FIRST"))
    table = sequences.table(found, WEIGHTS, measured_of(REACHED | {"fork": (0.1, 0.1), "short": (0.2, 0.2)}))
    chains = {name: rows["encoder"].tolist() for name, rows in table.groupby("sequence")}
    assert chains == {
        "THIRD": ["pad", "first", "second", "third"],
        "FORK": ["pad", "first", "second", "fork"],
        "SHORT": ["pad", "first", "short"],
    }
    assert table.groupby("sequence")["stage"].apply(list).to_dict() == {
        "THIRD": [0, 1, 2, 3],
        "FORK": [0, 1, 2, 3],
        "SHORT": [0, 1, 2],
    }


def test_a_start_or_a_stage_that_was_not_measured_is_left_out_or_blank():
    unmeasured = {name: REACHED[name] for name in ("stretch", "first", "third")}
    rows = rows_of(sequences.table(CHAIN, WEIGHTS, measured_of(unmeasured)))
    assert [row[1:3] for row in rows] == [(0, "stretch"), (1, "first"), (2, "second"), (3, "third")]
    assert np.isnan(rows[2][3:]).all()
    assert rows[3][3:] == (0.45, 0.7)
    rows = rows_of(sequences.table(CHAIN, WEIGHTS, measured_of({name: REACHED[name] for name in CHAIN})))
    assert [row[1:3] for row in rows] == [(1, "first"), (2, "second"), (3, "third")]


def test_runs_that_start_from_no_other_are_no_sequence():
    found = found_of(first=card(init="imagenet"), second=card(init="imagenet", seed=3))
    table = sequences.table(found, WEIGHTS, measured_of(REACHED))
    assert table.empty
    assert list(table) == ["sequence", "stage", "encoder", "mAP", "mAP@1000"]
