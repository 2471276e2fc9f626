"""Executes a notebook through papermill and makes the result byte-stable.

Papermill's API, not its command: only the API can switch off what makes two equal runs differ.
"""

import contextlib
import os
import re
import sys
import threading
from pathlib import Path

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from pipeline import environment, files, paths, progress, warm

KERNEL_ENVIRONMENT = {
    **environment.variables(),
    "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel, not one that the user installed elsewhere
}
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
# TensorFlow's C++ log writes before its level can be set, and with the time in it; LiteRT's has no level to set
LOG_LINE = re.compile(
    r"^(WARNING: All log messages before absl|[IWEF]\d{4} \d\d:\d\d:\d+\.\d+|INFO: Created TensorFlow Lite).*\n?",
    re.MULTILINE,
)


class NotebookError(RuntimeError):
    """A notebook that failed, or was given parameters it does not have."""


class WarmKernels(AsyncKernelManager):
    """Starts kernels as forks of the warm process, which has their libraries loaded."""

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """The kernel's command line, asked of the warm process."""
        python, option, *launcher = super().format_kernel_cmd(extra_arguments)
        return [python, option, warm.MODULE, *launcher]


def execute(source: Path, target: Path, parameters: dict) -> None:
    """Runs `source` with `parameters` and writes the executed copy to `target`, only if every cell succeeded.

    Raises:
        NotebookError: parameters that the notebook lacks or that it needs and were not given; a cell that failed
            (the notebook as far as it came is kept under `build/failed/`); a kernel that died.
    """
    _check_names(source, parameters)
    working = paths.BUILD / "failed" / target.relative_to(paths.ROOT / "outputs")
    working.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _shown_progress(working.with_suffix(".progress")) as environment, _environment(environment):
            options = {"progress_bar": False, "record_timing": False, "coalesce_streams": True, "cwd": str(paths.ROOT)}
            kernels = WarmKernels if warm.ADDRESS in os.environ else AsyncKernelManager
            options |= {"kernel_name": "python3", "kernel_manager_class": kernels}
            options |= {"request_save_on_cell_execute": False, "autosave_cell_every": 0}  # at its end or its fault
            papermill.execute_notebook(str(source), str(working), parameters=parameters, **options)
    except PapermillExecutionError as error:
        raise NotebookError(
            f"{source.name} failed in cell {error.exec_count}: {error.ename}: {error.evalue}\n"
            f"The notebook as far as it came: {working.relative_to(paths.ROOT)}"
        ) from None
    except DeadKernelError:
        raise NotebookError(
            f"the kernel of {source.name} was killed, most likely for want of memory: lower batch_size"
        ) from None
    notebook = normalise(nbformat.read(working, as_version=4), parameters)
    write(notebook, target)
    working.unlink()


def normalise(notebook: nbformat.NotebookNode, parameters: dict) -> nbformat.NotebookNode:
    """The executed notebook without what two equal runs differ in: times, versions, random ids, the machine's paths."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": KERNEL,
            "language_info": {"name": "python"},
            "papermill": {"parameters": parameters},
        }
    )
    _keep_tags(notebook)
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_stable, cell.outputs) if output is not None]
    nbformat.validate(notebook)
    return notebook


def clean(source: Path, target: Path) -> None:
    """A source notebook without outputs, counts and editor's metadata: what the graph depends on."""
    notebook = nbformat.read(source, as_version=4)
    _keep_tags(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    write(notebook, target)


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """A notebook as a whole file."""
    files.write_text(path, nbformat.writes(notebook) + "\n")


def _keep_tags(notebook: nbformat.NotebookNode) -> None:
    """Leaves of each cell's metadata its tags alone."""
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})


def _stable(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    if output.output_type == "stream":
        output.text = _here(LOG_LINE.sub("", output.text))
        return output if output.text else None
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/") and isinstance(value, str):
            output.data[kind] = _here(value)
    return output


def _here(text: str) -> str:
    """Without the places of this checkout and this environment."""
    return text.replace(sys.prefix, "<environment>").replace(f"{paths.ROOT}{os.sep}", "")


def _check_names(source: Path, parameters: dict) -> None:
    known = set(papermill.inspect_notebook(str(source)))
    if unknown := sorted(set(parameters) - known):
        raise NotebookError(
            f"{source.name} has no parameter {unknown}. Allowed: {sorted(known)}. "
            "Its parameters cell and its row of pipeline/stages.py must agree"
        )
    if missing := sorted(known - set(parameters)):
        raise NotebookError(f"{source.name} has the parameters {missing} that params.yaml does not give it")


@contextlib.contextmanager
def _environment(values: dict[str, str]):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@contextlib.contextmanager
def _shown_progress(file: Path):
    """A file that the notebook's progress bars write to, shown here as it grows."""
    file.write_text("", encoding="utf-8")
    done = threading.Event()

    def follow():
        with file.open(encoding="utf-8", errors="replace", newline="") as lines:
            while not done.wait(0.5):
                sys.stderr.write(lines.read())
                sys.stderr.flush()

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield {**KERNEL_ENVIRONMENT, progress.FILE: str(file)}
    finally:
        done.set()
        follower.join()
        file.unlink(missing_ok=True)
