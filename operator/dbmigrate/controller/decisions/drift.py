"""Drift checks: Jobs that compare the live schema with the one that the migrations make.

A check only reads, and decides nothing but its own condition. It is made while the resource is
Ready: after each run, and once every interval from then on. It holds up no run; where one is
wanted, the check's Job is deleted, and its answer would be out of date anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dbmigrate.api.conditions import Condition, ConditionType, Truth, shorten
from dbmigrate.api.drift import DriftStatus, SchemaDrift
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.decisions.backoff import ENVIRONMENT, hash_fraction, retry_delay
from dbmigrate.controller.decisions.outcome import read_report
from dbmigrate.controller.decisions.progress import describe_progress, next_look
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, in_order
from dbmigrate.controller.decisions.verdict import Standing
from dbmigrate.controller.decisions.view import (
    Conclusion,
    ResourceView,
    has_other_settings,
)
from dbmigrate.controller.jobs.body import RunOrder
from dbmigrate.report import Reason, Report
from dbmigrate.untrusted import plus

SETTLE = timedelta(seconds=10)
"""The least time from the last Job of any kind to a check, so that a check which is deleted again
and again is not created in a loop."""
_WITHOUT_VERSION = (
    "which version of PostgreSQL the database has is not known, and the scratch server has to have"
    " the same: spec.job.image names a runner that does not tell it"
)
_NOT_YET = "not checked yet: a check is made while Ready is True"
_LOST = "the check succeeded, and its report is gone"


@dataclass(frozen=True, slots=True)
class DriftChecks:
    """The checks of a resource, without its other runs."""

    runs: tuple[JobRun, ...]
    intent: str
    """What a check has to answer now."""

    @property
    def active(self) -> JobRun | None:
        """The one that answers it, and is at work."""
        return next((r for r in self.runs if r.is_active and r.intent == self.intent), None)

    @property
    def newest(self) -> JobRun | None:
        """The last one that was made for it."""
        return next((r for r in reversed(in_order(self.runs)) if r.intent == self.intent), None)


def split_off(view: ResourceView) -> tuple[ResourceView, tuple[JobRun, ...]]:
    """The view without drift checks, which other decisions ignore, and the checks."""
    checks = tuple(run for run in view.runs if run.command is RunCommand.DRIFT)
    others = tuple(run for run in view.runs if run.command is not RunCommand.DRIFT)
    return replace(view, runs=others), checks


def find_checks(
    view: ResourceView, runs: tuple[JobRun, ...], status: MigrationStatus, intent: str
) -> DriftChecks:
    """The checks, and what they have to answer in this state."""
    job = status.last_run.job if status.last_run is not None else ""
    return DriftChecks(runs, view.migration.spec.drift.intent(intent, job))


def take_in_drift(
    status: MigrationStatus, view: ResourceView, checks: DriftChecks, now: datetime
) -> MigrationStatus:
    """The status with the newest check that has ended and still answers the question."""
    if view.migration.spec.drift.schema is SchemaDrift.OFF:
        return replace(status, drift=None)
    run = checks.newest
    if run is None or run.is_active or run.is_deleting:
        return status
    known = status.drift
    if known is not None and _is_known(run, known):
        return status
    report = read_report(run, view.pods)
    version = report.server_version if report is not None else None
    status = replace(status, server_version=version or status.server_version)
    return replace(status, drift=_record(known, run, report, now))


def _is_known(run: JobRun, known: DriftStatus) -> bool:
    """The same name may be used again after its Job is deleted."""
    made = (run.created_at, run.name)
    return run.created_at < known.started_at or made == (known.started_at, known.job)


def _record(
    known: DriftStatus | None, run: JobRun, report: Report | None, now: datetime
) -> DriftStatus:
    before = known or DriftStatus(run.name, run.created_at, run.intent)
    asked = replace(before, job=run.name, started_at=run.created_at, intent=run.intent)
    drift = report.drift if report is not None and report.error is None else None
    if drift is not None and report is not None:
        return replace(
            asked,
            checked_at=run.finished_at or now,
            version=report.version,
            differences_total=drift.differences_total,
            checksum=drift.checksum,
            differences=drift.differences,
            unanswered=0,
            reason=None,
            error=None,
            retryable=False,
        )
    error = report.error if report is not None else None
    return replace(
        asked,
        unanswered=plus(before.unanswered, 1),
        reason=error.reason.value if error is not None else Reason.INTERRUPTED.value,
        error=shorten(error.message if error is not None else _LOST),
        retryable=error is None or error.retryable,
    )


def order_check(
    view: ResourceView,
    status: MigrationStatus,
    checks: DriftChecks,
    step: Conclusion,
    now: datetime,
) -> Conclusion:
    """The step with a check, if one is due and nothing else has to be done."""
    if not _may_check(view, step):
        return step
    if checks.active is not None:
        return _look_at(step, next_look(checks.active, view.pods, now))
    due = _find_due(view, status, checks, now)
    if due is None or not status.server_version:
        return step
    if view.rejection is not None:
        return _look_at(step, view.rejection.retry_at)
    if now < due:
        return _look_at(step, due)
    newest, generation = checks.newest, view.migration.identity.generation
    order = RunOrder(
        RunCommand.DRIFT,
        checks.intent,
        plus(newest.attempt, 1) if newest is not None else 1,
        generation,
        rehearsed_on=status.server_version.partition(".")[0],
    )
    return replace(step, order=order)


def _may_check(view: ResourceView, step: Conclusion) -> bool:
    spec = view.migration.spec
    is_idle = step.order is None and not any(run.is_active for run in view.runs)
    is_ready = step.verdict.standing is Standing.READY
    return spec.drift.schema is not SchemaDrift.OFF and is_idle and is_ready and not spec.suspend


def _look_at(step: Conclusion, moment: datetime | None) -> Conclusion:
    return replace(step, look_at=min(filter(None, (step.look_at, moment)), default=None))


def _find_due(
    view: ResourceView, status: MigrationStatus, checks: DriftChecks, now: datetime
) -> datetime | None:
    """When the next check is to be made; None: not before the next run."""
    known, uid = status.drift, view.migration.identity.uid
    settled = view.ordered_at + SETTLE if view.ordered_at is not None else now
    if known is None or known.intent != checks.intent:
        return settled
    interval = view.migration.spec.drift.interval
    if known.unanswered and known.retryable:
        delay = retry_delay(ENVIRONMENT, attempt=known.unanswered, seed=uid)
        return max(settled, known.started_at + delay)
    if interval is None:
        return None
    # Those that fell due while no operator was running are spread out.
    jitter = hash_fraction(uid)
    due = known.started_at + interval * (1 + 0.1 * jitter)
    return max(settled, due, view.resync.since + interval * jitter)


def choose_given_up(
    view: ResourceView, checks: DriftChecks, step: Conclusion, now: datetime
) -> tuple[str, ...]:
    """The checks to delete: those that delay a run, are out of date, or are evaluated."""
    spec = view.migration.spec
    has_work = any(run.is_active and run.command is not RunCommand.STATUS for run in view.runs)
    order = step.order
    if order is not None and order.command not in {RunCommand.STATUS, RunCommand.DRIFT}:
        has_work = True
    is_off = spec.drift.schema is SchemaDrift.OFF or spec.suspend
    newest = checks.newest
    return tuple(
        run.name
        for run in checks.runs
        if not run.is_deleting
        and (
            (run.is_active and (has_work or is_off or run.intent != checks.intent))
            or (not run.is_active and (run is not newest or is_off))
            or run.is_leftover(now)
            or has_other_settings(run, view)
        )
    )


def judge_drift(
    view: ResourceView, status: MigrationStatus, checks: DriftChecks, now: datetime
) -> Condition | None:
    """The condition; None: the schemas are not compared."""
    if view.migration.spec.drift.schema is SchemaDrift.OFF:
        return None
    generation = view.migration.identity.generation
    truth, reason, message = _judge(view, status, checks, now)
    return Condition(ConditionType.SCHEMA_DRIFTED, truth, reason, message, generation, now)


def _judge(
    view: ResourceView, status: MigrationStatus, checks: DriftChecks, now: datetime
) -> tuple[Truth, str, str]:
    known = status.drift
    if known is not None and known.error is not None:
        is_passing = known.retryable and known.unanswered < view.resync.unreachable_after
        if known.checked_at is None or not is_passing:
            return Truth.UNKNOWN, known.reason or "", known.error
    if known is not None and known.checked_at is not None:
        if known.differences_total:
            return Truth.TRUE, "SchemaDiffers", describe_differences(known)
        text = f"the schema is what the migrations up to {known.version or 'none'} make"
        return Truth.FALSE, "SchemaMatches", text
    if checks.active is not None:
        progress = describe_progress(checks.active, view.pods, view.troubles, now)
        return Truth.UNKNOWN, progress.reason, progress.message
    if view.rejection is not None:
        return Truth.UNKNOWN, view.rejection.reason, view.rejection.message
    if status.last_run is not None and status.last_run.has_succeeded and not status.server_version:
        return Truth.UNKNOWN, Reason.INTERNAL.value, _WITHOUT_VERSION
    return Truth.UNKNOWN, "NotChecked", _NOT_YET


def describe_differences(known: DriftStatus) -> str:
    """How many there are, and the first ones."""
    count = known.differences_total
    noun = "object differs" if count == 1 else "objects differ"
    shown = "; ".join(str(each) for each in known.differences)
    more = f"; and {count - len(known.differences)} more" if count > len(known.differences) else ""
    text = f"{count} {noun} from what the migrations up to {known.version or 'none'} make"
    return f"{text}: {shown}{more}" if shown else text
