"""The rehearsal before a run: which PostgreSQL version it needs.

The scratch server has to be of the target's major version. Each report contains that
version, so it is known after the first one; for a resource without a report, a `status`
run asks the database once. If the server has been upgraded since, the run notices it:
it changes nothing, reports the new version, and is tried again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.spec import Rehearse
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.decisions.catch_up import newest_run
from dbmigrate.controller.decisions.outcome import read_report
from dbmigrate.controller.decisions.retrying import ask_again
from dbmigrate.controller.decisions.runs import ASKING, RunCommand
from dbmigrate.controller.decisions.verdict import VerdictReason, in_progress, stalled
from dbmigrate.controller.decisions.view import Conclusion, ResourceView
from dbmigrate.controller.jobs.body import RunOrder
from dbmigrate.report import Reason
from dbmigrate.untrusted import plus

REHEARSED = frozenset({RunCommand.GOTO, RunCommand.PLAN})
"""The runs that lead up. A person approves a plan that has been rehearsed; the run that follows
is rehearsed again, for the schema may be another one by then."""


def prepare_rehearsal(
    view: ResourceView, status: MigrationStatus, step: Conclusion, now: datetime
) -> Conclusion:
    """The step with the version of its scratch server; a question first, if it is unknown."""
    order = step.order
    if order is None or order.command not in REHEARSED:
        return step
    if view.migration.spec.rehearse is Rehearse.NEVER:
        return step
    major = _find_major(view, status)
    if major is not None:
        return replace(step, order=replace(order, rehearsed_on=major))
    question = _ask_for_version(view, status, order.intent, now)
    return replace(question, plan=step.plan, approved=step.approved, updates=step.updates)


def _find_major(view: ResourceView, status: MigrationStatus) -> str | None:
    version = status.server_version
    for command in ASKING:
        run = newest_run(view, command)
        report = None if version or run is None or run.is_active else read_report(run, view.pods)
        version = version or (report.server_version if report is not None else None)
    return version.partition(".")[0] if version else None


def _ask_for_version(
    view: ResourceView, status: MigrationStatus, intent: str, now: datetime
) -> Conclusion:
    text = "asking the database for its version, which the rehearsal needs to know"
    verdict = in_progress(VerdictReason.READING_DATABASE, text)
    generation = view.migration.identity.generation
    run = newest_run(view, RunCommand.STATUS)
    if run is None or (run.intent, run.generation) != (intent, generation):
        return Conclusion(verdict, RunOrder(RunCommand.STATUS, intent, 1, generation))
    order = RunOrder(RunCommand.STATUS, intent, plus(run.attempt, 1), generation)
    report = read_report(run, view.pods)
    if report is None:
        return Conclusion(verdict, order)  # it was reported, but the report was lost
    if report.error is None:
        text = (
            "the runner does not tell which version of PostgreSQL the database has, so that it"
            " can't be rehearsed: use a newer image, or set spec.rehearse to Never"
        )
        return Conclusion(stalled(Reason.INTERNAL.value, text))
    return ask_again(view, status, run, report.error, Conclusion(verdict, order), now)
