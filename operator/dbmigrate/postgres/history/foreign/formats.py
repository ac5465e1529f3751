"""The histories of the other formats in the same database, by the names that their tools give them.

Each format has a table of its own. Files that are converted, or written for another tool, would
begin in a new table, beside one that says what was run.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.search_path import CURRENT_SCHEMA, KEEP_SCHEMA
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ATLAS_SCHEMA, HistoryKind, HistoryTable
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.log.notes import NOTED, NoteKind
from dbmigrate.postgres.history.relations import History, log_name
from dbmigrate.postgres.history.tables import look
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.versions import Version


def find_other_formats(session: Session, history: History) -> list[History]:
    """Those of other formats under their default names, in the history's schema and in Atlas's; for
    Atlas's own, where the search path leads. Tables that may not be trusted do not count."""
    is_atlas = history.schema == ATLAS_SCHEMA
    elsewhere = CURRENT_SCHEMA if is_atlas else literal(ATLAS_SCHEMA)
    names = {kind.default_table for kind in HistoryKind} - {history.table}
    either = {name: table for table in names for name in (table, log_name(table))}
    _, rows = session.query(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN ({literal(history.schema)}, {elsewhere}) AND c.relkind = 'r'"
        f" AND c.relname IN ({', '.join(map(literal, either))}) ORDER BY 1, 2",
        before=KEEP_SCHEMA,
    )
    places = dict.fromkeys((schema or "", either[name or ""]) for schema, name in rows)
    found = (_look(session, schema, table) for schema, table in places)
    return [each for each in found if each is not None]


def _look(session: Session, schema: str, table: str) -> History | None:
    """By the first format that the table fits: dbmate's has the name of golang-migrate's."""
    for kind in HistoryKind:
        if kind.default_table != table:
            continue
        try:
            return look(session, HistoryTable(schema, table, kind)).history
        except MigrationError:
            continue
    return None


def end_of_log(session: Session, history: History) -> Version | None:
    """The version at which its log ends; None: at none, or there is no log to read, or another
    history has taken its place."""
    if not history.knows_log or is_taken_over(session, history):
        return None
    *_, rows = session.query(
        history.guarded_reading(
            f"SELECT to_version FROM {history.log_table} WHERE outcome = 'applied'"
            " ORDER BY id DESC LIMIT 1"
        )
    )
    return history.read_version(rows[0][0]) if rows else None


def version_of(session: Session, history: History) -> Version | None:
    """The version that its table has, or at which its log ends.

    Raises MigrationError and ServerFailure.
    """
    if history.has_version_table:
        adapter = adapter_for(history.kind)
        answers = session.query(history.guarded_reading(adapter.read_sql(history)))
        version = adapter.take(answers, history).version
        if version is not None:
            return version
    return end_of_log(session, history)


def is_taken_over(session: Session, history: History) -> bool:
    """Whether its log says that another history has taken its place."""
    if not history.knows_log:
        return False
    *_, rows = session.query(
        history.guarded_reading(
            f"SELECT name FROM {history.log_table} WHERE outcome = '{NOTED}'"
            f" AND direction = '{NoteKind.TAKEOVER}' ORDER BY id DESC LIMIT 1"
        )
    )
    return bool(rows and rows[0][0])
