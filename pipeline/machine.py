"""The machine that a run is made on: what its numbers' last digits may depend on, and its times do."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline import environment

LIBRARIES = ("tensorflow", "keras", "ai-edge-litert", "numpy", "scipy", "scikit-learn", "pandas", "dvc")


def describe() -> dict[str, Any]:
    """Processor, system, cores, Python, the versions of what computes, and the variables it is started with."""
    return {
        "processor": processor(),
        "architecture": platform.machine(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "libraries": {name: version for name in LIBRARIES if (version := _version(name))},
        "variables": environment.variables(),
    }


def processor() -> str:
    """The processor's name, as its system tells it."""
    if (info := Path("/proc/cpuinfo")).exists():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return platform.processor() or "unknown"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
