"""Rules that a machine can hold: who may import whom, docstrings, file lengths, and the two environments."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
ROOMS = {
    "": ["paths", "sections", "networks", "finetuning_params", "systems_params", "params", "progress"],
    "data": ["sample", "sources", "images", "boxes", "photos", "catalog", "user_photos", "cropper"],
    "encoders": ["efficientnet_lite", "small_cnn", "backbones", "weights", "store", "extract", "concatenation"],
    "training": ["losses", "layers", "augment", "batches", "objective", "checkpoint", "fit"],
    "retrieval": ["distances", "index", "indexes", "index_study", "expansion", "text", "panel"],
    "evaluation": [
        "metrics",
        "statistics",
        "thresholds",
        "protocols",
        "validation",
        "separation",
        "space",
        "mistakes",
        "facts",
        "study",
        "finetunes",
        "measurements",
        "claims",
        "systems",
        "hybrid",
        "recommendation",
        "user_photos",
    ],
    "report": ["plots", "study_plots", "system_plots", "pages"],
    "site": ["products", "stock", "encoders", "site", "service"],
}
ORDER = [f"pipeline.{room}.{module}".replace("..", ".") for room, modules in ROOMS.items() for module in modules]
ACROSS = ["pipeline.notebooks", "pipeline.run", "pipeline.app"]  # these may import any room
MODULES = sorted(path for path in (ROOT / "pipeline").rglob("*.py") if path.name != "__init__.py")


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_its_place():
    assert sorted(map(name_of, MODULES)) == sorted([*ORDER, *ACROSS])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_stands_above_it(path):
    name = name_of(path)
    above = [*ORDER, *ACROSS[: ACROSS.index(name)]] if name in ACROSS else ORDER[: ORDER.index(name)]
    for imported in imports_of(path):
        inside = [module for module in [*ORDER, *ACROSS] if imported == module or imported.startswith(f"{module}.")]
        assert all(module in above for module in inside), f"{name} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_functions_say_what_they_give_and_files_stay_readable(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    assert len(text.splitlines()) <= 300
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            summary = (ast.get_docstring(node) or "").split("\n\n")[0]
            assert summary.rstrip().endswith((".", ":")) or "." in summary, f"{name_of(path)}.{node.name}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_documented_arguments_exist(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and "Args:" in (ast.get_docstring(node) or ""):
            section = re.split(r"\n\n|\n(?=\w+:\n)", ast.get_docstring(node).split("Args:\n")[1])[0]
            documented = re.findall(r"^    (\w+):", section, re.MULTILINE)
            arguments = [argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]]
            assert set(documented) <= set(arguments), f"{node.name}: {set(documented) - set(arguments)}"


def test_metrics_do_not_load_tensorflow():
    import subprocess
    import sys

    code = "import sys, pipeline.evaluation.metrics; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_conda_has_no_library_of_its_own():
    environment = YAML(typ="safe").load((ROOT / "environment.yml").read_text())
    names = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert names == ["python=3.11", "pip"]
    assert pip == ["-r requirements.lock", "-e ."]
    assert project["requires-python"] == ">=3.11,<3.12"


def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert not any("://" in line or line.startswith("-") for line in lines)
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(len(r.specifier) == 1 and next(iter(r.specifier)).operator == "==" for r in requirements)
    return {
        r.name.lower(): next(iter(r.specifier)).version for r in requirements if not r.marker or r.marker.evaluate()
    }


def test_the_lock_pins_everything_within_the_ranges():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = locked()
    for text in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        requirement = Requirement(text)
        name = requirement.name.lower().replace(".", "-").replace("_", "-")
        assert name in pins, f"{name} is not locked"
        assert requirement.specifier.contains(pins[name]), f"{name} {pins[name]} is outside {requirement.specifier}"


def test_what_is_installed_is_what_is_locked():
    from importlib.metadata import distributions

    installed = {d.metadata["Name"].lower().replace("_", "-").replace(".", "-"): d.version for d in distributions()}
    differing = {
        name: (pin, installed[name]) for name, pin in locked().items() if name in installed and installed[name] != pin
    }
    assert not differing


def test_no_secret_or_machine_is_named_in_tracked_text():
    import subprocess

    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".yaml", ".yml", ".toml", ".ipynb", ".lock", ".json") and path.exists():
            text = path.read_text(encoding="utf-8")
            if path != Path(__file__):
                assert not re.search(r"KAGGLE_KEY\s*=|/work/|/root/", text), name
