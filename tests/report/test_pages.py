"""What the report and a publication are made from: chapters that ran, and runs that are finished."""

import nbformat
import pandas as pd
import pytest
import yaml

from pipeline import params, paths
from pipeline.claims.summary import COLUMNS, REPRODUCED, VERDICTS
from pipeline.report import pages, publish


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path


def test_a_claim_is_linked_to_its_cell_where_that_chapter_ran(place):
    folder = paths.evaluation("sample")
    folder.mkdir(parents=True)
    see = ["05_evaluation#data", "04_hybrid/s002#table", ""]
    rows = [{"claim": f"c{n}", "document": "001", "verdict": REPRODUCED, "see": cell} for n, cell in enumerate(see)]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / "verdicts.csv", index=False)
    found = pages._verdicts("sample", [paths.executed("sample", "05_evaluation", None)])
    assert [row["href"] for row in found["verdicts"]] == ["05_evaluation.html#cell-id=data", "", ""]
    assert found["verdict_counts"] == [[name, 3, *["·"] * (len(VERDICTS) - 1)] for name in ("001", "all")]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("see [training](05_training.ipynb)", "see [training](05_training.html)"),
        ("[it](05_training.ipynb#grid).", "[it](05_training.html#grid)."),
        ("[text](../docs/claims.md#how) and [site](06_site.ipynb)", "text and site"),
        ("[above](#grid), [paper](https://a.org/b.ipynb)", "[above](#grid), [paper](https://a.org/b.ipynb)"),
        ("![figure](figure.png) [a](b c)", "![figure](figure.png) [a](b c)"),
    ],
)
def test_a_link_leads_to_a_page_or_nowhere(said, shown):
    cells = [nbformat.v4.new_markdown_cell(said), nbformat.v4.new_code_cell(said)]
    text, code = pages._linked(nbformat.v4.new_notebook(cells=cells), {"05_training": "05_training.html"}).cells
    assert (text.source, code.source) == (shown, said)


def test_a_run_that_is_not_finished_is_not_published(place, monkeypatch):
    study = params.load()
    with pytest.raises(pages.PagesError, match="has not been executed"):
        publish.publish(study)
    monkeypatch.setattr(publish, "executed", lambda study: [])
    with pytest.raises(pages.PagesError, match="is missing. Finish the run first"):
        publish.publish(study)
    assert not paths.reference(study.data.name).exists()


def test_a_publications_lock_has_the_stages_of_its_study_alone():
    study, lock = params.load(paths.ROOT / "reference/sample/params.yaml"), paths.ROOT / "dvc.lock"
    text = lock.read_text(encoding="utf-8")
    assert publish.own(text, study) == text  # the sample's lock, as it is committed
    names = list(yaml.safe_load(text)["stages"])
    fewer = study.model_copy(update={"encoders": {}, "retrievals": {}, "finetunes": {}})
    kept = list(yaml.safe_load(publish.own(text, fewer))["stages"])
    gone = ("feature_extraction@", "knn_retrieval@", "finetuning@")
    assert kept == [name for name in names if not name.startswith(gone)]
    assert len(kept) < len(names)
