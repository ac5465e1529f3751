"""Imports run in no circle, wherever in a module they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import grimp
import pytest

pytestmark = pytest.mark.quick


def circles(imports: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """The strongly connected components of more than one module, by Tarjan's algorithm."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(module: str) -> Iterator[list[str]]:
        index[module] = low[module] = len(index)
        stack.append(module)
        for imported in imports[module]:
            if imported not in index:
                yield from visit(imported)
                low[module] = min(low[module], low[imported])
            elif imported in stack:
                low[module] = min(low[module], index[imported])
        if low[module] == index[module]:
            at = stack.index(module)
            component = stack[at:]
            del stack[at:]
            if len(component) > 1:
                yield sorted(component)

    for module in imports:
        if module not in index:
            yield from visit(module)


def test_a_circle_is_found() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str]()}
    assert list(circles(imports)) == [["b", "c"]]


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = grimp.build_graph("dbmigrate", cache_dir=None)
    imports = {
        module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules
    }
    assert len(imports) > 300
    assert list(circles(imports)) == []
