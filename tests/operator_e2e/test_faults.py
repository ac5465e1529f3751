"""The API server misbehaves, or the world changes while nobody looks: the same end all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.process import Operator
from tests.operator_e2e.proxy import Call, Fault, Proxy
from tests.operator_e2e.shop import FILES, GATED, THIRD, Shop, condition, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_every_write_is_refused_once(
    shop: Shop, proxy: Proxy, proxied: Path, make_operator: StartOperator, status: int
) -> None:
    refused: set[tuple[str, str]] = set()

    def judge(call: Call) -> Fault | None:
        kind = (call.method, call.path)
        if not call.is_write or kind in refused:
            return None
        refused.add(kind)
        return Fault(status=status)

    proxy.judge = judge
    make_operator(proxied).start()
    shop.prepare()
    shop.order()
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    assert len(shop.jobs()) == 1
    assert {method for method, _ in refused} == {"POST", "PATCH"}


def test_streams_that_are_dropped_and_expired_lose_nothing(
    shop: Shop, proxy: Proxy, proxied: Path, make_operator: StartOperator
) -> None:
    operator = make_operator(proxied).start()
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    proxy.expired = 4
    proxy.cut_streams()
    shop.open_gate()
    shop.wait_ready()
    proxy.cut_streams()
    shop.write_files({**GATED, **THIRD})
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert shop.applied() == [1, 2, 3]
    assert operator.is_running


def test_what_happens_while_the_api_server_is_away_is_found_out_afterwards(
    shop: Shop, proxy: Proxy, proxied: Path, make_operator: StartOperator
) -> None:
    operator = make_operator(proxied).start()
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    proxy.is_down = True
    proxy.cut_streams()
    shop.open_gate()
    job = shop.jobs()[0]["metadata"]["name"]
    shop.namespace.wait("job", job, lambda j: j.get("status", {}).get("succeeded"))
    shop.write_files({**GATED, **THIRD})
    assert operator.is_running
    proxy.is_down = False
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert shop.applied() == [1, 2, 3]
    assert operator.is_running


def test_the_api_server_itself_is_restarted(
    shop: Shop, operator: Operator, installed: Cluster
) -> None:
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    installed.control_plane.apiserver.stop()
    shop.open_gate()
    installed.control_plane.apiserver.start()
    installed.control_plane.apiserver.wait_until_ready()
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    assert operator.is_running


def test_a_resource_made_again_under_the_same_name_is_another(
    shop: Shop, make_operator: StartOperator
) -> None:
    first = make_operator().start()
    shop.prepare()
    shop.order()
    shop.wait_ready()
    first.kill()
    shop.namespace.delete("dbm", "shop")
    shop.namespace.wait_until_gone("dbm", "shop")
    shop.write_files({**FILES, **THIRD})
    shop.order()
    make_operator().start()
    resource = shop.wait_ready()
    assert resource["status"]["version"] == "3"
    assert resource["status"]["lastRun"]["attempts"] == 1
    assert [step["version"] for step in resource["status"]["history"]] == ["3"]
    assert shop.applied() == [1, 2, 3]


def test_a_status_from_the_past_is_put_right_by_the_database(
    shop: Shop, make_operator: StartOperator
) -> None:
    """As after the cluster's store was restored from a backup of before the run."""
    first = make_operator().start()
    shop.prepare()
    shop.order()
    shop.wait_ready()
    first.kill()
    for job in shop.jobs():
        shop.namespace.delete("job", job["metadata"]["name"])
        shop.namespace.wait_until_gone("job", job["metadata"]["name"])
    path = shop.namespace.path("dbm", "shop") + "/status"
    old = {"version": "1", "pending": 1, "lastRun": None, "conditions": [], "history": []}
    shop.namespace.cluster.api.patch(path, {"status": old})
    make_operator().start()
    resource = shop.wait_ready()
    assert resource["status"]["version"] == "2"
    assert resource["status"]["lastRun"]["outcome"] == "UpToDate"
    assert shop.applied() == [1, 2]


def test_a_namespace_is_deleted_during_a_run(
    shop: Shop, operator: Operator, installed: Cluster
) -> None:
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    shop.open_gate()
    shop.namespace.remove()
    eventually(
        lambda: installed.api.get("/api/v1/namespaces")["items"],
        lambda items: shop.namespace.name not in [i["metadata"]["name"] for i in items],
        what="the end of the namespace",
    )
    assert shop.database.query("SELECT dirty FROM schema_migrations") == [(False,)]
    assert operator.is_running


def test_a_pod_that_finds_no_node_is_said_and_heals(
    shop: Shop, operator: Operator, installed: Cluster
) -> None:
    shop.prepare()
    shop.order(job={"nodeSelector": {"no-such": "label"}})
    resource = shop.wait(lambda r: condition(r, "Ready").get("reason") == "PodNotStarting")
    assert "node" in condition(resource, "Ready")["message"]
    assert condition(resource, "Reconciling")["status"] == "True"
    assert installed.is_own
    assert operator.is_running


def test_a_job_that_can_not_be_created_for_a_while_is_said_and_created_later(
    shop: Shop, proxy: Proxy, proxied: Path, make_operator: StartOperator
) -> None:
    make_operator(proxied).start()
    shop.prepare()
    shop.order()
    shop.wait_ready()
    is_down = True

    def judge(call: Call) -> Fault | None:
        is_creation = call.method == "POST" and call.path.endswith("/jobs")
        return Fault(status=500) if is_creation and is_down else None

    proxy.judge = judge
    shop.write_files({**FILES, **THIRD})
    told = shop.wait_for_reason("JobNotCreated")
    assert condition(told, "Ready")["status"] == "False"
    assert condition(told, "Reconciling")["status"] == "True"
    assert shop.wait_for_event("JobNotCreated")["type"] == "Warning"
    is_down = False
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert shop.applied() == [1, 2, 3]


def test_a_job_that_the_api_server_refuses_is_said(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order(job={"resources": {"limits": {"memory": "much"}}})
    resource = shop.wait_for_reason("JobRejected")
    assert "quantities" in condition(resource, "Ready")["message"]
    assert condition(resource, "Stalled")["status"] == "True"
    shop.order()
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    assert operator.is_running


@pytest.mark.parametrize(
    "foreign",
    [
        {"conditions": []},
        {"lastRun": None},
        {"observedGeneration": 7},
        {"nextRetryAt": "2030-01-01T00:00:00Z", "lastCheck": {"job": "x", "unanswered": 9}},
    ],
    ids=lambda foreign: next(iter(foreign)),
)
def test_a_foreign_write_to_the_status_is_put_right_by_one_patch(
    shop: Shop,
    proxy: Proxy,
    proxied: Path,
    make_operator: StartOperator,
    installed: Cluster,
    foreign: dict[str, Any],
) -> None:
    make_operator(proxied).start()
    shop.prepare()
    shop.order()
    before = shop.wait_ready()["status"]
    shop.namespace.wait("job", before["lastRun"]["job"], lambda j: j["status"].get("succeeded"))
    patches: list[Call] = []

    def count(call: Call) -> Fault | None:
        if call.method == "PATCH" and call.path.endswith("/status"):
            patches.append(call)
        return None

    proxy.judge = count
    path = shop.namespace.path("dbm", "shop")
    installed.api.patch(f"{path}/status", {"status": foreign})
    shop.wait(lambda r: bool(patches) and without_times(r["status"]) == without_times(before))
    # Another resource goes its whole way meanwhile: nothing more comes of this one.
    other = Shop(shop.namespace, shop.database.server.create_database())
    shop.namespace.secret("other-db", url=other.database.url)
    database = {"urlFrom": {"secretKeyRef": {"name": "other-db", "key": "url"}}}
    shop.order("other", database=database)
    shop.wait_ready(name="other")
    other.database.drop()
    assert [call.path for call in patches if "/shop/" in call.path] == [f"{path}/status"]


def without_times(status: dict[str, Any]) -> dict[str, Any]:
    """A status without the times that are set when a run is taken in."""
    conditions = [{**c, "lastTransitionTime": ""} for c in status.get("conditions", [])]
    history = [{**step, "finishedAt": ""} for step in status.get("history", [])]
    last = {**status.get("lastRun", {}), "finishedAt": ""}
    return {**status, "conditions": conditions, "history": history, "lastRun": last}
