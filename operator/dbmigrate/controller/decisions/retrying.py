"""A check of the database that got no answer is retried after a delay.

Nothing is final: what is wrong in the database may be corrected there, so that it is asked again
at each resync. Errors of the environment are asked about sooner. A temporary error is retried soon,
spec.retry.limit times, and slowly from then on. What a person corrects elsewhere (a Secret, a
certificate) is retried slowly from the first failure on, because the operator is not notified.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.decisions.backoff import ENVIRONMENT, retry_delay
from dbmigrate.controller.decisions.ready import next_question
from dbmigrate.controller.decisions.runs import JobRun
from dbmigrate.controller.decisions.verdict import Verdict, VerdictReason, in_progress, stalled
from dbmigrate.controller.decisions.view import Conclusion, ResourceView
from dbmigrate.report import Reason, ReportError

ENVIRONMENTAL = frozenset(
    {
        Reason.AUTHENTICATION_FAILED,
        Reason.TLS_FAILED,
        Reason.CONNECTION_INVALID,
        Reason.POOLER_UNSAFE,
        Reason.DATABASE_CONFLICT,
    }
)
"""Lasting failures that are corrected outside of the resource: in a Secret, a server or another
resource."""


def ask_again(
    view: ResourceView,
    status: MigrationStatus,
    run: JobRun,
    error: ReportError,
    again: Conclusion,
    now: datetime,
) -> Conclusion:
    """What follows from a failed `status` or `plan` run; `again` asks once more."""
    retry = view.migration.spec.retry
    said = error.message
    is_exhausted = error.retryable and run.attempt > retry.limit
    if not retry.limit or not (error.retryable or error.reason in ENVIRONMENTAL):
        return _ask_later(view, status, run, stalled(error.reason.value, said), again, now)
    is_slow = is_exhausted or not error.retryable
    due = status.next_retry_at
    if due is None:
        seed = f"{view.migration.identity.uid}/{run.intent}/{run.command.value}"
        pace = ENVIRONMENT if is_slow else retry
        due = now + retry_delay(pace, attempt=run.attempt, seed=seed)
    if now >= due:
        return again
    verdict = in_progress(error.reason.value, f"{said} (to be tried again)")
    if is_slow:
        why = VerdictReason.RETRIES_EXHAUSTED if is_exhausted else None
        verdict = stalled(error.reason.value, said, stalled_reason=why)
    return Conclusion(verdict, look_at=due, next_retry_at=due)


def _ask_later(
    view: ResourceView,
    status: MigrationStatus,
    run: JobRun,
    verdict: Verdict,
    again: Conclusion,
    now: datetime,
) -> Conclusion:
    due = next_question(view, status, run.finished_at or now)
    if view.rejection is not None:
        return Conclusion(verdict, look_at=view.rejection.retry_at)
    if due is None or now < due:
        return Conclusion(verdict, look_at=due)
    return replace(again, verdict=verdict)
