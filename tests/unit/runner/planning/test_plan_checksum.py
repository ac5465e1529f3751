"""A plan's checksum: of the whole, and of what an interrupted run has left of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.report import Reason
from dbmigrate.runner.planning.plan_checksum import checksum_of
from dbmigrate.runner.planning.plan_checksum import require_plan as require
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.sources.migration import Direction, Script, hash_script
from tests.unit.runner.planning.test_applied_number import row


def step(version: int, sql: str = "SELECT 1", direction: Direction = Direction.UP) -> PlannedStep:
    script = Script(f"{version}.sql", direction, sql.encode)
    return PlannedStep(version, "", direction, script, version - 1, version)


def require_plan(wanted: str, steps: Sequence[PlannedStep], log: Sequence[LogRow]) -> None:
    """With the log in its order, as the database would read it backwards."""
    require(wanted, steps, [each for each in reversed(log) if each.outcome == "applied"])


def done(planned: PlannedStep, *, outcome: str = "applied", sql: str = "SELECT 1") -> LogRow:
    found = row(1, planned.direction, planned.version, planned.before, planned.after)
    return replace(found, checksum=hash_script(sql.encode()), outcome=outcome)


PLAN = (step(1), step(2), step(3))
WHOLE = checksum_of(PLAN)


@pytest.mark.parametrize("count", range(4))
def test_what_is_left_after_some_steps_is_the_same_plan(count: int) -> None:
    require_plan(WHOLE, PLAN[count:], [done(each) for each in PLAN[:count]])


def test_a_try_that_failed_in_between_changes_nothing() -> None:
    failed = done(PLAN[1], outcome="failed")
    require_plan(WHOLE, PLAN[1:], [done(PLAN[0]), failed, failed])


def test_what_was_applied_before_the_plan_does_not_matter() -> None:
    require_plan(checksum_of(PLAN[1:]), PLAN[1:], [done(PLAN[0])])


@pytest.mark.parametrize(
    ("steps", "log"),
    [
        (PLAN[:2], []),
        (PLAN[1:], []),
        ((*PLAN, step(4)), []),
        ((step(1), step(2, "SELECT 2"), step(3)), []),
        ((step(1), step(2, direction=Direction.DOWN), step(3)), []),
        ((step(1), replace(step(2), script=None), step(3)), []),
        (PLAN[1:], [done(PLAN[0], sql="SELECT 2")]),
        (PLAN[1:], [done(PLAN[0], outcome="failed")]),
        (PLAN[2:], [done(PLAN[0]), row(9, "force", None, 1, 2)]),
    ],
    ids=[
        "a step less",
        "a step done by others",
        "a step more",
        "an edited script",
        "another direction",
        "a script that is gone",
        "a step done from another file",
        "a step that was not done",
        "a version that was forced",
    ],
)
def test_any_other_plan_is_refused(steps: tuple[PlannedStep, ...], log: list[LogRow]) -> None:
    with pytest.raises(MigrationError, match="the plan has changed") as caught:
        require_plan(WHOLE, steps, log)
    assert caught.value.reason is Reason.PLAN_CHANGED


def test_an_empty_plan_has_a_checksum_too() -> None:
    require_plan(checksum_of(()), (), [])
    with pytest.raises(MigrationError):
        require_plan(checksum_of(()), PLAN, [])


@pytest.mark.parametrize(("size", "words"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps")])
def test_the_refusal_counts_the_steps(size: int, words: str) -> None:
    with pytest.raises(MigrationError, match=f"it has {words} and"):
        require_plan(WHOLE, PLAN[:size], [])


def test_no_more_of_the_log_is_read_than_one_plan_can_have_left() -> None:
    taken: list[int] = []

    def cycles() -> Iterator[LogRow]:
        for number in range(10_000):
            taken.append(number)
            yield done(step(3, direction=Direction.DOWN if number % 2 else Direction.UP))

    with pytest.raises(MigrationError):
        require(checksum_of(PLAN), (step(4),), cycles())
    assert len(taken) == 3
