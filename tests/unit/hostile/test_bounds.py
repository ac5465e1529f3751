"""Every value of the schemas is bounded, and the code's bounds are those of the schema."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from dbmigrate.api.action import parse_action
from dbmigrate.api.fields import SpecError
from dbmigrate.api.fleet.spec import parse_set_spec
from dbmigrate.api.spec import parse_spec
from tests.unit.hostile.schema import Drawer, Schema, either_of, parts_of, schema_of

pytestmark = pytest.mark.quick

KINDS = ("databasemigrations", "databasemigrationsets", "migrationactions")
SCHEMAS = {plural: schema_of(plural) for plural in KINDS}
SOURCE = {"source": {"configMaps": [{"name": "files"}]}}
BASE = {
    "database": {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
    **SOURCE,
    "template": SOURCE,
    "targets": {"query": {"sql": "SELECT 1"}},
}
Path = tuple[str, ...]


@pytest.mark.parametrize("plural", SCHEMAS)
def test_every_value_of_the_spec_and_the_status_is_bounded(plural: str) -> None:
    assert [part for part in parts_of(SCHEMAS[plural]) if not is_bounded(part)] == []


def is_bounded(part: Schema) -> bool:
    if "type" not in part:
        return all(is_bounded(each) for each in either_of(part))
    kind = part["type"]
    if kind == "array":
        return "maxItems" in part
    if kind == "string":
        return "maxLength" in part or "enum" in part or part.get("format") == "date-time"
    if kind == "integer":
        return part.get("format") in {"int32", "int64"}
    is_open = "additionalProperties" in part or "x-kubernetes-preserve-unknown-fields" in part
    return kind == "boolean" or not is_open or "maxProperties" in part


def fields_of(schema: Schema, path: Path = ()) -> Iterator[tuple[Path, Schema]]:
    """All fields, [] for the items of a list and * for the values of a map."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from fields_of(part, (*path, name))
    if "items" in schema:
        yield from fields_of(schema["items"], (*path, "[]"))
    if "additionalProperties" in schema:
        yield from fields_of(schema["additionalProperties"], (*path, "*"))


def excesses(part: Schema) -> Iterator[Any]:
    """Values that are just beyond a bound, or of another type."""
    if "type" not in part:
        yield from ("x", -1, part["maximum"] + 1, True, [], "9" * 17, "101%")
        return
    kind = part["type"]
    yield 7 if kind in {"string", "object", "boolean"} else "7"
    if "enum" in part:
        yield "Other"
    elif kind == "string":
        yield "9" * (part["maxLength"] + 1)
    elif kind == "integer":
        yield from (part["minimum"] - 1, part["maximum"] + 1)
    elif kind == "array":
        drawer = Drawer(Random(1))
        yield [drawer.value(part["items"]) for _ in range(part["maxItems"] + 1)]
    elif "additionalProperties" in part:
        yield {f"{number}_a.up.sql": "x" for number in range(part["maxProperties"] + 1)}


def put(schema: Schema, path: Path, value: Any) -> Any:
    """The value at its place, with what its neighbours must have."""
    if not path:
        return value
    name, *others = path
    if name == "[]":
        return [put(schema["items"], tuple(others), value)]
    if name == "*":
        return {"a": put(schema["additionalProperties"], tuple(others), value)}
    drawer, parts = Drawer(Random(1)), schema["properties"]
    needed = {n: drawer.value(parts[n]) for n in schema.get("required", ()) if n != name}
    return {**needed, name: put(parts[name], tuple(others), value)}


@pytest.mark.parametrize("plural", SCHEMAS)
def test_the_code_refuses_what_is_beyond_a_bound_of_the_schema(plural: str) -> None:
    spec = SCHEMAS[plural]["properties"]["spec"]
    seen = 0
    for path, part in fields_of(spec):
        for value in excesses(part):
            body = {**BASE, **put(spec, path, value)} if path else value
            with pytest.raises(SpecError):
                parse(plural, body)
            seen += 1
    assert seen > 10


def extremes(part: Schema) -> Iterator[Any]:
    """The values at the bounds of a number, and the largest map."""
    if part.get("type") == "integer":
        yield from (part["minimum"], part["maximum"])
    elif "additionalProperties" in part:
        item = Drawer(Random(1)).value(part["additionalProperties"])
        yield {f"{number}_a.up.sql": item for number in range(part["maxProperties"])}


@pytest.mark.parametrize("plural", SCHEMAS)
def test_the_code_takes_what_is_at_a_bound_of_the_schema(plural: str) -> None:
    spec = SCHEMAS[plural]["properties"]["spec"]
    for path, part in fields_of(spec):
        for value in extremes(part):
            others = {name: each for name, each in BASE.items() if name != path[0]}
            name = "".join({"[]": "[0]", "*": "[a]"}.get(each, f".{each}") for each in path)
            assert complaint(plural, {**put(spec, path, value), **others}) != f"spec{name}", value


def complaint(plural: str, spec: Any) -> str | None:
    """The path of the first invalid field."""
    try:
        parse(plural, spec)
    except SpecError as problem:
        return problem.path
    return None


def parse(plural: str, spec: Any) -> None:
    if plural == "databasemigrations":
        parse_spec(spec)
    elif plural == "databasemigrationsets":
        parse_set_spec(spec)
    else:
        metadata = {"name": "a", "namespace": "b", "uid": "c", "creationTimestamp": "2026-11-24"}
        parse_action({"metadata": metadata, "spec": spec})
