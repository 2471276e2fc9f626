"""The commands of `pipeline.run`: what they refuse before any work."""

import contextlib
import os
import threading

import pytest

from pipeline import environment, params, run, stages
from pipeline.encoders import packed


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


def test_a_number_of_queries_that_is_none_is_said_to_be_one():
    for wrong in ("abc", "0", "²"):
        with pytest.raises(ValueError, match=f"a whole number from 1. Received: '{wrong}'"):
            run.trec(["efficientnet_lite0_pad-cosine", wrong])


@pytest.mark.parametrize("command", [run.export, run.pack])
def test_of_several_names_a_wrong_one_is_refused_before_any_is_written(command, in_sample):
    with pytest.raises(ValueError, match="Received: 'nobody'"):
        command(["efficientnet_lite0_pad", "nobody"])


@pytest.mark.parametrize("command", ["publish", "graph", "docs"])
def test_words_that_a_command_would_pass_over_are_refused_before_any_work(command, capsys):
    assert run.main([command, "everything"]) == 1
    assert f"{command} takes nothing more. Received: ['everything']" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["publish", "repro", "graph", "docs", "compose", "eda"])
def test_help_is_help_and_runs_nothing(command, capsys, monkeypatch):
    monkeypatch.setattr(run, "run_stage", None)
    monkeypatch.setattr(run, "COMMANDS", dict.fromkeys(run.COMMANDS))
    assert run.main([command, "--help"]) == 0
    assert "python -m pipeline.run compose" in capsys.readouterr().out


@pytest.mark.parametrize(("fault", "said"), [(None, ""), (ValueError, ""), (RuntimeError, "hello")])
def test_what_libraries_say_as_they_are_loaded_is_shown_with_a_fault_alone(capfd, fault, said):
    with contextlib.suppress(ValueError, RuntimeError), environment.quiet():
        os.write(2, b"hello")  # as C does
        if fault:
            raise fault
    assert capfd.readouterr().err == said
    os.write(2, b"again")
    assert capfd.readouterr().err == "again"


def test_of_two_threads_that_are_silent_the_later_leaves_stderr_as_it_was(capfd):
    second_may_end = threading.Event()

    def later():
        with environment.quiet():
            second_may_end.wait(5)

    other = threading.Thread(target=later)
    with environment.quiet():
        other.start()
        other.join(0.2)  # it is silent too, or waits to be
    second_may_end.set()
    other.join()
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_nothing_is_packed_that_was_split_otherwise_than_the_parameters_say(in_sample, monkeypatch):
    study = params.load()
    monkeypatch.setattr(packed, "pack", lambda study, name: pytest.fail("packed"))
    other = study.model_copy(update={"data": study.data.model_copy(update={"seed": 5})})
    monkeypatch.setattr(params, "load", lambda: other)
    with pytest.raises(ValueError, match=r"not split by data\.seed and data\.test_share"):
        run.pack(["efficientnet_lite0_pad"])
    monkeypatch.setattr(params, "load", lambda: study)
    monkeypatch.setattr(run, "_given_away", lambda *_: 0)
    assert run.pack(["efficientnet_lite0_pad"]) == 0
