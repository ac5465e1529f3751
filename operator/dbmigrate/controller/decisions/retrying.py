"""A question to the database that had no answer: asked again after a while, or left to a person."""

from __future__ import annotations

from datetime import datetime

from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.decisions.backoff import retry_delay
from dbmigrate.controller.decisions.runs import JobRun
from dbmigrate.controller.decisions.verdict import on_its_way, stuck
from dbmigrate.controller.decisions.view import Conclusion, ResourceView
from dbmigrate.report import ReportError


def ask_again(
    view: ResourceView,
    status: MigrationStatus,
    run: JobRun,
    error: ReportError,
    again: Conclusion,
    now: datetime,
) -> Conclusion:
    """What follows from a `status` or `plan` run that failed; `again` asks once more."""
    retry = view.migration.spec.retry
    said = f"{error.reason.value}: {error.message}"
    if not error.retryable or run.attempt > retry.limit:
        return Conclusion(stuck(error.reason.value, said))
    due = status.next_retry_at
    if due is None:
        seed = f"{view.migration.identity.uid}/{run.intent}/{run.command.value}"
        due = now + retry_delay(retry, attempt=run.attempt, seed=seed)
    if now >= due:
        return again
    waiting = on_its_way(error.reason.value, f"{said} (to be tried again)")
    return Conclusion(waiting, look_at=due, next_retry_at=due)
