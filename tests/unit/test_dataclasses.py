"""Data does not change after it is read: dataclasses are frozen, and have slots."""

from __future__ import annotations

import ast
from pathlib import Path

import dbmigrate

ROOT = Path(dbmigrate.__file__).parent

# State that is collected while something is read or counted, private to its module or its caller.
MUTABLE = {
    "FailureGroup",
    "Ignore",
    "Lane",
    "World",
    "_Check",
    "_Group",
    "_Ledger",
    "_Reading",
    "_Table",
}
# functools.cached_property keeps its values in the instance's dictionary.
WITHOUT_SLOTS = {
    "FlywayRows",
    "GooseTranslation",
    "Lane",
    "Revisions",
    "Schema",
    "Settings",
    "Source",
    "VersionSet",
}


def test_dataclasses_are_frozen_and_have_slots() -> None:
    not_frozen, without_slots = set(), set()
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if not isinstance(node, ast.ClassDef):
                continue
            for decorator in node.decorator_list:
                call = decorator.func if isinstance(decorator, ast.Call) else decorator
                if not isinstance(call, ast.Name) or call.id != "dataclass":
                    continue
                keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
                true = {each.arg for each in keywords if ast.unparse(each.value) == "True"}
                if "frozen" not in true:
                    not_frozen.add(node.name)
                if "slots" not in true:
                    without_slots.add(node.name)
    assert not_frozen == MUTABLE
    assert without_slots == WITHOUT_SLOTS
