"""What a finished run says, and how it goes into the status.

The runner leaves its report as the termination message. A run that was killed
leaves none: then the Job and its Pod say why, and the sentence that comes of it
is written as a report too, so that there is one way from here on. Only a Job
that succeeded and whose report is gone stays a riddle, for the database to solve.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from dbmigrate.api.conditions import shorten
from dbmigrate.api.status import (
    HISTORY_LIMIT,
    HistoryEntry,
    LastBackup,
    LastRun,
    MigrationStatus,
)
from dbmigrate.api.timestamps import format_timestamp, read_timestamp
from dbmigrate.api.trial import read_trial
from dbmigrate.controller.decisions.runs import ContainerEnd, JobRun, Pod, RunState
from dbmigrate.report import RETRYABLE, Outcome, Reason, Report, ReportError

RUNNER_CONTAINER = "dbmigrate"
KILLED = 128 + 9
STATUS_TEXT_LIMIT = 2048
"""Characters of an error's text in the status: a report is bounded, a log's tail is bounded too."""


def read_report(run: JobRun, pods: Iterable[Pod]) -> Report | None:
    """The report of a finished run, its own or one that says why there is none.

    None: it succeeded, but nobody read its report in time.
    """
    mine = [pod for pod in pods if pod.job == run.name]
    pod = max(mine, key=lambda p: (p.ended is not None, not p.is_gone), default=None)
    if pod is not None:
        report = parse_message(pod.ended)
        if report is not None:
            return report
    if run.state is RunState.SUCCEEDED:
        return None
    return failed_report(run.command, run.started_at, *_explain(run, pod))


def parse_message(ended: ContainerEnd | None) -> Report | None:
    """The report in a termination message; None when it holds something else."""
    if ended is None or not ended.message:
        return None
    try:
        return Report.from_json(ended.message)
    except ValueError:
        return None


def failed_report(
    command: str, started_at: datetime | None, reason: Reason, message: str
) -> Report:
    """A report in the place of one that the runner could not write."""
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


def _explain(run: JobRun, pod: Pod | None) -> tuple[Reason, str]:
    """Why a run failed that left no report."""
    ended = pod.ended if pod else None
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
    if ended is None:
        return Reason.INTERRUPTED, f"Pod {pod.name} failed before the runner started"
    return _explain_end(ended)


def _explain_end(ended: ContainerEnd) -> tuple[Reason, str]:
    tail = f": {ended.message.strip()}" if ended.message.strip() else ""
    if ended.reason == "OOMKilled":
        text = "the runner ran out of memory: raise spec.job.resources.limits.memory"
        return Reason.INTERRUPTED, text
    if ended.container != RUNNER_CONTAINER:
        text = f"the migration files could not be copied out of the image{tail}"
        return Reason.SOURCE_INVALID, text
    if ended.exit_code == KILLED:
        return Reason.INTERRUPTED, f"the runner was killed{tail}"
    text = f"the runner ended with exit code {ended.exit_code} and left no report{tail}"
    return Reason.INTERNAL, text


def begin_run(status: MigrationStatus, run: JobRun) -> MigrationStatus:
    """The status while a run is under way."""
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
    """How many runs of this intent, up to the one before this, came no further in a row.

    Whoever orders a run has looked at the matter: the count begins anew.
    """
    if run.action is not None:
        return 0
    earlier = run.attempt - 1
    if before is None or (before.intent, before.generation) != (run.intent, run.generation):
        return earlier
    if before.attempts != earlier:
        return earlier
    return 0 if before.has_succeeded else before.without_progress


def _has_advanced(status: MigrationStatus, report: Report) -> bool:
    """Whether a run has left the database further than it is known to have been before.

    A run that was killed tells nothing; what it did is credited to the next one that does.
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
        without_progress=0 if _has_advanced(status, report) else last.without_progress + 1,
        trial=read_trial(report),
        error=_bound(report.error),
    )
    steps = tuple(
        HistoryEntry(s.version, s.name, s.direction, finished_at, s.milliseconds)
        for s in reversed(report.steps)
    )
    history = (steps + status.history)[:HISTORY_LIMIT]
    return replace(learn(status, report), last_run=ended, history=history)


def learn(status: MigrationStatus, report: Report) -> MigrationStatus:
    """The status with what the report says of the database, if it could be asked."""
    if report.backup is not None:
        made, created = report.backup, read_timestamp(report.started_at)
        backup = LastBackup(made.name, made.size, made.sha256, report.from_version, created)
        status = replace(status, backup=backup)
    if report.dirty is None:
        return status
    return replace(
        status,
        version=report.version,
        dirty=report.dirty,
        unfinished=report.unfinished,
        target=report.target or status.target,
        pending=report.pending if report.pending is not None else status.pending,
        server_version=report.server_version or status.server_version,
    )


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
