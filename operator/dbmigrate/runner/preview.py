"""`plan`: the steps that a run would take, with their SQL.

Changes nothing: no lock, no table, no row. What it says holds for the moment in
which the history was read.
"""

from __future__ import annotations

from dbmigrate.runner.changes import check_changes
from dbmigrate.runner.plan import plan_goto
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Preview, PreviewStep, Result
from dbmigrate.runner.run import Run, perform


def preview(request: Request, version: int | None = None) -> Result[Preview]:
    """The steps to a version, None being the latest; fails as `goto` would."""

    def work(run: Run) -> Preview:
        run.target = run.source.latest if version is None else version
        run.require_clean()
        here = run.database.found.version
        if here is None or (run.target is not None and run.target >= here):
            check_changes(run)
        options = request.options
        plan = plan_goto(run.ground, version, options.out_of_order, options.rollback)
        steps = tuple(
            PreviewStep(step, step.script.load() if step.script else None) for step in plan.steps
        )
        return Preview(run.state, plan.target, steps)

    return perform(request, work, is_locked=False)
