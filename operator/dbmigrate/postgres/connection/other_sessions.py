"""Other sessions of the server that block the run, as messages name them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OtherSession:
    """A session that holds a lock. A role without pg_read_all_stats sees only the pid."""

    pid: int
    application_name: str | None = None
    user: str | None = None
    client: str | None = None
    """The client's address; None: a local socket, or not visible to our role."""
    seconds: float | None = None
    """How long its transaction or its statement has lasted."""
    state: str | None = None
    """`active`, `idle in transaction`, ..."""
    statement: str | None = None
    """Its newest statement without its constants, shortened to one line."""

    def __str__(self) -> str:
        parts = [f"pid {self.pid}"]
        if self.application_name:
            parts.append(self.application_name)
        if self.user:
            parts.append(f"role {self.user}")
        if self.client:
            parts.append(f"from {self.client}")
        if self.state:
            parts.append(self.state)
        if self.seconds is not None:
            parts.append(f"for {self.seconds:.0f} s")
        text = ", ".join(parts)
        return f"{text}: {self.statement}" if self.statement else text


_ACTIVITY = """
SELECT DISTINCT ON (waiting.pid) waiting.pid, a.application_name, a.usename, a.client_addr,
  pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
    - COALESCE(a.xact_start, a.query_start, a.backend_start)),
  a.state, pg_catalog.left(a.query, 1000)
FROM ({pids}) AS waiting (pid)
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = waiting.pid
ORDER BY waiting.pid"""
_STATEMENT_LENGTH = 120
_CONSTANT = re.compile(r"'(?:[^'\\]|\\.|'')*(?:'|\\?$)|\$(\w*)\$.*?(?:\$\1\$|$)", re.DOTALL)
"""A text, ended or cut off: it may be a password (ALTER ROLE) or a customer's data, and the
message that names the session is read by others than those who may see the session."""


def lock_holders_sql(ids: tuple[int, ...]) -> str:
    """The sessions that hold one of these advisory locks (up to 64 bits) in this database."""
    keys = ", ".join(map(str, ids))
    return _ACTIVITY.format(
        pids="SELECT l.pid FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory'"
        " AND l.granted AND l.objsubid = 1"
        f" AND (l.classid::bigint << 32 | l.objid::bigint) IN ({keys})"
        " AND l.pid <> pg_catalog.pg_backend_pid()"
        " AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d"
        " WHERE d.datname = pg_catalog.current_database())"
    )


def blockers_sql(pid: int) -> str:
    """The sessions that keep `pid` from obtaining a lock."""
    return _ACTIVITY.format(pids=f"SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids({pid}))")


def waiters_sql(pid: int) -> str:
    """The sessions that wait for a lock of `pid`, except for the migration lock."""
    return _ACTIVITY.format(
        pids="SELECT l.pid FROM pg_catalog.pg_locks l WHERE NOT l.granted"
        f" AND l.locktype <> 'advisory' AND {pid} = ANY (pg_catalog.pg_blocking_pids(l.pid))"
    )


def read_sessions(rows: list[tuple[str | None, ...]]) -> tuple[OtherSession, ...]:
    """The rows of the queries above."""
    return tuple(
        OtherSession(
            pid=int(pid or 0),
            application_name=application_name or None,
            user=user,
            client=client,
            seconds=None if seconds is None else float(seconds),
            state=state,
            statement=_one_line(statement),
        )
        for pid, application_name, user, client, seconds, state, statement in rows
    )


def _one_line(statement: str | None) -> str | None:
    text = " ".join(_CONSTANT.sub("'...'", statement or "").split())
    if len(text) > _STATEMENT_LENGTH:
        text = text[: _STATEMENT_LENGTH - 3] + "..."
    return text or None
