"""A second connection that watches the first during a long statement.

A session that waits cannot say what it waits for. The monitor is opened only when a
statement has taken a while. Its own errors are ignored: a run does not depend on being
watched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.other_sessions import (
    OtherSession,
    blockers_sql,
    read_sessions,
    waiters_sql,
)
from dbmigrate.postgres.connection.session import Row, Session, no_answer_within

_FIRST_WITH_ALL_VIEWS = 140000
_PATIENCE = 5.0
"""Seconds that one look may take."""

_PROGRESS = """
SELECT 'building index: ' || phase, greatest(blocks_done, tuples_done),
  CASE WHEN blocks_done >= tuples_done THEN blocks_total ELSE tuples_total END
  FROM pg_catalog.pg_stat_progress_create_index WHERE pid = {pid}
UNION ALL SELECT 'vacuum: ' || phase, heap_blks_scanned, heap_blks_total
  FROM pg_catalog.pg_stat_progress_vacuum WHERE pid = {pid}
UNION ALL SELECT 'rewriting table: ' || phase, heap_blks_scanned, heap_blks_total
  FROM pg_catalog.pg_stat_progress_cluster WHERE pid = {pid}
UNION ALL SELECT 'analyze: ' || phase, sample_blks_scanned, sample_blks_total
  FROM pg_catalog.pg_stat_progress_analyze WHERE pid = {pid}
UNION ALL SELECT 'copy', bytes_processed, bytes_total
  FROM pg_catalog.pg_stat_progress_copy WHERE pid = {pid}"""


@dataclass(frozen=True, slots=True)
class SessionSnapshot:
    """What the monitor saw of the watched session."""

    blockers: tuple[OtherSession, ...] = ()
    """Who keeps it waiting."""
    waiters: tuple[OtherSession, ...] = ()
    """Whom it keeps waiting."""
    phase: str | None = None
    percent: float | None = None


class Monitor:
    """Watches one backend through a separate connection."""

    def __init__(self, pid: int, server_version: int, open_session: Callable[[], Session]) -> None:
        self._open_session = open_session
        self._session: Session | None = None
        self._is_broken = False
        self._query = f"{blockers_sql(pid)}; {waiters_sql(pid)}"
        if server_version >= _FIRST_WITH_ALL_VIEWS:
            self._query += f"; {_PROGRESS.format(pid=pid)}"

    def look(self) -> SessionSnapshot:
        """What the backend does now; empty when it is unknown."""
        if self._is_broken:
            return SessionSnapshot()
        try:
            if self._session is None:
                self._session = self._open_session()
                self._session.on_silence = no_answer_within(_PATIENCE)
            tables = self._session.query(self._query)
        except (MigrationError, ServerFailure, ConnectionBroken):
            self._is_broken = True
            self.close()
            return SessionSnapshot()
        blockers, waiters, *progress = tables
        phase, percent = _furthest(progress[0] if progress else [])
        return SessionSnapshot(read_sessions(blockers), read_sessions(waiters), phase, percent)

    def close(self) -> None:
        """Close its connection, if it was opened."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _furthest(rows: list[Row]) -> tuple[str | None, float | None]:
    """A rewrite that builds indexes appears in two views: the index is the present work."""
    for phase, done, total in rows:
        if total and int(total) > 0:
            return phase, min(100.0, 100.0 * int(done or 0) / int(total))
        return phase, None
    return None, None
