"""The life of a resource: create, Job, status; change, suspend, failure and repair."""

from __future__ import annotations

import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import RUNNER_IMAGE, StartOperator
from tests.operator_e2e.process import ROOT, Operator
from tests.operator_e2e.shop import (
    FILES,
    GATED,
    THIRD,
    Document,
    Shop,
    condition,
    is_ready,
)
from tests.ports import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.database]


@pytest.mark.quick
def test_a_new_resource_is_migrated_and_says_so(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order()
    resource = shop.wait_ready()
    status = resource["status"]
    assert (status["version"], status["dirty"], status["pending"]) == ("2", False, 0)
    assert status["lastRun"]["outcome"] == "Applied"
    assert status["lastRun"]["attempts"] == 1
    assert [step["version"] for step in status["history"]] == ["2", "1"]
    assert condition(resource, "Reconciling")["status"] == "False"
    assert condition(resource, "Stalled")["status"] == "False"
    assert condition(resource, "Dirty")["status"] == "False"
    assert shop.applied() == [1, 2]
    assert shop.database.query("SELECT version, dirty FROM schema_migrations") == [(2, False)]
    shop.namespace.kubectl("wait", "dbm/shop", "--for=condition=Ready", "--timeout=60s")
    assert "annotations" not in resource["metadata"]
    assert "finalizers" not in resource["metadata"]
    assert "Error" not in operator.read_log()


def test_create_to_ready_costs_few_writes(
    shop: Shop, make_operator: StartOperator, installed: Cluster
) -> None:
    shop.prepare()
    mark = installed.audit.mark()
    make_operator().start()
    shop.order()
    shop.wait_ready()
    shop.wait_for_event("Applied")
    account = f"system:serviceaccount:{shop.namespace.name}:dbmigrate-operator"
    # The log has a request after its answer was sent; the event is the operator's last one.
    requests = eventually(
        lambda: installed.audit.requests(since=mark, user=account),
        lambda found: sum(r.resource == "events" for r in found) >= 2,
        what="both events in the audit log",
    )
    writes = Counter(f"{r.verb} {r.resource}" for r in requests if r.is_write)
    reads = Counter(f"{r.verb} {r.resource}" for r in requests if not r.is_write)
    print(f"writes, create to Ready: {dict(writes)}\nreads: {dict(reads)}")
    assert writes == {
        "create jobs": 1,
        "create events": 2,
        "patch databasemigrations/status": 2,
    }
    # A Role of one namespace does not reach the cluster's name and CRDs; this is no OpenShift.
    asked = {"namespaces", "customresourcedefinitions", "/apis/security.openshift.io/v1"}
    assert [r for r in requests if r.code >= 400 and r.resource not in asked] == []


def test_a_restart_writes_nothing_and_answers_its_probe(
    shop: Shop, make_operator: StartOperator, installed: Cluster
) -> None:
    first = make_operator().start()
    shop.prepare()
    shop.order()
    shop.wait_ready()
    assert first.stop() == 0
    mark = installed.audit.mark()
    port = free_port()
    second = make_operator()
    second.start("--health", f"127.0.0.1:{port}")
    eventually(lambda: answers(f"http://127.0.0.1:{port}/readyz"), what="a ready operator")
    assert answers(f"http://127.0.0.1:{port}/healthz")
    # A second resource goes its way: then the first one has been looked at, too.
    shop.order("bystander", suspend=True, database=ELSEWHERE)
    shop.wait_for_reason("Suspended", name="bystander")
    account = f"system:serviceaccount:{shop.namespace.name}:dbmigrate-operator"
    requests = installed.audit.requests(since=mark, user=account, writes=True)
    assert [r for r in requests if "shop" in r.name and r.resource != "events"] == []
    assert second.is_running


ELSEWHERE = {"urlFrom": {"secretKeyRef": {"name": "elsewhere", "key": "url"}}}


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_an_operator_for_all_namespaces_has_the_rights_that_it_needs(
    shop: Shop, installed: Cluster, tmp_path: Path
) -> None:
    system = installed.namespace("dbmigrate-system")
    system.apply(ROOT / "deploy" / "rbac.yaml")
    system.wait_for_right("dbmigrate-operator", "list", "pods")
    kubeconfig = system.service_account_kubeconfig("dbmigrate-operator")
    everywhere = Operator(kubeconfig, "", tmp_path / "operator.log", image=RUNNER_IMAGE)
    try:
        mark = installed.audit.mark()
        everywhere.start()
        shop.prepare()
        shop.order()
        shop.wait_ready()
        assert everywhere.stop() == 0
        account = "system:serviceaccount:dbmigrate-system:dbmigrate-operator"
        requests = installed.audit.requests(since=mark, user=account)
        # In the namespace of an earlier test, which is going, nothing new may be made: 403 as well.
        places = {"", shop.namespace.name}
        assert [r for r in requests if r.code == 403 and r.namespace in places] == []
    finally:
        everywhere.kill()
        system.remove()


def test_changed_files_start_a_run(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order()
    shop.wait_ready()
    shop.write_files({**FILES, **THIRD})
    resource = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert resource["metadata"]["generation"] == 1
    assert shop.applied() == [1, 2, 3]
    assert len(shop.jobs()) == 2
    assert operator.is_running


def test_a_spec_change_waits_for_the_run_under_way(shop: Shop, operator: Operator) -> None:
    shop.prepare(GATED)
    shop.order(target="2")
    shop.wait_for_work()
    first = shop.jobs()[0]["metadata"]
    shop.order(target="1", rollback="Allow")
    waiting = shop.wait_for_reason("WaitingForRun")
    message = condition(waiting, "Ready")["message"]
    assert first["name"] in message
    assert "generation 1" in message
    assert condition(waiting, "Reconciling")["status"] == "True"
    assert [job["metadata"]["uid"] for job in shop.jobs()] == [first["uid"]]
    shop.open_gate()
    resource = shop.wait_ready()
    assert resource["status"]["version"] == "1"
    assert resource["status"]["lastRun"]["outcome"] == "RolledBack"
    assert shop.applied() == [1, 2]
    assert operator.is_running


def test_suspend_starts_nothing_until_it_is_lifted(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order(suspend=True)
    resource = shop.wait_for_reason("Suspended")
    assert condition(resource, "Stalled")["status"] == "False"
    assert shop.jobs() == []
    shop.order(suspend=False)
    shop.wait_ready()
    shop.order(suspend=True)
    still = shop.wait(lambda r: is_ready(r) and r["metadata"]["generation"] == 3)
    assert still["status"]["version"] == "2"
    assert len(shop.jobs()) == 1
    assert operator.is_running


def test_broken_sql_is_shown_with_its_place_and_mended_by_new_files(
    shop: Shop, operator: Operator
) -> None:
    broken = {"000003_add_name.up.sql": "ALTER TABLE items\n  ADD name no_such_type;\n"}
    shop.prepare({**FILES, **broken})
    shop.order()
    resource = shop.wait_for_reason("StatementFailed")
    assert condition(resource, "Stalled")["status"] == "True"
    status = resource["status"]
    assert (status["version"], status["dirty"]) == ("2", False)
    error = status["lastRun"]["error"]
    assert error["file"] == "000003_add_name.up.sql"
    assert error["line"] == 2
    assert error["sqlstate"] == "42704"
    assert "no_such_type" in error["message"]
    assert "^" in error["excerpt"]
    assert len(shop.jobs()) == 1
    shop.write_files({**FILES, **THIRD})
    healed = shop.wait_ready()
    assert healed["status"]["version"] == "3"
    assert shop.applied() == [1, 2, 3]
    assert operator.is_running


def test_deleting_the_resource_during_a_run_ends_the_run_and_leaves_the_database_whole(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    job = shop.jobs()[0]["metadata"]["name"]
    shop.namespace.delete("dbm", "shop")
    shop.namespace.wait_until_gone("dbm", "shop")
    shop.namespace.wait_until_gone("job", job)
    assert shop.applied() == [1]
    assert shop.database.query("SELECT version, dirty FROM schema_migrations") == [(1, False)]
    shop.open_gate()
    shop.order()
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    assert operator.is_running


def wait_for_next_second(shop: Shop, resource: Document) -> None:
    """Return when a new object is younger: Kubernetes' times have whole seconds."""
    born = resource["metadata"]["creationTimestamp"]

    def look() -> str:
        probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "probe-"}}
        time: str = shop.namespace.create(probe)["metadata"]["creationTimestamp"]
        return time

    eventually(look, lambda time: time > born, what="the next second")


def test_the_younger_of_two_resources_on_one_database_is_refused(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order("first")
    wait_for_next_second(shop, shop.wait_ready(name="first"))
    shop.order("second")
    refused = shop.wait_for_reason("DatabaseConflict", name="second")
    assert "first" in condition(refused, "Ready")["message"]
    assert len(shop.jobs()) == 1
    shop.namespace.delete("dbm", "first")
    shop.wait_ready(name="second")
    assert shop.applied() == [1, 2]
    assert operator.is_running


def test_the_same_database_by_the_parts_of_a_connection_is_the_same_database(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    server = shop.database.server
    here = {"host": server.host, "port": server.port, "dbname": shop.database.name}
    shop.namespace.secret("other-login", password="x")
    password = {"passwordFrom": {"secretKeyRef": {"name": "other-login", "key": "password"}}}
    shop.order("first", database={"connection": {**here, "user": server.user}})
    wait_for_next_second(shop, shop.wait_ready(name="first"))
    shop.order("second", database={"connection": {**here, "user": "other", **password}})
    refused = shop.wait_for_reason("DatabaseConflict", name="second")
    assert "first" in condition(refused, "Ready")["message"]
    shop.order("third", database={"connection": {**here, "user": server.user, "dbname": "none"}})
    shop.wait_for_reason("DatabaseMissing", name="third")
    assert shop.applied() == [1, 2]
    assert operator.is_running


def test_an_operator_told_to_stop_stops_cleanly(shop: Shop, make_operator: StartOperator) -> None:
    operator = make_operator().start()
    shop.prepare()
    shop.order()
    shop.wait_ready()
    assert operator.stop() == 0
    assert "Traceback" not in operator.read_log()
