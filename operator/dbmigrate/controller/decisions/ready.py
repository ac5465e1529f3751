"""A resource for which nothing is to be run: its verdict, and the periodic checks.

A `status` run asks the database once every resync interval (see checks.py), whether it is at its
target or a person must act. After one without an answer the next one follows sooner, with a
growing delay.
"""

from __future__ import annotations

from datetime import datetime

from dbmigrate.api.last_check import LastCheck
from dbmigrate.api.spec import NEVER
from dbmigrate.api.status import LastRun, MigrationStatus
from dbmigrate.controller.decisions.backoff import ENVIRONMENT, hash_fraction, retry_delay
from dbmigrate.controller.decisions.catch_up import (
    CaughtUp,
    newest_run,
)
from dbmigrate.controller.decisions.progress import SUSPENDED, next_look
from dbmigrate.controller.decisions.runs import JobRun, RunCommand
from dbmigrate.controller.decisions.verdict import (
    Verdict,
    VerdictReason,
    in_progress,
    ready,
    stalled,
    unknown,
)
from dbmigrate.controller.decisions.view import Conclusion, ResourceView
from dbmigrate.controller.jobs.body import RunOrder
from dbmigrate.timestamps import format_timestamp
from dbmigrate.untrusted import plus


def wait_for_answer(view: ResourceView, run: JobRun, now: datetime) -> Conclusion:
    """The database is checked."""
    text = f"Job {run.name} asks the database for its state"
    if run.is_suspended:
        text += f"; it {SUSPENDED}"
    verdict = in_progress(VerdictReason.READING_DATABASE, text)
    return Conclusion(verdict, look_at=next_look(run, view.pods, now))


def remain_ready(
    view: ResourceView, caught: CaughtUp, last: LastRun, intent: str, now: datetime
) -> Conclusion:
    """The database is at the target. Check now and then whether it still is."""
    return keep_asking(view, caught, _describe_success(view, last, caught.status), intent, now)


def keep_asking(
    view: ResourceView, caught: CaughtUp, verdict: Verdict, intent: str, now: datetime
) -> Conclusion:
    """The verdict on the last run, which has ended, with a check of the database where one is
    due."""
    last = caught.status.last_run
    ended_at = last.finished_at if last is not None else None
    due = next_question(view, caught.status, ended_at or now)
    if due is None or view.migration.spec.suspend:
        return Conclusion(verdict)
    if view.rejection is not None:
        return Conclusion(verdict, look_at=view.rejection.retry_at)
    if now < due:
        return Conclusion(verdict, look_at=due)
    return Conclusion(verdict, order=question(view, intent))


def _describe_success(view: ResourceView, last: LastRun, status: MigrationStatus) -> Verdict:
    """The last answer of the database holds until there is a newer one."""
    check = status.last_check
    if check is not None and check.unanswered >= view.resync.unreachable_after:
        return unknown(VerdictReason.UNREACHABLE, _describe_silence(check))
    drift = check.drift if check is not None else None
    if drift is not None or status.dirty:
        return stalled(VerdictReason.DRIFTED, drift or f"version {status.version} is dirty")
    outcome = last.outcome.value if last.outcome else ""
    return ready(outcome, f"the database is at version {status.version or 'none'}")


def _describe_silence(check: LastCheck) -> str:
    since = check.unanswered_since
    when = f" since {format_timestamp(since)}" if since is not None else ""
    return f"the database has not answered{when}: {check.error or 'no reason is known'}"


def next_question(view: ResourceView, status: MigrationStatus, since: datetime) -> datetime | None:
    """When the database is to be asked again that has been asked at that time; None: not by
    itself."""
    check, interval = status.last_check, view.migration.spec.check_interval or view.resync.interval
    if interval is None or interval == NEVER:
        return None
    asked = newest_run(view, RunCommand.STATUS)
    if asked is not None and asked.finished_at is not None:
        since = max(since, asked.finished_at)
    if view.ordered_at is not None:
        # Times of Jobs are the API server's. If this clock were behind it, they would never be
        # recent, and every answer would cause the next check.
        since = max(since, view.ordered_at)
    uid = view.migration.identity.uid
    if check is not None and check.unanswered:
        return since + min(retry_delay(ENVIRONMENT, attempt=check.unanswered, seed=uid), interval)
    jitter = hash_fraction(uid)
    # Checks that fell due while no operator was running are spread out.
    return max(since + interval * (1 + 0.1 * jitter), view.resync.since + interval * jitter)


def question(view: ResourceView, intent: str) -> RunOrder:
    asked = newest_run(view, RunCommand.STATUS)
    attempt = plus(asked.attempt, 1) if asked is not None else 1
    generation = view.migration.identity.generation
    return RunOrder(RunCommand.STATUS, intent, attempt, generation)
