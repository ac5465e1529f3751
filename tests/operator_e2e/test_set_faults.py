"""Sets under faults: operators killed, Pods killed, targets that fail in several ways, lists that
change. What was done is found again, and done once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.waiting import eventually
from tests.database import Database
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.fleet import FILES, GATED, Fleet, every, totals
from tests.operator_e2e.policy import refused_status
from tests.operator_e2e.process import Operator
from tests.operator_e2e.proxy import Call, Fault, Proxy, let_through
from tests.operator_e2e.shop import condition, is_observed, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]

NAMES = [f"t{number}" for number in range(8)]
WAVES = [{"name": "canary", "share": "30%"}, {"name": "rest", "parallelism": 2}]


@pytest.mark.timeout(600)
def test_an_operator_killed_at_each_kind_of_write_of_a_sets_life(
    fleet: Fleet, proxy: Proxy, proxied: Path, make_operator: StartOperator
) -> None:
    """Each dies right after the server has done what it asked for, and before it hears of it."""
    fleet.prepare(8)
    fleet.order(waves=WAVES, shardSize=3)
    met: list[str] = []

    def die_at_news(victim: Operator) -> Callable[[Call], Fault | None]:
        struck: list[str] = []

        def judge(call: Call) -> Fault | None:
            kind = f"{call.method} {call.path.rpartition('/namespaces/')[2].partition('/')[2]}"
            kind = kind if call.method == "PATCH" else f"{kind} {len(fleet.jobs())}"
            key = f"{kind} {phase_of_life(fleet)}" if call.is_write else ""
            if not call.is_write or struck or key in met:
                return None
            struck.append(key)
            met.append(key)
            return Fault(after=victim.kill)

        return judge

    def is_over(victim: Operator) -> bool:
        return not victim.is_running or is_ready(fleet.namespace.get("dbmset", "tenants"))

    for _ in range(40):
        victim = make_operator(proxied)
        proxy.judge = die_at_news(victim)
        victim.start()
        eventually(partial(is_over, victim), what="a death, or the end")
        if victim.is_running:
            break
    proxy.judge = let_through
    resource = fleet.wait_ready()
    print(f"killed {len(met)} times: {met}")
    assert len(met) >= 6
    assert fleet.applied() == every(NAMES, 1, 2)
    assert totals(resource)["current"] == 8
    # The survey, and each wave once: nobody has started anything again.
    assert len(fleet.jobs()) == 3


def phase_of_life(fleet: Fleet) -> str:
    """What the status says: a write in another phase is another kind."""
    status = fleet.namespace.get("dbmset", "tenants").get("status", {})
    waves = [wave["phase"] for wave in status.get("waves", [])]
    return f"{condition({'status': status}, 'Ready').get('reason')} {waves}"


STUCK = [
    ({"job": {"image": "app:ndoe"}}, "ImagePullFailed"),
    ({"job": {"serviceAccountName": "nobody"}}, "PodNotStarting"),
]


@pytest.mark.parametrize(("template", "reason"), STUCK)
def test_a_corrected_spec_replaces_a_survey_that_never_started(
    fleet: Fleet, operator: Operator, template: dict[str, Any], reason: str
) -> None:
    fleet.prepare(4)
    fleet.order(template=template, waves=WAVES)
    resource = fleet.wait_for_reason(reason)
    (first,) = fleet.jobs()
    if "serviceAccountName" in template["job"]:
        assert 'serviceaccount "nobody" not found' in condition(resource, "Ready")["message"]
    fleet.order(waves=WAVES)
    resource = fleet.wait_ready()
    assert fleet.applied() == every(NAMES[:4], 1, 2)
    assert resource["status"]["rollout"].get("failuresInARow", 0) == 0
    assert first["metadata"]["uid"] not in {job["metadata"]["uid"] for job in fleet.jobs()}
    assert operator.is_running


def test_a_wave_that_never_started_is_replaced_in_the_same_rollout(
    fleet: Fleet, operator: Operator
) -> None:
    fleet.prepare(4)
    waves = [{"name": "canary", "share": "50%", "pause": "Manual"}, {"name": "rest"}]
    fleet.order(waves=waves)
    fleet.wait_for_reason("Paused")
    fleet.order(waves=waves, template={"job": {"image": "app:ndoe"}})
    fleet.wait(is_observed)
    fleet.act("Continue", "go-on")
    before = fleet.wait_for_reason("ImagePullFailed")
    fleet.order(waves=waves, suspend=True)
    fleet.wait_for_reason("Suspended")
    fleet.order(waves=waves)
    resource = fleet.wait_ready()
    assert fleet.applied() == every(NAMES[:4], 1, 2)
    for field in ("attempt", "survey"):
        assert resource["status"]["rollout"][field] == before["status"]["rollout"][field]
    assert operator.is_running


def test_a_corrected_setting_and_a_retry_replace_a_survey_that_never_started(
    fleet: Fleet, make_operator: StartOperator
) -> None:
    operator = make_operator().start("--runner-image", "tpyo:1")
    fleet.prepare(2)
    fleet.order(waves=[{"name": "all"}])
    fleet.wait_for_reason("ImagePullFailed")
    first = fleet.jobs()[0]["metadata"]["uid"]
    fleet.act("Retry")
    fleet.namespace.wait("dbma", "act", lambda a: a.get("status", {}).get("phase") == "Running")
    fleet.wait_for_reason("ImagePullFailed")
    assert first not in {job["metadata"]["uid"] for job in fleet.jobs()}
    operator.stop()
    operator.start()
    fleet.wait_ready()
    assert fleet.applied() == every(NAMES[:2], 1, 2)
    fleet.namespace.wait("dbma", "act", lambda a: a["status"]["phase"] == "Succeeded")
    assert operator.is_running


def test_a_pod_killed_in_the_middle_of_a_shard_is_replaced_and_nothing_is_done_twice(
    fleet: Fleet, operator: Operator
) -> None:
    fleet.prepare(6, GATED)
    fleet.order(waves=[{"name": "all", "concurrency": 2}])
    fleet.wait_for_work()
    (pod,) = [p for p in fleet.namespace.list("pod") if p["status"]["phase"] == "Running"]
    before = fleet.applied()
    assert before
    node = fleet.namespace.cluster.node
    node.evict(fleet.namespace.name, pod["metadata"]["name"], grace=0)
    fleet.open_gate()
    resource = fleet.wait_ready(deadline=120.0)
    assert fleet.applied() == every([f"t{number}" for number in range(6)], 1, 2)
    assert totals(resource)["current"] == 6
    assert operator.is_running


def test_targets_that_fail_in_several_ways_are_counted_and_named_each_by_its_reason(
    fleet: Fleet, operator: Operator
) -> None:
    fleet.prepare(10)
    fleet.break_tenants("t1")
    fleet.database.execute(
        "CREATE TABLE t2.schema_migrations (version bigint PRIMARY KEY, dirty bool NOT NULL);"
        "INSERT INTO t2.schema_migrations VALUES (1, true);"
        "ALTER TABLE tenants ADD host text, ADD dbname text, ADD username text;"
        "UPDATE tenants SET host = '127.0.0.1' WHERE name = 't3';"
        "UPDATE tenants SET dbname = 'no_such_database' WHERE name = 't4';"
        "UPDATE tenants SET username = 'nobody_by_that_name' WHERE name = 't5';"
        "UPDATE tenants SET name = 'no_such_schema' WHERE name = 't6'"
    )
    sql = (
        "SELECT name, name AS schema, host, CASE WHEN host IS NOT NULL THEN 1 END AS port, dbname,"
        ' username AS "user" FROM public.tenants'
    )
    fleet.order(
        targets={"query": {"sql": sql}},
        shardSize=3,
        waves=[{"name": "all", "parallelism": 2}],
        template={"retry": {"limit": 0}},
    )
    resource = fleet.wait_for_reason("TargetsFailed")
    found = totals(resource)
    assert (found["total"], found["current"]) == (10, 4)
    assert found["failed"] + found["dirty"] + found["unreachable"] == 6
    reasons = {each["target"]: each["reason"] for each in resource["status"]["failures"]}
    assert reasons == {
        "t1": "StatementFailed",
        "t2": "Dirty",
        "t3": "ConnectionRefused",
        "t4": "DatabaseMissing",
        "t5": "AuthenticationFailed",
        "no_such_schema": reasons["no_such_schema"],
    }
    assert condition(resource, "Dirty")["status"] == "True"
    assert fleet.applied() == every(["t0", "t7", "t8", "t9"], 1, 2)
    assert operator.is_running


def test_a_wave_ends_as_soon_as_too_many_have_failed(fleet: Fleet, operator: Operator) -> None:
    """The failures of two Pods are added up while the others work: these begin nothing more, end
    the steps that run, and are counted."""
    fleet.order_too_many_failures(6)
    resource = fleet.wait_for_reason("TooManyFailures")
    assert condition(resource, "Reconciling")["status"] == "True"
    assert resource["status"]["waves"][0]["phase"] == "Running"
    fleet.open_gate()
    resource = fleet.wait(lambda r: condition(r, "Stalled").get("status") == "True")
    assert condition(resource, "Ready")["reason"] == "TooManyFailures"
    (wave,) = resource["status"]["waves"]
    assert (wave["phase"], wave["dirty"]) == ("Failed", 2)
    assert wave["current"] == len([version for _, version in fleet.applied() if version == 2])
    assert operator.is_running


def test_a_catalog_database_that_is_away_is_waited_for(
    fleet: Fleet, operator: Operator, database: Database
) -> None:
    fleet.prepare(3)
    away = database.url.replace(f"/{database.name}", "/not_there_yet")
    fleet.namespace.secret("catalog", url=away)
    reference = {"secretKeyRef": {"name": "catalog", "key": "url"}}
    fleet.order(catalog={"urlFrom": reference})
    resource = fleet.wait_for_reason("DatabaseMissing")
    assert condition(resource, "Stalled")["status"] == "False"
    assert fleet.applied() == []
    fleet.namespace.secret("catalog", url=database.url)
    fleet.wait_ready()
    assert fleet.applied() == every(["t0", "t1", "t2"], 1, 2)
    assert operator.is_running


def test_a_catalog_database_that_goes_away_in_the_middle_of_a_wave(
    fleet: Fleet, operator: Operator, database: Database
) -> None:
    """What a shard has done is not done again, although it could not write its results."""
    catalog = database.server.create_database()
    fleet.prepare(6, GATED)
    catalog.execute("CREATE TABLE tenants (name text PRIMARY KEY, labels text, active bool)")
    for number in range(6):
        catalog.execute(f"INSERT INTO tenants VALUES ('t{number}', '', true)")
    fleet.namespace.secret("catalog", url=catalog.url)
    reference = {"secretKeyRef": {"name": "catalog", "key": "url"}}
    fleet.order(catalog={"urlFrom": reference}, shardSize=2)
    fleet.wait_for_work()
    database.execute(f"ALTER DATABASE {catalog.name} ALLOW_CONNECTIONS false")
    database.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{catalog.name}'"
    )
    fleet.open_gate()

    def has_failed() -> bool:
        return any(pod["status"]["phase"] == "Failed" for pod in fleet.namespace.list("pod"))

    eventually(has_failed, what="a shard without its catalog")
    database.execute(f"ALTER DATABASE {catalog.name} ALLOW_CONNECTIONS true")
    resource = fleet.wait_ready(deadline=180.0)
    assert totals(resource)["current"] == 6
    assert fleet.applied() == every([f"t{number}" for number in range(6)], 1, 2)
    outcomes = dict(catalog.query("SELECT outcome, count(*) FROM fleet_results GROUP BY outcome"))
    assert outcomes == {"current": 6}
    assert operator.is_running
    catalog.drop()


def test_the_list_changes_between_the_shards_of_a_wave(fleet: Fleet, operator: Operator) -> None:
    """A tenant that comes or goes moves no other one, and one that is gone is no failure."""
    fleet.prepare(9, GATED)
    fleet.order(waves=[{"name": "all"}], shardSize=3)
    fleet.wait_for_work()
    fleet.add("u0", "u1", "u2")
    begun = {name for name, _ in fleet.applied()}
    left = sorted({f"t{number}" for number in range(9)} - begun)
    fleet.database.execute(f"DELETE FROM tenants WHERE name = '{left[-1]}'")
    fleet.open_gate()
    resource = fleet.wait_ready()
    applied = fleet.applied()
    assert len(applied) == len(set(applied))
    assert left[-1] not in {name for name, _ in applied}
    fleet.act("Retry")
    resource = fleet.wait(lambda r: totals(r)["total"] == 11 and is_ready(r))
    assert totals(resource)["current"] == 11
    names = [f"t{n}" for n in range(9) if f"t{n}" != left[-1]] + ["u0", "u1", "u2"]
    assert fleet.applied() == every(names, 1, 2)
    assert operator.is_running


def test_two_sets_on_one_fleet_do_not_take_it_back_and_forth(
    fleet: Fleet, operator: Operator
) -> None:
    fleet.prepare(3)
    fleet.order()
    fleet.wait_ready()
    fleet.write_files({**FILES, "000003_more.up.sql": "ALTER TABLE orders ADD more text;\n"})
    fleet.wait(lambda r: is_ready(r) and r["status"]["rollout"]["trigger"] == "Change")
    body = fleet.manifest("other", waves=[{"name": "all"}])
    body["spec"]["template"]["source"] = {
        "inline": {**FILES, "000004_theirs.up.sql": "ALTER TABLE orders ADD theirs text;\n"}
    }
    fleet.namespace.apply(body)
    resource = fleet.namespace.wait(
        "dbmset", "other", lambda r: condition(r, "Ready").get("reason") == "TargetsFailed"
    )
    reasons = {each["reason"] for each in resource["status"]["failures"]}
    assert reasons <= {"DatabaseConflict", "MissingVersion"}
    assert operator.is_running


def test_a_status_of_a_set_that_the_server_refuses_is_written_without_what_it_refuses(
    fleet: Fleet, operator: Operator
) -> None:
    fleet.prepare(5)
    fleet.break_tenants("t1", "t2")
    fleet.order(suspend=True, template={"retry": {"limit": 0}})
    with refused_status(
        fleet.namespace,
        "databasemigrationsets",
        "tenants",
        expression="!has(object.status.failures) || object.status.failures.all(f, !has(f.file))",
        probe={"failures": [{"target": "x", "file": "1_x.up.sql"}]},
    ) as message:
        fleet.order(suspend=False, template={"retry": {"limit": 0}})
        resource = fleet.wait_for_reason("TargetsFailed")
        assert message in condition(resource, "Ready")["message"]
        assert (totals(resource)["current"], totals(resource)["failed"]) == (3, 2)
        assert [each["reason"] for each in resource["status"]["failures"]] == ["StatementFailed"]
        assert len(fleet.jobs()) == 2
        eventually(operator.read_log, lambda log: "refused the status" in log, what="a word")
        assert '"severity": "error"' not in operator.read_log()
