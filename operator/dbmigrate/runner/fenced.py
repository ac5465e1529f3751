"""When the version row could not be moved: which of the fence's guards it was.

Three things can be wrong, and none of them should ever be: a pooler has given
us another backend, another session has moved the version in spite of the lock,
or the file has ended the transaction it ran in. In the last case a part of the
file may be committed, so the version is marked dirty.
"""

from __future__ import annotations

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres import history_rows
from dbmigrate.postgres.failures import ConnectionBroken, ServerFailure, connection_lost
from dbmigrate.postgres.history_rows import VersionRow
from dbmigrate.report import Reason
from dbmigrate.runner import failed_step
from dbmigrate.runner.database import Database
from dbmigrate.runner.plan import PlannedStep


def explain_fence(database: Database, step: PlannedStep, location: Location) -> MigrationError:
    """Find out by asking the database, and mark it dirty if need be."""
    before = database.found
    label = failed_step.label(step)
    try:
        database.read()
        pid = int(database.session.query("SELECT pg_catalog.pg_backend_pid()")[0][0][0] or 0)
    except ConnectionBroken as broken:
        return connection_lost(broken, label)
    except ServerFailure as failure:
        return MigrationError(Reason.CONNECTION_LOST, f"can't read the history: {failure}")
    if pid != database.pid:
        return MigrationError(
            Reason.POOLER_UNSAFE,
            f"the backend changed from pid {database.pid} to {pid} during the run:"
            f" {label} was rolled back",
            hint="connect to PostgreSQL itself, or to a port of the pooler in session mode",
        )
    if database.found != before:
        return MigrationError(
            Reason.LOCK_TIMEOUT,
            f"another session moved the version row from {before.stored} to"
            f" {database.found.stored} during the run: {label} was rolled back",
        )
    mark_dirty(database, step)
    return failed_step.escaped(step, location, "its transaction was gone at the end of the file")


def mark_dirty(database: Database, step: PlannedStep) -> None:
    """The version and the schema may disagree now: say so where everybody looks."""
    wanted = VersionRow(-1 if step.after is None else step.after, dirty=True)
    try:
        database.session.query(
            history_rows.move_version_sql(database.history, database.found, wanted)
        )
        database.found = wanted
    except (ServerFailure, ConnectionBroken):
        pass  # the error that led here says the same to whoever reads it
