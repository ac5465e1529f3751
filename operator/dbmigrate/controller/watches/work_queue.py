"""The order of work: a queue of resources, each in it once.

Events, timers and failures all wake a resource. One that is woken while it is being
reconciled is reconciled once more afterwards, never twice at the same time. A look
that failed is repeated with a growing delay.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from dbmigrate.controller.watches.observed import Key

Look = Callable[[Key, bool], Awaitable[datetime | None]]
"""Looks at a resource; says when to look again. The flag: read it again, whatever the
streams have shown."""

FIRST_DELAY = timedelta(seconds=1)
LAST_SECONDS = 5.0
"""For looks that are under way when the queue is stopped."""
LONGEST_DELAY = timedelta(seconds=60)


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
    ) -> None:
        self._look = look
        self._clock = clock
        self._on_error = on_error
        self._on_end = on_end
        self._workers = workers
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: dict[Key, bool] = {}
        self._busy: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}

    def wake(self, key: Key, *, fresh: bool = False) -> None:
        """Reconcile it as soon as a worker is free."""
        is_queued = key in self._waiting
        self._waiting[key] = fresh or self._waiting.get(key, False)
        if not is_queued and key not in self._busy:
            self._ready.put_nowait(key)

    def forget(self, key: Key) -> None:
        """It is gone: no timer may wake it."""
        self._failures.pop(key, None)
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
        except Exception as error:
            self._on_end(time.monotonic() - started, error)
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = min(FIRST_DELAY * 2 ** min(failures - 1, 10), LONGEST_DELAY)
            self._wake_after(key, delay)
            self._on_error(key, error)
            return
        self._on_end(time.monotonic() - started, None)
        self._failures.pop(key, None)

    def _wake_after(self, key: Key, delay: timedelta) -> None:
        loop = asyncio.get_running_loop()
        seconds = max(delay.total_seconds(), 0.0)
        self._timers[key] = loop.call_later(seconds, self._fire, key)

    def _fire(self, key: Key) -> None:
        self._timers.pop(key, None)
        # No event caused this look, so one may have been lost.
        self.wake(key, fresh=True)

    def _cancel_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
