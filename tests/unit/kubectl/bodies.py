"""DatabaseMigrations as the API server shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dbmigrate.kubectl.resource import Resource, read_resource
from dbmigrate.kubectl.text.table import Cell

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
BEFORE = "2026-11-24T11:57:00Z"
"""Three minutes ago."""
DATABASE = {"urlFrom": {"secretKeyRef": {"name": "shop-db", "key": "url"}}}
PLAN = {
    "hash": "0123456789ab",
    "intent": "one",
    "createdAt": BEFORE,
    "stepsTotal": 3,
    "steps": [
        {"version": "9", "name": "add_phone", "direction": "up", "excerpt": "ALTER TABLE a\nADD b"},
        {"version": "10", "name": "drop", "direction": "up", "destructive": True},
    ],
}

TRIAL = {
    "findings": [
        {
            "rule": "index-blocks-writes",
            "severity": "error",
            "file": "9_add_phone.up.sql",
            "line": 3,
            "message": "a: CREATE INDEX blocks",
        }
    ],
    "findingsTotal": 3,
    "rehearsal": {"steps": 3, "withoutDown": 1, "milliseconds": 812},
}


def make_condition(kind: str, truth: str, reason: str, message: str = "") -> dict[str, Any]:
    return {
        "type": kind,
        "status": truth,
        "reason": reason,
        "message": message,
        "lastTransitionTime": BEFORE,
    }


def make_body(
    reason: str | None = None,
    message: str = "",
    *,
    truth: str = "False",
    is_stalled: bool = False,
    generation: int = 1,
    spec: dict[str, Any] | None = None,
    **status: Any,
) -> dict[str, Any]:
    """A resource whose Ready has that reason; None: nobody has looked at it."""
    if reason is not None:
        stalled = make_condition("Stalled", str(is_stalled), reason)
        ready = make_condition("Ready", truth, reason, message)
        more = status.pop("conditions", [])
        status = {"observedGeneration": 1, "conditions": [ready, stalled, *more], **status}
    return {
        "metadata": {
            "name": "shop",
            "namespace": "team",
            "uid": "u1",
            "generation": generation,
            "resourceVersion": "5",
            "creationTimestamp": BEFORE,
        },
        "spec": {"database": DATABASE, **(spec or {})},
        "status": status or {"observedGeneration": -1},
    }


def make_resource(*reason: str, **more: Any) -> Resource:
    return read_resource(make_body(*reason, **more))


def text_of(lines: Any) -> str:
    """Lines of cells as they would be printed without colours."""
    return "\n".join("".join(cell.text for cell in line).rstrip() for line in lines)


def cell_texts(row: list[Cell]) -> list[str]:
    return [cell.text for cell in row]
