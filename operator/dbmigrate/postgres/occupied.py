"""Whether a database holds anything that is not the history's own."""

from __future__ import annotations

from dbmigrate.postgres.history_tables import History
from dbmigrate.postgres.quoting import literal
from dbmigrate.postgres.session import Session


def first_object(session: Session, history: History) -> str | None:
    """A table or its kin in any schema, in words; None: there is none.

    What belongs to an extension or to another table is not looked at.
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
