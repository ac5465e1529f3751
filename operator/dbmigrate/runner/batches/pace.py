"""How fast batches follow each other, so that other sessions do not wait for them.

A batch that takes longer than its limit makes the next one smaller; a quick one
makes it larger again, up to what the file allows. Between batches no lock is held,
so sessions that waited for one obtain it. A batch that others waited for is followed by
a pause as long as the batch, and by one of half its size. Standbys that are too far
behind are waited for.
"""

from __future__ import annotations

import time

from dbmigrate.postgres.batches.lag import LAG_SQL, Lag, LagClock, ReplicationSnapshot, read_sight
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.other_sessions import OtherSession
from dbmigrate.postgres.sqltext.batched.directive import BatchOptions
from dbmigrate.runner.database import Database
from dbmigrate.runner.observer import Notice

LONGEST_SHRINK = 4
LONGEST_COURTESY = 10.0
"""Seconds of a pause for the sake of who has waited."""
_LOOK_AT_STANDBYS = 0.5


def next_size(size: int, *, seconds: float, is_in_the_way: bool, options: BatchOptions) -> int:
    """The size of the next batch, after one of `size` that took that long."""
    if seconds > options.duration:
        wanted = int(size * options.duration / seconds)
        shrunk = max(wanted, size // LONGEST_SHRINK)
        return max(1, min(shrunk, size // 2) if is_in_the_way else shrunk)
    if is_in_the_way:
        return max(1, size // 2)
    if seconds < options.duration / 2:
        return min(options.size, size * 2)
    return min(options.size, size)


class Pauses:
    """What happens between two batches."""

    def __init__(self, database: Database, options: BatchOptions, file: str) -> None:
        self._database = database
        self._options = options
        self._file = file
        self._clock = LagClock()
        self._has_told = False
        self._can_look = True
        self._told_waiters: set[int] = set()

    @property
    def watches_standbys(self) -> bool:
        """Whether a batch has to look for sessions that wait."""
        has_limit = self._options.lag_seconds is not None or self._options.lag_bytes is not None
        return has_limit and self._can_look

    def look_at_standbys(self) -> None:
        """Before the first batch: also finds out whether the server allows the queries."""
        if not self.watches_standbys:
            return
        session = self._database.session
        try:
            rows = session.query(LAG_SQL)[0]
        except ServerFailure as failure:
            # Some providers disable these functions.
            self._can_look = False
            self._tell(
                "WARNING",
                f"the run does not wait for standbys, because they cannot be examined: {failure}",
            )
            return
        self.wait_for_standbys(read_sight(rows))

    def rest(self, seconds: float, waiters: tuple[OtherSession, ...]) -> None:
        """After a batch that took that long, for which these sessions waited."""
        pause = self._options.pause
        if waiters:
            pids = {each.pid for each in waiters}
            if not pids <= self._told_waiters:
                self._told_waiters |= pids
                names = "; ".join(str(each) for each in waiters)
                self._tell("INFO", f"others waited for a batch, the next one is smaller: {names}")
            pause = max(pause, min(seconds, LONGEST_COURTESY))
        self._sleep(pause)

    def wait_for_standbys(self, sight: ReplicationSnapshot) -> None:
        """Wait until no standby lags more than the file allows, or a stop is requested."""
        if sight.is_hidden and not self._has_told:
            self._has_told = True
            self._tell(
                "WARNING",
                "there are standbys, and this role may not read their lag: grant it pg_monitor;"
                " without it the run does not wait for them",
            )
        lag = self._clock.read(sight, time.monotonic())
        if not self._is_too_far(lag):
            return
        self._tell("INFO", f"paused: {lag}")
        started = time.monotonic()
        while self._is_too_far(lag) and not self._database.request.stop.is_requested:
            self._sleep(_LOOK_AT_STANDBYS)
            sight = read_sight(self._database.session.query(LAG_SQL)[0])
            lag = self._clock.read(sight, time.monotonic())
        self._tell("INFO", f"paused for {time.monotonic() - started:.0f} s")

    def _is_too_far(self, lag: Lag | None) -> bool:
        if lag is None:
            return False
        seconds, size = self._options.lag_seconds, self._options.lag_bytes
        return (seconds is not None and lag.seconds > seconds) or (
            size is not None and lag.bytes > size
        )

    def _sleep(self, seconds: float) -> None:
        stop = self._database.request.stop
        end = time.monotonic() + seconds
        while not stop.is_requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _tell(self, severity: str, message: str) -> None:
        self._database.request.observer.notice(Notice(severity, message, self._file))
