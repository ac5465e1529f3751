"""`up [N]`: apply what is pending, all of it, at most N steps, or up to a version."""

from __future__ import annotations

from collections.abc import Callable

from dbmigrate.errors import MigrationError
from dbmigrate.policies import OutOfOrder
from dbmigrate.report import Reason
from dbmigrate.runner.commands.resume import resume
from dbmigrate.runner.ownership import admit, has_to_note
from dbmigrate.runner.perform import perform
from dbmigrate.runner.pipeline import carry_out
from dbmigrate.runner.planning.plan import Plan, PlanInputs
from dbmigrate.runner.planning.up import pending, plan_up, plan_up_to
from dbmigrate.runner.preparation.edited_files import check_changes
from dbmigrate.runner.preparation.flyway_baseline import begin
from dbmigrate.runner.request import Goal, Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.versions import Role, Version


def up(
    request: Request,
    limit: int | None = None,
    highest: Version | None = None,
    *,
    looks_first: bool = False,
) -> Result[None]:
    """Apply pending migrations; `limit` None means all, or all that are not above `highest`.

    With a limit it behaves as golang-migrate's Steps: none left is an error, and so is fewer
    than asked for, after the available steps are applied. Zero does nothing.

    `looks_first`: the locks are taken only where a look without them finds something to do.
    """

    def work(run: Run) -> None:
        if limit == 0:
            return
        if looks_first:
            if has_nothing_to_do(run, lambda inputs, policy: plan_up(inputs, None, policy)):
                return
            run.lock()
            admit(run)
        left = limit
        if resume(run, lambda row: row.direction == "up") and left is not None:
            left -= 1
            if left == 0:
                return
        begin(run)
        check_changes(run)
        policy = request.options.out_of_order
        goal = request.options.goal if limit is None else None
        if highest is not None:
            carry_out(run, plan_up_to(run.inputs, highest, policy))
        elif goal is not None:
            carry_out(run, _plan_goal(run, goal))
        else:
            carry_out(run, plan_up(run.inputs, left, policy))

    return perform(request, work, is_locked=not looks_first)


def has_nothing_to_do(run: Run, plan: Callable[[PlanInputs, OutOfOrder], Plan]) -> bool:
    """Whether a run of that plan would change nothing and has nothing to complain of, as far as is
    known without the locks."""
    found = run.database.found
    if has_to_note(run):
        return False
    if found.dirty or found.stored is None or run.database.successor is not None:
        return False
    try:
        if plan(run.inputs, run.request.options.out_of_order).steps:
            return False
        check_changes(run)
    except MigrationError:
        return False  # the run that takes the locks reports the error
    return True


def _plan_goal(run: Run, goal: Goal) -> Plan:
    """Raises MigrationError (MissingVersion) for a version without a file."""
    version, policy = goal.version, run.request.options.out_of_order
    if version is not None and goal.must_exist and not run.source.knows(version):
        raise MigrationError(
            Reason.MISSING_VERSION,
            f"no migration with a target version {version} could be found",
            hint=f"name the version of a file, or {version}? for those up to it",
        )
    if version is None:
        here = run.database.found.version
        ahead = (m.version for m in pending(run.inputs, here) if m.role is not Role.REPEATABLE)
        version = next(ahead, here) if goal.is_next else here
    return Plan((), None) if version is None else plan_up_to(run.inputs, version, policy)
