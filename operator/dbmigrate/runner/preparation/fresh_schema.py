"""Whether a history begins in a schema in which nothing was made yet: a new tenant's.

A history in a schema of its own, as Atlas's, tells of other schemas then, and not of this one.
"""

from __future__ import annotations

from dbmigrate.postgres.history.relations import own_relations
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.runner.run import Run


def is_fresh(run: Run) -> bool:
    """Whether the connection names the schema (search_path), and the schema has nothing but the
    history. By the default path it may be that the files name other schemas themselves."""
    history = run.database.history
    if not run.request.target.search_path or history.schema == "public":
        return False
    own = ", ".join(map(literal, own_relations(history.table)))
    ((has_others,),) = run.database.session.query(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = {literal(history.schema)} AND c.relname NOT IN ({own})"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid"
        " AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e'))"
    )[0]
    return has_others == "f"
