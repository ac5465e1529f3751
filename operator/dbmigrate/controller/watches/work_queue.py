"""The order of work: a queue of resources, each in it once.

Events, timers and failures all wake a resource. One that is woken while it is being
reconciled is reconciled once more afterwards, never twice at the same time. A look
that failed is repeated with a growing delay.

A look reads from the API server again only where an event may have been lost: after a
failure, and when for a while no event of the resource has come and one of its streams has
been silent. A timer alone is no reason: with many resources at work most timers run out
while events wait in the queue, and reads would then add to the load that delays them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from dbmigrate.controller.decisions.progress import LOOK_INTERVAL
from dbmigrate.controller.watches.observed import Key

Look = Callable[[Key, bool], Awaitable[datetime | None]]
"""Looks at a resource; says when to look again. The flag: read it again, whatever the
streams have shown."""

FIRST_DELAY = timedelta(seconds=1)
LAST_SECONDS = 5.0
"""For looks that are under way when the queue is stopped."""
LONGEST_DELAY = timedelta(seconds=60)
QUIET_SECONDS = LOOK_INTERVAL.total_seconds()
"""After that long without an event of a resource one may have been lost."""


class WorkQueue:
    """The queue, and the tasks that process it."""

    def __init__(
        self,
        look: Look,
        *,
        clock: Callable[[], datetime],
        on_error: Callable[[Key, Exception], None],
        on_end: Callable[[float, Exception | None], None],
        workers: int,
        has_heard: Callable[[Key, float], bool] = lambda *_: False,
        on_rest: Callable[[Key], object] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`has_heard`: whether all streams of a resource have shown something since then;
        `on_rest` is called with a resource after a look, unless another one follows at once."""
        self._look = look
        self._clock = clock
        self._on_error = on_error
        self._on_end = on_end
        self._workers = workers
        self._has_heard = has_heard
        self._on_rest = on_rest
        self._monotonic = monotonic
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: dict[Key, bool] = {}
        self._busy: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._told_at: dict[Key, float] = {}
        """When an event or a read last told of it, of those that an event or a timer will wake."""

    def wake(self, key: Key) -> None:
        """An event concerns it: reconcile it as soon as a worker is free."""
        self._told_at[key] = self._monotonic()
        self._queue(key, fresh=False)

    def _queue(self, key: Key, *, fresh: bool) -> None:
        is_queued = key in self._waiting
        self._waiting[key] = fresh or self._waiting.get(key, False)
        if not is_queued and key not in self._busy:
            self._ready.put_nowait(key)

    def forget(self, key: Key) -> None:
        """It is gone: no timer may wake it."""
        self._failures.pop(key, None)
        self._told_at.pop(key, None)
        self._cancel_timer(key)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            fresh = self._waiting.pop(key)
            self._busy.add(key)
            try:
                await self._look_to_the_end(key, fresh)
            finally:
                self._busy.discard(key)
                if key in self._waiting:
                    self._ready.put_nowait(key)
                else:
                    self._on_rest(key)

    async def _look_to_the_end(self, key: Key, fresh: bool) -> None:
        """A look that has begun may end its writes when the queue is stopped."""
        look = asyncio.ensure_future(self._look_once(key, fresh))
        try:
            await asyncio.shield(look)
        except asyncio.CancelledError:
            await asyncio.wait({look}, timeout=LAST_SECONDS)
            look.cancel()
            raise

    async def _look_once(self, key: Key, fresh: bool) -> None:
        self._cancel_timer(key)
        started = time.monotonic()
        try:
            again = await self._look(key, fresh)
            if again is not None:
                self._wake_after(key, again - self._clock())
            elif key not in self._waiting:
                self._told_at.pop(key, None)
        except Exception as error:
            self._on_end(time.monotonic() - started, error)
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = min(FIRST_DELAY * 2 ** min(failures - 1, 10), LONGEST_DELAY)
            self._wake_after(key, delay, fresh=True)
            self._on_error(key, error)
            return
        self._on_end(time.monotonic() - started, None)
        self._failures.pop(key, None)

    def _wake_after(self, key: Key, delay: timedelta, *, fresh: bool = False) -> None:
        loop = asyncio.get_running_loop()
        seconds = max(delay.total_seconds(), 0.0)
        self._timers[key] = loop.call_later(seconds, self._fire, key, fresh)

    def _fire(self, key: Key, fresh: bool) -> None:
        self._timers.pop(key, None)
        self._queue(key, fresh=self._may_have_lost_event(key) or fresh)

    def _may_have_lost_event(self, key: Key) -> bool:
        """Whether no event of it has come for a while, and a stream of it has been silent."""
        now, told_at = self._monotonic(), self._told_at.get(key, -math.inf)
        if now - told_at < QUIET_SECONDS:
            return False
        self._told_at[key] = now
        return not self._has_heard(key, told_at)

    def _cancel_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
