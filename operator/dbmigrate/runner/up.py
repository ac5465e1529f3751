"""`up [N]`: apply what is pending, all of it or at most N steps."""

from __future__ import annotations

from dbmigrate.runner.changes import check_changes
from dbmigrate.runner.plan import plan_up
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run, perform


def up(request: Request, limit: int | None = None) -> Result[None]:
    """Apply pending migrations; `limit` None means all of them.

    With a limit golang-migrate's Steps: none left is an error, and so is fewer
    than asked for, after what there is was applied. Zero does nothing.
    """

    def work(run: Run) -> None:
        if limit == 0:
            return
        run.require_resumable()
        check_changes(run)
        run.carry_out(plan_up(run.ground, limit, request.options.out_of_order))

    return perform(request, work)
