"""`apply [N]`: go up as Atlas's `migrate apply` does.

A step that stopped halfway is finished first. A history is begun in an empty database
alone, unless its version is said (the baseline), or that it may hold something. Fewer
migrations than asked for are enough.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.occupied import first_object
from dbmigrate.report import Reason
from dbmigrate.runner.changes import check_changes
from dbmigrate.runner.force import set_version
from dbmigrate.runner.plan import plan_at_most, plan_goto
from dbmigrate.runner.repair import finish
from dbmigrate.runner.request import Request, Rollback
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run, perform
from dbmigrate.versions import Version


@dataclass(frozen=True, slots=True)
class ApplyOrder:
    """How far, and from where."""

    limit: int | None = None
    """None: all."""
    target: Version | None = None
    """None: the latest."""
    baseline: Version | None = None
    """What the database has already, if nothing is applied yet."""
    may_hold_something: bool = False
    """Whether a history may begin in a database that is not empty."""


def apply(request: Request, order: ApplyOrder) -> Result[None]:
    """Apply what is pending."""

    def work(run: Run) -> None:
        if run.database.found.dirty:
            finish(run)
            run.database.read()
        run.require_clean()
        if run.database.found.version is None:
            _begin(run, order)
        check_changes(run)
        policy = request.options.out_of_order
        if order.target is not None:
            run.carry_out(plan_goto(run.ground, order.target, policy, Rollback.FORBID))
        else:
            run.carry_out(plan_at_most(run.ground, order.limit, policy))

    return perform(request, work)


def _begin(run: Run, order: ApplyOrder) -> None:
    if order.baseline is not None:
        if not run.source.knows(order.baseline):
            raise MigrationError(
                Reason.MISSING_VERSION, f'baseline version "{order.baseline}" not found'
            )
        set_version(run, "baseline", order.baseline)
        run.database.read()
        return
    found = (
        None
        if order.may_hold_something
        else first_object(run.database.session, run.database.history)
    )
    if found is not None:
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"connected database is not clean: found {found}."
            " baseline version or allow-dirty is required",
            hint="say which version it has: -baseline V",
        )
