"""The decision about a set: waves in their order, each shard counted once, whatever crashes."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmigrate.api.action import ActionKind
from dbmigrate.api.conditions import ConditionType, Truth
from dbmigrate.api.fleet.status import RolloutTrigger, Totals, WavePhase
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.runs import RunState
from dbmigrate.controller.decisions.view import Rejection
from dbmigrate.controller.fleet.decide import decide
from dbmigrate.controller.fleet.jobs import ShardPod
from dbmigrate.controller.fleet.shards import format_indexes, parse_indexes
from dbmigrate.report import Reason, ReportError
from dbmigrate.report.bounds import FAILURES_LIMIT
from dbmigrate.report.document import TERMINATION_MESSAGE_LIMIT
from dbmigrate.report.fleet import FleetCounts, FleetFailure, FleetReport
from tests.unit.controller.fleet.world import (
    World,
    make_action,
    make_set,
    phase_of,
    reason_of,
    settle,
)
from tests.unit.controller.resources import UID

pytestmark = pytest.mark.quick

SIZES = {"canary": 30, "rest": 970}


def make_world(**more: Any) -> World:
    sizes = more.pop("sizes", SIZES)
    broken = more.pop("broken", {})
    return World(make_set(**more), dict(sizes), dict(broken))


def test_the_waves_come_one_after_the_other_and_every_shard_is_counted_once() -> None:
    world = make_world()
    settle(world)
    status = world.resource.status
    assert world.starts == ["survey", "canary", "rest"]
    assert [wave.shards for wave in status.waves] == [1, 10]
    assert [wave.phase for wave in status.waves] == [WavePhase.SUCCEEDED] * 2
    assert [wave.reported for wave in status.waves] == ["0", "0-9"]
    assert status.targets == Totals(total=1000, current=1000)
    assert reason_of(status) == ("True", "AllCurrent")
    assert status.rollout is not None
    assert status.rollout.reason is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_an_operator_that_is_killed_anywhere_starts_nothing_twice_and_counts_nothing_twice(
    seed: int,
) -> None:
    random = Random(seed)
    world = make_world(broken={"rest": random.choice([0, 3])})
    settle(world, crash=lambda _: random.random() < 0.4)
    status = world.resource.status
    failed = 10 * world.broken["rest"]
    assert world.starts == ["survey", "canary", "rest"]
    assert status.targets == Totals(total=1000, current=1000 - failed, failed=failed)
    assert len(status.failures) == failed
    assert len({each.target for each in status.failures}) == failed


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_pods_whose_reports_are_counted_may_go(seed: int) -> None:
    """Between two looks only those that were there at the last one."""
    random = Random(seed)
    world = make_world()
    for _ in range(100):
        world.step()
        for name in [name for name in world.pods if random.random() < 0.5]:
            job = world.jobs.get(world.pods[name].pod.job)
            if job is not None and job.wave is not None and job.is_active:
                pod = world.pods[name].pod
                world.pods[name] = replace(world.pods[name], pod=replace(pod, ended=None))
        if not world.work():
            break
    settle(world)
    assert world.resource.status.targets == Totals(total=1000, current=1000)


def test_a_wave_with_too_many_failures_stops_the_next_one() -> None:
    world = make_world(broken={"canary": 1})
    decision = settle(world)
    status = world.resource.status
    assert world.starts == ["survey", "canary"]
    assert [wave.phase for wave in status.waves] == [WavePhase.FAILED, WavePhase.PENDING]
    assert reason_of(status) == ("False", "TooManyFailures")
    assert status.targets == Totals(total=1000, current=29, failed=1)
    assert decision.look_at is None
    ready = status.condition(ConditionType.READY)
    assert ready is not None
    assert "canary-0-0: StatementFailed" in ready.message
    # Nothing but a change, an order or the next look at the list begins another rollout.
    world.pass_time(timedelta(days=30))
    assert settle(world).order is None
    assert world.starts == ["survey", "canary"]
    world.broken = {}
    world.digest = "two"
    settle(world)
    assert world.starts == ["survey", "canary", "survey", "canary", "rest"]
    assert reason_of(world.resource.status) == ("True", "AllCurrent")
    assert world.resource.status.failures == ()


@pytest.mark.parametrize("seed", range(20))
def test_a_wave_ends_as_soon_as_too_many_have_failed(seed: int) -> None:
    """Nobody waits for the shards that are left, whoever is killed."""
    random = Random(seed)
    world = make_world(broken={"rest": 4}, shardSize=20)
    settle(world, crash=lambda _: random.random() < 0.3)
    status = world.resource.status
    assert reason_of(status) == ("False", "TooManyFailures")
    rest = status.waves[1]
    # Of 49 shards with 4 failures each, the 25th exceeds 10 % of 970.
    assert 25 <= len(parse_indexes(rest.reported, most=48)) < 49
    assert rest.phase is WavePhase.FAILED
    assert rest.totals.failed == 4 * len(parse_indexes(rest.reported, most=48))
    assert world.withdrawn == [rest.job]
    assert world.starts == ["survey", "canary", "rest"]


def test_what_a_wave_has_done_when_it_is_ended_early_is_counted() -> None:
    waves = [{"name": "all", "parallelism": 3, "maxFailures": 0}]
    world = make_world(waves=waves, sizes={"all": 300})
    world.step()
    world.work()
    world.step()
    job = world.active()
    assert job is not None
    running = Pod("team", "second", "uid-second", UID, job.name, "Running", has_started=True)
    world.pods["second"] = ShardPod(running, 1)
    failed = FleetFailure("t7", "failed", Reason.STATEMENT_FAILED, "no")
    report = FleetReport(FleetCounts(100, current=99, migrated=99, failed=1), failures=(failed,))
    world.end_pod(job, 0, report, name="first")
    decision = world.step()
    assert decision.withdraw == (job.name,)
    status = world.resource.status
    assert reason_of(status) == ("False", "TooManyFailures")
    reconciling = status.condition(ConditionType.RECONCILING)
    assert reconciling is not None
    assert reconciling.status is Truth.TRUE
    # The Job is deleted once; its Pod ends the steps that run, and says what it has done.
    assert world.step().withdraw == ()
    assert status.waves[0].phase is WavePhase.RUNNING
    error = ReportError(Reason.INTERRUPTED, "stopped", retryable=True)
    half = FleetReport(FleetCounts(100, current=40, migrated=40, skipped=60))
    world.end_pod(job, 1, half, code=1, error=error, name="second")
    world.step()
    status = world.resource.status
    assert status.waves[0].totals == Totals(total=300, current=139, failed=1)
    assert status.waves[0].phase is WavePhase.FAILED
    assert reason_of(world.resource.status) == ("False", "TooManyFailures")
    stalled = world.resource.status.condition(ConditionType.STALLED)
    assert stalled is not None
    assert stalled.status is Truth.TRUE
    assert "t7: StatementFailed: no" in stalled.message
    del world.jobs[job.name]
    settle(world)
    assert reason_of(world.resource.status) == ("False", "TooManyFailures")


def test_what_its_pods_have_done_is_counted_when_the_job_is_gone_before() -> None:
    waves = [{"name": "all", "parallelism": 3, "maxFailures": 0}]
    world = make_world(waves=waves, sizes={"all": 200})
    world.step()
    world.work()
    world.step()
    job = world.active()
    assert job is not None
    failed = FleetFailure("t7", "failed", Reason.STATEMENT_FAILED, "no")
    report = FleetReport(FleetCounts(100, current=99, migrated=99, failed=1), failures=(failed,))
    world.end_pod(job, 0, report, name="first")
    world.step()
    error = ReportError(Reason.INTERRUPTED, "stopped", retryable=True)
    half = FleetReport(FleetCounts(100, current=40, migrated=40, skipped=60))
    world.end_pod(job, 1, half, code=1, error=error, name="second")
    del world.jobs[job.name]
    world.step()
    (wave,) = world.resource.status.waves
    assert (wave.phase, wave.totals) == (WavePhase.FAILED, Totals(total=200, current=139, failed=1))
    assert reason_of(world.resource.status) == ("False", "TooManyFailures")


def test_failures_within_the_limit_stop_nothing_and_are_told() -> None:
    world = make_world(broken={"rest": 2})
    settle(world)
    status = world.resource.status
    assert [wave.phase for wave in status.waves] == [WavePhase.SUCCEEDED] * 2
    assert reason_of(status) == ("False", "TargetsFailed")
    stalled = status.condition(ConditionType.STALLED)
    assert stalled is not None
    assert stalled.status is Truth.TRUE
    assert len(status.failures) == 20


def test_a_job_that_a_pod_has_ended_by_its_exit_code_has_too_many_failures() -> None:
    world = make_world()
    world.step()
    world.work()
    world.step()
    job = world.active()
    assert job is not None
    assert job.wave == "canary"
    world.end_pod(job, 0, FleetReport(FleetCounts(30, failed=1, skipped=29)), code=4)
    world.step()
    assert world.resource.status.waves[0].phase is WavePhase.RUNNING
    world.end_job(job, RunState.FAILED, "PodFailurePolicy")
    settle(world)
    status = world.resource.status
    assert reason_of(status) == ("False", "TooManyFailures")
    assert status.waves[0].totals == Totals(total=30, failed=1)


def test_an_interrupted_shard_is_counted_when_another_pod_has_done_it() -> None:
    world = make_world(waves=[{"name": "all"}], sizes={"all": 100})
    world.step()
    world.work()
    world.step()
    job = world.active()
    assert job is not None
    half = FleetReport(FleetCounts(100, current=40, migrated=40, skipped=60))
    error = ReportError(Reason.INTERRUPTED, "stopped", retryable=True)
    world.end_pod(job, 0, half, code=1, error=error, name="first")
    world.step()
    assert world.resource.status.waves[0].reported == ""
    whole = FleetReport(FleetCounts(100, current=100, migrated=60))
    world.end_pod(job, 0, whole, name="second")
    world.end_job(job)
    settle(world)
    assert world.resource.status.targets == Totals(total=100, current=100)


def test_a_wave_whose_job_is_gone_is_tried_again() -> None:
    world = make_world(waves=[{"name": "all"}], sizes={"all": 100})
    world.step()
    world.work()
    world.step()
    job = world.active()
    assert job is not None
    world.step()
    del world.jobs[job.name]
    decision = world.step()
    assert reason_of(world.resource.status) == ("False", "WaveFailed")
    assert decision.look_at is not None
    world.now = decision.look_at
    settle(world)
    assert world.starts == ["survey", "all", "survey", "all"]
    assert world.resource.status.targets == Totals(total=100, current=100)


def test_a_survey_that_fails_names_its_reason_and_is_tried_again_where_that_may_help() -> None:
    for reason, retryable in ((Reason.CONNECTION_REFUSED, True), (Reason.SOURCE_INVALID, False)):
        world = make_world()
        world.step()
        job = world.active()
        assert job is not None
        error = ReportError(reason, "the catalog does not answer", retryable=retryable)
        world.end_pod(job, None, None, code=1, error=error)
        world.end_job(job, RunState.FAILED, "BackoffLimitExceeded")
        decision = world.step()
        assert reason_of(world.resource.status) == ("False", reason.value)
        assert (decision.look_at is not None) is retryable
        if decision.look_at is not None:
            world.now = decision.look_at
            settle(world)
            assert reason_of(world.resource.status) == ("True", "AllCurrent")


@pytest.mark.parametrize("pause", ["10m", "Manual"])
def test_a_pause_holds_the_next_wave(pause: str) -> None:
    waves = [{"name": "canary", "share": "10%", "pause": pause}, {"name": "rest"}]
    world = make_world(waves=waves)
    decision = settle(world)
    assert world.starts == ["survey", "canary"]
    assert reason_of(world.resource.status) == ("False", "Paused")
    reconciling = world.resource.status.condition(ConditionType.RECONCILING)
    assert reconciling is not None
    if pause == "Manual":
        assert reconciling.status is Truth.FALSE
        assert decision.look_at is None
        world.pass_time(timedelta(days=1))
        settle(world)
        assert world.starts == ["survey", "canary"]
        world.order(make_action(ActionKind.CONTINUE))
    else:
        assert decision.look_at == world.now + timedelta(minutes=10)
        world.pass_time(timedelta(minutes=9))
        settle(world)
        assert world.starts == ["survey", "canary"]
        world.pass_time(timedelta(minutes=1))
    settle(world)
    assert world.starts == ["survey", "canary", "rest"]
    assert reason_of(world.resource.status) == ("True", "AllCurrent")
    if pause == "Manual":
        assert phase_of(world) == "Succeeded"


def test_a_continue_that_was_answered_by_a_killed_operator_is_answered_once_more() -> None:
    waves = [{"name": "canary", "share": "10%", "pause": "Manual"}, {"name": "rest"}]
    world = make_world(waves=waves)
    settle(world)
    world.order(make_action(ActionKind.CONTINUE))
    world.step(lambda call: call == "answer")
    assert phase_of(world) == "Pending"
    settle(world)
    assert phase_of(world) == "Succeeded"
    assert world.starts == ["survey", "canary", "rest"]


def test_an_order_reads_the_list_again_and_follows_the_rollout_to_its_end() -> None:
    world = make_world()
    settle(world)
    world.sizes["rest"] += 1
    world.order(make_action(ActionKind.RETRY))
    world.step()
    world.step()
    assert phase_of(world) == "Running"
    settle(world)
    assert phase_of(world) == "Succeeded"
    assert world.resource.status.targets == Totals(total=1001, current=1001)
    rollout = world.resource.status.rollout
    assert rollout is not None
    assert rollout.trigger is RolloutTrigger.ACTION
    settle(world)
    assert world.starts.count("survey") == 2


def test_one_rollout_serves_all_orders_that_came_before_it_began() -> None:
    """A service that makes ten tenants at once orders ten times."""
    world = make_world()
    settle(world)
    world.pass_time(timedelta(seconds=10))
    for number in range(10):
        made = make_action(ActionKind.RETRY, f"act-{number}")
        world.order(replace(made, created_at=world.now - timedelta(seconds=5)))
    same_second = replace(make_action(ActionKind.RETRY, "late"), created_at=world.now)
    world.order(same_second)
    world.step()
    world.pass_time(timedelta(seconds=1))
    settle(world)
    assert {phase_of(world, name) for name in world.actions} == {"Succeeded"}
    # The list may have been read before that one: it has a rollout of its own.
    assert world.starts.count("survey") == 3


def test_an_order_that_has_to_wait_says_for_what() -> None:
    waves = [{"name": "canary", "share": "10%", "pause": "Manual"}, {"name": "rest"}]
    world = make_world(waves=waves)
    settle(world)
    world.order(make_action(ActionKind.RETRY))
    world.actions["act"] = replace(world.actions["act"], created_at=world.now)
    settle(world)
    assert world.actions["act"].message == "waits for the end of rollout 1"
    for name in ("go-on", "once-more"):
        world.order(make_action(ActionKind.CONTINUE, name))
        settle(world)
    assert phase_of(world) == "Succeeded"
    assert world.starts.count("survey") == 2


def test_orders_get_an_owner_and_only_the_newest_stay() -> None:
    world = make_world()
    settle(world)
    for number in range(30):
        world.order(make_action(ActionKind.CONTINUE, f"act-{number:02}"))
    decision = settle(world)
    assert len(decision.adopt) == 30
    assert len(decision.expired) == 10


def test_a_resync_reads_the_list_again_and_stays_ready() -> None:
    world = make_world()
    world.resync = timedelta(hours=1)
    assert settle(world).look_at == world.now + timedelta(hours=1)
    world.pass_time(timedelta(hours=1))
    world.sizes["rest"] += 5
    while True:
        world.step()
        assert reason_of(world.resource.status)[0] == "True"
        if not world.work() and world.starts.count("rest") == 2:
            break
    settle(world)
    assert world.resource.status.targets == Totals(total=1005, current=1005)


def test_a_change_in_the_middle_waits_for_the_job_at_work() -> None:
    world = make_world()
    world.step()
    world.work()
    world.step()
    job = world.active()
    assert job is not None
    world.add_pod(job, has_started=True)
    world.digest = "two"
    assert world.step().withdraw == ()
    assert reason_of(world.resource.status) == ("False", "WaitingForRun")
    settle(world)
    assert world.starts == ["survey", "canary", "survey", "canary", "rest"]
    assert reason_of(world.resource.status) == ("True", "AllCurrent")


def test_the_samples_are_rehearsed_once_and_approved_by_a_person_before_the_first_wave() -> None:
    template: dict[str, Any] = {"source": {"configMaps": [{"name": "files"}]}}
    template |= {"approval": "Manual", "rehearse": "BeforeApply"}
    world = make_world(template=template)
    world.steps = 2
    settle(world)
    assert world.starts == ["survey", "rehearsal"]
    assert reason_of(world.resource.status) == ("False", "AwaitingApproval")
    approved = world.resource.status.condition(ConditionType.APPROVED)
    assert approved is not None
    assert approved.status is Truth.FALSE
    plan = world.resource.status.plan
    assert plan is not None
    world.order(replace(make_action(ActionKind.APPROVE, "wrong"), plan_hash="0" * 12))
    settle(world)
    assert phase_of(world, "wrong") == "Refused"
    world.order(replace(make_action(ActionKind.APPROVE), plan_hash=plan.hash))
    world.step(lambda call: call == "answer")
    settle(world)
    assert phase_of(world) == "Succeeded"
    assert world.starts == ["survey", "rehearsal", "canary", "rest"]
    assert reason_of(world.resource.status) == ("True", "AllCurrent")
    # New targets with the same plan need nobody; another plan does.
    world.order(make_action(ActionKind.RETRY, "again"))
    settle(world)
    assert world.starts[4:] == ["survey", "rehearsal", "canary", "rest"]
    world.digest = "two"
    settle(world)
    assert world.starts[8:] == ["survey", "rehearsal"]
    assert reason_of(world.resource.status) == ("False", "AwaitingApproval")


@pytest.mark.parametrize("crashes", range(20))
def test_a_rehearsal_is_started_once_whoever_is_killed(crashes: int) -> None:
    template = {"source": {"configMaps": [{"name": "files"}]}, "rehearse": "BeforeApply"}
    random = Random(crashes)
    world = make_world(template=template)
    world.steps = 2
    settle(world, crash=lambda _: random.random() < 0.4)
    assert world.starts == ["survey", "rehearsal", "canary", "rest"]
    assert world.resource.status.targets == Totals(total=1000, current=1000)


def test_a_hundred_thousand_targets_make_a_status_of_a_few_kilobytes() -> None:
    waves = [{"name": f"wave-{n}", "share": "5%", "maxFailures": "100%"} for n in range(19)]
    sizes = {f"wave-{n}": 5000 for n in range(19)} | {"rest": 5000}
    world = make_world(waves=[*waves, {"name": "rest"}], shardSize=10, sizes=sizes)
    world.broken = dict.fromkeys(sizes, 1)
    for _ in range(40_000):
        # The Pods of a hundred shards end between two looks.
        world.step()
        if sum(world.work() for _ in range(100)) == 0:
            break
    settle(world)
    status = world.resource.status
    assert status.targets == Totals(total=100_000, current=90_000, failed=10_000)
    assert [wave.reported for wave in status.waves] == ["0-499"] * 20
    assert len(status.failures) == 50
    assert len(json.dumps(status.to_dict())) < 32 * 1024
    # A Job for each wave and for the survey, and a Pod for each shard.
    assert len(world.created) == 1 + 20
    assert len(world.pods) == 1 + 20 * 500


def test_the_operators_memory_depends_on_the_shards_and_not_on_the_targets() -> None:
    """Each Pod has failed on all of its targets, and says so in as much as a report may have."""
    shards, targets = 200, 100_000
    waves = [{"name": "all", "maxFailures": "100%"}]
    world = make_world(waves=waves, shardSize=targets // shards, sizes={"all": targets})
    world.step()
    world.work()
    world.step()
    job = world.active()
    assert job is not None
    assert job.shards == shards
    size = targets // shards
    failures = tuple(
        FleetFailure(f"tenant-{n}", "failed", Reason.STATEMENT_FAILED, "no" * 100)
        for n in range(FAILURES_LIMIT)
    )
    for shard in range(shards):
        report = FleetReport(FleetCounts(size, failed=size), wave="all", failures=failures)
        world.end_pod(job, shard, report)
    view = world.view()
    tracemalloc.start()
    status = decide(view, world.now).status
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert status.targets == Totals(total=targets, failed=targets)
    assert peak < shards * 5 * TERMINATION_MESSAGE_LIMIT, peak


def test_suspend_starts_nothing() -> None:
    world = make_world(suspend=True)
    settle(world)
    assert world.starts == []
    assert reason_of(world.resource.status) == ("False", "Suspended")


def test_a_wave_without_targets_has_no_job() -> None:
    world = make_world(sizes={"canary": 0, "rest": 10})
    settle(world)
    assert world.starts == ["survey", "rest"]
    assert world.resource.status.targets == Totals(total=10, current=10)
    world = make_world(sizes={"canary": 0, "rest": 0})
    settle(world)
    assert world.starts == ["survey"]
    assert reason_of(world.resource.status) == ("True", "AllCurrent")


def test_a_refused_job_is_told_and_begins_nothing() -> None:
    world = make_world()
    due = world.now + timedelta(seconds=30)
    world.rejection = Rejection("no quota is left", is_final=False, retry_at=due)
    decision = decide(world.view(), world.now)
    assert decision.order is None
    assert decision.status.rollout is None
    assert reason_of(decision.status) == ("False", "JobRejected")
    assert decision.look_at == due


def test_old_jobs_go_when_two_rollouts_have_followed() -> None:
    world = make_world()
    for number in range(5):
        world.digest = str(number)
        world.pass_time(timedelta(seconds=1))
        settle(world)
    assert len(world.jobs) <= 6


@given(st.sets(st.integers(0, 1000)))
def test_shards_as_text_are_read_back(shards: set[int]) -> None:
    assert parse_indexes(format_indexes(shards), most=1000) == shards


@pytest.mark.parametrize("text", ["", "x", "5-", "9999999999", "3-1", "1-9999999"])
def test_a_text_of_shards_that_nobody_has_written_is_bounded(text: str) -> None:
    assert len(parse_indexes(text, most=1000)) <= 1001
