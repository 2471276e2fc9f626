"""`params.yaml` read and checked, as every stage does before any work.

An error is one line that names the file, the key, what is allowed, what was received and, for a misspelt name, the
nearest known one.
"""

from pathlib import Path

from pipeline import paths
from pipeline.params.references import check_references
from pipeline.params.sections import ParamsError, check, read_yaml
from pipeline.params.study import Study


def load(path: Path = paths.PARAMS) -> Study:
    """Reads and checks a parameter file (YAML 1.2, as DVC reads it: `1e-4` is a number).

    Raises:
        ParamsError: with one line per fault.
    """
    try:
        values = read_yaml(path)
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing. Make it with: python -m pipeline.run compose") from None
    study = check(Study, values, Path(path).name)
    check_references(study, Path(path).name)
    return study
