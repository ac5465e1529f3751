"""The queue: each resource once, never twice at a time, again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from dbmigrate.controller.watches import work_queue
from dbmigrate.controller.watches.observed import Key
from dbmigrate.controller.watches.work_queue import WorkQueue

pytestmark = pytest.mark.quick

KEY = ("team", "shop")
OTHER = ("team", "other")


class Recorder:
    """Stands where the reconciler does; lets a test hold a look open."""

    def __init__(self) -> None:
        self.looks: list[tuple[Key, bool]] = []
        self.answers: list[datetime | Exception | None] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.seen = asyncio.Condition()
        self.errors: list[Exception] = []
        self.ended: list[Exception | None] = []
        self.busy = 0
        self.busiest = 0

    async def look(self, key: Key, fresh: bool) -> datetime | None:
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        self.looks.append((key, fresh))
        async with self.seen:
            self.seen.notify_all()
        await self.gate.wait()
        self.busy -= 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def fail(self, key: Key, error: Exception) -> None:
        assert key == KEY
        self.errors.append(error)

    def end(self, seconds: float, error: Exception | None) -> None:
        assert seconds >= 0
        self.ended.append(error)

    async def count(self, number: int) -> None:
        async with self.seen:
            await self.seen.wait_for(lambda: len(self.looks) >= number)


def now() -> datetime:
    return datetime.now(UTC)


def start(recorder: Recorder, *, workers: int = 4) -> tuple[WorkQueue, asyncio.Task[None]]:
    wakes = WorkQueue(
        recorder.look,
        clock=now,
        on_error=recorder.fail,
        on_end=recorder.end,
        workers=workers,
    )
    return wakes, asyncio.create_task(wakes.run())


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_many_wakes_of_a_waiting_resource_are_one_look() -> None:
    async def scenario() -> list[tuple[Key, bool]]:
        recorder = Recorder()
        wakes, task = start(recorder)
        for _ in range(5):
            wakes.wake(KEY)
        wakes.wake(OTHER)
        await recorder.count(2)
        await stop(task)
        return recorder.looks

    assert asyncio.run(scenario()) == [(KEY, False), (OTHER, False)]


def test_a_resource_woken_while_it_is_looked_at_is_looked_at_once_more_afterwards() -> None:
    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.gate.clear()
        wakes, task = start(recorder)
        wakes.wake(KEY)
        await recorder.count(1)
        wakes.wake(KEY)
        wakes.wake(KEY)
        recorder.gate.set()
        await recorder.count(2)
        await stop(task)
        return recorder

    recorder = asyncio.run(scenario())
    assert len(recorder.looks) == 2
    assert recorder.busiest == 1


def test_a_look_that_failed_is_made_again_and_distrusts_what_was_seen() -> None:
    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.answers = [RuntimeError("gone"), None]
        wakes, task = start(recorder)
        wakes.wake(KEY)
        await recorder.count(2)
        await stop(task)
        return recorder

    recorder = asyncio.run(scenario())
    assert recorder.looks == [(KEY, False), (KEY, True)]
    assert [str(error) for error in recorder.errors] == ["gone"]
    assert recorder.ended[0] is recorder.errors[0]


def test_a_look_may_ask_for_another_one_later() -> None:
    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.answers = [now() + timedelta(milliseconds=5), None]
        wakes, task = start(recorder)
        wakes.wake(KEY)
        await recorder.count(2)
        await stop(task)
        return recorder

    assert asyncio.run(scenario()).looks == [(KEY, False), (KEY, False)]


@pytest.mark.parametrize("quiet", [59, 60])
@pytest.mark.parametrize("heard", [False, True])
def test_a_timer_distrusts_streams_that_have_been_silent_for_a_while(
    quiet: int, heard: bool
) -> None:
    """The event at second 0 is the last one; the timer's look is at second `quiet`."""
    clock, asked = [0.0], []

    def has_heard(key: Key, since: float) -> bool:
        asked.append((key, since))
        return heard

    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.answers = [now(), now(), None]
        wakes = WorkQueue(
            recorder.look,
            clock=now,
            on_error=recorder.fail,
            on_end=lambda *_: clock.append(clock[-1] + quiet),
            workers=1,
            has_heard=has_heard,
            monotonic=lambda: clock[-1],
        )
        task = asyncio.create_task(wakes.run())
        wakes.wake(KEY)
        await recorder.count(3)
        await stop(task)
        return recorder

    recorder = asyncio.run(scenario())
    # Second 118 is a while after the event in any case; 120 is one after the look before.
    distrusted = {(59, False): [False, False, True], (60, False): [False, True, True]}
    looks = distrusted.get((quiet, heard), [False] * 3)
    assert recorder.looks == [(KEY, fresh) for fresh in looks]
    assert asked == ([(KEY, 0)] if quiet == 59 else [(KEY, 0), (KEY, 60)])


def test_an_event_before_the_timer_makes_up_for_silent_streams() -> None:
    clock = [0.0]

    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.answers = [now() + timedelta(hours=1), now(), None]
        wakes = WorkQueue(
            recorder.look,
            clock=now,
            on_error=recorder.fail,
            on_end=recorder.end,
            workers=1,
            monotonic=lambda: clock[-1],
        )
        task = asyncio.create_task(wakes.run())
        wakes.wake(KEY)
        await recorder.count(1)
        clock.append(100)
        wakes.wake(KEY)
        clock.append(110)
        await recorder.count(3)
        await stop(task)
        return recorder

    assert asyncio.run(scenario()).looks == [(KEY, False)] * 3


def test_it_rests_when_no_further_look_follows() -> None:
    rested: list[int] = []

    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.gate.clear()
        wakes = WorkQueue(
            recorder.look,
            clock=now,
            on_error=recorder.fail,
            on_end=recorder.end,
            workers=1,
            on_rest=lambda _: rested.append(len(recorder.looks)),
        )
        task = asyncio.create_task(wakes.run())
        wakes.wake(KEY)
        await recorder.count(1)
        wakes.wake(KEY)
        recorder.gate.set()
        await recorder.count(2)
        wakes.wake(OTHER)
        await recorder.count(3)
        await stop(task)
        return recorder

    asyncio.run(scenario())
    assert rested[0] == 2


def test_no_timer_brings_back_what_has_been_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.answers = [now() + timedelta(hours=1), None]
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []
        call_later = loop.call_later

        def noted(
            delay: float, callback: Callable[..., object], *args: object
        ) -> asyncio.TimerHandle:
            timers.append(call_later(delay, callback, *args))
            return timers[-1]

        monkeypatch.setattr(loop, "call_later", noted)
        wakes, task = start(recorder, workers=1)
        wakes.wake(KEY)
        await recorder.count(1)
        wakes.wake(OTHER)
        await recorder.count(2)
        assert [timer.cancelled() for timer in timers] == [False]
        wakes.forget(KEY)
        assert [timer.cancelled() for timer in timers] == [True]
        wakes.wake(("team", "last"))
        await recorder.count(3)
        await stop(task)
        return recorder

    assert [key for key, _ in asyncio.run(scenario()).looks] == [KEY, OTHER, ("team", "last")]


def test_a_look_under_way_ends_when_the_queue_is_stopped_and_the_rest_waits() -> None:
    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.gate.clear()
        wakes, task = start(recorder, workers=1)
        wakes.wake(KEY)
        wakes.wake(OTHER)
        await recorder.count(1)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        recorder.gate.set()
        await asyncio.gather(task, return_exceptions=True)
        assert [key for key, _ in recorder.looks] == [KEY]
        assert recorder.ended == [None]
        # What has waited is done by whoever works the queue off next.
        again = asyncio.create_task(wakes.run())
        await recorder.count(2)
        await stop(again)
        return recorder

    recorder = asyncio.run(scenario())
    assert [key for key, _ in recorder.looks] == [KEY, OTHER]


def test_a_look_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_queue, "LAST_SECONDS", 0.01)

    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.gate.clear()
        wakes, task = start(recorder)
        wakes.wake(KEY)
        await recorder.count(1)
        await stop(task)
        return recorder

    recorder = asyncio.run(scenario())
    assert recorder.ended == []
