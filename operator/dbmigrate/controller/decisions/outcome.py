"""What a finished run reports, and how it is recorded in the status.

The runner leaves its report as the termination message. A run that was killed
leaves none: then the Job and its Pod say why, and a report is made from that
here, so that everything after this step handles reports only. If a Job succeeded
and its report is lost, the database has to be asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from dbmigrate import __version__
from dbmigrate.api.conditions import shorten
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.names import COPY_CONTAINER
from dbmigrate.api.status import (
    HISTORY_LIMIT,
    HistoryEntry,
    LastBackup,
    LastRun,
    MigratedDatabase,
    MigrationStatus,
)
from dbmigrate.api.trial import read_trial
from dbmigrate.controller.decisions.pods import NEEDS_CP, ContainerEnd, Pod
from dbmigrate.controller.decisions.refusals import explain_refusal
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.report import RETRYABLE, Outcome, Reason, Report, ReportError, UnknownReport
from dbmigrate.timestamps import format_timestamp, read_timestamp
from dbmigrate.untrusted import plus

KILLED = frozenset({128 + 9, 128 + 15})
"""SIGKILL, and SIGTERM before the runner was ready to report."""
NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})
"""The container runtime could not start the program: in most cases the image has none."""
STATUS_TEXT_LIMIT = 2048
"""Characters of an error's text in the status: a report is bounded, a log's tail is bounded too."""


def read_report(run: JobRun, pods: Iterable[Pod]) -> Report | None:
    """The report of a finished run, its own or a substitute that says why there is none.

    None: it succeeded, and its report is lost.
    """
    mine = [pod for pod in pods if pod.job == run.name]
    pod = max(mine, key=lambda p: (p.ended is not None, not p.is_gone), default=None)
    if pod is not None:
        try:
            report = parse_message(pod.ended)
        except UnknownReport as problem:
            text = (
                f"{problem} (operator {__version__}): update the operator, or let spec.job.image"
                " name a runner of the operator's version"
            )
            return failed_report(run.command, run.started_at, Reason.INTERNAL, text)
        if report is not None:
            return explain_refusal(report, run.image)
    is_success = run.state is RunState.SUCCEEDED
    if pod is not None and pod.ended is not None:
        is_success = pod.ended.exit_code == 0
    if is_success:
        return None
    report = failed_report(run.command, run.started_at, *_explain(run, pod))
    return explain_refusal(report, run.image)


def parse_message(ended: ContainerEnd | None) -> Report | None:
    """The report in a termination message; None when it holds something else.

    Raises UnknownReport for one that a newer runner has written.
    """
    if ended is None or not ended.message:
        return None
    try:
        return Report.from_json(ended.message)
    except UnknownReport:
        raise
    except ValueError:
        return None


def failed_report(
    command: str, started_at: datetime | None, reason: Reason, message: str
) -> Report:
    """A substitute for a report that the runner could not write."""
    return Report(
        command=command,
        outcome=Outcome.FAILED,
        version=None,
        dirty=None,
        tool_version="",
        started_at=format_timestamp(started_at) if started_at else "",
        milliseconds=0,
        error=ReportError(reason, message, retryable=reason in RETRYABLE),
    )


def is_guess(report: Report) -> bool:
    """Whether a report is such a substitute."""
    return not report.tool_version


def _explain(run: JobRun, pod: Pod | None) -> tuple[Reason, str]:
    """Why a run without a report failed."""
    if run.failure_reason == "DeadlineExceeded":
        text = "the run was stopped at its deadline (spec.timeouts.deadline)"
        if pod is not None and pod.waiting is not None:
            text += f"; its Pod never started: {pod.waiting.reason}: {pod.waiting.message}"
        return Reason.INTERRUPTED, text
    if pod is None:
        text = f"Job {run.name} failed and its Pod is gone: {run.failure_message}"
        return Reason.INTERRUPTED, text
    if pod.disrupted is not None or pod.status_reason == "Evicted":
        return Reason.INTERRUPTED, f"the cluster took the Pod away: {pod.disrupted or 'evicted'}"
    if pod.ended is not None:
        return _explain_end(pod.ended)
    if pod.failed is not None:
        return _explain_other(pod.failed, pod.has_started)
    return Reason.INTERRUPTED, f"Pod {pod.name} failed before the runner started"


def _explain_end(ended: ContainerEnd) -> tuple[Reason, str]:
    tail = _tail(ended)
    if ended.reason == "OOMKilled":
        text = "the runner ran out of memory: raise spec.job.resources.limits.memory"
        return Reason.INTERRUPTED, text
    if ended.exit_code in KILLED:
        return Reason.INTERRUPTED, f"the runner was killed{tail}"
    text = f"the runner ended with exit code {ended.exit_code} and left no report{tail}"
    return Reason.INTERNAL, text


def _explain_other(failed: ContainerEnd, has_started: bool) -> tuple[Reason, str]:
    """Another container of the Pod failed, and the runner left no report."""
    if failed.container == COPY_CONTAINER:
        text = f"the migration files could not be copied out of the image{_tail(failed)}"
        if failed.reason in NOT_STARTED:
            text += NEEDS_CP
        return Reason.SOURCE_INVALID, text
    when = "the runner had not ended" if has_started else "the runner did not start"
    code = f"exit code {failed.exit_code}" + (f", {failed.reason}" if failed.reason else "")
    text = f"container {failed.container} failed ({code}), {when}{_tail(failed)}"
    return Reason.INTERRUPTED, text


def _tail(ended: ContainerEnd) -> str:
    """The container's last output, as the end of a sentence."""
    return f": {ended.message.strip()}" if ended.message.strip() else ""


def begin_run(status: MigrationStatus, run: JobRun) -> MigrationStatus:
    """The status while a run is active."""
    last = LastRun(
        job=run.name,
        command=run.command.value,
        generation=run.generation,
        intent=run.intent,
        attempts=run.attempt,
        without_progress=_carry_on(status.last_run, run),
        started_at=run.created_at,
        plan=run.plan,
    )
    return replace(status, last_run=last, next_retry_at=None)


def _carry_on(before: LastRun | None, run: JobRun) -> int:
    """How many runs of this intent in a row, up to the one before this, made no progress.

    A run that a person ordered starts the count again, and so does what made the last one void.
    """
    if run.action is not None or (before is not None and before.cleared_by is not None):
        return 0
    earlier = run.attempt - 1
    if before is None or (before.intent, before.generation) != (run.intent, run.generation):
        return earlier
    if before.attempts != earlier:
        return earlier
    return 0 if before.has_succeeded else before.without_progress


def _has_advanced(status: MigrationStatus, report: Report) -> bool:
    """Whether a run has brought the database further than it was known to be before.

    A run that was killed reports nothing; its progress counts for the next run that reports.
    """
    if report.steps_total:
        return True
    known, now = status.unfinished, report.unfinished
    if now is None or not now.batches:
        return False
    is_same = known is not None and (known.version, known.since) == (now.version, now.since)
    return known is None or not is_same or now.batches > known.batches


def end_run(status: MigrationStatus, report: Report, *, finished_at: datetime) -> MigrationStatus:
    """The status once the last run has ended with this report."""
    last = status.last_run
    if last is None:
        return status
    ended = replace(
        last,
        outcome=report.outcome,
        finished_at=finished_at,
        from_version=report.from_version,
        version=report.version,
        milliseconds=report.milliseconds,
        without_progress=0 if _has_advanced(status, report) else plus(last.without_progress, 1),
        trial=read_trial(report),
        error=_bound(report.error),
    )
    steps = tuple(
        HistoryEntry(s.version, s.name, s.direction, finished_at, s.milliseconds)
        for s in reversed(report.steps)
    )
    is_known = _names(status.history[: len(steps)]) == _names(steps)
    history = status.history if is_known else (steps + status.history)[:HISTORY_LIMIT]
    check = status.last_check if report.dirty is None else None
    is_rollback = last.command == RunCommand.ROLLBACK
    learned = learn(status, report, is_rollback=is_rollback)
    return replace(learned, last_run=ended, last_check=check, history=history)


def _names(steps: tuple[HistoryEntry, ...]) -> list[tuple[str, str, str, int]]:
    """What identifies a step: a run that is recorded again has no new ones."""
    return [(step.version, step.name, step.direction, step.milliseconds) for step in steps]


def learn(status: MigrationStatus, report: Report, *, is_rollback: bool = False) -> MigrationStatus:
    """The status with the database's state in the report, if the database was read."""
    if report.backup is not None:
        made, created = report.backup, read_timestamp(report.started_at)
        backup = LastBackup(made.name, made.size, made.sha256, report.from_version, created)
        status = replace(status, backup=backup)
    if report.dirty is None:
        return status
    status = replace(status, owner=report.owner or status.owner)
    # The target of a Rollback or a Force is the order's, not the resource's.
    is_ordered = report.command.partition(" ")[0] in {RunCommand.FORCE, RunCommand.REPAIR}
    target = status.target if is_ordered or is_rollback else report.target
    return replace(
        status,
        version=report.version,
        dirty=report.dirty,
        unfinished=report.unfinished,
        target=target or status.target,
        pending=report.pending if report.pending is not None else status.pending,
        server_version=report.server_version or status.server_version,
        format=report.format or status.format,
    )


def note_database(
    status: MigrationStatus, report: Report | None, migration: MigrationResource
) -> MigrationStatus:
    """The status with the database that a run has succeeded on."""
    last = status.last_run
    if last is None or report is None or report.error is not None or report.database is None:
        return status
    # A spec that has changed since may reach another one.
    is_present = last.generation == migration.identity.generation
    reached_by = migration.spec.database.checksum if is_present else ""
    return replace(status, database=MigratedDatabase(report.database, reached_by))


def _bound(error: ReportError | None) -> ReportError | None:
    if error is None:
        return None

    def cut(text: str | None) -> str | None:
        return None if text is None else shorten(text, STATUS_TEXT_LIMIT)

    return replace(
        error,
        message=shorten(error.message, STATUS_TEXT_LIMIT),
        excerpt=cut(error.excerpt),
        detail=cut(error.detail),
        hint=cut(error.hint),
    )
