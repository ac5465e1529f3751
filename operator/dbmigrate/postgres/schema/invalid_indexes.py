"""Invalid indexes, and whether an index is the one that a statement describes.

CREATE INDEX CONCURRENTLY leaves an invalid index behind when it fails: it costs every
write and serves no read. Only those are considered that a given file names and that no
session is building at present.

Two definitions are compared in the server's own words. The index of the statement is
created on an empty temporary copy of its table, in a transaction that is rolled back, so
that pg_get_indexdef writes both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.search_path import SAFE
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.index_statements import CreateIndex
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


def has_invalid_index(session: Session) -> bool:
    """Whether there is any in the database, whichever file has left it."""
    return bool(session.query(_INVALID)[0])


def drop_sql(index: str) -> str:
    """Drop one of them without blocking the table. `index` is quoted already."""
    return f"DROP INDEX CONCURRENTLY IF EXISTS {index}"


@dataclass(frozen=True, slots=True)
class Twin:
    """An index that matches a CREATE INDEX statement exactly."""

    name: str
    """Quoted, with its schema."""
    is_valid: bool


_TABLE = """
SELECT c.oid, pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = {oid}"""
_INDEXES = """
SELECT pg_catalog.pg_get_indexdef(i.indexrelid), pg_catalog.quote_ident(c.relname),
  pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(t.relname), i.indisunique,
  c.reltablespace, i.indisvalid AND i.indisready AND i.indislive
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE i.indrelid = {table} AND {named} AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = c.oid)"""


def find_twins(
    session: Session, statement: CreateIndex, settings: Sequence[str] = ()
) -> tuple[Twin, ...]:
    """The indexes of the statement's table that have its name and its definition.

    `settings` are the SET statements that apply where the statement runs. Empty also where
    the server cannot tell, because the role may not create a temporary table for example.
    Changes nothing.
    """
    try:
        return _compare(session, statement, settings)
    except ServerFailure:
        return ()
    finally:
        with suppress(ConnectionBroken):
            session.roll_back()


def _compare(session: Session, statement: CreateIndex, settings: Iterable[str]) -> tuple[Twin, ...]:
    begin = "".join(f"{part}\n;" for part in ("BEGIN", *settings, "SET LOCAL lock_timeout = 5000"))
    table = f"pg_catalog.to_regclass({literal(statement.table)})"
    ((oid, files_path),) = session.query_as_user(
        f"{begin} SELECT CAST({table} AS pg_catalog.oid), pg_catalog.current_setting('search_path')"
    )[-1]
    if oid is None:
        return ()
    ((_, schema, name),) = session.query(_TABLE.format(oid=oid))[-1]
    named = "true"
    if statement.name is not None:
        named = f"c.relname = (pg_catalog.parse_ident({literal(statement.name)}))[1]::name"
    copy = f"CAST({literal(f'pg_temp.{name}')} AS regclass)"
    unique = "UNIQUE " if statement.is_unique else ""
    *_, (probe,), found = session.query(
        # The tablespace of a temporary table is a setting of its own.
        "SELECT pg_catalog.set_config('temp_tablespaces', pg_catalog.quote_ident("
        "pg_catalog.current_setting('default_tablespace')), true);"
        f" CREATE TEMPORARY TABLE {name} (LIKE {schema}.{name});"
        f" SELECT pg_catalog.set_config('search_path', {literal(files_path)}, true);"
        f" CREATE {unique}INDEX ON pg_temp.{name} {statement.definition}\n; {SAFE};"
        f" {_INDEXES.format(table=copy, named='true')};"
        f" {_INDEXES.format(table=oid, named=named)}"
    )
    wanted = _definition(probe)
    return tuple(
        Twin(f"{row[2]}.{row[1]}", row[6] == "t") for row in found if _definition(row) == wanted
    )


def _definition(row: Row) -> tuple[str | None, ...]:
    """An index's definition without the names of the index and its table."""
    text, index, schema, table, is_unique, tablespace, _ = row
    rest = text or ""
    # PostgreSQL 14 writes the temporary schema's real name, later versions pg_temp.
    for qualified in (f"{schema}.{table}", f"pg_temp.{table}"):
        rest = rest.removeprefix("CREATE UNIQUE INDEX ").removeprefix("CREATE INDEX ")
        rest = rest.removeprefix(f"{index} ON {qualified} ")
    return rest, is_unique, tablespace
