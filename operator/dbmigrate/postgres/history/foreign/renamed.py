"""A history under another name: a renamed log, or in a renamed schema.

The log's table still says which name it had when it got its first row. It is no part of a history
that has its names, so it is checked and read by itself. A schema that a tool made for its table
alone has nothing else in it, whatever it is called.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ATLAS_SCHEMA
from dbmigrate.postgres.history.inspection import (
    PARTS,
    READING,
    guard,
    inspect,
    require_safe,
    require_table,
)
from dbmigrate.postgres.history.log_shape import is_log_sql
from dbmigrate.postgres.history.relations import History, log_name, own_relations
from dbmigrate.postgres.sqltext.quoting import identifier, literal


def schemas_of_history(session: Session, table: str, but: str) -> tuple[str, ...]:
    """The schemas, but for the tool's own and that one, that have a table of that name, or its log,
    and nothing but its history and logs under other names."""
    own = ", ".join(map(literal, own_relations(table)))
    names = ", ".join(map(literal, (table, log_name(table))))
    (rows,) = session.query(
        "SELECT DISTINCT n.nspname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.relname IN ({names}) AND c.relkind = 'r' AND c.relpersistence <> 't'"
        f" AND n.nspname NOT IN ({literal(ATLAS_SCHEMA)}, {literal(but)})"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_class o WHERE o.relnamespace = n.oid"
        f" AND o.relkind IN ('r', 'p', 'v', 'm', 'f') AND o.relname NOT IN ({own})"
        f" AND NOT {is_log_sql('o.oid')})"
        " ORDER BY 1"
    )
    return tuple(name or "" for (name,) in rows)


def end_of_renamed(session: Session, history: History, log: str) -> str | None:
    """The version at which a table of that name, which was the history's log, ends; None: at none,
    or the table may not be trusted or read."""
    (rows,) = session.query(
        f"SELECT c.oid, {PARTS} FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1"
        f" WHERE n.nspname = {literal(history.schema)} AND c.relname = {literal(log)}"
    )
    name = f"{identifier(history.schema)}.{identifier(log)}"
    tables = [(name, int(oid or 0)) for oid, _ in rows]
    parts = [int(part) for _, has in rows if has for part in has.split(",")]
    try:
        for relation in inspect(session, history.schema, {log}):
            require_table(relation, history.schema)
            require_safe(relation, history.schema, None)
        *_, found = session.query(
            "; ".join(
                (
                    *guard(tables, READING, parts),
                    f"SELECT to_version FROM {name} WHERE outcome = 'applied'"
                    " ORDER BY id DESC LIMIT 1",
                )
            )
        )
    except MigrationError:
        return None
    except ServerFailure:
        session.roll_back()
        return None
    return found[0][0] if found else None
