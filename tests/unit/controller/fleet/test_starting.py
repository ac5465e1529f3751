"""A Job of a set that never started is replaced when something else is wanted, and no other is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from dbmigrate.api.action import ActionKind
from dbmigrate.api.conditions import ConditionType
from dbmigrate.api.fleet.resource import SetResource
from dbmigrate.api.fleet.status import RolloutStatus, WavePhase
from dbmigrate.api.job_defaults import fill_in, read_job_defaults
from dbmigrate.controller.decisions.pods import Waiting
from dbmigrate.controller.fleet.job_body import build_fleet_job
from dbmigrate.controller.fleet.job_object import parse_fleet_job
from dbmigrate.controller.fleet.jobs import FleetJob
from dbmigrate.controller.fleet.template import hash_set_template, with_job_options
from dbmigrate.controller.fleet.view import FleetOrder
from dbmigrate.controller.jobs.body import Images
from dbmigrate.controller.jobs.template import note_template
from tests.unit.controller.fleet.world import (
    World,
    make_action,
    make_set,
    phase_of,
    reason_of,
    settle,
)

pytestmark = pytest.mark.quick

JOBS = ("survey", "rehearsal", "canary", "rest")
SOURCE: dict[str, Any] = {"source": {"configMaps": [{"name": "files"}]}}
PULLING = Waiting("ImagePullBackOff", 'Back-off pulling image "app:ndoe"', "dbmigrate")


def make_stuck(kind: str, **pod: Any) -> tuple[World, FleetJob]:
    """A world at that Job, with a Pod that waits for its image."""
    world = World(
        make_set(template={**SOURCE, "rehearse": "BeforeApply"}), {"canary": 5, "rest": 9}
    )
    world.steps = 2
    while world.starts[-1:] != [kind]:
        world.work()
        world.step()
    job = world.active()
    assert job is not None
    world.add_pod(job, **({"waiting": PULLING} | pod))
    return world, job


def edit(world: World, **spec: Any) -> None:
    before = world.resource
    template = {**SOURCE, "rehearse": "BeforeApply", **spec.pop("template", {})}
    generation = before.identity.generation + 1
    world.resource = make_set(
        generation=generation, status=before.status, template=template, **spec
    )


def order(world: World, kind: ActionKind, **more: Any) -> None:
    world.order(replace(make_action(kind), created_at=world.now, **more))


def set_digest(world: World) -> None:
    world.digest = "two"


def restart(world: World) -> None:
    world.settings = "other"
    world.since = world.now + timedelta(seconds=1)


CHANGES: dict[str, Callable[[World], None]] = {
    "the spec": partial(edit, template={"job": {"image": "app:node"}}),
    "the files": set_digest,
    "a setting of the operator": restart,
    "a Retry": partial(order, kind=ActionKind.RETRY),
    "a Rollback": partial(order, kind=ActionKind.ROLLBACK, version="1"),
}


def rollout_of(world: World) -> RolloutStatus:
    rollout = world.resource.status.rollout
    assert rollout is not None
    return rollout


@pytest.mark.parametrize("kind", JOBS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_job_that_never_started_is_replaced_at_once(kind: str, change: str) -> None:
    world, job = make_stuck(kind)
    world.step()
    assert reason_of(world.resource.status) == ("False", "ImagePullFailed")
    CHANGES[change](world)
    # An operator that dies after it has written the status finds the Job again.
    world.step(lambda call: call == "withdraw")
    assert not world.jobs[job.name].is_deleting
    assert world.step().withdraw == (job.name,)
    assert reason_of(world.resource.status) == ("False", "WaitingForRun")
    # Nothing is created until it and its Pods are gone.
    while job.name in world.jobs:
        assert world.step().order is None
        world.work()
    assert world.step().order is not None
    assert world.active() is not None
    assert (rollout_of(world).reason, rollout_of(world).failures_in_a_row) == (None, 0)
    settle(world)
    expected = "RolledBack" if change == "a Rollback" else "AllCurrent"
    assert reason_of(world.resource.status)[1] == expected
    assert all(phase_of(world, name) == "Succeeded" for name in world.actions)


@pytest.mark.parametrize("kind", JOBS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_job_that_has_started_is_not(kind: str, change: str) -> None:
    for ended in (0, 1):
        # A Pod that has ended before this operator came, and that it has not seen, may have begun.
        world, job = make_stuck(kind, has_started=not ended)
        world.jobs[job.name] = replace(job, ended=ended)
        CHANGES[change](world)
        for _ in range(3):
            assert world.step().withdraw == ()


@pytest.mark.parametrize("kind", JOBS)
def test_a_suspended_set_removes_it_and_continues_when_it_is_resumed(kind: str) -> None:
    world, job = make_stuck(kind)
    edit(world, suspend=True)
    assert world.step().withdraw == (job.name,)
    settle(world)
    assert job.name not in world.jobs
    assert reason_of(world.resource.status) == ("False", "Suspended")
    assert WavePhase.FAILED not in {wave.phase for wave in world.resource.status.waves}
    edit(world)
    settle(world)
    assert reason_of(world.resource.status) == ("True", "AllCurrent")
    # The rollout goes on where it was.
    again = {"survey": ["survey"], "canary": ["canary"]}.get(kind, [kind])
    assert sorted(world.starts) == sorted([*JOBS, *again])


@pytest.mark.parametrize("kind", JOBS)
def test_a_retry_lets_a_pod_start_that_is_about_to(kind: str) -> None:
    """A service that orders one for each new tenant must not hold up the set by that."""
    world, _ = make_stuck(kind, waiting=None)
    order(world, ActionKind.RETRY)
    assert world.step().withdraw == ()


@pytest.mark.parametrize("kind", JOBS)
def test_a_retry_replaces_a_job_that_cannot_start_once(kind: str) -> None:
    world, job = make_stuck(kind)
    order(world, ActionKind.RETRY)
    world.pass_time(timedelta(seconds=5))
    assert world.step().withdraw == (job.name,)
    while job.name in world.jobs:
        world.work()
    world.step()
    second = world.active()
    assert second is not None
    world.add_pod(second, waiting=PULLING)
    assert world.step().withdraw == ()
    assert reason_of(world.resource.status) == ("False", "ImagePullFailed")


@pytest.mark.parametrize("earlier", [timedelta(0), timedelta(hours=1)])
def test_two_operators_of_other_settings_do_not_replace_each_others_jobs(
    earlier: timedelta,
) -> None:
    world, job = make_stuck("survey")
    world.settings, world.since = "other", job.created_at - earlier
    assert world.step().withdraw == ()


@pytest.mark.parametrize("kind", JOBS)
def test_why_there_is_no_pod_is_named(kind: str) -> None:
    world, job = make_stuck(kind)
    world.pods = {name: pod for name, pod in world.pods.items() if pod.pod.job != job.name}
    world.jobs[job.name] = replace(world.jobs[job.name], started_at=job.created_at)
    decision = world.step()
    assert decision.look_at == job.created_at + timedelta(seconds=5)
    said = 'error looking up service account team/none: serviceaccount "none" not found'
    world.troubles[job.name] = said
    world.step()
    ready = world.resource.status.condition(ConditionType.READY)
    assert ready is not None
    assert (ready.reason, ready.message) == (
        "PodNotStarting",
        f"Job {job.name} has no Pod: {said}",
    )


@pytest.mark.parametrize("kind", JOBS)
def test_a_job_that_never_starts_ends_at_the_deadline(kind: str) -> None:
    world, job = make_stuck(kind)
    world.pass_time(timedelta(minutes=59, seconds=30))
    decision = world.step()
    assert decision.withdraw == ()
    assert decision.look_at == job.created_at + timedelta(hours=1)
    world.pass_time(timedelta(minutes=1))
    assert world.step().withdraw == (job.name,)
    while job.name in world.jobs:
        world.work()
        world.step()
    reason = "SurveyFailed" if job.wave is None else "WaveFailed"
    assert rollout_of(world).reason == reason
    assert "has not started within template.timeouts.deadline" in rollout_of(world).message
    assert "app:ndoe" in rollout_of(world).message
    # As after any failure that may go away, another rollout follows.
    world.pass_time(timedelta(hours=1))
    settle(world)
    assert reason_of(world.resource.status) == ("True", "AllCurrent")


@pytest.mark.parametrize("kind", JOBS)
def test_a_suspended_job_has_no_deadline_before_it_is_resumed(kind: str) -> None:
    """A queue such as Kueue decides when it starts: a Retry would lose its place there."""
    world, job = make_stuck(kind)
    world.pods = {name: pod for name, pod in world.pods.items() if pod.pod.job != job.name}
    world.jobs[job.name] = replace(job, is_suspended=True)
    world.pass_time(timedelta(hours=5))
    order(world, ActionKind.RETRY)
    assert world.step().withdraw == ()
    assert reason_of(world.resource.status) == ("False", "JobSuspended")
    world.actions.clear()
    world.jobs[job.name] = replace(job, started_at=world.now)
    world.pass_time(timedelta(minutes=59))
    assert world.step().withdraw == ()
    world.pass_time(timedelta(minutes=2))
    assert world.step().withdraw == (job.name,)


# The hash of what a Job is made from


def build_with(**images: str) -> Callable[[SetResource, FleetOrder], dict[str, Any]]:
    found = Images(**({"runner": "runner:1", "rehearsal": "postgres:{major}"} | images))
    return partial(
        build_fleet_job, images=found, server_version=(1, 36), cluster="here", names_ids=True
    )


def test_each_setting_that_the_set_uses_changes_the_hash_and_no_other_does() -> None:
    def hashed(resource: SetResource, defaults: str = "", **images: str) -> str:
        options = fill_in(resource.spec.template.job, read_job_defaults(defaults))
        return hash_set_template(with_job_options(resource, options), build_with(**images))

    plain = make_set()
    rehearsed = make_set(template={**SOURCE, "rehearse": "BeforeApply"})
    own = make_set(template={**SOURCE, "job": {"image": "mine:1"}})
    assert hashed(plain, runner="runner:2") != hashed(plain)
    assert hashed(plain, '{"nodeSelector": {"disk": "fast"}}') != hashed(plain)
    assert hashed(rehearsed, rehearsal="scratch:{major}") != hashed(rehearsed)
    assert hashed(plain, rehearsal="scratch:{major}") == hashed(plain)
    assert hashed(own, runner="runner:2") == hashed(own)


def test_a_job_says_from_what_it_was_made() -> None:
    resource = make_set(generation=7)
    build = build_with()
    # The name is of the rollout's generation, by which it is found again.
    body = build(resource, FleetOrder("intent", 1, 3, wave=resource.spec.waves[0]))
    body = note_template(body, hash_set_template(resource, build))
    body["metadata"] |= {"uid": "job", "creationTimestamp": "2026-11-24T12:00:00Z"}
    job = parse_fleet_job({**body, "status": {"failed": 2, "succeeded": 1, "active": 1}})
    assert (job.generation, job.ended) == (7, 3)
    assert job.template == hash_set_template(resource, build)
