"""What commands that go up or down do first: finish the step in which a run was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbmigrate.postgres.history.log.rows import LogRow
    from dbmigrate.runner.run import Run


def resume(run: Run, is_wanted: Callable[[LogRow], bool]) -> bool:
    """As `Run.require_resumable`, but a step that was interrupted is finished first.

    `is_wanted` says of the step's log row whether the command leads that way. Returns
    whether there was such a step. Raises MigrationError.
    """
    has_finished = False
    if run.database.found.dirty and run.unfinished is None:
        from dbmigrate.runner.commands.repair import finish_interrupted

        has_finished = finish_interrupted(run, is_wanted)
    run.require_resumable()
    return has_finished
