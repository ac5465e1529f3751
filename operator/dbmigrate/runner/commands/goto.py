"""`goto V` and `goto latest`: bring the database to one version, up or down.

This is what the operator's Job runs. The rollback policy applies to it alone: without
one, it goes down as golang-migrate does; Allowed goes down only if every version on the
way can be undone; Forbidden refuses.
"""

from __future__ import annotations

from dbmigrate.policies import OutOfOrder, Rollback
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.runner.commands.resume import resume
from dbmigrate.runner.commands.up import has_nothing_to_do
from dbmigrate.runner.ownership import admit, claim, note_hold, require_no_hold
from dbmigrate.runner.perform import perform
from dbmigrate.runner.pipeline import carry_out
from dbmigrate.runner.planning.goto import plan_goto
from dbmigrate.runner.planning.plan import Plan, PlanInputs
from dbmigrate.runner.preparation.edited_files import check_changes
from dbmigrate.runner.preparation.flyway_baseline import begin
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


def goto(
    request: Request, version: Version | None = None, *, looks_first: bool = False
) -> Result[None]:
    """Go to a version; None is the latest in the source. Being there already is success.

    `looks_first`: the locks are taken only where a look without them finds something to do.
    """

    def leads_there(row: LogRow) -> bool:
        """Whether a step that was asked to stop is on the way."""
        if row.direction == "up":
            return version is None or (row.version is not None and row.version <= version)
        return version is not None and (row.to_version is None or version <= row.to_version)

    def stay(inputs: PlanInputs, policy: OutOfOrder) -> Plan:
        return plan_goto(inputs, version, policy, Rollback.FORBID)

    def work(run: Run) -> None:
        if looks_first:
            if has_nothing_to_do(run, stay):
                return
            run.lock()
            admit(run)
        resume(run, leads_there)
        begin(run)
        plan = make_plan(run, version)
        require_no_hold(run, plan)
        note_hold(run, plan)
        carry_out(run, plan)
        if request.options.owner is not None:
            claim(run)

    return perform(request, work, is_locked=not looks_first)


def make_plan(run: Run, version: Version | None) -> Plan:
    """The steps to that version, which becomes the run's target. Raises MigrationError."""
    here = run.database.found.version
    run.target = run.source.latest_from(here) if version is None else version
    if here is None or (run.target is not None and run.target >= here):
        check_changes(run)
    options = run.request.options
    return plan_goto(run.inputs, version, options.out_of_order, options.rollback)
