"""The histories of many schemas of one database, read in a few statements and without locks.

Two round trips serve any number of schemas that fit into the lock table: one asks the
catalogs what the tables are, one reads them. Of a log a digest is read, by the server's own
SHA-256: schemas whose digests are equal stand equally, and one of them stands for all. Only
golang-migrate's history is read so, whose state is one number and the log.

A schema with anything uncommon (no table, a foreign owner, a trigger, a lock that is held, a log
that has lost rows) has no answer here: it is looked at by itself, by the same code as any run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from dbmigrate.postgres.connection.errors import LOCK_NOT_AVAILABLE, ServerFailure
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.connection.target import ATLAS_SCHEMA, HistoryKind, HistoryTable
from dbmigrate.postgres.history.adapter import Found
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.inspection import DEFAULT, IS_PLAIN, READING, guard, is_harmless
from dbmigrate.postgres.history.log.lost_rows import is_whole_sql
from dbmigrate.postgres.history.log.notes import NOTED, find_successor
from dbmigrate.postgres.history.log.reading import parse_log, read_log_sql
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.postgres.history.log_shape import LogColumn, LogShape, shape_of
from dbmigrate.postgres.history.relations import History, batches_name, log_name
from dbmigrate.postgres.sqltext.quoting import literal

_LOCKS_EACH = 4
"""Entries in the lock table that reading one history takes: two tables and their indexes."""
_SHARE = 4
"""The part of the lock table that all readings together may fill: one in so many."""
_MOST = 250
_STATEMENT_MS = 60_000

_LOG = (
    "version, name, direction, from_version, to_version, checksum, down_script IS NOT NULL, outcome"
)
"""What the state of a history depends on; a try that has failed has left nothing."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Where a history stands, in a form that can be compared."""

    rows: str
    """The rows of the version table."""
    log: str
    """The digest of the log; empty: there is none."""


@dataclass(frozen=True, slots=True)
class WholeHistory:
    """All that a digest stands for."""

    digest: Digest
    history: History
    found: Found
    log: tuple[LogRow, ...]
    notes: tuple[LogRow, ...] = ()
    """Rows of the log that are not steps."""


def can_read(wanted: HistoryTable) -> bool:
    """Whether a history can be read together with others."""
    return wanted.schema is not None and wanted.kind is HistoryKind.GOLANG_MIGRATE


def read_capacity(session: Session, readers: int) -> int:
    """How many histories one statement may read, by the size of the server's lock table, where
    so many are read at a time."""
    ((row,),) = session.query(
        "SELECT pg_catalog.current_setting('max_locks_per_transaction'),"
        " pg_catalog.current_setting('max_connections'),"
        " pg_catalog.current_setting('max_prepared_transactions')"
    )
    locks, connections, prepared = (int(each or 0) for each in row)
    entries = locks * (connections + prepared)
    return max(1, min(_MOST, entries // (_SHARE * readers * _LOCKS_EACH)))


def find_histories(session: Session, wanted: Sequence[HistoryTable]) -> dict[HistoryTable, History]:
    """The histories of these that are plain tables of this session's own role; none where one of
    them is locked.

    Raises ServerFailure and ConnectionBroken.
    """
    by_name: dict[tuple[str, str], tuple[HistoryTable, str]] = {}
    for each in wanted:
        for part, name in (
            ("versions", each.name),
            ("log", log_name(each.name)),
            ("batches", batches_name(each.name)),
        ):
            by_name[each.schema or "", name] = each, part
    beside = {log_name(kind.default_table) for kind in HistoryKind}
    schemas = ", ".join(sorted({literal(s) for s in (ATLAS_SCHEMA, *(s for s, _ in by_name))}))
    names = ", ".join(sorted({literal(name) for name in (*beside, *(n for _, n in by_name))}))
    try:
        (rows,) = session.query(
            "SELECT n.nspname, c.relname, c.oid, pg_catalog.has_table_privilege(c.oid, 'SELECT'),"
            " pg_catalog.json_agg(pg_catalog.json_build_array("
            "   a.attname, pg_catalog.format_type(a.atttypid, NULL), a.attnum::text,"
            "   a.attnotnull AND NOT a.atthasdef AND a.attidentity = '') ORDER BY a.attnum),"
            f" pg_catalog.bool_and({IS_PLAIN}),"
            f" pg_catalog.json_agg(DISTINCT {DEFAULT}),"
            " pg_catalog.obj_description(c.oid, 'pg_class'),"
            " (SELECT pg_catalog.string_agg(i.indkey::text, ',' ORDER BY i.indexrelid)"
            "   FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisvalid)"
            " FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_catalog.pg_attribute a"
            "   ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            f" WHERE n.nspname IN ({schemas}) AND c.relname IN ({names})"
            " GROUP BY n.nspname, c.relname, c.oid"
        )
    except ServerFailure as failure:
        if failure.sqlstate != LOCK_NOT_AVAILABLE:
            raise
        session.roll_back()
        return {}
    parts: dict[HistoryTable, dict[str, Row]] = {}
    with_others: set[str] = set()
    for row in rows:
        known = by_name.get((row[0] or "", row[1] or ""))
        if known is not None:
            parts.setdefault(known[0], {})[known[1]] = row
        else:
            with_others.add(row[0] or "")
    found = ((each, _as_history(each, those)) for each, those in parts.items())
    return {
        each: history
        for each, history in found
        # Without a log of its own, that of another history may say that this one was left.
        if history is not None
        and (history.has_log_table or with_others.isdisjoint({history.schema, ATLAS_SCHEMA}))
    }


def read_digests(session: Session, histories: Sequence[History]) -> dict[History, Digest]:
    """The digests of these histories; those that can't be read now, or have lost rows of the log,
    are left out.

    Where the statement fails, the half of them is tried, and so on. Raises ConnectionBroken.
    """
    if not histories:
        return {}
    try:
        (rows,) = session.query(_in_transaction(histories, _digests_sql(histories)))
    except ServerFailure:
        session.roll_back()
        if len(histories) == 1:
            return {}
        half = len(histories) // 2
        return read_digests(session, histories[:half]) | read_digests(session, histories[half:])
    return {
        histories[int(index or 0)]: Digest(versions or "", log or "")
        for index, versions, log, is_whole in rows
        if is_whole == "t"
    }


def read_whole(session: Session, history: History) -> WholeHistory | None:
    """One history with its log, as of one moment; None where it can't be read now.

    Raises MigrationError (ForeignHistory) and ConnectionBroken.
    """
    adapter = adapter_for(history.kind)
    statements = [_digests_sql([history]), adapter.read_sql(history)]
    if history.has_log_table:
        statements.append(read_log_sql(history))
    try:
        (digests, *rest) = session.query(
            _in_transaction([history], "; ".join(statements), "REPEATABLE READ")
        )
    except ServerFailure:
        session.roll_back()
        return None
    ((_, versions, log, _),) = digests
    found = adapter.take(rest, history)
    rows = parse_log(history, rest.pop(0)) if history.has_log_table else ()
    notes = tuple(row for row in rows if row.outcome == NOTED)
    if find_successor(notes) is not None:
        return None  # a run tells it
    steps = tuple(row for row in rows if row.outcome != NOTED)
    return WholeHistory(Digest(versions or "", log or ""), history, found, steps, notes)


def _as_history(wanted: HistoryTable, parts: dict[str, Row]) -> History | None:
    """None where a run has to look closely."""
    versions, log = parts.get("versions"), parts.get("log")
    if versions is None or not all(_is_readable(row) for row in parts.values()):
        return None
    types = {column.name: column.type for column in _columns(versions[4] or "")}
    if not adapter_for(wanted.kind).fits(types):
        return None
    history = History(
        wanted.schema or "",
        wanted.name,
        has_version_table=True,
        has_log_table=log is not None,
        has_batches_table="batches" in parts,
        kind=wanted.kind,
        oids=tuple((row[1] or "", int(row[2] or 0)) for row in parts.values()),
    )
    if log is None:
        return history
    history = replace(history, log_shape=_log_shape(log[4], log[7], log[8], history.version_type))
    return history if history.knows_log else None


def _is_readable(row: Row) -> bool:
    return row[3] == "t" and row[5] == "t" and _are_harmless(row[6] or "")


@lru_cache(maxsize=256)
def _columns(text: str) -> tuple[LogColumn, ...]:
    return tuple(
        LogColumn(name, kind, must_be_filled, number)
        for name, kind, number, must_be_filled in json.loads(text)
    )


@lru_cache(maxsize=256)
def _log_shape(
    columns: str | None, comment: str | None, keys: str | None, version_type: str
) -> LogShape:
    """Of a table of the session's own role, which may alter it."""
    return shape_of(
        "the log",
        _columns(columns or "[]"),
        version_type=version_type,
        comment=comment,
        index_keys=(keys or "").split(","),
        may_alter=True,
    )


@lru_cache(maxsize=256)
def _are_harmless(defaults: str) -> bool:
    return all(map(is_harmless, json.loads(defaults)))


def _in_transaction(
    histories: Sequence[History], sql: str, isolation: str = "READ COMMITTED"
) -> str:
    """The tables are locked against being replaced; a lock that is not free is not waited for."""
    tables = [(table, oid) for history in histories for table, oid in _tables(history)]
    lock, *others = guard(tables, READING)
    return "; ".join(
        (
            f"BEGIN ISOLATION LEVEL {isolation}",
            f"SET LOCAL statement_timeout = {_STATEMENT_MS}",
            f"{lock} NOWAIT",
            *others,
            sql,
            "COMMIT",
        )
    )


def _tables(history: History) -> Iterator[tuple[str, int]]:
    oids = dict(history.oids)
    yield history.version_table, oids[history.table]
    if history.has_log_table:
        yield history.log_table, oids[log_name(history.table)]


def _digests_sql(histories: Sequence[History]) -> str:
    return " UNION ALL ".join(
        f"SELECT {index}, {_versions_sql(history)}, {_log_sql(history)},"
        f" {is_whole_sql(history) if history.has_log_table else 'true'}"
        for index, history in enumerate(histories)
    )


def _versions_sql(history: History) -> str:
    # As the adapter's own reading has it: two rows are an error there.
    return (
        "(SELECT pg_catalog.string_agg(ROW(version, dirty)::text, ' ' ORDER BY version)"
        f" FROM (SELECT version, dirty FROM {history.version_table} ORDER BY version LIMIT 2) v)"
    )


def _log_sql(history: History) -> str:
    if not history.has_log_table:
        return "NULL"
    rows = f"pg_catalog.string_agg(ROW({_LOG})::text, pg_catalog.chr(10) ORDER BY id)"
    return (
        f"(SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({rows}, 'UTF8')),"
        f" 'hex') FROM {history.log_table} WHERE outcome <> 'failed')"
    )
