"""The operator's own Pod on a real node: rolled out and restarted while runs are in flight."""

from __future__ import annotations

import subprocess

import pytest

from tests.cluster import Namespace
from tests.cluster.waiting import eventually
from tests.node_e2e.node import RealCluster
from tests.node_e2e.postgres import PodServer
from tests.node_e2e.release import SYSTEM
from tests.operator_e2e.shop import GATED, Shop

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

RUNS = 20
DEPLOYMENT = "dbmigrate-dbmigrate-operator"


def test_a_rolling_update_with_runs_in_flight_loses_none(
    namespace: Namespace, postgres: PodServer
) -> None:
    shops = [Shop(namespace, postgres.create_database()) for _ in range(RUNS)]
    names = [f"shop-{number}" for number in range(RUNS)]
    shops[0].write_files(GATED)
    for shop, name in zip(shops, names, strict=True):
        namespace.secret(f"{name}-db", url=shop.database.url)
        url = {"urlFrom": {"secretKeyRef": {"name": f"{name}-db", "key": "url"}}}
        small = {"requests": {"cpu": "1m", "memory": "16Mi"}}
        shop.order(name, database=url, job={"resources": small})
    for shop in shops[: RUNS // 2]:
        shop.wait_for_work()
    rollout = ["--namespace", SYSTEM, "rollout"]
    namespace.cluster.kubectl(*rollout, "restart", f"deployment/{DEPLOYMENT}")
    for shop in shops:
        shop.open_gate()
    namespace.cluster.kubectl(*rollout, "status", f"deployment/{DEPLOYMENT}", "--timeout=240s")
    for shop, name in zip(shops, names, strict=True):
        status = shop.wait_ready(name=name, deadline=240)["status"]
        assert (status["version"], status["dirty"]) == ("2", False)
        assert shop.applied() == [1, 2]
    assert read_failed_probes(namespace) == []


def read_failed_probes(namespace: Namespace) -> list[str]:
    """The events about probes of the operators' Pods that run now."""
    api, place = namespace.cluster.api, f"/api/v1/namespaces/{SYSTEM}"
    found = [pod["metadata"] for pod in api.get(f"{place}/pods")["items"]]
    pods = {pod["uid"] for pod in found if "deletionTimestamp" not in pod}
    events = api.get(f"{place}/events?fieldSelector=reason=Unhealthy")["items"]
    return [event["message"] for event in events if event["involvedObject"]["uid"] in pods]


def test_it_waits_for_an_api_server_that_is_away_at_its_start(
    real: RealCluster, shop: Shop
) -> None:
    shop.prepare()

    def restarts() -> int:
        pods = real.cluster.api.get(f"/api/v1/namespaces/{SYSTEM}/pods")["items"]
        statuses = [s for pod in pods for s in pod["status"].get("containerStatuses", [])]
        return sum(status["restartCount"] for status in statuses)

    before = restarts()
    real.node.control_plane.stop_apiserver()
    try:
        killed = real.machine.inside(["pkill", "-KILL", "-f", "dbmigrate-operator run"])
        subprocess.run(killed, check=True)
        operators = real.machine.inside(["pgrep", "-f", "dbmigrate-operator run"])
        eventually(
            lambda: subprocess.run(operators, capture_output=True, check=False).returncode == 0,
            what="the operator's next container",
        )
    finally:
        real.node.control_plane.start_apiserver()
    shop.order()
    assert shop.wait_ready(deadline=240)["status"]["version"] == "2"
    assert restarts() > before
