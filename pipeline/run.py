"""One stage of the graph, end to end, and the commands around it.

python -m pipeline.run compose [data=… suite=… key=value …]   writes params.yaml from params/
python -m pipeline.run repro [dvc options]                     runs what has changed, says where the report is
python -m pipeline.run publish                                 copies a finished run's numbers to reference/
python -m pipeline.run STAGE [ITEM]                            one stage; dvc.yaml calls these
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline import params, paths
from pipeline.systems_params import SYSTEMS

NOTEBOOKS = {
    "eda": "01_eda",
    "feature_extraction": "02_feature_extraction",
    "finetuning": "03_finetuning",
    "knn_retrieval": "04_knn_retrieval",
    "index_study": "04_index_study",
    "hybrid": "04_hybrid",
    "user_photos": "04_user_photos",
    "recommendation": "04_recommendation",
    "evaluation": "05_evaluation",
}


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; 0 when it succeeded, 1 with a message on stderr when not."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=[*COMMANDS, *STAGES])
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="overrides, dvc's options, or the stage's item")
    given = parser.parse_args(arguments)
    try:
        if given.command in COMMANDS:
            return COMMANDS[given.command](given.rest)
        _run_stage(given.command, given.rest)
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
            compose_and_dump(str(draft), str(paths.ROOT / "params"), None, "config", folder, overrides)
        except (HydraException, OmegaConfBaseException) as error:
            raise params.ParamsError(" ".join(str(error).split())) from None
        params.load(draft)
        text = draft.read_text(encoding="utf-8")
    paths.PARAMS.write_text(text, encoding="utf-8", newline="\n")
    return 0


def repro(options: list[str]) -> int:
    """`dvc repro` with this environment's Python, also where there is no git; ends with the report's path."""
    study = params.load()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "DVC_NO_ANALYTICS": "1",
    }
    _match_git(environment)
    code = subprocess.run([sys.executable, "-m", "dvc", "repro", *options], cwd=paths.ROOT, env=environment).returncode
    if code == 0:
        print(f"\nThe report: {paths.report(study.data.name) / 'index.html'}")
    return code


def publish(_: list[str]) -> int:
    """Copies the finished run's numbers to reference/ and prints them as a table for the README."""
    from pipeline.report import pages

    study = params.load()
    place = pages.publish(study)
    print(pages.markdown(pages.published_metrics(place, list(study.retrievals))))
    print(place.relative_to(paths.ROOT))
    return 0


def parameters(study: params.Study, stage: str, item: str | None) -> dict:
    """What a notebook is given: the names in its parameters cell with this run's values."""
    data = {"data": study.data.name}
    if stage == "eda":
        return {**data, **study.eda.model_dump()}
    if stage == "feature_extraction":
        return {**data, "name": item, **study.encoders[item].model_dump()}
    if stage == "finetuning":
        return {**data, "name": item, **study.finetunes[item].model_dump()}
    if stage == "knn_retrieval":
        return {**data, "name": item, **study.retrievals[item].model_dump(), **study.knn_retrieval.model_dump()}
    if stage in SYSTEMS:
        given = {**data, "name": item, **getattr(study, SYSTEMS[stage])[item].model_dump()}
        if stage == "user_photos":
            given["specs"] = {name: study.encoders[name].model_dump() for name in given["encoders"]}
        if stage == "recommendation":
            given["weights"] = study.encoders[given["encoder"]].weights
        return given
    retrievals = {name: retrieval.model_dump() for name, retrieval in study.retrievals.items()}
    weights = {name: encoder.weights for name, encoder in study.encoders.items()}
    return {
        **data,
        "retrievals": retrievals,
        "weights": weights,
        "posteriors": {name: encoder.posteriors for name, encoder in study.encoders.items() if encoder.posteriors},
        "concatenations": {name: spec.model_dump() for name, spec in study.concatenations.items()},
        "spaces": study.embedding_space.encoders,
        "chapters": {stage: list(items) for stage, key in SYSTEMS.items() if (items := getattr(study, key))},
        "not_run": study.not_run,
        **study.evaluation.model_dump(),
    }


def _run_stage(stage: str, rest: list[str]) -> None:
    study = params.load()
    items = _items(study, stage)
    item = rest[0] if rest else None
    if items is None and rest:
        raise ValueError(f"{stage} takes no item. Received: {rest}")
    if items is not None and (len(rest) != 1 or item not in items):
        raise ValueError(f"{stage} takes one item of params.yaml. Allowed: {sorted(items)}. Received: {rest}")
    STAGES[stage](study, item)


def _items(study: params.Study, stage: str) -> dict | None:
    return {"weights": study.weights, "feature_extraction": study.encoders, "finetuning": study.finetunes,
            "concatenation": study.concatenations, "knn_retrieval": study.retrievals,
            "embedding_space": {name: name for name in study.embedding_space.encoders},
            **{system: getattr(study, section) for system, section in SYSTEMS.items()}}.get(stage)  # fmt: skip


def _clean_notebooks(study: params.Study, item: None) -> None:
    from pipeline import notebooks

    for name in NOTEBOOKS.values():
        notebooks.clean(paths.ROOT / "notebooks" / f"{name}.ipynb", paths.BUILD / "notebooks" / f"{name}.ipynb")


def _ingest(study: params.Study, item: None) -> None:
    from pipeline.data import catalog

    report = catalog.ingest(study.data)
    lists = [
        "rows_repaired",
        "rows_left_out",
        "rows_without_picture",
        "pictures_unreadable",
        "grey",
        "odd_size",
        "equal_bytes",
    ]
    print(json.dumps({"pictures": report["pictures"], **{name: len(report[name]) for name in lists}}))


def _weights(study: params.Study, item: str) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.encoders import weights

    weights.make(study.weights[item], paths.weights(study.data.name, item))


def _concatenation(study: params.Study, item: str) -> None:
    from pipeline.encoders import concatenation

    concatenation.concatenate(study.data.name, item, study.concatenations[item])


def _embedding_space(study: params.Study, item: str) -> None:
    from pipeline.data import catalog
    from pipeline.encoders import store
    from pipeline.evaluation import space

    data = study.data.name
    space.measure(data, item, store.read(paths.features(data, item)), catalog.load(data), study.embedding_space)


def _report(study: params.Study, item: None) -> None:
    from pipeline.report import pages

    print(pages.render(study).relative_to(paths.ROOT))


def _execute(stage: str) -> Callable[[params.Study, str | None], None]:
    def run(study: params.Study, item: str | None) -> None:
        from pipeline import notebooks

        source = paths.BUILD / "notebooks" / f"{NOTEBOOKS[stage]}.ipynb"
        notebooks.execute(
            source, paths.executed(study.data.name, NOTEBOOKS[stage], item), parameters(study, stage, item)
        )

    return run


def _match_git(environment: dict[str, str]) -> None:
    """DVC needs to be told where there is no git checkout (a downloaded zip), and again once there is one."""
    local = paths.ROOT / ".dvc" / "config.local"
    told = local.exists() and "no_scm" in local.read_text(encoding="utf-8")
    if (paths.ROOT / ".git").exists() == told:
        setting = ["--unset", "core.no_scm"] if told else ["core.no_scm", "true"]
        subprocess.run(
            [sys.executable, "-m", "dvc", "config", "--local", *setting], cwd=paths.ROOT, env=environment, check=True
        )


COMMANDS = {"compose": compose, "repro": repro, "publish": publish}
STAGES = {
    "notebooks": _clean_notebooks, "ingest": _ingest, "weights": _weights,
    **{stage: _execute(stage) for stage in NOTEBOOKS}, "concatenation": _concatenation,
    "embedding_space": _embedding_space, "report": _report,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
