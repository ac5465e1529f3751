"""The log's rows: what they hold, and the SQL that reads and writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.versions import Version


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the log, without its texts."""

    id: int
    version: Version | None
    name: str
    direction: str
    from_version: Version | None
    to_version: Version | None
    checksum: str | None
    has_down: bool
    outcome: str
    finished_at: str | None
    milliseconds: int | None
    executed_by: str
    executed_from: str
    statements: int | None
    """How many the script has; None for a step that was one transaction."""
    statements_done: int | None
    done_checksum: str | None
    """SHA-256 of the script up to the end of the last statement that was done."""


@dataclass(frozen=True, slots=True)
class NewLogRow:
    """A row to be written."""

    version: Version | None
    name: str
    direction: str
    from_version: Version | None
    to_version: Version | None
    executed_from: str
    tool_version: str
    outcome: str = "applied"
    checksum: str | None = None
    down_file: str | None = None
    down_script: str | None = None
    statements: int | None = None
    statements_done: int | None = None
    done_checksum: str | None = None
    error: str | None = None


def read_identity_sql(history: History) -> str:
    """The last number that the log's identity has given; 0: none since it was restarted.

    NULL where the role may not read and set the sequence.
    """
    may = "pg_catalog.has_sequence_privilege(s.id::pg_catalog.oid, "
    return (
        f"SELECT CASE WHEN {may}'SELECT') AND {may}'UPDATE')"
        " THEN COALESCE(pg_catalog.pg_sequence_last_value(s.id), 0) END"
        f" FROM (SELECT {_identity(history)}) s (id)"
    )


def advance_identity_sql(history: History, log_id: int) -> str:
    """Set the identity to continue after this row."""
    return f"SELECT pg_catalog.setval({_identity(history)}, {log_id}::bigint)"


def _identity(history: History) -> str:
    table = literal(history.log_table)
    return f"pg_catalog.pg_get_serial_sequence({table}, 'id')::pg_catalog.regclass"


def read_down_sql(history: History, ids: tuple[int, ...]) -> str:
    """The down scripts stored in these rows."""
    keys = ", ".join(map(str, ids))
    return f"SELECT id, down_file, down_script FROM {history.log_table} WHERE id IN ({keys})"


def insert_log_sql(history: History, row: NewLogRow, *, running: bool = False) -> str:
    """Append a row. It began when the transaction did, and ends now unless it is `running`."""
    values = {
        "version": literal(row.version),
        "name": literal(row.name),
        "direction": literal(row.direction),
        "from_version": literal(row.from_version),
        "to_version": literal(row.to_version),
        "checksum": literal(row.checksum),
        "down_file": literal(row.down_file),
        "down_script": literal(row.down_script),
        "started_at": "pg_catalog.now()",
        "finished_at": "NULL" if running else "pg_catalog.clock_timestamp()",
        "milliseconds": "NULL" if running else _elapsed("pg_catalog.now()"),
        "executed_from": literal(row.executed_from),
        "tool_version": literal(row.tool_version),
        "outcome": literal(row.outcome),
        "statements": literal(row.statements),
        "statements_done": literal(row.statements_done),
        "done_checksum": literal(row.done_checksum),
        "error": literal(row.error),
    }
    into = f"{history.log_table} ({', '.join(values)})"
    return f"INSERT INTO {into} VALUES ({', '.join(values.values())})"


def end_log_sql(
    history: History,
    log_id: int,
    outcome: str,
    error: str | None = None,
    *,
    is_undone: bool = False,
) -> str:
    """Complete the row of a step that ran without a transaction.

    `is_undone`: it has done nothing, as one that failed in a transaction.
    """
    count = " statements = NULL, statements_done = NULL, done_checksum = NULL," if is_undone else ""
    return (
        f"UPDATE {history.log_table} SET outcome = {literal(outcome)}, error = {literal(error)},"
        f"{count}"
        " finished_at = pg_catalog.clock_timestamp(),"
        f" milliseconds = {_elapsed('started_at')} WHERE id = {log_id}"
    )


def advance_log_sql(history: History, log_id: int, done: int, checksum: str) -> str:
    """Count what is done of a step that runs without a transaction."""
    return (
        f"UPDATE {history.log_table} SET statements_done = {done},"
        f" done_checksum = {literal(checksum)}, error = NULL WHERE id = {log_id}"
    )


_DROP_NOTE = re.compile(r"drops the index with the oid ([0-9]+), script to here ([0-9a-f]{64})")


def note_drop_sql(history: History, log_id: int, index: int, checksum: str) -> str:
    """Record, before the statement runs, which index it drops: nothing shows it afterwards.

    `index` is its oid; `checksum` is that of the script up to the end of the statement.
    """
    note = literal(f"drops the index with the oid {index}, script to here {checksum}")
    return f"UPDATE {history.log_table} SET error = {note} WHERE id = {log_id}"


def read_drop_note_sql(history: History, log_id: int) -> str:
    """The note that a row of the log has."""
    return f"SELECT error FROM {history.log_table} WHERE id = {log_id}"


def parse_drop_note(note: str | None) -> tuple[int, str] | None:
    """The index's oid and the checksum; None where the row has no such note."""
    match = _DROP_NOTE.fullmatch(note or "")
    return (int(match[1]), match[2]) if match else None


def _elapsed(start: str) -> str:
    return f"(1000 * pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - {start}))::bigint"
