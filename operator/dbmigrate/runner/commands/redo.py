"""`redo`: undo the newest migration and apply the same one again.

One plan from one reading of the history, under one lock: the version that is undone is the
version that is applied, whatever else is pending. Without its file nothing is undone.
"""

from __future__ import annotations

from dbmigrate.runner.perform import perform
from dbmigrate.runner.pipeline import carry_out
from dbmigrate.runner.planning.down import plan_redo
from dbmigrate.runner.preparation.lost_history import require_history
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run


def redo(request: Request) -> Result[None]:
    """Undo and apply what was applied last.

    Its file may have been edited since: `redo` is for trying such an edit.
    """

    def work(run: Run) -> None:
        run.require_clean()
        require_history(run)
        carry_out(run, plan_redo(run.inputs, request.options.rollback))

    return perform(request, work)
