"""One migration file as one simple query: its transaction, its rows, its end.

    BEGIN; settings; lock; <the file> ; role back, own search path; check of the history;
    version row; log row; settings back; COMMIT

Either all of it happens or none of it, and it costs one round trip. The settings
that a file may have changed are reset before the rows are written: the role, because
the next statement is the runner's; all others (above all search_path), because the
next file must not depend on whether it runs in the same run as this one. Temporary
tables and prepared statements stay, as they do with golang-migrate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.keepalives import KEEPALIVES
from dbmigrate.postgres.connection.libpq import pq
from dbmigrate.postgres.connection.search_path import SAFE_PATH
from dbmigrate.postgres.connection.session import Session, Tick
from dbmigrate.postgres.history.fence import FENCE_COLUMN, STEP_SETTING
from dbmigrate.postgres.sqltext.copy_data import Sendable
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.postgres.sqltext.splitter import split

_WRITES = re.compile(
    r"\b(?:UPDATE|INSERT INTO|DELETE FROM|LOCK TABLE)\s+(?:ONLY\s+)?"
    r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?'
)
CLIENT_CHECK_MS = 2000
"""How often the server looks whether we are still there while it works for us. By itself it sees
only at the end of a statement that its client was killed, and holds the locks until then."""

RESET_ROLE = "RESET SESSION AUTHORIZATION; RESET ROLE"
RESET_SETTINGS = f"RESET ALL; {KEEPALIVES}"
"""Back to what the URL and the role's defaults say, and our own settings of the session."""
RESET = f"{RESET_ROLE}; {RESET_SETTINGS}; {SAFE_PATH}"
"""The same with the role, for statements of dbmigrate to follow."""


@dataclass(frozen=True, slots=True)
class TransactionSettings:
    """The settings that apply inside the transaction alone."""

    lock_timeout_ms: int | None = None
    """None: what the session has."""
    statement_timeout_ms: int | None = None
    is_durable: bool = True
    """False: a later transaction of the same run will flush this one to disk too."""
    client_check_ms: int | None = None
    """None: what the session has, or the server can't look after its clients."""

    def statements(self) -> list[str]:
        """As SQL, for inside of the transaction."""
        parts = []
        if self.lock_timeout_ms is not None:
            parts.append(f"SET LOCAL lock_timeout = {self.lock_timeout_ms}")
        if self.statement_timeout_ms is not None:
            parts.append(f"SET LOCAL statement_timeout = {self.statement_timeout_ms}")
        if self.client_check_ms is not None:
            parts.append(f"SET LOCAL client_connection_check_interval = {self.client_check_ms}")
        return parts

    def session_statements(self) -> list[str]:
        """As SQL, for statements outside of a transaction; a later one may want other limits."""
        parts = [
            f"SET lock_timeout = {_or_default(self.lock_timeout_ms)}",
            f"SET statement_timeout = {_or_default(self.statement_timeout_ms)}",
        ]
        if self.client_check_ms is not None:
            parts.append(f"SET client_connection_check_interval = {self.client_check_ms}")
        return parts


def _or_default(milliseconds: int | None) -> str:
    return "DEFAULT" if milliseconds is None else str(milliseconds)


class FileFailure(Exception):
    """The query failed; with its progress."""

    def __init__(
        self,
        failure: ServerFailure,
        *,
        position: int | None,
        statement: int | None,
        escaped: bool,
        own: str | None = None,
    ) -> None:
        super().__init__(str(failure))
        self.error = failure.error
        self.position = position
        """Where in what was sent of the file, in characters counted from 1; None: not known."""
        self.statement = statement
        """Which statement of the file failed, counted from 0; None: none of them."""
        self.escaped = escaped
        """The file had ended our transaction, so a part of it may have been committed."""
        self.own = own
        """The statement around the file that failed, as `UPDATE public.schema_migrations`; None:
        it was one of the file, or the end of the transaction, at which triggers of the file run."""

    def is_passing(self, sqlstates: Container[str | None]) -> bool:
        """Whether a statement failed by one of these errors, which pass, and all was rolled back:
        the query may be repeated."""
        is_statement = self.statement is not None or self.own is not None
        return self.error.sqlstate in sqlstates and is_statement and not self.escaped


@dataclass(frozen=True, slots=True)
class FileQuery:
    """A file and the statements around it, ready to be sent."""

    file: Sendable
    before: tuple[str, ...]
    """The statements before the file."""
    tail: str
    """The statements after the file."""

    @property
    def head(self) -> str:
        """Those in the file's first line: line numbers need no correction."""
        return "".join(f"{statement}; " for statement in self.before)

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """What is sent, one after the other, each with the byte of the file it begins at.

        A large file goes in pieces, each of whole statements: as one message, libpq and the
        server would each hold all of it once more.
        """
        view = memoryview(self.file.sql)
        edges = (0, *self.file.pieces, len(view))
        for start, end in pairwise(edges):
            head = b"" if start else self.head.encode()
            tail = self.tail.encode() if end == len(view) else b""
            if start < end or tail:
                yield start, b"".join((head, view[start:end], tail))

    def position_in_file(self, position: int, start: int) -> int:
        """From a character of the message that begins at a byte of the file, counted from 1."""
        if start == 0:
            return position - len(self.head)
        return len(self.file.sql[:start].decode()) + position


def build_query(
    file: Sendable,
    rows: str,
    *,
    token: str,
    settings: TransactionSettings,
    guard: Sequence[str] = (),
    begins: bool = True,
    commits: bool = True,
) -> FileQuery:
    """Put a file into its transaction. `rows` is the SQL that contains the fence.

    `guard` comes before the file, and sees its search path. What the file does, its isolation
    level included, sees what the catalogs hold under the guard's lock.

    Where several files share a transaction, only the first begins it and the last commits.
    """
    parts = [
        *(("BEGIN",) if begins else ()),
        f"SET LOCAL {STEP_SETTING} = {literal(token)}",
        *settings.statements(),
        *guard,
    ]
    end = "; COMMIT" if commits else ""
    if not settings.is_durable:
        # Behind RESET ALL, which would undo it; the file's own commits are not affected.
        end = f"; SET LOCAL synchronous_commit = off{end}"
    tail = f"\n;{RESET_ROLE}; {SAFE_PATH}; {rows}; {RESET_SETTINGS}{end}"
    return FileQuery(file, tuple(parts), tail)


def run_query(
    session: Session,
    query: FileQuery,
    *,
    on_tick: Tick | None = None,
    on_result: Callable[[pq.abc.PGresult], None] | None = None,
) -> None:
    """Run it. Raises FileFailure, after a rollback, and ConnectionBroken."""
    fenced, behind = False, 0

    def watch(result: pq.abc.PGresult) -> None:
        nonlocal fenced, behind
        behind += fenced
        if result.nfields == 1 and result.fname(0) == FENCE_COLUMN.encode():
            fenced = True
        if on_result is not None:
            on_result(result)

    completed = at = 0
    try:
        for start, message in query.messages():
            at = start
            completed += session.execute(
                message,
                rows=query.file.rows,
                on_result=watch,
                on_tick=on_tick,
                keeps_rows=on_result is not None,
            )
    except ServerFailure as late:
        failure = ServerFailure(late.error, completed + late.completed)
        escaped = failure.completed > 0 and not fenced and not session.is_in_transaction
        session.roll_back()
        own = _find_own(query, failure.completed)
        if own is None and fenced and behind == 0:
            own = "INSERT INTO the log"
        raise _explain(failure, query, at, fenced=fenced, escaped=escaped, own=own) from None


def _explain(
    failure: ServerFailure,
    query: FileQuery,
    start: int,
    *,
    fenced: bool,
    escaped: bool,
    own: str | None,
) -> FileFailure:
    # For a quote that the file leaves open, the server shows the rest of the query.
    shown = replace(failure.error, message=failure.error.message.replace(query.tail, ""))
    failure = ServerFailure(shown, failure.completed)
    position = failure.error.position
    if position is not None:
        position = query.position_in_file(position, start)
    statement = failure.completed - len(query.before)
    if fenced or own is not None:
        return FileFailure(failure, position=None, statement=None, escaped=False, own=own)
    if statement < 0:
        # A syntax error comes before anything is run, and its position is the file's.
        return FileFailure(failure, position=position, statement=None, escaped=False)
    return FileFailure(failure, position=position, statement=statement, escaped=escaped)


def _find_own(query: FileQuery, index: int) -> str | None:
    """What that statement of the query writes; None: it is not ours."""
    if index < len(query.before):
        text = query.before[index]
    else:
        try:
            own = index - len(query.before) - sum(1 for _ in split(query.file.sql, file=""))
        except MigrationError:
            return None  # what can't be cut is not counted
        behind = list(split(query.tail.encode(), file="")) if own >= 0 else []
        if own >= len(behind) or own < 0:
            return None
        text = query.tail.encode()[behind[own].start : behind[own].end].decode()
    found = _WRITES.search(text)
    return re.sub(r'"(\w+)"', r"\1", " ".join(found[0].split())) if found else None
