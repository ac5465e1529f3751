"""Works on many things at a time, over threads, with no more on one server than it takes.

Jobs stand in lanes, one for each server; a lane has a limit of its own. A job that finds the
server overloaded (no connection left, no room in the lock table) lowers the limit of its lane
to what the server bears, and runs again later. The limit rises again slowly.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

TICK = 0.2
"""Seconds between two calls of `on_tick`."""
MOST_TRIES = 8
"""How often a job runs that finds its server overloaded."""
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 3.0
_RISE_AFTER = 2.0
"""Seconds without an overload after which a lane may do one more at a time."""
_LAST_SECONDS = 30.0
"""How long running jobs may take to end after the second request to stop."""


class Overloaded(Exception):
    """The server takes no more at the moment."""

    def __init__(self, *, by_us: bool) -> None:
        """`by_us`: caused by this process alone, so that a job which was alone need not be tried
        again."""
        super().__init__()
        self.by_us = by_us


class Job(Protocol):
    """Something to do."""

    def run(self) -> None:
        """Do it. Raises Overloaded, and nothing else."""

    def give_up(self) -> None:
        """The server was overloaded each time, and it is not going to be tried again."""

    def skip(self) -> None:
        """It is not going to be begun."""


@dataclass(eq=False)
class Lane:
    """What is to be done on one server."""

    key: Hashable
    limit: int
    most: int
    jobs: deque[tuple[Job, int]] = field(default_factory=deque)
    """With the tries that each has had."""
    running: int = 0
    not_before: float = 0.0
    """By the monotonic clock."""
    calm_since: float = 0.0
    is_full: bool = False
    """The last job has given up: the next ones are tried once."""

    def ease(self) -> None:
        """Do less at a time, after a job that has found the server overloaded."""
        self.limit = max(1, min(self.limit, self.running - 1))
        self.calm_since = time.monotonic()

    def rise(self) -> None:
        """Do more at a time again, after a job that has not."""
        now = time.monotonic()
        if self.limit < self.most and now - self.calm_since > _RISE_AFTER:
            self.limit += 1
            self.calm_since = now


class Pool:
    """The lanes and the threads that work on them."""

    def __init__(
        self,
        concurrency: int,
        *,
        may_begin: Callable[[], bool],
        must_end: Callable[[], bool],
        lane_limit: int | None = None,
    ) -> None:
        """`may_begin`: whether a further job may begin. `must_end`: whether running ones are
        not waited for without end. `lane_limit`: at most so many at a time on one lane."""
        self._concurrency = concurrency
        self._may_begin = may_begin
        self._must_end = must_end
        self._lane_limit = min(lane_limit or concurrency, concurrency)
        self._lanes: dict[Hashable, Lane] = {}
        self._waiting: deque[Lane] = deque()
        """Lanes that have jobs, the next one first."""
        self._running = 0
        self._change = threading.Condition()

    def add(self, key: Hashable, job: Job) -> None:
        """Append a job to the lane of that key."""
        with self._change:
            self._put(self._lane(key), job, 0)
            self._change.notify()

    def run(self, on_tick: Callable[[], None]) -> bool:
        """Do all there is, and what is added meanwhile. Called by the main thread, which takes
        the signals; false if some job did not end after it had to."""
        threads = [
            threading.Thread(target=self._work, name=f"fleet-{number}", daemon=True)
            for number in range(self._concurrency)
        ]
        for thread in threads:
            thread.start()
        deadline: float | None = None
        while any(thread.is_alive() for thread in threads):
            with self._change:
                self._change.wait(TICK)
            on_tick()
            if deadline is None and self._must_end():
                deadline = time.monotonic() + _LAST_SECONDS
            if deadline is not None and time.monotonic() > deadline:
                return False
        self._skip_all()
        return True

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            lane, job, tries = taken
            try:
                job.run()
            except Overloaded as overload:
                is_alone = overload.by_us and lane.running == 1
                self._try_again(lane, job, MOST_TRIES if is_alone else tries + 1)
            else:
                self._end(lane)

    def _take(self) -> tuple[Lane, Job, int] | None:
        with self._change:
            while True:
                if not self._may_begin() or not (self._waiting or self._running):
                    self._change.notify_all()
                    return None
                now = time.monotonic()
                for _ in range(len(self._waiting)):
                    lane = self._waiting[0]
                    self._waiting.rotate(-1)
                    if lane.running < lane.limit and lane.not_before <= now:
                        job, tries = lane.jobs.popleft()
                        if not lane.jobs:
                            self._waiting.remove(lane)
                        lane.running += 1
                        self._running += 1
                        return lane, job, tries
                self._change.wait(TICK / 2)

    def _end(self, lane: Lane) -> None:
        with self._change:
            lane.is_full = False
            lane.rise()
            self._leave(lane)

    def _try_again(self, lane: Lane, job: Job, tries: int) -> None:
        is_last = lane.is_full or tries >= MOST_TRIES
        if is_last:
            job.give_up()
        with self._change:
            lane.ease()
            lane.is_full = is_last
            if not is_last:
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tries)
                lane.not_before = time.monotonic() + pause
                self._put(lane, job, tries)
                lane.jobs.rotate(1)  # the next one: what it meets, the others would meet as well
            self._leave(lane)

    def _leave(self, lane: Lane) -> None:
        lane.running -= 1
        self._running -= 1
        self._change.notify_all()

    def _lane(self, key: Hashable) -> Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, self._lane_limit, self._lane_limit)
        return lane

    def _put(self, lane: Lane, job: Job, tries: int) -> None:
        if not lane.jobs:
            self._waiting.append(lane)
        lane.jobs.append((job, tries))

    def _skip_all(self) -> None:
        for lane in self._lanes.values():
            while lane.jobs:
                lane.jobs.popleft()[0].skip()
