"""The commands of `pipeline.run`: what they refuse before any work."""

import pytest

from pipeline import run, stages


@pytest.mark.parametrize(
    ("stage", "rest", "said"),
    [
        ("ingest", ["sample"], r"ingest takes no item. Received: \['sample'\]"),
        ("feature_extraction", [], r"takes one item of params.yaml. Allowed: \[.*Received: \[\]"),
        ("feature_extraction", ["efficientnet_lite0_pa"], "Did you mean 'efficientnet_lite0_pad'"),
        ("feature_extraction", ["efficientnet_lite0_pad", "efficientnet_lite0_pad"], "takes one item"),
    ],
)
def test_a_stage_is_run_for_one_of_its_items_or_not_at_all(monkeypatch, stage, rest, said):
    monkeypatch.setattr(run.importlib, "import_module", lambda name: pytest.fail(f"{name} was run"))
    with pytest.raises(ValueError, match=said):
        run.run_stage(stages.find(stage), rest)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--jobs", "0"], "1 or more. Received: 0"),
        (["--jobs", "2", "eda"], r"--force alone can be given. Received: \['eda'\]"),
        (["--jobs", "2", "--dry"], r"--force alone can be given. Received: \['--dry'\]"),
    ],
)
def test_what_several_jobs_cannot_do_is_refused_before_the_run(options, said):
    with pytest.raises(ValueError, match=said):
        run.repro(options)


def test_options_of_dvc_are_passed_on():
    assert run._jobs(["-f", "eda"]) == (1, ["-f", "eda"])
    assert run._jobs(["--force", "--jobs", "3"]) == (3, ["--force"])
