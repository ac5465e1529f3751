"""What the probes of the operator's Pod are told."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from dbmigrate.controller.health import BEAT_SECONDS, SILENCE_SECONDS, START_SECONDS, Health

pytestmark = pytest.mark.quick


def test_an_operator_is_ready_once_it_watches_and_until_it_stops() -> None:
    health = Health()
    assert (health.is_alive(), health.is_ready()) == (True, False)
    health.watching(True)
    assert health.is_ready()
    health.watching(False)
    assert not health.is_ready()


def test_a_start_is_over_when_the_operator_is_ready() -> None:
    health, answers = Health(), []
    probe = threading.Thread(target=lambda: answers.append(health.has_started()))
    probe.start()
    assert answers == []
    health.watching(True)
    probe.join(timeout=START_SECONDS / 2)
    assert answers == [True]
    health.watching(False)
    assert health.has_started()


def test_a_start_that_is_late_is_left_to_the_readiness_probe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dbmigrate.controller.health.START_SECONDS", 0.001)
    health = Health()
    assert (health.has_started(), health.is_ready()) == (True, False)


def test_a_loop_that_does_not_turn_is_not_alive() -> None:
    health = Health()
    assert not health.is_alive(time.monotonic() + SILENCE_SECONDS)


def test_the_beat_goes_on_as_long_as_the_loop_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 100.0, 200.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments, 200.0))
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise asyncio.CancelledError

    health = Health()
    monkeypatch.setattr(asyncio, "sleep", pause)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(health.beat())
    assert pauses == [BEAT_SECONDS, BEAT_SECONDS]
    assert health.is_alive(200.0 + SILENCE_SECONDS - 1)
