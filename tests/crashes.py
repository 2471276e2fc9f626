"""What a worker of pytest-xdist was doing when it died of a signal, said at the end of the run.

pytest prints it where it happens, thousands of lines above the summary, where whoever sees the end of a log alone does
not find it.
"""

import faulthandler
import shutil
import tempfile
from pathlib import Path

EVERYWHERE = ("_pytest/", "pluggy/", "xdist/", "execnet/", "greenlet/")  # frames that say nothing of a test
NONE = "No stack: it was killed from outside, as where memory is short.\n"
folder: str | None = None  # of the stacks, in the first process
died: list[str] = []


def pytest_configure_node(node):
    """The first process tells each worker where its stacks belong."""
    global folder
    folder = folder or tempfile.mkdtemp(prefix="crashes-")
    node.workerinput["crashes"] = folder


def pytest_sessionstart(session):
    """In a worker: after pytest's own plugin, which would have written to stderr."""
    told = getattr(session.config, "workerinput", None)
    if told:
        session.config.stacks = Path(told["crashes"], told["workerid"]).open("w")  # noqa: SIM115 — open to the end
        faulthandler.enable(session.config.stacks)


def pytest_testnodedown(node, error):
    if error:
        died.append(node.gateway.id)


def pytest_terminal_summary(terminalreporter):
    for worker in died:
        said = Path(folder, worker).read_text(errors="replace") or NONE
        terminalreporter.section(f"the stacks of {worker}, which died")
        kept = [line for line in said.splitlines() if not any(one in line for one in EVERYWHERE)]
        terminalreporter.write("\n".join([*kept, ""]))
    if folder:
        shutil.rmtree(folder)
