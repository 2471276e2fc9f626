"""Numbers in prose are the published run's; one that moved, one without a source and one that is gone are named."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import paths
from pipeline.report import numbers, publication
from pipeline.report.docs import pages

EXAM = (
    "exam.csv",
    "question,encoder,value,low,high,chance\nsame,open,0.4042,0.3832,0.4236,0.1\nsame,closed,0.3,,,0.1\nchange,less,-0.104,,,\nsome,a,0.3,,,\nsome,b,,,,\n",
)
GAINS = "weights.csv", "weight,mAP,low,high,gain,gain low,gain high\n0.7,0.5,0.45,0.55,0.005,-0.003,0.014\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A published run of two rows and one finetune; how a page reads that names it."""
    for name, text in (EXAM, GAINS):
        (tmp_path / name).write_text(text)
    (tmp_path / "finetuning/years").mkdir(parents=True)
    (tmp_path / "finetuning/years/metrics.json").write_text(json.dumps({"test_accuracy": 0.70978}))
    one = publication.Published("a_run", tmp_path)
    one.__dict__["values"] = {"data/pictures": 44441.0, "a/key": 0.51}
    one.__dict__["ingest"] = {"test": 8917}
    evidence = {
        "claim": ["it-6.1", "no"],
        "evidence": ["a less b: +0.0346 [+0.025, +0.047]; c: +0.5 [+0.4, +0.6]", "-"],
    }
    one.__dict__["verdicts"] = pd.DataFrame(evidence)
    one.__dict__["intervals"] = {"a/key": (0.5, 0.52)}
    monkeypatch.setattr(publication, "of", lambda data: one)
    return lambda prose, *lines: f"# A page\n\n{prose}\n\n<!-- numbers a_run\n" + "\n".join(lines) + "\n-->\n"


@pytest.mark.parametrize(
    ("prose", "line"),
    [
        ("It finds .404.", ".404 = exam same; open"),
        ("It finds .404 [.383, .424].", ".404 [.383, .424] = exam same; open"),
        ("It finds .404\n[.383,\n.424].", ".404 [.383, .424] = exam same; open"),
        ("It finds .4.", ".4 = exam[value] open"),
        ("It gains +.005 [−.003, +.014].", "+.005 [−.003, +.014] = weights[gain] 0.7"),
        ("It finds .50.", ".50 = weights[mAP] weight=0.7"),
        ("It gains +.104.", "+.104 = exam open - exam closed"),
        ("It loses −.10.", "−.10 = exam closed - exam open"),
        ("There are 44,441 pictures.", "44,441 = data/pictures"),
        ("It finds .51 [.50, .52].", ".51 [.50, .52] = a/key"),
        ("It names 71 %.", "71 % = finetuning/years[test_accuracy]"),
        ("It names 70.98 %.", "70.98 % = finetuning/years[test_accuracy]"),
        ("The aim was .45.", ".45 : an aim"),
        ("At least .30.", ".30 = least exam same"),
        ("At most .51.", ".51 = most a/*"),
        ("On average .352.", ".352 = mean exam same"),
        ("On average .300.", ".300 = mean exam some"),
        ("It gains +.104.", "+.104 = 0 - exam[value] less"),
        ("It loses −.005 [−.014, +.003].", "−.005 [−.014, +.003] = 0 - weights[gain] 0.7"),
        ("It gains +.035 [+.025, +.047].", "+.035 [+.025, +.047] = evidence it-6.1"),
        ("It loses −.035 [−.047, −.025].", "−.035 [−.047, −.025] = 0 - evidence it-6.1"),
        ("Of 8,917 pictures.", "8,917 = ingest[test]"),
    ],
)
def test_a_number_with_its_source_is_no_fault(run, prose, line):
    assert numbers.faults(run(prose, line)) == []


@pytest.mark.parametrize(
    ("prose", "lines", "fault"),
    [
        ("It finds .405.", [".405 = exam open"], "A page: .405 is said, a_run has .404: read its sentences again"),
        ("It finds .404 [.38, .42].", [".404 [.38, .42] = exam open"], "a_run has .404 [.383, .424]"),
        ("It gains .104.", ["+.104 = exam open - exam closed"], ".104 is said, and no line tells where it comes from"),
        ("It finds .404.", [], ".404 is said, and no line tells"),
        ("It finds more.", [".404 = exam open"], ".404 is listed, and no sentence says it"),
        ("It finds .404.", [".404 = exam same"], "2 numbers are 'exam same'; one should be"),
        ("It finds .404.", [".404 = exam oben"], "no row of exam.csv has the cells ['oben']"),
        ("It finds .404.", [".404 = exam question=open"], "no row of exam.csv has the cells ['question=open']"),
        ("It finds .404.", [".404 = exam[valu] open"], "exam.csv has no column 'valu'. Allowed: ['question', "),
        ("It finds .404.", [".404 = a/kay"], "a_run has no key and no table 'a/kay'. Did you mean 'a/key'?"),
        (
            "It gains +.035.",
            ["+.035 = evidence it-6.2"],
            "no difference is in the evidence of 'it-6.2'. Did you mean 'it-6.1'",
        ),
        ("It gains +.035.", ["+.035 = evidence no"], "no difference is in the evidence of 'no'"),
        ("It finds .404.", [".404 = least b/*"], "no key of a_run is like 'b/*'"),
        ("It finds 4.", ["4 = exam open"], "4 is no number of the forms"),
        ("It finds +.104.", ["+.104 = exam closed - exam open"], "+.104 is said, a_run has −.104"),
        ("There are 44,440.", ["44,440 = data/pictures"], "44,440 is said, a_run has 44,441"),
    ],
)
def test_a_fault_is_named_with_what_the_run_has(run, prose, lines, fault):
    assert any(fault in found for found in numbers.faults(run(prose, *lines)))


def test_a_line_without_source_and_reason_is_refused(run):
    with pytest.raises(ValueError, match="a line is 'NUMBER = SOURCE' or 'NUMBER : why"):
        numbers.faults(run("It finds .404.", ".404"))


@pytest.mark.parametrize("sources", ["0", "a/key - a/key - a/key"])
def test_a_number_has_one_source_or_one_less_another(run, sources):
    with pytest.raises(ValueError, match="a source is one, or one less another; found"):
        numbers.faults(run("It finds .404.", f".404 = {sources}"))


def test_each_section_has_its_own_list(run):
    page = run("It finds .404.", ".404 = exam open") + "\n## Another\n\nAgain .404.\n"
    assert numbers.faults(page) == ["Another: .404 is said, and no line tells where it comes from"]


def test_a_comment_in_code_begins_no_section():
    page = "# A page\n\n```\n# server.conf\n```\n\nIt finds .404.\n"
    assert [name for name, _ in numbers.sections(page)] == ["A page"]


def test_what_is_no_prose_has_no_numbers():
    text = "a\n<!-- begin x -->\n.1\n<!-- end x -->\n`.2` [.x](y.3) <!-- .4 -->\n```\n.5\n```\nsection 6.2, 3.11, a.6"
    assert numbers.said(text) == []


@given(st.floats(-0.9994, 0.9994), st.integers(1, 4))
def test_a_number_is_written_as_it_is_read(value, digits):
    shown = numbers.decimal(value, digits, signed=True)
    if not shown[1:].startswith("."):
        return  # it rounds to one
    assert numbers.said(f"It is {shown}.") == [shown]
    assert float(shown.replace("−", "-")) == pytest.approx(value, abs=0.5 * 10**-digits + 1e-12)


@pytest.mark.parametrize(
    "page", [page for page in pages() if "<!-- numbers " in page.read_text()], ids=lambda p: p.name
)
def test_the_pages_say_what_was_published(page):
    assert numbers.faults(page.read_text(encoding="utf-8")) == []


def test_the_front_page_has_two_counts_and_all_else_is_made():
    said = numbers.said((paths.ROOT / "README.md").read_text(encoding="utf-8"))
    assert said == ["44,441"]
    assert publication.of("fashion_small_fresh").values["data/pictures"] == 44441
