"""What is asked, what is sent, and what is waited for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dbmigrate.api.action import ActionKind, parse_action
from dbmigrate.kubectl.asking import ask_about, find_undone
from dbmigrate.kubectl.commands.wait import describe_standing, has_arrived
from dbmigrate.kubectl.order import NAME_PREFIX, Order, describe_phase
from dbmigrate.kubectl.resource import describe_missing
from tests.unit.kubectl.bodies import make_condition, make_resource

pytestmark = pytest.mark.quick


def make_step(version: str, direction: str) -> dict[str, Any]:
    return {"version": version, "name": f"n{version}", "direction": direction, "milliseconds": 1}


HISTORY = [
    make_step("10", "up"),
    make_step("9", "down"),
    make_step("9", "up"),
    make_step("3", "up"),
    make_step("2", "up"),
    make_step("1", "up"),
]


def test_an_action_carries_what_was_ordered_and_nothing_else() -> None:
    body = Order(ActionKind.APPROVE, "shop", plan_hash="12").to_dict("team")
    assert body["metadata"] == {"generateName": "shop-approve-", "namespace": "team"}
    assert body["spec"] == {"migration": "shop", "action": "Approve", "planHash": "12"}
    body = Order(ActionKind.FORCE, "shop", version="-1", reason="by hand").to_dict("team")
    assert body["spec"] == {
        "migration": "shop",
        "action": "Force",
        "version": "-1",
        "reason": "by hand",
    }


def test_a_rollback_names_what_it_undoes_by_number() -> None:
    status = make_resource("Applied", version="10", history=HISTORY).status
    assert [step.version for step in find_undone(status, "2")] == ["10", "3"]
    assert find_undone(status, "10") == []
    assert find_undone(make_resource("Applied", history=HISTORY).status, "0") == []


def test_what_can_do_harm_is_asked_with_what_it_does() -> None:
    resource = make_resource("Dirty", version="10", dirty=True, history=HISTORY)
    question = ask_about(ActionKind.ROLLBACK, resource, "3") or ""
    assert "at version 10, dirty now, down to version 3. It undoes 10 n10." in question
    question = ask_about(ActionKind.FORCE, resource, "-1") or ""
    assert "writes version none (nothing is applied) into the history of shop" in question
    assert ask_about(ActionKind.RETRY, resource, None) is None
    assert ask_about(ActionKind.REPAIR, resource, None) is None


def test_an_actions_phase_is_told_without_control_characters() -> None:
    body = {
        "metadata": {
            "namespace": "team",
            "name": "a",
            "uid": "u",
            "creationTimestamp": "2026-11-24T12:00:00Z",
        },
        "spec": {"migration": "shop", "action": "Retry"},
        "status": {"phase": "Running", "message": "Job \x1b[1m"},
    }
    assert describe_phase(parse_action(body)) == "Running: Job \\x1b[1m"


@pytest.mark.parametrize(
    ("more", "version", "expected"),
    [
        ({"truth": "True", "version": "3"}, None, True),
        ({"truth": "True", "version": "3"}, "3", True),
        ({"truth": "True", "version": "10"}, "9", True),
        ({"truth": "True", "version": "2"}, "3", False),
        ({"truth": "True"}, "1", False),
        ({"truth": "True", "version": "3", "generation": 2}, None, False),
        ({"version": "3"}, "3", False),
    ],
)
def test_it_is_there_when_the_present_spec_is_ready_at_that_version(
    more: dict[str, Any], version: str | None, expected: bool
) -> None:
    assert has_arrived(make_resource("Some", **more), version) is expected


def test_a_standing_is_told_once_with_the_reason_of_its_stalling() -> None:
    assert describe_standing(make_resource("Dirty", "Dirty: it is so")) == "Dirty: it is so"
    stalled = make_resource("LockTimeout", "gave up", is_stalled=True)
    assert describe_standing(stalled) == "LockTimeout: gave up"
    body = make_resource("Running", generation=2)
    assert describe_standing(body) == "the operator has not seen generation 2 yet"
    assert describe_standing(make_resource()) == "no operator has reconciled it yet"
    exhausted = make_resource("Running", conditions=[make_condition("Dirty", "False", "Clean")])
    assert describe_standing(exhausted) == "Running: "


@pytest.mark.parametrize(
    ("others", "text"),
    [
        (["shop", "users", "stop"], "; there is "),
        (["users"], "; kubectl dbmigrate status lists those that there are"),
        ([], ", nor any other; is it the right namespace (-n)?"),
    ],
)
def test_a_missing_name_brings_up_what_may_have_been_meant(others: list[str], text: str) -> None:
    said = describe_missing("shpo", "team", others)
    assert said.startswith(f"there is no DatabaseMigration shpo in namespace team{text}")
    assert ("shop" in said.partition("; ")[2]) is ("shop" in others)


@pytest.mark.parametrize("length", [1, 40, 58, 63, 253])
@pytest.mark.parametrize("kind", list(ActionKind))
def test_an_order_for_any_name_has_a_prefix_that_the_server_takes_whole(
    length: int, kind: ActionKind
) -> None:
    name = ("a.b-" * 64)[: length - 1] + "c"
    prefix = Order(kind, name).to_dict("team")["metadata"]["generateName"]
    assert len(prefix) <= NAME_PREFIX
    assert prefix.endswith(f"-{kind.value.lower()}-")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*(\.[a-z0-9][-a-z0-9]*)*)?-", prefix)
    assert name.startswith(prefix.removesuffix(f"-{kind.value.lower()}-"))
