"""`down [N]`: undo applied migrations, all of them, at most N steps, or down to a version.

As with golang-migrate a version without a down script only changes the version
row, because `down` is typed by a person. `goto` can be told to refuse that.
"""

from __future__ import annotations

from dbmigrate.runner.perform import perform
from dbmigrate.runner.pipeline import carry_out
from dbmigrate.runner.planning.down import plan_down, plan_down_to
from dbmigrate.runner.preparation.lost_history import require_history
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


def down(request: Request, limit: int | None = None, lowest: Version | None = None) -> Result[None]:
    """Undo migrations; `limit` None means all of them, or all that are above `lowest`.

    With a limit it behaves as golang-migrate's Steps: none left is an error, and so is fewer
    than asked for, after the available steps are undone. Zero does nothing.
    """

    def work(run: Run) -> None:
        if limit == 0:
            return
        run.require_resumable()
        require_history(run)
        rollback = request.options.rollback
        if lowest is not None:
            carry_out(run, plan_down_to(run.inputs, lowest, rollback))
        else:
            carry_out(run, plan_down(run.inputs, limit, rollback))

    return perform(request, work)
