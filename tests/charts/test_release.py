"""The life of a release on a real control plane: install, test, migrate, upgrade, uninstall."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.charts.helm import CHART, Values, install, run_helm
from tests.cluster import Cluster, Namespace
from tests.database import Database
from tests.operator_e2e.shop import Shop
from tests.ports import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.database, pytest.mark.timeout(900)]

IMAGE = "ghcr.io/dbmigrate/dbmigrate:0.1.0"
RELEASE = "it"
OPERATOR = "it-dbmigrate-operator"


@pytest.fixture
def registered(cluster: Cluster) -> Cluster:
    """The cluster whose node has the chart's own image."""
    programs = Path(sys.executable).parent
    commands = {name: [str(programs / name)] for name in ("dbmigrate", "dbmigrate-operator")}
    cluster.node.images.register(IMAGE, commands={**commands, "python3": [sys.executable]})
    return cluster


@pytest.fixture
def system(registered: Cluster) -> Iterator[Namespace]:
    """The operator's namespace."""
    created = registered.namespace()
    yield created
    for pod in created.list("pod"):
        for container in pod["spec"]["containers"]:
            log = registered.node.logs(created.name, pod["metadata"]["name"], container["name"])
            print(f"--- {pod['metadata']['name']}: {pod['status']}\n{log}")
    created.remove()


@pytest.fixture
def shop(namespace: Namespace, database: Database) -> Shop:
    """A team's namespace and database."""
    return Shop(namespace, database)


def make_values() -> Values:
    """What the harness's node needs: ports of its own, no probe, no cluster DNS."""
    port = free_port()
    return {
        "health.port": free_port(),
        "health.livenessProbe": False,
        "health.readinessProbe": False,
        "metrics.port": port,
        "test.address": f"127.0.0.1:{port}",
        "podDisruptionBudget.enabled": True,
        "networkPolicy.enabled": True,
    }


@pytest.mark.parametrize("scope", ["cluster", "namespace"])
def test_a_release_lives_and_leaves_the_databases_alone(
    scope: str, registered: Cluster, system: Namespace, shop: Shop
) -> None:
    watched = [shop.namespace.name] if scope == "namespace" else []
    values = {**make_values(), "watchNamespaces": watched}
    install(registered, system.name, RELEASE, CHART, values, deadline=240)
    at = ["--namespace", system.name]
    tested = run_helm("test", RELEASE, *at, "--timeout=240s", kubeconfig=registered.kubeconfig)
    assert "Succeeded" in tested

    shop.prepare()
    shop.order()
    assert shop.wait_ready()["status"]["version"] == "2"

    install(registered, system.name, RELEASE, CHART, {**values, "logFormat": "text"}, deadline=240)
    deployment = system.get("deployment", OPERATOR)
    assert deployment["status"]["readyReplicas"] == 1
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "DBMIGRATE_LOG_FORMAT", "value": "text"} in container["env"]
    shop.write_files({"000001_again.up.sql": "SELECT 1;\n"}, name="unused")

    run_helm("uninstall", RELEASE, *at, "--wait", kubeconfig=registered.kubeconfig)
    assert system.find("deployment", OPERATOR) is None
    assert shop.namespace.get("dbm", "shop")["status"]["version"] == "2"
    assert shop.applied() == [1, 2]

    install(registered, system.name, RELEASE, CHART, values, deadline=240)
    shop.order(target="1", rollback="Allow")
    assert shop.wait_ready()["status"]["version"] == "1"
    run_helm("uninstall", RELEASE, *at, "--wait", kubeconfig=registered.kubeconfig)


def test_an_upgrade_brings_the_crds_up_to_date(
    registered: Cluster, system: Namespace, tmp_path: Path
) -> None:
    older = Path(shutil.copytree(CHART, tmp_path / "older"))
    file = older / "files" / "crds" / "databasemigrations.yaml"
    file.write_text(file.read_text().replace("shortNames: [dbm]", "shortNames: [old]"))
    values = {**make_values(), "replicas": 0}
    assert short_names_after(older, values, registered, system) == '["old"]'
    assert short_names_after(CHART, values, registered, system) == '["dbm"]'


def short_names_after(chart: Path, values: Values, cluster: Cluster, system: Namespace) -> str:
    """Those of the CRD when the chart has been installed, or upgraded to."""
    install(cluster, system.name, RELEASE, chart, values, deadline=240)
    crd = "crd/databasemigrations.dbmigrate.dev"
    return cluster.kubectl("get", crd, "-o", "jsonpath={.spec.names.shortNames}")
