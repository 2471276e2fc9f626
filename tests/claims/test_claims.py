"""Claims from a file of a few lines: every way to judge one, every verdict it can reach, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.claims import registry, summary, verdicts
from pipeline.params.sections import ParamsError

AT = "strict/all/articleType/mAP"


@pytest.fixture
def write(tmp_path):
    """Claims with the usual places and words, each with its own judge, as a file."""

    def written(**entries):
        usual = {"document": "001", "place": "section 5", "words": "as it says", "meaning": "in our terms"}
        path = tmp_path / "claims.yaml"
        with path.open("w", encoding="utf-8") as file:
            YAML().dump({"claims": {name: {**usual, **entry} for name, entry in entries.items()}}, file)
        return path

    return written


@pytest.fixture
def verdict(write):
    """The verdict on one claim; `values` may hold numbers, or bootstrap means around one."""

    def found(entry, values, comparable=True):
        return judged(registry.read(write(claim=entry)), values, comparable).iloc[0]

    return found


def judged(loaded, values, comparable=True):
    resampled = {key: np.asarray(value, "f4") for key, value in values.items() if not np.isscalar(value)}
    numbers = {key: float(np.mean(value)) for key, value in values.items()}
    return verdicts.verdicts(loaded, numbers, resampled, comparable)


def around(value, width=0.0, seed=0):
    """Bootstrap means whose 95 % interval is `value` ± `width`, apart from a hair."""
    return value + width / 0.95 * np.random.default_rng(seed).permutation(np.linspace(-1, 1, 2001))


def value(reported, tolerance=0.01):
    return {"reported": reported, "judge": {"kind": "value", "key": "x/mAP", "tolerance": tolerance}}


def bound(**limit):
    return {"judge": {"kind": "bound", "key": "x/mAP", **limit}}


def difference(expect, margin=0.0, pairs=(("a", "b"),)):
    pairs = [list(pair) for pair in pairs]
    return {"judge": {"kind": "difference", "pairs": pairs, "at": AT, "expect": expect, "margin": margin}}


def order(*keys):
    return {"judge": {"kind": "order", "keys": list(keys)}}


# --- a value ---


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (0.705, "reproduced"),  # within the tolerance
        (0.695, "reproduced"),
        (0.72, "differs"),
        (0.68, "differs"),
        (around(0.72, 0.03), "reproduced"),  # its interval holds what was reported
        (around(0.72, 0.015), "differs"),
    ],
)
def test_a_value_is_reproduced_within_its_tolerance_or_its_interval(verdict, measured, expected):
    assert verdict(value(0.7), {"x/mAP": measured})["verdict"] == expected


def test_a_fact_that_must_be_exact_is(verdict):
    entry = {"reported": 44441, "judge": {"kind": "value", "key": "data/pictures", "tolerance": 0}}
    row = verdict(entry, {"data/pictures": 44441})
    assert row["verdict"] == "reproduced"
    assert row["evidence"] == "44,441 against 44441 reported"
    assert verdict(entry, {"data/pictures": 44440})["verdict"] == "differs"


def test_a_verdict_says_what_it_rests_on(verdict):
    row = verdict(value(0.7), {"x/mAP": around(0.72, 0.015)})
    assert row["evidence"] == "0.720 [0.705, 0.735] against 0.7 reported"
    assert row["keys"] == "x/mAP"
    assert (row["claim"], row["document"], row["place"], row["reported"]) == ("claim", "001", "section 5", 0.7)


def test_a_value_exactly_at_its_tolerance_is_reproduced(verdict):
    assert verdict(value(0.82, 0.01), {"x/mAP": 0.83})["verdict"] == "reproduced"


# --- a bound ---


@pytest.mark.parametrize(
    ("limit", "measured", "expected"),
    [
        ({"at_least": 0.9}, around(0.95, 0.04), "reproduced"),
        ({"at_least": 0.9}, around(0.92, 0.04), "differs"),
        ({"at_least": 0.9}, around(0.88, 0.04), "differs"),
        ({"at_least": 0.9}, around(0.8, 0.04), "contradicted"),
        ({"at_most": 0.9}, around(0.8, 0.04), "reproduced"),
        ({"at_most": 0.9}, around(0.88, 0.04), "differs"),
        ({"at_most": 0.9}, around(0.92, 0.04), "differs"),
        ({"at_most": 0.9}, around(0.95, 0.04), "contradicted"),
        ({"at_least": 3}, 3, "reproduced"),
        ({"at_least": 3}, 2, "differs"),  # a value alone contradicts nothing
        ({"at_most": 3}, 3, "reproduced"),
        ({"at_most": 3}, 4, "differs"),
        ({"at_least": 0.5}, [0.25] * 50 + [0.5] * 50, "differs"),  # the interval ends at the bound itself
        ({"at_most": 0.5}, [0.75] * 50 + [0.5] * 50, "differs"),
    ],
)
def test_a_bound_holds_when_the_whole_interval_does(verdict, limit, measured, expected):
    assert verdict(bound(**limit), {"x/mAP": measured})["verdict"] == expected


@pytest.mark.parametrize(
    ("judge", "values", "expected", "alone"),
    [
        ({"kind": "bound", "key": "data/few/articleType/5", "at_most": 0}, {"data/few/articleType/5": 20}, 2, False),
        ({"kind": "bound", "key": "space/e/articleType/purity", "at_least": 0.9}, {}, 1, True),
        ({"kind": "order", "keys": ["data/rows", "data/pictures"]}, {"data/rows": 1, "data/pictures": 2}, 2, False),
        (
            {"kind": "order", "keys": ["space/e/articleType/NMI", "space/e/articleType/purity"]},
            {"space/e/articleType/NMI": 0.7},
            1,
            True,
        ),
        ({"kind": "difference", "pairs": [["a", "b"]], "at": AT, "expect": "above"}, {}, 1, False),
    ],
)
def test_contradicting_takes_an_interval_or_a_count(verdict, judge, values, expected, alone):
    measured = {"space/e/articleType/purity": 0.859, f"a/{AT}": 0.5, f"b/{AT}": 0.6, **values}
    row = verdict({"judge": judge}, measured)
    assert row["verdict"] == ["reproduced", "differs", "contradicted"][expected]
    assert row["evidence"].endswith(" (no interval)") == alone


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (12, "reproduced"),
        (10, "reproduced"),
        (20, "reproduced"),
        (9, "differs"),
        (21, "differs"),
        (around(15, 4), "reproduced"),
        (around(11, 4), "differs"),
        (around(22, 1), "contradicted"),
        (around(5, 1), "contradicted"),
    ],
)
def test_a_bound_of_two_ends_holds_when_both_do(verdict, measured, expected):
    row = verdict(bound(at_least=10, at_most=20), {"x/mAP": measured})
    assert row["verdict"] == expected
    assert "against at least 10 and at most 20 claimed" in row["evidence"]


# --- the middle of many counts, and what a document prints ---


@pytest.mark.parametrize(
    ("reported", "expected"),
    [(3, "reproduced"), (1, "reproduced"), (22, "reproduced"), (0, "differs"), (23, "differs")],
)
def test_a_count_of_one_picture_is_held_against_the_middle_of_all(verdict, reported, expected):
    entry = {"reported": reported, "judge": {"kind": "middle", "key": "within/r/19"}}
    row = verdict(entry, {"within/r/19/5 %": 1, "within/r/19/95 %": 22, "within/r/19/median": 2})
    assert row["verdict"] == expected
    assert row["evidence"] == f"{reported} reported; nine pictures in ten have 1 to 22"
    assert row["keys"] == "within/r/19/5 % within/r/19/95 %"


def test_without_both_ends_of_the_middle_nothing_was_run(verdict):
    entry = {"reported": 3, "judge": {"kind": "middle", "key": "within/r/19"}}
    assert verdict(entry, {"within/r/19/5 %": 1})["verdict"] == "not run"


@pytest.mark.parametrize(
    ("ratio", "expected"), [(2.5, "reproduced"), (2.5009, "reproduced"), (2.6, summary.INCONSISTENT)]
)
def test_what_a_document_prints_is_divided_again(verdict, ratio, expected):
    rows = [[1.0, 0.5, 2.0], [0.5, 0.2, ratio]]
    row = verdict({"judge": {"kind": "quotients", "rows": rows, "tolerance": 0.001}}, {}, comparable=False)
    assert row["verdict"] == expected
    assert f"0.5 / 0.2 = 2.5000, printed {ratio:g}" in row["evidence"]
    assert ("1 / 0.5" in row["evidence"]) == (expected == "reproduced")


# --- a difference ---


def two(first_less_second, width):
    """Two measurements whose paired difference has an interval of ± `width`."""
    shared = around(0.6, 0.2, seed=1)  # paired: what both share leaves with the difference
    return {f"a/{AT}": shared + around(first_less_second, width), f"b/{AT}": shared}


@pytest.mark.parametrize(
    ("margin", "first_less_second", "width", "expected"),
    [
        (0, 0.05, 0.02, "reproduced"),
        (0, 0.01, 0.02, "differs"),
        (0, -0.01, 0.02, "differs"),
        (0, -0.05, 0.02, "contradicted"),
        (0.04, 0.07, 0.02, "reproduced"),
        (0.04, 0.05, 0.02, "differs"),  # above, but not by as much as claimed
        (0.04, -0.05, 0.02, "differs"),
        (0.04, -0.07, 0.02, "contradicted"),
    ],
)
def test_one_is_above_another_when_the_paired_interval_is(verdict, margin, first_less_second, width, expected):
    row = verdict(difference("above", margin), two(first_less_second, width))
    assert row["verdict"] == expected
    assert row["keys"].split() == [f"a/{AT}", f"b/{AT}"]


@pytest.mark.parametrize(
    ("first_less_second", "width", "expected"),
    [
        (0.01, 0.02, "reproduced"),
        (-0.01, 0.02, "reproduced"),
        (0.03, 0.02, "differs"),
        (0, 0.06, "differs"),
        (0.07, 0.02, "contradicted"),
        (-0.07, 0.02, "contradicted"),
    ],
)
def test_two_are_as_good_as_each_other_when_the_paired_interval_lies_within_the_margin(
    verdict, first_less_second, width, expected
):
    assert verdict(difference("within", 0.04), two(first_less_second, width))["verdict"] == expected


@pytest.mark.parametrize(("second", "expected"), [(0.75, "reproduced"), (0.25, "reproduced"), (0.8, "differs")])
def test_the_margin_itself_is_within_it(verdict, second, expected):
    assert verdict(difference("within", 0.25), {f"a/{AT}": 0.5, f"b/{AT}": second})["verdict"] == expected


@pytest.mark.parametrize(
    ("second_pair", "expected"), [(0.05, "reproduced"), (0.0, "differs"), (-0.05, "contradicted"), (None, "reproduced")]
)
def test_of_several_pairs_the_worst_decides_and_those_not_run_are_passed_over(verdict, second_pair, expected):
    values = two(0.05, 0.02)
    if second_pair is not None:
        values[f"c/{AT}"] = values[f"b/{AT}"] + around(second_pair, 0.02, seed=2)
    row = verdict(difference("above", 0, [("a", "b"), ("c", "b")]), values)
    assert row["verdict"] == expected
    assert ("c − b" in row["evidence"]) == (second_pair is not None)


@pytest.mark.parametrize("count", [2, 8])
def test_several_pairs_are_judged_by_intervals_that_hold_at_once(verdict, count):
    """Differences, each of whose own intervals just misses 0: together they show less."""
    values = {f"b/{AT}": around(0.6)}
    for number in range(count):
        draws = np.random.default_rng(number).normal(0.01, 0.0047, 2000)
        values[f"a{number}/{AT}"] = values[f"b/{AT}"][:2000] + draws
    values[f"b/{AT}"] = values[f"b/{AT}"][:2000]
    pairs = [(f"a{number}", "b") for number in range(count)]
    alone = [verdict(difference("above", 0, [pair]), values)["verdict"] for pair in pairs]
    assert alone == ["reproduced"] * count
    assert verdict(difference("above", 0, pairs), values)["verdict"] == "differs"


def test_a_retrieval_is_not_above_one_with_the_same_scores(verdict):
    same = around(0.6, 0.1)
    assert verdict(difference("above"), {f"a/{AT}": same, f"b/{AT}": same})["verdict"] != "reproduced"


# --- an order ---


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.9, 0.8, 0.7), "reproduced"),
        ((0.9, 0.9, 0.7), "reproduced"),
        ((0.9, 0.7, 0.8), "differs"),
        ((0.7, 0.8, 0.9), "contradicted"),
    ],
)
def test_an_order_of_counts_holds_when_each_is_at_least_the_next(verdict, values, expected):
    keys = ("data/p", "data/q", "data/r")
    row = verdict(order(*keys), dict(zip(keys, values, strict=True)))
    assert row["verdict"] == expected
    assert ("does not hold" in row["evidence"]) == (expected != "reproduced")
    assert row["keys"] == "data/p data/q data/r"


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({"x/r": 0.6}, "reproduced"),
        ({"x/r": 0.6, "x/s": 0.75}, "differs"),  # stands between the two named
        ({"x/r": 0.6, "x/s": 0.95}, "differs"),
        ({"x/s": 0.7}, "reproduced"),  # as many as the last, not more
        ({"xy/s": 0.95}, "reproduced"),  # of another family
    ],
)
def test_a_complete_order_leaves_no_other_of_the_family_before_the_last(verdict, others, expected):
    entry = order("x/p", "x/q")
    complete = {"judge": {**entry["judge"], "complete": "x"}}
    values = {"x/p": 0.8, "x/q": 0.7, **others}
    assert verdict(complete, values)["verdict"] == expected
    assert verdict(entry, values)["verdict"] == "reproduced"


# --- what is not measured ---


def test_a_document_that_contradicts_itself_needs_no_measurement(verdict):
    entry = {"judge": {"kind": "document"}, "contradiction": "table 1 says .9 and table 2 says .8"}
    row = verdict(entry, {})
    assert (row["verdict"], row["evidence"]) == ("inconsistent in the document", entry["contradiction"])


def test_what_lacks_something_is_not_testable(verdict):
    row = verdict({"judge": {"kind": "untestable", "missing": "the model was never published"}, "reported": "12 %"}, {})
    assert (row["verdict"], row["evidence"]) == ("not testable", "the model was never published")


MEASURED = {
    "value": value(0.7),
    "bound": bound(at_least=0.5),
    "order": order("x/mAP", "x/q"),
    "difference": difference("above"),
}


@pytest.mark.parametrize("kind", MEASURED)
def test_what_was_not_measured_was_not_run_and_says_how_to(verdict, kind):
    measured = {"other/mAP": 0.9, "x/q": 0.9, f"b/{AT}": 0.9}  # the other of each two
    row = verdict({**MEASURED[kind], "how": "run suite=thesis"}, measured)
    assert row["verdict"] == "not run"
    assert row["evidence"] == f"{'a/strict' if kind == 'difference' else 'x'} was not measured here; run suite=thesis"
    assert row["keys"] == ""


@pytest.mark.parametrize(
    ("named", "what"),
    [("r-cosine/strict/all/articleType/mAP", "r-cosine"), ("space/x/articleType/intra", "space/x"), ("x/mAP", "x")],
)
def test_what_was_not_measured_is_the_retrieval_or_the_familys_item(verdict, named, what):
    row = verdict({**value(0.7), "judge": {"kind": "value", "key": named, "tolerance": 0.1}}, {})
    assert row["evidence"] == f"{what} was not measured here"


@pytest.mark.parametrize("kind", MEASURED)
def test_what_has_no_value_was_not_run(verdict, kind):
    """A metric is nan where no query had anything to find."""
    nothing = np.full(300, np.nan)
    values = {"x/mAP": nothing, "x/q": nothing, f"a/{AT}": nothing, f"b/{AT}": nothing}
    assert verdict(MEASURED[kind], values)["verdict"] == "not run"


@pytest.mark.parametrize(
    "others",
    [
        {"other/mAP": [0.1, 0.2, 0.3]},
        {},
    ],
)
def test_differences_of_values_without_bootstrap_means_are_judged_by_the_values(verdict, others):
    values = {f"a/{AT}": 0.9, f"b/{AT}": 0.8, f"c/{AT}": 0.7, **others}
    assert verdict(difference("above"), values)["verdict"] == "reproduced"
    assert verdict(difference("above", 0, [("a", "b"), ("b", "c")]), values)["verdict"] == "reproduced"


def test_one_of_a_pair_without_bootstrap_means_counts_with_its_value(verdict):
    """What has no draws does not vary; the other one's interval decides."""
    for value, expected in ((0.8, "reproduced"), (0.895, "differs"), (0.95, "contradicted")):
        row = verdict(difference("above"), {f"a/{AT}": around(0.9, 0.02), f"b/{AT}": value})
        assert row["verdict"] == expected
        assert f"[{0.88 - value:+.3f}, {0.92 - value:+.3f}]" in row["evidence"]
    row = verdict(difference("above"), {f"a/{AT}": 0.9, f"b/{AT}": around(0.8, 0.02)})
    assert "[+0.080, +0.120]" in row["evidence"]


def test_a_draw_without_a_value_takes_no_verdict_from_a_claim(write):
    """Few queries have something to find: now and then a resample draws none of them."""
    draws = {
        f"{name}/{AT}": around(middle, 0.02).astype("f4") for name, middle in (("a", 0.9), ("b", 0.8), ("c", 0.95))
    }
    draws[f"a/{AT}"][7] = np.nan
    loaded = registry.read(write(one=difference("above"), two=difference("above", 0, [("a", "b"), ("c", "b")])))
    found = verdicts.verdicts(loaded, {key: float(np.nanmean(column)) for key, column in draws.items()}, draws, True)
    assert found["verdict"].tolist() == ["reproduced"] * 2
    assert "nan" not in " ".join(found["evidence"])


def test_other_pictures_than_the_thesiss_give_no_verdict(write):
    document = {"judge": {"kind": "document"}, "contradiction": "twice"}
    missing = {"judge": {"kind": "untestable", "missing": "a model"}}
    path = write(**MEASURED, wrong=value(0.1), document=document, untestable=missing)
    values = {"x/mAP": 0.7, "x/q": 0.6, **two(0.05, 0.02)}
    comparable = judged(registry.read(path), values).set_index("claim")["verdict"]
    table = judged(registry.read(path), values, comparable=False).set_index("claim")
    assert comparable.tolist() == ["reproduced"] * 4 + ["differs", "inconsistent in the document", "not testable"]
    assert table["verdict"].tolist() == ["not run"] * 5 + ["inconsistent in the document", "not testable"]
    assert set(table["evidence"][:5]) == {verdicts.OTHER_IMAGES}
    assert set(table["keys"]) == {""}


@pytest.mark.parametrize("own", [value(0.5), {"judge": {"kind": "untestable", "missing": "the model"}}])
def test_a_claim_that_cannot_be_judged_is_answered_by_its_statements_and_says_what_they_say(write, own):
    other, third = (
        {**bound(at_most=end), "judge": {**bound(at_most=end)["judge"], "key": "y/q"}} for end in (0.9, 0.1)
    )
    never = {**bound(at_most=1), "judge": {**bound(at_most=1)["judge"], "key": "z/q"}}
    entries = {"one": own, "one-statement": other, "one-statement-more": third, "one-statement-never": never}
    loaded = registry.read(write(**entries, two=own, **{"one-more": own}))
    before = judged(loaded, {}).set_index("claim")
    table = judged(loaded, {"y/q": 0.5}).set_index("claim")
    assert table.loc["one", "verdict"] == "answered by a substitute"
    statements = "one-statement: reproduced; one-statement-more: differs"
    assert table.loc["one", "evidence"] == f"{before.loc['one', 'evidence']}; {statements}"
    assert set(before["verdict"]) <= {"not run", "not testable"}
    pd.testing.assert_frame_equal(table.loc[["two", "one-more"]], before.loc[["two", "one-more"]])
    assert table["verdict"].tolist()[1:4] == ["reproduced", "differs", "not run"]


def test_what_was_judged_as_it_was_said_needs_no_substitute(write):
    entries = {"one": value(0.5), "one-statement": bound(at_most=0.9), "two-statement": bound(at_most=0.9)}
    contradicting = {"judge": {"kind": "document"}, "contradiction": "twice"}
    table = judged(registry.read(write(**entries, two=contradicting)), {"x/mAP": 0.7}).set_index("claim")
    assert table.loc["one", "verdict"] == "differs"
    assert table.loc["two", "verdict"] == summary.INCONSISTENT
    assert summary.base("one-statement") == summary.base("one-statement-more") == "one"
    assert summary.base("one-statements") == "one-statements"


# --- the table, the file ---


def test_adding_a_claim_takes_an_entry_and_no_code(write):
    first = registry.read(write(one=value(0.7)))
    both = registry.read(write(**{"one": value(0.7), "5.2-more": {**bound(at_most=0.8), "document": "004"}}))
    assert judged(first, {"x/mAP": 0.7})["claim"].tolist() == ["one"]
    table = judged(both, {"x/mAP": 0.7})
    assert table["claim"].tolist() == ["one", "5.2-more"]
    assert table["verdict"].tolist() == ["reproduced", "reproduced"]
    pd.testing.assert_series_equal(table.iloc[0], judged(first, {"x/mAP": 0.7}).iloc[0], check_names=False)


def test_verdicts_are_counted_by_document(write):
    four = {"judge": {"kind": "bound", "key": "data/rows", "at_least": 9}}
    said = {"one": value(0.7), "two": value(0.9), "three": {**value(0.9), "document": "004"}, "four": four}
    path = write(**said)
    counted = summary.counts(judged(registry.read(path), {"x/mAP": 0.7, "data/rows": 7}))
    assert counted.columns.tolist() == summary.VERDICTS
    assert counted.index.tolist() == ["001", "004", "all"]
    assert counted.loc["001"].tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert counted.loc["004"].tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert counted.loc["all"].tolist() == [1, 2, 1, 0, 0, 0, 0]
    asked = write(**said, **{"two-statement": value(0.7), "four-statement-more": value(0.7)})
    both = summary.counts(judged(registry.read(asked), {"x/mAP": 0.7, "data/rows": 7}))
    pd.testing.assert_frame_equal(both.drop(index=["substitutes"]), counted)
    assert both.loc["substitutes"].tolist() == [2, 0, 0, 0, 0, 0, 0]


JUDGES = {kind: entry["judge"] for kind, entry in MEASURED.items()}


@pytest.mark.parametrize(
    ("entry", "received", "nearest"),
    [
        ({**value(0.7), "contradicton": "x"}, "contradicton", "contradiction"),
        ({**value(0.7), "documnet": "001"}, "documnet", "document"),
        ({"reported": 0.7, "judge": {**JUDGES["value"], "tolerence": 0.1}}, "tolerence", "tolerance"),
        ({"judge": {**JUDGES["bound"], "at_lest": 0.1}}, "at_lest", "at_least"),
        ({"judge": {**JUDGES["difference"], "margn": 0.1}}, "margn", "margin"),
        ({"judge": {**JUDGES["order"], "kees": ["a"]}}, "kees", "keys"),
        ({"judge": {"kind": "untestable", "mising": "x"}}, "mising", "missing"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_nearest_name(write, entry, received, nearest):
    with pytest.raises(ParamsError) as error:
        registry.read(write(claim=entry))
    lines = [line for line in str(error.value).splitlines() if "unknown key" in line]
    assert len(lines) == 1
    assert lines[0].startswith("claims.yaml: unknown key 'claims.claim.")
    assert f"Received: {received!r}. Did you mean {nearest!r}?" in lines[0]


def test_a_missing_key_of_a_judge_is_named_by_its_place_in_the_file(write):
    with pytest.raises(ParamsError, match=r"key 'claims\.claim\.judge\.tolerance' is missing"):
        registry.read(write(claim={"reported": 0.7, "judge": {"kind": "value", "key": "x"}}))


@pytest.mark.parametrize("kind", ["bounds", "valu"])
def test_an_unknown_kind_is_refused_with_the_kinds_there_are(write, kind):
    with pytest.raises(ParamsError) as error:
        registry.read(write(claim={"judge": {"kind": kind, "key": "x"}}))
    for known in verdicts.JUDGES:
        assert f"'{known}'" in str(error.value)
    assert kind in str(error.value)


@pytest.mark.parametrize("judge", [value(0.7)["judge"], {"kind": "middle", "key": "within/r/19"}])
@pytest.mark.parametrize("reported", [None, "about 70 %"])
def test_a_claim_judged_by_a_value_needs_a_reported_number(write, reported, judge):
    with pytest.raises(ParamsError, match=r"claims.yaml: claim is judged by a value and needs a reported number"):
        registry.read(write(claim={"judge": judge, "reported": reported}))


@pytest.mark.parametrize("entry", [{}, {"contradiction": ""}, {"contradiction": None}])
def test_a_claim_judged_by_its_document_needs_a_contradiction(write, entry):
    with pytest.raises(ParamsError, match=r"claims.yaml: claim is judged by its document and needs a contradiction"):
        registry.read(write(claim={"judge": {"kind": "document"}, **entry}))


def test_a_bound_has_one_end_at_least(write):
    with pytest.raises(ParamsError, match=r"claims.yaml: claim needs at_least, at_most or both"):
        registry.read(write(claim=bound()))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({**value(0.7), "document": "005"}, r"claims\.claim\.document: .*Received: '005'"),
        (value(0.7, tolerance=-1), r"tolerance.*greater than or equal to 0"),
        ({**value(0.7), "words": ""}, r"claims\.claim\.words"),
        (difference("above", 0, [("a", "b", "c")]), r"pairs.*at most 2"),
        (difference("abov"), r"'above' or 'within'.*Did you mean 'above'"),
        (order("alone"), r"keys.*at least 2"),
    ],
)
def test_an_impossible_entry_is_refused_with_its_key(write, entry, message):
    with pytest.raises(ParamsError, match=message):
        registry.read(write(claim=entry))


def test_a_missing_part_of_a_claim_is_named(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text("claims: {one: {document: '001', judge: {kind: untestable, missing: x}}}", encoding="utf-8")
    with pytest.raises(ParamsError) as error:
        registry.read(path)
    for name in ("place", "words", "meaning"):
        assert f"key 'claims.one.{name}' is missing" in str(error.value)


@pytest.mark.parametrize("text", ["", "claims: [", "claim:\n  a: {}\n", "claims:\n  Big_Name: {}\n"])
def test_a_file_without_claims_is_refused(tmp_path, text):
    path = tmp_path / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError, match=r"claims\.yaml"):
        registry.read(path)


# --- keys ---


@pytest.mark.parametrize(
    ("judge", "near"),
    [
        ({"kind": "bound", "key": "data/lables/articleType", "at_least": 1}, "Did you mean 'labels'?"),
        ({"kind": "bound", "key": "data/pictuers", "at_least": 1}, "Did you mean 'pictures'?"),
        (
            {"kind": "bound", "key": "efficientnet_lite0_padd-cosine/strict/all/articleType/mAP", "at_least": 0},
            "pad-cosine'?",
        ),
        ({"kind": "bound", "key": "space/efficientnet_lite0_pad/articleType/purty", "at_least": 0}, "'purity'?"),
        (
            {"kind": "bound", "key": "mistakes/efficientnet_lite0_pad-cosine/wrong gendre", "at_least": 0},
            "'wrong gender'?",
        ),
        (
            {"kind": "bound", "key": "threshold/efficientnet_lite0_pad-cosine/0.2/precison", "at_least": 0},
            "'precision'?",
        ),
        ({"kind": "bound", "key": "pca/efficientnet_lite0_pad/ninety/mAP", "at_least": 0}, "none of"),
        ({"kind": "bound", "key": "index_study/s000/ball_trees/all/all/build s", "at_least": 0}, "'ball_tree'?"),
        ({"kind": "bound", "key": "hybrid/s002/labels/owned/0.7/product/mAP", "at_least": 0}, "'own'?"),
        ({"kind": "bound", "key": "user_photos/s03/joint/box/placed/product/AP", "at_least": 0}, "'s003'?"),
        ({"kind": "bound", "key": "recommendation/s004/acuracy", "at_least": 0}, "'accuracy'?"),
        ({"kind": "order", "keys": ["data/rows", "data/pictures"], "complete": "data/cuont/gender"}, "'count'?"),
        (
            {"kind": "difference", "pairs": [["joint-cosine", "jiont-cosine"]], "at": AT, "expect": "above"},
            "'joint-cosine'?",
        ),
        (
            {"kind": "difference", "pairs": [["joint-cosine", "joint-cosine"]], "at": AT + "P", "expect": "above"},
            "'mAP'?",
        ),
    ],
)
def test_a_key_that_no_measurement_can_have_is_refused_with_the_nearest(write, judge, near):
    with pytest.raises(ParamsError, match="claims.yaml: claim asks for '.*', which no measurement has: ") as error:
        registry.load(write(claim={"judge": judge}))
    assert near in str(error.value)


@pytest.mark.parametrize(
    "key",
    [
        "user_photos/s003/arcface/bix/placed/product/AP",
        "user_photos/s003/arcface/box/plaecd/product/AP",
        "hybrid/s002/nmae/own/0.5/articleType/mAP",
        "hybrid/s002/name/own/5/articleType/mAP",
        "joint-cosine/strict/all/articleType/hit@05",
        "joint-cosine/strict/all/articleType/hit@0",
        "joint-cosine/strict/all/articleType/mAP@500",
        "joint-cosine/strict/1234/articleType/mAP",
        "joint-cosine/temporal/test/product/mAP",
        "joint-cosine/thesis/all/articleType/mAP",
        "joint-cosine/strict/all/graded/mAP",
        "joint-cosine/strict/all/articleType/nDCG@10",
    ],
)
def test_a_key_of_parts_that_do_not_go_together_is_refused(write, key):
    with pytest.raises(ParamsError, match="which no measurement has"):
        registry.load(write(claim={"judge": {"kind": "bound", "key": key, "at_least": 0}}))


def test_every_kind_of_key_that_a_claim_asks_for_is_looked_at(write):
    judges = [{"kind": "value", "key": "a", "tolerance": 0}, bound(at_least=0)["judge"], difference("above")["judge"]]
    judges += [order("a", "b")["judge"], {"kind": "untestable", "missing": "x"}, {"kind": "middle", "key": "w/r/1"}]
    path = write(**{f"c{number}": {"judge": judge, "reported": 1} for number, judge in enumerate(judges)})
    asked = [registry.asked_keys(claim) for claim in registry.read(path).values()]
    assert asked == [["a"], ["x/mAP"], [f"a/{AT}", f"b/{AT}"], ["a", "b"], [], ["w/r/1/5 %", "w/r/1/95 %"]]


# --- a publication and newer claims ---


def test_a_claim_that_is_newer_than_a_publication_says_so(write):
    old, new = write(one=value(0.7)), {"x/mAP": 0.7}
    published = judged(registry.read(old), new)
    table = summary.with_unpublished(published, registry.read(write(one=value(0.7), two=bound(at_least=0.1))))
    assert table["verdict"].tolist() == ["reproduced", "not run"]
    assert table["evidence"].tolist()[1] == summary.UNPUBLISHED
    assert list(table) == list(published)
    pd.testing.assert_frame_equal(table.head(1), published, check_dtype=False)
    another = registry.read(write(one={**value(0.7), "meaning": "of another network"}))
    assert summary.with_unpublished(published, another)["evidence"].tolist() == [summary.UNPUBLISHED]
