"""Folders that all processes that test share: each is filled once."""

import json
import os
import shutil

from filelock import FileLock


def once(factory, name, make):
    """A folder, and what `make(folder)` said when it filled it.

    One for all processes that test: the first that needs it makes it, others wait.
    """
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    place, note = shared / name, shared / f"{name}.json"
    with FileLock(shared / f"{name}.lock"):
        if not note.exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            note.write_text(json.dumps(make(place)), encoding="utf-8")
    return place, json.loads(note.read_text(encoding="utf-8"))
