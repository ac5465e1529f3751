"""A MigrationAction is read as the API server sends it, and its status says how it goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dbmigrate.api.action import (
    Action,
    ActionKind,
    ActionPhase,
    dump_action_status,
    parse_action,
    read_action,
)
from dbmigrate.api.fields import SpecError
from dbmigrate.api.migration import Identity, parse_identity, parse_migration
from dbmigrate.api.status import MigrationStatus

pytestmark = pytest.mark.quick

MADE = datetime(2026, 11, 24, 12, tzinfo=UTC)
METADATA = {
    "namespace": "team",
    "name": "again",
    "uid": "u",
    "creationTimestamp": "2026-11-24T12:00:00Z",
}
SPEC = {"migration": "shop", "action": "Retry"}
ACTION = Action("team", "again", "u", MADE, "shop", ActionKind.RETRY)


def body(spec: Any = SPEC, status: Any = None, **metadata: Any) -> dict[str, Any]:
    given = {"metadata": {**METADATA, **metadata}, "spec": spec}
    return given if status is None else {**given, "status": status}


def test_an_order_is_read_with_all_that_it_says() -> None:
    spec = {**SPEC, "version": "3", "planHash": "f" * 12, "reason": "why"}
    assert parse_action(body()) == ACTION
    assert parse_action(body(spec)) == Action(
        "team", "again", "u", MADE, "shop", ActionKind.RETRY, "3", "f" * 12, "why"
    )
    of_set = parse_action(body({"set": "shops", "action": "Continue"}))
    assert (of_set.migration, of_set.kind, of_set.is_for_set) == (
        "shops",
        ActionKind.CONTINUE,
        True,
    )


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (None, "spec.action: is required"),
        ([], "spec: must be an object"),
        ({"migration": "shop"}, "spec.action: is required"),
        ({"action": "Retry"}, "spec: must have exactly one of migration, set"),
        ({**SPEC, "set": "shops"}, "spec: must have exactly one of migration, set"),
        ({**SPEC, "action": "Rerun"}, "spec.action: must be one of Approve, Force"),
        ({**SPEC, "action": "Continue"}, "spec.action: Continue is for a set"),
    ],
)
def test_an_order_that_can_not_be_read_is_kept_with_the_reason(spec: Any, problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        parse_action(body(spec))
    action = read_action(body(spec))
    assert (action.kind, action.migration) == (None, "again")
    assert str(action.problem).startswith(problem)


def test_an_order_with_a_field_of_a_later_schema_is_kept_with_the_reason() -> None:
    action = parse_action(body({**SPEC, "dryRun": True}))
    assert "does not know spec.dryRun" in str(action.problem)
    assert action.kind is ActionKind.RETRY


@pytest.mark.parametrize("phase", ActionPhase)
def test_its_progress_is_read_back_as_it_was_written(phase: ActionPhase) -> None:
    later = MADE + timedelta(minutes=1)
    status = dump_action_status(ACTION, phase, "m" * 2000, now=later)
    has_ended = phase in ("Succeeded", "Failed", "Refused")
    assert status.get("finishedAt") == ("2026-11-24T12:01:00Z" if has_ended else None)
    assert (status["phase"], status["requestedAt"]) == (phase.value, "2026-11-24T12:00:00Z")
    assert len(status["message"]) == 1024
    action = read_action(body(status=status))
    assert (action.phase, action.message) == (phase, status["message"])
    assert (action.has_ended, action.is_acknowledged) == (has_ended, True)


@pytest.mark.parametrize("status", [None, [], {}, {"phase": None, "message": None}])
def test_without_a_phase_nobody_has_looked_at_it(status: Any) -> None:
    action = read_action(body(status=status))
    assert action == ACTION
    assert not action.is_acknowledged
    assert read_action(body(status={"phase": "Later"})).is_acknowledged


def test_an_action_with_an_owner_goes_with_it() -> None:
    assert read_action(body(ownerReferences=[{"uid": "x"}])).is_owned
    assert not read_action(body(ownerReferences=[])).is_owned


def test_a_resource_is_known_by_its_metadata() -> None:
    identity = parse_identity(body(generation=7, deletionTimestamp="2026-11-24T12:00:00Z"))
    assert identity == Identity("team", "again", "u", 7, MADE, is_deleting=True)
    assert parse_identity(body()) == Identity("team", "again", "u", 1, MADE)
    assert parse_identity(body(), kind="Other").owner_reference == {
        "apiVersion": "dbmigrate.dev/v1alpha1",
        "kind": "Other",
        "name": "again",
        "uid": "u",
        "controller": True,
        "blockOwnerDeletion": True,
    }


def test_a_resource_may_have_no_status_yet() -> None:
    spec = {
        "database": {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
        "source": {"configMaps": [{"name": "files"}]},
    }
    assert parse_migration(body(spec)).status == MigrationStatus()
    assert parse_migration(body(spec, {"version": "3"})).status.version == "3"
    with pytest.raises(SpecError, match=r"spec\.database: must have exactly one of"):
        parse_migration(body(None))
