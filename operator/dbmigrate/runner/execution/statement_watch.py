"""What happens while the server works on a statement: look, report, perhaps cancel."""

from __future__ import annotations

from dbmigrate.postgres.connection.errors import ConnectionBroken
from dbmigrate.postgres.connection.monitor import Monitor
from dbmigrate.postgres.connection.other_sessions import OtherSession
from dbmigrate.postgres.connection.session import Session
from dbmigrate.runner.database import Database
from dbmigrate.runner.observer import Observer, Progress
from dbmigrate.runner.stop import Stop

LOOK_EVERY = 1.0
"""Seconds between two looks through the monitor, and before the first one."""
CANCEL_AGAIN = 5.0
ABANDON_AFTER = 20.0
"""Seconds after the first cancel request, after which the server counts as unresponsive."""


class StatementWatch:
    """Called back about ten times a second while a query runs."""

    def __init__(
        self,
        session: Session,
        monitor: Monitor,
        *,
        file: str,
        observer: Observer,
        stop: Stop,
        first_look: float = LOOK_EVERY,
        since: float = 0.0,
        phase: str | None = None,
    ) -> None:
        self._session = session
        self._monitor = monitor
        self._file = file
        self._observer = observer
        self._stop = stop
        self._next_look = first_look
        self._since = since
        """Seconds that the step had taken before this query."""
        self._phase = phase
        """The phase to report where the server reports none."""
        self._next_cancel = 0.0
        self._abandon_at: float | None = None
        self.blockers: tuple[OtherSession, ...] = ()
        """The blocking sessions when last seen."""
        self.waiters: tuple[OtherSession, ...] = ()
        """The sessions that waited for a lock that the query held."""

    @classmethod
    def of(
        cls,
        database: Database,
        file: str,
        *,
        first_look: float = LOOK_EVERY,
        since: float = 0.0,
        phase: str | None = None,
    ) -> StatementWatch:
        """A watch over what the database's session runs next."""
        timeout = database.request.options.statement_lock_timeout_ms
        return cls(
            database.session,
            database.monitor,
            file=file,
            observer=database.request.observer,
            stop=database.request.stop,
            # Early enough to see who blocks before the server gives up waiting.
            first_look=first_look if not timeout else min(first_look, timeout / 2000),
            since=since,
            phase=phase,
        )

    def __call__(self, seconds: float) -> None:
        """`seconds`: how long the query has been running."""
        if self._stop.is_urgent and seconds >= self._next_cancel:
            self._cancel(seconds)
            return
        if seconds < self._next_look:
            return
        self._next_look = seconds + LOOK_EVERY
        sight = self._monitor.look()
        if sight.blockers:
            if {s.pid for s in sight.blockers} != {s.pid for s in self.blockers}:
                self._observer.blocked(sight.blockers)
            self.blockers = sight.blockers
        self.waiters = sight.waiters or self.waiters
        phase = sight.phase or self._phase
        self._observer.progress(
            Progress(self._file, self._since + seconds, phase=phase, percent=sight.percent)
        )

    def _cancel(self, seconds: float) -> None:
        self._next_cancel = seconds + CANCEL_AGAIN
        if self._abandon_at is None:
            self._abandon_at = seconds + ABANDON_AFTER
        elif seconds >= self._abandon_at:
            raise ConnectionBroken("the server has not answered a request to cancel")
        self._session.cancel()
