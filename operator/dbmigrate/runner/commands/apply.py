"""`apply [N]`: go up as Atlas's `migrate apply` does.

A step that stopped halfway is finished first, statement by statement. A history begins
in an empty database only, unless a baseline version or permission for a non-empty
database is given. Fewer migrations than asked for are enough.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder, Rollback
from dbmigrate.postgres.history.emptiness import unclean
from dbmigrate.report import Reason
from dbmigrate.runner.answers import Preview
from dbmigrate.runner.commands.read_only.plan import as_planned, make_preview
from dbmigrate.runner.commands.repair import Remainder, find_remainder, finish
from dbmigrate.runner.perform import perform
from dbmigrate.runner.pipeline import carry_out
from dbmigrate.runner.planning.applied_number import read_applied
from dbmigrate.runner.planning.goto import plan_goto
from dbmigrate.runner.planning.plan import Plan, PlanInputs
from dbmigrate.runner.planning.step import PlannedStep, moves_up
from dbmigrate.runner.planning.up import plan_at_most
from dbmigrate.runner.preparation.edited_files import check_changes
from dbmigrate.runner.preparation.forced_version import set_version
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


@dataclass(frozen=True, slots=True)
class ApplyOrder:
    """How far to go, and from where."""

    limit: int | None = None
    """None: all."""
    target: Version | None = None
    """None: the latest."""
    baseline: Version | None = None
    """The version that the database already has, if nothing is applied yet."""
    may_hold_something: bool = False
    """Whether a history may begin in a database that is not empty."""

    def without_one(self) -> ApplyOrder:
        """The remaining steps after a step."""
        return replace(self, limit=None if self.limit is None else self.limit - 1)


def apply(request: Request, order: ApplyOrder) -> Result[None]:
    """Apply what is pending."""

    def work(run: Run) -> None:
        left = None
        if run.database.found.dirty and run.unfinished is None:
            left = _remainder(run)
            if left is None:
                finish(run)
                run.database.read()
        if left is None:
            run.require_resumable()
        is_new = run.database.found.version is None and not run.database.found.dirty
        # Any fault of the plan stops the run before anything is written.
        plan = _lay_out(run, order, left)
        _tell(run, plan, left)
        if left is not None:
            finish(run)
            run.database.read()
            check_changes(run)
            plan = replace(plan, steps=plan.steps[1:])
        elif is_new and order.baseline is not None:
            set_version(run, "baseline", order.baseline)
            run.database.read()
        carry_out(run, plan)

    return perform(request, work)


def preview_apply(request: Request, order: ApplyOrder) -> Result[Preview]:
    """What `apply` would run. Changes nothing, takes no lock."""

    def work(run: Run) -> Preview:
        left = _remainder(run)
        if left is None:
            run.require_resumable()
        plan = _lay_out(run, order, left)
        run.target = plan.target
        _tell(run, plan, left)
        goes_on = f"continues with statement {left.done + 1} of {left.text.file}" if left else None
        return make_preview(run, plan, goes_on)

    return as_planned(perform(request, work, is_locked=False))


def _remainder(run: Run) -> Remainder | None:
    """The file that stopped halfway; None: there is none, or Atlas's table is not in use."""
    return find_remainder(run) if run.database.found.partial is not None else None


def _tell(run: Run, plan: Plan, left: Remainder | None = None) -> None:
    run.request.observer.planned(plan.steps, left.done if left else 0)


def _lay_out(run: Run, order: ApplyOrder, left: Remainder | None) -> Plan:
    """The whole plan, before anything is written."""
    found, policy = run.database.found, run.request.options.out_of_order
    first: tuple[PlannedStep, ...] = ()
    if left is not None:
        first, order = (left.step,), order.without_one()
        found = found.stepped(left.step.move)
    elif found.version is None and not found.dirty:
        _check_beginning(run, order)
        if order.baseline is not None:
            found = found.baselined(order.baseline, moves_up(run.source.migrations))
    inputs = replace(run.inputs, applied=read_applied(found, run.database.log))
    if found is run.database.found:
        check_changes(run)
    plan = _plan(inputs, order, policy)
    return replace(plan, steps=(*first, *plan.steps))


def _plan(inputs: PlanInputs, order: ApplyOrder, policy: OutOfOrder) -> Plan:
    if inputs.source.is_empty and inputs.version is None and order.target is None:
        return Plan((), None)  # a project without a first migration, to Atlas
    if order.target is not None:
        return plan_goto(inputs, order.target, policy, Rollback.FORBID)
    return plan_at_most(inputs, order.limit, policy)


def _check_beginning(run: Run, order: ApplyOrder) -> None:
    """Raise MigrationError where no history may begin: the version is unknown, or the
    database is not empty."""
    baseline = order.baseline
    if baseline is None:
        from dbmigrate.runner.preparation.lost_history import require_history

        require_history(run)
        _require_empty(run, order)
    elif not run.source.knows(baseline):
        raise MigrationError(Reason.MISSING_VERSION, f'baseline version "{baseline}" not found')


def _require_empty(run: Run, order: ApplyOrder) -> None:
    if order.may_hold_something:
        return
    schema = run.request.target.search_path
    found = unclean(run.database.session, run.database.history, schema=schema)
    if found is not None:
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"sql/migrate: connected database is not clean: found {found}."
            " baseline version or allow-dirty is required",
            hint="say which version the database has (baseline V), or that it may hold something"
            " (allow-dirty)",
        )
