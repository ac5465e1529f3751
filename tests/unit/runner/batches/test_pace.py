"""How large the next batch is, how long it is paused, and how far a standby is behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dbmigrate.postgres.batches.lag import LagClock, ReplicationSnapshot, Standby, read_sight
from dbmigrate.postgres.connection.other_sessions import OtherSession
from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.sqltext.batched.directive import BatchOptions
from dbmigrate.runner.batches import pace
from dbmigrate.runner.batches.pace import Pauses, next_size
from dbmigrate.runner.database import Database
from dbmigrate.runner.stop import Stop

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("size", "seconds", "is_in_the_way", "expected"),
    [
        (1000, 0.7, False, 1000),
        (400, 0.7, False, 400),
        (400, 0.5, False, 400),
        (400, 0.4, False, 800),
        (1000, 2.0, False, 500),
        (1000, 1.25, False, 800),
        (1000, 90.0, False, 250),
        (3, 90.0, False, 1),
        (1, 90.0, False, 1),
        (100, 0.1, False, 200),
        (900, 0.1, False, 1000),
        (1000, 0.1, True, 500),
        (1000, 1.25, True, 500),
        (1000, 4.0, True, 250),
        (1, 0.1, True, 1),
    ],
)
def test_the_size_follows_the_time_that_a_batch_takes(
    size: int, seconds: float, is_in_the_way: bool, expected: int
) -> None:
    options = BatchOptions(size=1000, duration=1.0)
    found = next_size(size, seconds=seconds, is_in_the_way=is_in_the_way, options=options)
    assert found == expected


def test_a_standby_that_stands_still_falls_behind_although_it_reports_nothing() -> None:
    clock = LagClock()
    for second in range(20):
        halted = Standby("a", 500, 0.0)
        lag = clock.read(ReplicationSnapshot(1000 * second, (halted,)), float(second))
    assert lag is not None
    # It has not replayed what was written at 1 s, nor anything since.
    assert (lag.name, lag.seconds, lag.bytes) == ("a", 18.0, 18500)
    caught_up = clock.read(ReplicationSnapshot(19000, (Standby("a", 19000, 7.0),)), 20.0)
    assert caught_up is None


def test_the_furthest_behind_counts_and_a_measured_lag_with_it() -> None:
    sight = ReplicationSnapshot(1000, (Standby("a", 1000, 90.0), Standby("b", 900, 4.0)))
    lag = LagClock().read(sight, 1.0)
    assert str(lag) == "standby b is 4 s (0.0 MB) behind"


def test_a_long_lag_is_remembered_from_its_start() -> None:
    clock = LagClock()
    for tick in range(20000):
        lag = clock.read(ReplicationSnapshot(tick + 1, (Standby("a", 0, 0.0),)), tick * 0.3)
    assert lag is not None
    assert lag.seconds == pytest.approx(19999 * 0.3)


def test_receivers_that_replay_nothing_do_not_count_and_hidden_ones_are_told_apart() -> None:
    sight = read_sight(
        [
            ("800", "1", "archive", "streaming", None, None),
            ("800", "2", "", "streaming", "700", "1.5"),
            ("800", "3", None, None, None, None),
        ]
    )
    assert sight == ReplicationSnapshot(800, (Standby("pid 2", 700, 1.5),), is_hidden=True)
    assert read_sight([("800", None, None, None, None, None)]) == ReplicationSnapshot(800)


class Clock:
    """A clock that runs during a sleep, which takes a little longer than asked for."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds + 1e-9

    def monotonic(self) -> float:
        return self.now


@dataclass
class Rig:
    """`Pauses` on a clock of its own, and what it tells and asks."""

    pauses: Pauses
    clock: Clock
    stop: Stop
    told: list[tuple[str, str]]
    answers: list[list[Row]]

    def time(self, work: Callable[[], object]) -> float:
        before = self.clock.now
        work()
        return self.clock.now - before


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def rig(clock: Clock, **options: Any) -> Rig:
    told: list[tuple[str, str]] = []
    answers: list[list[Row]] = []
    observer = SimpleNamespace(notice=lambda notice: told.append((notice.severity, notice.message)))
    stop = Stop()
    database = SimpleNamespace(
        request=SimpleNamespace(stop=stop, observer=observer),
        session=SimpleNamespace(query=lambda _sql: [answers.pop(0)]),
    )
    pauses = Pauses(cast(Database, database), BatchOptions(**options), "1_fill.up.sql")
    return Rig(pauses, clock, stop, told, answers)


FIRST, SECOND = OtherSession(1, "web"), OtherSession(2, "job")


@pytest.mark.parametrize(
    ("pause", "seconds", "waiters", "expected"),
    [
        (0.0, 5.0, (), 0.0),
        (0.25, 5.0, (), 0.25),
        (0.25, 5.0, (FIRST,), 5.0),
        (7.0, 5.0, (FIRST,), 7.0),
        (0.0, 60.0, (FIRST,), 10.0),
        (12.0, 60.0, (FIRST,), 12.0),
    ],
)
def test_a_pause_is_as_long_as_the_batch_that_somebody_waited_for(
    clock: Clock,
    pause: float,
    seconds: float,
    waiters: tuple[OtherSession, ...],
    expected: float,
) -> None:
    made = rig(clock, pause=pause)
    assert made.time(lambda: made.pauses.rest(seconds, waiters)) == pytest.approx(expected)


def test_who_waited_is_named_once_and_somebody_new_again(clock: Clock) -> None:
    made = rig(clock)
    for waiters in ((FIRST,), (FIRST,), (FIRST, SECOND), (SECOND,), ()):
        made.pauses.rest(0.1, waiters)
    assert made.told == [
        ("INFO", "others waited for a batch, the next one is smaller: pid 1, web"),
        ("INFO", "others waited for a batch, the next one is smaller: pid 1, web; pid 2, job"),
    ]


def test_a_stop_ends_a_pause(clock: Clock) -> None:
    made = rig(clock, pause=30.0)
    made.stop.request()
    assert made.time(lambda: made.pauses.rest(0.1, ())) == 0.0


def lagging(bytes_behind: int, seconds: str) -> list[Row]:
    return [("1000", "7", "a", "streaming", str(1000 - bytes_behind), seconds)]


@pytest.mark.parametrize(
    ("options", "is_waited_for"),
    [
        ({"lag_bytes": 500}, True),
        ({"lag_bytes": 600}, False),
        ({"lag_bytes": None, "lag_seconds": 4.0}, True),
        ({"lag_bytes": None, "lag_seconds": 5.0}, False),
        ({"lag_bytes": None, "lag_seconds": None}, False),
    ],
)
def test_a_standby_is_waited_for_beyond_its_limit(
    clock: Clock, options: dict[str, Any], is_waited_for: bool
) -> None:
    made = rig(clock, **options)
    made.answers += [lagging(600, "5"), lagging(600, "5"), lagging(0, "0")]
    seconds = made.time(made.pauses.look_at_standbys)
    has_limit = any(each is not None for each in options.values())
    assert made.pauses.watches_standbys is has_limit
    assert len(made.answers) == (0 if is_waited_for else 3 - has_limit)
    assert seconds == pytest.approx(1.0 if is_waited_for else 0.0)
    words = ["paused: standby a is 5 s (0.0 MB) behind", "paused for 1 s"]
    assert [text for _, text in made.told] == (words if is_waited_for else [])
