"""`prune`: remove the rows of the log that explain nothing of the present state any more.

What stays leads to the same state as the whole log did, for older versions of dbmigrate as
well: the newest row of each step and of each version that was set, with the down scripts and
checksums of what is applied, and as many of the newest rows as are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ServerFailure, history_failure
from dbmigrate.postgres.history.log.notes import NoteKind
from dbmigrate.postgres.history.log.reading import prune_sql
from dbmigrate.postgres.history.log.rows import insert_log_sql
from dbmigrate.report import Reason
from dbmigrate.runner.history_writing import new_note, prepare_to_write
from dbmigrate.runner.perform import perform
from dbmigrate.runner.preparation.lost_history import require_history
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `prune` did."""

    removed: int
    left: int


def prune(request: Request, keep: int) -> Result[Pruned]:
    """Remove them, but for the `keep` newest rows; the log gets a row that says so."""
    return perform(request, lambda run: _prune(run, keep))


def _prune(run: Run, keep: int) -> Pruned:
    run.require_clean()
    require_history(run)
    database = run.database
    if not database.history.has_log_table:
        return Pruned(0, 0)
    if not database.reads_log:
        raise MigrationError(
            Reason.STATEMENT_FAILED,
            f"this role may not read the log {database.history.log_table}",
            hint="run as the owner of the history tables",
        )
    prepare_to_write(database)
    history, session = database.history, database.session
    try:
        statements = database.begun(prune_sql(history, keep))
        *_, ((removed,),), ((left,),) = session.query(statements)
        row = new_note(database, NoteKind.PRUNE, f"{removed} rows")
        end = f"; {insert_log_sql(history, row)}" if removed != "0" else ""
        session.query(f"SELECT{end}; COMMIT")
    except ServerFailure as failure:
        session.roll_back()
        raise history_failure(failure, "can't prune the log") from None
    return Pruned(int(removed or 0), int(left or 0))
