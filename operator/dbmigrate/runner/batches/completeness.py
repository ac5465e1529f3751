"""Whether a step in batches visits every row: its key before the first batch, the rest after the
last one.

What the text shows is checked when the file is read (postgres/sqltext/batched). A check that
cannot be made here is a warning.
"""

from __future__ import annotations

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres.batches.key import has_null, read_key
from dbmigrate.postgres.batches.query import fill_parameters
from dbmigrate.postgres.batches.state import BatchState
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.sqltext.batched.limited_query import LimitedQuery
from dbmigrate.postgres.sqltext.batched.script import BatchedScript
from dbmigrate.report import Reason
from dbmigrate.runner.database import Database
from dbmigrate.runner.observer import Notice


def require_key(database: Database, script: BatchedScript, location: Location) -> None:
    """Raise MigrationError (StatementFailed) if the cursor follows columns that several rows share
    or that are NULL in some row: those rows would be left out."""
    query = script.limited
    if query is None or query.table is None or not query.keys:
        return
    names = ", ".join(query.keys)
    try:
        key = read_key(database.session, query.table, query.keys)
        if key is None:
            return
        if not key.is_unique and not query.has_repetition:
            raise MigrationError(
                Reason.STATEMENT_FAILED,
                f"the cursor follows {names} of {query.table}, which no unique index covers: a"
                " batch may end between two rows of one value, and the next one starts after both",
                location=location,
                hint="add the primary key as the cursor's last column, or write FETCH FIRST"
                " :batch_size ROWS WITH TIES in the place of LIMIT",
            )
        if not query.has_null_test and has_null(database.session, key):
            nullable = " or ".join(key.nullable)
            raise MigrationError(
                Reason.STATEMENT_FAILED,
                f"{query.table} has rows whose {nullable} is NULL: they never follow the"
                " cursor, and would be skipped",
                location=location,
                hint="follow another key; or write that the column IS NOT NULL next to the"
                " comparison with :cursor, if these rows should be skipped",
            )
    except ServerFailure as failure:
        database.session.roll_back()
        _warn(database, script, f"whether {names} is a key is not known: {failure.error.message}")


def has_rows_left(database: Database, script: BatchedScript, state: BatchState) -> bool:
    """Whether the query that limits a batch's rows still finds some after the cursor."""
    query = script.limited
    if query is None:
        return False
    sql = _probe(script, query, state)
    settings = "; ".join(database.settings.statements())
    try:
        rows = database.session.query_as_user(f"BEGIN READ WRITE; {settings}; {sql}; ROLLBACK")
    except ServerFailure as failure:
        database.session.roll_back()
        problem = f"whether rows are left is not known: {failure.error.message}"
        _warn(database, script, problem)
        return False
    return bool(rows[-1])


def rows_left(what: str, location: Location) -> MigrationError:
    """A batch has changed nothing although its query finds rows."""
    return MigrationError(
        Reason.STATEMENT_FAILED,
        f"{what} changes none of the rows that it selects: they would be skipped",
        location=location,
        hint="move conditions outside of the part with LIMIT :batch_size into that part; a trigger"
        " that returns NULL, a rule, row security or ON CONFLICT DO NOTHING may be the"
        " cause as well",
    )


def require_progress(database: Database, script: BatchedScript, state: BatchState) -> None:
    """Raise MigrationError (StatementFailed) if a step without a cursor has updated more rows than
    its table has: it selects again what it has changed."""
    if script.keys or script.table is None or not script.is_update:
        return
    try:
        ((rows,),) = database.session.query_as_user(
            f"SELECT pg_catalog.count(*) FROM {script.table}"
        )[0]
    except ServerFailure:
        database.session.roll_back()
        return
    if state.rows > int(rows or 0):
        raise MigrationError(
            Reason.STATEMENT_FAILED,
            f"{state.rows} rows were updated, and {script.table} has {rows}: the statement selects"
            " again what it has changed, and would not end",
            location=Location(script.file, script.line),
            hint="add a condition that its own change makes false, or follow a :cursor",
        )


def _probe(script: BatchedScript, query: LimitedQuery, state: BatchState) -> str:
    parts = fill_parameters(script, query.start, query.end, state.cursor, 1)
    inner = b"".join(text for text, _ in parts).decode()
    return f"SELECT 1 FROM ({inner}\n) AS dbmigrate_left LIMIT 1"


def _warn(database: Database, script: BatchedScript, message: str) -> None:
    database.request.observer.notice(Notice("WARNING", message, script.file))
