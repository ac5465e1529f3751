"""Attempts at an intent: the first, the next, and the delay after the last failure."""

from __future__ import annotations

from datetime import datetime

from dbmigrate.api.spec import Approval
from dbmigrate.api.status import LastRun, PlanStatus
from dbmigrate.controller.decisions.approval import find_plan
from dbmigrate.controller.decisions.backoff import ENVIRONMENT, retry_delay
from dbmigrate.controller.decisions.catch_up import CaughtUp
from dbmigrate.controller.decisions.progress import LOOK_INTERVAL
from dbmigrate.controller.decisions.ready import keep_asking, next_question, question
from dbmigrate.controller.decisions.retrying import ENVIRONMENTAL
from dbmigrate.controller.decisions.runs import JobRun, RunCommand
from dbmigrate.controller.decisions.verdict import VerdictReason, in_progress, paused, stalled
from dbmigrate.controller.decisions.view import Conclusion, ResourceView
from dbmigrate.controller.jobs.body import RunOrder
from dbmigrate.report import Reason, ReportError
from dbmigrate.untrusted import plus

MOST_RUNS = 20
"""Times spec.retry.limit: failed runs of one intent, including those with progress. After these it
is tried at each resync only. Progress is known from the runner's report, and the runner's image is
the user's choice."""


def ask_about(view: ResourceView, caught: CaughtUp, unread: JobRun, now: datetime) -> Conclusion:
    """A run has left no report: a check of the database shows how it ended."""
    text = f"Job {unread.name} has ended without a report: asking the database"
    verdict = in_progress(VerdictReason.READING_DATABASE, text)
    asked, look_at = caught.asking, now + LOOK_INTERVAL
    if asked is None:
        return Conclusion(verdict, order=question(view, unread.intent), look_at=look_at)
    due = caught.status.next_retry_at
    if due is None:
        due = now + retry_delay(ENVIRONMENT, attempt=asked.attempt, seed=asked.migration_uid)
    if now >= due:
        return Conclusion(verdict, order=question(view, unread.intent), look_at=look_at)
    if asked.attempt > view.migration.spec.retry.limit:
        verdict = stalled(VerdictReason.READING_DATABASE, text + "; no answer could be read")
    return Conclusion(verdict, look_at=due, next_retry_at=due)


def attempt(
    view: ResourceView, caught: CaughtUp, intent: str, now: datetime, *, is_cleared: bool
) -> Conclusion:
    """Start the first attempt at this intent, or the next one, or stop trying."""
    spec, identity, last = view.migration.spec, view.migration.identity, caught.status.last_run
    plan = find_plan(view, caught.status, intent) if spec.approval is Approval.MANUAL else None
    if last is None or (last.intent, last.generation) != (intent, identity.generation):
        return _start(identity.generation, intent, 1, plan)
    error = last.error
    # A plan that had changed has been made and approved again before this point.
    if is_cleared or error is None or error.reason is Reason.PLAN_CHANGED:
        return _start(identity.generation, intent, plus(last.attempts, 1), plan)
    said = describe_error(last)
    if error.reason is Reason.ROLLED_BACK:
        return keep_asking(view, caught, paused(VerdictReason.ROLLED_BACK, said), intent, now)
    if error.reason is Reason.DATABASE_CONFLICT and view.departed is not None:
        return _start(identity.generation, intent, plus(last.attempts, 1), plan, view.departed)
    if not error.retryable:
        return _stay_stalled(view, caught, last, error, now, plan)
    limit, in_vain = spec.retry.limit, last.without_progress
    if in_vain > limit or not limit or _is_endless(last, limit):
        return _give_up(view, caught, last, error, now, plan)
    # Kept in the status once chosen: this clock and the API server's may differ.
    due = caught.status.next_retry_at
    if due is None:
        seed = f"{identity.uid}/{intent}"
        due = now + retry_delay(spec.retry, attempt=max(1, in_vain), seed=seed)
    if now >= due:
        return _start(identity.generation, intent, plus(last.attempts, 1), plan)
    text = f"{said} (run {in_vain} of at most {limit + 1}, to be tried again)"
    if in_vain < last.attempts:
        text = f"{said} ({_count_runs(last)} of at most {limit + 1}, to be tried again)"
    return Conclusion(in_progress(error.reason.value, text), look_at=due, next_retry_at=due)


def _is_endless(last: LastRun, limit: int) -> bool:
    """Whether so many runs have failed that their reported progress no longer counts."""
    return last.attempts > MOST_RUNS * (limit + 1)


def _count_runs(last: LastRun) -> str:
    """How many runs in a row have failed, counted from the last one that did not."""
    if last.without_progress in (0, last.attempts):
        return f"{last.attempts} runs"
    return f"{last.without_progress} runs in a row that came no further"


def _stay_stalled(
    view: ResourceView,
    caught: CaughtUp,
    last: LastRun,
    error: ReportError,
    now: datetime,
    plan: PlanStatus | None,
) -> Conclusion:
    """A person must act. Where the correction is not visible here, try again now and then; what
    is corrected in the database is found by the next check."""
    verdict = stalled(error.reason.value, describe_error(last))
    if error.reason not in ENVIRONMENTAL:
        return keep_asking(view, caught, verdict, last.intent, now)
    due = caught.status.next_retry_at
    if due is None:
        seed = f"{view.migration.identity.uid}/{last.intent}"
        due = now + retry_delay(ENVIRONMENT, attempt=max(1, last.without_progress), seed=seed)
    if now >= due:
        return _start(last.generation, last.intent, plus(last.attempts, 1), plan)
    return Conclusion(verdict, look_at=due, next_retry_at=due)


def _give_up(
    view: ResourceView,
    caught: CaughtUp,
    last: LastRun,
    error: ReportError,
    now: datetime,
    plan: PlanStatus | None,
) -> Conclusion:
    """The retries are used up. A temporary error is tried once more each resync interval."""
    text = f"{describe_error(last)} (gave up after {_count_runs(last)}"
    reason = VerdictReason.RETRIES_EXHAUSTED
    if not view.migration.spec.retry.limit:
        verdict = stalled(error.reason.value, f"{text})", stalled_reason=reason)
        return keep_asking(view, caught, verdict, last.intent, now)
    due = next_question(view, caught.status, last.finished_at or now)
    if due is not None and now >= due:
        return _start(last.generation, last.intent, plus(last.attempts, 1), plan)
    text += ", tried again at each resync)" if due is not None else ")"
    return Conclusion(stalled(error.reason.value, text, stalled_reason=reason), look_at=due)


def _start(
    generation: int,
    intent: str,
    attempt: int,
    plan: PlanStatus | None,
    take_over: str | None = None,
) -> Conclusion:
    # Who has approved a plan wants its steps.
    consent = f"plan {plan.hash}" if plan is not None and plan.steps else None
    order = RunOrder(
        RunCommand.GOTO,
        intent,
        attempt,
        generation,
        plan=plan,
        ordered_by=consent,
        take_over=take_over,
    )
    return Conclusion(
        in_progress(VerdictReason.STARTING, f"attempt {attempt} is about to start"), order
    )


def describe_error(last: LastRun) -> str:
    """The message, preceded by its place."""
    error = last.error
    if error is None:
        return ""
    if error.file is None or error.file in error.message:
        return error.message
    numbers = [str(n) for n in (error.line, error.column) if n is not None]
    return f"{':'.join([error.file, *numbers])}: {error.message}"
