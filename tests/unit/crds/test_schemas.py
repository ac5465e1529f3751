"""The CRDs as files: small, described to the last field, and one with what the operator reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbmigrate.api.action import ActionKind, ActionPhase
from dbmigrate.api.source import ImageMode, SourceFormat
from dbmigrate.api.spec import Approval, MigrationSpec, parse_spec
from dbmigrate.policies import ChangedFiles, OutOfOrder, Rollback, resource_word
from docs import build_set_schema

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "crds").glob("*.yaml"))
BASIC = {
    "database": {"urlFrom": {"secretKeyRef": {"name": "a", "key": "url"}}},
    "source": {"configMaps": [{"name": "a"}]},
}


def load(path: Path) -> dict[str, Any]:
    crd: dict[str, Any] = yaml.safe_load(path.read_text())
    return crd


def schema_of(name: str) -> dict[str, Any]:
    crd = load(ROOT / "crds" / f"{name}.yaml")
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from walk(schema["items"], f"{path}[]")


def field(schema: dict[str, Any], path: str) -> dict[str, Any]:
    for name in path.split("."):
        schema = schema["properties"][name]
    return schema


def test_there_are_three_kinds() -> None:
    assert [load(path)["spec"]["names"]["kind"] for path in FILES] == [
        "DatabaseMigration",
        "DatabaseMigrationSet",
        "MigrationAction",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_crd_is_below_the_bound_for_plain_kubectl_apply(path: Path) -> None:
    assert path.stat().st_size < 100_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_field_is_described(path: Path) -> None:
    schema = load(path)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    bare = [
        at
        for at, part in walk(schema)
        if not part.get("description") and not (at.endswith("[]") and "tolerations" in at)
    ]
    assert bare == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_list_and_text_of_the_spec_is_bounded(path: Path) -> None:
    spec = load(path)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    unbounded = [
        at
        for at, part in walk(spec)
        if (part.get("type") == "array" and "maxItems" not in part)
        or (part.get("type") == "string" and "maxLength" not in part and "enum" not in part)
    ]
    assert unbounded == []


@pytest.mark.parametrize("name", ["databasemigrations", "databasemigrationsets"])
def test_a_resource_nobody_has_looked_at_is_not_current(name: str) -> None:
    status = schema_of(name)["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("spec.rollback", Rollback),
        ("spec.outOfOrder", OutOfOrder),
        ("spec.changedFiles", ChangedFiles),
        ("spec.approval", Approval),
        ("spec.source.image.mode", ImageMode),
        ("spec.source.format", SourceFormat),
    ],
)
def test_the_schema_and_the_code_know_the_same_words(path: str, words: Any) -> None:
    found = field(schema_of("databasemigrations"), path)
    is_policy = words.__module__ == "dbmigrate.policies"
    assert found["enum"] == [resource_word(word) if is_policy else word.value for word in words]
    assert found["default"] == found["enum"][0]


def test_the_actions_are_those_of_the_code() -> None:
    schema = schema_of("migrationactions")
    assert field(schema, "spec.action")["enum"] == [kind.value for kind in ActionKind]
    phases = field(schema, "status.phase")["description"]
    assert all(phase.value in phases for phase in ActionPhase)


def test_a_set_has_the_fields_of_a_migration() -> None:
    text = build_set_schema.TARGET.read_text()
    remedy = "run python docs/build_set_schema.py, make chart and python docs/build_reference.py"
    assert build_set_schema.build(text) == text, remedy


def apply_defaults(schema: dict[str, Any], value: Any) -> Any:
    """What the API server makes of a value: the schema's defaults filled in."""
    if schema["type"] != "object" or not isinstance(value, dict):
        return value
    filled = dict(value)
    for name, part in schema.get("properties", {}).items():
        if name not in filled and "default" in part:
            filled[name] = part["default"]
        if name in filled:
            filled[name] = apply_defaults(part, filled[name])
    return filled


def test_the_codes_defaults_are_those_of_the_schema() -> None:
    spec = schema_of("databasemigrations")["properties"]["spec"]
    filled = apply_defaults(spec, BASIC)
    assert filled["timeouts"]["lock"] == "15s"
    assert parse_spec(filled) == parse_spec(BASIC)
    assert isinstance(parse_spec(filled), MigrationSpec)


def test_the_example_is_the_guides_migrations() -> None:
    documents = list(yaml.safe_load_all((ROOT / "examples/users-database.yaml").read_text()))
    files = {path.name: path.read_text() for path in (ROOT / "migrations").glob("*.sql")}
    assert [d["data"] for d in documents if d["kind"] == "ConfigMap"] == [files]
