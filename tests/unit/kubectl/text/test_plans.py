"""A plan is shown whole, or it is said why there is none."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.kubectl.text.plans import NoPlan, describe_plan, find_plan
from tests.unit.kubectl.bodies import NOW, PLAN, TRIAL, make_condition, make_resource, text_of

pytestmark = pytest.mark.quick

MANUAL = {"approval": "Manual"}


def test_a_plan_is_shown_with_what_destroys_data_and_what_is_left_out() -> None:
    resource = make_resource("AwaitingApproval", spec=MANUAL, plan=PLAN)
    assert text_of(describe_plan(resource, find_plan(resource), NOW)) == (
        "Plan 0123456789ab of shop in namespace team: 3 steps, 1 destructive, made 3m ago\n"
        "  up    9  add_phone\n"
        "         ALTER TABLE a\n"
        "         ADD b\n"
        "  up   10  drop   destroys data\n"
        "  ... and 1 more, which the status does not hold"
    )


def test_an_approved_plan_is_said_to_be_so() -> None:
    approved = [make_condition("Approved", "True", "Approved")]
    resource = make_resource("Running", spec=MANUAL, plan=PLAN, conditions=approved)
    assert (
        text_of(describe_plan(resource, find_plan(resource), NOW))
        .splitlines()[0]
        .endswith(", approved")
    )


def test_what_lint_and_the_rehearsal_say_stands_below_the_steps() -> None:
    resource = make_resource("AwaitingApproval", spec=MANUAL, plan=PLAN | TRIAL)
    assert text_of(describe_plan(resource, find_plan(resource), NOW)).endswith(
        "Findings of lint:\n"
        "  error index-blocks-writes at 9_add_phone.up.sql:3: a: CREATE INDEX blocks\n"
        "  ... and 2 more, which the status does not hold\n"
        "Rehearsed: 3 steps went well in 812 ms, 1 without a down script"
    )


@pytest.mark.parametrize(
    ("reason", "more", "text"),
    [
        ("Running", {"plan": PLAN}, "its spec.approval is Automatic"),
        ("Running", {"plan": PLAN, "generation": 2, "spec": MANUAL}, "not seen its newest spec"),
        ("Applied", {"truth": "True", "spec": MANUAL}, "nothing is pending"),
        ("Planning", {"spec": MANUAL}, "has no plan yet: Planning: "),
    ],
)
def test_why_there_is_no_plan_is_said(reason: str, more: dict[str, Any], text: str) -> None:
    with pytest.raises(NoPlan, match=text):
        find_plan(make_resource(reason, **more))
