"""One stage of the graph, end to end, and the commands around it.

python -m pipeline.run compose [data=… suite=… key=value …]   writes params.yaml from params/
python -m pipeline.run repro [--jobs N] [dvc options]          runs what has changed, says where the report is
python -m pipeline.run publish                                 copies a finished run's numbers to reference/
python -m pipeline.run published [data]                        what the published run says of today's claims
python -m pipeline.run export ENCODER                          an encoder as LiteRT and ONNX files, with a card
python -m pipeline.run pack ENCODER                            an encoder as a folder to give away, a few MB
python -m pipeline.run trec RETRIEVAL [QUERIES]               rankings and relevance in TREC's forms, for other programs
python -m pipeline.run graph                                   writes dvc.yaml from pipeline/stages.py
python -m pipeline.run docs                                    makes the tables of README.md and docs/ anew
python -m pipeline.run STAGE [ITEM]                            one stage; dvc.yaml calls these
"""

import argparse
import importlib
import os
import sys
import tempfile
from pathlib import Path

try:
    from pipeline import environment, files, machine, params, paths, stages, warm
except ModuleNotFoundError as error:  # a plain `.venv/bin/dvc repro` finds the system's Python, without the libraries
    own = Path(__file__).parents[1] / ".venv" / "bin" / "python"
    if not own.exists() or Path(sys.prefix) == own.parents[1]:
        sys.exit(f"{error} in {sys.executable}. Activate the environment that the study is installed in")
    os.execv(own, [str(own), "-m", "pipeline.run", *sys.argv[1:]])


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; 0 when it succeeded, 1 with a message on stderr when not."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=[*COMMANDS, *(stage.name for stage in stages.STAGES)])
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="overrides, dvc's options, or the stage's item")
    given = parser.parse_args(arguments)
    try:
        if given.command in COMMANDS:
            return COMMANDS[given.command](given.rest)
        command = [given.command, *given.rest]
        if warm.available():
            return warm.run("pipeline.run", command)
        if not environment.is_set():  # some of it is read when a process starts
            python = [sys.executable, "-m", "pipeline.run"]
            os.execve(sys.executable, [*python, *command], {**os.environ, **environment.variables()})
        run_stage(stages.find(given.command), given.rest)
        return 0
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept, the same command goes on from there", file=sys.stderr)
        return 130
    except (ValueError, RuntimeError, OSError) as error:
        print(f"{given.command}: {error}", file=sys.stderr)
        return 1


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
    from pipeline.claims import registry

    jobs, options = _jobs(options)
    study = params.load()
    registry.load()  # a claim that cannot be judged stops here, not in the last chapter
    written.check()
    code, ran = reproduce.reproduce(options, jobs)
    if ran:
        files.write_json(paths.machine(study.data.name), machine.describe())
    if code == 0:
        print(f"The report: {paths.report(study.data.name) / 'index.html'}")
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


def publish(_: list[str]) -> int:
    """Copies the finished run's numbers to reference/ and prints them as the table of docs/results.md."""
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
    """Writes encoders as files that other programs run, and prints their folders."""
    from pipeline.encoders import exported

    study = params.load()
    if not rest:
        raise ValueError(f"export takes an encoder. Allowed: {[*study.encoders, *study.concatenations]}")
    for name in rest:
        print(exported.export(study, name).relative_to(paths.ROOT))
    return 0


def pack(rest: list[str]) -> int:
    """Writes encoders as folders that `match` and other studies take, and prints them with their sizes."""
    from pipeline.encoders import packed

    study = params.load()
    if not rest:
        raise ValueError(f"pack takes an encoder. Allowed: {list(study.encoders)}")
    for name in rest:
        folder = packed.pack(study, name)
        print(f"{folder.relative_to(paths.ROOT)}  {sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.1f} MB")
    return 0


def trec(rest: list[str]) -> int:
    """Writes the rankings of drawn test queries as TREC's files and prints their folder."""
    from pipeline.evaluation import trec as written

    study = params.load()
    if len(rest) not in (1, 2) or not (rest[1:] or ["1"])[0].isdigit() or rest[1:] == ["0"]:
        raise ValueError(
            f"trec takes a retrieval, and how many queries. Allowed: {list(study.retrievals)}. Received: {rest}"
        )
    print(written.write(study, rest[0], *map(int, rest[1:])).relative_to(paths.ROOT))
    return 0


def graph(_: list[str]) -> int:
    """Writes dvc.yaml from the table of stages and the code that each stage runs."""
    from pipeline import graph as written

    written.write()
    return 0


def docs(_: list[str]) -> int:
    """Makes the generated parts of README.md and docs/ anew."""
    from pipeline.report import docs as written

    written.write()
    return 0


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
    if stage.notebook:
        from pipeline import notebooks

        target = paths.executed(study.data.name, stage.notebook, item)
        notebooks.execute(paths.clean_notebook(stage.notebook), target, stages.parameters(study, stage, item))
    else:
        module, _, function = stage.work.partition(":")
        getattr(importlib.import_module(module), function)(study, *rest)


COMMANDS = {
    "compose": compose,
    "repro": repro,
    "publish": publish,
    "published": published,
    "export": export,
    "pack": pack,
    "trec": trec,
    "graph": graph,
    "docs": docs,
}

if __name__ == "__main__":
    sys.exit(main())
