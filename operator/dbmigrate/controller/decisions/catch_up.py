"""Bringing the status up to what the runs have to tell.

The status may be behind: a write was lost, the operator was killed between a
Job's end and its record, or the cluster's store was put back to an older state.
Whatever Jobs are there are taken in the order in which they were made, each one
once; what is recorded already is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dbmigrate.api.spec import LATEST, MigrationSpec
from dbmigrate.api.status import LastRun, MigrationStatus
from dbmigrate.api.version import is_same
from dbmigrate.controller.decisions.outcome import (
    begin_run,
    end_run,
    failed_report,
    learn,
    parse_message,
    read_report,
)
from dbmigrate.controller.decisions.runs import MOVING, JobRun, Pod, RunCommand
from dbmigrate.controller.decisions.view import ResourceView
from dbmigrate.report import Outcome, Reason, Report, ReportError


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The status as it should have been written, and what is still open."""

    status: MigrationStatus
    rests_on_absence: bool = False
    orphan: Pod | None = None
    """A Pod that is still at work although its Job has been deleted."""
    unread: JobRun | None = None
    """A Job that succeeded and whose report is gone: the database must be asked."""
    asking: JobRun | None = None
    """The `status` run that asks it."""


def catch_up(view: ResourceView, now: datetime) -> CaughtUp:
    """Take in every run of this resource that has something new to tell."""
    status = view.migration.status
    caught = CaughtUp(status)
    for run in sorted(view.runs, key=_order):
        if run.command in MOVING:
            caught = _take_in(caught, run, view.pods, now)
    caught = _find_lost(caught, view, now)
    return _ask_database(caught, view, now)


def newest_run(view: ResourceView, *commands: RunCommand) -> JobRun | None:
    """The last run of those commands."""
    runs = [run for run in view.runs if run.command in commands]
    return max(runs, key=_order, default=None)


def newest_answer(view: ResourceView, last: LastRun | None, *commands: RunCommand) -> Report | None:
    """What the newest run of those commands says of the database, if it is newer than the last."""
    run = newest_run(view, *commands)
    if run is None or run.is_active:
        return None
    if last is not None and (last.finished_at is None or run.created_at < last.finished_at):
        return None
    return read_report(run, view.pods)


def _order(run: JobRun) -> tuple[datetime, int, int]:
    return run.created_at, run.generation, run.attempt


def _take_in(caught: CaughtUp, run: JobRun, pods: tuple[Pod, ...], now: datetime) -> CaughtUp:
    status, last = caught.status, caught.status.last_run
    if last is not None and last.job != run.name:
        recorded = (last.started_at or run.created_at, last.generation, last.attempts)
        if _order(run) < recorded:
            return caught
    if last is None or last.job != run.name:
        status = begin_run(status, run)
    elif last.has_ended:
        return caught
    if run.is_active:
        return replace(caught, status=status, unread=None)
    was_read = any(pod.job == run.name and pod.ended for pod in pods)
    report = read_report(run, pods)
    unread = run if report is None else None
    if report is not None:
        status = end_run(status, report, finished_at=run.finished_at or now)
    absent = caught.rests_on_absence or not was_read
    return replace(caught, status=status, unread=unread, rests_on_absence=absent)


def _find_lost(caught: CaughtUp, view: ResourceView, now: datetime) -> CaughtUp:
    """A run that the status knows to be under way, and whose Job is not there."""
    last = caught.status.last_run
    if last is None or last.has_ended or any(run.name == last.job for run in view.runs):
        return caught
    pods = [pod for pod in view.pods if pod.job == last.job]
    orphan = next((pod for pod in pods if pod.may_be_running), None)
    if orphan is not None:
        return replace(caught, orphan=orphan, rests_on_absence=True)
    reports = filter(None, (parse_message(pod.ended) for pod in pods))
    report = next(reports, None)
    if report is None:
        text = f"Job {last.job} was deleted before its end was known"
        report = failed_report(last.command, last.started_at, Reason.INTERRUPTED, text)
    status = end_run(caught.status, report, finished_at=now)
    return replace(caught, status=status, rests_on_absence=True)


def _ask_database(caught: CaughtUp, view: ResourceView, now: datetime) -> CaughtUp:
    """Let a `status` run say how a run ended that nobody can read any more."""
    if caught.unread is None:
        return caught
    asked = newest_run(view, RunCommand.STATUS)
    since = caught.unread.finished_at or caught.unread.created_at
    if asked is None or asked.created_at < since:
        return caught
    if asked.is_active:
        return replace(caught, asking=asked)
    answer = read_report(asked, view.pods)
    if answer is None:
        return replace(caught, asking=asked)
    report = _conclude(answer, view.migration.spec)
    status = end_run(caught.status, report, finished_at=asked.finished_at or now)
    return replace(caught, status=status, unread=None)


def _conclude(answer: Report, spec: MigrationSpec) -> Report:
    """The outcome of a run, from what the database says after it."""
    if answer.error is not None:
        return replace(answer, outcome=Outcome.FAILED)
    if is_at_target(answer, spec):
        return replace(answer, outcome=Outcome.UP_TO_DATE)
    text = f"the run ended unseen, and the database is at version {answer.version or 'none'}"
    error = ReportError(Reason.INTERRUPTED, text, retryable=True)
    return replace(answer, outcome=Outcome.FAILED, error=error)


def is_at_target(answer: Report, spec: MigrationSpec) -> bool:
    """Whether the database is where the resource wants it."""
    if answer.dirty is not False:
        return False
    if spec.target == LATEST:
        return not answer.pending
    return is_same(answer.version, spec.target, spec.source_format)


def learn_from_answer(status: MigrationStatus, answer: Report | None) -> MigrationStatus:
    """The status with the database's newest answer."""
    return status if answer is None else learn(status, answer)
