"""The page that a run ends with: the run, the published study and the verification, each told apart."""

import json

import pandas as pd

from pipeline import paths
from pipeline.checking import commands, overview, receipt, runs
from pipeline.checking.verify import verify
from pipeline.report import publication, published

PROJECT = paths.ROOT


def section(world):
    reference = runs.published("sample")
    here = runs.of_folder(world.place)
    rows = verify(here, reference, ["ingest", "finetuning@a"], {}, {})
    return commands.section(receipt.make(here, reference, rows, "sample", 1.0), reference)


def test_a_run_its_verification_and_the_published_study_stand_apart(world, monkeypatch):
    pd.DataFrame(
        {"claim": ["a", "b", "c", "c-statement"], "verdict": ["not run", "not run", *["reproduced"] * 2]}
    ).to_csv(world.out / "evaluation/verdicts.csv")
    world.json("ingest.json", {"source": "drawn sample"})
    monkeypatch.setattr(paths, "reference", lambda data: PROJECT / "reference" / data)
    known = published.summed(publication.of(publication.STUDY))
    monkeypatch.setattr(paths, "reference", lambda data: world.place / "reference" / data)
    monkeypatch.setattr(overview, "_known", lambda: [known])
    text = overview.write("sample", section(world)).read_text(encoding="utf-8")
    run, study, same = (text.index(f'id="{name}"') for name in ("run", "published", "same"))
    assert run < study < same
    assert "3 statements: 1 reproduced, 2 not run" in text[run:study]
    assert "Not comparable" in text[run:study]
    assert f"{known['pictures']} pictures" in text[study:same]
    assert f'href="../../docs/published/{publication.STUDY}.html"' in text[study:same]
    assert "Not comparable" not in text[study:same]
    assert "finetuning@a" in text[same:]
    assert "finetuning@a" not in text[:same]


def test_receipts_of_others_are_in_it(world):
    theirs = section(world)["receipt"]
    folder = paths.receipts("sample")
    folder.mkdir(parents=True)
    (folder / "someone.json").write_text(json.dumps(theirs))
    assert "someone.json" in overview.write("sample", section(world)).read_text(encoding="utf-8")


def test_without_a_publication_it_says_so(world):
    text = overview.write("sample", None, "nothing was published of 'sample'").read_text(encoding="utf-8")
    assert "nothing was published of &#39;sample&#39;" in text
    assert "Nothing was published." in text


def test_it_lies_where_dvc_does_not_look():
    assert paths.overview("sample").parent == paths.outputs("sample")
