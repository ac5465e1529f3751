"""Bring the status up to date with the runs.

The status may be out of date: a write was lost, the operator was killed between a
Job's end and its record, or etcd was restored to an older state. The Jobs that
exist are processed in the order of their creation, each once; what is recorded
already is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from dbmigrate.api.status import LastRun, MigrationStatus
from dbmigrate.controller.decisions.checks import is_at_target, take_in_checks
from dbmigrate.controller.decisions.outcome import (
    begin_run,
    end_run,
    failed_report,
    is_guess,
    learn,
    note_database,
    parse_message,
    read_report,
)
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.runs import (
    ASKING,
    MENDING,
    MOVING,
    JobRun,
    RunCommand,
    follows,
    in_order,
    run_order,
)
from dbmigrate.controller.decisions.view import ResourceView
from dbmigrate.report import Outcome, Reason, Report, ReportError, UnknownReport


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The status as it should have been written, and what is still unknown."""

    status: MigrationStatus
    rests_on_absence: bool = False
    orphan: Pod | None = None
    """A Pod that is still at work although its Job has been deleted, or is over."""
    unread: JobRun | None = None
    """A Job that has ended without a report: the database must be asked."""
    asking: JobRun | None = None
    """The `status` run that asks it."""


def catch_up(view: ResourceView, intent: str, now: datetime) -> CaughtUp:
    """Record every run of this resource that is not recorded yet.

    `intent` is the present one.
    """
    status = view.migration.status
    caught = CaughtUp(status)
    for run in in_order(view.runs):
        if run.command in MOVING:
            caught = _take_in(caught, run, view, intent, now)
        elif run.command in MENDING:
            caught = replace(caught, status=_take_in_mending(caught.status, run, view.pods))
        elif run.command is RunCommand.STATUS:
            caught = replace(caught, status=_take_in_answer(caught.status, run, view.pods))
    caught = _find_orphan(_find_lost(caught, view, now), view)
    caught = _ask_database(caught, view, now)
    return replace(caught, status=take_in_checks(caught.status, view, now))


def newest_run(view: ResourceView, *commands: RunCommand) -> JobRun | None:
    """The last run of those commands."""
    runs = [run for run in view.runs if run.command in commands]
    return max(runs, key=run_order, default=None)


def newest_answer(view: ResourceView, last: LastRun | None, *commands: RunCommand) -> Report | None:
    """What the newest ended run of those commands reports, if it is newer than the last run."""
    ended = replace(view, runs=tuple(run for run in view.runs if not run.is_active))
    run = newest_run(ended, *commands)
    if run is None:
        return None
    if last is not None and (
        last.finished_at is None or not follows(run, last.job, last.finished_at)
    ):
        return None
    return read_report(run, view.pods)


def _take_in(
    caught: CaughtUp, run: JobRun, view: ResourceView, intent: str, now: datetime
) -> CaughtUp:
    status, last = caught.status, caught.status.last_run
    if last is not None and last.job != run.name and not _is_newer(run, last, intent):
        return caught
    if last is None or last.job != run.name:
        status = begin_run(status, run)
    elif last.has_ended:
        return caught
    if run.is_active:
        return replace(caught, status=status, unread=None)
    was_read = any(pod.job == run.name and pod.has_told for pod in view.pods)
    report = read_report(run, view.pods)
    if run.command is RunCommand.ROLLBACK and report is not None and is_guess(report):
        report = None  # it is not retried by itself, so the database must be asked
    unread = run if report is None else None
    if report is not None:
        status = end_run(status, report, finished_at=run.finished_at or now)
        status = note_database(status, report, view.migration)
    absent = caught.rests_on_absence or not was_read
    return replace(caught, status=status, unread=unread, rests_on_absence=absent)


def _is_newer(run: JobRun, last: LastRun, intent: str) -> bool:
    """Whether a run was made after the recorded one.

    The API server's times are whole seconds. Of two runs created within one second, the newer is
    the one for the present intent; attempts are counted for each intent. An order is newer than
    the run that it follows.
    """
    if run.after == last.job:
        return True
    is_order = run.command is RunCommand.ROLLBACK
    made = (run.created_at, run.generation, run.intent == intent, run.attempt, is_order)
    since = last.started_at or run.created_at
    was_order = last.command == RunCommand.ROLLBACK
    return made > (since, last.generation, last.intent == intent, last.attempts, was_order)


def _take_in_mending(
    status: MigrationStatus, run: JobRun, pods: tuple[Pod, ...]
) -> MigrationStatus:
    """A Force or a Repair that succeeded after the last run: the attempts start again."""
    last = status.last_run
    if last is None or last.finished_at is None or run.is_active:
        return status
    report = read_report(run, pods) if follows(run, last.job, last.finished_at) else None
    if report is None or report.error is not None:
        return status
    return replace(status, last_run=replace(last, cleared_by=run.name))


def _take_in_answer(status: MigrationStatus, run: JobRun, pods: tuple[Pod, ...]) -> MigrationStatus:
    """A check after a run that failed: the attempts start again if the database has been repaired
    since.

    A rollback that failed is a person's to continue, for its target is not the resource's.
    """
    last = status.last_run
    if last is None or last.finished_at is None or last.error is None or run.is_active:
        return status
    if last.cleared_by is not None or last.command == RunCommand.ROLLBACK:
        return status
    answer = read_report(run, pods) if follows(run, last.job, last.finished_at) else None
    if answer is None or answer.error is not None or answer.dirty is not False:
        return status
    if not status.dirty and answer.version == last.version and not _is_refuted(last.error, answer):
        return status
    return replace(status, last_run=replace(last, cleared_by=run.name))


def _is_refuted(error: ReportError, answer: Report) -> bool:
    """Whether an answer shows that the cause of an error in the history is gone."""
    if error.reason is Reason.CHECKSUM_MISMATCH:
        return not answer.changed
    return error.reason is Reason.FOREIGN_HISTORY


def _find_orphan(caught: CaughtUp, view: ResourceView) -> CaughtUp:
    """A Pod whose runner is still at work although its Job has ended."""
    over = {run.name for run in view.runs if not run.is_active and run.command not in ASKING}
    for pod in view.pods:
        if pod.job in over and pod.has_started and pod.may_be_running:
            return replace(caught, orphan=pod, rests_on_absence=True)
    return caught


def _find_lost(caught: CaughtUp, view: ResourceView, now: datetime) -> CaughtUp:
    """A run that the status records as active and whose Job does not exist."""
    last = caught.status.last_run
    if last is None or last.has_ended or any(run.name == last.job for run in view.runs):
        return caught
    pods = [pod for pod in view.pods if pod.job == last.job]
    orphan = next((pod for pod in pods if pod.may_be_running), None)
    if orphan is not None:
        return replace(caught, orphan=orphan, rests_on_absence=True)
    report = _read_last_words(pods)
    if report is None:
        text = f"Job {last.job} was deleted before its end was known"
        report = failed_report(last.command, last.started_at, Reason.INTERRUPTED, text)
    status = end_run(caught.status, report, finished_at=now)
    status = note_database(status, report, view.migration)
    return replace(caught, status=status, rests_on_absence=True)


def _read_last_words(pods: Iterable[Pod]) -> Report | None:
    """The report in the remaining Pods of a deleted Job."""
    for pod in pods:
        with suppress(UnknownReport):
            report = parse_message(pod.ended)
            if report is not None:
                return report
    return None


def _ask_database(caught: CaughtUp, view: ResourceView, now: datetime) -> CaughtUp:
    """Ask the database by a `status` run how a run ended whose report is lost."""
    if caught.unread is None:
        return caught
    asked = newest_run(view, RunCommand.STATUS)
    since = caught.unread.finished_at or caught.unread.created_at
    if asked is None or not follows(asked, caught.unread.name, since):
        return caught
    if asked.is_active:
        return replace(caught, asking=asked)
    answer = read_report(asked, view.pods)
    if answer is None:
        return replace(caught, asking=asked)
    report = _conclude(answer, caught.unread, view)
    status = end_run(caught.status, report, finished_at=asked.finished_at or now)
    return replace(caught, status=status, unread=None)


def _conclude(answer: Report, run: JobRun, view: ResourceView) -> Report:
    """The outcome of a run, derived from the state of the database after it."""
    if answer.error is not None:
        return replace(answer, outcome=Outcome.FAILED)
    spec = view.migration.spec
    if run.command is RunCommand.ROLLBACK:
        wanted = next((a.version for a in view.actions if a.uid == run.action), None)
        if wanted is not None and is_at_target(answer, replace(spec, target=wanted)):
            return replace(answer, outcome=Outcome.ROLLED_BACK)
    elif is_at_target(answer, spec):
        return replace(answer, outcome=Outcome.UP_TO_DATE)
    text = f"the run ended unseen, and the database is at version {answer.version or 'none'}"
    error = ReportError(Reason.INTERRUPTED, text, retryable=True)
    return replace(answer, outcome=Outcome.FAILED, error=error)


def learn_from_answer(status: MigrationStatus, answer: Report | None) -> MigrationStatus:
    """The status with the database's newest answer."""
    return status if answer is None else learn(status, answer)
