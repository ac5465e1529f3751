"""One migration file as one simple query: its transaction, its rows, its end.

    BEGIN; settings; <the file> ; settings back; version row; log row; COMMIT

Either all of it happened or none of it, and it costs one round trip. The
settings a file may have changed are put back before the rows are written: the
role, because the next statement is ours; all others (search_path above all)
because the next file must not land elsewhere depending on whether it runs in
the same run as this one. Temporary tables and prepared statements stay, as
they do with golang-migrate: they hide nothing and cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import pq

from dbmigrate.postgres.failures import ServerFailure
from dbmigrate.postgres.history_rows import FENCE_COLUMN, STEP_SETTING
from dbmigrate.postgres.quoting import literal
from dbmigrate.postgres.session import Session, Tick

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class TransactionSettings:
    """What holds inside of the transaction alone."""

    lock_timeout_ms: int | None = None
    """None: what the session has."""
    statement_timeout_ms: int | None = None
    is_durable: bool = True
    """False: a later transaction of the same run will flush this one to disk too."""


class FileFailure(Exception):
    """The query failed; how far it had come."""

    def __init__(
        self, failure: ServerFailure, *, position: int | None, statement: int | None, escaped: bool
    ) -> None:
        super().__init__(str(failure))
        self.error = failure.error
        self.position = position
        """Where in the file, in characters counted from 1; None: not known, or not in the file."""
        self.statement = statement
        """Which statement of the file failed, counted from 0; None: it was one of ours."""
        self.escaped = escaped
        """The file had ended our transaction, so a part of it may have been committed."""


def run_file(
    session: Session,
    sql: bytes,
    rows: str,
    *,
    token: str,
    settings: TransactionSettings,
    on_tick: Tick | None = None,
) -> None:
    """Run a file in a transaction that ends with `rows`, SQL that contains the fence.

    Raises FileFailure, after the transaction was rolled back, and ConnectionBroken.
    """
    head = _head(token, settings)
    tail = f"\n;RESET SESSION AUTHORIZATION; RESET ROLE; {rows}; RESET ALL; COMMIT"
    fenced = False

    def watch(result: pq.abc.PGresult) -> None:
        nonlocal fenced
        if result.nfields == 1 and result.fname(0) == FENCE_COLUMN.encode():
            fenced = True

    # Each statement on its own in memory: the file is not copied more often than need be.
    query = b"".join((head.encode(), sql.removeprefix(BOM), tail.encode()))
    del sql
    try:
        session.execute(query, on_result=watch, on_tick=on_tick)
    except ServerFailure as failure:
        del query
        escaped = failure.completed > 0 and not fenced and not session.is_in_transaction
        session.roll_back()
        raise _explain(failure, head, fenced=fenced, escaped=escaped) from None


def _head(token: str, settings: TransactionSettings) -> str:
    """All in the file's first line, so that lines need no correction."""
    parts = ["BEGIN", f"SET LOCAL {STEP_SETTING} = {literal(token)}"]
    if settings.lock_timeout_ms is not None:
        parts.append(f"SET LOCAL lock_timeout = {settings.lock_timeout_ms}")
    if settings.statement_timeout_ms is not None:
        parts.append(f"SET LOCAL statement_timeout = {settings.statement_timeout_ms}")
    if not settings.is_durable:
        parts.append("SET LOCAL synchronous_commit = off")
    return "".join(f"{part}; " for part in parts)


def _explain(failure: ServerFailure, head: str, *, fenced: bool, escaped: bool) -> FileFailure:
    position = failure.error.position
    statement = failure.completed - head.count(";")
    if fenced or statement < 0:
        # A raw syntax error comes before anything is run: its position is still the file's.
        position = None if fenced or position is None else position - len(head)
        return FileFailure(failure, position=position, statement=None, escaped=False)
    return FileFailure(
        failure,
        position=None if position is None else position - len(head),
        statement=statement,
        escaped=escaped,
    )
