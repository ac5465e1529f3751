"""`down [N]`: undo applied migrations, all of them or at most N steps.

As with golang-migrate a version without a down script just moves the version
row: who types `down` is a person who looks. `goto` can be told to refuse that.
"""

from __future__ import annotations

from dbmigrate.runner.plan import plan_down
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run, perform


def down(request: Request, limit: int | None = None) -> Result[None]:
    """Undo migrations; `limit` None means all of them.

    With a limit golang-migrate's Steps: none left is an error, and so is fewer
    than asked for, after what there is was undone. Zero does nothing.
    """

    def work(run: Run) -> None:
        if limit == 0:
            return
        run.require_resumable()
        run.carry_out(plan_down(run.ground, limit, request.options.rollback))

    return perform(request, work)
