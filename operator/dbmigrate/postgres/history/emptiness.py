"""Whether a database holds anything that does not belong to the history."""

from __future__ import annotations

from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.history.relations import History
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


def first_object(session: Session, history: History) -> str | None:
    """Some relation in any schema; None: there is none.

    Those that belong to an extension or to another table are skipped.
    """
    own = f"ARRAY[{literal(history.version_table)}, {literal(history.log_table)}]"
    rows = session.query(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
        " AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
        " AND c.oid <> ALL (ARRAY(SELECT pg_catalog.to_regclass(own)::pg_catalog.oid"
        f" FROM pg_catalog.unnest({own}) own WHERE pg_catalog.to_regclass(own) IS NOT NULL))"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid"
        " AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
        " AND d.deptype IN ('e', 'a', 'i')"
        " AND (d.deptype = 'e' OR d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass))"
        " ORDER BY 1, 2 LIMIT 1"
    )[0]
    return f'table "{rows[0][1]}" in schema "{rows[0][0]}"' if rows else None
