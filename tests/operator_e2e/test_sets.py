"""A DatabaseMigrationSet on a real API server: waves, shards, counts, failures, orders."""

from __future__ import annotations

import os
import time

import pytest

from tests.cluster import Namespace
from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.fleet import FILES, Fleet, every, phases, totals
from tests.operator_e2e.plugin import Plugin
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import condition, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]

WAVES = [
    {"name": "canary", "share": "20%", "concurrency": 2},
    {"name": "rest", "parallelism": 2, "maxFailures": "50%"},
]


def test_every_schema_is_migrated_once_by_waves_of_shards(fleet: Fleet, operator: Operator) -> None:
    fleet.prepare(20)
    fleet.order(waves=WAVES, shardSize=5)
    resource = fleet.wait_ready()
    names = [f"t{number}" for number in range(20)]
    assert fleet.applied() == every(names, 1, 2)
    assert totals(resource) == {
        "total": 20,
        "current": 20,
        "pending": 0,
        "failed": 0,
        "dirty": 0,
        "unreachable": 0,
    }
    assert phases(resource) == ["Succeeded", "Succeeded"]
    assert sum(wave["migrated"] for wave in resource["status"]["waves"]) == 20
    assert fleet.outcomes() == {"current": 20}
    assert condition(resource, "Dirty")["status"] == "False"
    # Nothing starts again by itself, and a changed file is a new rollout.
    third = {"000003_note.up.sql": "ALTER TABLE orders ADD note text;\n"}
    fleet.write_files({**FILES, **third})
    changed = fleet.wait(
        lambda r: r["status"]["rollout"]["intent"] != resource["status"]["rollout"]["intent"]
    )
    assert changed["status"]["rollout"]["trigger"] == "Change"
    fleet.wait(lambda r: totals(r)["current"] == 20 and r["status"]["rollout"].get("finishedAt"))
    found = fleet.database.query(
        "SELECT count(*) FROM information_schema.columns WHERE column_name = 'note'"
    )
    assert found == [(20,)]
    assert operator.is_running
    eventually(lambda: len(fleet.jobs()) <= 6, what="old Jobs to go")


@pytest.mark.parametrize("name", ["tenants.eu", "f" * 51, "a" * 253])
def test_a_set_of_any_valid_name_is_migrated(fleet: Fleet, operator: Operator, name: str) -> None:
    fleet.prepare(3)
    fleet.namespace.apply(fleet.manifest(name, waves=[{"name": "all"}], shardSize=1))
    resource = fleet.namespace.wait("dbmset", name, is_ready)
    assert totals(resource)["current"] == 3
    assert fleet.applied() == every(["t0", "t1", "t2"], 1, 2)
    assert operator.is_running


def test_broken_targets_are_named_and_all_others_are_current(
    fleet: Fleet, operator: Operator
) -> None:
    fleet.prepare(12)
    fleet.break_tenants("t3", "t7")
    fleet.order(waves=[{"name": "all", "parallelism": 2}], shardSize=4)
    resource = fleet.wait_for_reason("TargetsFailed")
    assert (totals(resource)["current"], totals(resource)["failed"]) == (10, 2)
    failures = {each["target"]: each for each in resource["status"]["failures"]}
    assert set(failures) == {"t3", "t7"}
    assert failures["t3"]["reason"] == "StatementFailed"
    assert (failures["t3"]["file"], failures["t3"]["line"]) == ("000002_positive.up.sql", 1)
    assert condition(resource, "Stalled")["status"] == "True"
    assert fleet.outcomes() == {"current": 10, "failed": 2}
    # A person repairs the rows, and orders another rollout.
    fleet.database.execute("UPDATE t3.orders SET total = 5; UPDATE t7.orders SET total = 5")
    fleet.act("Retry")
    resource = fleet.wait_ready()
    assert totals(resource)["current"] == 12
    assert "failures" not in resource["status"]
    names = [f"t{number}" for number in range(12)]
    good = [name for name in names if name not in {"t3", "t7"}]
    assert fleet.applied() == sorted(every(good, 1, 2) + every(["t3", "t7"], 2))
    fleet.namespace.wait("dbma", "act", lambda a: a["status"]["phase"] == "Succeeded")
    assert operator.is_running


def test_a_canary_that_fails_stops_the_rollout_and_a_pause_waits_for_a_person(
    fleet: Fleet, operator: Operator
) -> None:
    fleet.prepare(4)
    fleet.add("c0", "c1", labels="tier=canary")
    fleet.break_tenants("c1")
    waves = [
        {"name": "canary", "selector": {"matchLabels": {"tier": "canary"}}, "pause": "Manual"},
        {"name": "rest"},
    ]
    fleet.order(waves=waves)
    resource = fleet.wait_for_reason("TooManyFailures")
    assert phases(resource) == ["Failed", "Pending"]
    assert resource["status"]["waves"][0]["failed"] == 1
    assert resource["status"]["failures"][0]["target"] == "c1"
    assert not [name for name, _ in fleet.applied() if name.startswith("t")]
    fleet.database.execute("UPDATE c1.orders SET total = 5")
    fleet.act("Retry")
    fleet.wait_for_reason("Paused")
    assert not [name for name, _ in fleet.applied() if name.startswith("t")]
    fleet.act("Continue", name="go-on")
    resource = fleet.wait_ready()
    assert totals(resource)["current"] == 6
    fleet.namespace.wait("dbma", "go-on", lambda a: a["status"]["phase"] == "Succeeded")
    fleet.namespace.wait("dbma", "act", lambda a: a["status"]["phase"] == "Succeeded")
    fleet.act("Continue", name="too-late")
    late = fleet.namespace.wait("dbma", "too-late", lambda a: a.get("status", {}).get("phase"))
    assert late["status"]["phase"] == "Refused"
    assert operator.is_running


def test_a_new_tenant_is_migrated_by_the_next_look_at_the_list(
    fleet: Fleet, make_operator: StartOperator
) -> None:
    operator = make_operator().start()
    fleet.prepare(3)
    fleet.order()
    fleet.wait_ready()
    fleet.add("late")
    fleet.order(checkInterval="1m")
    # An order does not wait for it.
    fleet.act("Retry")
    resource = fleet.wait(lambda r: is_ready(r) and totals(r)["total"] == 4)
    assert totals(resource)["current"] == 4
    assert fleet.applied() == every(["late", "t0", "t1", "t2"], 1, 2)
    assert operator.is_running


def test_a_list_in_a_config_map_is_watched(fleet: Fleet, operator: Operator) -> None:
    """A missing list is waited for, and another one is followed at once; nothing is ordered."""
    fleet.prepare(0)
    fleet.add("t0", "t1", "t2")

    def write_list(*names: str) -> None:
        text = "".join(f"- {{name: {name}, schema: {name}}}\n" for name in names)
        fleet.namespace.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "list"},
                "data": {"tenants.yaml": text},
            }
        )

    listed = {"configMap": {"name": "list", "key": "tenants.yaml"}}
    fleet.order(targets=listed, checkInterval="none")
    resource = fleet.wait_for_reason("SourceMissing")
    assert condition(resource, "Ready")["message"] == "ConfigMap list does not exist yet"
    write_list("t0", "t1")
    fleet.wait(lambda r: is_ready(r) and totals(r)["current"] == 2)
    write_list("t0", "t1", "t2")
    fleet.wait(lambda r: is_ready(r) and totals(r)["current"] == 3)
    assert fleet.applied() == every(["t0", "t1", "t2"], 1, 2)
    assert operator.is_running


def test_the_plugin_shows_sets_and_orders_for_them(
    fleet: Fleet, operator: Operator, namespace: Namespace
) -> None:
    person = Plugin(namespace.cluster.kubeconfig)
    at = ("-n", namespace.name)
    fleet.prepare(3)
    fleet.break_tenants("t1")
    fleet.order()
    fleet.wait_for_reason("TargetsFailed")
    table = person.run("fleet", "status", *at)
    assert table.code == 0
    assert table.output.splitlines()[1].split()[:7] == [
        *("tenants", "False", "TargetsFailed", "3", "2", "0", "1")
    ]
    whole = person.run("fleet", "status", "tenants", *at).output
    assert "TargetsFailed" in whole
    assert "all" in whole
    failed = person.run("fleet", "failed", "dbmset/tenants", *at).output.splitlines()
    assert failed[1].split()[:5] == [
        *("t1", "all", "failed", "StatementFailed", "000002_positive.up.sql:1")
    ]
    fleet.database.execute("UPDATE t1.orders SET total = 5")
    retried = person.run("fleet", "retry", "tenants", *at)
    assert (retried.code, retried.output.splitlines()[-1]) == (
        0,
        "Succeeded: every target is current",
    )
    assert person.run("fleet", "failed", "tenants", *at).output == "no target has failed\n"
    missing = person.run("fleet", "status", "other", *at)
    assert missing.code == 1
    assert "there is no DatabaseMigrationSet other" in missing.messages
    assert operator.is_running


TARGETS = int(os.environ.get("DBMIGRATE_TEST_FLEET", "300"))
"""10,000 by hand: tests/operator_e2e/README says how."""


@pytest.mark.timeout(3600)
def test_a_fleet_with_one_in_a_hundred_broken(fleet: Fleet, operator: Operator) -> None:
    """Every good one is current, every broken one named, nothing is applied twice, and the counts
    are those of the database."""
    names = [f"t{number}" for number in range(TARGETS)]
    fleet.prepare_many(names)
    broken = names[::100]
    fleet.break_tenants(*broken)
    waves = [
        {"name": "canary", "share": "1%", "maxFailures": "50%"},
        {"name": "tenth", "share": "10%", "maxFailures": "10%"},
        {"name": "quarter", "share": "25%", "parallelism": 2, "maxFailures": "5%"},
        {"name": "half", "share": "30%", "parallelism": 2, "maxFailures": "5%"},
        {"name": "rest", "parallelism": 2, "maxFailures": "5%"},
    ]
    began = time.monotonic()
    fleet.order(waves=waves, shardSize=max(20, TARGETS // 20))
    resource = fleet.wait(
        lambda r: condition(r, "Stalled").get("status") == "True", deadline=3000.0
    )
    print(f"{TARGETS} targets in {time.monotonic() - began:.1f} s: {resource['status']}")
    assert condition(resource, "Ready")["reason"] == "TargetsFailed"
    assert phases(resource) == ["Succeeded"] * 5
    good = sorted(set(names) - set(broken))
    assert fleet.applied() == every(good, 1, 2)
    at_two, at_one = fleet.count_versions(names)
    assert (at_two, at_one) == (len(good), len(broken))
    found = totals(resource)
    assert (found["total"], found["current"], found["failed"]) == (TARGETS, at_two, at_one)
    assert fleet.outcomes() == {"current": at_two, "failed": at_one}
    named = {each["target"] for each in resource["status"]["failures"]}
    assert named <= set(broken)
    assert len(named) == min(50, len(broken))
    assert fleet.failed_names() == sorted(broken)
    assert operator.is_running
