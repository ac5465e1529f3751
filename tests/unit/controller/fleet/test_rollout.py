"""How a rollout begins and ends, and whether it is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from dbmigrate.api.fleet.status import (
    RolloutStatus,
    RolloutTrigger,
    SetRollback,
    SetStatus,
    TargetFailure,
    Totals,
    WavePhase,
    WaveStatus,
)
from dbmigrate.controller.fleet.goal import RolloutGoal
from dbmigrate.controller.fleet.next_job import choose_discarded
from dbmigrate.controller.fleet.orders import find_paused, pause_ends
from dbmigrate.controller.fleet.rollout import (
    begin,
    finish,
    is_environmental,
    is_temporary,
    next_attempt,
)
from dbmigrate.controller.fleet.triggers import retry_due
from dbmigrate.controller.fleet.view import FleetOrder
from dbmigrate.report import RETRYABLE, Reason
from tests.unit.controller.fleet.world import World, make_set, settle
from tests.unit.controller.resources import NOW

pytestmark = pytest.mark.quick

ENDED = RolloutStatus("one", attempt=3, is_surveyed=True, started_at=NOW, finished_at=NOW)
FAILED = replace(ENDED, reason="WaveFailed", message="no", failures_in_a_row=2)
MOVED = (WaveStatus("canary", migrated=1), WaveStatus("rest"))
STILL = (WaveStatus("canary"), WaveStatus("rest"))


@pytest.mark.parametrize(
    ("before", "attempt"), [(None, 1), (ENDED, 4), (replace(ENDED, intent="two"), 1)]
)
def test_attempts_are_counted_for_one_intent(before: RolloutStatus | None, attempt: int) -> None:
    assert next_attempt(SetStatus(rollout=before), "one") == attempt


@pytest.mark.parametrize(
    ("before", "waves", "trigger", "number"),
    [
        (None, STILL, RolloutTrigger.CHANGE, 0),
        (FAILED, STILL, RolloutTrigger.RETRY, 3),
        (FAILED, STILL, RolloutTrigger.CHANGE, 3),
        (FAILED, STILL, RolloutTrigger.ACTION, 0),
        (FAILED, MOVED, RolloutTrigger.RETRY, 1),
        (replace(FAILED, is_surveyed=False), MOVED, RolloutTrigger.RETRY, 3),
        (replace(FAILED, reason=None), STILL, RolloutTrigger.RESYNC, 0),
        (replace(FAILED, finished_at=None), MOVED, RolloutTrigger.CHANGE, 2),
        (replace(FAILED, reason="AlreadyDone"), MOVED, RolloutTrigger.RESYNC, 2),
        (replace(FAILED, intent="two"), STILL, RolloutTrigger.RETRY, 0),
    ],
)
def test_failures_in_a_row_are_those_that_moved_nothing(
    before: RolloutStatus | None,
    waves: tuple[WaveStatus, ...],
    trigger: RolloutTrigger,
    number: int,
) -> None:
    view = World(make_set(), {}).view()
    status = SetStatus(rollout=before, waves=waves, next_retry_at=NOW)
    begun = begin(view, status, FleetOrder("one", 4, 1), RolloutGoal(), trigger, NOW)
    assert begun.rollout is not None
    assert begun.rollout.failures_in_a_row == number
    assert (begun.rollout.attempt, begun.rollout.trigger) == (4, trigger)
    assert begun.rollout.is_active
    assert begun.next_retry_at is None


def failure(reason: Reason) -> tuple[TargetFailure, ...]:
    return (TargetFailure("t0", reason=Reason.INTERNAL), TargetFailure("t1", reason=reason))


BACK = replace(ENDED, finished_at=None, rollback=SetRollback("2", "undo"))
HERE = replace(ENDED, finished_at=None)


@pytest.mark.parametrize(
    ("rollout", "totals", "failures", "reason", "text"),
    [
        (HERE, Totals(3, current=3), (), None, ""),
        (HERE, Totals(), (), None, ""),
        (
            HERE,
            Totals(3, current=1, failed=2),
            failure(Reason.STATEMENT_FAILED)[1:],
            "TargetsFailed",
            "1 of 3 targets are current, 2 failed; the first: t1: StatementFailed: ",
        ),
        (
            BACK,
            Totals(3, current=1, failed=2),
            (),
            "TargetsFailed",
            "rolling back to version 2: 1 of 3 targets are current, 2 failed",
        ),
        (
            HERE,
            Totals(3, current=1, pending=2),
            failure(Reason.ROLLED_BACK),
            "RolledBack",
            "1 of 3 targets are current, 2 pending: rolled back by a MigrationAction, and not"
            " applied again by itself",
        ),
        (
            BACK,
            Totals(3, current=1, pending=2),
            failure(Reason.ALREADY_DONE),
            "RolledBack",
            "1 of 3 targets are current, 2 pending: the pending ones have carried out"
            " MigrationAction undo before, and were migrated since",
        ),
        (
            HERE,
            Totals(3, current=1, pending=1, failed=1),
            failure(Reason.ROLLED_BACK)[1:],
            "TargetsFailed",
            "1 of 3 targets are current, 1 pending, 1 failed; the first: t1: RolledBack: ",
        ),
        (
            HERE,
            Totals(3, current=1, pending=2),
            (),
            "TargetsFailed",
            "1 of 3 targets are current, 2 pending",
        ),
    ],
)
def test_how_a_rollout_ends_after_its_last_wave(
    rollout: RolloutStatus,
    totals: Totals,
    failures: tuple[TargetFailure, ...],
    reason: str | None,
    text: str,
) -> None:
    waves = (WaveStatus("a", totals=totals), WaveStatus("b"))
    ended = finish(SetStatus(rollout=rollout, waves=waves, failures=failures), NOW).rollout
    assert ended is not None
    assert (ended.finished_at, ended.reason, ended.message) == (NOW, reason, text)


@pytest.mark.parametrize(
    ("reason", "failures", "expected"),
    [
        (None, failure(Reason.LOCK_TIMEOUT), False),
        ("WaveFailed", (), True),
        ("SurveyFailed", (), True),
        ("TargetsFailed", (), False),
        ("TargetsFailed", failure(Reason.STATEMENT_FAILED), False),
        ("LintFailed", (), False),
        *((("TargetsFailed", failure(reason), True)) for reason in sorted(RETRYABLE)),
        *(((reason.value, (), True)) for reason in sorted(RETRYABLE)),
    ],
)
def test_what_may_pass_by_itself(
    reason: str | None, failures: tuple[TargetFailure, ...], expected: bool
) -> None:
    status = SetStatus(rollout=replace(ENDED, reason=reason), failures=failures)
    assert is_temporary(status) is expected
    assert not is_temporary(SetStatus(failures=failures))


@pytest.mark.parametrize(
    ("reason", "is_elsewhere"),
    [
        ("AuthenticationFailed", True),
        ("TlsFailed", True),
        ("ConnectionInvalid", True),
        ("PoolerUnsafe", True),
        ("WaveFailed", False),
        (None, False),
    ],
)
def test_what_a_person_may_correct_elsewhere_is_looked_at_again_soon(
    reason: str | None, is_elsewhere: bool
) -> None:
    status = SetStatus(rollout=replace(ENDED, reason=reason))
    assert is_environmental(status) is is_elsewhere
    assert not is_environmental(SetStatus())


MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("reason", "row", "limit", "least", "most"),
    [
        ("WaveFailed", 0, 5, 7.5 * SECOND, 10 * SECOND),
        ("WaveFailed", 1, 5, 15 * SECOND, 20 * SECOND),
        ("WaveFailed", 4, 5, 120 * SECOND, 160 * SECOND),
        ("WaveFailed", 5, 5, 225 * SECOND, 300 * SECOND),
        ("TlsFailed", 0, 5, 22.5 * SECOND, 30 * SECOND),
        ("TlsFailed", 1, 5, 45 * SECOND, 60 * SECOND),
        ("WaveFailed", 0, 0, None, None),
        ("TlsFailed", 0, 0, None, None),
        ("TargetsFailed", 0, 5, None, None),
        (None, 0, 5, None, None),
    ],
)
def test_when_a_rollout_that_failed_is_tried_again(
    reason: str | None, row: int, limit: int, least: timedelta | None, most: timedelta | None
) -> None:
    """Soon at first, later and later; beyond the limit as slowly as what a person corrects."""
    retry = {"limit": limit, "initialDelay": "10s", "maxDelay": "160s"}
    template = {"source": {"configMaps": [{"name": "files"}]}, "retry": retry}
    view = World(make_set(template=template), {}).view()
    rollout = replace(ENDED, reason=reason, failures_in_a_row=row)
    due = retry_due(view, SetStatus(rollout=rollout))
    if least is None or most is None:
        assert due is None
    else:
        assert due is not None
        assert least <= due - NOW <= most
        assert retry_due(view, SetStatus(rollout=replace(rollout, finished_at=None))) is None


def paused_set(**canary: object) -> World:
    return World(
        make_set(waves=[{"name": "canary", "share": "10%", **canary}, {"name": "rest"}]), {}
    )


@pytest.mark.parametrize(
    ("canary", "ends"),
    [({}, None), ({"pause": "10m"}, NOW + 10 * MINUTE), ({"pause": "Manual"}, None)],
)
def test_a_rollout_pauses_between_two_waves(
    canary: dict[str, object], ends: datetime | None
) -> None:
    view = paused_set(**canary).view()
    done = WaveStatus("canary", WavePhase.SUCCEEDED, migrated=1, finished_at=NOW)
    rest = WaveStatus("rest")
    status = SetStatus(rollout=HERE, waves=(done, rest))
    assert find_paused(view, status) == (done if canary else None)
    assert pause_ends(view, done) == ends
    assert pause_ends(view, replace(done, finished_at=None)) is None
    assert pause_ends(view, replace(done, name="other")) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"rollout": None},
        {"rollout": ENDED},
        {"rollout": replace(HERE, is_surveyed=False)},
        {"rollout": replace(HERE, released="canary")},
        {"waves": (WaveStatus("canary"), WaveStatus("rest"))},
        {"waves": (WaveStatus("canary", WavePhase.SUCCEEDED), WaveStatus("rest"))},
        {"waves": (WaveStatus("canary", WavePhase.RUNNING, migrated=1), WaveStatus("rest"))},
        {"waves": (WaveStatus("canary", WavePhase.FAILED, migrated=1), WaveStatus("rest"))},
        {"waves": (WaveStatus("canary", WavePhase.SUCCEEDED, migrated=1),)},
        {"waves": (WaveStatus("gone", WavePhase.SUCCEEDED, migrated=1), WaveStatus("rest"))},
    ],
)
def test_where_a_rollout_does_not_pause(changes: dict[str, Any]) -> None:
    done = WaveStatus("canary", WavePhase.SUCCEEDED, migrated=1, finished_at=NOW)
    status = SetStatus(rollout=HERE, waves=(done, WaveStatus("rest")))
    view = paused_set(pause="10m").view()
    assert find_paused(view, status) == done
    assert find_paused(view, replace(status, **changes)) is None


def test_the_jobs_of_the_rollout_before_stay_until_the_next_one() -> None:
    world = World(make_set(), {"canary": 1, "rest": 2})
    kept = []
    for digest in ("one", "two", "three", "four"):
        world.digest = digest
        settle(world)
        world.pass_time(timedelta(hours=1))
        kept.append(set(world.jobs))
    rollouts = [each - before for before, each in zip([set(), *kept], kept, strict=False)]
    assert all(len(jobs) == 3 for jobs in rollouts)
    assert kept[-1] == rollouts[-1] | rollouts[-2]
    assert choose_discarded(world.view(), SetStatus()) == ()
