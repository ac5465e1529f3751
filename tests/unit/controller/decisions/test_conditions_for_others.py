"""What others make of our conditions: Argo CD's health script, and kstatus (Helm 4, Flux)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import lupa
import pytest

from dbmigrate.api.last_check import LastCheck
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.decisions.runs import RunState
from dbmigrate.controller.decisions.view import ResourceView
from dbmigrate.report import Reason
from tests.unit.controller.resources import (
    NOW,
    failure,
    finished,
    look,
    make_migration,
    make_pod,
    make_report,
    make_run,
    reconcile,
)

pytestmark = pytest.mark.quick

SCRIPT = Path(__file__).parents[4] / "deploy" / "argocd" / "health.lua"


def ended(migration: MigrationResource, reason: Reason | None) -> ResourceView:
    state = RunState.SUCCEEDED if reason is None else RunState.FAILED
    run = finished(make_run(migration), state)
    report = make_report() if reason is None else failure(reason)
    return look(migration, runs=(run,), pods=(make_pod(run, report),))


def running(migration: MigrationResource) -> ResourceView:
    return look(migration, runs=(make_run(migration),))


def unreachable(migration: MigrationResource) -> ResourceView:
    """Migrated, and three checks in a row had no answer."""
    status = reconcile(ended(migration, None), NOW).status
    check = LastCheck("check", NOW, unanswered=3, unanswered_since=NOW, error="no answer")
    return look(replace(migration, status=replace(status, last_check=check)))


PLAIN, PAUSED = make_migration(), make_migration(suspend=True)
CASES = [
    ("ready", ended(PLAIN, None), "Healthy", "Current"),
    ("running", running(PLAIN), "Progressing", "InProgress"),
    ("retrying", ended(PLAIN, Reason.CONNECTION_REFUSED), "Progressing", "InProgress"),
    ("broken", ended(PLAIN, Reason.STATEMENT_FAILED), "Degraded", "Failed"),
    ("suspended", look(PAUSED), "Suspended", "InProgress"),
    ("unreachable", unreachable(PLAIN), "Progressing", "InProgress"),
]


def body_of(status: MigrationStatus, *, generation: int = 1) -> dict[str, Any]:
    return {"metadata": {"generation": generation}, "status": status.to_dict()}


def argo_health(body: dict[str, Any]) -> str:
    lua = lupa.LuaRuntime()
    lua.globals().obj = lua.table_from(body, recursive=True)
    return str(lua.execute(SCRIPT.read_text()).status)


def kstatus(body: dict[str, Any]) -> str:
    """cli-utils' rules for a custom resource, pkg/kstatus/status/generic.go and status.go."""
    status = body["status"]
    if status["observedGeneration"] != body["metadata"]["generation"]:
        return "InProgress"
    conditions = {c["type"]: c["status"] for c in status["conditions"]}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready") == "True" else "InProgress"


@pytest.mark.parametrize(("name", "view", "argo", "kstatus_says"), CASES, ids=[c[0] for c in CASES])
def test_others_read_our_conditions_as_they_are_meant(
    name: str, view: ResourceView, argo: str, kstatus_says: str
) -> None:
    body = body_of(reconcile(view, NOW).status)
    assert (argo_health(body), kstatus(body)) == (argo, kstatus_says), name


def test_a_status_of_an_older_generation_is_no_answer() -> None:
    body = body_of(reconcile(ended(PLAIN, None), NOW).status, generation=2)
    assert (argo_health(body), kstatus(body)) == ("Progressing", "InProgress")


def test_a_resource_that_nobody_has_looked_at_is_on_its_way() -> None:
    body = {"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}
    assert argo_health(body) == "Progressing"
    assert argo_health({"metadata": {"generation": 1}}) == "Progressing"
    leaving = {"metadata": {"generation": 1, "deletionTimestamp": "now"}}
    assert argo_health(leaving) == "Progressing"
