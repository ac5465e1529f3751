"""How large the next batch is, and how far a standby is behind."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.batches.lag import LagClock, ReplicationSnapshot, Standby, read_sight
from dbmigrate.postgres.sqltext.batched.directive import BatchOptions
from dbmigrate.runner.batches.pace import next_size

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("size", "seconds", "is_in_the_way", "expected"),
    [
        (1000, 0.7, False, 1000),
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
