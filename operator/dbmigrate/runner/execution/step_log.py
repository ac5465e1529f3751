"""A step's row in the log, for a step that runs and for one that failed."""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.history.log.rows import NewLogRow, insert_log_sql
from dbmigrate.runner.database import Database
from dbmigrate.runner.execution.script_text import ScriptText
from dbmigrate.runner.history_writing import new_row
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.planning.step import PlannedStep


def new_log_row(database: Database, step: PlannedStep, text: ScriptText) -> NewLogRow:
    """The row of a step; that of an up step keeps the down script."""
    row = new_row(
        database, step.direction.value, version=step.version, name=step.name, found=step.before
    )
    row = replace(row, to_version=step.after, checksum=text.checksum)
    down = step.undo
    if down is None or down.is_template:
        return row
    try:
        script = down.load().decode()
    except (MigrationError, UnicodeDecodeError) as error:
        message = f"the history does not keep this down script: {error}"
        database.request.observer.notice(Notice("WARNING", message, down.file))
        return row
    return replace(row, down_file=down.file, down_script=script)


def record_failure(database: Database, row: NewLogRow, error: MigrationError) -> None:
    """Append a failed attempt to the log. A failure to do so is not reported in addition."""
    message = f"{error.message} (SQLSTATE {error.sqlstate})" if error.sqlstate else error.message
    failed = replace(
        row,
        to_version=row.from_version,
        outcome="failed",
        down_file=None,
        down_script=None,
        error=message.replace("\0", ""),
    )
    try:
        database.on_history(database.history.guarded(insert_log_sql(database.history, failed)))
    except (ServerFailure, ConnectionBroken):
        pass
