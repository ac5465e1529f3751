"""Whether the columns that a cursor follows are a key of their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.sqltext.quoting import identifier, literal


@dataclass(frozen=True, slots=True)
class CursorKey:
    """The catalog's data on some columns of a table."""

    table: str
    """Quoted and with its schema."""
    nullable: tuple[str, ...]
    """Those that may be NULL, by name."""
    is_unique: bool
    """Whether an index keeps any two rows from having the same values in them."""


def read_key(session: Session, table: str, columns: Sequence[str]) -> CursorKey | None:
    """The columns of the table that the file names so; None: not all of them are columns of a
    table. Two round trips. Raises ServerFailure, ConnectionBroken.
    """
    oid = session.resolve([table]).get(table)
    if oid is None:
        return None
    names = ", ".join(map(literal, columns))
    ((rows), (unique,)) = session.query(
        "SELECT n.nspname, c.relname, a.attname, a.attnotnull FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        f" WHERE c.oid = {oid} AND c.relkind IN ('r', 'p') AND NOT a.attisdropped"
        f" AND a.attname IN ({names});"
        " SELECT EXISTS (SELECT FROM pg_catalog.pg_index i"
        f" WHERE i.indrelid = {oid} AND i.indisunique AND i.indisvalid AND i.indpred IS NULL"
        " AND i.indexprs IS NULL AND NOT EXISTS (SELECT FROM pg_catalog.unnest("
        "i.indkey[0:i.indnkeyatts - 1]) k(attnum) JOIN pg_catalog.pg_attribute a"
        " ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
        f" WHERE a.attname NOT IN ({names})))"
    )
    if len(rows) != len(set(columns)):
        return None
    return CursorKey(
        f"{identifier(rows[0][0] or '')}.{identifier(rows[0][1] or '')}",
        tuple(sorted(row[2] or "" for row in rows if row[3] != "t")),
        is_unique=unique[0] == "t",
    )


def has_null(session: Session, key: CursorKey) -> bool:
    """Whether some row has NULL in one of the columns that may be NULL. Raises ServerFailure."""
    if not key.nullable:
        return False
    condition = " OR ".join(f"{identifier(name)} IS NULL" for name in key.nullable)
    (rows,) = session.query(f"SELECT 1 FROM {key.table} WHERE {condition} LIMIT 1")
    return bool(rows)
