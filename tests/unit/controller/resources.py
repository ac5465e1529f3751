"""Resources, Jobs and Pods for the tests of the pure core, as the API server would show them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dbmigrate.api.migration import MigrationResource, parse_migration
from dbmigrate.api.status import MigrationStatus, parse_status
from dbmigrate.controller.decisions import reconcile as decisions
from dbmigrate.controller.decisions.files import SourceFiles
from dbmigrate.controller.decisions.pods import ContainerEnd, Pod
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.controller.decisions.view import Decision, ResourceView
from dbmigrate.controller.writing.status_patch import status_patch
from dbmigrate.report import RETRYABLE, Outcome, Reason, Report, ReportError, Step

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
UID = "11111111-2222-3333-4444-555555555555"
FILES = SourceFiles(digest="one")


def make_migration(
    *, status: MigrationStatus | None = None, generation: int = 1, **spec: Any
) -> MigrationResource:
    body = {
        "metadata": {
            "name": "shop",
            "namespace": "team",
            "uid": UID,
            "generation": generation,
            "creationTimestamp": "2026-11-24T11:00:00Z",
        },
        "spec": {
            "database": {"urlFrom": {"secretKeyRef": {"name": "shop-db", "key": "url"}}},
            "source": {"configMaps": [{"name": "shop-migrations"}]},
            **spec,
        },
    }
    migration = parse_migration(body)
    return migration if status is None else replace(migration, status=status)


def make_run(migration: MigrationResource, **changes: Any) -> JobRun:
    run = JobRun(
        namespace="team",
        name="shop-1",
        uid="job-1",
        migration_uid=UID,
        owner_uid=UID,
        command=RunCommand.GOTO,
        generation=migration.identity.generation,
        intent=migration.spec.intent(FILES.digest),
        attempt=1,
        state=RunState.ACTIVE,
        created_at=NOW - timedelta(seconds=10),
    )
    return replace(run, **changes)


def finished(run: JobRun, state: RunState = RunState.SUCCEEDED, **changes: Any) -> JobRun:
    return replace(run, state=state, finished_at=NOW - timedelta(seconds=1), **changes)


def make_report(**changes: Any) -> Report:
    report = Report(
        command="goto",
        outcome=Outcome.APPLIED,
        version="2",
        dirty=False,
        tool_version="test",
        started_at="2026-11-24T11:59:55Z",
        milliseconds=120,
        target="2",
        pending=0,
        steps=(Step("1", "create_users", "up", 60), Step("2", "add_phone", "up", 60)),
        steps_total=2,
    )
    return replace(report, **changes)


def failure(reason: Reason) -> Report:
    error = ReportError(reason, f"it failed with {reason}", retryable=reason in RETRYABLE)
    unknown = {"version": None, "dirty": None} if reason in RETRYABLE else {"version": "1"}
    return make_report(
        outcome=Outcome.FAILED, steps=(), steps_total=0, error=error, pending=1, **unknown
    )


def make_pod(run: JobRun, report: Report | None = None, **changes: Any) -> Pod:
    pod = Pod(
        namespace="team",
        name=f"{run.name}-x",
        uid=f"pod-of-{run.name}",
        migration_uid=UID,
        job=run.name,
        phase="Running" if run.is_active else run.state.value,
        ended=ended(report.to_json(4096)) if report else None,
    )
    pod = replace(pod, **changes)
    return replace(pod, has_started=pod.phase != "Pending" or pod.ended is not None)


def ended(message: str = "", **changes: Any) -> ContainerEnd:
    return replace(ContainerEnd("dbmigrate", 0, "Completed", message, NOW), **changes)


def look(migration: MigrationResource, *, files: SourceFiles = FILES, **parts: Any) -> ResourceView:
    return ResourceView(migration, files, **parts)


def reconcile(view: ResourceView, now: datetime) -> Decision:
    """The decision, whose status must come out of the store as it was decided."""
    decision = decisions.reconcile(view, now)
    before, wanted = view.migration.status.to_dict(), decision.status.to_dict()
    stored = merge(before, status_patch(before, wanted))
    assert parse_status(stored).to_dict() == wanted
    return decision


def merge(document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """What a JSON merge patch (RFC 7386) makes of a document."""
    merged = dict(document)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            inner = merged.get(key)
            merged[key] = merge(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[key] = value
    return merged
