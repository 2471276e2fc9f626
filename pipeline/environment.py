"""What every process that computes is started with: kernels that x86-64 processors share, memory kept, no noise.

Libraries choose their kernels by the processor, and sum in another order on another one. Held to AVX2, which such
processors have had since 2013, a newer one need not give other bytes. They are read when a library is loaded or a
process starts, so they cannot be set from within.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

# A newer processor's kernels are off, for oneDNN (TensorFlow), OpenBLAS (NumPy, SciPy), NumPy and Numba.
X86 = {
    "DNNL_MAX_CPU_ISA": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "OPENBLAS_CORETYPE": "Haswell",
    "NUMBA_CPU_NAME": "haswell",
    "NPY_ENABLE_CPU_FEATURES": "X86_V3",
}
# A training step of TensorFlow's sums in another order with another number of threads: one number, whatever the cores.
THREADS = "TF_NUM_INTRAOP_THREADS"
TRAINED_WITH = "2"
# What a person may set to train faster, with other last digits.
CHOSEN = (THREADS, "TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA")
# glibc hands every activation back to the system and takes it anew; kept, a training step takes half the time.
GLIBC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**34)}
# On Windows a process cannot become another one: it would end at once, and who waits for it would go on.
BECOMES = os.name != "nt"
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # read when matplotlib is loaded: before the kernel is
}

_silence = threading.RLock()  # of two threads the later would take the first's silence for what was before


def variables() -> dict[str, str]:
    """The environment variables, for this machine; of TensorFlow's threads and oneDNN, what is already given stays."""
    given = {name: os.environ[name] for name in CHOSEN if name in os.environ}
    kernels, memory = X86 if _has_avx2() else {}, GLIBC if sys.platform == "linux" else {}
    return QUIET | {THREADS: TRAINED_WITH} | kernels | memory | given


@contextmanager
def quiet() -> Iterator[None]:
    """Within it nothing is written to stderr: for libraries that greet whoever loads them.

    A fault shows what was, unless it is a ValueError, whose message says all.
    """
    sys.stderr.flush()
    with _silence, tempfile.TemporaryFile() as kept, os.fdopen(os.dup(2), "wb") as shown:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except ValueError:
            raise
        except BaseException:
            kept.seek(0)
            shutil.copyfileobj(kept, shown)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown.fileno(), 2)


def restart(module: str, arguments: list[str]) -> NoReturn:
    """Goes on as a module in a process that was started with them."""
    command, chosen = [sys.executable, "-m", module, *arguments], {**os.environ, **variables()}
    if not BECOMES:
        sys.exit(subprocess.call(command, env=chosen))
    os.execve(sys.executable, command, chosen)


def hand_over(module: str, error: ModuleNotFoundError) -> NoReturn:
    """Starts a program anew with the Python of the project's own environment, or says which library this one lacks."""
    own = Path(__file__).parents[1] / ".venv" / "bin" / "python"
    if not own.exists() or Path(sys.prefix) == own.parents[1]:
        sys.exit(f"{error} in {sys.executable}. Activate the environment that the study is installed in")
    os.execv(own, [str(own), "-m", module, *sys.argv[1:]])


def is_set() -> bool:
    """Whether this process was started with them."""
    return all(os.environ.get(name) == value for name, value in variables().items())


def _has_avx2() -> bool:
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    processor = Path("/proc/cpuinfo")
    return not processor.exists() or "avx2" in processor.read_text(encoding="utf-8").split()
