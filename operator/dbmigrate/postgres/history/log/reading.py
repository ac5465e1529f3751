"""Which rows of the log a command reads: those that explain the present state, found by index.

Steps are repeated, tries fail, versions are set: the log grows, and what it says of the
present does not. Of each step (a version with its outcome, direction and name) the newest row
counts, and of each version that was set without a step (its rows have no version of their
own) the newest as well. Replayed in their order they lead to the same state as the whole log.

The plan is a loose scan: each round of the recursion is one descent of an index to the next
key, so that what is read grows with the number of steps, not of rows. Where the log has no
such indexes yet (an older dbmigrate has made it, and no run has written since) the server
reads it whole and groups it; what it sends is the same.
"""

from __future__ import annotations

from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.postgres.history.relations import History
from dbmigrate.versions import LARGEST_NUMBER

_STEP = "version, outcome, direction, name"
_IS_STEP = "version IS NOT NULL"
_IS_SET = "version IS NULL AND to_version IS NOT NULL"

_COLUMNS = (
    "id",
    "version",
    "name",
    "direction",
    "from_version",
    "to_version",
    "checksum",
    "down_script IS NOT NULL",
    "outcome",
    "pg_catalog.to_char(finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
    "milliseconds",
    "executed_by",
    "executed_from",
    "statements",
    "statements_done",
    "done_checksum",
)
"""Times are RFC 3339 in UTC, whatever the session's settings."""


def read_log_sql(history: History) -> str:
    """The rows that count, in their order."""
    return (
        f"{explaining_sql(history)} SELECT found.* FROM explaining, LATERAL"
        f" (SELECT {_selected(history)} FROM {history.log_table} AS log"
        " WHERE log.id = explaining.id LIMIT 1) found ORDER BY found.id"
    )


def read_steps_sql(history: History, before: int | None, limit: int) -> str:
    """So many rows that changed something, the newest first, from below the id `before`."""
    bound = "" if before is None else f" AND id < {before}"
    return (
        f"SELECT {_selected(history)} FROM {history.log_table}"
        f" WHERE outcome = 'applied'{bound} ORDER BY id DESC LIMIT {limit}"
    )


def explaining_sql(history: History) -> str:
    """WITH, and the table `explaining` with the ids of the rows that count."""
    log = history.log_table
    newest = (
        f"(SELECT id FROM {log} ORDER BY id DESC LIMIT 1)"
        f" UNION (SELECT id FROM {log} WHERE version IS NULL AND to_version IS NULL"
        " ORDER BY version, to_version, id DESC LIMIT 1)"
    )
    if not history.log_shape.is_indexed:
        return (
            f"WITH explaining AS ({newest}"
            f" UNION SELECT pg_catalog.max(id) FROM {log} WHERE {_IS_STEP} GROUP BY {_STEP}"
            f" UNION SELECT pg_catalog.max(id) FROM {log} WHERE {_IS_SET} GROUP BY to_version)"
        )
    step = _loose(log, "step", _STEP, _IS_STEP, order=_STEP)
    move = _loose(log, "move", "to_version", _IS_SET, order="version, to_version")
    return (
        f"WITH RECURSIVE step AS ({step}), move AS ({move}), explaining AS"
        f" (SELECT id FROM step UNION SELECT id FROM move UNION {newest})"
    )


def prune_sql(history: History, keep: int) -> str:
    """Remove the rows that do not count, but for the `keep` newest ones, and what the table of
    batches has of them. Answers with how many rows of the log that were, and how many are left.
    """
    log = history.log_table
    kept = f"SELECT id FROM {log} ORDER BY id DESC LIMIT {keep}"
    statements = [
        f"{explaining_sql(history)}, gone AS (DELETE FROM {log}"
        " WHERE id NOT IN (SELECT id FROM explaining)"
        f" AND id < COALESCE((SELECT pg_catalog.min(id) FROM ({kept}) kept), {LARGEST_NUMBER})"
        " RETURNING id) SELECT pg_catalog.count(*) FROM gone"
    ]
    if history.knows_batches:
        statements.append(
            f"DELETE FROM {history.batches_table} AS b"
            f" WHERE NOT EXISTS (SELECT FROM {log} AS l WHERE l.id = b.log_id)"
        )
        statements[:0] = history.guard_of_batches
    else:
        statements[0] = history.guarded(statements[0])
    statements.append(f"SELECT pg_catalog.count(*) FROM {log}")
    return "; ".join(statements)


def parse_log(history: History, rows: list[Row]) -> tuple[LogRow, ...]:
    """The rows of `read_log_sql` or `read_steps_sql`."""
    return tuple(
        LogRow(
            id=int(row[0] or 0),
            version=history.read_version(row[1], row[2] or ""),
            name=row[2] or "",
            direction=row[3] or "",
            from_version=history.read_version(row[4]),
            to_version=history.read_version(row[5]),
            checksum=row[6],
            has_down=row[7] == "t",
            outcome=row[8] or "",
            finished_at=row[9],
            milliseconds=_number(row[10]),
            executed_by=row[11] or "",
            executed_from=row[12] or "",
            statements=_number(row[13]),
            statements_done=_number(row[14]),
            done_checksum=row[15],
        )
        for row in rows
    )


def _loose(log: str, name: str, key: str, condition: str, *, order: str) -> str:
    """The body of a recursive table of that name: the newest id of each key.

    `order` are the columns of the index before the id, so that nothing is to be sorted.
    """
    order = f"ORDER BY {order}, id DESC LIMIT 1"
    last = ", ".join(f"{name}.{column}" for column in key.split(", "))
    first = f"SELECT {key}, id FROM {log} WHERE {condition} {order}"
    further = f"SELECT {key}, id FROM {log} WHERE {condition} AND ({key}) > ({last}) {order}"
    return f"({first}) UNION ALL SELECT further.* FROM {name}, LATERAL ({further}) further"


def _selected(history: History) -> str:
    """The columns; NULL for one that the log does not have yet."""
    found = history.log_shape.columns
    return ", ".join(
        column if column in found or not column.isidentifier() else "NULL" for column in _COLUMNS
    )


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
