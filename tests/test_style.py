"""Rules that a machine can hold: who may import whom, docstrings, lengths of functions, and the two environments."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
# From the ground up. A module outside the rooms stands in this list by its name; a new module in a room needs no line.
LEVELS = [
    ["paths", "files", "progress", "vectors", "environment", "machine", "schedule", "warm"],
    ["params"],
    ["scale"],
    ["stages"],
    ["data"],
    ["encoders"],
    ["retrieval"],
    ["evaluation"],
    ["training"],
    ["figures"],
    ["systems"],
    ["claims"],
    ["report"],
    ["site"],
    ["graph", "notebooks", "reproduce", "run", "sources", "matching", "own", "app", "checking"],
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
LONGEST = 30  # lines of a function, its docstring not counted
MODULES = sorted(path for path in (ROOT / "pipeline").rglob("*.py") if path.name != "__init__.py")
ROOMS = sorted(path.parent for path in (ROOT / "pipeline").glob("*/__init__.py"))


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def part_of(module):
    """The room of a module, or the module itself where it stands outside the rooms."""
    return module.split(".")[1]


def imports_of(path):
    """The project's modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports name the whole way"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("pipeline."):
                file = ROOT.joinpath(*name.split("."))
                yield name if file.with_suffix(".py").exists() or file.is_dir() else name.rpartition(".")[0]


def functions_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_what_is_marked_slow_exists():
    tree = ast.parse((ROOT / "tests/conftest.py").read_text(encoding="utf-8"))
    slow = next(
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SLOW"
    )
    for place in ast.literal_eval(slow):
        file, _, name = place.partition("::")
        there = ROOT / "tests" / file
        assert there.exists(), place
        assert not name or f"def {name}" in there.read_text(encoding="utf-8"), place


def test_every_room_and_every_module_outside_one_has_its_level():
    assert {part_of(name_of(path)) for path in MODULES} == set(LEVEL)


def test_the_order_of_the_rooms_is_said_where_the_code_is():
    said = ast.get_docstring(ast.parse((ROOT / "pipeline/__init__.py").read_text(encoding="utf-8")))
    order = re.search(r"From the ground up: (.+?)\. A module", said, re.DOTALL)[1]
    assert [re.findall(r"`(\w+)`", level) for level in order.split(";")] == LEVELS


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_stands_below_it_or_beside_it_in_its_room(path):
    part = part_of(name_of(path))
    for imported in imports_of(path):
        other = part_of(imported)
        beside = LEVEL[other] == LEVEL[part] and part in LEVELS[0] + LEVELS[-1]
        assert other == part or LEVEL[other] < LEVEL[part] or beside, f"{path} imports {imported}"


def test_no_import_leads_in_a_circle():
    graph = {name_of(path): set(imports_of(path)) for path in MODULES}
    graph["pipeline.params"] = set(imports_of(ROOT / "pipeline/params/__init__.py"))
    list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_says_what_it_owns_and_which_rooms_it_imports(room):
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert "\nOwns: " in text
    stated = re.search(r"\nImports: ([a-z, ]+)\.$", text)[1].split(", ")
    used = {part_of(imported) for path in room.glob("*.py") for imported in imports_of(path)} - {room.name}
    assert stated == sorted(used)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_functions_say_what_they_give(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            summary = (ast.get_docstring(node) or "").split("\n\n")[0]
            assert summary.rstrip().endswith((".", ":")) or "." in summary, f"{name_of(path)}.{node.name}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_function_is_short_enough_to_be_read_at_once(path):
    for node in functions_of(path):
        first = node.body[0]
        docstring = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) else 0
        lines = node.end_lineno - node.lineno + 1 - docstring
        assert lines <= LONGEST, f"{name_of(path)}.{node.name} has {lines} lines"


def test_no_line_is_left_unformatted():
    files = [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    mark = "fmt" + ": "
    assert [path.name for path in files if mark in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_documented_arguments_exist(path):
    for node in functions_of(path):
        if "Args:" in (ast.get_docstring(node) or ""):
            section = re.split(r"\n\n|\n(?=\w+:\n)", ast.get_docstring(node).split("Args:\n")[1])[0]
            documented = re.findall(r"^    (\w+):", section, re.MULTILINE)
            arguments = [argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]]
            assert set(documented) <= set(arguments), f"{node.name}: {set(documented) - set(arguments)}"


@pytest.mark.parametrize(
    "module",
    [
        "pipeline.evaluation.metrics",
        "pipeline.params",
        "pipeline.stages",
        "pipeline.claims.registry",
        "pipeline.report.publish",
    ],
)
def test_what_needs_no_network_loads_no_tensorflow(module):
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_parameters_are_light_to_import():
    heavy = {"numpy", "pandas", "sklearn", "numba", "keras", "tensorflow", "faiss"}
    code = f"import sys, pipeline.params, pipeline.stages; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_conda_has_no_library_of_its_own():
    environment = YAML(typ="safe").load((ROOT / "environment.yml").read_text())
    names = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert names == ["python>=3.11,<3.14", "pip"]
    assert pip == ["-r requirements.lock", "-e ."]
    assert project["requires-python"] == ">=3.11,<3.14"


def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert not any("://" in line or line.startswith("-") for line in lines)
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(len(r.specifier) == 1 and next(iter(r.specifier)).operator == "==" for r in requirements)
    return {
        r.name.lower(): next(iter(r.specifier)).version for r in requirements if not r.marker or r.marker.evaluate()
    }


def test_every_python_gets_the_same_version_of_each_package():
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and line[0] != "#"]
    names = [Requirement(line).name.lower() for line in lines]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_lock_pins_everything_within_the_ranges():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = locked()
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["test"], *extras["docs"]]:
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
