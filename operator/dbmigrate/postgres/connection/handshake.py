"""Opening a connection, and asking the server to cancel, without blocking signals.

libpq's own waiting ends neither at a signal of Python's nor, beside a silent host, at
connect_timeout: both are polled here.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from dbmigrate.postgres.connection.libpq import (
    Error,
    OperationalError,
    conninfo_attempts,
    make_conninfo,
    pq,
    timeout_from_conninfo,
)

TICK_MILLISECONDS = 100
_MOST_ROUNDS = 2000
"""How often a server may make one login go on: about 30 have been seen, and each may bring 16 kB
that libpq keeps."""
_FIRST_WITH_CANCEL_CONNECTIONS = 170000
"""The version of libpq whose cancel requests are encrypted as the connection is."""


class AttemptsFailed(OperationalError):
    """No attempt succeeded."""

    def __init__(self, text: str, conninfo: Mapping[str, str]) -> None:
        super().__init__(text)
        self.conninfo = conninfo
        """The parameters that libpq has taken from a service file, too, and from variables."""


def open_connection(
    params: dict[str, str], password: Callable[[Mapping[str, object]], str] | None = None
) -> pq.abc.PGconn:
    """Try each host and address in turn, each as long as connect_timeout says.

    `password` gives the one for each attempt, where it is no parameter. Raises Error with the
    text of each attempt, on lines of its own.
    """
    timeout = timeout_from_conninfo(dict(params))
    problems: list[str] = []
    known: dict[str, str] = {}
    attempts = conninfo_attempts(params)
    for attempt in attempts:
        own = {} if password is None else {"password": password(attempt)}
        try:
            return _open(make_conninfo("", **{**attempt, **own}), timeout, known)
        except Error as error:
            problems.append(str(error))
    # Where a part of the hosts has addresses, psycopg leaves the others out in silence.
    tried = {attempt.get("host") or attempt.get("hostaddr") for attempt in attempts}
    hosts = (params.get("host") or os.environ.get("PGHOST", "")).split(",")
    if len(hosts) > 1 and "hostaddr" not in params and "PGHOSTADDR" not in os.environ:
        unknown = (host for host in hosts if host and host not in tried)
        problems += [f"failed to resolve host {host!r}" for host in unknown]
    raise AttemptsFailed("\n".join(dict.fromkeys(problems)), known)


def cancel(connection: pq.abc.PGconn, seconds: int) -> None:
    """Ask the server to cancel the running statement. Raises Error."""
    if pq.version() < _FIRST_WITH_CANCEL_CONNECTIONS:
        connection.get_cancel().cancel()
        return
    request = connection.cancel_conn()
    try:
        request.start()
        _wait(request, seconds)
    finally:
        request.finish()


class _Polled(Protocol):
    """What libpq makes progress on when it is polled."""

    @property
    def socket(self) -> int: ...

    def poll(self) -> int: ...


class _Opening:
    """A connection that is being opened."""

    def __init__(self, connection: pq.abc.PGconn) -> None:
        self._connection = connection

    @property
    def socket(self) -> int:
        return self._connection.socket

    def poll(self) -> int:
        if self._connection.status == pq.ConnStatus.BAD:
            return pq.PollingStatus.FAILED
        return self._connection.connect_poll()


def _open(conninfo: str, timeout: int, known: dict[str, str]) -> pq.abc.PGconn:
    connection = pq.PGconn.connect_start(conninfo.encode())
    try:
        if not _wait(_Opening(connection), timeout):
            raise OperationalError(connection.get_error_message())
    except BaseException:
        with suppress(Error):
            known |= {
                each.keyword.decode(): each.val.decode(errors="replace")
                for each in connection.info
                if each.val and each.val != each.compiled
            }
        connection.finish()
        raise
    connection.nonblocking = 1
    return connection


def _wait(polled: _Polled, timeout: int) -> bool:
    """Whether it succeeded. Raises OperationalError after so many seconds."""
    deadline = time.monotonic() + timeout
    for _ in range(_MOST_ROUNDS):
        state = polled.poll()
        if state not in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
            return state == pq.PollingStatus.OK
        wanted = select.POLLIN if state == pq.PollingStatus.READING else select.POLLOUT
        socket = select.poll()
        socket.register(polled.socket, wanted)
        while True:
            # Also behind what has come: a server may send a little at a time for ever.
            if time.monotonic() > deadline:
                raise OperationalError("connection timeout expired")
            if socket.poll(TICK_MILLISECONDS):
                break
    raise OperationalError(f"the login is not over after {_MOST_ROUNDS} messages of the server")
