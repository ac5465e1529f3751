"""What other programs may import is small, and is all of what the page promises."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import dbmigrate
from dbmigrate import report
from dbmigrate.report import drift, fleet, preparation

pytestmark = pytest.mark.quick

MODULES = (report, drift, fleet, preparation)
PUBLIC = {name for module in MODULES for name in module.__all__}
PAGE = Path(__file__).parents[2] / "docs" / "support.md"


def test_the_package_itself_exports_its_version_alone() -> None:
    assert dbmigrate.__all__ == ["__version__"]
    text = PAGE.read_text()
    assert "`dbmigrate.__version__`" in text
    assert "`dbmigrate.report.__all__`" in text


def test_all_that_a_report_consists_of_is_public() -> None:
    def parts(kind: Any) -> set[str]:
        found = {kind.__name__}
        names: dict[str, Any] = getattr(kind, "lazy_parts", dict)()
        hints = get_type_hints(kind, localns=names) if is_dataclass(kind) else {}
        for hint in hints.values():
            for inner in (hint, *getattr(hint, "__args__", ())):
                is_ours = isinstance(inner, type) and inner.__module__.startswith(report.__name__)
                if is_ours and inner.__name__ not in found:
                    found |= parts(inner)
        return found

    assert {"FleetFailure", "ReportedDifference"} <= parts(report.Report) <= PUBLIC
    assert {each.name for each in fields(report.Report)} >= {"version", "dirty", "error"}


def test_what_is_public_is_there_and_has_a_description() -> None:
    assert len(PUBLIC) == sum(len(module.__all__) for module in MODULES)
    for module in MODULES:
        assert f"`{module.__name__}" in PAGE.read_text()
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, Enum | report.Report | ValueError):
                assert value.__doc__, name
