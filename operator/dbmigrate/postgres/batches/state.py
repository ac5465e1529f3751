"""The progress of steps in batches: a table next to the log, one row a step.

It is created by the first step that runs in batches, so that a history without any
does not change, and an older dbmigrate ignores it. The step's row in the log says
`running` until the last batch; a failed attempt gets a row of its own. The cursor
is text, each column in a form that its type reads back whatever DateStyle is set;
its values are the file's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.history.adapter import Found
from dbmigrate.postgres.history.fence import move_version_sql
from dbmigrate.postgres.history.log.rows import NewLogRow, end_log_sql, insert_log_sql
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.quoting import literal

_COLUMNS = {
    "log_id": "bigint PRIMARY KEY",
    "cursor": "text[]",
    "batches": "bigint NOT NULL DEFAULT 0",
    "rows": "bigint NOT NULL DEFAULT 0",
    "batch_size": "integer NOT NULL",
    "started_at": "timestamptz NOT NULL DEFAULT pg_catalog.now()",
    "updated_at": "timestamptz NOT NULL DEFAULT pg_catalog.now()",
}
"""log_id: the step's row in the log. cursor: where the last batch ended, NULL before the
first one of a file that names no start. batch_size: that of the last batch."""

Cursor = tuple[str | None, ...] | None


@dataclass(frozen=True, slots=True)
class BatchState:
    """The progress of a step."""

    log_id: int
    cursor: Cursor
    batches: int
    rows: int
    batch_size: int
    started_at: str
    """RFC 3339, by the server's clock."""


def read_batches_sql(history: History) -> str:
    """The newest row."""
    return (
        "SELECT log_id, pg_catalog.to_json(cursor), batches, rows, batch_size, pg_catalog.to_char("
        "started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        f" FROM {history.batches_table} ORDER BY log_id DESC LIMIT 1"
    )


def parse_batches(rows: list[Row]) -> BatchState | None:
    """The answer to that; None: there is none."""
    if not rows:
        return None
    log_id, cursor, batches, done, size, started_at = rows[0]
    return BatchState(
        int(log_id or 0),
        parse_cursor(cursor),
        int(batches or 0),
        int(done or 0),
        int(size or 1),
        started_at or "",
    )


def parse_cursor(text: str | None) -> Cursor:
    """A cursor from JSON."""
    if text is None:
        return None
    return tuple(None if value is None else str(value) for value in json.loads(text))


def create_sql(history: History) -> str:
    """Make the table."""
    columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    return f"CREATE TABLE IF NOT EXISTS {history.batches_table} ({columns})"


def begin_sql(
    history: History, found: Found, dirty: Found, row: NewLogRow, *, cursor: Cursor, size: int
) -> str:
    """Begin a step: its version is dirty, its row in the log says running, nothing is done.

    The last table of the answer holds the id of the log's row.
    """
    row = replace(row, outcome="running", statements=1, statements_done=0)
    statements = [
        move_version_sql(history, found, dirty),
        f"WITH logged AS ({insert_log_sql(history, row, running=True)} RETURNING id)"
        f" INSERT INTO {history.batches_table} (log_id, cursor, batch_size)"
        f" SELECT id, {array_sql(cursor)}, {size} FROM logged RETURNING log_id",
    ]
    return "; ".join((*history.guard_of_batches, *statements))


def resume_sql(history: History, log_id: int, row: NewLogRow) -> str:
    """Another run continues: the log's row records which one, and the present file."""
    return history.guarded(
        f"UPDATE {history.log_table} SET executed_from = {literal(row.executed_from)},"
        f" tool_version = {literal(row.tool_version)}, checksum = {literal(row.checksum)},"
        f" down_file = {literal(row.down_file)}, down_script = {literal(row.down_script)}"
        f" WHERE id = {log_id}"
    )


def end_sql(history: History, found: Found, clean: Found, log_id: int) -> str:
    """End a step: its version is clean, its row in the log is done."""
    moved = history.guarded(move_version_sql(history, found, clean))
    return (
        f"{moved}; "
        f"UPDATE {history.log_table} SET statements_done = statements WHERE id = {log_id}; "
        f"{end_log_sql(history, log_id, 'applied')}"
    )


def array_sql(cursor: Cursor) -> str:
    """A cursor as a value of its column."""
    if cursor is None:
        return "CAST(NULL AS pg_catalog.text[])"
    return f"CAST(ARRAY[{', '.join(literal(value) for value in cursor)}] AS pg_catalog.text[])"
