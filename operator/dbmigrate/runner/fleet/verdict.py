"""What became of one target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason, Report, ReportError
from dbmigrate.runner.fleet.target import FleetTarget


class TargetOutcome(StrEnum):
    """Where a target is when a run is done with it."""

    CURRENT = "current"
    """There was nothing to do."""
    MIGRATED = "migrated"
    """It was behind, and is current now."""
    PENDING = "pending"
    """It is behind."""
    FAILED = "failed"
    DIRTY = "dirty"
    UNREACHABLE = "unreachable"
    """It could not be asked."""
    SKIPPED = "skipped"
    """It was not begun, because the run was stopped before."""

    @property
    def is_good(self) -> bool:
        """Whether the target is where it should be."""
        return self in (TargetOutcome.CURRENT, TargetOutcome.MIGRATED)

    @property
    def is_failure(self) -> bool:
        """Whether it counts for the limit of failures."""
        return self in (TargetOutcome.FAILED, TargetOutcome.DIRTY, TargetOutcome.UNREACHABLE)


_UNREACHABLE = frozenset(
    {
        Reason.CONNECTION_REFUSED,
        Reason.HOST_NOT_FOUND,
        Reason.AUTHENTICATION_FAILED,
        Reason.TLS_FAILED,
        Reason.CONNECTION_INVALID,
        Reason.CONNECTION_LOST,
    }
)


_LEFT_ALONE = frozenset({Reason.INTERRUPTED, Reason.ROLLED_BACK, Reason.ALREADY_DONE})
"""It is at another version without an error: for example, a rollback was ordered."""


@dataclass(frozen=True, slots=True)
class TargetVerdict:
    """One target, and where it is."""

    target: FleetTarget
    outcome: TargetOutcome
    version: str | None = None
    """None: nothing is applied, or it is not known."""
    dirty: bool | None = None
    pending: int | None = None
    """Steps; None: not known."""
    steps: int = 0
    """How many were run."""
    milliseconds: int = 0
    error: ReportError | None = None
    note: str = ""
    """What there is to say of it besides."""


def outcome_of_failure(report: Report) -> TargetOutcome:
    """The word for a run that ended with an error."""
    reason = report.error.reason if report.error else Reason.INTERNAL
    if report.dirty or reason is Reason.DIRTY:
        return TargetOutcome.DIRTY
    if reason in _UNREACHABLE:
        return TargetOutcome.UNREACHABLE
    return TargetOutcome.PENDING if reason in _LEFT_ALONE else TargetOutcome.FAILED


def make_verdict(
    target: FleetTarget, report: Report, outcome: TargetOutcome, *, note: str = ""
) -> TargetVerdict:
    """The verdict that a run's report amounts to."""
    return TargetVerdict(
        target,
        outcome,
        version=report.version,
        dirty=report.dirty,
        pending=report.pending,
        steps=report.steps_total,
        milliseconds=report.milliseconds,
        error=report.error,
        note=note,
    )


def failed_before(target: FleetTarget, error: MigrationError) -> TargetVerdict:
    """The verdict of a target on which no run could begin."""
    report = error.to_report()
    is_unreachable = error.reason in _UNREACHABLE
    outcome = TargetOutcome.UNREACHABLE if is_unreachable else TargetOutcome.FAILED
    return TargetVerdict(target, outcome, error=report)
