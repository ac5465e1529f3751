"""An ordered rollback of a set: every target at one version, and what holds afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from dbmigrate.api.action import Action, ActionKind
from dbmigrate.api.conditions import ConditionType, Truth
from dbmigrate.api.fleet.status import RolloutTrigger, SetRollback, SetStatus, TargetFailure
from dbmigrate.controller.decisions.runs import RunState
from dbmigrate.controller.fleet.orders import find_paused
from dbmigrate.controller.fleet.rollout import finish
from dbmigrate.report import Reason, ReportError
from dbmigrate.report.fleet import FleetCounts, FleetFailure, FleetReport
from tests.unit.controller.fleet.world import (
    World,
    make_action,
    make_set,
    phase_of,
    reason_of,
    settle,
)

pytestmark = pytest.mark.quick

SIZES = {"canary": 30, "rest": 970}
BACK = SetRollback("1", "back")
WHOLE = ["survey", "canary", "rest"]


def make_world(**spec: Any) -> World:
    world = World(make_set(**spec), dict(SIZES))
    settle(world)
    world.pass_time(timedelta(minutes=1))
    return world


def rollback(world: World, name: str = "back", version: str = "1") -> Action:
    made = replace(make_action(ActionKind.ROLLBACK, name), version=version, created_at=world.now)
    world.order(made)
    return made


def retry(world: World, name: str = "retry") -> None:
    world.order(replace(make_action(ActionKind.RETRY, name), created_at=world.now))


def goals(world: World) -> list[SetRollback | None]:
    """Where each Job went, in order."""
    return [world.orders[name].rollback for name in world.created]


def test_all_waves_go_back_in_their_order_and_the_set_stays_there() -> None:
    world = make_world()
    rollback(world)
    decision = settle(world)
    assert world.starts == [*WHOLE, *WHOLE]
    assert goals(world) == [None] * 3 + [BACK] * 3
    assert phase_of(world, "back") == "Succeeded"
    assert world.actions["back"].message == "every target is at version 1"
    assert reason_of(world.resource.status) == ("False", "RolledBack")
    for kind in (ConditionType.RECONCILING, ConditionType.STALLED):
        condition = world.resource.status.condition(kind)
        assert condition is not None
        assert condition.status is Truth.FALSE
    assert decision.look_at is None
    world.pass_time(timedelta(days=30))
    settle(world)
    assert len(world.starts) == 6


@pytest.mark.parametrize("seed", range(50))
def test_a_rollback_is_carried_out_once_whoever_is_killed(seed: int) -> None:
    random = Random(seed)
    world = make_world()
    rollback(world)
    settle(world, crash=lambda _: random.random() < 0.4)
    assert world.starts == [*WHOLE, *WHOLE]
    assert goals(world)[3:] == [BACK] * 3
    assert phase_of(world, "back") == "Succeeded"
    assert reason_of(world.resource.status) == ("False", "RolledBack")


def test_new_targets_go_to_the_same_version_while_it_holds() -> None:
    world = make_world()
    rollback(world)
    settle(world)
    world.resync = timedelta(hours=1)
    world.pass_time(timedelta(hours=2))
    world.sizes["rest"] += 5
    while True:
        world.step()
        assert reason_of(world.resource.status) == ("False", "RolledBack")
        if not world.work() and len(world.starts) == 9:
            break
    settle(world)
    assert goals(world)[6:] == [BACK] * 3
    targets = world.resource.status.targets
    assert targets is not None
    assert targets.current == 1005


@pytest.mark.parametrize("ending", ["files", "target", "Continue", "waves"])
def test_it_holds_until_what_is_wanted_of_a_target_changes(ending: str) -> None:
    world = make_world()
    rollback(world)
    settle(world)
    world.pass_time(timedelta(minutes=1))
    if ending == "files":
        world.digest = "two"
    elif ending == "target":
        template = {"source": {"configMaps": [{"name": "files"}]}, "target": "3"}
        world.resource = make_set(status=world.resource.status, template=template, generation=2)
    elif ending == "Continue":
        world.order(replace(make_action(ActionKind.CONTINUE, "go-on"), created_at=world.now))
    else:
        waves = [{"name": "rest"}]
        world.resource = make_set(status=world.resource.status, waves=waves, generation=2)
        world.sizes = {"rest": 1000}
    settle(world)
    last = world.orders[world.created[-1]]
    if ending == "waves":
        assert goals(world)[6:] == [BACK] * 2
        assert reason_of(world.resource.status) == ("False", "RolledBack")
        return
    assert goals(world)[6:] == [None] * 3
    assert reason_of(world.resource.status) == ("True", "AllCurrent")
    # Only a person leads on where a target's own history says that it was rolled back.
    assert (last.held_intent is None) is (ending == "Continue")
    if ending == "Continue":
        assert phase_of(world, "go-on") == "Succeeded"


def test_it_comes_before_the_next_wave_and_after_the_job_at_work() -> None:
    waves = [{"name": "canary", "share": "10%", "pause": "Manual"}, {"name": "rest"}]
    world = World(make_set(waves=waves), dict(SIZES))
    world.step()
    world.work()
    world.step()
    assert world.starts == ["survey", "canary"]
    rollback(world)
    world.step()
    assert world.starts == ["survey", "canary"]
    assert phase_of(world, "back") == "Pending"
    assert world.actions["back"].message == "waits until no Job of the set is at work"
    settle(world)
    # It does not wait for the person who would let the next wave begin; its own waves pause.
    assert world.starts == ["survey", "canary", "survey", "canary"]
    assert goals(world)[2:] == [BACK] * 2
    assert reason_of(world.resource.status) == ("False", "Paused")
    world.order(make_action(ActionKind.CONTINUE, "go-on"))
    settle(world)
    assert world.starts[4:] == ["rest"]
    assert phase_of(world, "back") == "Succeeded"


@pytest.mark.parametrize("when", ["before", "meanwhile", "after"])
def test_a_retry_does_not_undo_it(when: str) -> None:
    """What makes a tenant orders a Retry, whatever else is under way."""
    waves = [{"name": "canary", "share": "10%", "pause": "Manual"}, {"name": "rest"}]
    world = World(make_set(waves=waves), dict(SIZES))
    settle(world)
    world.pass_time(timedelta(minutes=1))
    if when == "before":
        retry(world)
        settle(world)
        world.pass_time(timedelta(minutes=1))
    rollback(world)
    world.step()
    world.pass_time(timedelta(minutes=1))
    if when == "meanwhile":
        retry(world)
    for name in ("one", "two", "three"):
        settle(world)
        world.order(make_action(ActionKind.CONTINUE, name))
        if when == "after" and name == "one":
            settle(world)
            retry(world)
        if find_paused(world.view(), world.resource.status) is None:
            del world.actions[name]
            break
    settle(world)
    assert phase_of(world, "back") == "Succeeded"
    assert set(goals(world)[2:]) == {BACK}
    assert phase_of(world, "retry") in {"Succeeded", "Running"}
    rollout = world.resource.status.rollout
    assert rollout is not None
    assert rollout.rollback == BACK


def test_a_continue_ends_no_rollback_that_is_under_way() -> None:
    world = make_world()
    rollback(world)
    world.step()
    world.order(replace(make_action(ActionKind.CONTINUE, "go-on"), created_at=world.now))
    settle(world)
    assert phase_of(world, "go-on") == "Refused"
    assert reason_of(world.resource.status) == ("False", "RolledBack")


@pytest.mark.parametrize("seed", range(20))
def test_a_continue_after_it_is_carried_out_once_whoever_is_killed(seed: int) -> None:
    random = Random(seed)
    world = make_world()
    rollback(world)
    settle(world)
    world.order(replace(make_action(ActionKind.CONTINUE, "go-on"), created_at=world.now))
    settle(world, crash=lambda _: random.random() < 0.4)
    assert goals(world)[6:] == [None] * 3
    assert phase_of(world, "go-on") == "Succeeded"
    assert reason_of(world.resource.status) == ("True", "AllCurrent")


def test_its_plan_is_shown_and_waits_for_a_person_where_plans_do() -> None:
    template: dict[str, Any] = {"source": {"configMaps": [{"name": "files"}]}}
    template |= {"approval": "Manual", "rehearse": "BeforeApply"}
    world = make_world(template=template)
    world.steps = 2
    rollback(world)
    settle(world)
    # What goes down is not rehearsed, as for one database.
    assert world.starts == [*WHOLE, "survey"]
    assert reason_of(world.resource.status) == ("False", "AwaitingApproval")
    plan = world.resource.status.plan
    assert plan is not None
    assert world.actions["back"].message == (
        f"plan {plan.hash} waits for a MigrationAction that approves it"
    )
    world.order(replace(make_action(ActionKind.APPROVE), plan_hash=plan.hash))
    settle(world)
    assert world.starts == [*WHOLE, *WHOLE]
    assert world.orders[world.created[-1]].plans == ("c" * 64,)
    assert phase_of(world, "back") == "Succeeded"


def test_it_waits_while_the_set_is_suspended() -> None:
    world = make_world()
    world.resource = make_set(status=world.resource.status, suspend=True)
    rollback(world)
    settle(world)
    assert phase_of(world, "back") == "Pending"
    assert "spec.suspend is set" in world.actions["back"].message
    assert len(world.starts) == 3
    world.resource = make_set(status=world.resource.status)
    settle(world)
    assert phase_of(world, "back") == "Succeeded"


@pytest.mark.parametrize(
    ("version", "age", "said"),
    [
        ("2a", timedelta(0), "spec.version must name a version"),
        ("", timedelta(0), "spec.version must name a version"),
        ("1", timedelta(hours=2), "too long ago (--order-max-age)"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused(
    version: str, age: timedelta, said: str
) -> None:
    world = make_world()
    world.order_age = timedelta(hours=1)
    rollback(world, version=version)
    world.pass_time(age)
    settle(world)
    assert phase_of(world, "back") == "Refused"
    assert said in world.actions["back"].message
    assert world.starts == WHOLE
    assert reason_of(world.resource.status) == ("True", "AllCurrent")


def test_one_that_fails_says_so_and_is_tried_again_to_the_same_version() -> None:
    world = make_world(waves=[{"name": "rest"}])
    rollback(world)
    world.step()
    world.work()
    world.step()
    job = world.active()
    assert job is not None
    failed = FleetFailure("t1", "unreachable", Reason.CONNECTION_LOST, "gone")
    for shard in range(job.shards):
        counts = FleetCounts(97, current=97)
        if shard == 0:
            counts = FleetCounts(97, current=96, unreachable=1)
        failures = (failed,) if shard == 0 else ()
        world.end_pod(job, shard, FleetReport(counts, wave="rest", failures=failures))
    world.end_job(job)
    decision = world.step()
    assert phase_of(world, "back") == "Failed"
    rollout = world.resource.status.rollout
    assert rollout is not None
    assert rollout.message.startswith("rolling back to version 1: 969 of 970 targets are current")
    assert reason_of(world.resource.status) == ("False", "TargetsFailed")
    assert decision.look_at is not None
    world.now = decision.look_at
    settle(world)
    rollout = world.resource.status.rollout
    assert rollout is not None
    assert (rollout.trigger, rollout.rollback) == (RolloutTrigger.RETRY, BACK)
    assert reason_of(world.resource.status) == ("False", "RolledBack")


def test_a_change_of_the_files_in_the_middle_ends_it() -> None:
    world = make_world()
    rollback(world)
    world.step()
    world.work()
    world.step()
    assert phase_of(world, "back") == "Running"
    world.digest = "two"
    settle(world)
    assert phase_of(world, "back") == "Failed"
    assert goals(world)[-3:] == [None] * 3
    assert reason_of(world.resource.status) == ("True", "AllCurrent")


def test_targets_whose_own_history_says_so_wait_for_a_person() -> None:
    """Of a set that was made again, or restored without its status."""
    world = World(make_set(waves=[{"name": "all"}]), {"all": 100})
    world.step()
    world.work()
    world.step()
    job = world.active()
    assert job is not None
    held = FleetFailure("t1", "pending", Reason.ROLLED_BACK, "rolled back from version 2 to 1")
    counts = FleetCounts(100, current=60, pending=40)
    world.end_pod(job, 0, FleetReport(counts, wave="all", failures=(held,)))
    world.end_job(job)
    settle(world)
    assert reason_of(world.resource.status) == ("False", "RolledBack")
    assert world.starts == ["survey", "all"]
    world.pass_time(timedelta(minutes=1))
    retry(world)
    world.step()
    world.work()
    world.step()
    assert world.orders[world.created[-1]].held_intent is not None
    job = world.active()
    assert job is not None
    world.end_pod(job, 0, FleetReport(counts, wave="all", failures=(held,)))
    world.end_job(job)
    settle(world)
    assert reason_of(world.resource.status) == ("False", "RolledBack")
    world.order(replace(make_action(ActionKind.CONTINUE, "go-on"), created_at=world.now))
    settle(world)
    assert world.orders[world.created[-1]].held_intent is None
    assert phase_of(world, "go-on") == "Succeeded"


def test_a_failure_beside_those_that_are_held_is_a_failure() -> None:
    world = make_world()
    status: SetStatus = world.resource.status
    wave = status.waves[1]
    totals = replace(wave.totals, current=960, pending=5, failed=5)
    failures = (
        TargetFailure("t1", "rest", "pending", Reason.ROLLED_BACK),
        TargetFailure("t2", "rest", "failed", Reason.STATEMENT_FAILED, "no"),
    )
    waves = (status.waves[0], replace(wave, totals=totals))
    ended = finish(replace(status, waves=waves, failures=failures), world.now)
    assert ended.rollout is not None
    assert ended.rollout.reason == "TargetsFailed"


def refuse(world: World) -> None:
    """The survey has found a target that has carried out the order, and was migrated since."""
    job = world.active()
    assert job is not None
    assert job.wave is None
    text = "on target t1: MigrationAction team/back: rollback 1 has been carried out at 10:00"
    error = ReportError(Reason.ALREADY_DONE, text)
    fleet = FleetReport(FleetCounts(sum(world.sizes.values())))
    world.end_pod(job, None, fleet, code=1, error=error)
    world.end_job(job, RunState.FAILED)


@pytest.mark.parametrize("seed", range(20))
def test_an_old_order_that_is_created_again_is_refused_and_changes_nothing(seed: int) -> None:
    random = Random(seed)

    def crash(_: str) -> bool:
        return random.random() < 0.4

    world = make_world()
    rollback(world)
    while world.active() is None:
        world.step(crash)
    order = world.orders[world.created[-1]]
    assert (order.rollback, order.is_new) == (BACK, True)
    refuse(world)
    settle(world, crash=crash)
    # A rollout looks at the targets again, and goes where the template says.
    assert world.starts == [*WHOLE, "survey", *WHOLE]
    assert goals(world)[4:] == [None] * 3
    assert phase_of(world, "back") == "Refused"
    assert "has been carried out at 10:00" in world.actions["back"].message
    assert reason_of(world.resource.status) == ("True", "AllCurrent")
    rollout = world.resource.status.rollout
    assert rollout is not None
    assert (rollout.trigger, rollout.failures_in_a_row) == (RolloutTrigger.RESYNC, 0)


def test_an_old_order_that_is_refused_leaves_the_rollback_that_holds() -> None:
    world = make_world()
    rollback(world)
    settle(world)
    world.pass_time(timedelta(minutes=1))
    rollback(world, "older", version="2")
    world.step()
    rollout = world.resource.status.rollout
    assert rollout is not None
    assert (rollout.rollback, rollout.ordered) == (BACK, SetRollback("2", "older"))
    refuse(world)
    settle(world)
    assert phase_of(world, "older") == "Refused"
    assert goals(world)[7:] == [BACK] * 3
    assert not any(world.orders[name].is_new for name in world.created[7:])
    assert reason_of(world.resource.status) == ("False", "RolledBack")


def test_it_is_not_known_to_be_new_until_a_survey_has_ended() -> None:
    world = make_world()
    rollback(world)
    world.step()
    job = world.active()
    assert job is not None
    gone = ReportError(Reason.CONNECTION_REFUSED, "the server is away", retryable=True)
    world.end_pod(job, None, None, code=1, error=gone)
    world.end_job(job, RunState.FAILED)
    decision = world.step()
    assert phase_of(world, "back") == "Failed"
    assert decision.look_at is not None
    world.now = decision.look_at
    world.step()
    again = world.orders[world.created[-1]]
    assert (again.rollback, again.is_new) == (BACK, True)
    settle(world)
    assert goals(world)[-3:] == [BACK] * 3
    rollout = world.resource.status.rollout
    assert rollout is not None
    assert (rollout.rollback, rollout.ordered) == (BACK, None)


def test_a_continue_ends_a_rollback_whose_survey_has_failed() -> None:
    world = make_world()
    rollback(world)
    world.step()
    job = world.active()
    assert job is not None
    world.end_pod(job, None, None, code=1, error=ReportError(Reason.MISSING_VERSION, "no 1"))
    world.end_job(job, RunState.FAILED)
    settle(world)
    assert reason_of(world.resource.status) == ("False", "MissingVersion")
    world.order(replace(make_action(ActionKind.CONTINUE, "go-on"), created_at=world.now))
    settle(world)
    assert phase_of(world, "go-on") == "Succeeded"
    assert goals(world)[-3:] == [None] * 3
    assert reason_of(world.resource.status) == ("True", "AllCurrent")


def test_targets_that_were_migrated_since_stay_and_are_named() -> None:
    """A later rollout of a rollback that holds: a person has migrated one target by hand."""
    world = make_world(waves=[{"name": "rest"}])
    rollback(world)
    settle(world)
    world.pass_time(timedelta(minutes=1))
    retry(world)
    world.step()
    world.work()
    world.step()
    job = world.active()
    assert job is not None
    moved = FleetFailure("t1", "pending", Reason.ALREADY_DONE, "has been carried out")
    for shard in range(job.shards):
        counts = FleetCounts(97, current=97)
        if shard == 0:
            counts = FleetCounts(97, current=96, pending=1)
        failures = (moved,) if shard == 0 else ()
        world.end_pod(job, shard, FleetReport(counts, wave="rest", failures=failures))
    world.end_job(job)
    settle(world)
    assert reason_of(world.resource.status) == ("False", "RolledBack")
    rollout = world.resource.status.rollout
    assert rollout is not None
    assert rollout.rollback == BACK
    assert rollout.message.endswith(
        "carried out MigrationAction back before, and were migrated since"
    )
