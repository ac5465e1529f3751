"""Manual approval: a plan is made and shown, and runs only once a person has approved it.

The plan is made by a `plan` run. Its hash covers the run that made it, the intent
and the steps, so an approval holds for this plan only. A change of the source is
another intent, which needs another plan and another approval. The run is bound to
the plan's checksum: if the database or a file has changed meanwhile, it changes
nothing and reports PlanChanged, and the plan becomes invalid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from dbmigrate.api.action import ActionKind, ActionPhase
from dbmigrate.api.status import PLAN_LIMIT, MigrationStatus, PlanStatus, PlanStepStatus
from dbmigrate.api.trial import read_trial
from dbmigrate.controller.decisions.catch_up import newest_run
from dbmigrate.controller.decisions.checks import is_at_target
from dbmigrate.controller.decisions.outcome import read_report
from dbmigrate.controller.decisions.retrying import ask_again
from dbmigrate.controller.decisions.runs import JobRun, RunCommand
from dbmigrate.controller.decisions.verdict import VerdictReason, in_progress, paused, stalled
from dbmigrate.controller.decisions.view import Conclusion, ResourceView
from dbmigrate.controller.jobs.body import RunOrder
from dbmigrate.report import Reason, Report
from dbmigrate.untrusted import plus


def find_plan(view: ResourceView, status: MigrationStatus, intent: str) -> PlanStatus | None:
    """The plan for the present intent: the one in the status, or that of a finished run."""
    plan = status.plan
    if plan is not None and plan.intent == intent and not is_void(plan, status):
        return plan
    run = newest_run(view, RunCommand.PLAN)
    if run is None or run.is_active or run.intent != intent:
        return None
    report = read_report(run, view.pods)
    if report is None or report.error is not None or _is_empty_by_mistake(view, report):
        return None
    plan = _make_plan(run, report)
    return None if is_void(plan, status) else plan


def is_void(plan: PlanStatus, status: MigrationStatus) -> bool:
    """Whether the last run was bound to this plan and found that it no longer applies."""
    last = status.last_run
    if last is None or last.error is None or last.error.reason is not Reason.PLAN_CHANGED:
        return False
    return last.plan == plan.hash


def _is_empty_by_mistake(view: ResourceView, report: Report) -> bool:
    """A plan without steps needs no approval, so it must be one that needs no steps."""
    return not report.steps and not is_at_target(report, view.migration.spec)


def is_approved(view: ResourceView, plan: PlanStatus) -> bool:
    """Whether a person has approved this plan."""
    return any(
        action.kind is ActionKind.APPROVE
        and action.plan_hash == plan.hash
        and action.phase is not ActionPhase.REFUSED
        for action in view.actions
    )


def seek_approval(
    view: ResourceView, status: MigrationStatus, intent: str, now: datetime
) -> Conclusion | None:
    """The step to take before a run may start, or None."""
    plan = find_plan(view, status, intent)
    if plan is None:
        return _make_plan_first(view, status, intent, now)
    if not plan.steps or is_approved(view, plan):
        return None
    name = view.migration.identity.name
    count = _describe_plan(plan)
    text = f"plan {plan.hash} with {count} waits for a MigrationAction that approves it for {name}"
    return Conclusion(paused(VerdictReason.AWAITING_APPROVAL, text), plan=plan, approved=False)


def _make_plan_first(
    view: ResourceView, status: MigrationStatus, intent: str, now: datetime
) -> Conclusion:
    identity = view.migration.identity
    verdict = in_progress(VerdictReason.PLANNING, "the plan is being made")
    run = newest_run(view, RunCommand.PLAN)
    if run is None or run.intent != intent or run.generation != identity.generation:
        order = RunOrder(RunCommand.PLAN, intent, 1, identity.generation)
        return Conclusion(verdict, order, approved=False)
    order = RunOrder(RunCommand.PLAN, intent, plus(run.attempt, 1), identity.generation)
    report = read_report(run, view.pods)
    error = report.error if report is not None else None
    if report is not None and error is None and not is_void(_make_plan(run, report), status):
        text = "the runner shows a plan without steps, and the database is not at the target"
        return Conclusion(stalled(Reason.INTERNAL.value, text), approved=False)
    if error is None:
        return Conclusion(verdict, order, approved=False)  # made, but its report was lost
    again = ask_again(view, status, run, error, Conclusion(verdict, order), now)
    return replace(again, approved=False)


def _make_plan(run: JobRun, report: Report) -> PlanStatus:
    words = [run.uid, run.intent, report.version or "", str(report.steps_total)]
    words.append(report.plan_checksum or "")
    words += [f"{step.direction} {step.version} {step.name}" for step in report.steps]
    return show_plan(report, words, intent=run.intent, created_at=run.finished_at)


def show_plan(
    report: Report, words: Iterable[str], *, intent: str, created_at: datetime | None
) -> PlanStatus:
    """The plan of a report as the status shows it. Its hash is that of the words."""
    steps = tuple(
        PlanStepStatus(step.version, step.name, step.direction, step.destructive, step.excerpt)
        for step in report.steps[:PLAN_LIMIT]
    )
    return PlanStatus(
        hash=hashlib.sha256("\n".join(words).encode()).hexdigest()[:12],
        intent=intent,
        steps=steps,
        created_at=created_at,
        steps_total=report.steps_total,
        checksum=report.plan_checksum,
        trial=read_trial(report),
    )


def _describe_plan(plan: PlanStatus) -> str:
    """How many steps there are to approve, and whether all of them are shown."""
    words = f"{plan.steps_total} step{'' if plan.steps_total == 1 else 's'}"
    losing = sum(step.destructive for step in plan.steps)
    if losing:
        words += f", {losing} of them destructive"
    found = plan.trial.findings_total
    if found:
        words += f", {found} finding{'' if found == 1 else 's'} of lint"
    if plan.trial.rehearsal is not None:
        words += ", rehearsed"
    if plan.steps_total > len(plan.steps):
        words += f" ({len(plan.steps)} are shown; `dbmigrate plan` shows all)"
    return words
