"""A resource that is where it was to be: what it says, and asking now and then if it still is.

Between runs the database belongs to everybody. A `status` run, once every resync
interval, tells what another tool or person has done to it; that is reported, and
left for a person to judge.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from dbmigrate.api.status import LastRun, MigrationStatus
from dbmigrate.controller.decisions.backoff import hash_fraction
from dbmigrate.controller.decisions.catch_up import (
    CaughtUp,
    is_at_target,
    newest_answer,
    newest_run,
)
from dbmigrate.controller.decisions.runs import JobRun, RunCommand
from dbmigrate.controller.decisions.verdict import Verdict, VerdictReason, on_its_way, ready, stuck
from dbmigrate.controller.decisions.view import Conclusion, ResourceView
from dbmigrate.controller.jobs.body import RunOrder
from dbmigrate.policies import ChangedFiles
from dbmigrate.report import Report

LOOK_INTERVAL = timedelta(seconds=60)
"""How often a resource is looked at that waits for something: a watch event may be lost."""


def stay_while_asked(
    view: ResourceView, caught: CaughtUp, intent: str, run: JobRun, now: datetime
) -> Conclusion:
    """A routine question to the database does not change what the resource says of itself."""
    last = caught.status.last_run
    look_at = now + LOOK_INTERVAL
    if last is not None and last.has_succeeded and last.intent == intent:
        return Conclusion(_describe_success(view, last, caught.status), look_at=look_at)
    text = f"Job {run.name} asks the database for its state"
    return Conclusion(on_its_way(VerdictReason.READING_DATABASE, text), look_at=look_at)


def stay(
    view: ResourceView, caught: CaughtUp, last: LastRun, intent: str, now: datetime
) -> Conclusion:
    """All is done. Ask the database now and then whether it still is."""
    verdict = _describe_success(view, last, caught.status)
    due = next_question(view, last, now)
    if due is None or view.migration.spec.suspend:
        return Conclusion(verdict)
    if now < due:
        return Conclusion(verdict, look_at=due)
    return Conclusion(verdict, order=question(view, intent))


def _describe_success(view: ResourceView, last: LastRun, status: MigrationStatus) -> Verdict:
    answer = newest_answer(view, last, RunCommand.STATUS)
    drift = _describe_drift(answer, last, view) if answer is not None else None
    if drift is not None:
        return stuck(VerdictReason.DRIFTED, drift)
    version = answer.version if answer is not None and answer.error is None else status.version
    outcome = last.outcome.value if last.outcome else ""
    return ready(outcome, f"the database is at version {version or 'none'}")


def _describe_drift(answer: Report, last: LastRun, view: ResourceView) -> str | None:
    """What has become of the database behind our back; None: nothing, or it can't be asked."""
    if answer.error is not None and not answer.error.retryable:
        return f"{answer.error.reason.value}: {answer.error.message}"
    if answer.dirty is None:
        return None
    if answer.dirty:
        return f"version {answer.version} has been left dirty by another tool or person"
    if answer.changed and view.migration.spec.changed_files is ChangedFiles.REJECT:
        return f"edited after they were applied: {', '.join(answer.changed)}"
    if is_at_target(answer, view.migration.spec):
        return None
    if answer.version == last.version:
        return f"{answer.pending} migrations are pending"
    return (
        f"the version has been moved from {last.version or 'none'} "
        f"to {answer.version or 'none'} by another tool or person"
    )


def next_question(view: ResourceView, last: LastRun, now: datetime) -> datetime | None:
    """When the database is to be asked again; None: not by itself."""
    resync = view.resync
    if resync is None or resync.interval is None:
        return None
    asked = newest_run(view, RunCommand.STATUS)
    since = last.finished_at or now
    if asked is not None and asked.finished_at is not None:
        since = max(since, asked.finished_at)
    if view.ordered_at is not None:
        # Times of Jobs are the API server's. With a clock behind ours they never are recent,
        # and every answer would call for the next question.
        since = max(since, view.ordered_at)
    jitter = hash_fraction(view.migration.identity.uid)
    # What fell due while no operator was there comes spread out, not all at once.
    return max(
        since + resync.interval * (1 + 0.1 * jitter), resync.since + resync.interval * jitter
    )


def question(view: ResourceView, intent: str) -> RunOrder:
    asked = newest_run(view, RunCommand.STATUS)
    attempt = asked.attempt + 1 if asked is not None else 1
    generation = view.migration.identity.generation
    return RunOrder(RunCommand.STATUS, intent, attempt, generation)
