"""The life of a release on a real control plane: install, test, migrate, upgrade, uninstall."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbmigrate import __version__
from dbmigrate.api.names import DEFINITIONS, SCHEMA_VERSION
from tests.charts.helm import CHART, Values, install, run_helm
from tests.cluster import Cluster, Namespace
from tests.database import Database
from tests.operator_e2e.shop import Shop
from tests.ports import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.database, pytest.mark.timeout(900)]

IMAGE = f"ghcr.io/dbmigrate/dbmigrate:{__version__}"
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
        # Its Pods share their ports: two cannot run side by side.
        "updateStrategy.type": "Recreate",
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


def test_the_crds_go_up_to_date_and_never_back(
    registered: Cluster, system: Namespace, tmp_path: Path
) -> None:
    older = Path(shutil.copytree(CHART, tmp_path / "older"))
    file = older / "files" / "crds" / "databasemigrations.yaml"
    text = file.read_text().replace("shortNames: [dbm]", "shortNames: [old]")
    current = f'schema-version: "{SCHEMA_VERSION}"'
    assert current in text
    file.write_text(text.replace(current, 'schema-version: "1"'))
    registered.kubectl("delete", "crd", "--ignore-not-found", *DEFINITIONS)
    values = {**make_values(), "replicas": 0}
    release = f"{RELEASE}-crds"

    def upgrade(chart: Path) -> str:
        install(registered, system.name, release, chart, values, deadline=240)
        return short_names(registered)

    assert upgrade(older) == '["old"]'
    assert upgrade(CHART) == '["dbm"]'
    at = ["--namespace", system.name]
    run_helm("rollback", release, "1", *at, "--wait", kubeconfig=registered.kubeconfig)
    assert short_names(registered) == '["dbm"]'
    assert upgrade(older) == '["dbm"]'
    run_helm("uninstall", release, *at, "--wait", kubeconfig=registered.kubeconfig)
    assert short_names(registered) == '["dbm"]'


def test_a_release_that_owns_the_crds_lets_go_of_them(
    registered: Cluster, system: Namespace, tmp_path: Path
) -> None:
    """As charts up to 0.1.0 did: the objects of the release that are left out later are deleted,
    but for those that are to be kept."""
    owner = Path(shutil.copytree(CHART, tmp_path / "owner"))
    (owner / "templates" / "crds.yaml").write_text(
        '{{- range $path, $_ := .Files.Glob "files/crds/*.yaml" }}\n'
        "{{- $crd := $.Files.Get $path | fromYaml }}\n"
        '{{- $_ := set $crd.metadata "annotations" (dict "helm.sh/resource-policy" "keep") }}\n'
        "---\n{{ toYaml $crd }}\n{{- end }}\n"
    )
    values = {**make_values(), "replicas": 0}
    release = f"{RELEASE}-owner"
    install(registered, system.name, release, owner, values, deadline=240)
    uid = "-o=jsonpath={.metadata.uid}"
    before = registered.kubectl("get", "crd", DEFINITIONS[0], uid)
    install(registered, system.name, release, CHART, values, deadline=240)
    assert registered.kubectl("get", "crd", DEFINITIONS[0], uid) == before
    at = ["--namespace", system.name]
    run_helm("uninstall", release, *at, "--wait", kubeconfig=registered.kubeconfig)


def short_names(cluster: Cluster) -> str:
    """Those of the CRD in the cluster."""
    return cluster.kubectl("get", "crd", DEFINITIONS[0], "-o", "jsonpath={.spec.names.shortNames}")
