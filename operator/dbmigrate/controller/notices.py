"""Events: one for each transition, and each one told once.

An event's name is made of what it tells, so that a second operator, or one that
comes back after a crash, can't tell it again while the first one is kept.
"""

from __future__ import annotations

from datetime import datetime

from dbmigrate.api.conditions import ConditionType, Truth
from dbmigrate.api.fields import Document
from dbmigrate.api.migration import Identity
from dbmigrate.api.names import API_VERSION, MIGRATION_KIND
from dbmigrate.api.status import MigrationStatus
from dbmigrate.api.timestamps import format_timestamp
from dbmigrate.controller.naming import event_name
from dbmigrate.controller.verdict import VerdictReason

COMPONENT = "dbmigrate-operator"
EXPECTED = frozenset(
    {
        VerdictReason.RUNNING,
        VerdictReason.STARTING,
        VerdictReason.WAITING_FOR_RUN,
        VerdictReason.SUSPENDED,
        VerdictReason.PLANNING,
        VerdictReason.AWAITING_APPROVAL,
    }
)
"""Not ready, and nothing is wrong: everything else that is not ready is told as a warning."""


def has_moved(before: MigrationStatus, after: MigrationStatus) -> bool:
    """Whether there is something to tell: another reason, or the same one for another run."""
    old, new = before.condition(ConditionType.READY), after.condition(ConditionType.READY)
    if new is None:
        return False
    if old is None or (old.status, old.reason) != (new.status, new.reason):
        return True
    jobs = [status.last_run.job if status.last_run else None for status in (before, after)]
    return jobs[0] != jobs[1]


def build_event(
    identity: Identity, status: MigrationStatus, *, now: datetime, instance: str
) -> Document | None:
    """The event for where a resource has come to."""
    ready = status.condition(ConditionType.READY)
    if ready is None:
        return None
    is_good = ready.status is Truth.TRUE or ready.reason in EXPECTED
    moment = format_timestamp(now)
    job = status.last_run.job if status.last_run else ""
    told = (identity.uid, job, ready.reason, ready.message, str(identity.generation))
    name = event_name(identity.name, *told)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": identity.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": MIGRATION_KIND,
            "name": identity.name,
            "namespace": identity.namespace,
            "uid": identity.uid,
        },
        "type": "Normal" if is_good else "Warning",
        "reason": ready.reason,
        "message": ready.message,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
    }
