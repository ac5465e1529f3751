"""Hashes that are written into statuses and Jobs stay as they are: an update runs nothing again."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.api.drift import DriftOptions
from dbmigrate.api.fleet.spec import parse_set_spec
from dbmigrate.api.spec import parse_spec

pytestmark = pytest.mark.quick

URL = {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}
MAPS = {"configMaps": [{"name": "files"}]}
CONNECTION = {"connection": {"host": "h", "dbname": "d", "userFrom": URL["urlFrom"]}}
IMAGE = {"image": {"reference": "app:1", "path": "/sql"}}
CLAIM = {"persistentVolumeClaim": {"claimName": "c"}}
INLINE = {"inline": {"1_a.up.sql": "SELECT 1"}}


@pytest.mark.parametrize(
    ("spec", "intent"),
    [
        ({}, "b9946bd60a242b46ae75"),
        ({"database": CONNECTION}, "9d39a3b19d76e51b7eb6"),
        ({"database": {"cnpg": {"cluster": "pg"}}}, "09afb41ed08222179b85"),
        ({"source": IMAGE}, "9c8b6c44ac3a0a3cb8ab"),
        ({"source": CLAIM}, "dcd1b2836a438cea7320"),
        ({"source": INLINE}, "56ef152a0559cad1e930"),
        ({"source": {**MAPS, "format": "goose"}}, "a1515dbe5cb2bc008271"),
        ({"target": "3", "rollback": "Allow", "outOfOrder": "Apply"}, "1c96a49c37c2f6673333"),
    ],
)
def test_the_intent_of_a_resource(spec: dict[str, Any], intent: str) -> None:
    assert parse_spec({"database": URL, "source": MAPS, **spec}).intent("content") == intent


def test_the_intent_of_a_set() -> None:
    given = {"template": {"source": MAPS}, "database": URL, "targets": {"items": [{"name": "a"}]}}
    assert parse_set_spec(given).intent("content") == "af94f18fa17b8b76207a"


def test_the_database_of_a_resource() -> None:
    database = parse_spec({"database": URL, "source": MAPS}).database
    assert database.identity == "830bd1b9f3a83a8eab0f"
    assert database.checksum == ("8370340d4484c79ce27d6d8519ef7d32c6c5b133ec47512b15f01346b24a8636")


def test_the_question_of_a_drift_check() -> None:
    assert DriftOptions(ignore=("a.*",)).intent("content", "job") == "127368b1590e079077b6"
