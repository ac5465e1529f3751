"""Detects a connection pooler that changes the backend between transactions.

Session locks belong to a backend. Behind a pooler in transaction mode the next
statement may run in another one, and the locks protect nothing. A direct
connection is recognised at once: the pid that the server announced at the start
is the one that pg_backend_pid() returns. Poolers invent the first one; then a
second connection is opened as a probe: if it gets the same backend, or sees its
mark, the backend is shared.
"""

from __future__ import annotations

from collections.abc import Callable

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.libpq import pq
from dbmigrate.postgres.connection.session import Session
from dbmigrate.report import Reason

_PROBES = 3
_PATIENCE = 3.0
"""Seconds that a probe waits for a backend: a pool in session mode may have no other one."""


class _NoBackend(Exception):
    """The probe was accepted and then left waiting."""


def require_own_backend(session: Session, pid: int, open_probe: Callable[[], Session]) -> None:
    """Raise MigrationError (PoolerUnsafe) unless the session keeps its backend to itself."""
    for _ in range(_PROBES):
        if _pid(session) != pid:
            raise _unsafe(f"the backend changed from pid {pid} within one session")
        try:
            probe = open_probe()
        except MigrationError:
            return  # no second connection is available: the fence of each step remains
        try:
            if _pid(probe, "BEGIN; ") == pid:
                raise _unsafe(f"another connection was given our backend, pid {pid}")
        except (ConnectionBroken, ServerFailure, _NoBackend):
            return
        finally:
            probe.close()


def _pid(session: Session, before: str = "") -> int:
    found: list[int] = []

    def collect(result: pq.abc.PGresult) -> None:
        if result.ntuples:
            found.append(int(result.get_value(0, 0) or 0))

    session.execute(
        f"{before}SELECT pg_catalog.pg_backend_pid()".encode(), on_result=collect, on_tick=_patience
    )
    return found[0]


def _patience(seconds: float) -> None:
    if seconds > _PATIENCE:
        raise _NoBackend


def _unsafe(how: str) -> MigrationError:
    return MigrationError(
        Reason.POOLER_UNSAFE,
        f"the connection goes through a pooler in transaction mode ({how}):"
        " locks do not hold there",
        hint="connect to PostgreSQL directly, or to a port of the pooler in session mode",
    )
