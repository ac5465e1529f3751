"""Checks: `status` runs that ask whether a migrated database is still as the last run left it.

Between runs anyone may change the database. A check only reports what it finds. The verdict of the
last answer is kept in the status, so it holds while the next check is active and after the Job of
the last one is deleted. A check without an answer changes no verdict; several in a row mean that
the state is unknown.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.conditions import shorten
from dbmigrate.api.last_check import LastCheck
from dbmigrate.api.spec import LATEST, MigrationSpec
from dbmigrate.api.status import LastRun, MigrationStatus
from dbmigrate.api.version import is_same
from dbmigrate.controller.decisions.outcome import learn, read_report
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, follows, in_order
from dbmigrate.controller.decisions.view import ResourceView
from dbmigrate.policies import ChangedFiles
from dbmigrate.report import RETRYABLE, Reason, Report
from dbmigrate.untrusted import plus

UNANSWERED = RETRYABLE | {
    Reason.AUTHENTICATION_FAILED,
    Reason.TLS_FAILED,
    Reason.CONNECTION_INVALID,
    Reason.POOLER_UNSAFE,
    Reason.INTERNAL,
}
"""A check that fails for one of these reasons does not show the database's state."""
LOST_REPORT = "the check succeeded, and its report is gone"


def take_in_checks(status: MigrationStatus, view: ResourceView, now: datetime) -> MigrationStatus:
    """The status with every check since the last run that is not in it yet."""
    last = status.last_run
    if last is None or last.finished_at is None or not last.has_succeeded:
        return status
    for run in in_order(view.runs):
        if run.command is not RunCommand.STATUS or run.is_active:
            continue
        if not follows(run, last.job, last.finished_at) or _is_known(run, status.last_check):
            continue
        status = _take_in(status, last, run, read_report(run, view.pods), view, now)
    return status


def find_last_answer(view: ResourceView, status: MigrationStatus) -> datetime | None:
    """When the database last answered; None: not known."""
    last = status.last_run
    known = [last.finished_at] if last is not None and last.has_succeeded else []
    for run in view.runs:
        report = None if run.is_active else read_report(run, view.pods)
        if report is not None and _why_unanswered(report) is None:
            known.append(run.finished_at)
    return max(filter(None, known), default=None)


def is_at_target(answer: Report, spec: MigrationSpec) -> bool:
    """Whether the database is in the desired state."""
    if answer.dirty is not False:
        return False
    if spec.target == LATEST:
        return not answer.pending
    return is_same(answer.version, spec.target, spec.source_format)


def _is_known(run: JobRun, check: LastCheck | None) -> bool:
    if check is None:
        return False
    return run.created_at < check.started_at or (run.created_at, run.name) == (
        check.started_at,
        check.job,
    )


def _take_in(
    status: MigrationStatus,
    last: LastRun,
    run: JobRun,
    answer: Report | None,
    view: ResourceView,
    now: datetime,
) -> MigrationStatus:
    error = _why_unanswered(answer)
    if answer is None or error is not None:
        before = status.last_check or LastCheck(run.name, run.created_at)
        check = replace(
            before,
            job=run.name,
            started_at=run.created_at,
            unanswered=plus(before.unanswered, 1),
            unanswered_since=before.unanswered_since or run.finished_at or now,
            error=shorten(error or LOST_REPORT),
        )
        return replace(status, last_check=check)
    drift = _describe_drift(answer, last, view)
    found = LastCheck(run.name, run.created_at, shorten(drift)) if drift is not None else None
    return replace(learn(status, answer), last_check=found)


def _why_unanswered(answer: Report | None) -> str | None:
    """Why a check has no answer about the database; None: it has one."""
    if answer is None or answer.error is None or answer.error.reason not in UNANSWERED:
        return None
    return f"{answer.error.reason.value}: {answer.error.message}"


def _describe_drift(answer: Report, last: LastRun, view: ResourceView) -> str | None:
    """What has changed in the database since the last run; None: nothing."""
    if answer.error is not None:
        return f"{answer.error.reason.value}: {answer.error.message}"
    if answer.dirty is None:
        return None
    if answer.dirty:
        return f"version {answer.version} has been left dirty by another tool or person"
    if answer.changed and view.migration.spec.changed_files is ChangedFiles.REJECT:
        return f"edited after they were applied: {', '.join(answer.changed)}"
    if is_at_target(answer, view.migration.spec):
        return None
    if answer.restored is not None:
        return (
            f"the backup {answer.restored} has been restored, and the database is at version"
            f" {answer.version or 'none'}: a MigrationAction with Retry migrates it, another"
            " target keeps it there"
        )
    if answer.version == last.version:
        return f"{answer.pending} migrations are pending"
    return (
        f"the version has been moved from {last.version or 'none'} "
        f"to {answer.version or 'none'} by another tool or person"
    )
