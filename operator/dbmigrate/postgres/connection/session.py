"""One connection that speaks simple queries, and for a text from outside extended ones.

A simple query contains any number of statements in one round trip, and returns a
result for each. They are read one by one as they arrive, so that an error without a
position is still known to belong to the k-th statement. While the server works, the
caller is called back about ten times a second, however much arrives meanwhile: there a
run notices that it should stop, or that it is blocked.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable, Iterator, Sequence

from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerError, ServerFailure
from dbmigrate.postgres.connection.handshake import TICK_MILLISECONDS, cancel
from dbmigrate.postgres.connection.libpq import Error, OperationalError, pq
from dbmigrate.postgres.connection.search_path import SAFE
from dbmigrate.postgres.sqltext.quoting import literal

Row = tuple[str | None, ...]
Buffer = bytes | memoryview
Tick = Callable[[float], None]

_TICK_SECONDS = TICK_MILLISECONDS / 1000
_CANCEL_SECONDS = 5
_UTF8 = b"UTF8"
_GONE = "server closed the connection"
_COPY_CHUNK = 1 << 16
_FIRST_WITH_CHUNKS = 170000
"""The version of libpq that gives several rows at a time."""
_ROWS_AT_A_TIME = 64
_PARTS = frozenset((pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_CHUNK))
"""Rows of a result that is not complete."""
_NO_ROWS = b"the script has no rows for this COPY FROM STDIN"


class Session:
    """A connection in autocommit mode, on which the protocol is used directly."""

    def __init__(self, connection: pq.abc.PGconn) -> None:
        self._pgconn = connection
        self.on_silence: Tick | None = None
        """Called back over a query that has no callback of its own, as that would be."""
        self.lock_seconds = math.inf
        """How long a statement of the runner may wait for a lock; reading the catalogs takes locks
        on the tables that they describe."""
        self.round_trips = 0
        """The number of queries sent."""

    @property
    def announced_pid(self) -> int:
        """The backend's pid as announced at the start of the connection; a pooler invents one."""
        return self._pgconn.backend_pid

    @property
    def place(self) -> dict[str, str]:
        """The host that answered, as parameters of a connection to it alone."""
        found = {"host": self._pgconn.host, "hostaddr": self._pgconn.hostaddr}
        found["port"] = self._pgconn.port
        return {name: value.decode() for name, value in found.items() if value}

    @property
    def user(self) -> str:
        """The role that has logged in, from the server."""
        name = self._pgconn.parameter_status(b"session_authorization")
        return (name or b"").decode()

    @property
    def address(self) -> tuple[str, str]:
        """The host, of several the one that was chosen, and the port."""
        host, port = self._pgconn.host, self._pgconn.port
        return host.decode(errors="replace"), port.decode(errors="replace")

    @property
    def server_version(self) -> int:
        """The server's version as server_version_num has it, announced at the start: 180001."""
        return self._pgconn.server_version

    @property
    def is_open(self) -> bool:
        """Whether the connection can be used, as far as we know."""
        return self._pgconn.status == pq.ConnStatus.OK

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction block is open, failed or not, according to the server."""
        return self._pgconn.transaction_status != pq.TransactionStatus.IDLE

    def query(self, sql: str, *, before: str = "") -> list[list[Row]]:
        """Run statements of the runner; returns the rows of each result that has columns.

        They are one transaction, unless they end it themselves as their last statement, and
        the session's search path has no effect on them. `before` is a statement that has to
        see that path (dbmigrate.postgres.connection.search_path says what it may be).
        Raises ServerFailure and ConnectionBroken.
        """
        first = f"{before}; " if before else ""
        limit = lock_timeout_sql(self.lock_seconds)
        text = f"{first}{SAFE}; {limit}{sql}"
        encoding = self._pgconn.parameter_status(b"client_encoding")
        return self._collect(text) if encoding == _UTF8 else self._collect_in_utf8(text, encoding)

    def _collect_in_utf8(self, sql: str, encoding: bytes | None) -> list[list[Row]]:
        """Where a file has set another client_encoding, which then returns.

        The server converts a whole message before it runs the first statement of it, so that
        this can't be a part of the message.
        """
        self._collect("SET client_encoding = 'UTF8'")
        try:
            return self._collect(sql)
        finally:
            if self.is_open and self._pgconn.transaction_status != pq.TransactionStatus.INERROR:
                self._collect(f"SET client_encoding = {literal((encoding or _UTF8).decode())}")

    def command(self, sql: str) -> None:
        """Run one statement of the runner that may not be in a transaction with others.

        It must not name an operator, a function or a type. Raises as `query` does.
        """
        self._collect(sql)

    def query_as_user(self, sql: str) -> list[list[Row]]:
        """Run a query of the user unchanged. Raises as `query` does."""
        return self._collect(sql)

    def resolve(self, names: Sequence[str]) -> dict[str, int]:
        """The oids of relations that a file names, resolved by the session's own path.

        Those that do not exist are left out. Raises as `query` does.
        """
        if not names:
            return {}
        found = ", ".join(
            f"pg_catalog.to_regclass({literal(name)})::pg_catalog.oid" for name in names
        )
        ((oids,),) = self._collect(f"SELECT {found}")
        return {name: int(oid) for name, oid in zip(names, oids, strict=True) if oid is not None}

    def _collect(self, sql: str) -> list[list[Row]]:
        tables: list[list[Row]] = []

        def collect(result: pq.abc.PGresult) -> None:
            if result.status == pq.ExecStatus.TUPLES_OK and result.nfields:
                tables.append(_rows(result))

        self.execute(sql.encode(), on_result=collect)
        return tables

    def execute(
        self,
        sql: bytes,
        *,
        rows: Sequence[Buffer] = (),
        on_result: Callable[[pq.abc.PGresult], None] | None = None,
        on_tick: Tick | None = None,
        is_single: bool = False,
        keeps_rows: bool = True,
    ) -> int:
        """Run one simple query to its end and return how many statements it had.

        `rows` are the data for each COPY ... FROM STDIN in it, in order.
        `is_single` sends it by the extended protocol, by which the server refuses a text of
        several statements before it runs any.
        Without `keeps_rows` results come without the rows, however many there are.
        `on_tick` gets the seconds since the start, once in a tick, whether the server is
        silent or not. Raises ServerFailure (the session is usable, perhaps inside a
        failed transaction) and ConnectionBroken.
        """
        self.round_trips += 1
        try:
            if is_single:
                self._pgconn.send_query_params(sql, None)
            else:
                self._pgconn.send_query(sql)
            if not keeps_rows:
                self._take_rows_in_parts()
            wait = _Wait(self._pgconn, on_tick or self.on_silence)
            return self._read(iter(rows), on_result, wait)
        except OperationalError as error:
            raise ConnectionBroken(_one_line(str(error)) or _GONE) from None
        except ConnectionBroken:
            # A callback may have closed it: nothing can be read any more.
            self.close()
            raise

    def roll_back(self) -> None:
        """Roll back a failed transaction, if there is one."""
        if self.is_in_transaction:
            self.execute(b"ROLLBACK")

    def cancel(self) -> None:
        """Ask the server to cancel the running statement; its answer is an error."""
        try:
            cancel(self._pgconn, _CANCEL_SECONDS)
        except Error:
            pass  # the statement may have ended meanwhile, or the server is gone

    def close(self) -> None:
        """Close the connection; its locks are released."""
        self._pgconn.finish()
        # These refer to what holds the session: as a cycle they would wait for the collector.
        self.on_silence = None
        self._pgconn.notice_handler = None

    def _read(
        self,
        rows: Iterator[Buffer],
        on_result: Callable[[pq.abc.PGresult], None] | None,
        wait: _Wait,
    ) -> int:
        self._flush(wait)
        completed = 0
        failure: ServerError | None = None
        while True:
            while self._pgconn.is_busy():
                wait.until_ready()
            result = self._pgconn.get_result()
            if result is None:
                break
            status = result.status
            if status == pq.ExecStatus.FATAL_ERROR:
                failure = failure or _server_error(result)
            elif status in _PARTS:
                continue
            elif status == pq.ExecStatus.COPY_IN:
                self._feed_copy(next(rows, None), wait)
            elif status == pq.ExecStatus.COPY_OUT:
                self._discard_copy(wait)
            else:
                completed += 1
                if on_result is not None:
                    on_result(result)
        if self._pgconn.status != pq.ConnStatus.OK:
            raise ConnectionBroken(failure.message if failure else _GONE)
        if failure is not None:
            raise ServerFailure(failure, completed)
        return completed

    def _take_rows_in_parts(self) -> None:
        """Otherwise libpq holds all rows of a result before it gives any."""
        if pq.version() < _FIRST_WITH_CHUNKS:
            self._pgconn.set_single_row_mode()
        else:
            self._pgconn.set_chunked_rows_mode(_ROWS_AT_A_TIME)

    def _flush(self, wait: _Wait) -> None:
        while self._pgconn.flush():
            wait.until_ready(writing=True)
            self._pgconn.is_busy()  # libpq looks at notices, and forgets them

    def _feed_copy(self, rows: Buffer | None, wait: _Wait) -> None:
        view = memoryview(rows or b"")
        for start in range(0, len(view), _COPY_CHUNK):
            while not self._pgconn.put_copy_data(view[start : start + _COPY_CHUNK]):
                self._flush(wait)
            self._flush(wait)
        while not self._pgconn.put_copy_end(_NO_ROWS if rows is None else None):
            self._flush(wait)
        self._flush(wait)

    def _discard_copy(self, wait: _Wait) -> None:
        while True:
            size, _ = self._pgconn.get_copy_data(1)
            if size < 0:
                return
            if size == 0:
                wait.until_ready()


class _Wait:
    """Waits for the socket, and calls back by the clock: what arrives puts no tick off."""

    def __init__(self, pgconn: pq.abc.PGconn, on_tick: Tick | None) -> None:
        self._pgconn = pgconn
        self._on_tick = on_tick
        self._start = time.monotonic()
        self._next_tick = self._start + _TICK_SECONDS
        self._poll = select.poll()

    def until_ready(self, *, writing: bool = False) -> None:
        wanted = select.POLLIN | (select.POLLOUT if writing else 0)
        self._poll.register(self._pgconn.socket, wanted)
        # Only now: what has arrived may have been all of the answer.
        now = time.monotonic()
        if now >= self._next_tick:
            self._tick(now)
        while not (ready := self._poll.poll(TICK_MILLISECONDS)):
            self._tick(time.monotonic())
        if ready[0][1] & ~select.POLLOUT:
            self._pgconn.consume_input()

    def _tick(self, now: float) -> None:
        self._next_tick = now + _TICK_SECONDS
        while self._pgconn.notifies():
            pass  # libpq keeps them until they are taken
        if self._on_tick is not None:
            self._on_tick(now - self._start)


def lock_timeout_sql(seconds: float) -> str:
    """The limit for one transaction, in front of its statements; nothing for none."""
    if seconds == math.inf:
        return ""
    return f"SET LOCAL lock_timeout = {max(1, min(2**31 - 1, round(1000 * seconds)))}; "


def no_answer_within(limit: float) -> Tick:
    """A callback that closes the connection (ConnectionBroken) after that many seconds."""

    def give_up(seconds: float) -> None:
        if seconds > limit:
            raise ConnectionBroken(f"the server has not answered for {limit:g} s")

    return give_up


def keep_named(tables: dict[str, list[Row]]) -> Callable[[pq.abc.PGresult], None]:
    """For `execute`: keeps the rows of each result under the name of its first column."""

    def keep(result: pq.abc.PGresult) -> None:
        if result.status == pq.ExecStatus.TUPLES_OK:
            tables[(result.fname(0) or b"").decode()] = _rows(result)

    return keep


def _rows(result: pq.abc.PGresult) -> list[Row]:
    columns = range(result.nfields)
    value = result.get_value
    return [
        tuple(None if (raw := value(row, column)) is None else raw.decode() for column in columns)
        for row in range(result.ntuples)
    ]


def _server_error(result: pq.abc.PGresult) -> ServerError:
    def field(which: pq.DiagnosticField) -> str | None:
        raw = result.error_field(which)
        return None if raw is None else raw.decode(errors="replace")

    position = field(pq.DiagnosticField.STATEMENT_POSITION)
    message = field(pq.DiagnosticField.MESSAGE_PRIMARY)
    if message is None:
        # Made by libpq, not by the server: the connection is gone.
        message = _one_line((result.error_message or b"").decode(errors="replace")) or _GONE
    return ServerError(
        sqlstate=field(pq.DiagnosticField.SQLSTATE),
        message=message,
        detail=field(pq.DiagnosticField.MESSAGE_DETAIL),
        hint=field(pq.DiagnosticField.MESSAGE_HINT),
        position=None if position is None else int(position),
        context=field(pq.DiagnosticField.CONTEXT),
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
