"""Rollbacks of a set: ordered by a person, or by the template's own version."""

from __future__ import annotations

import pytest

from tests.cluster.waiting import eventually
from tests.operator_e2e.fleet import Fleet, phases, totals
from tests.operator_e2e.plugin import Plugin
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import condition

pytestmark = [pytest.mark.cluster, pytest.mark.database]

NAMES = [f"t{number}" for number in range(6)]
WAVES = [{"name": "canary", "share": "40%"}, {"name": "rest"}]


def test_an_ordered_rollback_goes_through_the_waves_and_holds(
    fleet: Fleet, operator: Operator
) -> None:
    person = Plugin(fleet.namespace.cluster.kubeconfig)
    at = ("-n", fleet.namespace.name)
    fleet.prepare(6)
    fleet.order(waves=WAVES)
    fleet.wait_ready()
    assert fleet.count_versions(NAMES) == (6, 0)
    declined = person.run("fleet", "rollback", "tenants", "1", *at, answer="n\n")
    assert declined.code == 1
    assert "brings 6 targets of tenants to version 1" in declined.output + declined.messages
    done = person.run("fleet", "rollback", "tenants", "1", "--yes", *at)
    assert done.code == 0, done.messages
    assert fleet.count_versions(NAMES) == (0, 6)
    resource = fleet.wait_for_reason("RolledBack")
    assert phases(resource) == ["Succeeded", "Succeeded"]
    assert (totals(resource)["current"], totals(resource)["total"]) == (6, 6)
    assert [condition(resource, kind)["status"] for kind in ("Reconciling", "Stalled")] == [
        "False",
        "False",
    ]
    (step,) = resource["status"]["plan"]["steps"]
    assert (step["direction"], step["version"]) == ("down", "2")
    shown = person.run("fleet", "status", "tenants", *at)
    assert "back to version 1" in shown.output
    # Whatever makes a tenant orders a Retry: the new one goes to the same version.
    fleet.add("t6")
    tried = person.run("fleet", "retry", "tenants", *at)
    assert tried.code == 0, tried.messages
    fleet.wait_for_reason("RolledBack")
    assert fleet.count_versions([*NAMES, "t6"]) == (0, 7)
    # A set that is made again finds it in the targets' own histories.
    fleet.namespace.kubectl("delete", "dbmset", "tenants", "--wait=true")
    fleet.order(waves=WAVES)
    resource = fleet.wait_for_reason("RolledBack")
    assert totals(resource)["pending"] > 0
    assert totals(resource)["failed"] == 0
    assert fleet.count_versions(NAMES) == (0, 6)
    resumed = person.run("fleet", "continue", "tenants", *at)
    assert resumed.code == 0, resumed.messages
    fleet.wait_ready()
    assert fleet.count_versions([*NAMES, "t6"]) == (7, 0)
    assert operator.is_running


def test_an_order_that_is_kept_in_git_is_carried_out_once(fleet: Fleet, operator: Operator) -> None:
    """The set and the order are created again when both are gone, as by a GitOps tool."""

    def answer() -> dict[str, str]:
        return dict(fleet.namespace.get("migrationaction", "back").get("status", {}))

    fleet.prepare(6)
    fleet.order(waves=WAVES)
    fleet.wait_ready()
    fleet.act("Rollback", "back", version="1")
    fleet.wait_for_reason("RolledBack")
    fleet.act("Continue", "go-on")
    fleet.wait_ready()
    assert fleet.count_versions(NAMES) == (6, 0)
    fleet.namespace.kubectl("delete", "dbmset", "tenants", "--wait=true")
    fleet.namespace.kubectl("delete", "migrationaction", "--all", "--wait=true")
    # A tenant that has come since has not carried it out, and is not brought back either.
    fleet.add("t6")
    fleet.order(waves=WAVES)
    fleet.act("Rollback", "back", version="1")
    eventually(lambda: answer().get("phase") == "Refused", what="the order to be refused")
    assert "has been carried out at" in answer()["message"]
    fleet.wait_ready()
    assert fleet.count_versions([*NAMES, "t6"]) == (7, 0)
    assert operator.is_running


def test_the_templates_version_leads_back_where_that_is_allowed(
    fleet: Fleet, operator: Operator
) -> None:
    fleet.prepare(3)
    fleet.order()
    fleet.wait_ready()
    template = {"target": "1", "retry": {"limit": 0}}
    fleet.order(template=template)
    resource = fleet.wait_for_reason("TargetsFailed")
    reasons = {each["reason"] for each in resource["status"]["failures"]}
    assert reasons == {"RollbackForbidden"}
    assert fleet.count_versions(NAMES[:3]) == (3, 0)
    fleet.order(template={**template, "rollback": "Allow"})
    fleet.wait_ready()
    assert fleet.count_versions(NAMES[:3]) == (0, 3)
    assert operator.is_running
