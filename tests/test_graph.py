"""The stage graph run end to end on the drawn sample, in a copy of the project: what a student, a reviewer and an
instructor do, from the first run to an experiment with another picture size.
"""

import json
import os
import platform
import re
import shutil
import sys
import warnings
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from clones import ROOT, call, git, ran, stage
from ruamel.yaml import YAML

from pipeline import environment, params, stages
from pipeline.claims import registry, summary
from pipeline.report import publish

pytestmark = pytest.mark.xdist_group("graph")


@pytest.fixture(scope="module")
def place(run_done):
    """A clone's content with one commit and the sample's run done."""
    return run_done[0]


def test_a_run_from_nothing_gives_the_committed_bytes_or_on_another_machine_the_same_again(run_done):
    place, differing, _ = run_done
    assert set(differing) <= {" M dvc.lock"}, "git follows what a run makes"
    if not differing:
        return
    warnings.warn(
        f"another kind of machine than the committed run's, {len(differing)} files: {differing}", stacklevel=1
    )
    result = stage(place, "repro", "-f", "--jobs", "2")  # in another order, since whoever is free takes the next
    assert sorted(ran(result.stdout)) == sorted(every_run())
    assert git(place, "status", "--porcelain") == ""


def test_a_run_says_a_line_for_each_stage_and_no_warning(run_done):
    output = run_done[2]
    assert sorted(ran(output)) == sorted(every_run())
    assert len(output.splitlines()) <= 60
    assert "warning" not in output.lower()


def test_the_committed_lock_is_of_this_graph_and_these_parameters():
    committed = YAML(typ="safe").load((ROOT / "dvc.lock").read_text())
    assert set(committed["stages"]) == set(every_run())
    assert (ROOT / "reference/sample/dvc.lock").read_bytes() == (ROOT / "dvc.lock").read_bytes(), (
        "the sample's numbers in reference/ are of another run: python -m pipeline.run publish"
    )


def test_a_run_gives_the_sample_s_published_numbers_on_any_machine(run_done):
    place, differing, _ = run_done
    verified = stage(place, "verify", check=False)
    assert verified.returncode == 0, verified.stdout[-3000:]  # 0: the same bytes, or numbers that hardware explains
    if not differing:
        published = ROOT / "reference/sample"
        whole = pd.read_csv(place / "outputs/sample/evaluation/metrics.csv", dtype={"gallery": str})
        again = publish.published_metrics(published, list(params.load().retrievals)).astype({"gallery": str})
        pd.testing.assert_frame_equal(again, whole)
        for file in published.glob("finetuning/*/*.csv"):
            assert file.read_bytes() == (place / "outputs/sample" / file.relative_to(published)).read_bytes()


def test_a_run_says_which_machine_it_was_made_on(place):
    said = json.loads((place / "outputs/sample/machine.json").read_text(encoding="utf-8"))
    assert said["python"] == platform.python_version()
    assert said["cores"] == os.cpu_count()
    assert said["libraries"].keys() >= {"tensorflow", "ai-edge-litert", "numpy"}
    assert said["variables"] == environment.variables()


def every_run():
    """Each stage of the study, once per item, as DVC calls it."""
    study = params.load()
    for row in stages.STAGES:
        yield from [f"{row.name}@{item}" for item in stages.items_of(study, row)] if row.each else [row.name]


def test_the_report_links_every_page_and_each_page_stands_alone(place):
    report = place / "outputs/sample/report"
    index = (report / "index.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'href="([^"]+\.html)"', index))
    pages = {str(path.relative_to(report)) for path in report.rglob("*.html")} - {"index.html"}
    assert linked == pages
    assert len(pages) == sum(bool(stages.find(name.partition("@")[0]).notebook) for name in every_run())
    assert "Not comparable" in index
    for page in pages:
        text = (report / page).read_text(encoding="utf-8")
        assert "<details" in text
        assert len(text.encode()) < 5_000_000, page
        assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css)[^"]*"', text), page
        leads = {href.partition("#")[0] for href in re.findall(r'href="([^":]+)"', text)} - {""}
        assert all(((report / page).parent / href).is_file() for href in leads), (page, leads)


def test_executed_notebooks_hold_no_trace_of_time_or_machine(place):
    for path in (place / "outputs/sample/notebooks").rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                data = {kind: text for kind, text in output.get("data", {}).items() if kind != "image/png"}
                text = json.dumps([output.get("text", ""), data])
                assert output.get("name") != "stderr", f"{path.name}: {text[:300]}"
                assert not re.search(r"0x[0-9a-f]{8,}|\d+ms/step|/home/|/tmp/|it/s\]", text), (
                    f"{path.name}: {text[:300]}"
                )
                assert str(place) not in text


def test_metrics_hold_the_thesiss_fingerprint(place):
    table = pd.read_csv(place / "outputs/sample/evaluation/metrics.csv")
    thesis = table[
        (table["protocol"] == "thesis") & (table["metric"] == "hit@1") & (table["relevance"] == "articleType")
    ]
    assert (thesis["value"] == 1).all()
    assert len(thesis) == len(params.load().retrievals) * 2  # retrievals, sizes that the sample has pictures for
    strict = table[(table["protocol"] == "strict") & (table["metric"] == "mAP")]
    assert (strict["value"] > strict["chance"]).mean() > 0.9
    assert set(table["relevance"]) == {*params.load().knn_retrieval.relevances, "graded"}


def test_every_cell_that_a_claim_names_shows_a_figure_or_a_table_or_says_what_this_study_has_not(place):
    notebooks = {path.stem: path for path in (place / "outputs/sample/notebooks").glob("05_*.ipynb")}
    assert len(notebooks) == 3
    shows = {
        (chapter, cell.id)
        for chapter, path in notebooks.items()
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
        if {"image/png", "text/html"} & output.get("data", {}).keys()
        or "this study" in output.get("data", {}).get("text/plain", "")
    }
    pages = {name: (place / f"outputs/sample/report/{name}.html").read_text(encoding="utf-8") for name in notebooks}
    for name, claim in registry.load().items():
        chapter, _, cell = (claim.see or "").partition("#")
        if chapter in pages:
            assert (chapter, cell) in shows, name
            assert f'id="cell-id={cell}"' in pages[chapter], name


def test_the_site_shows_what_chapter_4_found(place, tmp_path):
    call(place, sys.executable, "-m", "papermill", "notebooks/06_site.ipynb", str(tmp_path / "site.ipynb"))
    last = nbformat.read(tmp_path / "site.ipynb", as_version=4).cells[-1]
    assert "the site shows what chapter 4 found" in last.outputs[0].text
    assert git(place, "status", "--porcelain") == ""


def test_verdicts_on_drawn_pictures_rest_on_no_measurement(place):
    table = pd.read_csv(place / "outputs/sample/evaluation/verdicts.csv")
    measured = table[table["keys"].notna() | table["verdict"].isin([summary.CONTRADICTED, summary.DIFFERS])]
    assert measured.empty
    assert table.loc[table["verdict"] == summary.REPRODUCED, "claim"].tolist() == ["001-5.2-ratio-quotient"]
    assert len(table) == len(registry.load())
    shown = json.loads(call(place, "dvc", "metrics", "show", "--json").stdout)[""]["data"]
    assert shown["outputs/sample/evaluation/verdicts.json"]["data"]["claim"].keys() == registry.load().keys()
    index = (place / "outputs/sample/report/index.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in index for name in registry.load())


def test_a_claim_is_added_with_one_entry_and_reruns_the_evaluation_only(place):
    path = place / "params/claims.yaml"
    before = path.read_text(encoding="utf-8")
    entry = (
        '\n  000-new:\n    document: "000"\n    place: "nowhere"\n    words: "w"\n    meaning: "m"\n'
        "    judge: {kind: bound, key: data/pictures, at_least: 1}\n    see: 05_evaluation#data\n"
    )
    path.write_text(before + entry, encoding="utf-8")
    assert ran(stage(place, "repro", "--jobs", "2").stdout) == [
        "evaluation",
        "verdicts_chapter",
        "reenactment",
        "report",
    ]
    table = pd.read_csv(place / "outputs/sample/evaluation/verdicts.csv").set_index("claim")
    assert table.loc["000-new", "verdict"] == summary.NOT_RUN
    path.write_text(before.replace("kind: bound", "kind: bond", 1), encoding="utf-8")
    result = stage(place, "repro", check=False)
    assert result.returncode != 0
    assert "claims.yaml" in result.stdout + result.stderr
    path.write_text(before, encoding="utf-8")
    git(place, "checkout", "-q", ".")
    call(place, "dvc", "checkout")
    assert git(place, "status", "--porcelain") == ""


def test_running_again_does_nothing(place):
    result = stage(place, "repro")
    assert ran(result.stdout) == []
    assert git(place, "status", "--porcelain") == ""


def test_a_stage_run_by_itself_gives_the_bytes_of_one_that_was_forked(place):
    files = [
        place / "outputs/sample" / name
        for name in ("notebooks/04_knn_retrieval/joint-cosine.ipynb", "scores/joint-cosine.parquet")
    ]
    forked = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    stage(place, "knn_retrieval", "joint-cosine")
    assert [file.read_bytes() for file in files] == forked


def test_saving_a_notebook_in_an_editor_reruns_nothing_else(place):
    path = place / "notebooks/01_eda.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="looked at")]
    notebook.cells[1].execution_count = 3
    nbformat.write(notebook, path)
    assert ran(stage(place, "repro", "--jobs", "2").stdout) == ["sources"]
    git(place, "checkout", "-q", ".")
    stage(place, "repro")


def test_a_notebook_run_by_hand_leaves_the_study_as_it_is(place):
    command = [sys.executable, "-m", "papermill", "--no-progress-bar"]
    trial = ["-p", "image_size", "96", "-p", "weights", "mobilenet_v2_random", "-p", "backbone", "mobilenet_v2"]
    call(place, *command, "notebooks/02_feature_extraction.ipynb", "build/02.ipynb", *trial)
    call(
        place,
        *command,
        "notebooks/04_knn_retrieval.ipynb",
        "build/04.ipynb",
        "-p",
        "encoder",
        "trial",
        "-p",
        "neighbours",
        "5",
    )
    study_tables = {path: path.stat().st_mtime_ns for path in (place / "outputs/sample/evaluation").glob("*.*")}
    call(place, *command, "notebooks/05_evaluation.ipynb", "build/05.ipynb", "-p", "resamples", "300")
    assert {path: path.stat().st_mtime_ns for path in (place / "outputs/sample/evaluation").glob("*.*")} == study_tables
    assert (place / "outputs/sample/evaluation/trial/metrics.csv").exists()
    assert (place / "outputs/sample/features/trial.sqlite").exists()
    assert (place / "outputs/sample/scores/trial.parquet").exists()
    assert pd.read_parquet(place / "outputs/sample/neighbours/trial.parquet")["rank"].max() == 5
    assert ran(stage(place, "repro", "--jobs", "2").stdout) == []
    assert git(place, "status", "--porcelain") == ""


def test_dvc_shows_metrics_plots_and_experiments(place):
    assert "efficientnet_lite0_pad-cosine" in call(place, "dvc", "metrics", "show", "--md").stdout
    assert "index.html" in call(place, "dvc", "plots", "show", "-o", "build/plots").stdout
    assert "main" in call(place, "dvc", "exp", "show", "--md").stdout
    assert call(place, "dvc", "metrics", "diff", "--md").returncode == 0


def test_an_experiment_with_another_size_reruns_only_what_follows_from_it_and_it_is_said_if_the_change_is_real(place):
    output = call(
        place, "dvc", "exp", "run", "-n", "smaller", "-S", "encoders.efficientnet_lite0_stretch.image_size=160"
    ).stdout
    expected = [
        "feature_extraction@efficientnet_lite0_stretch",
        "knn_retrieval@efficientnet_lite0_stretch-cosine",
        "embedding_space@efficientnet_lite0_stretch",
    ]
    assert sorted(ran(output)) == sorted([*expected, "evaluation", "training_chapter", "reenactment", "report"])
    difference = call(place, "dvc", "metrics", "diff", "--md").stdout
    assert "efficientnet_lite0_stretch-cosine" in difference
    assert "efficientnet_lite0_pad-cosine" not in difference
    said = stage(place, "compare", "HEAD").stdout
    assert "| encoders.efficientnet_lite0_stretch.image_size | 224 | 160 |" in said
    row = r"^\| efficientnet_lite0_stretch-cosine \| mAP, articleType \|.*\[.*\] \| (?:yes|no) \|$"
    assert len(re.findall(row, said, re.MULTILINE)) == 1
    assert "| efficientnet_lite0_pad-cosine |" not in said
    verified = stage(place, "verify", check=False)
    assert verified.returncode >= 3, verified.stdout  # 3, or worse where another processor has moved other stages
    assert "encoders.efficientnet_lite0_stretch.image_size 224 → 160" in verified.stdout
    assert "smaller" in call(place, "dvc", "exp", "show", "--md").stdout
    git(place, "checkout", "-q", ".")
    call(place, "dvc", "checkout")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("encoders.efficientnet_lite0_pad.pooling=average", "'avg', 'max' or 'flatten'. Received: 'average'"),
        ("encoders.efficientnet_lite0_pad.image_size=7", "from 32 to 1024. Received: 7"),
        ("+encoders.efficientnet_lite0_pad.image_sise=160", "Did you mean 'image_size'?"),
        ("finetunes.classification.optimiser.learning_rate='1e-4'", "write it as a number"),
    ],
)
def test_a_parameter_that_cannot_be_stops_before_the_work(place, override, words):
    result = call(place, "dvc", "exp", "run", "-S", override, check=False)
    assert result.returncode != 0
    assert words in result.stdout + result.stderr
    git(place, "checkout", "-q", ".")
    call(place, "dvc", "checkout")


def test_publishing_copies_numbers_and_no_pictures(run_done, place):
    assert stage(place, "publish").stdout.splitlines()[-1] == "reference/sample"
    published = {
        str(path.relative_to(place / "reference/sample")) for path in (place / "reference/sample").rglob("*.*")
    }
    expected = {
        "params.yaml",
        "dvc.lock",
        "ingest.json",
        *(f"metrics/{name}.csv" for name in params.load().retrievals),
        "metrics.json",
        "machine.json",
        "verdicts.csv",
        "differences.csv",
        "claims.yaml",
        "version.json",
    }
    assert expected <= published
    assert all(Path(name).suffix in (".yaml", ".lock", ".json", ".csv") for name in published)
    whole = pd.read_csv(place / "outputs/sample/evaluation/metrics.csv")
    again = publish.published_metrics(place / "reference/sample", list(params.load().retrievals))
    pd.testing.assert_frame_equal(again.astype({"gallery": str}), whole.astype({"gallery": str}))
    changed = set(git(place, "status", "--porcelain").split()[1::2])
    assert all(name.startswith("reference/sample/") for name in changed)
    if not run_done[1]:  # the numbers are those that stand there
        assert changed <= {"reference/sample/machine.json", "reference/sample/dvc.lock"}
    git(place, "checkout", "-q", ".")


def test_a_failing_notebook_leaves_nothing_that_looks_finished(place):
    target = place / "outputs/sample/notebooks/02_feature_extraction/mobilenet_v2_random.ipynb"
    before = target.read_bytes()
    images = place / "outputs/sample/images.zip"
    whole = images.read_bytes()
    images.unlink()
    images.write_bytes(whole[: len(whole) // 2])
    target.unlink()
    result = stage(place, "feature_extraction", "mobilenet_v2_random", check=False)
    assert result.returncode == 1
    assert "02_feature_extraction.ipynb failed in cell" in result.stderr
    assert not target.exists()
    assert (place / "build/failed/sample/notebooks/02_feature_extraction/mobilenet_v2_random.ipynb").exists()
    images.write_bytes(whole)
    target.write_bytes(before)


def test_without_git_it_runs_as_well(place, tmp_path):
    copy = tmp_path / "download"
    shutil.copytree(place, copy, ignore=shutil.ignore_patterns(".git", "tmp"))
    result = stage(copy, "repro")
    assert "The report:" in result.stdout
    assert ran(result.stdout) == []
    git(copy, "init", "-q")
    stage(copy, "repro")
    assert "no_scm" not in (copy / ".dvc/config.local").read_text()


def test_unknown_items_and_overrides_are_named(place):
    result = stage(place, "feature_extraction", "efficientnet", check=False)
    assert result.returncode == 1
    assert "Allowed: ['arcface', " in result.stderr
    assert "Received: ['efficientnet']" in result.stderr
    before = (place / "params.yaml").read_bytes()
    assert stage(place, "compose", "suite=quik", check=False).returncode == 1
    assert (place / "params.yaml").read_bytes() == before
