"""A history that the search path hides: in a schema behind the one of new objects.

With the default path, `"$user", public`, a migration that creates a schema named like the
role changes where the history is looked for. All migrations would run again, in a second
history. Which of the two schemas is meant is unknown, so a run stops.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.log_shape import is_log
from dbmigrate.postgres.history.relations import History, log_name
from dbmigrate.postgres.sqltext.quoting import identifier, literal
from dbmigrate.report import Reason


def require_no_other(session: Session, history: History) -> None:
    """Raise MigrationError (ForeignHistory) where another schema of the search path holds the
    history, or the log of it, that is missing here.

    Called only where no schema is named and the history has no log.
    """
    others = [schema for schema in _schemas_of_path(session) if schema != history.schema]
    if not others:
        return
    log = log_name(history.table)
    shapes = _read_shapes(session, others, (history.table, log))
    for schema in others:
        has_log = is_log(shapes.get((schema, log), {}))
        has_table = adapter_for(history.kind).fits(shapes.get((schema, history.table), {}))
        if has_log or (has_table and not history.has_version_table):
            raise _hidden(history, schema, log if has_log and not has_table else history.table)


def _schemas_of_path(session: Session) -> list[str]:
    """Those that exist, in order. The function is called with its schema."""
    rows: list[str] = []
    session.execute(
        b"SELECT pg_catalog.unnest(pg_catalog.current_schemas(false))",
        on_result=lambda result: rows.extend(
            (result.get_value(row, 0) or b"").decode() for row in range(result.ntuples)
        ),
    )
    return rows


def _read_shapes(
    session: Session, schemas: list[str], tables: tuple[str, ...]
) -> dict[tuple[str, str], dict[str, str]]:
    """The columns of these tables with their types, by schema and table."""
    rows: list[Row]
    (rows,) = session.query(
        "SELECT n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, NULL)"
        " FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_attribute a"
        "   ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        f" WHERE n.nspname IN ({', '.join(map(literal, schemas))})"
        f" AND c.relname IN ({', '.join(map(literal, tables))}) AND c.relkind IN ('r', 'p')"
    )
    shapes: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, kind in rows:
        shapes.setdefault((schema or "", table or ""), {})[column or ""] = kind or ""
    return shapes


def _hidden(history: History, schema: str, table: str) -> MigrationError:
    here, there = _name(history.schema, history.table), _name(schema, history.table)
    what = "has no log of dbmigrate's" if history.has_version_table else "does not exist"
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"two histories are possible: the search path leads to {here}, which {what},"
        f" and behind it is {_name(schema, table)}",
        hint=f"name the one that is meant: -history-table {there} continues with that one,"
        f" -history-table {here} begins with this one; a schema named like the role comes first"
        " in the default search path",
    )


def _name(*parts: str) -> str:
    """In the syntax of -history-table: quoted where a part could be misread."""
    return ".".join(identifier(part) if {*part} & {*'".'} else part for part in parts)
