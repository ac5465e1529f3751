"""Whether a database holds anything that does not belong to the history."""

from __future__ import annotations

from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.postgres.history.log_shape import is_log_sql
from dbmigrate.postgres.history.relations import History, own_relations
from dbmigrate.postgres.sqltext.quoting import literal

_IN_SCHEMA = (
    ("table", "pg_class", "relname", "relnamespace", "x.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"),
    (
        "type",
        "pg_type",
        "typname",
        "typnamespace",
        "x.typtype IN ('d', 'e', 'r') OR x.typtype = 'b' AND x.typcategory <> 'A'",
    ),
    ("function", "pg_proc", "proname", "pronamespace", "true"),
)
"""A kind in words, its catalog, the columns of name and schema, and which rows count."""


def has_only_history(session: Session, history: History) -> bool:
    """Whether the history's schema has no relation but those of the histories of any format, and
    logs under other names."""
    tables = {history.table, *(kind.default_table for kind in HistoryKind)}
    own = ", ".join(literal(name) for table in sorted(tables) for name in own_relations(table))
    ((has_others,),) = session.query(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = {literal(history.schema)} AND c.relname NOT IN ({own})"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        f" AND NOT {is_log_sql('c.oid')}"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid"
        " AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e'))"
    )[0]
    return has_others == "f"


def first_in_schema(session: Session, history: History) -> str | None:
    """The object for which Flyway does not take the history's schema for empty; None: none.

    A relation, a type or a function that belongs to no extension (PostgreSQLSchema.java
    there); dbmigrate's log does not count.
    """
    own = literal(history.log_table)
    parts = (
        f"SELECT {literal(kind)}, x.{name}::pg_catalog.text FROM pg_catalog.{catalog} x"
        f" JOIN pg_catalog.pg_namespace n ON n.oid = x.{schema}"
        f" WHERE n.nspname = {literal(history.schema)} AND ({condition})"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = x.oid"
        f" AND d.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass AND d.deptype = 'e')"
        f" AND x.oid IS DISTINCT FROM pg_catalog.to_regclass({own})::pg_catalog.oid"
        # The log's own sequence, for its identity column.
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = x.oid"
        f" AND d.deptype IN ('a', 'i') AND d.refobjid = pg_catalog.to_regclass({own}))"
        for kind, catalog, name, schema, condition in _IN_SCHEMA
    )
    rows = session.query(f"{' UNION ALL '.join(parts)} LIMIT 1")[0]
    return f'{rows[0][0]} "{rows[0][1]}"' if rows else None


def unclean(session: Session, history: History, *, schema: str | None) -> str | None:
    """What keeps Atlas from beginning a history, in words (CheckClean there); None: nothing.

    A schema other than public and the history's own, or a table; of `schema` alone where the
    connection is bound to it. Sequences, views, types and what is an extension's do not count.
    """
    own = f"ARRAY[{literal(history.version_table)}, {literal(history.log_table)}]"
    bound = "" if schema is None else f" AND n.nspname = {literal(schema)}"
    rows = session.query(
        "SELECT n.nspname, pg_catalog.min(c.relname::pg_catalog.text), pg_catalog.count(c.oid)"
        " FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c"
        " ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND c.oid <> ALL (ARRAY(SELECT pg_catalog.to_regclass(own)::pg_catalog.oid"
        f" FROM pg_catalog.unnest({own}) own WHERE pg_catalog.to_regclass(own) IS NOT NULL))"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid"
        " AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e')"
        f" WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'{bound}"
        " GROUP BY 1 ORDER BY 1"
    )[0]
    for name, table, count in rows:
        if schema is None and name != history.schema and (name != "public" or count != "0"):
            return f'schema "{name}"'
        if count == "1" or (schema is not None and count != "0"):
            return f'table "{table}" in schema "{name}"'
        if count != "0":
            return f'{count} tables in schema "{name}"'
    return None
