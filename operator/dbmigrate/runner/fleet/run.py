"""A run on a fleet: from the targets to their verdicts, many at a time.

Schemas of one database are read together first; those that are where they should be cost no
more than that. Every other target has a run of its own, with its own connection, lock,
history, transactions and limits: what fails there touches no other target.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.many import Digest, can_read
from dbmigrate.runner.fleet.jobs import ReadJob, TargetJob
from dbmigrate.runner.fleet.judgement import Judgement
from dbmigrate.runner.fleet.pool import Job, Pool
from dbmigrate.runner.fleet.request import FleetRequest
from dbmigrate.runner.fleet.results import BATCH
from dbmigrate.runner.fleet.summary import Summary
from dbmigrate.runner.fleet.target import FleetTarget
from dbmigrate.runner.fleet.tasks import TASKS, FleetTask
from dbmigrate.runner.fleet.verdict import TargetOutcome, TargetVerdict
from dbmigrate.runner.observer import Notice

_MOST_READ = 500
"""Schemas that one connection reads before the next one may be used."""
_FEWEST_READ = 3
"""Fewer than these are not worth a reading of their own."""
_WRITE_EVERY = 2.0
"""Seconds between two writings of results, if there are fewer than a batch of them."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
"""Seconds between two rounds of waiting."""


@dataclass(frozen=True, slots=True)
class FleetResult:
    """The end of a run on a fleet."""

    summary: Summary
    has_exceeded_failures: bool = False
    results_error: MigrationError | None = None
    """Why the table of results is not complete."""
    was_stopped: bool = False
    """Whether it was stopped, so that targets may be left."""


class FleetRun:
    """One run."""

    def __init__(self, request: FleetRequest) -> None:
        self.request = request
        self.summary = Summary(len(request.targets))
        self.judgements: dict[Digest, Judgement | None] = {}
        self.results_error: MigrationError | None = None
        self._lock = threading.Lock()
        self._results_lock = threading.Lock()
        self._unwritten: list[TargetVerdict] = []
        self._written_at = time.monotonic()

    @property
    def task(self) -> FleetTask:
        """What is done on each target."""
        return TASKS[self.request.command]

    def run(self) -> FleetResult:
        """Do it on all of them."""
        self._work(self.request.targets, self.finish)
        return self._end()

    def wait(self, timeout: float | None) -> FleetResult:
        """Ask again and again those that are not there yet, for so many seconds; None: no limit."""
        deadline = None if timeout is None else time.monotonic() + timeout
        left: Sequence[FleetTarget] = self.request.targets
        pause = _FIRST_PAUSE
        while True:
            waiting: list[TargetVerdict] = []
            self._work(left, self._collect(waiting))
            is_late = deadline is not None and time.monotonic() >= deadline
            if not waiting or is_late or self.request.stop.is_requested:
                break
            self._pause(pause if deadline is None else min(pause, deadline - time.monotonic()))
            pause = min(1.5 * pause, _LONGEST_PAUSE)
            left = [each.target for each in waiting]
        for verdict in waiting:
            self.finish(verdict)
        return self._end()

    def finish(self, verdict: TargetVerdict) -> None:
        """Count and tell a verdict. Called from any thread."""
        with self._lock:
            self.summary.add(verdict)
            self.request.observer.finished(verdict, self.summary)
            if self.request.results is not None and verdict.outcome is not TargetOutcome.SKIPPED:
                self._unwritten.append(verdict)
            is_due = len(self._unwritten) >= BATCH
        if is_due:
            self.write_results()

    def notice(self, target: FleetTarget, notice: Notice) -> None:
        """Pass it on. Called from any thread."""
        with self._lock:
            self.request.observer.notice(target, notice)

    def write_results(self) -> None:
        """Write what was not written yet."""
        with self._results_lock:
            with self._lock:
                verdicts, self._unwritten = self._unwritten, []
                self._written_at = time.monotonic()
            results = self.request.results
            if results is None or not verdicts or self.results_error is not None:
                return
            try:
                for start in range(0, len(verdicts), BATCH):
                    results.write(verdicts[start : start + BATCH])
            except MigrationError as error:
                self.results_error = error

    def may_begin(self) -> bool:
        """Whether a further target may be begun."""
        return not self.request.stop.is_requested and not self._has_exceeded

    @property
    def _has_exceeded(self) -> bool:
        limit, summary = self.request.max_failures, self.summary
        return limit is not None and limit.is_exceeded(summary.failed, summary.total)

    def _work(
        self, targets: Sequence[FleetTarget], finish: Callable[[TargetVerdict], None]
    ) -> None:
        request = self.request
        pool = Pool(
            min(request.concurrency, max(1, len(targets))),
            may_begin=self.may_begin,
            must_end=lambda: request.stop.is_urgent,
            lane_limit=1 if self._locks_whole_database else None,
        )
        for lane, job in self._jobs(targets, pool, finish):
            pool.add(lane, job)
        pool.run(self._tick)

    def _jobs(
        self, targets: Sequence[FleetTarget], pool: Pool, finish: Callable[[TargetVerdict], None]
    ) -> list[tuple[Hashable, Job]]:
        addresses = self.request.addresses
        together: dict[tuple[str, ...], list[FleetTarget]] = {}
        jobs: list[tuple[Hashable, Job]] = []
        for target in targets:
            if can_read(addresses.history_of(target)):
                together.setdefault(addresses.session_key(target), []).append(target)
            else:
                jobs.append((self._lane(target), TargetJob(self, target, finish)))
        for group in together.values():
            lane = self._lane(group[0])
            if len(group) < _FEWEST_READ:
                jobs += [(lane, TargetJob(self, target, finish)) for target in group]
                continue
            size = min(_MOST_READ, -(-len(group) // self.request.concurrency))
            for start in range(0, len(group), size):
                part = tuple(group[start : start + size])
                jobs.append((lane, ReadJob(self, part, finish, pool, lane)))
        return jobs

    def _lane(self, target: FleetTarget) -> Hashable:
        """The server; the database where the tool of the files locks that as a whole, so that
        schemas of it would only wait for each other."""
        server = self.request.addresses.server_of(target)
        return (*server, target.dbname) if self._locks_whole_database else server

    @property
    def _locks_whole_database(self) -> bool:
        adapter = adapter_for(self.request.addresses.shared.history.kind)
        ids = {adapter.lock_ids(schema, "t") for schema in ("a", "b")}
        return len(ids) == 1 and ids != {()}

    def _collect(self, waiting: list[TargetVerdict]) -> Callable[[TargetVerdict], None]:
        def take(verdict: TargetVerdict) -> None:
            is_there_later = verdict.error is not None and verdict.error.retryable
            is_behind = verdict.outcome in (TargetOutcome.PENDING, TargetOutcome.SKIPPED)
            if is_behind or is_there_later:
                waiting.append(verdict)
            else:
                self.finish(verdict)

        return take

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.request.stop.is_requested:
            time.sleep(min(left, 0.1))
            self._tick()

    def _tick(self) -> None:
        with self._lock:
            self.request.observer.tick(self.summary)
            is_due = time.monotonic() - self._written_at > _WRITE_EVERY
        if is_due:
            self.write_results()

    def _end(self) -> FleetResult:
        self.write_results()
        return FleetResult(
            self.summary,
            self._has_exceeded,
            self.results_error,
            was_stopped=self.request.stop.is_requested,
        )


def run_fleet(request: FleetRequest, *, timeout: float | None = None) -> FleetResult:
    """Do what the request says; `timeout` is for `wait`."""
    run = FleetRun(request)
    return run.wait(timeout) if request.command == "wait" else run.run()
