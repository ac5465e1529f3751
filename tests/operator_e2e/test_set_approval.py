"""Approval for a set: once, of the plans of one sample target of each version found."""

from __future__ import annotations

import pytest

from tests.operator_e2e.fleet import FILES, Fleet, every, totals
from tests.operator_e2e.plugin import Plugin
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import condition

pytestmark = [pytest.mark.cluster, pytest.mark.database]


def test_a_plan_waits_for_a_person_and_holds_for_new_tenants(
    fleet: Fleet, operator: Operator
) -> None:
    person = Plugin(fleet.namespace.cluster.kubeconfig)
    at = ("-n", fleet.namespace.name)
    fleet.prepare(4)
    fleet.break_tenants("t3")
    fleet.database.execute("DELETE FROM t3.orders")
    fleet.order(template={"approval": "Manual"}, waves=[{"name": "all"}])
    resource = fleet.wait_for_reason("AwaitingApproval")
    assert condition(resource, "Approved")["status"] == "False"
    plan = resource["status"]["plan"]
    # Two versions are found: nothing, and 1. The longer plan is shown, both are approved.
    assert [step["version"] for step in plan["steps"]] == ["1", "2"]
    assert len(resource["status"]["rollout"]["plans"]) == 2
    assert fleet.applied() == []
    wrong = person.run("fleet", "approve", "tenants", "--hash", "0" * 12, "--yes", *at)
    assert (wrong.code, fleet.applied()) == (1, [])
    approved = person.run("fleet", "approve", "tenants", *at, answer="y\n")
    assert approved.code == 0, approved.messages
    assert "create" in approved.output.lower() or "orders" in approved.output
    resource = fleet.wait_ready()
    assert totals(resource)["current"] == 4
    assert condition(resource, "Approved")["status"] == "True"
    assert fleet.applied() == sorted([*every(["t0", "t1", "t2"], 1, 2), ("t3", 2)])
    # A file that has changed is another plan.
    fleet.write_files({**FILES, "000003_note.up.sql": "ALTER TABLE orders ADD note text;\n"})
    fleet.wait_for_reason("AwaitingApproval")
    assert operator.is_running
