"""Two runs side by side: what differs is named, what is real is told from chance, and a page runs no script."""

import json
from dataclasses import replace

import clones
import nbformat
import numpy as np
import pandas as pd
import pytest
from checked_world import OUT

from pipeline.checking import commands, compare, runs
from pipeline.checking.runs import Entry, Run
from pipeline.data import catalog

QUERIES = 60


def scores(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = []
    for relevance in ("articleType", "product"):
        columns = {"query": np.arange(len(values)), "protocol": "strict", "gallery": "all", "relevance": relevance}
        parts.append(pd.DataFrame({**columns, "AP": values, "hit@1": 1.0, "precision@10": values}))
    pd.concat(parts).to_parquet(path)


def notebook(path, source, picture, said="a"):
    path.parent.mkdir(parents=True, exist_ok=True)
    cell = nbformat.v4.new_code_cell(source, id="figure")
    shown = {"image/png": picture, "text/plain": said}
    cell.outputs = [nbformat.v4.new_output("display_data", data=shown)]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


def run(place, name, values, seed=0, verdict="reproduced", source="draw()", picture="AAAA", said="a", product="p"):
    """A run in a folder of its own: one retrieval, one notebook, one claim."""
    out = place / OUT
    scores(out / "scores/a-cosine.parquet", values)
    notebook(out / "notebooks/05_evaluation.ipynb", source, picture, said)
    (out / "evaluation").mkdir()
    (out / "evaluation/verdicts.json").write_text(json.dumps({"claim": {"001-x": verdict, "001-y": "not run"}}))
    frame = pd.DataFrame({catalog.PRODUCT: [f"{product}{number // 2}" for number in range(QUERIES)]})
    frame.to_parquet(out / "catalog.parquet")
    outs = {path.relative_to(place).as_posix(): runs.hash_of(path) for path in out.rglob("*") if path.is_file()}
    params = {"data": {"name": "sample"}, "retrievals": {"a-cosine": {}}, "finetunes": {"a": {"seed": seed}}}
    return Run(name, b"", {"all": Entry(outs=outs)}, params, {}, lambda path, known: place / path)


@pytest.fixture
def values(rng):
    return rng.random(QUERIES)


@pytest.fixture
def pair(tmp_path, values):
    def made(moved, **others):
        return run(tmp_path / "1", "one", values), run(tmp_path / "2", "two", moved, **others)

    return made


def test_a_run_and_itself_do_not_differ(pair, values):
    found = compare.compare(*pair(values))
    assert not (found.parameters or found.verdicts or found.cells or found.figures or found.left_out)
    assert not compare.rows(found)
    assert (found.metrics["difference"] == 0).all() and not found.metrics["real"].any()


def test_a_change_of_every_query_is_real_and_one_by_chance_is_not(pair, values, rng):
    found = compare.compare(*pair(values + 0.1)).metrics.set_index(["relevance", "metric"])
    row = found.loc[("articleType", "mAP")]
    assert row["real"] and row["difference"] == pytest.approx(0.1) and row["low"] == pytest.approx(0.1)
    assert not found.loc[("articleType", "hit@1"), "real"]


def test_queries_that_go_both_ways_are_no_real_change(pair, values, rng):
    found = compare.compare(*pair(values + rng.normal(0, 0.2, QUERIES))).metrics
    assert not found["real"].any() and (found["difference"] != 0).any()


def test_parameters_verdicts_and_cells_are_named(pair, values):
    changed = {"seed": 1, "verdict": "contradicted", "source": "draw(2)", "picture": "BBBB"}
    found = compare.compare(*pair(values, **changed))
    assert found.parameters == [("finetunes.a.seed", 0, 1)]
    assert found.verdicts == [("001-x", "reproduced", "contradicted")]
    assert [(cell["notebook"], cell["cell"]) for cell in found.cells] == [("05_evaluation.ipynb", "figure")]
    assert {"-draw()", "+draw(2)"} <= set(found.cells[0]["diff"])
    assert found.figures[0]["pictures"] == [["AAAA"], ["BBBB"]]
    text = compare.markdown(found)
    assert "| finetunes.a.seed | 0 | 1 |" in text and "| 001-x | reproduced | contradicted |" in text


def test_other_pictures_are_not_paired_and_that_is_said(pair, values):
    found = compare.compare(*pair(values, product="q"))
    assert found.metrics.empty and found.left_out == [compare.OTHER_PICTURES]


def test_what_only_one_has_is_said(pair, values):
    first, second = pair(values)
    second.params["retrievals"] = {"b-cosine": {}}
    assert compare.compare(first, second).left_out == ["a-cosine: in one alone", "b-cosine: in two alone"]


def test_a_long_diff_is_cut_and_says_so(pair, values):
    found = compare.compare(*pair(values, said="\n".join(map(str, range(1000)))))
    assert len(found.cells[0]["diff"]) == compare.LONGEST + 1
    assert found.cells[0]["diff"][-1].endswith("lines more")


def test_a_page_has_room_for_so_much_and_says_what_it_leaves_out(pair, values, monkeypatch):
    monkeypatch.setattr(compare, "FIGURES", len("AAAA") + len("BBBB") - 1)
    monkeypatch.setattr(compare, "DIFFS", 3)
    found = compare.compare(*pair(values, source="draw(2)", picture="BBBB"))
    assert found.figures == []
    assert found.left_out == ["1 pairs of figures more than the 0 that the page has room for"]
    assert found.cells[0]["diff"] == [f"… {found.cells[0]['lines']} lines, for which the page has no room"]
    assert f"| 05_evaluation.ipynb | figure | {found.cells[0]['lines']} |" in compare.markdown(found)


def test_a_run_whose_files_are_not_here_is_named_with_what_to_do(pair, values):
    first, second = pair(values)
    gone = replace(first, find=lambda path, known: None if "scores" in path else first.find(path, known))
    assert compare.compare(gone, second).left_out == ["a-cosine: scores of one are not here", compare.FETCH]


def test_a_hostile_cell_is_shown_as_text(pair, values):
    hostile = '"><script>alert(1)</script><iframe src="http://x">'
    found = compare.compare(*pair(values, source=hostile, picture=hostile, said=hostile))
    text = commands.page("compared.html.j2", title="t", found=found, rows=[])
    assert "<script" not in text and "<iframe" not in text and "&lt;script&gt;" in text
    assert "default-src &#39;none&#39;" in text


@pytest.mark.parametrize("name", ["--output=x", "-x", "a b", "$(touch x)"])
def test_what_can_be_no_name_never_reaches_git(name, monkeypatch):
    monkeypatch.setattr(runs, "git", lambda *arguments: pytest.fail(f"git was asked for {arguments}"))
    with pytest.raises(runs.RunError, match="names no commit"):
        runs.named(name)


def test_a_commit_is_a_run_and_its_files_are_in_the_cache(world):
    clones.git(world.place, "init", "-q", "-b", "main")
    clones.git(world.place, "add", "dvc.lock", "params.yaml")
    clones.git(world.place, "commit", "-q", "-m", "a run")
    clones.git(world.place, "update-ref", "refs/exps/ab/cd/brave-one", "HEAD")
    (world.place / "dvc.lock").write_text("{}")
    known = runs.named("HEAD").outs()[f"{OUT}/evaluation/metrics.csv"]
    assert runs.named("brave-one").find(f"{OUT}/evaluation/metrics.csv", known).read_bytes().startswith(b"retrieval")
    with pytest.raises(runs.RunError, match="no commit"):
        runs.named("brave-two")
