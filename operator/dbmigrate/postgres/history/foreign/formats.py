"""The other histories in the same database: of other formats, and under names of their own.

Each format has a table of its own. Files that are converted, or written for another tool, would
begin in a new table, beside one that says what was run. A history under a name of its own is a
second one on purpose, unless its log says something else (succession.py beside this module).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.search_path import CURRENT_SCHEMA, KEEP_SCHEMA
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.connection.target import ATLAS_SCHEMA, HistoryKind, HistoryTable
from dbmigrate.postgres.history.changed_columns import ColumnsChanged
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.log.lost_rows import was_emptied
from dbmigrate.postgres.history.log.notes import NOTED, NoteKind, Owner
from dbmigrate.postgres.history.log.rows import read_identity_sql
from dbmigrate.postgres.history.log_shape import had_rows_comment, is_log_sql
from dbmigrate.postgres.history.relations import LOG_SUFFIX, History, log_name
from dbmigrate.postgres.history.tables import look
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.versions import Version

_TABLES = {
    name: kind.default_table
    for kind in HistoryKind
    for name in (kind.default_table, log_name(kind.default_table))
}
"""The names that tools give their table, and those of the logs, by the table."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What there is beside a history."""

    histories: tuple[History, ...]
    renamed_logs: tuple[str, ...]
    """Tables in its schema that had the name of its log when they got their first row."""
    refused: tuple[MigrationError, ...] = ()
    """Of those under the name of a tool, with a log, that can't be read: why not. They were changed
    by hand, or belong to a role that is not trusted. Without a log tools.py finds them."""


def find_others(session: Session, history: History) -> Beside:
    """Those in the history's schema and in Atlas's; for Atlas's own, where the search path leads.
    Under names of their own, those that have a log. Those that may not be trusted are
    refused; the renamed logs are not looked at here."""
    is_atlas = history.schema == ATLAS_SCHEMA
    elsewhere = CURRENT_SCHEMA if is_atlas else literal(ATLAS_SCHEMA)
    log = log_name(history.table)
    was_log = (
        f"n.nspname = {literal(history.schema)} AND c.relname <> {literal(log)}"
        " AND EXISTS (SELECT FROM pg_catalog.pg_description d WHERE d.objoid = c.oid"
        " AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid = 1"
        f" AND d.description = {literal(had_rows_comment(log))})"
    )
    schemas = f"n.nspname IN ({literal(history.schema)}, {elsewhere})"
    _, rows = session.query(_tables_sql(schemas, was_log), before=KEEP_SCHEMA)
    places = _places(rows)
    places.pop((history.schema, history.table), None)
    tables = {(schema or "", name or "") for schema, name, _ in rows}
    found, refused = [], []
    for schema, table in places:
        has_log = table in _TABLES and (schema, log_name(table)) in tables
        try:
            found.append(_look(session, schema, table))
        except MigrationError as error:
            if has_log:
                refused.append(error)
    return Beside(
        tuple(each for each in found if each is not None),
        tuple(name or "" for _, name, is_renamed in rows if is_renamed == "t"),
        tuple(refused),
    )


def find_all(session: Session, is_wanted: Callable[[str, str], bool]) -> tuple[History, ...]:
    """Those in the whole database, in whichever schema, whose schema and table are wanted."""
    (rows,) = session.query(_tables_sql("c.relpersistence <> 't'", "false"))
    places = (place for place in _places(rows) if is_wanted(*place))
    found = []
    for place in places:
        try:
            found.append(_look(session, *place))
        except MigrationError:
            continue
    return tuple(each for each in found if each is not None)


def _tables_sql(schemas: str, was_log: str) -> str:
    """The tables in certain schemas that have the name of a history's, or are a log of
    dbmigrate's."""
    is_log = f"pg_catalog.right(c.relname::pg_catalog.text, 4) = {literal(LOG_SUFFIX)}"
    return (
        f"SELECT n.nspname, c.relname, {was_log} FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE {schemas} AND c.relkind = 'r'"
        f" AND (c.relname IN ({', '.join(map(literal, _TABLES))})"
        f" OR ({is_log} OR {was_log})"
        f" AND {is_log_sql('c.oid')}) ORDER BY 1, 2"
    )


def _places(rows: Iterable[Row]) -> dict[tuple[str, str], None]:
    """The histories that they belong to: schema and table."""
    return dict.fromkeys(
        (schema or "", _TABLES.get(name or "") or (name or "").removesuffix(LOG_SUFFIX))
        for schema, name, _ in rows
        if name in _TABLES or (name or "").endswith(LOG_SUFFIX)
    )


def _look(session: Session, schema: str, table: str) -> History | None:
    """By the first format that the table fits: dbmate's has the name of golang-migrate's.

    Raises MigrationError where it fits none.
    """
    kinds = [kind for kind in HistoryKind if kind.default_table == table] or [*HistoryKind]
    errors = []
    for kind in kinds:
        try:
            found = look(session, HistoryTable(schema, table, kind)).history
        except MigrationError as error:
            errors.append(error)
            continue
        if kind.default_table == table or found.knows_log:
            return found
    if errors:
        raise next((each for each in errors if isinstance(each, ColumnsChanged)), errors[0])
    return None


def end_of_log(session: Session, history: History) -> Version | None:
    """The version at which its log ends; None: at none, or there is no log to read."""
    if not history.knows_log:
        return None
    *_, rows = session.query(
        history.guarded_reading(
            f"SELECT to_version FROM {history.log_table} WHERE outcome = 'applied'"
            # A note says where the database was, also where the steps were removed.
            f" OR outcome = '{NOTED}' AND to_version IS NOT NULL ORDER BY id DESC LIMIT 1"
        )
    )
    return history.read_version(rows[0][0]) if rows else None


def has_begun_since(session: Session, history: History, time: str) -> bool:
    """Whether its log says that its first step ended after that time."""
    if not history.knows_log:
        return False
    *_, ((is_newer,),) = session.query(
        history.guarded_reading(
            f"SELECT pg_catalog.min(finished_at) > {literal(time)}::timestamptz"
            f" FROM {history.log_table} WHERE outcome = 'applied'"
        )
    )
    return is_newer == "t"


def has_lost_rows(session: Session, history: History) -> bool:
    """Whether its log had rows, and has none now."""
    if not history.knows_log:
        return False
    *_, ((has_rows,),), numbers = session.query(
        history.guarded_reading(
            f"SELECT EXISTS (SELECT FROM {history.log_table}); {read_identity_sql(history)}"
        )
    )
    newest = int(numbers[0][0] or 0) if numbers else 0
    return has_rows != "t" and was_emptied(history.log_shape, newest)


def version_in_table(session: Session, history: History) -> Version | None:
    """The version that its table has. Raises MigrationError and ServerFailure."""
    if not history.has_version_table:
        return None
    adapter = adapter_for(history.kind)
    answers = session.query(history.guarded_reading(adapter.read_sql(history)))
    return adapter.take(answers, history).version


def version_of(session: Session, history: History) -> Version | None:
    """The same, or the version at which its log ends."""
    version = version_in_table(session, history)
    return end_of_log(session, history) if version is None else version


def taken_over_by(session: Session, history: History) -> str:
    """The history that has taken its place, as its log names it; empty: none has."""
    return _newest_note(session, history, NoteKind.TAKEOVER)


def owner_of(session: Session, history: History) -> Owner | None:
    """Who migrates the database by its log, or by the comment on an emptied one; None: unknown."""
    if not history.knows_log:
        return None
    name = _newest_note(session, history, NoteKind.OWNER) or history.log_shape.owner
    return Owner.parse(name) if name else None


def _newest_note(session: Session, history: History, kind: NoteKind) -> str:
    """The text of the log's newest note of that kind; empty: it has none."""
    if not history.knows_log:
        return ""
    *_, rows = session.query(
        history.guarded_reading(
            f"SELECT name FROM {history.log_table} WHERE outcome = '{NOTED}'"
            f" AND direction = '{kind}' ORDER BY id DESC LIMIT 1"
        )
    )
    return (rows[0][0] or "") if rows else ""


def succeeded_by(session: Session, history: History) -> frozenset[str]:
    """The histories that it counts in the place of, as its log names them."""
    if not history.knows_log:
        return frozenset()
    *_, rows = session.query(
        history.guarded_reading(
            f"SELECT DISTINCT ON (name) name, direction FROM {history.log_table}"
            f" WHERE outcome = '{NOTED}' ORDER BY name, id DESC"
        )
    )
    return frozenset(name or "" for name, kind in rows if kind == NoteKind.SUCCESSION)
