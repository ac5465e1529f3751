"""The verdict on a resource: one reason, one message, and the conditions made from them.

The standing selects kstatus's result: Current, InProgress or Failed. A resource that
waits for a person (suspended, awaiting approval) is neither in progress nor failed:
only its Ready is False.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from dbmigrate.api.conditions import Condition, ConditionType, Truth
from dbmigrate.api.status import MigrationStatus, describe_unfinished


class Standing(Enum):
    """What a resource is doing."""

    READY = "ready"
    IN_PROGRESS = "in progress"
    PAUSED = "paused"
    STALLED = "stalled"
    UNKNOWN = "unknown"


class VerdictReason:
    """Reasons of Ready in addition to the runner's (dbmigrate.report.Reason)."""

    RUNNING = "Running"
    STARTING = "Starting"
    WAITING_FOR_RUN = "WaitingForRun"
    WAITING_FOR_DATABASE = "WaitingForDatabase"
    READING_DATABASE = "ReadingDatabase"
    SECRET_MISSING = "SecretMissing"
    SOURCE_MISSING = "SourceMissing"
    SOURCE_INVALID = "SourceInvalid"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    POD_NOT_STARTING = "PodNotStarting"
    NODE_LOST = "NodeLost"
    JOB_SUSPENDED = "JobSuspended"
    JOB_REJECTED = "JobRejected"
    JOB_NOT_CREATED = "JobNotCreated"
    DATABASE_CONFLICT = "DatabaseConflict"
    SUSPENDED = "Suspended"
    AWAITING_APPROVAL = "AwaitingApproval"
    PLANNING = "Planning"
    INVALID_SPEC = "InvalidSpec"
    UNKNOWN_FIELDS = "UnknownFields"
    DRIFTED = "Drifted"
    UNREACHABLE = "Unreachable"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    ROLLED_BACK = "RolledBack"
    ACTION_RUNNING = "ActionRunning"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The present state of a resource."""

    standing: Standing
    reason: str
    message: str
    stalled_reason: str | None = None
    """Why nothing more is tried, where that is another reason than the failure's own."""


_READY = {Standing.READY: Truth.TRUE, Standing.UNKNOWN: Truth.UNKNOWN}
"""What Ready says; False for all others."""


def ready(reason: str, message: str) -> Verdict:
    """The database is in the desired state."""
    return Verdict(Standing.READY, reason, message)


def in_progress(reason: str, message: str) -> Verdict:
    """Work is in progress, or will be tried again by itself."""
    return Verdict(Standing.IN_PROGRESS, reason, message)


def paused(reason: str, message: str) -> Verdict:
    """It waits for a person, as configured."""
    return Verdict(Standing.PAUSED, reason, message)


def stalled(reason: str, message: str, *, stalled_reason: str | None = None) -> Verdict:
    """Nothing is done until a person acts."""
    return Verdict(Standing.STALLED, reason, message, stalled_reason)


def unknown(reason: str, message: str) -> Verdict:
    """Whether the database still is in the desired state is unknown; the check is retried."""
    return Verdict(Standing.UNKNOWN, reason, message)


def write_conditions(
    verdict: Verdict,
    status: MigrationStatus,
    *,
    generation: int,
    now: datetime,
    approved: bool | None = None,
) -> list[Condition]:
    """The conditions for this verdict and the known state of the database.

    `approved` is None where no approval is needed: then there is no such condition.
    """
    dirty = Condition(ConditionType.DIRTY, *_judge_dirt(status), generation, now)
    return stand_conditions(verdict, dirty, generation=generation, now=now, approved=approved)


def stand_conditions(
    verdict: Verdict,
    dirty: Condition,
    *,
    generation: int,
    now: datetime,
    approved: bool | None = None,
) -> list[Condition]:
    """The conditions for this verdict, with that one about what is dirty."""

    def condition(kind: ConditionType, truth: Truth, reason: str, message: str) -> Condition:
        return Condition(kind, truth, reason, message, generation, now)

    def follow(kind: ConditionType, is_true: bool, reason: str) -> Condition:
        if is_true:
            return condition(kind, Truth.TRUE, reason, verdict.message)
        return condition(kind, Truth.FALSE, verdict.reason, "")

    is_ready = _READY.get(verdict.standing, Truth.FALSE)
    is_in_progress = verdict.standing in {Standing.IN_PROGRESS, Standing.UNKNOWN}
    is_stalled = verdict.standing is Standing.STALLED
    stalled_reason = verdict.stalled_reason or verdict.reason
    consent = []
    if approved is not None:
        words = (Truth.TRUE, "Approved") if approved else (Truth.FALSE, "NotApproved")
        consent = [condition(ConditionType.APPROVED, *words, "")]
    return [
        condition(ConditionType.READY, is_ready, verdict.reason, verdict.message),
        follow(ConditionType.RECONCILING, is_in_progress, verdict.reason),
        follow(ConditionType.STALLED, is_stalled, stalled_reason),
        dirty,
        *consent,
    ]


def _judge_dirt(status: MigrationStatus) -> tuple[Truth, str, str]:
    if status.dirty is None:
        return Truth.UNKNOWN, "NotKnown", "the database has not been asked yet"
    if status.unfinished is not None:
        return Truth.TRUE, "InBatches", describe_unfinished(status.unfinished)
    if status.dirty:
        message = f"version {status.version} was begun and not finished"
        error = status.last_run.error if status.last_run else None
        if error is not None and error.file is not None:
            line = f" line {error.line}" if error.line is not None else ""
            message += f": {error.file}{line}: {error.message}"
        return Truth.TRUE, "Dirty", message
    return Truth.FALSE, "Clean", ""
