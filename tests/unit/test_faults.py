"""Each row of docs/faults.md has its tests, by name, and they are where the row says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
USUAL = Path("tests/operator_e2e")
_PLACE = re.compile(r"`(?:[\w/]+\.py|tests/[\w/]+)`")


class Row(NamedTuple):
    """A row of the table."""

    fault: str
    places: tuple[Path, ...]


def rows() -> list[Row]:
    """Those of the page."""
    found = []
    for line in (ROOT / "docs" / "faults.md").read_text().splitlines():
        if not line.startswith("| ") or line.startswith(("| fault |", "| --- |")):
            continue
        fault, _, tests = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        names = [Path(name.strip("`")) for name in _PLACE.findall(tests)]
        places = (name if len(name.parts) > 1 else USUAL / name for name in names)
        found.append(Row(fault, tuple(places)))
    return found


def known() -> dict[str, list[str]]:
    """How each row begins, and the names of its tests."""
    text = (ROOT / "tests" / "fault_tests.txt").read_text()
    blocks = (block.splitlines() for block in text.split("\n\n") if not block.startswith("#"))
    return {first: [name.strip() for name in names] for first, *names in blocks}


@cache
def names_in(place: Path) -> frozenset[str]:
    """The names of the tests in a file or a folder."""
    path = ROOT / place
    return frozenset(name for file in _files(path) for name in _names(file))


def _files(path: Path) -> Iterator[Path]:
    yield from path.rglob("test_*.py") if path.is_dir() else [path]


def _names(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name.removeprefix("test_")


def test_every_row_has_tests_and_every_entry_a_row() -> None:
    beginnings = known()
    assert all(beginnings.values())
    for fault, _ in rows():
        assert sum(fault.startswith(each) for each in beginnings) == 1, fault
    for each in beginnings:
        assert sum(fault.startswith(each) for fault, _ in rows()) == 1, each


def test_the_tests_are_in_the_files_that_the_row_names() -> None:
    for beginning, names in known().items():
        (row,) = [row for row in rows() if row.fault.startswith(beginning)]
        assert row.places, row.fault
        found = {place: names_in(place) for place in row.places}
        for name in names:
            assert any(name in tests for tests in found.values()), (row.fault, name)
        for place, tests in found.items():
            assert not tests.isdisjoint(names), (row.fault, place)
