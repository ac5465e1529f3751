"""A schema that another session has dropped or renamed while a run was at work in it.

A session may rename a schema whatever others do in it, and drop it between two steps. What
fails then is a statement that names a table of the file, or of the history.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.sqltext.quoting import identifier, literal
from dbmigrate.printable import one_line
from dbmigrate.report import Reason
from dbmigrate.runner.database import Database


def name_lost_schema(database: Database, error: MigrationError) -> MigrationError:
    """The error of a run whose history can't be read any more; its cause, if that is known."""
    history, session = database.history, database.session
    if not history.has_version_table or not session.is_open:
        return error
    oid = dict(history.oids).get(history.table, 0)
    schema = literal(identifier(history.schema))
    try:
        session.roll_back()
        (((exists, now),),) = session.query(
            f"SELECT pg_catalog.to_regnamespace({schema}) IS NOT NULL,"
            " (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
            " ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
            f" WHERE c.oid OPERATOR(pg_catalog.=) '{oid}'::pg_catalog.oid)"
        )
    except (ServerFailure, ConnectionBroken):
        return error
    if now is not None and now != history.schema:
        what = f'renamed to "{one_line(now)}"'
    elif now is None and exists == "f":
        what = "dropped"
    else:
        return error
    found = MigrationError(
        Reason.DATABASE_MISSING,
        f'schema "{history.schema}" was {what} while this run was at work in it: {error.message}',
        sqlstate=error.sqlstate,
        hint="let the URL, or the list of targets, name a schema that exists",
    )
    found.__cause__ = error
    return found
