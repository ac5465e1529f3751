"""A plan that waits for approval, as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dbmigrate.api.spec import Approval
from dbmigrate.api.status import PlanStatus, PlanStepStatus
from dbmigrate.kubectl.problems import RequestFailed
from dbmigrate.kubectl.resource import Resource
from dbmigrate.kubectl.text.ages import age_of
from dbmigrate.kubectl.text.table import Cell, Tone
from dbmigrate.kubectl.text.trials import describe_findings, describe_rehearsal


class NoPlan(RequestFailed):
    """There is nothing to show or to approve."""


def find_plan(resource: Resource) -> PlanStatus:
    """The plan of the present generation. Raises NoPlan, which says why there is none."""
    name = resource.name
    if resource.approval != Approval.MANUAL:
        raise NoPlan(
            f"{name} has no plan: its spec.approval is {resource.approval}, "
            "so pending migrations run at once"
        )
    if not resource.is_observed:
        raise NoPlan(f"{name} has no plan yet: the operator has not seen its newest spec")
    plan = resource.status.plan
    if plan is not None:
        return plan
    if resource.is_ready:
        raise NoPlan(f"{name} has no plan: nothing is pending")
    message = resource.ready.message if resource.ready is not None else ""
    raise NoPlan(f"{name} has no plan yet: {resource.reason}: {message}")


def describe_plan(resource: Resource, plan: PlanStatus, now: datetime) -> Iterator[list[Cell]]:
    """The lines: its hash, then each step with the beginning of its SQL."""
    name, namespace = resource.name, resource.identity.namespace
    made = age_of(plan.created_at, now)
    yield [
        Cell(f"Plan {plan.hash}", Tone.HEAD),
        Cell(f" of {name} in namespace {namespace}: {count_steps(plan)}"),
        Cell(f", made {made} ago" if made else ""),
        Cell(", approved" if resource.is_approved else ""),
    ]
    yield from describe_steps(plan)


def describe_steps(plan: PlanStatus) -> Iterator[list[Cell]]:
    """The steps, the findings of lint, and the rehearsal."""
    width = max((len(step.version) for step in plan.steps), default=0)
    for step in plan.steps:
        yield from _describe_step(step, width)
    hidden = plan.steps_total - len(plan.steps)
    if hidden > 0:
        yield [Cell(f"  ... and {hidden} more, which the status does not hold", Tone.BUSY)]
    if plan.trial.findings_total:
        yield [Cell("Findings of lint:", Tone.HEAD)]
    for finding in describe_findings(plan.trial):
        yield [Cell("  "), finding]
    rehearsed = describe_rehearsal(plan.trial)
    if rehearsed is not None:
        yield [Cell("Rehearsed:", Tone.HEAD), Cell(f" {rehearsed}")]


def count_steps(plan: PlanStatus) -> str:
    """How many steps, and how many of the shown ones destroy data."""
    words = f"{plan.steps_total} step{'' if plan.steps_total == 1 else 's'}"
    losing = sum(step.destructive for step in plan.steps)
    return f"{words}, {losing} destructive" if losing else words


def _describe_step(step: PlanStepStatus, width: int) -> Iterator[list[Cell]]:
    tone = Tone.BAD if step.destructive else Tone.PLAIN
    mark = "   destroys data" if step.destructive else ""
    yield [Cell(f"  {step.direction:4} {step.version:>{width}}  {step.name}{mark}", tone)]
    for line in (step.excerpt or "").splitlines():
        yield [Cell(f"         {line}")]
