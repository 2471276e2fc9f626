"""The tables of finetuning say what the published rows have, the right way round."""

import pandas as pd
import pytest

from pipeline import paths
from pipeline.params.sections import read_yaml
from pipeline.report import finetuning_tables, publication
from pipeline.report.finetuning_tables import CHANGES


def key(encoder):
    return f"{encoder}-cosine/strict/all/articleType/mAP"


@pytest.fixture
def run(tmp_path):
    """A run of the base, a change that is published the other way round, and one that is set against another change."""
    value = {"quarter": 0.5, "classification": 0.75, "quarter_augmented": 0.45, "quarter_supcon": 0.46}
    pairs = [
        ("quarter", "classification", -0.25, -0.28, -0.23),
        ("quarter_augmented", "quarter", -0.05, -0.06, -0.04),
        ("quarter_supcon", "quarter_augmented", 0.01, -0.01, 0.02),
    ]
    rows = [(place, key(a), key(b), *numbers) for a, b, *numbers in pairs for place in ("articleType, all", "product")]
    columns = ["place", "first", "second", "difference", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    table.loc[table["place"] == "product", "difference"] = 9
    table.to_csv(tmp_path / "one_change.csv", index=False)
    one = publication.Published("a_run", tmp_path)
    one.__dict__["params"] = {"retrievals": {f"{name}-cosine": {} for name in value}}
    one.__dict__["values"] = {key(name): number for name, number in value.items()}
    return one


def test_a_change_has_its_difference_from_the_base_or_the_row_above(run):
    said = {encoder: words for encoder, words, _ in CHANGES["quarter"]}
    assert finetuning_tables.changes(run, "quarter")[1] == [
        [said["quarter"], ".500", ""],
        [said["classification"], ".750", "+.250 [+.230, +.280]"],
        [said["quarter_augmented"], ".450", "−.050 [−.060, −.040]"],
        [said["quarter_supcon"], ".460", "+.010 [−.010, +.020] against the row above"],
    ]


def test_of_several_trainings_each_is_set_against_the_same_seed(run):
    more = {"quarter_seed_1": 0.52, "quarter_seed_2": 0.54, "classification_seed_2": 0.78, "quarter_supcon_seed_1": 0.5}
    run.values.update({key(name): number for name, number in more.items()})
    said = {encoder: words for encoder, words, _ in CHANGES["quarter"]}
    assert finetuning_tables.changes(run, "quarter")[1] == [
        [said["quarter"], ".520 [.500 to .540]", ""],
        [said["classification"], ".765 [.750 to .780]", "+.245 [+.240 to +.250]"],
        [said["quarter_augmented"], ".450", "−.050 [−.060, −.040]"],
        [said["quarter_supcon"], ".480 [.460 to .500]", "+.010 [−.010, +.020] against the row above"],
    ]


def test_where_more_than_one_setting_differs_there_is_a_difference_and_no_interval(run):
    run.params["retrievals"]["quarter_128-cosine"] = {}
    run.values[key("quarter_128")] = 0.4
    rows = finetuning_tables.changes(run, "quarter")[1]
    assert rows[-1][1:] == [".400", "−.100, several changes, no interval"]


@pytest.mark.parametrize("base", CHANGES)
def test_each_change_is_one_that_is_run_or_was_published(base):
    known = set(publication.of(publication.STUDY).params["encoders"])
    for path in paths.SUITES.glob("suite/*.yaml"):
        known |= set(read_yaml(path).get("encoders", {}))
    assert {encoder for encoder, *_ in CHANGES[base]} <= known


@pytest.mark.parametrize("base", CHANGES)
def test_each_change_is_set_against_its_base_or_the_row_above(base):
    rows = CHANGES[base]
    assert rows[0][::2] == (base, None)
    for (above, *_), (_, _, against) in zip(rows, rows[1:], strict=False):
        assert against in (base, above)
