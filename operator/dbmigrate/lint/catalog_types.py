"""Changes of types that rewrite no row according to the catalog: varchar(10) to varchar(20)."""

from __future__ import annotations

from collections.abc import Sequence

from dbmigrate.lint.column_type import parse_type
from dbmigrate.lint.finding import Finding
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.sqltext.quoting import literal


def without_widened(session: Session, found: Sequence[Finding]) -> list[Finding]:
    """The findings without those of types that are only widened; two round trips, if there are any.

    Raises ServerFailure and ConnectionBroken.
    """
    changes = [(each.table, each.change.column) for each in found if each.table and each.change]
    oids = session.resolve(sorted({table for table, _ in changes}))
    places = [(name, oids[name], column) for name, column in set(changes) if name in oids]
    if not places:
        return [*found]
    values = ", ".join(
        f"({literal(name)}, {oid}::oid, {literal(column)})" for name, oid, column in places
    )
    (rows,) = session.query(
        "SELECT v.name, v.col, pg_catalog.format_type(a.atttypid, a.atttypmod)"
        f" FROM (VALUES {values}) v (name, relation, col) JOIN pg_catalog.pg_attribute a"
        " ON a.attrelid = v.relation AND a.attname = v.col::pg_catalog.name"
    )
    old = {(table, column): parse_type(text or "") for table, column, text in rows}
    return [
        each
        for each in found
        if each.change is None
        or (each.table, each.change.column) not in old
        or not old[each.table, each.change.column].widens_to(each.change.type)
    ]
