"""The lag of the standbys, from their own reports and the run's clock.

The server's replay_lag is the last measured value: it does not grow when a standby
stops, which is when it matters. So a run records the WAL position over time, and a
standby that has not replayed a position written ten seconds ago is at least ten
seconds behind. Receivers that replay nothing (pg_receivewal) do not count.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from dbmigrate.postgres.connection.session import Row

LAG_COLUMN = "dbmigrate_lag"
"""The name of the first column, by which a run recognises the answer."""
LAG_SQL = (
    f"SELECT pg_catalog.pg_wal_lsn_diff(c.here, '0/0') AS {LAG_COLUMN}, r.pid,"
    " r.application_name, r.state, pg_catalog.pg_wal_lsn_diff(r.replay_lsn, '0/0'),"
    " pg_catalog.date_part('epoch', r.replay_lag)"
    " FROM (SELECT pg_catalog.pg_current_wal_lsn() AS here) c"
    " LEFT JOIN pg_catalog.pg_stat_replication r ON true"
)
_SAMPLE_EVERY = 0.25
"""Seconds: batches may be shorter, and lags that matter are longer."""
_MOST_SAMPLES = 4000


@dataclass(frozen=True, slots=True)
class Standby:
    """A standby that replays, as far as the primary knows."""

    name: str
    replayed: int
    """The place in the log, in bytes."""
    reported: float
    """Seconds, as it was measured last."""


@dataclass(frozen=True, slots=True)
class ReplicationSnapshot:
    """One sample."""

    here: int
    """The primary's own place."""
    standbys: tuple[Standby, ...] = ()
    is_hidden: bool = False
    """There is a standby whose position the role may not see."""


@dataclass(frozen=True, slots=True)
class Lag:
    """The lag of one standby."""

    name: str
    seconds: float
    bytes: int

    def __str__(self) -> str:
        size = f"{self.bytes / 1e6:.1f} MB"
        return f"standby {self.name} is {self.seconds:.0f} s ({size}) behind"


def read_sight(rows: Iterable[Row]) -> ReplicationSnapshot:
    """The rows of LAG_SQL."""
    here = 0
    standbys = []
    is_hidden = False
    for place, pid, name, state, replayed, lag in rows:
        here = int(place or 0)
        if pid is None:
            continue
        if state is None:
            is_hidden = True
        elif replayed is not None:
            standbys.append(Standby(name or f"pid {pid}", int(replayed), float(lag or 0)))
    return ReplicationSnapshot(here, tuple(standbys), is_hidden)


class LagClock:
    """Records the WAL position over time."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, int]] = []

    def read(self, sight: ReplicationSnapshot, now: float) -> Lag | None:
        """The standby with the largest lag; None: there is none, or none lags.

        `now` is in seconds of a monotonic clock.
        """
        slowest = min((each.replayed for each in sight.standbys), default=sight.here)
        self._remember(now, sight.here, slowest)
        lags = [self._lag_of(each, sight.here, now) for each in sight.standbys]
        behind = [lag for lag in lags if lag.bytes > 0]
        return max(behind, key=lambda lag: (lag.seconds, lag.bytes), default=None)

    def _remember(self, now: float, here: int, slowest: int) -> None:
        samples = self._samples
        del samples[: self._first_beyond(slowest)]
        if not samples or (samples[-1][1] < here and now - samples[-1][0] >= _SAMPLE_EVERY):
            samples.append((now, here))
        if len(samples) > _MOST_SAMPLES:
            # For a standby that is far behind, seconds matter less: keep every second sample.
            del samples[1::2]

    def _first_beyond(self, place: int) -> int:
        """The index of the first sample after a place in the log."""
        return bisect_right(self._samples, place, key=lambda sample: sample[1])

    def _lag_of(self, standby: Standby, here: int, now: float) -> Lag:
        missing = max(0, here - standby.replayed)
        first = self._first_beyond(standby.replayed)
        since = self._samples[first][0] if first < len(self._samples) else now
        return Lag(standby.name, max(now - since, standby.reported if missing else 0), missing)
