"""A list of targets in a ConfigMap: what of it the operator sees, and what a change begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dbmigrate.api.action import ActionKind
from dbmigrate.api.fleet.status import RolloutTrigger
from dbmigrate.api.fleet.targets import ConfigMapTargets, QueryTargets
from dbmigrate.controller.fleet.target_list import TargetList, read_target_list
from tests.unit.controller.fleet.world import (
    World,
    make_action,
    make_set,
    phase_of,
    reason_of,
    settle,
)

pytestmark = pytest.mark.quick

LISTED = ConfigMapTargets("list", "tenants.yaml")
SIZES = {"canary": 30, "rest": 970}


def make_world(**spec: Any) -> World:
    listed = {"configMap": {"name": LISTED.name, "key": LISTED.key}}
    world = World(make_set(targets=listed, **spec), dict(SIZES))
    world.targets = TargetList(digest="a")
    return world


def test_the_digest_is_that_of_the_key_alone() -> None:
    body = {"data": {LISTED.key: "- name: a", "other": "1"}, "metadata": {"resourceVersion": "1"}}
    same = {"data": {LISTED.key: "- name: a"}, "metadata": {"resourceVersion": "2"}}
    other = {"data": {LISTED.key: "- name: b"}}
    found = [read_target_list(LISTED, each) for each in (body, same, other)]
    assert found[0] == found[1] != found[2]
    assert found[0].digest
    assert read_target_list(LISTED, {"binaryData": {LISTED.key: "LSBuYW1lOiBh"}}).digest


def test_what_is_missing_is_told() -> None:
    assert read_target_list(LISTED, None).missing == "ConfigMap list does not exist yet"
    assert read_target_list(LISTED, {}).missing == "ConfigMap list has no key tenants.yaml yet"
    assert read_target_list(QueryTargets("SELECT 1"), None) == TargetList()


def test_another_list_begins_a_rollout_at_once() -> None:
    world = make_world()
    settle(world)
    assert world.starts == ["survey", "canary", "rest"]
    settle(world)
    assert len(world.starts) == 3
    world.sizes["rest"] += 1
    world.targets = TargetList(digest="b")
    settle(world)
    assert world.starts[3:] == ["survey", "canary", "rest"]
    rollout = world.resource.status.rollout
    assert rollout is not None
    assert (rollout.attempt, rollout.trigger) == (2, RolloutTrigger.CHANGE)
    assert reason_of(world.resource.status) == ("True", "AllCurrent")
    settle(world)
    assert len(world.starts) == 6


def test_a_list_that_changes_during_a_rollout_is_read_by_the_next_one() -> None:
    world = make_world()
    world.step()
    world.work()
    world.step()
    assert world.active() is not None
    world.targets = TargetList(digest="b")
    settle(world)
    assert world.starts == ["survey", "canary", "rest"] * 2


def test_a_list_that_is_missing_is_waited_for() -> None:
    world = make_world()
    world.targets = TargetList(missing="ConfigMap list does not exist yet")
    decision = settle(world)
    assert reason_of(world.resource.status) == ("False", "SourceMissing")
    assert decision.look_at == world.now + timedelta(seconds=60)
    assert world.starts == []
    world.targets = TargetList(digest="a")
    settle(world)
    assert world.starts == ["survey", "canary", "rest"]


def test_an_approval_holds_for_another_list_with_the_same_plans() -> None:
    template = {"source": {"configMaps": [{"name": "files"}]}, "approval": "Manual"}
    world = make_world(template=template)
    world.steps = 2
    settle(world)
    plan = world.resource.status.plan
    assert plan is not None
    world.order(replace(make_action(ActionKind.APPROVE), plan_hash=plan.hash))
    settle(world)
    assert phase_of(world) == "Succeeded"
    world.targets = TargetList(digest="b")
    settle(world)
    assert world.starts == ["survey", "canary", "rest"] * 2


def test_a_rollout_of_an_operator_that_knew_no_digest_is_not_repeated() -> None:
    world = make_world()
    world.targets = TargetList()
    settle(world)
    world.targets = TargetList(digest="a")
    settle(world)
    assert world.starts == ["survey", "canary", "rest"]
