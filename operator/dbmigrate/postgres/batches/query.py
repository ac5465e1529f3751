"""One batch as one statement: the file's own, and the new position of the cursor.

The statement becomes the last part of a WITH, after the parts that it defines itself, and the row
with the step's progress is updated in the same statement:

    WITH <the file's own>, dbmigrate_batch (...) AS (<the file's statement>), ...,
    dbmigrate_moved AS (UPDATE ..._batches ...) SELECT ...

So a batch, its cursor and the fence around them are one transaction in one round trip; if any row
is not behind the cursor at which the batch began, or the step's row is not as this run left it, all
of it is rolled back. A parameter is put in parentheses, so that no adjacent token can join it.

The statement runs with the file's search path: every operator, function and type that
the runner adds is written with its schema, and keys, whose types may belong to an
extension, are compared by sorting them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dbmigrate.postgres.batches.state import BatchState, Cursor, array_sql
from dbmigrate.postgres.connection.errors import INVALID_TEXT, ServerError
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.batched.script import BATCH_SIZE, BatchedScript
from dbmigrate.postgres.sqltext.quoting import literal, raise_sql

COUNT_COLUMN = "dbmigrate_batch_rows"
"""The name of the first column of the batch's answer: by it a run recognises it."""
_IS = "OPERATOR(pg_catalog.=)"
_PLUS = "OPERATOR(pg_catalog.+)"
NOT_BEHIND = "dbmigrate: not behind the cursor"
NOT_UNIQUE = "dbmigrate: several rows in one place of the cursor"
NOT_OURS = "dbmigrate: the batches are not where this run left them"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it is sent, and the origin of its pieces."""

    sql: bytes
    pieces: tuple[tuple[int, int, int], ...]
    """What is the file's own: start and end in `sql`, and the file's byte it starts at."""

    def byte_in_script(self, position: int) -> int:
        """The file's byte for a character of `sql`, counted from 1; of added text, the nearest."""
        at = len(self.sql.decode()[: max(position - 1, 0)].encode())
        found = self.pieces[0][2]
        for start, end, byte in self.pieces:
            if at < start:
                break
            found = byte + min(at, end) - start
        return found


def build_batch(script: BatchedScript, history: History, state: BatchState, size: int) -> Batch:
    """The statement for the next batch after a state."""
    parts: list[bytes] = []
    pieces: list[tuple[int, int, int]] = []
    length = 0

    def add(text: bytes) -> None:
        nonlocal length
        parts.append(text)
        length += len(text)

    def add_span(start: int, end: int) -> None:
        for text, at in fill_parameters(script, start, end, state.cursor, size):
            if at is not None:
                pieces.append((length, length + len(text), at))
            add(text)

    has_with = script.main > script.start
    names = [f"dbmigrate_{key}" for key in range(1, script.keys + 1)]
    add_span(script.start, script.main)
    columns = f" ({', '.join(names)})" if names else ""
    add(f"{', ' if has_with else 'WITH '}dbmigrate_batch{columns} AS (\n".encode())
    add_span(script.main, script.end)
    add(b"" if script.has_returning or script.keys else b"\nRETURNING 1")
    add(f"\n), {_tail(script, history, state, size, names)}".encode())
    return Batch(b"".join(parts), tuple(pieces))


def fill_parameters(
    script: BatchedScript, start: int, end: int, cursor: Cursor, size: int
) -> Iterator[tuple[bytes, int | None]]:
    """Pieces of the file with their places, and the values of parameters between them."""
    at = start
    for parameter in script.parameters:
        if not start <= parameter.start < end:
            continue
        yield script.sql[at : parameter.start], at
        if parameter.name == BATCH_SIZE:
            value = str(size)
        else:
            value = literal(None if cursor is None else cursor[(parameter.key or 1) - 1])
        yield f"({value})".encode(), None
        at = parameter.end
    yield script.sql[at:end], at


def _tail(
    script: BatchedScript, history: History, state: BatchState, size: int, names: list[str]
) -> str:
    """What follows the file's statement: counting, the new cursor, and the step's row."""
    count = f"pg_catalog.count({names[0] if names else '*'})"
    where = "IS NULL" if state.cursor is None else f"{_IS} {array_sql(state.cursor)}"
    return (
        f"dbmigrate_counted AS (SELECT {count} AS done, {_count_wrong(script, state, names)} AS"
        f" wrong, {_count_shared(script, size, names)} AS shared FROM dbmigrate_batch),"
        " dbmigrate_moved AS ("
        f"UPDATE {history.batches_table} AS b SET rows = b.rows {_PLUS} c.done,"
        f" batches = b.batches {_PLUS} CASE WHEN c.done {_IS} 0 THEN 0 ELSE 1 END,"
        f" cursor = {_next_cursor(script, names)}, batch_size = {size},"
        " updated_at = pg_catalog.clock_timestamp() FROM dbmigrate_counted c"
        f" WHERE b.log_id {_IS} {state.log_id} AND b.batches {_IS} {state.batches}"
        f" AND b.cursor {where} RETURNING b.cursor)"
        f" SELECT c.done AS {COUNT_COLUMN},"
        " (SELECT pg_catalog.to_json(m.cursor) FROM dbmigrate_moved m),"
        f" CASE WHEN c.wrong {_IS} 0 THEN 0 ELSE {_raise(NOT_BEHIND, 'c.wrong')} END,"
        f" CASE WHEN c.shared {_IS} 0 THEN 0 ELSE {_raise(NOT_UNIQUE, 'c.shared')} END,"
        f" CASE WHEN (SELECT pg_catalog.count(*) FROM dbmigrate_moved) {_IS} 1 THEN 0"
        f" ELSE {_raise(NOT_OURS, 'c.done')} END FROM dbmigrate_counted c"
    )


def _raise(text: str, number: str) -> str:
    # As with the fence: the text depends on a result, else the planner would fail too early.
    return raise_sql(f"pg_catalog.concat({literal(text)}, ' ', {number})")


def _count_wrong(script: BatchedScript, state: BatchState, names: list[str]) -> str:
    """How many rows do not follow the cursor, or have no place in its order.

    max() of no rows is a single row of NULL.
    """
    if not names:
        return "0"
    placeless = (
        f"CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 THEN pg_catalog.count(*)"
        f" OPERATOR(pg_catalog.-) pg_catalog.count({names[0]}) ELSE 0 END"
    )
    wrong = [placeless]
    if len(names) > 1:
        incomplete = " OR ".join(f"{name} IS NULL" for name in names[1:])
        wrong.append(f"pg_catalog.count({names[0]}) FILTER (WHERE {incomplete})")
    if state.cursor is not None:
        wrong.append(_is_overtaken(script, state.cursor, names))
    return f" {_PLUS} ".join(wrong)


def _is_overtaken(script: BatchedScript, cursor: tuple[str | None, ...], names: list[str]) -> str:
    """1 if the first row of the batch, in the order of the keys, does not follow the cursor.

    Sorting names no operator: each type has an order of its own.
    """
    way = "DESC" if script.options.is_descending else "ASC"
    order = ", ".join(f"{name} {way} NULLS LAST" for name in names)
    values = ", ".join(literal(value) for value in cursor)
    whole = " AND ".join(f"{name} IS NOT NULL" for name in names)
    return (
        "(SELECT CASE WHEN is_cursor THEN 0 ELSE 1 END FROM"
        f" (SELECT false AS is_cursor, {', '.join(names)} FROM dbmigrate_batch WHERE {whole}"
        f" UNION ALL SELECT true, {values}) dbmigrate_rows ORDER BY {order}, is_cursor LIMIT 1)"
    )


def _count_shared(script: BatchedScript, size: int, names: list[str]) -> str:
    """How many rows have the same key as others, in a batch that its size has cut off.

    Where a key is not unique, a batch may end between two rows of one value, and the
    next one would begin behind both.
    """
    if not names or script.shares_places:
        return "0"
    row = f"({', '.join(names)})"
    return (
        f"CASE WHEN pg_catalog.count(*) {_IS} {size} THEN pg_catalog.count(*)"
        f" OPERATOR(pg_catalog.-) pg_catalog.count(DISTINCT {row}) ELSE 0 END"
    )


def _next_cursor(script: BatchedScript, names: list[str]) -> str:
    if not names:
        return "b.cursor"
    way = "ASC" if script.options.is_descending else "DESC"
    order = ", ".join(f"{name} {way}" for name in names)
    values = ", ".join(_text_sql(name) for name in names)
    return (
        f"COALESCE((SELECT CAST(ARRAY[{values}] AS pg_catalog.text[]) FROM dbmigrate_batch"
        f" WHERE {names[0]} IS NOT NULL ORDER BY {order} LIMIT 1), b.cursor)"
    )


def _text_sql(name: str) -> str:
    """A value as text that its type reads back: JSON's for times, which no DateStyle changes."""
    json = f"pg_catalog.to_jsonb({name})"
    return (
        f"CASE WHEN pg_catalog.jsonb_typeof({json}) {_IS} 'string'"
        f" THEN {json} OPERATOR(pg_catalog.#>>) '{{}}' ELSE pg_catalog.concat({name}) END"
    )


def read_refusal(error: ServerError) -> str | None:
    """Which of the batch's own errors this is; None: none of them."""
    if error.sqlstate != INVALID_TEXT:
        return None
    ours = (NOT_BEHIND, NOT_UNIQUE, NOT_OURS)
    return next((each for each in ours if f"{each} " in error.message), None)
