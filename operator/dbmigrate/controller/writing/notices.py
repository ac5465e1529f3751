"""Events: one for each transition, and each posted once.

An event's name is derived from its content, so a second operator, or one that
restarts after a crash, cannot post it again while the first one is kept.
"""

from __future__ import annotations

from datetime import datetime

from dbmigrate.api.conditions import Condition, ConditionType, Truth, shorten
from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.status import SetStatus
from dbmigrate.api.migration import Identity
from dbmigrate.api.names import API_VERSION
from dbmigrate.api.status import MigrationStatus
from dbmigrate.api.trial import Trial
from dbmigrate.controller.decisions.verdict import VerdictReason
from dbmigrate.controller.jobs.naming import event_name
from dbmigrate.report import Reason
from dbmigrate.timestamps import format_timestamp

COMPONENT = "dbmigrate-operator"
LINT_REASON = "LintFindings"
CNPG_REASON = "CloudNativePGNotRead"
DATABASE_REASON = "DatabaseChanged"
DRIFT_REASON = "SchemaDrifted"
UNDRIFTED_REASON = "SchemaMatches"
EXPECTED = frozenset(
    {
        VerdictReason.RUNNING,
        VerdictReason.STARTING,
        VerdictReason.WAITING_FOR_RUN,
        VerdictReason.WAITING_FOR_DATABASE,
        VerdictReason.SUSPENDED,
        VerdictReason.READING_DATABASE,
        VerdictReason.PLANNING,
        VerdictReason.AWAITING_APPROVAL,
        VerdictReason.ACTION_RUNNING,
        VerdictReason.ROLLED_BACK,
        "Surveying",
        "Paused",
    }
)
"""Not ready without an error: everything else that is not ready is reported as a warning."""


def has_moved(before: MigrationStatus, after: MigrationStatus) -> bool:
    """Whether there is an event to post: the reason has changed, or the run or drift it is
    about."""
    old, new = before.condition(ConditionType.READY), after.condition(ConditionType.READY)
    if new is None:
        return False
    if old is None or (old.status, old.reason) != (new.status, new.reason):
        return True
    return _subjects(before) != _subjects(after)


def _subjects(status: MigrationStatus) -> tuple[str | None, str | None]:
    """The run and the drift that an event would report."""
    run, check = status.last_run, status.last_check
    return run.job if run else None, check.drift if check else None


def build_event(
    identity: Identity, status: MigrationStatus, *, now: datetime, instance: str
) -> Document | None:
    """The event for the present verdict on a resource."""
    ready = status.condition(ConditionType.READY)
    job = status.last_run.job if status.last_run else ""
    return _build_verdict(identity, ready, job, now=now, instance=instance)


def has_set_moved(before: SetStatus, after: SetStatus) -> bool:
    """Whether there is an event to post of a set: its verdict has changed."""
    old, new = before.condition(ConditionType.READY), after.condition(ConditionType.READY)
    if new is None or old is None:
        return new is not None
    return (old.status, old.reason, old.message) != (new.status, new.reason, new.message)


def build_set_event(
    identity: Identity, status: SetStatus, *, now: datetime, instance: str
) -> Document | None:
    """The event for the present verdict on a set."""
    ready = status.condition(ConditionType.READY)
    attempt = str(status.rollout.attempt) if status.rollout is not None else ""
    return _build_verdict(identity, ready, attempt, now=now, instance=instance)


def _build_verdict(
    identity: Identity, ready: Condition | None, subject: str, *, now: datetime, instance: str
) -> Document | None:
    """`subject`: the run or the rollout that the verdict is about."""
    if ready is None:
        return None
    is_good = ready.status is Truth.TRUE or ready.reason in EXPECTED
    # What comes back after a time without it is reported again: it has another time.
    since = format_timestamp(ready.last_transition_time)
    told = (identity.uid, subject, ready.reason, ready.message, str(identity.generation), since)
    return _build(
        identity, told, ready.reason, ready.message, is_good=is_good, now=now, instance=instance
    )


def build_cnpg_event(identity: Identity, message: str, *, now: datetime, instance: str) -> Document:
    """The event for a run that does not wait for CloudNativePG, once for each generation."""
    told = (identity.uid, CNPG_REASON, str(identity.generation))
    return _build(identity, told, CNPG_REASON, message, is_good=True, now=now, instance=instance)


def build_drift_event(
    identity: Identity,
    before: MigrationStatus,
    after: MigrationStatus,
    *,
    now: datetime,
    instance: str,
) -> Document | None:
    """The event for what a drift check has found newly, or no longer finds; None: no change."""
    old, new = before.drift, after.drift
    condition = after.condition(ConditionType.SCHEMA_DRIFTED)
    if new is None or condition is None or new.checked_at is None:
        return None
    checksum, count = (old.checksum, old.differences_total) if old is not None else (None, 0)
    if checksum == new.checksum or not (new.differences_total or count):
        return None
    reason = DRIFT_REASON if new.differences_total else UNDRIFTED_REASON
    told = (identity.uid, new.job, format_timestamp(new.started_at), reason, condition.message)
    return _build(
        identity,
        told,
        reason,
        condition.message,
        is_good=not new.differences_total,
        now=now,
        instance=instance,
    )


def build_database_event(
    identity: Identity,
    before: MigrationStatus,
    after: MigrationStatus,
    *,
    now: datetime,
    instance: str,
) -> Document | None:
    """The event for a run that was on another database than the runs before it."""
    old, new = before.database, after.database
    if old is None or new is None or old.id == new.id:
        return None
    job = after.last_run.job if after.last_run else ""
    message = (
        f"the run was on another database than those before: {new.id} now, {old.id} before (system"
        " identifier and oid): a restored copy, an upgraded server, or another one"
    )
    told = (identity.uid, job, DATABASE_REASON, message)
    return _build(
        identity, told, DATABASE_REASON, message, is_good=False, now=now, instance=instance
    )


def build_lint_event(
    identity: Identity,
    before: MigrationStatus,
    after: MigrationStatus,
    *,
    now: datetime,
    instance: str,
) -> Document | None:
    """The event for lint's findings in a run that continued, or in a plan."""
    trial = _find_news(before, after)
    if trial is None or not trial.findings_total:
        return None
    count = f"{trial.findings_total} finding{'' if trial.findings_total == 1 else 's'}"
    shown = [f"{each.file}:{each.line} {each.rule}: {each.message}" for each in trial.findings]
    message = shorten(f"{count}: {'; '.join(shown)}")
    job = after.last_run.job if after.last_run else ""
    is_good = all(each.severity != "error" for each in trial.findings)
    told = (identity.uid, job, LINT_REASON, message, str(identity.generation))
    return _build(identity, told, LINT_REASON, message, is_good=is_good, now=now, instance=instance)


def _find_news(before: MigrationStatus, after: MigrationStatus) -> Trial | None:
    """The rehearsal of a run or of a plan that has ended since."""
    run, plan = after.last_run, after.plan
    if plan is not None and (before.plan is None or before.plan.hash != plan.hash):
        return plan.trial
    known = before.last_run
    is_known = known is not None and run is not None and known.job == run.job and known.has_ended
    if run is None or not run.has_ended or is_known:
        return None
    is_told = run.error is not None and run.error.reason is Reason.LINT_REJECTED
    return None if is_told or run.plan is not None else run.trial


def _build(
    identity: Identity,
    told: tuple[str, ...],
    reason: str,
    message: str,
    *,
    is_good: bool,
    now: datetime,
    instance: str,
) -> Document:
    """An event; its name is derived from its content."""
    moment = format_timestamp(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": event_name(identity.name, *told), "namespace": identity.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": identity.kind,
            "name": identity.name,
            "namespace": identity.namespace,
            "uid": identity.uid,
        },
        "type": "Normal" if is_good else "Warning",
        "reason": reason,
        "message": message,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
    }
