"""Invalid indexes: what CREATE INDEX CONCURRENTLY leaves behind when it fails.

They cost every write and serve no read. Only those are considered that a given
file names and that nobody is building at the moment.
"""

from __future__ import annotations

import re

from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.sqltext.quoting import literal

_INVALID = """
SELECT n.nspname, c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
ORDER BY 3"""
_REINDEX_SUFFIX = re.compile(r"_cc(?:new|old)[0-9]*$")
"""REINDEX CONCURRENTLY builds under the index's name with this behind it."""


def invalid_indexes(session: Session, sql: bytes) -> tuple[str, ...]:
    """The invalid indexes that a file names, quoted and with their schema."""
    rows = session.query(_INVALID)[0]
    if not rows:
        return ()
    text = sql.decode(errors="replace").casefold()
    words = set(re.findall(r"[\w$]+", text))
    found = []
    for _, name, quoted in rows:
        base = _REINDEX_SUFFIX.sub("", name or "").casefold()
        if base in words or f'"{base}"' in text:
            found.append(quoted or "")
    return tuple(found)


def drop_sql(index: str) -> str:
    """Drop one of them, without keeping anybody from the table. `index` is quoted already."""
    return f"DROP INDEX CONCURRENTLY IF EXISTS {index}"


_NAME = rb'((?:"(?:[^"]|"")+"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$]+))?)'
_CREATE = re.compile(
    rb"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    + _NAME
    + rb"\s+ON\s+(?:ONLY\s+)?"
    + _NAME,
    re.IGNORECASE,
)
_DROP = re.compile(
    rb"\s*DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF\s+EXISTS\s+)?"
    + _NAME
    + rb"\s*(?:CASCADE|RESTRICT)?\s*\Z",
    re.IGNORECASE,
)


def has_index_change(session: Session, statement: bytes) -> bool:
    """Whether an index that a statement makes (or drops) concurrently is there (or gone).

    False for any other statement: of those the database can't tell.
    """
    if match := _CREATE.match(statement):
        index, table = (name.decode() for name in match.groups())
        oid = session.resolve([table]).get(table, 0)
        question = (
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_index i"
            " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
            f" WHERE i.indrelid = {oid} AND i.indisvalid"
            f" AND c.relname = (pg_catalog.parse_ident({literal(index)}))[1])"
        )
        return session.query(question)[0][0][0] == "t"
    if match := _DROP.match(statement):
        return not session.resolve([match[1].decode()])
    return False
