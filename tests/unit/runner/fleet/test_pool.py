"""The pool: what is done at a time, what is tried again, what is not begun."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from dbmigrate.runner.fleet import pool as pools
from dbmigrate.runner.fleet.pool import MOST_TRIES, Overloaded, Pool


class Recorded:
    """A job that notes what becomes of it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.ends: list[str] = []

    def run(self) -> None:
        self.work()
        self.ends.append("done")

    def give_up(self) -> None:
        self.ends.append("given up")

    def skip(self) -> None:
        self.ends.append("skipped")


def run(pool: Pool) -> None:
    assert pool.run(lambda: None)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(pools, "_LONGEST_PAUSE", 0.001)
    monkeypatch.setattr(pools, "TICK", 0.01)


def make(concurrency: int = 4, lane_limit: int | None = None) -> Pool:
    return Pool(
        concurrency,
        may_begin=lambda: True,
        must_end=lambda: False,
        lane_limit=lane_limit,
    )


def test_every_job_ends_once_those_that_are_added_by_jobs_as_well() -> None:
    pool = make()
    later = [Recorded(lambda: None) for _ in range(20)]
    first = [Recorded(lambda each=each: pool.add("b", each)) for each in later]  # type: ignore[misc]
    for job in first:
        pool.add("a", job)
    run(pool)
    assert all(job.ends == ["done"] for job in (*first, *later))


def test_a_lane_runs_no_more_at_a_time_than_its_limit() -> None:
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lock, together = threading.Lock(), threading.Barrier(2)

    def work(lane: str) -> None:
        with lock:
            running[lane] += 1
            most[lane] = max(most[lane], running[lane])
        together.wait(60)  # both lanes are at work at one time
        with lock:
            running[lane] -= 1

    pool = make(lane_limit=1)
    for lane in ("a", "b"):
        for _ in range(5):
            pool.add(lane, Recorded(lambda lane=lane: work(lane)))  # type: ignore[misc]
    run(pool)
    assert most == {"a": 1, "b": 1}


def test_an_overloaded_server_gets_less_at_a_time_until_all_is_done() -> None:
    lock = threading.Lock()
    connections = 0
    refusals = 0

    def work() -> None:
        nonlocal connections, refusals
        with lock:
            if connections >= 2:
                refusals += 1
                raise Overloaded(by_us=False)
            connections += 1
        threading.Event().wait(0.002)
        with lock:
            connections -= 1

    pool = make(8)
    jobs = [Recorded(work) for _ in range(60)]
    for job in jobs:
        pool.add("a", job)
    run(pool)
    assert all(job.ends == ["done"] for job in jobs)
    assert refusals < 30


def test_a_server_that_stays_full_is_given_up_after_some_tries_and_then_after_one_each() -> None:
    tries: Counter[int] = Counter()

    def refuse(number: int) -> None:
        tries[number] += 1
        raise Overloaded(by_us=False)

    pool = make(1)
    jobs = [Recorded(lambda number=number: refuse(number)) for number in range(3)]  # type: ignore[misc]
    for job in jobs:
        pool.add("a", job)
    run(pool)
    assert all(job.ends == ["given up"] for job in jobs)
    assert max(tries.values()) <= MOST_TRIES
    assert sum(tries.values()) < 3 * MOST_TRIES


def test_what_is_too_large_by_itself_is_tried_once() -> None:
    def refuse() -> None:
        job.ends.append("tried")
        raise Overloaded(by_us=True)

    job = Recorded(refuse)
    pool = make(4)
    pool.add("a", job)
    run(pool)
    assert job.ends == ["tried", "given up"]


def test_nothing_is_begun_any_more_when_it_may_not_and_each_job_is_told() -> None:
    begun = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal begun
        with lock:
            begun += 1

    pool = Pool(1, may_begin=lambda: begun < 3, must_end=lambda: False)
    jobs = [Recorded(work) for _ in range(10)]
    for job in jobs:
        pool.add("a", job)
    run(pool)
    ends = Counter(end for job in jobs for end in job.ends)
    assert ends == {"done": 3, "skipped": 7}
