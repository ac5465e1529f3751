"""What other programs may import is small, and is all of what the page promises."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import dbmigrate
from dbmigrate import report

pytestmark = pytest.mark.quick

PAGE = Path(__file__).parents[2] / "docs" / "support.md"


def test_the_package_itself_exports_its_version_alone() -> None:
    assert dbmigrate.__all__ == ["__version__"]
    text = PAGE.read_text()
    assert "`dbmigrate.__version__`" in text
    assert "`dbmigrate.report.__all__`" in text


def test_all_that_a_report_consists_of_is_public() -> None:
    def parts(kind: Any) -> set[str]:
        found = {kind.__name__}
        for hint in get_type_hints(kind).values() if is_dataclass(kind) else ():
            for inner in (hint, *getattr(hint, "__args__", ())):
                is_ours = isinstance(inner, type) and inner.__module__ == report.__name__
                if is_ours and inner.__name__ not in found:
                    found |= parts(inner)
        return found

    assert parts(report.Report) <= set(report.__all__)
    assert {each.name for each in fields(report.Report)} >= {"version", "dirty", "error"}


def test_what_is_public_is_there_and_has_a_description() -> None:
    assert sorted(set(report.__all__)) == sorted(report.__all__)
    for name in report.__all__:
        value = getattr(report, name)
        if isinstance(value, type) and issubclass(value, Enum | report.Report | ValueError):
            assert value.__doc__, name
