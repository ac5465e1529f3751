"""Requests to stop: one that is followed by SIGKILL becomes urgent in time before it."""

from __future__ import annotations

import math

import pytest

from dbmigrate.runner.stop import LONGEST_MARGIN, Stop, Urgency

pytestmark = pytest.mark.quick


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("grace", "urgent_after"), [(60, 60 - LONGEST_MARGIN), (600, 600 - LONGEST_MARGIN), (4, 2)]
)
def test_the_first_request_becomes_urgent_before_the_process_is_killed(
    grace: float, urgent_after: float
) -> None:
    clock = Clock()
    stop = Stop(clock)
    assert (stop.is_requested, stop.is_urgent, stop.time_left) == (False, False, math.inf)
    assert stop.request(killed_after=grace) is Urgency.AFTER_STEP
    assert (stop.is_requested, stop.is_urgent, stop.time_left) == (True, False, grace)
    clock.now += urgent_after - 0.001
    assert not stop.is_urgent
    clock.now += 0.001
    assert stop.is_urgent
    assert stop.time_left == pytest.approx(grace - urgent_after)


def test_without_a_grace_period_only_a_second_request_is_urgent() -> None:
    clock = Clock()
    stop = Stop(clock)
    stop.request()
    clock.now += 1e9
    assert not stop.is_urgent
    assert stop.request() is Urgency.NOW
    assert stop.is_urgent
