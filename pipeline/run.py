"""One stage of the graph, end to end, and the commands around it.

python -m pipeline.run compose [data=… suite=… key=value …]   writes params.yaml from params/
python -m pipeline.run repro [--jobs N] [dvc options]          runs what has changed, says where the report is
python -m pipeline.run publish                                 copies a finished run's numbers to reference/
python -m pipeline.run published [data]                        what the published run says of today's claims
python -m pipeline.run export ENCODER                          an encoder as LiteRT and ONNX files, with a card
python -m pipeline.run pack ENCODER                            an encoder as a folder to give away, a few MB
python -m pipeline.run trec RETRIEVAL [QUERIES]               rankings and relevance in TREC's forms, for other programs
python -m pipeline.run verify [--from-scratch …]               whether this run's results are the published ones
python -m pipeline.run compare RUN [RUN]                       two runs, commits or experiments side by side
python -m pipeline.run grade RUBRIC SUBMISSION …              submissions held against a rubric, none of them run
python -m pipeline.run graph                                   writes dvc.yaml from pipeline/stages.py
python -m pipeline.run docs                                    makes README.md's and docs/'s tables and pages anew
python -m pipeline.run STAGE [ITEM]                            one stage; dvc.yaml calls these
"""

import argparse
import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline import environment

try:
    from pipeline import files, machine, params, paths, scale, stages, warm
    from pipeline.params.sections import known
except ModuleNotFoundError as error:  # a plain `.venv/bin/dvc repro` finds the system's Python, without the libraries
    environment.hand_over("pipeline.run", error)


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; 0 when it succeeded, 1 with a message on stderr when not."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=[*COMMANDS, *(stage.name for stage in stages.STAGES)])
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="overrides, dvc's options, or the stage's item")
    given = parser.parse_args(arguments)
    if given.command not in OWN_HELP and {"-h", "--help"} & set(given.rest):
        parser.print_help()
        return 0
    try:
        _need_checkout()
        if given.command in COMMANDS:
            return COMMANDS[given.command](given.rest)
        return _in_environment(given.command, given.rest)
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept, the same command goes on from there", file=sys.stderr)
        return 130
    except (ValueError, RuntimeError, OSError) as error:
        print(f"{given.command}: {error}", file=sys.stderr)
        return 1


def _in_environment(name: str, rest: list[str]) -> int:
    """Runs a stage in a process that was started with what every process that computes is started with."""
    command = [name, *rest]
    if warm.available():
        return warm.run("pipeline.run", command)
    if not environment.is_set():  # some of it is read when a process starts
        environment.restart("pipeline.run", command)
    run_stage(stages.find(name), rest)
    return 0


def _need_checkout() -> None:
    """Raises ValueError where the code alone is installed."""
    if not paths.CHECKOUT:
        raise ValueError("this works in a checkout of the study alone, with its params/, notebooks/ and reference/")


def compose(overrides: list[str]) -> int:
    """Writes params.yaml from params/ and the overrides, exactly as `dvc exp run -S` would, once it is valid."""
    from dvc.utils.hydra import compose_and_dump
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "params.yaml"
        try:
            compose_and_dump(str(draft), str(paths.SUITES), None, "config", folder, overrides)
        except (HydraException, OmegaConfBaseException) as error:
            raise params.ParamsError(" ".join(str(error).split())) from None
        params.load(draft)
        text = draft.read_text(encoding="utf-8")
    files.write_text(paths.PARAMS, text)
    return 0


def repro(options: list[str]) -> int:
    """Runs what has changed, once parameters, claims and graph are known to be right; ends with the report's path."""
    from pipeline import graph as written
    from pipeline import reproduce
    from pipeline.checking import record
    from pipeline.claims import registry

    jobs, options = _jobs(options)
    study = params.load()
    written.check_sections()
    registry.load()  # a claim that cannot be judged stops here, not in the last chapter
    written.check()
    code, stages_made = reproduce.reproduce(options, jobs)
    if any(made["how"] == reproduce.RAN for made in stages_made.values()):
        files.write_json(paths.machine(study.data.name), machine.describe())
    if stages_made:
        record.write(study.data.name, stages_made)
    if code == 0:
        from pipeline.checking import commands

        print(f"The report: {commands.overview_of(study)}")
    return code


def _jobs(options: list[str]) -> tuple[int, list[str]]:
    """How many stages run beside each other, and DVC's options.

    Raises:
        ValueError: options of DVC that one worker cannot be given stage by stage.
    """
    parser = argparse.ArgumentParser(prog="python -m pipeline.run repro", add_help=False, allow_abbrev=False)
    parser.add_argument("--jobs", type=int, default=1)
    given, others = parser.parse_known_args(options)
    if given.jobs < 1:
        raise ValueError(f"--jobs is a number of stages beside each other, 1 or more. Received: {given.jobs}")
    if given.jobs > 1 and set(others) - {"-f", "--force"}:
        raise ValueError(f"With --jobs above 1, of DVC's options --force alone can be given. Received: {others}")
    return given.jobs, others


def publish(rest: list[str]) -> int:
    """Copies the finished run's numbers to reference/ and prints them as the table of docs/results.md."""
    _nothing_more("publish", rest)
    from pipeline.evaluation import headline
    from pipeline.report import publish as publication

    study = params.load()
    place = publication.publish(study)
    print(headline.markdown(publication.published_metrics(place, list(study.retrievals))))
    print(place.relative_to(paths.ROOT))
    return 0


def published(rest: list[str]) -> int:
    """Prints the verdicts of a published run, today's claims among them that it did not know."""
    from pipeline.report import publish as publication

    for data in rest or publication.published_names():
        print(f"{data}\n\n{publication.describe(data)}")
    return 0


def export(rest: list[str]) -> int:
    """Writes encoders as files that other programs run, and prints their folders with their sizes."""
    with environment.quiet():
        from pipeline.encoders import exported

    study = params.load()
    return _given_away("export", exported.export, study, rest, [*study.encoders, *study.concatenations])


def pack(rest: list[str]) -> int:
    """Writes encoders as folders that `match` and other studies take, and prints them with their sizes."""
    with environment.quiet():
        from pipeline.data import catalog, ingest
        from pipeline.encoders import packed

    study = params.load()
    frame = catalog.load(study.data.name)
    if not frame.equals(ingest.add_splits(frame, study.data.test_share, study.data.seed)):
        raise ValueError(
            f"the catalogue of {study.data.name} was not split by data.seed and data.test_share of params.yaml, which "
            "a packed card would say. Run the stages again: python -m pipeline.run repro"
        )
    return _given_away("pack", packed.pack, study, rest, [*study.encoders, *study.concatenations])


def _given_away(
    command: str, write: Callable[[params.Study, str], Path], study: params.Study, names: list[str], allowed: list[str]
) -> int:
    """Writes a folder for each name, all of which are checked first."""
    if not names:
        raise ValueError(f"{command} takes an encoder. Allowed: {allowed}")
    for name in names:
        if name in study.expansions:
            raise ValueError(
                f"{name} is an expansion, which takes the train part's vectors beside the network. {command} its "
                f"encoder: {study.expansions[name].encoder}"
            )
        known("params.yaml", f"an encoder to {command}", name, allowed)
    for name in names:
        with environment.quiet():
            folder = write(study, name)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{folder.relative_to(paths.ROOT)}  {size / 1e6:.1f} MB")
    return 0


def trec(rest: list[str]) -> int:
    """Writes the rankings of drawn test queries as TREC's files and prints their folder."""
    from pipeline.evaluation import trec as written

    study = params.load()
    if len(rest) not in (1, 2):
        raise ValueError(
            f"trec takes a retrieval, and how many queries. Allowed: {list(study.retrievals)}. Received: {rest}"
        )
    if not all(number.isdecimal() and int(number) for number in rest[1:]):
        raise ValueError(f"trec's second word is how many queries, a whole number from 1. Received: {rest[1]!r}")
    print(written.write(study, rest[0], *map(int, rest[1:])).relative_to(paths.ROOT))
    return 0


def verify(rest: list[str]) -> int:
    """Holds this run against the published one, stage by stage."""
    from pipeline.checking import commands

    return commands.verify_command(rest)


def compare(rest: list[str]) -> int:
    """Prints two runs side by side."""
    from pipeline.checking import commands

    return commands.compare_command(rest)


def grade(rest: list[str]) -> int:
    """Holds submissions against a rubric."""
    from pipeline.checking import commands

    return commands.grade_command(rest)


def graph(rest: list[str]) -> int:
    """Writes dvc.yaml from the table of stages and the code that each stage runs."""
    _nothing_more("graph", rest)
    from pipeline import graph as written

    written.write()
    return 0


def docs(rest: list[str]) -> int:
    """Makes the generated parts of README.md and docs/ anew, and the published runs' pages."""
    _nothing_more("docs", rest)
    from pipeline.report import docs as written
    from pipeline.report import published as pages

    written.write()
    pages.write()
    return 0


def _nothing_more(command: str, rest: list[str]) -> None:
    """Raises ValueError for words that a command would pass over."""
    if rest:
        raise ValueError(f"{command} takes nothing more. Received: {rest}")


def run_stage(stage: stages.Stage, rest: list[str]) -> None:
    """Runs one stage: its notebook, or its function.

    Raises:
        ValueError: an item that the stage has not, or none where it needs one.
    """
    study = params.load()
    items = stages.items_of(study, stage)
    if items is None and rest:
        raise ValueError(f"{stage.name} takes no item. Received: {rest}")
    if items is not None and (len(rest) != 1 or rest[0] not in items):
        raise ValueError(
            f"{stage.name} takes one item of params.yaml. Allowed: {sorted(items)}. Received: {rest}."
            f"{params.nearest(rest[0], items) if rest else ''}"
        )
    item = rest[0] if rest else None
    os.environ[scale.VARIABLE] = study.scale.model_dump_json()
    if stage.notebook:
        from pipeline import notebooks

        target = paths.executed(study.data.name, stage.notebook, item)
        notebooks.execute(paths.clean_notebook(stage.notebook), target, stages.parameters(study, stage, item))
    else:
        module, _, function = stage.work.partition(":")
        getattr(importlib.import_module(module), function)(study, *rest)


OWN_HELP = ("verify", "compare", "grade")  # commands with options of their own
COMMANDS = {
    "compose": compose,
    "repro": repro,
    "publish": publish,
    "published": published,
    "export": export,
    "pack": pack,
    "trec": trec,
    "verify": verify,
    "compare": compare,
    "grade": grade,
    "graph": graph,
    "docs": docs,
}

if __name__ == "__main__":
    sys.exit(main())
