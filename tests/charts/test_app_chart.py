"""The example of an application's chart: with the operator, and by an init container alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.charts.helm import ROOT, install, run_helm
from tests.cluster import Cluster, Namespace
from tests.cluster.waiting import eventually
from tests.database import Database
from tests.operator_e2e.shop import FILES, Shop

pytestmark = [pytest.mark.cluster, pytest.mark.database, pytest.mark.timeout(900)]

CHART = ROOT / "examples" / "app-chart"
RUNNER = "ghcr.io/dbmigrate/dbmigrate:0.1.0"
APP = "registry.example.com/app:1"
WAITER = "wait-for-migration"


@pytest.fixture
def shop(cluster: Cluster, namespace: Namespace, database: Database, tmp_path: Path) -> Shop:
    """A team's namespace, database and Secret; its application's image has the files."""
    cluster.install_crds(ROOT / "crds")
    program = str(Path(sys.executable).with_name("dbmigrate"))
    cluster.node.images.register(RUNNER, commands={"dbmigrate": [program]})
    tree = tmp_path / "app"
    (tree / "migrations").mkdir(parents=True)
    for name, text in FILES.items():
        (tree / "migrations" / name).write_text(text)
    sleeper = [sys.executable, "-c", "import signal; signal.sigwait({signal.SIGTERM})"]
    cluster.node.images.register(APP, commands={"app": sleeper}, tree=tree)
    made = Shop(namespace, database)
    namespace.secret("app-db", url=database.url)
    return made


def test_pods_wait_while_the_version_is_not_there(shop: Shop) -> None:
    namespace = shop.namespace
    values = {"image": APP, "replicas": 1, "migrations.timeout": "5m"}
    words = ["install", "app", str(CHART), "--namespace", namespace.name]
    words += [f"--set={path}={value}" for path, value in values.items()]
    run_helm(*words, kubeconfig=namespace.cluster.kubeconfig)
    # The Deployment counts a Pod as unavailable before there is one.
    (pod,) = eventually(lambda: pods(shop), what="the application's Pod")
    name = pod["metadata"]["name"]
    namespace.wait("pod", name, init_is_running)
    shop.database.execute(
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
        "INSERT INTO schema_migrations VALUES (2, true)"
    )
    shop.database.execute("UPDATE schema_migrations SET dirty = false")
    namespace.wait("deployment", "app", lambda d: d["status"].get("readyReplicas") == 1)


def test_fifty_init_containers_migrate_once(shop: Shop) -> None:
    namespace = shop.namespace
    values = {"image": APP, "migrations.operator": False, "replicas": 50}
    install(namespace.cluster, namespace.name, "app", CHART, values, deadline=600)
    assert namespace.get("deployment", "app")["status"]["readyReplicas"] == 50
    assert shop.applied() == [1, 2]
    started = pods(shop)
    assert len(started) == 50
    assert all(init_exit_codes(pod) == [0, 0] for pod in started)
    assert sum(pod["status"]["initContainerStatuses"][1]["restartCount"] for pod in started) == 0


def pods(shop: Shop) -> list[Any]:
    """The application's Pods."""
    return shop.namespace.list("pod", "app.kubernetes.io/instance=app")


def init_is_running(pod: Any) -> bool:
    """Whether its init container waits."""
    statuses = pod.get("status", {}).get("initContainerStatuses", [])
    return any("running" in status["state"] for status in statuses)


def init_exit_codes(pod: Any) -> list[int]:
    """Of its init containers, in order."""
    statuses = pod["status"]["initContainerStatuses"]
    return [status["state"]["terminated"]["exitCode"] for status in statuses]
