"""Changes of types that the catalog knows to write no row: varchar(10) to varchar(20)."""

from __future__ import annotations

from collections.abc import Sequence

from dbmigrate.lint.column_type import parse_type
from dbmigrate.lint.finding import Finding
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.sqltext.quoting import literal


def without_widened(session: Session, found: Sequence[Finding]) -> list[Finding]:
    """The findings without those of types that are only widened; one round trip, if any.

    Raises ServerFailure and ConnectionBroken.
    """
    places = {(each.table, each.change.column) for each in found if each.table and each.change}
    if not places:
        return [*found]
    values = ", ".join(f"({literal(table)}, {literal(column)})" for table, column in places)
    (rows,) = session.query(
        "SELECT name, col, pg_catalog.format_type(a.atttypid, a.atttypmod)"
        f" FROM (VALUES {values}) v (name, col) JOIN pg_catalog.pg_attribute a"
        " ON a.attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(name)::pg_catalog.oid"
        " AND a.attname OPERATOR(pg_catalog.=) col::pg_catalog.name"
    )
    old = {(table, column): parse_type(text or "") for table, column, text in rows}
    return [
        each
        for each in found
        if each.change is None
        or (each.table, each.change.column) not in old
        or not old[each.table, each.change.column].widens_to(each.change.type)
    ]
