"""What may be changed in the custom resources from one release to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dbmigrate.api.names import DEFINITIONS
from dbmigrate.controller.definitions.install import schema_of
from tests.upgrade.release import ROOT, Release

FILES = [f"crds/{name.partition('.')[0]}.yaml" for name in DEFINITIONS]

HARMLESS = {".spec.history.actions"}
"""New since 0.1.0, which ignores what it does not know."""


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field by its path."""
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part
        yield from fields(part, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from fields(schema["items"], f"{path}[]")


def schema_fields(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (version,) = definition["spec"]["versions"]
    return dict(fields(version["schema"]["openAPIV3Schema"]))


@pytest.mark.parametrize("file", FILES)
def test_another_schema_has_another_number_and_a_new_field_no_default(
    file: str, previous: Release
) -> None:
    """A default would be set in every resource, and an older operator would work on none."""
    if not previous.has(file):
        return  # no older operator reads a kind that is new
    before = yaml.safe_load(previous.read(file))
    now = yaml.safe_load((ROOT / file).read_text())
    old, new = schema_fields(before), schema_fields(now)
    added = {path for path in new if path not in old}
    if added:
        assert schema_of(now) > schema_of(before)
    assert {path for path in added if "default" in new[path]} <= HARMLESS
    assert [path for path in old if path not in new and path.startswith(".spec")] == []
