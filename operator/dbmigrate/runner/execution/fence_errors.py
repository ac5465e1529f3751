"""Why the version row could not be moved, by the guard that failed.

None of these should happen: a pooler has switched to another backend; another session,
or the file itself, has moved the version in spite of the lock; or the file has ended
the transaction it ran in. In the last case a part of the file may be committed, so the
version is marked dirty.
"""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.history.fence import Fence, move_version_sql
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.log.rows import insert_log_sql
from dbmigrate.report import Reason
from dbmigrate.runner.database import Database
from dbmigrate.runner.execution import errors as step_errors
from dbmigrate.runner.history_writing import new_row
from dbmigrate.runner.planning.step import PlannedStep


def explain_fence(
    database: Database, step: PlannedStep, fence: Fence, location: Location
) -> MigrationError:
    """Raise the error, and mark the version dirty where that is needed."""
    label = step_errors.label(step)
    if not fence.has_tables:
        return MigrationError(
            Reason.FOREIGN_HISTORY,
            "a table of the history was replaced, or given something that runs code when it is"
            f" written (a trigger, a rule, a default, a check, an index): {label} was rolled back",
            location=location,
            hint="remove it from the file, if the file does it; if not, look at who may create"
            " tables in its schema, and who owns the table",
        )
    if not fence.has_transaction:
        mark_dirty(database, step)
        return step_errors.escaped(step, location, "its transaction no longer existed at the end")
    if not fence.has_backend:
        return MigrationError(
            Reason.POOLER_UNSAFE,
            f"the backend changed during the run: {label} was rolled back",
            hint="connect to PostgreSQL directly, or to a port of the pooler in session mode",
        )
    if not fence.has_locks:
        return step_errors.lock_lost(step, location)
    before = database.found
    try:
        database.read()
    except (ServerFailure, ConnectionBroken) as problem:
        return MigrationError(Reason.CONNECTION_LOST, f"can't read the history: {problem}")
    if database.found != before:
        return MigrationError(
            Reason.LOCK_TIMEOUT,
            f"another session moved the version from {before.stored} to {database.found.stored}"
            f" during the run, despite the lock: {label} was rolled back",
        )
    return MigrationError(
        Reason.STATEMENT_FAILED,
        f"{label} changes the version row itself, and was rolled back",
        location=location,
        hint="remove the statements that change the history table, which dbmigrate maintains",
    )


def mark_dirty(database: Database, step: PlannedStep) -> None:
    """Mark the version dirty, for every tool to see: it may not match the schema."""
    wanted = database.found.begun(step.move)
    history = database.history
    sql = move_version_sql(history, database.found, wanted)
    if not adapter_for(history.kind).stores_dirty:
        row = new_row(
            database, step.direction.value, version=step.version, name=step.name, found=step.before
        )
        row = replace(row, to_version=step.after, outcome="dirty")
        sql = f"{sql}; {insert_log_sql(history, row)}"
    try:
        database.on_history(history.guarded(sql))
        database.found = wanted
    except (ServerFailure, ConnectionBroken):
        pass  # the original error says the same
