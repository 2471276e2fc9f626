"""The table of mutants fits the code: each fault can still be put in, and its tests exist."""

import ast
from pathlib import Path

import pytest
from mutants import MUTANTS, chosen

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("module", dict.fromkeys(module for module, _ in MUTANTS))
def test_what_a_mutant_changes_stands_once_in_its_module(module):
    text = (ROOT / module).read_text(encoding="utf-8")
    for mutant in chosen([module]):
        assert text.count(mutant.old) == 1, mutant.what
        changed = text.replace(mutant.old, mutant.new)
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text)), mutant.what


def test_every_room_has_mutants_each_called_otherwise():
    rooms = {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")}
    mutants = chosen()
    assert rooms <= {mutant.module.split("/")[1] for mutant in mutants}
    assert len({(mutant.module, mutant.what) for mutant in mutants}) == len(mutants) >= 64


def test_the_tests_that_must_find_a_mutant_exist():
    for test in {test for mutant in chosen() for test in mutant.tests.split()}:
        file, _, name = test.partition("::")
        assert not name or f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), test
