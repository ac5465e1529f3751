"""What is done on each target: the use cases of a single run, and the verdicts they amount to.

`decide` is for what a history leaves no doubt of: it asks no server. `look` runs on the target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dbmigrate.report import Outcome, Reason, Report, ReportError
from dbmigrate.runner.answers import VerifyFinding
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.fleet.judgement import Judgement, OrderState
from dbmigrate.runner.fleet.target import FleetTarget
from dbmigrate.runner.fleet.verdict import (
    TargetOutcome,
    TargetVerdict,
    make_verdict,
    outcome_of_failure,
)
from dbmigrate.runner.ownership import require_live, require_new_order
from dbmigrate.runner.perform import perform
from dbmigrate.runner.pipeline import try_out
from dbmigrate.runner.planning.goto import plan_goto
from dbmigrate.runner.planning.plan import Plan
from dbmigrate.runner.planning.up import plan_up
from dbmigrate.runner.preparation.edited_files import check_changes
from dbmigrate.runner.preparation.flyway_baseline import begin
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version

_PLAN_LIMIT = 8
"""Versions that the note of a plan names."""
_REASONS = {
    "dirty": Reason.DIRTY,
    "missing": Reason.MISSING_VERSION,
    "future": Reason.MISSING_VERSION,
    "out of order": Reason.OUT_OF_ORDER,
    "taken over": Reason.FOREIGN_HISTORY,
    "lost": Reason.FOREIGN_HISTORY,
}
"""By the kind of a finding; any other one means that files and history do not agree."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a run on one target is told."""

    version: Version | None
    """Where the target should be; None: at the newest version of the files."""
    is_behind: bool
    """Whether it is known to be elsewhere."""


@dataclass(frozen=True, slots=True)
class FleetTask:
    """One command on a fleet."""

    decide: Callable[[FleetTarget, Judgement], TargetVerdict | None]
    """The verdict by the history alone; None where it takes a look, or a run."""
    look: Callable[[FleetTarget, Request, Look], TargetVerdict]
    """The verdict of a run on the target."""


def _decide_up(target: FleetTarget, found: Judgement) -> TargetVerdict | None:
    is_done = not found.steps and found.order is not OrderState.NEW
    return _judged(target, found, TargetOutcome.CURRENT) if is_done else None


def _up(target: FleetTarget, request: Request, look: Look) -> TargetVerdict:
    return _moved(target, up(request, looks_first=not look.is_behind).report)


def _goto(target: FleetTarget, request: Request, look: Look) -> TargetVerdict:
    return _moved(target, goto(request, look.version, looks_first=not look.is_behind).report)


def _moved(target: FleetTarget, report: Report) -> TargetVerdict:
    if report.error is not None:
        return make_verdict(target, report, outcome_of_failure(report))
    has_moved = report.outcome in (Outcome.APPLIED, Outcome.ROLLED_BACK)
    return make_verdict(
        target, report, TargetOutcome.MIGRATED if has_moved else TargetOutcome.CURRENT
    )


def _decide_status(target: FleetTarget, found: Judgement) -> TargetVerdict | None:
    if found.steps and found.order is OrderState.DONE:
        return None  # a run tells it
    outcome = TargetOutcome.PENDING if found.steps else TargetOutcome.CURRENT
    return _judged(target, found, outcome)


def _status(target: FleetTarget, request: Request, look: Look) -> TargetVerdict:
    return _foreseen(target, foresee(request, look.version))


def _decide_plan(target: FleetTarget, found: Judgement) -> TargetVerdict | None:
    return None if found.steps else _judged(target, found, TargetOutcome.CURRENT)


def _plan(target: FleetTarget, request: Request, look: Look) -> TargetVerdict:
    return _foreseen(target, foresee(request, look.version, tries_out=True))


def _decide_verify(target: FleetTarget, found: Judgement) -> TargetVerdict | None:
    return _judged(target, found, TargetOutcome.CURRENT) if found.is_consistent else None


def _verify(target: FleetTarget, request: Request, look: Look) -> TargetVerdict:
    del look
    result = verify(request)
    report = result.report
    if report.error is not None:
        return make_verdict(target, report, outcome_of_failure(report))
    if not result.value:
        return make_verdict(target, report, TargetOutcome.CURRENT)
    error = _disagreement(result.value)
    is_dirty = error.reason is Reason.DIRTY
    outcome = TargetOutcome.DIRTY if is_dirty else TargetOutcome.FAILED
    return make_verdict(target, replace(report, error=error), outcome)


def _decide_wait(target: FleetTarget, found: Judgement) -> TargetVerdict | None:
    return None if found.steps else _judged(target, found, TargetOutcome.CURRENT)


def _wait(target: FleetTarget, request: Request, look: Look) -> TargetVerdict:
    """One poll: the caller that waits for the fleet asks again."""
    del look
    report = wait(request, timeout=0).report
    if report.error is None:
        return make_verdict(target, report, TargetOutcome.CURRENT)
    is_waiting = report.outcome is Outcome.WAITING
    return make_verdict(
        target, report, TargetOutcome.PENDING if is_waiting else outcome_of_failure(report)
    )


TASKS = {
    "up": FleetTask(_decide_up, _up),
    "goto": FleetTask(_decide_up, _goto),
    "status": FleetTask(_decide_status, _status),
    "plan": FleetTask(_decide_plan, _plan),
    "verify": FleetTask(_decide_verify, _verify),
    "wait": FleetTask(_decide_wait, _wait),
}
"""By the word of the command line."""


def foresee(
    request: Request, version: Version | None = None, *, tries_out: bool = False
) -> Result[Plan]:
    """What `up` would do, or with a version `goto`, which fails as that would; changes nothing and
    locks nothing.

    `tries_out`: with lint and a rehearsal, where these are asked for.
    """

    def work(run: Run) -> Plan:
        run.require_resumable()
        begin(run, is_preview=True)
        options, here = request.options, run.database.found.version
        if version is None or here is None or version >= here:
            check_changes(run)
        if version is None:
            plan = plan_up(run.inputs, None, options.out_of_order)
        else:
            plan = plan_goto(run.inputs, version, options.out_of_order, options.rollback)
        run.begin(plan)
        require_live(run, plan)
        if plan.steps:
            require_new_order(run)
        if tries_out:
            try_out(run, plan)
        return plan

    return perform(request, work, is_locked=False)


def _foreseen(target: FleetTarget, found: Result[Plan]) -> TargetVerdict:
    report = found.report
    if report.error is not None or found.value is None:
        return make_verdict(target, report, outcome_of_failure(report))
    steps = tuple(step.version for step in found.value.steps)
    outcome = TargetOutcome.PENDING if steps else TargetOutcome.CURRENT
    verdict = make_verdict(target, report, outcome, note=_describe(steps))
    return replace(verdict, pending=len(steps), dirty=bool(report.dirty))


def _judged(target: FleetTarget, found: Judgement, outcome: TargetOutcome) -> TargetVerdict:
    return TargetVerdict(
        target,
        outcome,
        version=str(found.version),
        dirty=False,
        pending=len(found.steps),
        note=_describe(found.steps),
    )


def _describe(steps: tuple[Version, ...]) -> str:
    """`2 steps: 4, 5`."""
    if not steps:
        return ""
    named = ", ".join(str(version) for version in steps[:_PLAN_LIMIT])
    more = f" and {len(steps) - _PLAN_LIMIT} more" if len(steps) > _PLAN_LIMIT else ""
    return f"{len(steps)} {'steps' if len(steps) > 1 else 'step'}: {named}{more}"


def _disagreement(findings: tuple[VerifyFinding, ...]) -> ReportError:
    first = findings[0]
    more = f"; and {len(findings) - 1} more" if len(findings) > 1 else ""
    return ReportError(
        reason=_REASONS.get(first.kind, Reason.CHECKSUM_MISMATCH),
        message=f"{first.message}{more}",
        retryable=False,
    )
